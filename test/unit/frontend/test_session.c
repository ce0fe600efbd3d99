#include "fixture.h"

static void test_last_presence(void)
{
    struct session session = {.id = 1};
    struct event presence, recalled;

    event_init(&presence, EVENT_SESSION_PRESENCE);
    presence.priority = -5;
    presence.lang = SLICE("eo");
    presence.payload = SLICE("<show>away</show>");
    session_note_presence(&session, &presence);
    CU_ASSERT_TRUE(session.is_available);
    CU_ASSERT_EQUAL(session.priority, -5);
    event_init(&recalled, EVENT_SNAPSHOT_SESSION);
    session_recall_presence(&session, &recalled);
    ASSERT_SLICE(recalled.lang, "eo");
    ASSERT_SLICE(recalled.payload, "<show>away</show>");
    CU_ASSERT_FALSE(slice_is_set(recalled.extra));

    presence.subtype = SLICE("unavailable");
    session_note_presence(&session, &presence);
    CU_ASSERT_FALSE(session.is_available);
    event_init(&recalled, EVENT_SNAPSHOT_SESSION);
    session_recall_presence(&session, &recalled);
    CU_ASSERT_FALSE(slice_is_set(recalled.payload));
    CU_ASSERT_PTR_NULL(session.presence);
}

/* Binding. */

static void test_bind(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_ask_bind(&client, "B&#xfc;ro");
    answer_bind(&client, NULL);
    EXPECT_TEXT(&client,
                "<iq type='result' id='b'><bind xmlns='" NS_BIND
                "'><jid>alice@localhost/B\xc3\xbcro</jid></bind></iq>");
    CU_ASSERT_PTR_NOT_NULL(client_session(&client));
    client_send(&client,
                "<iq type='set' id='c'><bind xmlns='" NS_BIND "'/></iq>");
    EXPECT_TEXT(&client, "<not-allowed ");
    client_close(&client);
    fixture_close();
}

static void test_bind_without_resource(void)
{
    struct client client;
    const char *exchange;
    const struct event *ask;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_send(&client, HEADER "<iq type='set' id='b'><bind xmlns='" NS_BIND
                                "'/></iq>");
    ask = next_published(&exchange);
    CU_ASSERT_EQUAL_FATAL(ask->type, EVENT_SESSION_BIND);
    CU_ASSERT_EQUAL(ask->resource.size, 16);
    client_close(&client);
    fixture_close();
}

static void test_bind_refused(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_ask_bind(&client, "desk");
    answer_bind(&client, "resource-constraint");
    EXPECT_TEXT(&client, "<iq type='error' id='b'><error type='wait'>"
                         "<resource-constraint ");
    CU_ASSERT_PTR_NULL(client_session(&client));
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, "<iq type='set' id='d'><bind xmlns='" NS_BIND
                         "'><resource>other</resource></bind></iq>");
    answer_bind(&client, NULL);
    EXPECT_TEXT(&client, "<jid>alice@localhost/other</jid>");
    client_close(&client);
    fixture_close();
}

/* Of an account that has been deleted since its keys were asked for. */
static void test_bind_not_authorized(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_ask_bind(&client, "desk");
    answer_bind(&client, "not-authorized");
    EXPECT_TEXT(&client, "<stream:error><not-authorized ");
    EXPECT_TEXT(&client, "</stream:stream>");
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

static void test_bind_not_answered(void)
{
    struct client client;
    struct connection *connection;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_ask_bind(&client, "desk");
    connection = TAILQ_FIRST(&frontend->connections);
    stream_tick(connection, connection->answer_deadline_ms);
    EXPECT_TEXT(&client, "<resource-constraint xmlns='" NS_STANZA_ERRORS
                         "'/></error></iq>");
    answer_bind(&client, NULL); /* too late: the session is given back */
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_close(&client);
    fixture_close();
}

static void test_kick(void)
{
    struct client client;
    struct event kick;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    event_init(&kick, EVENT_SESSION_KICK);
    kick.origin = 9;
    kick.session = client.session;
    kick.condition = SLICE("conflict");
    send_event(inbox_queue_, &kick);
    EXPECT_TEXT(&client, "<stream:error><conflict xmlns='" NS_STREAM_ERRORS
                         "'/></stream:error></stream:stream>");
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Delivery has told some of those that were sent directed presence. */
static void test_kick_told(void)
{
    struct slice told = SLICE("room@localhost/a");
    struct buffer names = BUFFER_EMPTY;
    struct client client;
    struct event kick;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    client_send(&client, "<presence to='room@localhost/a'/>"
                         "<presence to='carol@localhost'/>");
    ignore_published();
    event_list_write(&names, &told, 1);
    event_init(&kick, EVENT_SESSION_KICK);
    kick.origin = 9;
    kick.session = client.session;
    kick.condition = SLICE("conflict");
    kick.names = buffer_slice(&names);
    send_event(inbox_queue_, &kick);
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost"
                " <alice@localhost/desk");
    EXPECT_NOTHING_PUBLISHED();
    buffer_deinit(&names);
    client_close(&client);
    fixture_close();
}

static void send_ask(const char *service)
{
    struct event ask;

    event_init(&ask, EVENT_SNAPSHOT_ASK);
    ask.origin = 9;
    ask.service = slice_of(service);
    ask.node = SLICE("delivery.1-beef");
    ask.request = 3;
    ask.partition = 0xffff;
    send_event(node_queue_, &ask);
}

/* The names that the answer to `service` has of the one session. */
static struct slice ask_snapshot(const char *service)
{
    const char *exchange = NULL;
    const struct event *session;

    ignore_published();
    send_ask(service);
    session = next_published(&exchange);
    CU_ASSERT_EQUAL(session->type, EVENT_SNAPSHOT_SESSION);
    ASSERT_SLICE(session->from, "alice@localhost/desk");
    return session->names;
}

static void test_snapshot(void)
{
    struct client client;
    struct map *copy = NULL;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    CU_ASSERT_FALSE(slice_is_set(ask_snapshot("delivery")));
    client_send(&client, "<presence to='room@localhost/a'/>"
                         "<presence to='carol@localhost'/>");
    directed_read(&copy, ask_snapshot("delivery"));
    CU_ASSERT_TRUE(directed_has(copy, SLICE("room@localhost/a")));
    CU_ASSERT_TRUE(directed_has(copy, SLICE("carol@localhost")));
    map_destroy(&copy);
    CU_ASSERT_FALSE(slice_is_set(ask_snapshot("presence")));
    client_close(&client);
    fixture_close();
}

/* After a reconnection others may be heard before there is an inbox again: what
 * they make of a snapshot would be lost. */
static void test_snapshot_without_inbox(void)
{
    const char *exchange = NULL;
    struct client client;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    fake_bus_reset(inbox_queue_, "connection lost");
    ignore_published();
    send_ask("delivery");
    EXPECT_NOTHING_PUBLISHED();
    fake_bus_start(inbox_queue_);
    pump();
    CU_ASSERT_EQUAL(next_published(&exchange)->type, EVENT_INBOX_REGISTER);
    CU_ASSERT_EQUAL(next_published(&exchange)->type, EVENT_SNAPSHOT_SESSION);
    CU_ASSERT_EQUAL(next_published(&exchange)->type, EVENT_SNAPSHOT_END);
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"last presence", test_last_presence},
    {"bind", test_bind},
    {"bind without resource", test_bind_without_resource},
    {"bind refused", test_bind_refused},
    {"binding without an account", test_bind_not_authorized},
    {"bind not answered", test_bind_not_answered},
    {"kick", test_kick},
    {"kick of one whose end is known", test_kick_told},
    {"snapshot", test_snapshot},
    {"snapshot without an inbox", test_snapshot_without_inbox},
};

int main(void)
{
    return unit_run("session", cases, ARRAY_SIZE(cases));
}
