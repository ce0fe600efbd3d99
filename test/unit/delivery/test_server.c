#include "../../../delivery/server.h"

#include "fixture.h"
#include "xmpp/namespaces.h"

#define DISCO_INFO "<query xmlns='" NS_DISCO_INFO "'/>"
#define PING "<ping xmlns='" NS_PING "'/>"

static struct event query(const char *to, const char *child, const char *ns,
                          const char *payload)
{
    struct event event = fixture_event(EVENT_STANZA_ROUTE);

    event.kind = STANZA_IQ;
    event.subtype = SLICE("get");
    event.id = SLICE("q1");
    event.from = SLICE(AMY "/pc");
    event.to = slice_of(to);
    event.child = slice_of(child);
    event.ns = slice_of(ns);
    event.payload = slice_of(payload);
    return event;
}

/* The one answer's type, and whether its payload contains `text`. */
static void check_answer(const struct event *request, const char *type,
                         const char *text)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    fixture_open();
    fixture_send(request);
    CU_ASSERT_EQUAL(output.count, 1);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_STANZA_ROUTE);
    CU_ASSERT_EQUAL(event.kind, request->kind);
    ASSERT_SLICE(event.subtype, type);
    CU_ASSERT_TRUE(slice_equal(event.to, request->from));
    CU_ASSERT_TRUE(slice_equal(event.from, request->to));
    CU_ASSERT_TRUE(slice_equal(event.id, request->id));
    CU_ASSERT_PTR_NOT_NULL(
        memmem(event.payload.data, event.payload.size, text, strlen(text)));
    buffer_deinit(&body);
    fixture_close();
}

static void check_silence(const struct event *stanza)
{
    fixture_open();
    fixture_send(stanza);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_queries(void)
{
    static const struct {
        const char *to, *child, *ns, *payload, *type, *text;
    } table[] = {
        {"example.org", "query", NS_DISCO_INFO, DISCO_INFO, "result",
         "<identity category='server' type='im'"},
        {"example.org", "query", NS_DISCO_INFO, DISCO_INFO, "result",
         "<feature var='" NS_PING "'/>"},
        {"example.org", "query", NS_DISCO_INFO, DISCO_INFO, "result",
         "<feature var='msgoffline'/>"},
        {"example.org", "query", NS_DISCO_INFO,
         "<query xmlns='" NS_DISCO_INFO "' node='x'/>", "error",
         "<item-not-found"},
        {"example.org", "query", NS_DISCO_ITEMS,
         "<query xmlns='" NS_DISCO_ITEMS "'/>", "result",
         "<query xmlns='" NS_DISCO_ITEMS "'/>"},
        {"example.org", "ping", NS_PING, PING, "result", ""},
        {"example.org", "query", "urn:unheard:of", "<query/>", "error",
         "<service-unavailable"},
        {"example.org", "pong", NS_PING, "<pong/>", "error",
         "<service-unavailable"},
        {AMY, "query", NS_DISCO_INFO, DISCO_INFO, "result",
         "<identity category='account' type='registered'/>"},
        {AMY, "ping", NS_PING, PING, "result", ""},
        {AMY, "query", "urn:unheard:of", "<query/>", "error",
         "<service-unavailable"},
        /* Does bob exist?  That is not for amy to know. */
        {BOB, "query", NS_DISCO_INFO, DISCO_INFO, "error",
         "<service-unavailable"},
        {BOB, "ping", NS_PING, PING, "error", "<service-unavailable"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct event event =
            query(table[i].to, table[i].child, table[i].ns, table[i].payload);

        check_answer(&event, table[i].type, table[i].text);
    }
}

static void test_set_is_refused(void)
{
    struct event event = query("example.org", "ping", NS_PING, PING);

    event.subtype = SLICE("set");
    check_answer(&event, "error", "<service-unavailable");
}

static void test_silence(void)
{
    struct event event = query("example.org", "ping", NS_PING, PING);

    event.subtype = SLICE("result");
    check_silence(&event);
    event.subtype = SLICE("error");
    check_silence(&event);
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE_NONE;
    check_silence(&event);
    event.kind = STANZA_MESSAGE;
    event.subtype = SLICE("error");
    check_silence(&event);
    event.subtype = SLICE("headline");
    check_silence(&event);
}

static void test_message(void)
{
    struct event event = query("example.org", "body", NS_CLIENT, "<body/>");

    event.kind = STANZA_MESSAGE;
    event.subtype = SLICE("chat");
    check_answer(&event, "error", "<service-unavailable");
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"queries", test_queries},
        {"setting is refused", test_set_is_refused},
        {"what is not answered", test_silence},
        {"messages to the server", test_message},
    };

    return unit_run("delivery server", cases, ARRAY_SIZE(cases));
}
