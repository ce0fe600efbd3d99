#include "xmpp/tag.h"

bool tag_is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static bool ends_name(char byte)
{
    return tag_is_space(byte) || byte == '=' || byte == '>' || byte == '/' ||
           byte == '?';
}

static struct slice drop(struct slice bytes, size_t size)
{
    if (size > 0) { /* SLICE_NONE points nowhere */
        bytes.data += size;
        bytes.size -= size;
    }
    return bytes;
}

static struct slice drop_spaces(struct slice bytes)
{
    size_t size = 0;

    while (size < bytes.size && tag_is_space(bytes.data[size]))
        size++;
    return drop(bytes, size);
}

static size_t name_size(struct slice bytes)
{
    size_t size = 0;

    while (size < bytes.size && !ends_name(bytes.data[size]))
        size++;
    return size;
}

struct slice tag_after_name(struct slice bytes)
{
    return drop(bytes, name_size(bytes));
}

bool tag_next_attribute(struct slice *rest, struct tag_attribute *out)
{
    struct slice at;
    const char *end;

    *rest = drop_spaces(*rest);
    out->name = (struct slice){rest->data, name_size(*rest)};
    at = drop_spaces(drop(*rest, out->name.size));
    if (out->name.size == 0 || at.size == 0 || at.data[0] != '=')
        return false;
    at = drop_spaces(drop(at, 1));
    if (at.size == 0 || (at.data[0] != '\'' && at.data[0] != '"'))
        return false;
    end = memchr(at.data + 1, at.data[0], at.size - 1);
    if (!end)
        return false;
    out->value = (struct slice){at.data + 1, (size_t)(end - at.data) - 1};
    out->raw = (struct slice){rest->data, (size_t)(end - rest->data) + 1};
    *rest = drop(*rest, out->raw.size);
    return true;
}
