/*
 * A growable run of bytes, always followed by a NUL that is not counted.
 * The owner calls buffer_deinit; an empty buffer holds no memory.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
};

#define BUFFER_EMPTY ((struct buffer){NULL, 0, 0})

void buffer_append(struct buffer *buffer, struct slice bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_appendf(struct buffer *buffer, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* Room for `size` more bytes; returns where to write them.  The caller then
 * adds what it wrote to buffer->size. */
char *buffer_reserve(struct buffer *buffer, size_t size);
/* Drops the first `size` bytes. */
void buffer_consume(struct buffer *buffer, size_t size);
/* Empties; keeps the memory. */
void buffer_clear(struct buffer *buffer);
/* Empties and frees. */
void buffer_deinit(struct buffer *buffer);
struct slice buffer_slice(const struct buffer *buffer);

#endif
