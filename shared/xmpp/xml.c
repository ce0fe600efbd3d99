#include "xmpp/xml.h"

#include "base/log.h"
#include "xmpp/namespaces.h"
#include "xmpp/utf8.h"

#include <libxml/parser.h>

#include <limits.h>

enum { DEPTH_MAX = 64 };

/* The payload is read inside two synthetic elements: one binds the prefixes of
 * a client's stream, the inner one, which `extra` may bind anew, is the root of
 * the tree. */
#define STREAM_BEGIN                                                           \
    "<stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAMS "'><payload"
#define STREAM_END "</payload></stream>"

enum { ROOT_DEPTH = 2 };

struct open_element {
    struct xml_element *element;
    struct xml_element **next_child;
    struct buffer text;
};

struct builder {
    struct arena *arena;
    struct xml_element *root;
    unsigned depth;
    bool is_failed;
    struct open_element open[DEPTH_MAX + 1]; /* the root is the first */
};

static struct slice copy_text(struct builder *builder, const xmlChar *text)
{
    return text ? arena_copy(builder->arena, slice_of((const char *)text))
                : SLICE_NONE;
}

/* `sax` is libxml2's five pointers per attribute: name, prefix, namespace,
 * begin and end of the value. */
static struct xml_attribute *copy_attributes(struct builder *builder,
                                             const xmlChar **sax, int count)
{
    struct xml_attribute *first = NULL, **next = &first, *attribute;

    for (int i = 0; i < count; i++, sax += 5) {
        attribute = arena_alloc(builder->arena, sizeof(*attribute));
        attribute->name = copy_text(builder, sax[0]);
        attribute->value = arena_copy(
            builder->arena,
            (struct slice){(const char *)sax[3], (size_t)(sax[4] - sax[3])});
        attribute->next = NULL;
        *next = attribute;
        next = &attribute->next;
    }
    return first;
}

/* NULL outside the payload's root and after a failure. */
static struct open_element *innermost(struct builder *builder)
{
    if (builder->is_failed || builder->depth < ROOT_DEPTH)
        return NULL;
    return &builder->open[builder->depth - ROOT_DEPTH];
}

static void add_element(struct builder *builder, struct xml_element *element)
{
    struct open_element *parent = innermost(builder);
    struct open_element *self = &builder->open[builder->depth + 1 - ROOT_DEPTH];

    builder->depth++;
    self->element = element;
    self->next_child = &element->children;
    self->text.size = 0;
    if (!parent) {
        builder->root = element;
        return;
    }
    *parent->next_child = element;
    parent->next_child = &element->next;
}

/* NOLINTNEXTLINE(readability-function-size): libxml2 says so */
static void on_element_begin(void *user_data, const xmlChar *name,
                             const xmlChar *prefix, const xmlChar *ns,
                             int namespace_count, const xmlChar **namespaces,
                             int attribute_count, int defaulted_count,
                             const xmlChar **attributes)
{
    struct builder *builder = user_data;
    struct xml_element *element;

    (void)prefix;
    (void)namespace_count;
    (void)namespaces;
    (void)defaulted_count;
    if (builder->depth == 0) {
        builder->depth = 1;
        return;
    }
    if (builder->depth - 1 > DEPTH_MAX ||
        (builder->depth == 1 && builder->root))
        builder->is_failed = true;
    if (builder->is_failed)
        return;
    element = arena_alloc(builder->arena, sizeof(*element));
    *element = (struct xml_element){.name = SLICE(""), .text = SLICE("")};
    if (builder->depth >= ROOT_DEPTH) {
        element->name = copy_text(builder, name);
        element->ns = copy_text(builder, ns);
        element->attributes =
            copy_attributes(builder, attributes, attribute_count);
    }
    add_element(builder, element);
}

static void on_element_end(void *user_data, const xmlChar *name,
                           const xmlChar *prefix, const xmlChar *ns)
{
    struct builder *builder = user_data;
    struct open_element *self = innermost(builder);

    (void)name;
    (void)prefix;
    (void)ns;
    if (self && self->text.size > 0)
        self->element->text =
            arena_copy(builder->arena, buffer_slice(&self->text));
    builder->depth--;
}

static void on_text(void *user_data, const xmlChar *text, int size)
{
    struct open_element *self = innermost(user_data);

    if (self)
        buffer_append(&self->text,
                      (struct slice){(const char *)text, (size_t)size});
}

static void on_error(void *user_data, xmlError *error)
{
    struct builder *builder = user_data;

    if (error->level >= XML_ERR_ERROR && error->code != XML_WAR_NS_URI)
        builder->is_failed = true;
}

static void build(struct builder *builder, struct slice document)
{
    xmlSAXHandler handler = {
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_element_begin,
        .endElementNs = on_element_end,
        .characters = on_text,
        .cdataBlock = on_text,
        .serror = on_error,
    };

    xmlParserCtxt *context =
        xmlCreatePushParserCtxt(&handler, builder, NULL, 0, NULL);

    BUG_ON(!context || document.size > INT_MAX);
    /* NOENT: else "&amp;" in a value comes as "&#38;"; there are no others. */
    xmlCtxtUseOptions(context, XML_PARSE_NONET | XML_PARSE_NOENT);
    xmlParseChunk(context, document.data, (int)document.size, 1);
    xmlFreeParserCtxt(context);
    for (size_t i = 0; i < DEPTH_MAX + 1; i++)
        buffer_deinit(&builder->open[i].text);
}

struct xml_element *xml_parse(struct arena *arena, struct slice payload,
                              struct slice extra)
{
    struct builder builder = {.arena = arena};
    struct buffer document = BUFFER_EMPTY;

    if (!utf8_is_valid(payload) || !utf8_is_valid(extra))
        return NULL;
    buffer_append(&document, SLICE(STREAM_BEGIN));
    buffer_append(&document, extra);
    buffer_append_byte(&document, '>');
    buffer_append(&document, payload);
    buffer_append(&document, SLICE(STREAM_END));
    build(&builder, buffer_slice(&document));
    buffer_deinit(&document);
    return builder.is_failed ? NULL : builder.root;
}

struct xml_element *xml_child(const struct xml_element *element,
                              const char *name, const char *ns)
{
    struct xml_element *child = element->children;

    while (child &&
           !(slice_is(child->name, name) && (!ns || slice_is(child->ns, ns))))
        child = child->next;
    return child;
}

struct slice xml_attribute(const struct xml_element *element, const char *name)
{
    const struct xml_attribute *attribute = element->attributes;

    while (attribute && !slice_is(attribute->name, name))
        attribute = attribute->next;
    return attribute ? attribute->value : SLICE_NONE;
}
