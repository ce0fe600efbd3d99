#include "xmpp/framing.h"

#include "base/compiler.h"
#include "base/log.h"
#include "xmpp/tag.h"

#include <strings.h>

enum state {
    STATE_START,       /* nothing of the unit seen */
    STATE_DECLARATION, /* in <?xml ...?> */
    STATE_PROLOG,      /* between the declaration and the stream header */
    STATE_LESS,        /* after '<' */
    STATE_BANG,        /* after "<!" */
    STATE_TAG,         /* in an opening tag, not in a value */
    STATE_VALUE,
    STATE_SLASH, /* after '/' in an opening tag */
    STATE_END_TAG,
    STATE_STREAM_END, /* in </stream:stream> */
    STATE_CONTENT,
    STATE_ENTITY,
    STATE_CDATA_BEGIN, /* in "<![CDATA[" */
    STATE_CDATA,
    STATE_COUNT,
};

enum byte_class {
    CLASS_LESS = 1,
    CLASS_GREATER = 2,
    CLASS_AMPERSAND = 4,
    CLASS_QUOTE = 8,
    CLASS_SLASH = 16,
};

static const uint8_t classes[256] = {
    ['<'] = CLASS_LESS,   ['>'] = CLASS_GREATER, ['&'] = CLASS_AMPERSAND,
    ['\''] = CLASS_QUOTE, ['"'] = CLASS_QUOTE,   ['/'] = CLASS_SLASH,
};

/* What a state stops at; a state that is not listed looks at every byte. */
static const uint8_t stops[STATE_COUNT] = {
    [STATE_DECLARATION] = CLASS_GREATER,
    [STATE_TAG] = CLASS_QUOTE | CLASS_SLASH | CLASS_GREATER | CLASS_LESS,
    [STATE_VALUE] = CLASS_QUOTE | CLASS_LESS | CLASS_AMPERSAND,
    [STATE_END_TAG] = CLASS_GREATER | CLASS_LESS,
    [STATE_CONTENT] = CLASS_LESS | CLASS_AMPERSAND,
    [STATE_CDATA] = CLASS_GREATER,
};

struct verdict {
    enum framing_unit unit;
    enum stream_error error;
};

/* Judges the byte at `at` of the unit under way. */
typedef struct verdict (*judge_fn)(struct framing *framing, const char *unit,
                                   size_t at);

static struct verdict refuse(enum stream_error error)
{
    return (struct verdict){FRAMING_ERROR, error};
}

static struct verdict enter(struct framing *framing, enum state state)
{
    framing->state = (uint8_t)state;
    return (struct verdict){FRAMING_NEED_MORE, STREAM_ERROR_NONE};
}

static struct verdict stay(void)
{
    return (struct verdict){FRAMING_NEED_MORE, STREAM_ERROR_NONE};
}

static struct verdict finish(struct framing *framing, enum framing_unit unit)
{
    framing->state = STATE_START;
    return (struct verdict){unit, STREAM_ERROR_NONE};
}

/* Names are the parser's to check; this keeps "< a" and "<3" out. */
static bool starts_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_' || byte == ':' || (unsigned char)byte >= 0x80;
}

/* Text beside the stanzas is well-formed XML that cannot be processed
 * (RFC 6120 4.9.3.1); beside the root element it is not even that. */
static struct verdict judge_start(struct framing *framing, const char *unit,
                                  size_t at)
{
    if (unit[at] == '<')
        return enter(framing, STATE_LESS);
    return refuse(framing->is_open ? STREAM_ERROR_BAD_FORMAT
                                   : STREAM_ERROR_NOT_WELL_FORMED);
}

static struct verdict judge_prolog(struct framing *framing, const char *unit,
                                   size_t at)
{
    if (tag_is_space(unit[at]))
        return stay();
    return judge_start(framing, unit, at);
}

/* RFC 6120 11.4 to 11.6; `text` is what stands between "<?xml" and "?>". */
static enum stream_error check_declaration(struct slice text)
{
    struct tag_attribute attribute;
    bool has_version = false;

    if (text.size > 0 && !tag_is_space(text.data[0]))
        return STREAM_ERROR_RESTRICTED_XML; /* <?xmlish ...?> */
    while (tag_next_attribute(&text, &attribute)) {
        if (slice_is(attribute.name, "version"))
            has_version = slice_is(attribute.value, "1.0");
        else if (has_version && slice_is(attribute.name, "standalone"))
            continue;
        else if (!has_version || !slice_is(attribute.name, "encoding"))
            return STREAM_ERROR_NOT_WELL_FORMED;
        else if (attribute.value.size != strlen("UTF-8") ||
                 strncasecmp(attribute.value.data, "UTF-8",
                             attribute.value.size) != 0)
            return STREAM_ERROR_UNSUPPORTED_ENCODING;
    }
    return has_version && text.size == 0 ? STREAM_ERROR_NONE
                                         : STREAM_ERROR_NOT_WELL_FORMED;
}

static struct verdict judge_declaration(struct framing *framing,
                                        const char *unit, size_t at)
{
    static const char begin[] = "<?xml", end[] = "?>";
    enum stream_error error;

    if (unit[at - 1] != '?' || at < strlen("<?") + 1)
        return stay();
    if (at + 1 < strlen(begin) + strlen(end) ||
        memcmp(unit, begin, strlen(begin)) != 0)
        return refuse(STREAM_ERROR_RESTRICTED_XML);
    error = check_declaration((struct slice){
        unit + strlen(begin), at + 1 - strlen(begin) - strlen(end)});
    if (error != STREAM_ERROR_NONE)
        return refuse(error);
    return enter(framing, STATE_PROLOG);
}

/* RFC 6120 11.1 forbids comments, DTDs and processing instructions. */
static struct verdict judge_bang(struct framing *framing, const char *unit,
                                 size_t at)
{
    if (unit[at] == '-' || unit[at] == 'D')
        return refuse(STREAM_ERROR_RESTRICTED_XML);
    if (unit[at] != '[')
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    if (framing->depth == 0)
        return refuse(framing->is_open ? STREAM_ERROR_BAD_FORMAT
                                       : STREAM_ERROR_NOT_WELL_FORMED);
    framing->mark = (uint32_t)(at - 2);
    return enter(framing, STATE_CDATA_BEGIN);
}

static struct verdict judge_less(struct framing *framing, const char *unit,
                                 size_t at)
{
    switch (unit[at]) {
    case '?':
        if (framing->is_open || at != 1)
            return refuse(STREAM_ERROR_RESTRICTED_XML);
        return enter(framing, STATE_DECLARATION);
    case '!':
        return enter(framing, STATE_BANG);
    case '/':
        if (framing->depth > 0)
            return enter(framing, STATE_END_TAG);
        if (framing->is_open)
            return enter(framing, STATE_STREAM_END);
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    default:
        if (!starts_name(unit[at]))
            return refuse(STREAM_ERROR_NOT_WELL_FORMED);
        framing->attributes = 0;
        return enter(framing, STATE_TAG);
    }
}

static struct verdict leave_element(struct framing *framing)
{
    if (framing->depth == 0)
        return finish(framing, FRAMING_ELEMENT);
    return enter(framing, STATE_CONTENT);
}

static struct verdict enter_element(struct framing *framing)
{
    if (!framing->is_open) {
        framing->is_open = true;
        return finish(framing, FRAMING_STREAM_OPEN);
    }
    if (framing->depth == FRAMING_DEPTH_MAX)
        return refuse(STREAM_ERROR_POLICY_VIOLATION);
    framing->depth++;
    return enter(framing, STATE_CONTENT);
}

static struct verdict judge_tag(struct framing *framing, const char *unit,
                                size_t at)
{
    switch (unit[at]) {
    case '>':
        return enter_element(framing);
    case '/':
        return enter(framing, STATE_SLASH);
    case '<':
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    default:
        if (framing->attributes == FRAMING_ATTRIBUTES_MAX)
            return refuse(STREAM_ERROR_POLICY_VIOLATION);
        framing->attributes++;
        framing->quote = (uint8_t)unit[at];
        return enter(framing, STATE_VALUE);
    }
}

static struct verdict judge_slash(struct framing *framing, const char *unit,
                                  size_t at)
{
    if (unit[at] != '>')
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    if (!framing->is_open) /* a stream that ends as it begins */
        return refuse(STREAM_ERROR_BAD_FORMAT);
    if (framing->depth == FRAMING_DEPTH_MAX)
        return refuse(STREAM_ERROR_POLICY_VIOLATION);
    return leave_element(framing);
}

static struct verdict judge_value(struct framing *framing, const char *unit,
                                  size_t at)
{
    if (unit[at] == '<')
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    if (unit[at] == '&') {
        framing->mark = (uint32_t)at;
        return enter(framing, STATE_ENTITY);
    }
    if ((uint8_t)unit[at] != framing->quote)
        return stay();
    framing->quote = 0;
    return enter(framing, STATE_TAG);
}

static struct verdict judge_end_tag(struct framing *framing, const char *unit,
                                    size_t at)
{
    if (unit[at] == '<')
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    framing->depth--;
    return leave_element(framing);
}

static struct verdict judge_stream_end(struct framing *framing,
                                       const char *unit, size_t at)
{
    static const char expected[] = "</stream:stream";

    if (at < strlen(expected) ? unit[at] == expected[at]
                              : tag_is_space(unit[at]))
        return stay();
    if (at < strlen(expected) || unit[at] != '>')
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    return finish(framing, FRAMING_STREAM_CLOSE);
}

static struct verdict judge_content(struct framing *framing, const char *unit,
                                    size_t at)
{
    if (unit[at] == '<')
        return enter(framing, STATE_LESS);
    framing->mark = (uint32_t)at;
    return enter(framing, STATE_ENTITY);
}

static bool is_in_reference(char byte)
{
    return starts_name(byte) || (byte >= '0' && byte <= '9') || byte == '#' ||
           byte == '.' || byte == '-';
}

/* XML 1.0 4.6; of character references the parser judges the number. */
static bool is_allowed_reference(struct slice name)
{
    return slice_is(name, "amp") || slice_is(name, "lt") ||
           slice_is(name, "gt") || slice_is(name, "apos") ||
           slice_is(name, "quot") || slice_starts_with(name, "#");
}

static struct verdict judge_entity(struct framing *framing, const char *unit,
                                   size_t at)
{
    size_t begin = framing->mark + 1;
    bool is_empty = at == begin;

    if (is_in_reference(unit[at]))
        return stay();
    if (unit[at] != ';' || is_empty)
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    if (!is_allowed_reference((struct slice){unit + begin, at - begin}))
        return refuse(STREAM_ERROR_RESTRICTED_XML);
    return enter(framing, framing->quote ? STATE_VALUE : STATE_CONTENT);
}

static struct verdict judge_cdata_begin(struct framing *framing,
                                        const char *unit, size_t at)
{
    static const char expected[] = "<![CDATA[";
    size_t offset = at - framing->mark;

    if (unit[at] != expected[offset])
        return refuse(STREAM_ERROR_NOT_WELL_FORMED);
    if (offset + 1 < strlen(expected))
        return stay();
    framing->mark = (uint32_t)at + 1;
    return enter(framing, STATE_CDATA);
}

static struct verdict judge_cdata(struct framing *framing, const char *unit,
                                  size_t at)
{
    if (at < framing->mark + 2 || unit[at - 1] != ']' || unit[at - 2] != ']')
        return stay();
    return enter(framing, STATE_CONTENT);
}

static const judge_fn judges[STATE_COUNT] = {
    [STATE_START] = judge_start,
    [STATE_DECLARATION] = judge_declaration,
    [STATE_PROLOG] = judge_prolog,
    [STATE_LESS] = judge_less,
    [STATE_BANG] = judge_bang,
    [STATE_TAG] = judge_tag,
    [STATE_VALUE] = judge_value,
    [STATE_SLASH] = judge_slash,
    [STATE_END_TAG] = judge_end_tag,
    [STATE_STREAM_END] = judge_stream_end,
    [STATE_CONTENT] = judge_content,
    [STATE_ENTITY] = judge_entity,
    [STATE_CDATA_BEGIN] = judge_cdata_begin,
    [STATE_CDATA] = judge_cdata,
};

/* Offset of the next byte from `at` that the state wants to see. */
static size_t skip(const struct framing *framing, const char *unit, size_t at,
                   size_t end)
{
    uint8_t stop = stops[framing->state];

    if (stop == 0)
        return at;
    while (at < end && !(classes[(uint8_t)unit[at]] & stop))
        at++;
    return at;
}

static size_t leading_space(struct slice bytes)
{
    size_t size = 0;

    while (size < bytes.size && tag_is_space(bytes.data[size]))
        size++;
    return size;
}

/* Scans [scanned, end); a verdict other than FRAMING_NEED_MORE ends it. */
static struct verdict scan(struct framing *framing, const char *unit,
                           size_t end)
{
    struct verdict verdict = {FRAMING_NEED_MORE, STREAM_ERROR_NONE};
    size_t at = framing->scanned;

    while (verdict.unit == FRAMING_NEED_MORE) {
        at = skip(framing, unit, at, end);
        if (at == end)
            break;
        verdict = judges[framing->state](framing, unit, at);
        at++;
    }
    framing->scanned = (uint32_t)at;
    return verdict;
}

void framing_init(struct framing *framing, uint32_t max_unit_bytes)
{
    *framing = (struct framing){.max_unit_bytes = max_unit_bytes};
}

enum framing_unit framing_next(struct framing *framing, struct slice bytes,
                               size_t *size_out, enum stream_error *error_out)
{
    size_t max = framing->max_unit_bytes;
    struct verdict verdict;

    BUG_ON(bytes.size < framing->scanned);
    *error_out = STREAM_ERROR_NONE;
    *size_out = framing->scanned == 0 ? leading_space(bytes) : 0;
    if (*size_out > 0)
        return FRAMING_WHITESPACE;
    verdict = scan(framing, bytes.data, bytes.size < max ? bytes.size : max);
    /* RFC 6120 4.9.3.14: a stanza larger than the server allows. */
    if (verdict.unit == FRAMING_NEED_MORE && framing->scanned >= max)
        verdict = refuse(STREAM_ERROR_POLICY_VIOLATION);
    *error_out = verdict.error;
    if (verdict.unit != FRAMING_NEED_MORE && verdict.unit != FRAMING_ERROR) {
        *size_out = framing->scanned;
        framing->scanned = 0;
    }
    return verdict.unit;
}
