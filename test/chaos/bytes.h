/* Bytes that grow at the end and are taken from the front. */
#ifndef CHAOS_BYTES_H
#define CHAOS_BYTES_H

#include <stddef.h>

struct bytes {
    char *data;
    size_t size;
    size_t capacity;
};

/* Memory that is never NULL: without memory the driver exits. */
void *grow(void *memory, size_t size);
void *zeroed(size_t count, size_t size);

void bytes_append(struct bytes *bytes, const void *data, size_t size);
void bytes_appendf(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_take(struct bytes *bytes, size_t size);
/* Room for `size` more at data + size. */
char *bytes_room(struct bytes *bytes, size_t size);
void bytes_free(struct bytes *bytes);

#endif
