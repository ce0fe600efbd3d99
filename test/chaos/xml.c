#include "xml.h"

#include <stdio.h>
#include <string.h>

static const char *find(const char *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text));
}

/* The length of the tag at `data`, or 0 when its end is not there. */
static size_t tag_length(const char *data, size_t size)
{
    char quote = 0;

    for (size_t i = 1; i < size; i++) {
        if (quote) {
            if (data[i] == quote)
                quote = 0;
        } else if (data[i] == '"' || data[i] == '\'') {
            quote = data[i];
        } else if (data[i] == '>') {
            return i + 1;
        }
    }
    return 0;
}

static enum xml_kind next_element(const char *data, size_t size,
                                  size_t *length_out)
{
    size_t at = 0;
    int depth = 0;

    while (at < size) {
        const char *open = memchr(data + at, '<', size - at);
        size_t length;

        if (!open)
            return XML_MORE;
        at = (size_t)(open - data);
        length = tag_length(open, size - at);
        if (!length)
            return XML_MORE;
        if (open[1] == '/')
            depth--;
        else if (open[length - 2] != '/')
            depth++;
        at += length;
        if (!depth) {
            *length_out = at;
            return XML_ELEMENT;
        }
    }
    return XML_MORE;
}

static bool begins(const char *data, size_t size, const char *text)
{
    return size >= strlen(text) && !memcmp(data, text, strlen(text));
}

enum xml_kind xml_next(const char *data, size_t size, size_t *length_out)
{
    size_t spaces = 0;

    while (spaces < size && strchr(" \t\r\n", data[spaces]))
        spaces++;
    if (spaces) {
        *length_out = spaces;
        return XML_SPACE;
    }
    if (!size)
        return XML_MORE;
    if (data[0] != '<')
        return XML_BAD;
    *length_out = tag_length(data, size);
    if (!*length_out)
        return XML_MORE;
    if (data[1] == '?' || begins(data, size, "<stream:stream"))
        return XML_HEADER;
    if (begins(data, size, "</stream:stream"))
        return XML_END;
    if (data[1] == '/' || data[1] == '!')
        return XML_BAD;
    return next_element(data, size, length_out);
}

bool xml_is(const char *element, size_t size, const char *name)
{
    size_t length = strlen(name);

    return size > length + 1 && !memcmp(element + 1, name, length) &&
           strchr(" \t\r\n/>", element[1 + length]);
}

static bool copy(const char *from, const char *end, char *to, size_t size)
{
    size_t length = (size_t)(end - from);

    if (length >= size)
        return false;
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

bool xml_attribute(const char *element, size_t size, const char *name,
                   char *value_out, size_t value_size)
{
    size_t tag = tag_length(element, size);
    const char *end = element + tag;
    const char *at = element;
    size_t length = strlen(name);

    while ((at = find(at, (size_t)(end - at), name))) {
        const char *value = at + length + 2;
        const char *close;

        at += length;
        if (value >= end || at[-(long)length - 1] != ' ' || *at != '=')
            continue;
        close = memchr(value, at[1], (size_t)(end - value));
        return close && copy(value, close, value_out, value_size);
    }
    return false;
}

bool xml_contains(const char *element, size_t size, const char *text)
{
    return find(element, size, text);
}

bool xml_text_of(const char *element, size_t size, const char *name,
                 char *text_out, size_t text_size)
{
    const char *end = element + size;
    char open[64];
    const char *text;
    const char *close;

    snprintf(open, sizeof(open), "<%s>", name);
    text = find(element, size, open);
    if (!text)
        return false;
    text += strlen(open);
    close = memchr(text, '<', (size_t)(end - text));
    return close && copy(text, close, text_out, text_size);
}

bool xml_first_child(const char *element, size_t size, char *name_out,
                     size_t name_size)
{
    size_t tag = tag_length(element, size);
    const char *name = element + tag + 1;
    const char *end = name;

    if (tag >= size || element[tag] != '<' || *name == '/')
        return false;
    while (end < element + size && !strchr(" \t\r\n/>", *end))
        end++;
    return copy(name, end, name_out, name_size);
}
