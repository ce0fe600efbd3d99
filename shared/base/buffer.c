#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 64 };

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t needed = buffer->size + size + 1;
    size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;

    BUG_ON(needed < size);
    if (needed > buffer->capacity) {
        while (capacity < needed)
            capacity *= 2;
        buffer->data = memory_resize(buffer->data, capacity);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, struct slice bytes)
{
    char *end = buffer_reserve(buffer, bytes.size);

    if (bytes.size)
        memcpy(end, bytes.data, bytes.size);
    buffer->size += bytes.size;
    buffer->data[buffer->size] = '\0';
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, slice_of(text));
}

void buffer_append_byte(struct buffer *buffer, char byte)
{
    buffer_append(buffer, (struct slice){&byte, 1});
}

void buffer_appendf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    BUG_ON(size < 0);
    va_start(arguments, format);
    vsnprintf(buffer_reserve(buffer, (size_t)size), (size_t)size + 1, format,
              arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    BUG_ON(size > buffer->size);
    if (!size)
        return;
    buffer->size -= size;
    memmove(buffer->data, buffer->data + size, buffer->size + 1);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_deinit(struct buffer *buffer)
{
    memory_free(&buffer->data);
    buffer->size = 0;
    buffer->capacity = 0;
}

struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data ? buffer->data : "", buffer->size};
}
