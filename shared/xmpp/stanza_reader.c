#include "stanza_reader.h"

#include "xmpp/framing.h"
#include "xmpp/namespaces.h"

#include <stdlib.h>

/* One attribute as libxml2 hands it to startElementNs. */
struct sax_attribute {
    const xmlChar *name, *prefix, *ns, *begin, *end;
};

/* And one namespace declaration. */
struct sax_namespace {
    const xmlChar *prefix, *uri;
};

static struct slice text_of(const xmlChar *text)
{
    return slice_of((const char *)text);
}

static void fail(struct stanza_parser *parser, enum stream_error error)
{
    if (parser->error == STREAM_ERROR_NONE)
        parser->error = error;
}

static struct slice copy_value(struct stanza_parser *parser,
                               const struct sax_attribute *attribute)
{
    const char *begin = (const char *)attribute->begin;

    return arena_copy(
        &parser->values,
        (struct slice){begin, (size_t)(attribute->end - attribute->begin)});
}

/* Only xml:lang counts with a prefix: "x:id" is not the stanza's id. */
static struct slice attribute_name(const struct sax_attribute *attribute)
{
    if (!attribute->prefix)
        return text_of(attribute->name);
    if (slice_is(text_of(attribute->name), "lang") &&
        slice_is(text_of(attribute->prefix), "xml"))
        return SLICE("xml:lang");
    return SLICE_NONE;
}

static struct slice *stanza_field(struct stanza *stanza, struct slice name)
{
    if (slice_is(name, "type"))
        return &stanza->type;
    if (slice_is(name, "id"))
        return &stanza->id;
    if (slice_is(name, "to"))
        return &stanza->to;
    if (slice_is(name, "from"))
        return &stanza->from;
    return slice_is(name, "xml:lang") ? &stanza->lang : NULL;
}

static struct slice *header_field(struct stream_header *header,
                                  struct slice name)
{
    if (slice_is(name, "to"))
        return &header->to;
    if (slice_is(name, "from"))
        return &header->from;
    if (slice_is(name, "version"))
        return &header->version;
    if (slice_is(name, "id"))
        return &header->id;
    return slice_is(name, "xml:lang") ? &header->lang : NULL;
}

static void read_attributes(struct stanza_parser *parser,
                            const struct sax_attribute *attributes,
                            size_t count)
{
    struct slice name, *field;

    for (size_t i = 0; i < count; i++) {
        name = attribute_name(&attributes[i]);
        field = parser->header ? header_field(parser->header, name)
                               : stanza_field(parser->stanza, name);
        if (field)
            *field = copy_value(parser, &attributes[i]);
    }
}

/* SLICE_NONE when the element itself does not declare it. */
static struct slice find_namespace(const struct sax_namespace *namespaces,
                                   size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix ? slice_is(text_of(namespaces[i].prefix), prefix)
                   : !namespaces[i].prefix)
            return text_of(namespaces[i].uri);
    }
    return SLICE_NONE;
}

/* RFC 6120 4.8.1, 4.8.2, 4.8.5: the header must bind both namespaces itself,
 * and we take the prefix "stream" only. */
static enum stream_error check_header(struct slice name, struct slice prefix,
                                      const struct sax_namespace *namespaces,
                                      size_t count)
{
    struct slice streams = find_namespace(namespaces, count, "stream");

    if (!slice_is(name, "stream"))
        return STREAM_ERROR_BAD_FORMAT;
    if (!slice_is(prefix, "stream") || !slice_is_set(streams))
        return STREAM_ERROR_BAD_NAMESPACE_PREFIX;
    if (!slice_is(streams, NS_STREAMS) ||
        !slice_is(find_namespace(namespaces, count, NULL), NS_CLIENT))
        return STREAM_ERROR_INVALID_NAMESPACE;
    return STREAM_ERROR_NONE;
}

static void begin_stanza(struct stanza_parser *parser, const xmlChar *name,
                         const xmlChar *prefix, const xmlChar *ns)
{
    struct stanza *stanza = parser->stanza;

    stanza->name = text_of(name);
    stanza->ns = text_of(ns);
    stanza->kind = slice_is(stanza->ns, NS_CLIENT)
                       ? stanza_kind_of(stanza->name)
                       : STANZA_OTHER;
    /* RFC 6120 4.8.5; a prefix would not survive stanza_write either. */
    if (prefix && stanza->kind != STANZA_OTHER)
        fail(parser, STREAM_ERROR_BAD_NAMESPACE_PREFIX);
}

static void begin_child(struct stanza_parser *parser, struct slice name,
                        struct slice ns)
{
    struct stanza *stanza = parser->stanza;
    bool is_client = slice_is(ns, NS_CLIENT);

    if (stanza->child_count++ == 0) {
        stanza->child_name = name;
        stanza->child_ns = ns;
    }
    if (stanza->kind == STANZA_MESSAGE) {
        if (is_client && slice_is(name, "body"))
            stanza->has_body = true;
        if (slice_is(ns, NS_CHAT_STATES))
            stanza->is_chat_state_only = true;
        else if (!is_client || !slice_is(name, "thread")) /* XEP-0085 5.4 */
            parser->has_other_than_chat_state = true;
    }
    parser->is_in_priority = stanza->kind == STANZA_PRESENCE && is_client &&
                             slice_is(name, "priority") &&
                             parser->priority.size == 0;
}

static void begin_root(struct stanza_parser *parser, const xmlChar *name,
                       const xmlChar *prefix, const xmlChar *ns,
                       const struct sax_namespace *namespaces, size_t count)
{
    parser->roots++;
    if (parser->phase == PHASE_HEADER) {
        fail(parser,
             check_header(text_of(name), text_of(prefix), namespaces, count));
        parser->header->ns = SLICE(NS_CLIENT);
    } else {
        begin_stanza(parser, name, prefix, ns);
    }
}

/* NOLINTNEXTLINE(readability-function-size): libxml2 says so */
static void on_element_begin(void *user_data, const xmlChar *name,
                             const xmlChar *prefix, const xmlChar *ns,
                             int namespace_count, const xmlChar **namespaces,
                             int attribute_count, int defaulted_count,
                             const xmlChar **attributes)
{
    struct stanza_parser *parser = user_data;

    (void)defaulted_count;
    if (parser->phase == PHASE_QUIET)
        return;
    if (++parser->depth > FRAMING_DEPTH_MAX)
        fail(parser, STREAM_ERROR_POLICY_VIOLATION);
    if (parser->depth == 1) {
        begin_root(parser, name, prefix, ns, (const void *)namespaces,
                   (size_t)namespace_count);
        read_attributes(parser, (const void *)attributes,
                        (size_t)attribute_count);
    } else if (parser->depth == 2 && parser->phase == PHASE_STANZA) {
        begin_child(parser, text_of(name), text_of(ns));
    }
}

static void on_element_end(void *user_data, const xmlChar *name,
                           const xmlChar *prefix, const xmlChar *ns)
{
    struct stanza_parser *parser = user_data;

    (void)name;
    (void)prefix;
    (void)ns;
    if (parser->phase == PHASE_QUIET)
        return;
    parser->is_in_priority = false;
    if (parser->depth == 0)
        fail(parser, STREAM_ERROR_NOT_WELL_FORMED);
    else
        parser->depth--;
}

static void on_text(void *user_data, const xmlChar *text, int size)
{
    struct stanza_parser *parser = user_data;
    struct slice bytes = {(const char *)text, (size_t)size};

    if (parser->phase == PHASE_QUIET)
        return;
    if (parser->depth == 0)
        fail(parser, STREAM_ERROR_BAD_FORMAT);
    else if (parser->depth == 1)
        buffer_append(&parser->text, bytes);
    else if (parser->depth == 2 && parser->is_in_priority)
        buffer_append(&parser->priority, bytes);
}

/* RFC 6120 11.1; framing refuses these before us. */
static void on_comment(void *user_data, const xmlChar *text)
{
    (void)text;
    fail(user_data, STREAM_ERROR_RESTRICTED_XML);
}

static void on_instruction(void *user_data, const xmlChar *target,
                           const xmlChar *data)
{
    (void)target;
    (void)data;
    fail(user_data, STREAM_ERROR_RESTRICTED_XML);
}

/* RFC 6120 4.9.3.13: what violates XML or XML-NAMES, which includes
 * characters outside XML 1.0 2.2, is not well-formed; an undeclared prefix and
 * entities have conditions of their own. */
static enum stream_error error_of(int code)
{
    switch (code) {
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
        return STREAM_ERROR_BAD_NAMESPACE_PREFIX;
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        return STREAM_ERROR_RESTRICTED_XML;
    default:
        return STREAM_ERROR_NOT_WELL_FORMED;
    }
}

static void on_error(void *user_data, xmlError *error)
{
    /* Namespace names are compared, never resolved: any text will do. */
    if (error->level >= XML_ERR_ERROR && error->code != XML_WAR_NS_URI)
        fail(user_data, error_of(error->code));
}

void stanza_reader_init(xmlSAXHandler *handler)
{
    *handler = (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_element_begin,
        .endElementNs = on_element_end,
        .characters = on_text,
        .cdataBlock = on_text,
        .comment = on_comment,
        .processingInstruction = on_instruction,
        .serror = on_error,
    };
}

/* RFC 6121 4.7.2.3: an integer from -128 to +127; else as if not given. */
static int read_priority(const struct buffer *text)
{
    char *end;
    long value;

    if (text->size == 0)
        return 0;
    value = strtol(text->data, &end, 10);
    end += strspn(end, " \t\r\n");
    if (end == text->data || *end != '\0' || value < -128 || value > 127)
        return 0;
    return (int)value;
}

void stanza_reader_finish(struct stanza_parser *parser)
{
    struct stanza *stanza = parser->stanza;

    stanza->text = buffer_slice(&parser->text);
    stanza->priority = read_priority(&parser->priority);
    if (parser->has_other_than_chat_state)
        stanza->is_chat_state_only = false;
}
