#include "xmpp/stanza.h"

#include "xmpp/namespaces.h"

#include "table.h"

#define BINDINGS "xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAMS "'"

static const struct {
    const char *input;
    enum stream_error error;
} cases[] = {
    {"<stream:stream " BINDINGS ">", STREAM_ERROR_NONE},
    {"<?xml version='1.0'?>\n<stream:stream " BINDINGS " >", STREAM_ERROR_NONE},
    {"<stream:features " BINDINGS ">", STREAM_ERROR_BAD_FORMAT},
    {"<html>", STREAM_ERROR_BAD_FORMAT},
    {"<stream:stream " BINDINGS "/>", STREAM_ERROR_BAD_FORMAT},
    {"<stream xmlns='" NS_STREAMS "'>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<stream:stream xmlns='" NS_CLIENT "'>",
     STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<flow:stream xmlns='" NS_CLIENT "' xmlns:flow='" NS_STREAMS "'>",
     STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<flow:stream " BINDINGS ">", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<stream:stream " BINDINGS " x:y='1'>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<stream:stream xmlns='" NS_CLIENT "' xmlns:stream='urn:x'>",
     STREAM_ERROR_INVALID_NAMESPACE},
    {"<stream:stream xmlns:stream='" NS_STREAMS "'>",
     STREAM_ERROR_INVALID_NAMESPACE},
    {"<stream:stream xmlns='jabber:server' xmlns:stream='" NS_STREAMS "'>",
     STREAM_ERROR_INVALID_NAMESPACE},
    {"<stream:stream xmlns='' xmlns:stream='" NS_STREAMS "'>",
     STREAM_ERROR_INVALID_NAMESPACE},
    {"<stream:stream " BINDINGS " to='&x;'>", STREAM_ERROR_RESTRICTED_XML},
    {"<stream:stream " BINDINGS " to='a' to='b'>",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"<stream:stream " BINDINGS " to='\xC3'>",
     STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"<?xml version='1.0'?>", STREAM_ERROR_BAD_FORMAT},
};

static void accepts_or_refuses(void)
{
    struct stanza_parser *parser = stanza_parser_create();
    struct stream_header header;
    struct stanza stanza;
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        name = cases[i].input;
        ASSERT_CASE(name, stanza_parse_header(parser, slice_of(name),
                                              &header) == cases[i].error);
        ASSERT_CASE(name, stanza_parse(parser, SLICE("<iq/>"), SLICE_NONE,
                                       &stanza) == STREAM_ERROR_NONE);
    }
    stanza_parser_destroy(&parser);
    CU_ASSERT_PTR_NULL(parser);
}

static void takes_the_header_apart(void)
{
    struct stanza_parser *parser = stanza_parser_create();
    struct stream_header header;

    CU_ASSERT_EQUAL(
        stanza_parse_header(
            parser,
            SLICE("<?xml version='1.0'?><stream:stream to='a&amp;b' "
                  "from='c' version=\"1.0\" xml:lang='en' id='7' x='y' "
                  "xmlns:p='urn:&lt;' " BINDINGS " xmlns:q=\"r\">"),
            &header),
        STREAM_ERROR_NONE);
    CU_ASSERT_TRUE(slice_is(header.to, "a&b"));
    CU_ASSERT_TRUE(slice_is(header.from, "c"));
    CU_ASSERT_TRUE(slice_is(header.version, "1.0"));
    CU_ASSERT_TRUE(slice_is(header.lang, "en"));
    CU_ASSERT_TRUE(slice_is(header.id, "7"));
    CU_ASSERT_TRUE(slice_is(header.ns, NS_CLIENT));
    CU_ASSERT_TRUE(
        slice_is(header.declarations, " xmlns:p='urn:&lt;' xmlns:q=\"r\""));
    CU_ASSERT_EQUAL(stanza_parse_header(
                        parser, SLICE("<stream:stream " BINDINGS ">"), &header),
                    STREAM_ERROR_NONE);
    CU_ASSERT_FALSE(slice_is_set(header.to));
    CU_ASSERT_FALSE(slice_is_set(header.version));
    CU_ASSERT_EQUAL(header.declarations.size, 0);
    stanza_parser_destroy(&parser);
}

/* A header whose declarations have that many bytes. */
static enum stream_error parse_declaring(struct stanza_parser *parser,
                                         size_t size)
{
    struct buffer bytes = BUFFER_EMPTY;
    struct stream_header header;
    enum stream_error error;

    buffer_append_text(&bytes, "<stream:stream " BINDINGS " xmlns:p='");
    for (size_t used = strlen(" xmlns:p=''"); used < size; used++)
        buffer_append_byte(&bytes, 'u');
    buffer_append_text(&bytes, "'>");
    error = stanza_parse_header(parser, buffer_slice(&bytes), &header);
    CU_ASSERT_EQUAL(header.declarations.size,
                    error == STREAM_ERROR_NONE ? size : 0);
    buffer_deinit(&bytes);
    return error;
}

static void limits_declarations(void)
{
    struct stanza_parser *parser = stanza_parser_create();

    CU_ASSERT_EQUAL(parse_declaring(parser, STREAM_DECLARATIONS_MAX),
                    STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(parse_declaring(parser, STREAM_DECLARATIONS_MAX + 1),
                    STREAM_ERROR_POLICY_VIOLATION);
    stanza_parser_destroy(&parser);
}

static void names_every_error(void)
{
    for (int i = STREAM_ERROR_NONE + 1; i < STREAM_ERROR_COUNT; i++)
        CU_ASSERT_TRUE(strlen(stream_error_name((enum stream_error)i)) > 0);
    CU_ASSERT_STRING_EQUAL(stream_error_name(STREAM_ERROR_RESTRICTED_XML),
                           "restricted-xml");
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"accepts or refuses", accepts_or_refuses},
        {"takes the header apart", takes_the_header_apart},
        {"limits declarations", limits_declarations},
        {"names every error", names_every_error},
    };

    return unit_run("stanza_header", tests, ARRAY_SIZE(tests));
}
