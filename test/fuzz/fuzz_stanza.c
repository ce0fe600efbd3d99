#include "xmpp/stanza.h"

#include "base/log.h"
#include "xmpp/xml.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_header(struct stanza_parser *parser,
                         struct stanza_parser *second, struct slice bytes)
{
    struct stream_header header;
    struct stanza stanza;

    if (stanza_parse_header(parser, bytes, &header) != STREAM_ERROR_NONE)
        return;
    BUG_ON(!slice_is_set(header.ns));
    BUG_ON(stanza_parse(second, SLICE("<a/>"), header.declarations, &stanza) !=
           STREAM_ERROR_NONE);
}

/* What was parsed can be written and is then the same; its payload is well-
 * formed in the context of its extra attributes. */
static void check_stanza(struct stanza_parser *second,
                         const struct stanza *given)
{
    struct stanza read;
    struct buffer out = BUFFER_EMPTY;
    struct arena arena;

    arena_init(&arena);
    BUG_ON(!xml_parse(&arena, given->payload, given->extra));
    arena_deinit(&arena);
    stanza_write(&out,
                 &(struct stanza_head){given->kind, given->type, given->id,
                                       given->from, given->to, given->lang,
                                       given->extra},
                 given->payload);
    BUG_ON(stanza_parse(second, buffer_slice(&out), SLICE_NONE, &read) !=
           STREAM_ERROR_NONE);
    BUG_ON(read.kind != given->kind || !slice_equal(read.id, given->id) ||
           !slice_equal(read.to, given->to) ||
           !slice_equal(read.payload, given->payload) ||
           !slice_equal(read.extra, given->extra) ||
           !slice_equal(read.child_ns, given->child_ns));
    buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct stanza_parser *parser, *second;
    struct slice bytes = {(const char *)data, size};
    struct stanza stanza;

    if (!parser) {
        parser = stanza_parser_create();
        second = stanza_parser_create();
    }
    check_header(parser, second, bytes);
    if (stanza_parse(parser, bytes, SLICE(" xmlns:p='q'"), &stanza) ==
            STREAM_ERROR_NONE &&
        stanza.kind != STANZA_OTHER)
        check_stanza(second, &stanza);
    return 0;
}
