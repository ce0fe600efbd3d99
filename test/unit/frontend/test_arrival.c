#include "../../../frontend/unacked.h"
#include "arriving.h"

static void test_arrival(void)
{
    struct client client;
    size_t acked;

    open_frontend();
    ask_elsewhere(&client, "8");
    acked = fake_bus_acked(inbox_queue_);
    deliver(ELSEWHERE, 3); /* early: does not overtake */
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_transfer(2);
    check_report();
    CU_ASSERT_TRUE(client_is_resumed_only(&client, "3", "m2m3"));
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2); /* not m2, m3 */
    client_send(&client, ANSWER("10"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    /* Counting goes on. */
    client_say(&client, "x");
    confirm();
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, ANSWER("4"));
    ignore_published();
    /* Who was sent directed presence is told of the end. */
    client_send(&client, "</stream:stream>");
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(CLOSED);
    client_close(&client);
    fixture_close();
}

/* What the client has been given before, there or early here, it is not given
 * again. */
static void test_arrival_repeats(void)
{
    struct client client;

    open_frontend();
    ask_elsewhere(&client, "9");
    deliver(ELSEWHERE, 2); /* given back there, and routed again */
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", ""));
    CU_ASSERT_FALSE(is_here(ELSEWHERE)); /* it said 9, and 7 were sent */
    EXPECT_LINE(REPORTED);
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(CLOSED);
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_LINE(GIVEN_BACK("m3"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();

    open_frontend();
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

    open_frontend();
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    send_unacked_of(FENCE, 0, 1, NULL);
    send_transfer(1);
    check_report();
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(client_is_resumed_only(&client, "3", "m1"));
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

    open_frontend();
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
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    send_unacked_of(FENCE, 2, 3, "custody");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    client_send(&client, ANSWER("8"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    send_unacked_of(FENCE, 0, 1, NULL); /* once more, too late */
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

/* The same before the session has come: the broker must not be told that they
 * are done before the client has them. */
static void test_redelivered_on_its_way(void)
{
    struct client client;
    size_t acked;

    open_frontend();
    ask_elsewhere(&client, "7");
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    deliver(ELSEWHERE, 3);
    confirm();
    fake_bus_reset(inbox_queue_, "connection lost");
    acked = fake_bus_acked(inbox_queue_);
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    confirm();
    CU_ASSERT_TRUE(client_is_resumed_only(&client, "3", "m1m2m3"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1); /* transfer */
    client_send(&client, ANSWER("8"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    client_send(&client, ANSWER("10"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    client_close(&client);
    fixture_close();
}

/* What came early is taken into custody, too, if its client does not come. */
static void test_early_in_custody(void)
{
    size_t acked;

    open_frontend();
    expect_session(ELSEWHERE);
    deliver(ELSEWHERE, 3);
    send_transfer(0);
    check_report();
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    tick(0);
    EXPECT_LINE(CUSTODY("m3"));
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    fixture_close();
}

/* In custody: not again, and taken out when the client has it. */
static void test_arrival_in_custody(void)
{
    struct client client;
    size_t acked;

    open_frontend();
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

    open_frontend();
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
    EXPECT_LINE(ENDED_DIRECTED);
    EXPECT_LINE(CLOSED);
    EXPECT_NOTHING_PUBLISHED(); /* the archive has it */
    fixture_close();
}

/* Repeats and other moves. */

/* Published twice, because a confirm was lost. */
static void test_published_twice(void)
{
    struct client client;

    open_frontend();
    ask_elsewhere(&client, "7");
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    send_unacked_of(FENCE, 2, 1, NULL); /* not by its id: it was sent twice */
    send_transfer(2);
    check_report();
    CU_ASSERT_TRUE(client_is_resumed_only(&client, "3", "m1m2m1"));
    client_close(&client);
    fixture_close();
}

/* The first one did not come to its end.  Stanzas of it that are late, too,
 * are of no interest any more. */
static void test_newer_move(void)
{
    struct client client;

    open_frontend();
    ask_elsewhere(&client, "7");
    send_unacked_of(FENCE, 0, 1, NULL);
    send_unacked_of(FENCE, 1, 2, NULL);
    send_unacked_of(FENCE + 1, 0, 2, NULL);
    send_unacked_of(FENCE, 2, 3, NULL);
    send_unacked_of(FENCE + 1, 1, 4, NULL);
    send_transfer_of(FENCE + 1, 4);
    CU_ASSERT_EQUAL(acks_unacked(session_find(frontend, ELSEWHERE))->count, 2);
    CU_ASSERT_TRUE(client_is_resumed_only(&client, "3", "m2m4"));
    client_close(&client);
    fixture_close();
}

/* It was here, and has gone on: the story of how it came is an old one. */
static void test_older_transfer(void)
{
    open_frontend();
    send_transfer(0);
    check_report();
    order_as(FENCE + 5, EVENT_SESSION_MOVE, ELSEWHERE, OTHER_NODE, NULL);
    EXPECT_LINE("frontend session.transfer presence <" DESK
                " {<show>away</show>}");
    confirm();
    CU_ASSERT_FALSE(is_here(ELSEWHERE));
    send_transfer(0);
    send_transfer_of(FENCE + 5, 0);
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(is_here(ELSEWHERE));
    send_transfer_of(FENCE + 6, 0); /* back again */
    CU_ASSERT_TRUE(is_here(ELSEWHERE));
    CU_ASSERT_EQUAL(session_find(frontend, ELSEWHERE)->move, FENCE + 6);
    fixture_close();
}

/* What is not complete at the end. */
static void test_arrival_at_exit(void)
{
    open_frontend();
    send_unacked(1, NULL);
    deliver(ELSEWHERE, 2);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"arrival", test_arrival},
    {"arrival, repeats", test_arrival_repeats},
    {"arrival, twice", test_arrival_twice},
    {"arrival, handed out again", test_arrival_redelivered},
    {"handed out again on its way", test_redelivered_on_its_way},
    {"early in custody", test_early_in_custody},
    {"arrival in custody", test_arrival_in_custody},
    {"arrival unawaited", test_arrival_unawaited},
    {"published twice", test_published_twice},
    {"a newer move", test_newer_move},
    {"an older transfer", test_older_transfer},
    {"arrival at exit", test_arrival_at_exit},
};

int main(void)
{
    return unit_run("arrival", cases, ARRAY_SIZE(cases));
}
