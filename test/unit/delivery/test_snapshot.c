#include "../../../delivery/snapshot.h"

#include "fixture.h"

#define GONE(id, resource)                                                     \
    "presence presence.update #" id "/unavailable " BOB " <" BOB "/" resource  \
    " !gone"

static struct event report(uint64_t session, const char *node,
                           const char *resource, bool is_available)
{
    static char full[8][64];
    static unsigned next;
    struct event event = fixture_event(EVENT_SNAPSHOT_SESSION);
    char *text = full[next++ % 8];

    snprintf(text, sizeof(full[0]), BOB "/%s", resource);
    event.from = slice_of(text);
    event.resource = slice_of(resource);
    event.session = session;
    event.node = slice_of(node);
    event.is_available = is_available;
    event.stamp = 1000 + session;
    return event;
}

static void send_report(uint64_t session, const char *node,
                        const char *resource, bool is_available)
{
    struct event event = report(session, node, resource, is_available);

    snapshot_session(delivery, &event, &output);
}

/* As if its last event was long ago. */
static void let_age(uint64_t id)
{
    fixture_get(id)->touched_ms = 1;
}

static void test_taking_over(void)
{
    struct event event = report(1, "f1", "a", true);

    fixture_open();
    snapshot_begin(delivery, SLICE("f1"));
    event.is_interested = true;
    event.priority = 4;
    snapshot_session(delivery, &event, &output);
    send_report(2, "f1", "b", false);
    snapshot_end(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_get(1)->is_available);
    CU_ASSERT_TRUE(fixture_get(1)->is_interested);
    CU_ASSERT_EQUAL(fixture_get(1)->priority, 4);
    CU_ASSERT_FALSE(fixture_get(2)->is_available);
    ASSERT_SLICE(fixture_get(1)->full, BOB "/a");
    /* The available one is treated as coming online. */
    replay_tick(delivery, 1, &output);
    EXPECT(&output, "archive archive.replay #1 " BOB " <" BOB "/a");
    fixture_close();
}

static void test_negative_is_not_online(void)
{
    struct event event = report(1, "f1", "a", true);

    fixture_open();
    event.priority = -1;
    snapshot_session(delivery, &event, &output);
    replay_tick(delivery, 1, &output);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_replacing(void)
{
    fixture_open();
    send_report(1, "f1", "a", true);
    send_report(2, "f1", "b", true);
    send_report(3, "f2", "c", true);
    send_report(4, "f1", "d", false);
    let_age(1);
    snapshot_begin(delivery, SLICE("f1"));
    send_report(2, "f1", "b", true);
    CU_ASSERT_TRUE(fixture_has(1)); /* nothing ends before the end */
    snapshot_end(delivery, SLICE("f1"), &output);
    EXPECT(&output, GONE("1", "a"));
    CU_ASSERT_FALSE(fixture_has(1));
    CU_ASSERT_FALSE(fixture_has(4));
    CU_ASSERT_TRUE(fixture_has(2));
    CU_ASSERT_TRUE(fixture_has(3));
    snapshot_begin(delivery, SLICE("f1"));
    send_report(2, "f1", "b", true);
    snapshot_end(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    fixture_close();
}

/* Snapshot and queue overtake each other: what was handled just now stays. */
static void test_race(void)
{
    struct event bind = fixture_bind(1, "f1", "a");
    struct event available = fixture_presence(1, BOB "/a", NULL, 2);

    fixture_open();
    fixture_send(&bind);
    fixture_send(&available);
    output_clear(&output);
    snapshot_begin(delivery, SLICE("f1"));
    send_report(1, "f1", "a", false);
    snapshot_end(delivery, SLICE("f1"), &output);
    CU_ASSERT_TRUE(fixture_get(1)->is_available);
    snapshot_begin(delivery, SLICE("f1"));
    snapshot_end(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    let_age(1);
    snapshot_begin(delivery, SLICE("f1"));
    send_report(1, "f1", "a", false);
    snapshot_end(delivery, SLICE("f1"), &output);
    CU_ASSERT_FALSE(fixture_get(1)->is_available);
    fixture_close();
}

static void test_conflict(void)
{
    fixture_open();
    send_report(1, "f1", "a", true);
    send_report(2, "f2", "a", true); /* logged in later */
    EXPECT(&output, "inbox:f1 session.kick #1 " BOB "/a !conflict",
           GONE("1", "a"));
    send_report(1, "f1", "a", true);
    EXPECT(&output, "inbox:f1 session.kick #1 " BOB "/a !conflict");
    CU_ASSERT_FALSE(fixture_has(1));
    CU_ASSERT_TRUE(fixture_has(2));
    fixture_close();
}

static void test_bound_is_newer(void)
{
    struct event bind = fixture_bind(3, "f1", "a");

    fixture_open();
    fixture_send(&bind);
    output_clear(&output);
    send_report(2, "f2", "a", true);
    EXPECT(&output, "inbox:f2 session.kick #2 " BOB "/a !conflict");
    CU_ASSERT_TRUE(fixture_has(3));
    fixture_close();
}

static void test_moved(void)
{
    fixture_open();
    send_report(1, "f1", "a", true);
    send_report(1, "f2", "a", true);
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();
}

/* How far the session's moves have come is part of the report. */
static void test_move_number(void)
{
    struct event old = report(1, "f1", "a", true);
    struct event event = report(1, "f2", "a", true);
    struct event fenced;

    old.mark = 20;
    event.mark = 40;
    fixture_open();
    snapshot_session(delivery, &event, &output);
    CU_ASSERT_EQUAL(fixture_get(1)->move, 40);
    fenced = fixture_fenced(1, BOB "/a", "f1", "moved");
    fenced.mark = 20;
    fixture_send(&fenced);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_SESSION_KICK), 1);
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    snapshot_session(delivery, &old, &output); /* about to forget it */
    CU_ASSERT_EQUAL(fixture_get(1)->move, 40);
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    event.mark = 60;
    event.node = SLICE("f3");
    snapshot_session(delivery, &event, &output);
    CU_ASSERT_EQUAL(fixture_get(1)->move, 60);
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f3");
    fixture_close();
}

/* A former owner's clock was ahead: our moves are later ones all the same. */
static void test_move_of_the_future(void)
{
    struct event event = report(1, "f1", "a", true);
    struct event resume = fixture_event(EVENT_SESSION_RESUME);
    struct buffer body = BUFFER_EMPTY;
    struct event move;

    fixture_open();
    event.mark = delivery->request + 1000;
    snapshot_session(delivery, &event, &output);
    resume.to = SLICE(BOB);
    resume.session = 1;
    resume.node = SLICE("f2");
    resume.request = 5;
    fixture_send(&resume);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 1, &body, &move));
    CU_ASSERT_EQUAL_FATAL(move.type, EVENT_SESSION_MOVE);
    CU_ASSERT_TRUE(move.request > event.mark);
    buffer_deinit(&body);
    fixture_close();
}

static void test_node_gone(void)
{
    struct event fenced;

    fixture_open();
    send_report(1, "f1", "a", true);
    send_report(2, "f1", "b", false);
    send_report(3, "f2", "c", true);
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT(&output, GONE("1", "a"));
    replay_tick(delivery, 1, &output); /* goes on at the other frontend */
    EXPECT(&output, "archive archive.replay #3 " BOB " <" BOB "/c");
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT(&output, "inbox:f2 session.fence #3 " BOB "/c", GONE("3", "c"));
    fenced = fixture_fenced(3, BOB "/c", NULL, "item-not-found");
    fixture_send(&fenced);
    EXPECT_NOTHING(&output);
    replay_tick(delivery, UINT64_MAX, &output); /* no answer will come */
    EXPECT_NOTHING(&output);
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"taking over", test_taking_over},
        {"a negative priority is not online", test_negative_is_not_online},
        {"a snapshot replaces", test_replacing},
        {"but not what happened just now", test_race},
        {"two frontends claim one resource", test_conflict},
        {"a bound session is newer", test_bound_is_newer},
        {"a session moved", test_moved},
        {"the number of a move", test_move_number},
        {"a move of the future", test_move_of_the_future},
        {"a frontend is gone", test_node_gone},
    };

    return unit_run("delivery snapshot", cases, ARRAY_SIZE(cases));
}
