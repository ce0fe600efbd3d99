#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);

    if (!grown) {
        fputs("chaos_driver: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return grown;
}

void *zeroed(size_t count, size_t size)
{
    return memset(grow(NULL, count * size), 0, count * size);
}

char *bytes_room(struct bytes *bytes, size_t size)
{
    if (bytes->capacity - bytes->size < size) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = grow(bytes->data, bytes->capacity);
    }
    return bytes->data + bytes->size;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    memcpy(bytes_room(bytes, size), data, size);
    bytes->size += size;
}

void bytes_appendf(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(bytes_room(bytes, 1024), 1024, format, arguments);
    va_end(arguments);
    if (size < 0 || size >= 1024)
        abort(); /* nothing we write is that long */
    bytes->size += (size_t)size;
}

void bytes_take(struct bytes *bytes, size_t size)
{
    bytes->size -= size;
    memmove(bytes->data, bytes->data + size, bytes->size);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof(*bytes));
}
