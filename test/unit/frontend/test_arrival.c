#include "../../../frontend/arrival.h"

#include "../../../frontend/seen.h"
#include "moving.h"

static void send_unacked(unsigned n, const char *condition)
{
    struct event event = message(EVENT_SESSION_UNACKED, ELSEWHERE, n);

    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

/* alice/desk, available; 3 stanzas came from the client, 7 were acknowledged,
 * messages up to `given` were given out. */
static void send_transfer(unsigned given)
{
    struct slice directed = SLICE("carol@localhost/x");
    struct seen *seen = NULL;
    struct buffer names = BUFFER_EMPTY;
    struct buffer window = BUFFER_EMPTY;
    struct event event;

    for (unsigned n = 1; n <= given; n++) {
        struct event old = message(EVENT_STANZA_DELIVER, ELSEWHERE, n);

        CU_ASSERT_FALSE(seen_is_repeat(&seen, &old));
    }
    seen_write(seen, &window);
    seen_destroy(&seen);
    event_list_write(&names, &directed, 1);
    event_init(&event, EVENT_SESSION_TRANSFER);
    event.origin = 8;
    event.sequence = 1;
    event.from = SLICE(DESK);
    event.session = ELSEWHERE;
    event.request = FENCE;
    event.count = 3;
    event.mark = 7;
    event.node = SLICE(OTHER_NODE);
    event.resource = SLICE("desk");
    event.kind = STANZA_PRESENCE;
    event.payload = SLICE("<show>away</show>");
    event.is_available = true;
    event.is_interested = true;
    event.priority = 5;
    event.stamp = 1700000000000;
    event.names = buffer_slice(&names);
    if (window.size)
        event.window = buffer_slice(&window);
    send_event(inbox_queue_, &event);
    buffer_deinit(&names);
    buffer_deinit(&window);
}

#define REPORTED                                                               \
    "delivery session.fenced presence <" DESK " !moved {<show>away</show>}"

static void check_report(void)
{
    const char *exchange = NULL;
    const struct event *fenced = next_published(&exchange);

    CU_ASSERT_EQUAL(fenced->type, EVENT_SESSION_FENCED);
    CU_ASSERT_EQUAL(fenced->request, FENCE);
    CU_ASSERT_EQUAL(fenced->session, ELSEWHERE);
    CU_ASSERT_EQUAL(fenced->priority, 5);
    CU_ASSERT_EQUAL(fenced->stamp, 1700000000000);
    CU_ASSERT_TRUE(fenced->is_available);
    CU_ASSERT_TRUE(fenced->is_interested);
    ASSERT_SLICE(fenced->from, DESK);
    ASSERT_SLICE(fenced->resource, "desk");
    ASSERT_SLICE(fenced->node, daemon_node(frontend->daemon));
    ASSERT_SLICE(fenced->condition, "moved");
    ASSERT_SLICE(fenced->payload, "<show>away</show>");
}

static void test_arrival(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "8");
    acked = fake_bus_acked(inbox_queue_);
    deliver(ELSEWHERE, 3); /* early: does not overtake */
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_transfer(2);
    check_report();
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m2m3"));
    EXPECT_TEXT(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 3); /* not m2 */
    client_send(&client, ANSWER("10"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    /* Counting goes on. */
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    confirm();
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, ANSWER("4"));
    ignore_published();
    /* Who was sent directed presence is told of the end. */
    client_send(&client, "</stream:stream>");
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE("delivery session.close <" DESK);
    client_close(&client);
    fixture_close();
}

/* What the client has been given before, there or early here, it is not given
 * again. */
static void test_arrival_repeats(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "9");
    deliver(ELSEWHERE, 2); /* given back there, and routed again */
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", ""));
    CU_ASSERT_FALSE(is_here(ELSEWHERE)); /* it said 9, and 7 were sent */
    client_close(&client);
    fixture_close();

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 2);
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m3"));
    EXPECT_TEXT(&client, SM("r"));
    for (unsigned n = 1; n <= 3; n++)
        deliver(ELSEWHERE, n);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    deliver(ELSEWHERE, 4);
    EXPECT_TEXT(&client, "<body>m4</body>");
    client_close(&client);
    fixture_close();
}

static void test_arrival_twice(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_TEXT(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_send(&client, ANSWER("8"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_close(&client);
    fixture_close();
}

/* The broker hands out again what the client has not acknowledged: the new
 * messages are held in place of the former, and let go like those. */
static void test_arrival_redelivered(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    send_unacked(3, "custody");
    send_transfer(3);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1m2m3"));
    confirm();
    ignore_published();
    fake_bus_reset(inbox_queue_, "connection lost");
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    send_unacked(3, "custody");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    client_send(&client, ANSWER("8"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    send_unacked(1, NULL); /* once more, too late */
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 3);
    client_send(&client, ANSWER("10"));
    EXPECT_LINE("archive archive.drop alice@localhost");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* In custody: not again, and taken out when the client has it. */
static void test_arrival_in_custody(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, "custody");
    send_transfer(1);
    check_report();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_TEXT(&client, SM("r"));
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, ANSWER("8"));
    EXPECT_LINE("archive archive.drop alice@localhost");
    client_close(&client);
    fixture_close();
}

/* Its client is not there, or not any more: it may still come. */
static void test_arrival_unawaited(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    client_close(&client);
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    CU_ASSERT_TRUE(is_detached(ELSEWHERE));
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    client_return(&client);
    client_resume(&client, "7");
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    tick(frontend->config.resume_timeout + 1000);
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE("delivery session.close <" DESK);
    EXPECT_NOTHING_PUBLISHED(); /* the archive has it */
    fixture_close();
}

/* Kicked on its way: what is here of it is kept for it; if nothing is, what
 * came early goes back before the answer. */
static void test_kicked_on_its_way(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 5);
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_LINE(GIVEN_BACK("m5"));
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    send_unacked(1, NULL);
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    send_transfer(1);
    EXPECT_LINE(REPORTED);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    client_close(&client);
    fixture_close();
}

/* What is not complete at the end. */
static void test_arrival_at_exit(void)
{
    fixture_open(fixture_plain);
    send_unacked(1, NULL);
    deliver(ELSEWHERE, 2);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"arrival", test_arrival},
    {"arrival, repeats", test_arrival_repeats},
    {"arrival, twice", test_arrival_twice},
    {"arrival, handed out again", test_arrival_redelivered},
    {"arrival in custody", test_arrival_in_custody},
    {"arrival unawaited", test_arrival_unawaited},
    {"kicked on its way", test_kicked_on_its_way},
    {"arrival at exit", test_arrival_at_exit},
};

int main(void)
{
    return unit_run("arrival", cases, ARRAY_SIZE(cases));
}
