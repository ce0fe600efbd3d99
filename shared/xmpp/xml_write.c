#include "xmpp/xml.h"

/* Line ends in an attribute's value, and carriage returns anywhere, would not
 * survive parsing unescaped (XML 1.0 2.11, 3.3.3). */
enum escape_class { ESCAPE_ALWAYS = 1, ESCAPE_IN_ATTRIBUTE = 2 };

static const unsigned char classes[256] = {
    ['&'] = ESCAPE_ALWAYS,        ['<'] = ESCAPE_ALWAYS,
    ['>'] = ESCAPE_ALWAYS,        ['\''] = ESCAPE_ALWAYS,
    ['"'] = ESCAPE_ALWAYS,        ['\r'] = ESCAPE_ALWAYS,
    ['\n'] = ESCAPE_IN_ATTRIBUTE, ['\t'] = ESCAPE_IN_ATTRIBUTE,
};

static struct slice reference(char byte)
{
    switch (byte) {
    case '&':
        return SLICE("&amp;");
    case '<':
        return SLICE("&lt;");
    case '>':
        return SLICE("&gt;");
    case '\'':
        return SLICE("&apos;");
    case '"':
        return SLICE("&quot;");
    case '\r':
        return SLICE("&#13;");
    case '\n':
        return SLICE("&#10;");
    default:
        return SLICE("&#9;");
    }
}

static void escape(struct buffer *out, struct slice text, unsigned mask)
{
    size_t begin = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (!(classes[(unsigned char)text.data[i]] & mask))
            continue;
        buffer_append(out, (struct slice){text.data + begin, i - begin});
        buffer_append(out, reference(text.data[i]));
        begin = i + 1;
    }
    buffer_append(out, (struct slice){text.data + begin, text.size - begin});
}

void xml_escape(struct buffer *out, struct slice text)
{
    if (text.size > 0)
        escape(out, text, ESCAPE_ALWAYS);
}

void xml_write_attribute(struct buffer *out, const char *name,
                         struct slice value)
{
    if (!slice_is_set(value))
        return;
    buffer_append_byte(out, ' ');
    buffer_append_text(out, name);
    buffer_append(out, SLICE("='"));
    escape(out, value, ESCAPE_ALWAYS | ESCAPE_IN_ATTRIBUTE);
    buffer_append_byte(out, '\'');
}
