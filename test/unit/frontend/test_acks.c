#include "../../../frontend/acks.h"

#include "base/clock.h"
#include "fixture.h"

#define SM(name) "<" name " xmlns='" NS_SM "'/>"
#define ANSWER(h) "<a xmlns='" NS_SM "' h='" h "'/>"

static void client_enable(struct client *client)
{
    fixture_open(fixture_plain);
    client_login(client, "desk");
    client_send(client, SM("enable"));
    EXPECT_TEXT(client, SM("enabled"));
}

static void client_done(struct client *client)
{
    client_close(client);
    fixture_close();
}

static struct event message_to(const struct client *client, uint64_t sequence)
{
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.origin = 77;
    event.sequence = sequence;
    event.path = 3;
    event.session = client->session;
    event.kind = STANZA_MESSAGE;
    event.to = SLICE("alice@localhost");
    event.from = SLICE("bob@localhost/pc");
    event.payload = SLICE("<body>hi</body>");
    event.is_durable = true;
    return event;
}

static void deliver(const struct client *client, uint64_t sequence)
{
    struct event event = message_to(client, sequence);

    send_event(inbox_queue_, &event);
}

/* Confirms, and lets what is settled be told. */
static void confirm(void)
{
    fake_bus_confirm(bus);
    pump();
}

static void tick(uint64_t later_ms)
{
    acks_tick(TAILQ_FIRST(&frontend->connections)->session,
              clock_now_ms() + later_ms);
    pump();
}

static void test_enable(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_send(&client, HEADER SM("enable"));
    EXPECT_TEXT(&client, "<sm xmlns='" NS_SM "'/></stream:features>");
    EXPECT_TEXT(&client, "<failed xmlns='" NS_SM "'><unexpected-request "
                         "xmlns='" NS_STANZA_ERRORS "'/></failed>");
    client_send(&client, "<resume xmlns='" NS_SM "' previd='x' h='0'/>");
    EXPECT_TEXT(&client, "<item-not-found ");
    client_done(&client);

    client_enable(&client);
    client_send(&client, SM("enable"));
    EXPECT_TEXT(&client, "<unexpected-request ");
    client_done(&client);
}

static void test_out_of_place(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, "<unsupported-stanza-type ");
    client_done(&client);
}

/* h rises when the broker has confirmed, in order, and not before. */
static void test_confirmed(void)
{
    struct client client;

    client_enable(&client);
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, ANSWER("0"));
    client_send(&client,
                "<message to='bob@localhost'><body>1</body></message>");
    client_send(&client,
                "<message to='bob@localhost'><body>2</body></message>");
    client_send(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    fake_bus_confirm_one(bus, fake_bus_count(bus) - 1); /* the second first */
    pump();
    CU_ASSERT_TRUE(client_is_quiet(&client));
    tick(0); /* but a client that asks gets an answer within a second */
    EXPECT_TEXT(&client, ANSWER("0"));
    client_send(&client, SM("r"));
    confirm();
    EXPECT_TEXT(&client, ANSWER("2"));
    /* What is answered here counts too, in both directions. */
    client_send(&client,
                "<iq type='get' id='1'><ping xmlns='" NS_PING "'/></iq>");
    EXPECT_TEXT(&client, "id='1'/>" SM("r"));
    confirm();
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, ANSWER("3"));
    client_done(&client);
}

/* The inbox's message is held until the client has the stanza. */
static void test_acknowledged(void)
{
    struct client client;
    size_t acked;

    client_enable(&client);
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    deliver(&client, 1);
    deliver(&client, 2);
    EXPECT_TEXT(&client, "<body>hi</body></message>" SM("r"));
    EXPECT_TEXT(&client, "<body>hi</body></message>");
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    client_send(&client, ANSWER("1"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    EXPECT_TEXT(&client, SM("r"));
    client_send(&client, ANSWER("2"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, ANSWER("3"));
    EXPECT_TEXT(&client, "<undefined-condition xmlns='" NS_STREAM_ERRORS
                         "'/><handled-count-too-high xmlns='" NS_SM
                         "' h='3' send-count='2'/></stream:error>");
    client_done(&client);
}

static void test_bad_count(void)
{
    static const char *const bad[] = {SM("a"), ANSWER("x"), ANSWER(""),
                                      ANSWER("4294967296"),
                                      ANSWER("99999999999")};
    struct client client;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        client_enable(&client);
        client_send(&client, bad[i]);
        EXPECT_TEXT(&client, "<bad-format ");
        client_done(&client);
    }
}

/* The same event on a new channel: the new message is held instead. */
static void test_again(void)
{
    struct client client;
    size_t acked;

    client_enable(&client);
    confirm();
    deliver(&client, 1);
    EXPECT_TEXT(&client, SM("r"));
    fake_bus_reset(inbox_queue_, "connection lost");
    acked = fake_bus_acked(inbox_queue_);
    deliver(&client, 1);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    client_send(&client, ANSWER("1"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    client_done(&client);
}

/* Not acknowledged for a while: the archive keeps it, the inbox lets go. */
static void test_custody(void)
{
    struct client client;
    size_t acked;

    client_enable(&client);
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    deliver(&client, 1);
    EXPECT_TEXT(&client, SM("r"));
    tick(1000);
    EXPECT_NOTHING_PUBLISHED();
    tick(3000);
    EXPECT_LINE("archive archive.store message alice@localhost "
                "<bob@localhost/pc !custody durable {<body>hi</body>}");
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    client_send(&client, ANSWER("1"));
    EXPECT_LINE("archive archive.drop alice@localhost");
    client_done(&client);
}

/* What the client does not have is routed again after the session's end. */
static void test_given_back(void)
{
    struct client client;
    size_t acked;

    client_enable(&client);
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    deliver(&client, 1);
    deliver(&client, 2);
    EXPECT_TEXT(&client, SM("r"));
    client_send(&client, ANSWER("1"));
    client_send(&client, "</stream:stream>");
    EXPECT_TEXT(&client, "</stream:stream>");
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    EXPECT_LINE("delivery stanza.route message alice@localhost "
                "<bob@localhost/pc !returned durable {<body>hi</body>}");
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    client_done(&client);
}

static void test_silent(void)
{
    struct client client;

    client_enable(&client);
    confirm();
    deliver(&client, 1);
    EXPECT_TEXT(&client, SM("r"));
    ignore_published();
    acks_tick(TAILQ_FIRST(&frontend->connections)->session,
              clock_now_ms() + frontend->config.ack_timeout);
    pump();
    CU_ASSERT_PTR_NULL(client_session(&client));
    EXPECT_LINE("archive archive.store message alice@localhost "
                "<bob@localhost/pc !custody durable {<body>hi</body>}");
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    EXPECT_NOTHING_PUBLISHED(); /* the archive has it */
    client_done(&client);
}

static void tick_stream(uint64_t now_ms)
{
    stream_tick(TAILQ_FIRST(&frontend->connections), now_ms);
    pump();
}

/* Silent for long, with nothing to acknowledge: asked as a sign of life. */
static void test_keep_alive(void)
{
    struct client client;
    uint64_t due_ms;

    client_enable(&client);
    due_ms = TAILQ_FIRST(&frontend->connections)->active_ms + 300000;
    tick_stream(due_ms - 1);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    tick_stream(due_ms);
    EXPECT_TEXT(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_send(&client, ANSWER("0"));
    tick_stream(due_ms + 30000);
    EXPECT_TEXT(&client, SM("r")); /* by this clock 300 s have passed again */
    tick_stream(due_ms + 59999);
    CU_ASSERT_PTR_NOT_NULL(client_session(&client));
    tick_stream(due_ms + 60000);
    CU_ASSERT_PTR_NULL(client_session(&client));
    client_done(&client);
}

static const struct unit_case cases[] = {
    {"enable", test_enable},
    {"out of place", test_out_of_place},
    {"h is what is confirmed", test_confirmed},
    {"acknowledged", test_acknowledged},
    {"bad counts", test_bad_count},
    {"the same again", test_again},
    {"custody", test_custody},
    {"given back", test_given_back},
    {"a silent client", test_silent},
    {"keep-alive", test_keep_alive},
};

int main(void)
{
    return unit_run("acks", cases, ARRAY_SIZE(cases));
}
