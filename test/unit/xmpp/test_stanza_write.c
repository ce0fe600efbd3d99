#include "xmpp/stanza.h"

#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

#include "table.h"

static bool writes(const struct stanza_head *head, struct slice payload,
                   const char *expected)
{
    struct buffer out = BUFFER_EMPTY;
    bool is_expected;

    buffer_append_text(&out, "|");
    stanza_write(&out, head, payload);
    is_expected = !strcmp(out.data + 1, expected);
    buffer_deinit(&out);
    return is_expected;
}

static void writes_stanzas(void)
{
    struct stanza_head head = {.kind = STANZA_PRESENCE};

    CU_ASSERT_TRUE(writes(&head, SLICE_NONE, "<presence/>"));
    head = (struct stanza_head){
        .kind = STANZA_MESSAGE,
        .from = SLICE("a@b/c"),
        .to = SLICE("d@e"),
        .type = SLICE("chat"),
        .id = SLICE("<1>&\"'\r\n\t"),
        .lang = SLICE(""),
        .extra = SLICE(" x=\"<\""),
    };
    CU_ASSERT_TRUE(
        writes(&head, SLICE("<body/>"),
               "<message from='a@b/c' to='d@e' type='chat' "
               "id='&lt;1&gt;&amp;&quot;&apos;&#13;&#10;&#9;' xml:lang='' "
               "x=\"<\"><body/></message>"));
    head = (struct stanza_head){.kind = STANZA_IQ, .id = SLICE("1")};
    CU_ASSERT_TRUE(writes(&head, SLICE(""), "<iq id='1'/>"));
}

static const char *const stanzas[] = {
    "<message/>",
    "<presence type='unavailable'><status>bye</status></presence>",
    "<iq id='&lt;&#10;&#13;&#9;&amp;&apos;&quot;' type='set'><q> </q></iq>",
    "<message to='\xC3\xA9@x' xml:lang='fr' xmlns:p='q' p:r='&quot;s'><p:t/>"
    "<body>&lt;<![CDATA[<]]></body></message>",
    "<iq xmlns='jabber:client' from='a  b' to='c' id=''>\n<x xmlns=''/>\n</iq>",
};

static bool is_same(const struct stanza *a, const struct stanza *b)
{
    return a->kind == b->kind && slice_equal(a->type, b->type) &&
           slice_equal(a->id, b->id) && slice_equal(a->from, b->from) &&
           slice_equal(a->to, b->to) && slice_equal(a->lang, b->lang) &&
           slice_equal(a->extra, b->extra) &&
           slice_equal(a->payload, b->payload) &&
           slice_equal(a->child_name, b->child_name) &&
           slice_equal(a->child_ns, b->child_ns);
}

static void reads_what_it_wrote(void)
{
    struct stanza_parser *first = stanza_parser_create();
    struct stanza_parser *second = stanza_parser_create();
    struct stanza given, read;
    struct buffer out = BUFFER_EMPTY;

    for (size_t i = 0; i < ARRAY_SIZE(stanzas); i++) {
        ASSERT_CASE(stanzas[i], stanza_parse(first, slice_of(stanzas[i]),
                                             SLICE(" xmlns:s='t'"),
                                             &given) == STREAM_ERROR_NONE);
        buffer_clear(&out);
        stanza_write(&out,
                     &(struct stanza_head){given.kind, given.type, given.id,
                                           given.from, given.to, given.lang,
                                           given.extra},
                     given.payload);
        ASSERT_CASE(stanzas[i],
                    stanza_parse(second, buffer_slice(&out), SLICE_NONE,
                                 &read) == STREAM_ERROR_NONE);
        ASSERT_CASE(stanzas[i], is_same(&given, &read));
    }
    buffer_deinit(&out);
    stanza_parser_destroy(&first);
    stanza_parser_destroy(&second);
}

static void knows_kinds(void)
{
    CU_ASSERT_EQUAL(stanza_kind_of(SLICE("message")), STANZA_MESSAGE);
    CU_ASSERT_EQUAL(stanza_kind_of(SLICE("presence")), STANZA_PRESENCE);
    CU_ASSERT_EQUAL(stanza_kind_of(SLICE("iq")), STANZA_IQ);
    CU_ASSERT_EQUAL(stanza_kind_of(SLICE("iqs")), STANZA_OTHER);
    CU_ASSERT_EQUAL(stanza_kind_of(SLICE_NONE), STANZA_OTHER);
    CU_ASSERT_STRING_EQUAL(stanza_kind_name(STANZA_MESSAGE), "message");
    CU_ASSERT_STRING_EQUAL(stanza_kind_name(STANZA_PRESENCE), "presence");
    CU_ASSERT_STRING_EQUAL(stanza_kind_name(STANZA_IQ), "iq");
}

static const struct {
    const char *condition, *type;
} errors[] = {
    {"bad-request", "modify"},
    {"conflict", "cancel"},
    {"feature-not-implemented", "cancel"},
    {"forbidden", "auth"},
    {"gone", "cancel"},
    {"internal-server-error", "cancel"},
    {"item-not-found", "cancel"},
    {"jid-malformed", "modify"},
    {"not-acceptable", "modify"},
    {"not-allowed", "cancel"},
    {"not-authorized", "auth"},
    {"policy-violation", "modify"},
    {"recipient-unavailable", "wait"},
    {"redirect", "modify"},
    {"registration-required", "auth"},
    {"remote-server-not-found", "cancel"},
    {"remote-server-timeout", "wait"},
    {"resource-constraint", "wait"},
    {"service-unavailable", "cancel"},
    {"subscription-required", "auth"},
    {"undefined-condition", "cancel"},
    {"unexpected-request", "wait"},
};

static void writes_errors(void)
{
    struct buffer out = BUFFER_EMPTY, expected = BUFFER_EMPTY;

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        buffer_clear(&out);
        buffer_clear(&expected);
        stanza_write_error(&out, errors[i].condition);
        buffer_appendf(&expected, "<error type='%s'><%s xmlns='%s'/></error>",
                       errors[i].type, errors[i].condition, NS_STANZA_ERRORS);
        ASSERT_CASE(errors[i].condition,
                    slice_equal(buffer_slice(&out), buffer_slice(&expected)));
    }
    buffer_deinit(&out);
    buffer_deinit(&expected);
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"writes stanzas", writes_stanzas},
        {"reads what it wrote", reads_what_it_wrote},
        {"knows kinds", knows_kinds},
        {"writes errors", writes_errors},
    };

    return unit_run("stanza_write", tests, ARRAY_SIZE(tests));
}
