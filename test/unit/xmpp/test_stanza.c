#include "xmpp/stanza.h"

#include "xmpp/namespaces.h"

#include "table.h"

#define CHILD_STATE "<active xmlns='" NS_CHAT_STATES "'/>"

static struct stanza_parser *parser;

static bool is_value(struct slice value, const char *expected)
{
    return expected ? slice_is(value, expected) : !slice_is_set(value);
}

/* NULL: absent. */
static const struct {
    const char *input;
    enum stanza_kind kind;
    const char *type, *id, *to, *from, *lang, *extra, *payload;
} heads[] = {
    {"<message/>", STANZA_MESSAGE, NULL, NULL, NULL, NULL, NULL, NULL, ""},
    {"<message></message >", STANZA_MESSAGE, NULL, NULL, NULL, NULL, NULL, NULL,
     ""},
    {"<message to='a@b' from=\"c@d/e\" type='chat' id='1' xml:lang='en'>"
     "<body>Hi</body></message>",
     STANZA_MESSAGE, "chat", "1", "a@b", "c@d/e", "en", NULL,
     "<body>Hi</body>"},
    {"<iq xmlns='jabber:client' type='get' id=''\n to = 'x' ><q/> </iq\n>",
     STANZA_IQ, "get", "", "x", NULL, NULL, NULL, "<q/> "},
    {"<presence id='&lt;&amp;&#65;&#x20AC;&apos;'/>", STANZA_PRESENCE, NULL,
     "<&A\xE2\x82\xAC'", NULL, NULL, NULL, NULL, ""},
    {"<message xmlns:x='urn:x' x:id='1' to='a>b' seq=\"'2/\" id='3'"
     "><x:y/></message>",
     STANZA_MESSAGE, NULL, "3", "a>b", NULL, NULL,
     " xmlns:x='urn:x' x:id='1' seq=\"'2/\"", "<x:y/>"},
    {"<message xml:space='preserve' lang='de' typ='&lt;'/>", STANZA_MESSAGE,
     NULL, NULL, NULL, NULL, NULL, " xml:space='preserve' lang='de' typ='&lt;'",
     ""},
    {"<message><body><![CDATA[</message>]]></body></message>", STANZA_MESSAGE,
     NULL, NULL, NULL, NULL, NULL, NULL, "<body><![CDATA[</message>]]></body>"},
    {"<message xmlns='jabber:server' id='1'/>", STANZA_OTHER, NULL, "1", NULL,
     NULL, NULL, NULL, ""},
    {"<auth xmlns='" NS_SASL "' mechanism='PLAIN'>AGEAYg==</auth>",
     STANZA_OTHER, NULL, NULL, NULL, NULL, NULL, " mechanism='PLAIN'",
     "AGEAYg=="},
    {"<stream:error><x/></stream:error>", STANZA_OTHER, NULL, NULL, NULL, NULL,
     NULL, NULL, "<x/>"},
};

static void takes_opening_tags_apart(void)
{
    struct stanza stanza;
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        name = heads[i].input;
        ASSERT_CASE(name, stanza_parse(parser, slice_of(name), SLICE_NONE,
                                       &stanza) == STREAM_ERROR_NONE);
        ASSERT_CASE(name, stanza.kind == heads[i].kind);
        ASSERT_CASE(name, is_value(stanza.type, heads[i].type));
        ASSERT_CASE(name, is_value(stanza.id, heads[i].id));
        ASSERT_CASE(name, is_value(stanza.to, heads[i].to));
        ASSERT_CASE(name, is_value(stanza.from, heads[i].from));
        ASSERT_CASE(name, is_value(stanza.lang, heads[i].lang));
        ASSERT_CASE(name, is_value(stanza.extra, heads[i].extra));
        ASSERT_CASE(name, is_value(stanza.payload, heads[i].payload));
    }
}

static const struct {
    const char *input, *name, *ns, *child_name, *child_ns, *text;
    unsigned child_count;
    bool has_body, is_chat_state_only;
} contents[] = {
    {"<message/>", "message", NS_CLIENT, NULL, NULL, "", 0, false, false},
    {"<message><body/></message>", "message", NS_CLIENT, "body", NS_CLIENT, "",
     1, true, false},
    {"<message>" CHILD_STATE "</message>", "message", NS_CLIENT, "active",
     NS_CHAT_STATES, "", 1, false, true},
    {"<message><thread>1</thread>" CHILD_STATE "</message>", "message",
     NS_CLIENT, "thread", NS_CLIENT, "", 2, false, true},
    {"<message>" CHILD_STATE "<body/></message>", "message", NS_CLIENT,
     "active", NS_CHAT_STATES, "", 2, true, false},
    {"<message>" CHILD_STATE "<x xmlns='y'/></message>", "message", NS_CLIENT,
     "active", NS_CHAT_STATES, "", 2, false, false},
    {"<message><thread/></message>", "message", NS_CLIENT, "thread", NS_CLIENT,
     "", 1, false, false},
    {"<message><x xmlns='y'><body/></x><z/></message>", "message", NS_CLIENT,
     "x", "y", "", 2, false, false},
    {"<message><body xmlns='y'/></message>", "message", NS_CLIENT, "body", "y",
     "", 1, false, false},
    {"<presence><body/>" CHILD_STATE "</presence>", "presence", NS_CLIENT,
     "body", NS_CLIENT, "", 2, false, false},
    {"<iq xmlns:p='urn:p'><p:query/></iq>", "iq", NS_CLIENT, "query", "urn:p",
     "", 1, false, false},
    {"<iq><query xmlns=''/></iq>", "iq", NS_CLIENT, "query", NULL, "", 1, false,
     false},
    {"<response xmlns='" NS_SASL "'>YT<![CDATA[1]]>&#98;<a>no</a>\n</response>",
     "response", NS_SASL, "a", NS_SASL, "YT1b\n", 1, false, false},
    {"<p:x xmlns:p='urn:p'/>", "x", "urn:p", NULL, NULL, "", 0, false, false},
    {"<stream:features/>", "features", NS_STREAMS, NULL, NULL, "", 0, false,
     false},
};

static void looks_at_children(void)
{
    struct stanza stanza;
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        name = contents[i].input;
        ASSERT_CASE(name, stanza_parse(parser, slice_of(name), SLICE_NONE,
                                       &stanza) == STREAM_ERROR_NONE);
        ASSERT_CASE(name, is_value(stanza.name, contents[i].name));
        ASSERT_CASE(name, is_value(stanza.ns, contents[i].ns));
        ASSERT_CASE(name, is_value(stanza.child_name, contents[i].child_name));
        ASSERT_CASE(name, is_value(stanza.child_ns, contents[i].child_ns));
        ASSERT_CASE(name, is_value(stanza.text, contents[i].text));
        ASSERT_CASE(name, stanza.child_count == contents[i].child_count);
        ASSERT_CASE(name, stanza.has_body == contents[i].has_body);
        ASSERT_CASE(name, stanza.is_chat_state_only ==
                              contents[i].is_chat_state_only);
    }
}

static const struct {
    const char *input;
    int expected;
} priorities[] = {
    {"<presence/>", 0},
    {"<presence><priority>5</priority></presence>", 5},
    {"<presence><priority> -7\n</priority></presence>", -7},
    {"<presence><priority>1<![CDATA[2]]>&#55;</priority></presence>", 127},
    {"<presence><priority>-128</priority></presence>", -128},
    {"<presence><priority>128</priority></presence>", 0},
    {"<presence><priority>-129</priority></presence>", 0},
    {"<presence><priority>99999999999999999999</priority></presence>", 0},
    {"<presence><priority>1x</priority></presence>", 0},
    {"<presence><priority>1 2</priority></presence>", 0},
    {"<presence><priority> </priority></presence>", 0},
    {"<presence><priority/></presence>", 0},
    {"<presence><priority><x>5</x></priority></presence>", 0},
    {"<presence><x><priority>5</priority></x></presence>", 0},
    {"<presence><priority xmlns='x'>5</priority></presence>", 0},
    {"<presence><priority>5</priority><priority>6</priority></presence>", 5},
    {"<presence><priority>5</priority>6<show>7</show></presence>", 5},
    {"<message><priority>5</priority></message>", 0},
};

static void reads_priority(void)
{
    struct stanza stanza;

    for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
        ASSERT_CASE(priorities[i].input,
                    stanza_parse(parser, slice_of(priorities[i].input),
                                 SLICE_NONE, &stanza) == STREAM_ERROR_NONE);
        ASSERT_CASE(priorities[i].input,
                    stanza.priority == priorities[i].expected);
    }
}

static const struct {
    const char *input;
    enum stream_error error;
} refused[] = {
    {"", STREAM_ERROR_NOT_WELL_FORMED},
    {" ", STREAM_ERROR_NOT_WELL_FORMED},
    {"x<a/>", STREAM_ERROR_BAD_FORMAT},
    {"<a/>x<b/>", STREAM_ERROR_BAD_FORMAT},
    {"<a/>x", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a/><b/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a></b>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a><b></a></b>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a/></stream:stream>", STREAM_ERROR_NOT_WELL_FORMED},
    {"</stream:stream>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a x='1' x='2'/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a x=1/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a x/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a x='1'y='2'/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"<a xmlns:p=''/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a:b:c xmlns:a='u'/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>]]></a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>&#0;</a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>&#xD800;</a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>\x01</a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a x='\x1F'/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>\xEF\xBF\xBE</a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>&#xFFFF;</a>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<\xC3\x97/>", STREAM_ERROR_NOT_WELL_FORMED},
    {"<a>\xFF</a>", STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"<a>\xC1\xA1</a>", STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"<a x='\xE0\x80\xAF'/>", STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"<a>\xED\xA0\x80</a>", STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"<p:a/>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<a><p:b/></a>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<a p:x='1'/>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<p:message xmlns:p='" NS_CLIENT "'/>", STREAM_ERROR_BAD_NAMESPACE_PREFIX},
    {"<a>&x;</a>", STREAM_ERROR_RESTRICTED_XML},
    {"<a x='&x;'/>", STREAM_ERROR_RESTRICTED_XML},
    {"<a><!-- x --></a>", STREAM_ERROR_RESTRICTED_XML},
    {"<a><?x y?></a>", STREAM_ERROR_RESTRICTED_XML},
};

static void refuses_bad_stanzas(void)
{
    struct stanza stanza;
    const char *name;

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        name = refused[i].input;
        ASSERT_CASE(name, stanza_parse(parser, slice_of(name), SLICE_NONE,
                                       &stanza) == refused[i].error);
        ASSERT_CASE(name, stanza_parse(parser, SLICE("<iq/>"), SLICE_NONE,
                                       &stanza) == STREAM_ERROR_NONE);
        ASSERT_CASE(name, stanza.kind == STANZA_IQ);
    }
    CU_ASSERT_EQUAL(
        stanza_parse(parser, SLICE("<a>\0</a>"), SLICE_NONE, &stanza),
        STREAM_ERROR_NOT_WELL_FORMED);
}

static void applies_declarations_of_the_header(void)
{
    struct slice given = SLICE(" xmlns:p='urn:p'  xmlns:q=\"urn:q\"");
    struct stanza stanza;

    CU_ASSERT_EQUAL(
        stanza_parse(parser, SLICE("<iq id='1'><p:x/></iq>"), given, &stanza),
        STREAM_ERROR_NONE);
    CU_ASSERT_TRUE(slice_is(stanza.child_ns, "urn:p"));
    CU_ASSERT_TRUE(
        slice_is(stanza.extra, " xmlns:p='urn:p' xmlns:q=\"urn:q\""));
    CU_ASSERT_EQUAL(stanza.child_count, 1);
    CU_ASSERT_EQUAL(stanza_parse(parser, SLICE("<iq xmlns:p='r'><p:x/></iq>"),
                                 given, &stanza),
                    STREAM_ERROR_NONE);
    CU_ASSERT_TRUE(slice_is(stanza.child_ns, "r"));
    CU_ASSERT_TRUE(slice_is(stanza.extra, " xmlns:p='r' xmlns:q=\"urn:q\""));
    CU_ASSERT_EQUAL(
        stanza_parse(parser, SLICE("<iq><p:x/></iq>"), SLICE_NONE, &stanza),
        STREAM_ERROR_BAD_NAMESPACE_PREFIX);
    CU_ASSERT_EQUAL(
        stanza_parse(parser, SLICE("<a/></declarations>"), given, &stanza),
        STREAM_ERROR_NOT_WELL_FORMED);
}

/* More names than a context may keep. */
static void survives_hostile_names(void)
{
    struct buffer bytes = BUFFER_EMPTY;
    struct stanza stanza;
    char name[64];

    for (unsigned i = 0; i < 20000; i++) {
        buffer_clear(&bytes);
        snprintf(name, sizeof(name), "n%040u", i);
        buffer_appendf(&bytes, "<%s xmlns='%s' %s='1'><%s%s/></%s>", name, name,
                       name, name, name, name);
        CU_ASSERT_EQUAL_FATAL(
            stanza_parse(parser, buffer_slice(&bytes), SLICE_NONE, &stanza),
            STREAM_ERROR_NONE);
        CU_ASSERT_TRUE(slice_is(stanza.name, name));
    }
    buffer_clear(&bytes);
    buffer_deinit(&bytes);
}

static enum stream_error parse_nested(unsigned depth)
{
    struct buffer bytes = BUFFER_EMPTY;
    struct stanza stanza;
    enum stream_error error;

    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&bytes, "<a>");
    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&bytes, "</a>");
    error = stanza_parse(parser, buffer_slice(&bytes), SLICE_NONE, &stanza);
    buffer_deinit(&bytes);
    return error;
}

static void limits_depth(void)
{
    CU_ASSERT_EQUAL(parse_nested(64), STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(parse_nested(65), STREAM_ERROR_POLICY_VIOLATION);
    CU_ASSERT_EQUAL(parse_nested(10000), STREAM_ERROR_POLICY_VIOLATION);
}

/* Longer than libxml2's own buffers, and many in a row. */
static void parses_long_stanzas(void)
{
    struct buffer bytes = BUFFER_EMPTY;
    struct stanza stanza;

    buffer_append_text(&bytes, "<message id='");
    for (unsigned i = 0; i < 20000; i++)
        buffer_append_text(&bytes, "i");
    buffer_append_text(&bytes, "'><body>");
    for (unsigned i = 0; i < 20000; i++)
        buffer_append_text(&bytes, "\xE2\x82\xAC &lt; ");
    buffer_append_text(&bytes, "</body></message>");
    for (unsigned i = 0; i < 400; i++) { /* more than one context may take */
        CU_ASSERT_EQUAL_FATAL(
            stanza_parse(parser, buffer_slice(&bytes), SLICE_NONE, &stanza),
            STREAM_ERROR_NONE);
        CU_ASSERT_EQUAL(stanza.id.size, 20000);
        CU_ASSERT_EQUAL(stanza.payload.size, 20000 * 9 + 13);
    }
    buffer_deinit(&bytes);
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"takes opening tags apart", takes_opening_tags_apart},
        {"looks at children", looks_at_children},
        {"reads priority", reads_priority},
        {"refuses bad stanzas", refuses_bad_stanzas},
        {"applies declarations of the header",
         applies_declarations_of_the_header},
        {"survives hostile names", survives_hostile_names},
        {"limits depth", limits_depth},
        {"parses long stanzas", parses_long_stanzas},
    };
    int status;

    parser = stanza_parser_create();
    status = unit_run("stanza", tests, ARRAY_SIZE(tests));
    stanza_parser_destroy(&parser);
    return status;
}
