#include "xmpp/stanza.h"

#include "base/log.h"
#include "xmpp/namespaces.h"
#include "xmpp/tag.h"
#include "xmpp/utf8.h"

#include "stanza_reader.h"

#include <limits.h>

/*
 * Stanzas are parsed as children of one never-ending synthetic stream, so that
 * a stanza costs neither a context nor a reset.  What libxml2 keeps for each
 * document (names it has seen, positions) is bounded by starting a new stream.
 */
#define STREAM_BEGIN                                                           \
    "<stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAMS "'>"
#define STREAM_END "</stream:stream>"

enum {
    NAMES_BYTES_MAX = 256 * 1024,
    STREAM_BYTES_MAX = 64 * 1024 * 1024,
};

struct stanza_parser *stanza_parser_create(void)
{
    struct stanza_parser *parser = memory_new(sizeof(*parser));

    arena_init(&parser->values);
    return parser;
}

static void end_stream(struct stanza_parser *parser)
{
    xmlFreeParserCtxt(parser->context);
    parser->context = NULL;
}

void stanza_parser_destroy(struct stanza_parser **parser)
{
    if (!*parser)
        return;
    end_stream(*parser);
    arena_deinit(&(*parser)->values);
    buffer_deinit(&(*parser)->text);
    buffer_deinit(&(*parser)->extra);
    buffer_deinit(&(*parser)->priority);
    memory_free(parser);
}

static bool is_consumed(const xmlParserCtxt *context)
{
    return context->input->cur == context->input->end;
}

/* What libxml2 leaves in its buffer is an unfinished token. */
static void feed(struct stanza_parser *parser, enum phase phase,
                 struct slice bytes)
{
    if (parser->error != STREAM_ERROR_NONE)
        return;
    BUG_ON(bytes.size > INT_MAX);
    parser->phase = phase;
    parser->fed += bytes.size;
    xmlParseChunk(parser->context, bytes.data, (int)bytes.size, 0);
    if (parser->error == STREAM_ERROR_NONE && !is_consumed(parser->context))
        parser->error = STREAM_ERROR_NOT_WELL_FORMED;
}

static void begin_stream(struct stanza_parser *parser)
{
    xmlSAXHandler handler;

    stanza_reader_init(&handler);
    parser->context = xmlCreatePushParserCtxt(&handler, parser, NULL, 0, NULL);
    BUG_ON(!parser->context);
    /* NOENT: else "&amp;" in a value comes as "&#38;"; there are no others. */
    xmlCtxtUseOptions(parser->context, XML_PARSE_NONET | XML_PARSE_NOENT);
    parser->fed = 0;
    feed(parser, PHASE_QUIET, SLICE(STREAM_BEGIN));
    BUG_ON(parser->error != STREAM_ERROR_NONE);
}

static void begin(struct stanza_parser *parser, struct stanza *stanza,
                  struct stream_header *header)
{
    parser->error = STREAM_ERROR_NONE;
    parser->depth = 0;
    parser->roots = 0;
    parser->stanza = stanza;
    parser->header = header;
    parser->is_in_priority = false;
    parser->has_other_than_chat_state = false;
    arena_reset(&parser->values);
    buffer_clear(&parser->text);
    buffer_clear(&parser->extra);
    buffer_clear(&parser->priority);
    if (parser->context &&
        (parser->fed > STREAM_BYTES_MAX ||
         xmlDictGetUsage(parser->context->dict) > NAMES_BYTES_MAX))
        end_stream(parser);
    if (!parser->context)
        begin_stream(parser);
}

/* The names in a result belong to the context: it may go only on failure. */
static enum stream_error end(struct stanza_parser *parser)
{
    if (parser->error != STREAM_ERROR_NONE)
        end_stream(parser);
    parser->stanza = NULL;
    parser->header = NULL;
    return parser->error;
}

static bool is_taken_apart(struct slice name)
{
    return slice_is(name, "type") || slice_is(name, "id") ||
           slice_is(name, "to") || slice_is(name, "from") ||
           slice_is(name, "xml:lang") || slice_is(name, "xmlns");
}

static void append_raw(struct buffer *out, struct slice attribute)
{
    buffer_append_byte(out, ' ');
    buffer_append(out, attribute);
}

static bool has_attribute(struct slice attributes, struct slice name)
{
    struct tag_attribute attribute;

    while (tag_next_attribute(&attributes, &attribute)) {
        if (slice_equal(attribute.name, name))
            return true;
    }
    return false;
}

/* The prefixes of the stream header, unless the stanza declares them anew. */
static void append_declarations(struct buffer *extra, struct slice declarations)
{
    struct tag_attribute attribute;
    struct slice rest = declarations;

    while (tag_next_attribute(&rest, &attribute)) {
        if (!has_attribute(buffer_slice(extra), attribute.name))
            append_raw(extra, attribute.raw);
    }
}

/* Finds the payload and the attributes libxml2 has not kept as written. */
static void cut(struct stanza_parser *parser, struct slice bytes,
                struct slice declarations)
{
    struct slice rest =
        tag_after_name((struct slice){bytes.data + 1, bytes.size - 1});
    struct stanza *stanza = parser->stanza;
    struct tag_attribute attribute;
    const char *end_tag;

    while (tag_next_attribute(&rest, &attribute)) {
        if (!is_taken_apart(attribute.name))
            append_raw(&parser->extra, attribute.raw);
    }
    append_declarations(&parser->extra, declarations);
    if (parser->extra.size > 0)
        stanza->extra = buffer_slice(&parser->extra);
    BUG_ON(rest.size == 0 || (rest.data[0] != '>' && rest.data[0] != '/'));
    stanza->payload = (struct slice){rest.data + rest.size, 0};
    if (rest.data[0] == '/')
        return;
    end_tag = memrchr(rest.data, '<', rest.size);
    stanza->payload =
        (struct slice){rest.data + 1, (size_t)(end_tag - rest.data) - 1};
}

static void feed_inside(struct stanza_parser *parser, struct slice bytes,
                        struct slice declarations)
{
    struct buffer wrapper = BUFFER_EMPTY;

    if (declarations.size == 0) {
        feed(parser, PHASE_STANZA, bytes);
        return;
    }
    buffer_append(&wrapper, SLICE("<declarations"));
    buffer_append(&wrapper, declarations);
    buffer_append_byte(&wrapper, '>');
    feed(parser, PHASE_QUIET, buffer_slice(&wrapper));
    buffer_deinit(&wrapper);
    feed(parser, PHASE_STANZA, bytes);
    feed(parser, PHASE_QUIET, SLICE("</declarations>"));
}

/* RFC 6120 4.9.3.22: so is named what breaks the rules of UTF-8. */
static bool check_encoding(struct stanza_parser *parser, struct slice bytes)
{
    if (utf8_is_valid(bytes))
        return true;
    parser->error = STREAM_ERROR_UNSUPPORTED_ENCODING;
    return false;
}

enum stream_error stanza_parse(struct stanza_parser *parser, struct slice bytes,
                               struct slice declarations,
                               struct stanza *stanza_out)
{
    *stanza_out = (struct stanza){.kind = STANZA_OTHER};
    begin(parser, stanza_out, NULL);
    if (!check_encoding(parser, bytes))
        return end(parser);
    feed_inside(parser, bytes, declarations);
    if (parser->error == STREAM_ERROR_NONE &&
        (parser->depth != 0 || parser->roots != 1))
        parser->error = STREAM_ERROR_NOT_WELL_FORMED;
    if (parser->error == STREAM_ERROR_NONE) {
        stanza_reader_finish(parser);
        cut(parser, bytes, declarations);
    }
    return end(parser);
}

/* The XML declaration has been judged by framing. */
static struct slice skip_declaration(struct slice bytes)
{
    const char *begin = NULL;

    if (slice_starts_with(bytes, "<?xml"))
        begin = memmem(bytes.data, bytes.size, "?>", 2);
    if (!begin)
        return bytes;
    begin += 2;
    while (begin < bytes.data + bytes.size && tag_is_space(*begin))
        begin++;
    return (struct slice){begin, (size_t)(bytes.data + bytes.size - begin)};
}

static void collect_declarations(struct stanza_parser *parser,
                                 struct slice bytes)
{
    struct slice rest =
        tag_after_name((struct slice){bytes.data + 1, bytes.size - 1});
    struct tag_attribute attribute;

    while (tag_next_attribute(&rest, &attribute)) {
        if (slice_starts_with(attribute.name, "xmlns:") &&
            !slice_is(attribute.name, "xmlns:stream"))
            append_raw(&parser->extra, attribute.raw);
    }
    if (parser->extra.size > STREAM_DECLARATIONS_MAX)
        parser->error = STREAM_ERROR_POLICY_VIOLATION;
    else
        parser->header->declarations = buffer_slice(&parser->extra);
}

enum stream_error stanza_parse_header(struct stanza_parser *parser,
                                      struct slice bytes,
                                      struct stream_header *header_out)
{
    struct slice tag = skip_declaration(bytes);

    *header_out = (struct stream_header){.ns = SLICE_NONE};
    begin(parser, NULL, header_out);
    if (!check_encoding(parser, bytes))
        return end(parser);
    feed(parser, PHASE_HEADER, tag);
    if (parser->error == STREAM_ERROR_NONE &&
        (parser->depth != 1 || parser->roots != 1))
        parser->error = STREAM_ERROR_BAD_FORMAT;
    feed(parser, PHASE_QUIET, SLICE(STREAM_END));
    if (parser->error == STREAM_ERROR_NONE)
        collect_declarations(parser, tag);
    return end(parser);
}
