/* A session is expected: it comes, does not, or is kicked on its way. */
#include "arriving.h"

/* Nobody waits for it here; from the first word of it on it is awaited. */
static void test_expected(void)
{
    open_frontend();
    deliver(ELSEWHERE, 1);
    EXPECT_LINE(GIVEN_BACK("m1"));
    expect_session(ELSEWHERE);
    CU_ASSERT_TRUE(arrival_expects(frontend, ELSEWHERE));
    deliver(ELSEWHERE, 2);
    EXPECT_NOTHING_PUBLISHED();
    send_transfer(0);
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    EXPECT_LINE(REPORTED);
    EXPECT_NOTHING_PUBLISHED();
    expect_session(ELSEWHERE); /* a repeat */
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    fixture_close();
}

/* It does not come: that is about one move, and not about a later one. */
static void test_failed(void)
{
    open_frontend();
    expect_session(ELSEWHERE);
    deliver(ELSEWHERE, 1);
    send_failed(0, FENCE);
    EXPECT_LINE(GIVEN_BACK("m1"));
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    deliver(ELSEWHERE, 2);
    send_unacked_of(FENCE + 1, 0, 1, NULL);
    send_failed(0, FENCE);
    CU_ASSERT_TRUE(arrival_expects(frontend, ELSEWHERE));
    send_failed(0, FENCE + 1);
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void test_too_old(void)
{
    uint64_t now_ms = clock_now_ms();

    open_frontend();
    expect_session(ELSEWHERE);
    deliver(ELSEWHERE, 1);
    send_unacked(2, NULL);
    order_kick(ELSEWHERE);
    arrivals_tick(frontend, now_ms + 9 * 60 * 1000);
    EXPECT_NOTHING_PUBLISHED();
    arrivals_tick(frontend, clock_now_ms() + 10 * 60 * 1000);
    EXPECT_LINE(GIVEN_BACK("m1")); /* not m2: who had it does that */
    check_fenced(FENCE, "item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    fixture_close();
}

/* Kicked on its way: it comes first, then it ends, with all that was for it,
 * and then the fence is answered. */
static void test_kicked_on_its_way(void)
{
    struct client client;

    open_frontend();
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 5);
    send_unacked(1, NULL);
    order_as(FENCE + 1, EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_transfer(1);
    check_report();
    EXPECT_TEXT(&client, FAILED_AFTER("3"));
    CU_ASSERT_FALSE(is_here(ELSEWHERE));
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE(GIVEN_BACK("m5"));
    check_fenced(FENCE + 1, "ended");
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Of none that is on its way. */
static void test_kicked_unknown(void)
{
    open_frontend();
    order_kick(ELSEWHERE);
    check_fenced(FENCE, "item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Kicked on its way, and does not come. */
static void test_kicked_and_failed(void)
{
    open_frontend();
    expect_session(ELSEWHERE);
    deliver(ELSEWHERE, 5);
    order_as(FENCE + 1, EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_NOTHING_PUBLISHED();
    send_failed(0, FENCE);
    EXPECT_LINE(GIVEN_BACK("m5"));
    check_fenced(FENCE + 1, "item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void deliver_answer(unsigned n)
{
    struct event event = message(EVENT_STANZA_DELIVER, ELSEWHERE, n);

    event.kind = STANZA_IQ;
    event.subtype = SLICE("result");
    event.to = SLICE(DESK);
    event.is_durable = false;
    send_event(inbox_queue_, &event);
}

/* Given back, and said to be no stanza for here: it must not come again. */
static void check_given_back_for_good(void)
{
    const char *exchange = NULL;
    const struct event *route = next_published(&exchange);

    CU_ASSERT_EQUAL(route->type, EVENT_STANZA_ROUTE);
    CU_ASSERT_EQUAL(route->session, ELSEWHERE);
    ASSERT_SLICE(route->node, daemon_node(frontend->daemon));
    ASSERT_SLICE(route->condition, "returned");
}

/* As one that is away for too long: it ends, and its messages keep their
 * order. */
static void test_too_much(void)
{
    struct client client;

    open_frontend();
    frontend->config.max_unacked = 1;
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 2);
    deliver(ELSEWHERE, 3);
    EXPECT_NOTHING_PUBLISHED();
    deliver_answer(4);
    check_given_back_for_good();
    deliver(ELSEWHERE, 5);
    check_given_back_for_good();
    send_unacked(1, NULL);
    EXPECT_NOTHING_PUBLISHED();
    send_transfer(1);
    check_report();
    EXPECT_TEXT(&client, FAILED_AFTER("3"));
    CU_ASSERT_FALSE(is_here(ELSEWHERE));
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(CLOSED);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_LINE(GIVEN_BACK("m3"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* When it has come. */
static void test_kicked_later(void)
{
    struct client client;

    open_frontend();
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_transfer(1);
    EXPECT_LINE(REPORTED);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    order_kick(ELSEWHERE);
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE(FENCED("ended"));
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"expected", test_expected},
    {"failed", test_failed},
    {"too old", test_too_old},
    {"kicked on its way", test_kicked_on_its_way},
    {"kicked, unknown", test_kicked_unknown},
    {"kicked and failed", test_kicked_and_failed},
    {"kicked later", test_kicked_later},
    {"too much comes early", test_too_much},
};

int main(void)
{
    return unit_run("expected", cases, ARRAY_SIZE(cases));
}
