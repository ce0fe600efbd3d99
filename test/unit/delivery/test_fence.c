#include "../../../delivery/snapshot.h"

#include "base/clock.h"
#include "fences.h"

/* Kicking. */

static void test_conflict(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_bind(8, "f2", "a");
    EXPECT_NOTED(KICKED("f1"), GONE("1", "a"),
                 "inbox:f2 session.bound #8 " BOB "/a");
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    send_message(BOB); /* nobody is available */
    EXPECT_NOTED(STORE(" #1"));
    send_presence(8, BOB "/a"); /* nothing is asked for yet */
    EXPECT_NOTED("presence presence.update #8 <" BOB "/a");
    send_message(BOB);
    send_returned(BOB);
    EXPECT_NOTED(STORE(" #8"), STORE_RETURNED(" #8"));
    send_fenced(last.fence, 1, BOB "/a", "f1", "ended");
    EXPECT_NOTED(REPLAY("8", "a"));
    fixture_close();
}

/* An order, not only a wait: what was known before is not asked for. */
static void test_conflict_nothing_stored(void)
{
    static const char *const conditions[] = {"ended", "item-not-found"};

    for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
        fixture_open();
        fixture_add(1, "a", true, 0);
        send_bind(8, "f2", "a");
        EXPECT_NOTED(KICKED("f1"), GONE("1", "a"),
                     "inbox:f2 session.bound #8 " BOB "/a");
        send_fenced(last.fence, 1, BOB "/a", "f1", conditions[i]);
        EXPECT_NOTHING(&output);
        send_presence(8, BOB "/a");
        EXPECT_NOTED("presence presence.update #8 <" BOB "/a",
                     REPLAY("8", "a"));
        fixture_close();
    }
}

/* Somebody else gets the messages meanwhile. */
static void test_no_fence_needed(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    fixture_add(2, "b", true, 0);
    last.fence = 77;
    send_bind(8, "f2", "a");
    EXPECT_NOTED(KICKED("f1"), GONE("1", "a"),
                 "inbox:f2 session.bound #8 " BOB "/a");
    CU_ASSERT_EQUAL(last.fence, 0);
    send_message(BOB);
    EXPECT_NOTED(LIVE("f1", "2", BOB));
    fixture_close();
}

/* A moving session loses its resource: both fences must be back. */
static void test_two_fences(void)
{
    uint64_t move;
    uint64_t kick;

    open_moving();
    move = last.fence;
    send_bind(8, "f3", "a");
    EXPECT_NOTED(KICKED("f2"), GONE("1", "a"),
                 "inbox:f3 session.bound #8 " BOB "/a");
    kick = last.fence;
    CU_ASSERT_NOT_EQUAL(move, kick);
    send_presence(8, BOB "/a");
    output_clear(&output);
    send_fenced(kick, 1, BOB "/a", "f2", "item-not-found");
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(STORE(" #8"));
    send_fenced(move, 1, BOB "/a", "f1", "item-not-found");
    EXPECT_NOTED(REFUSED("f2"), REPLAY("8", "a"));
    fixture_close();
}

/* Putting again. */

static void test_put_again(void)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t fence;

    open_moving();
    fence = last.fence;
    fence_tick(delivery, now_ms + 1000, &output);
    EXPECT_NOTHING(&output);
    now_ms = clock_now_ms() + 5000;
    fence_tick(delivery, now_ms, &output);
    EXPECT_NOTED(MOVE_FROM("f1"));
    CU_ASSERT_EQUAL(last.fence, fence);
    CU_ASSERT_STRING_EQUAL(last.target, "f2");
    fence_tick(delivery, now_ms + 4999, &output);
    EXPECT_NOTHING(&output);
    fence_tick(delivery, now_ms + 5000, &output);
    EXPECT_NOTED(MOVE_FROM("f1"));
    send_fenced(fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    fence_tick(delivery, now_ms + 50000, &output);
    EXPECT_NOTHING(&output);
    send_fenced(fence, 1, BOB "/a", "f1", "item-not-found"); /* to the second */
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();
}

/* However late we are, each is put once. */
static void test_put_again_late(void)
{
    open_moving();
    fence_tick(delivery, clock_now_ms() + 3600000, &output);
    EXPECT_NOTED(MOVE_FROM("f1"));
    fixture_close();
}

static void test_unknown_number(void)
{
    open_moving();
    send_fenced(last.fence + 1, 1, BOB "/a", "f1", "item-not-found");
    send_fenced(0, 1, BOB "/a", "f1", "ended");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_get(1)->is_moving);
    send_message(BOB);
    EXPECT_NOTED(STORE(" #1"));
    fixture_close();

    fixture_open();
    send_fenced(3, 1, BOB "/a", "f1", "ended");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Sessions that this owner has not heard of. */

static void test_moved_unknown(void)
{
    fixture_open();
    send_fenced(3, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    CU_ASSERT_TRUE(fixture_get(1)->is_available);
    CU_ASSERT_EQUAL(fixture_get(1)->stamp, 1);
    fixture_close();
}

static void test_moved_older(void)
{
    fixture_open();
    send_bind(8, "f3", "a");
    output_clear(&output);
    send_fenced(3, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(KICKED("f2"));
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    CU_ASSERT_FALSE(fixture_has(1));
    CU_ASSERT_TRUE(fixture_has(8));
    fixture_close();
}

static void test_moved_newer(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0)->stamp = 1;
    send_fenced(3, 8, BOB "/a", "f2", "moved");
    EXPECT_NOTED(KICKED("f1"), GONE("1", "a"), MOVED("8", "a"));
    CU_ASSERT_FALSE(fixture_has(1));
    send_fenced(last.fence, 1, BOB "/a", "f1", "ended");
    EXPECT_NOTED(REPLAY("8", "a")); /* it came online meanwhile */
    fixture_close();
}

/* Frontends that are gone. */

static void test_node_gone(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    session_set_node(fixture_add(2, "b", true, 0), SLICE("f2"));
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT_NOTED(GONE("1", "a")); /* the other one gets the messages */
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT_NOTED(FENCED("f2", "2", "b"), GONE("2", "b"));
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    send_message(BOB);
    send_returned(BOB);
    EXPECT_NOTED(STORE(" #2"), STORE_RETURNED(" #2"));
    fence_tick(delivery, clock_now_ms() + 5000, &output);
    EXPECT_NOTED(FENCED("f2", "2", "b"));
    CU_ASSERT_FALSE(is_forgotten());
    send_fenced(last.fence, 2, BOB "/b", NULL, "item-not-found");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Who makes up for a session that is kicked, lost or closed?  One that gets
 * what it got; anyone who gets messages, if it got none. */

struct presence {
    bool is_available;
    int64_t priority;
};

static void kick_a(void)
{
    send_bind(8, "f3", "a");
}

static void lose_a(void)
{
    snapshot_node_gone(delivery, SLICE("f1"), &output);
}

static void close_a(void)
{
    send_close(1, BOB "/a", "f1");
}

/* If nobody does, messages wait; else they go to the other at once. */
static void check_made_up(void (*end)(void), struct presence of,
                          struct presence other, bool is_fenced)
{
    fixture_open();
    fixture_add(1, "a", of.is_available, of.priority);
    session_set_node(fixture_add(2, "b", other.is_available, other.priority),
                     SLICE("f2"));
    last.fence = 0;
    end();
    note_outputs();
    output_clear(&output);
    CU_ASSERT_EQUAL(last.fence != 0, is_fenced);
    CU_ASSERT_FALSE(fixture_has(1));
    CU_ASSERT_TRUE(fixture_has(2));
    send_message(BOB);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_ARCHIVE_STORE), is_fenced);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), !is_fenced);
    fixture_close();
}

static void test_made_up_for(void)
{
    static const struct {
        struct presence of, other;
        bool is_fenced;
    } rows[] = {
        {{true, 0}, {true, 0}, false},  {{true, 0}, {true, 1}, false},
        {{true, 1}, {true, 0}, true},   {{true, 0}, {true, -1}, true},
        {{true, 0}, {false, 5}, true},  {{true, -1}, {true, 0}, false},
        {{false, 5}, {true, 0}, false}, {{false, 0}, {true, -1}, true},
        {{true, -1}, {false, 0}, true},
    };

    static void (*const ends[])(void) = {kick_a, lose_a, close_a};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(ends); j++)
            check_made_up(ends[j], rows[i].of, rows[i].other,
                          rows[i].is_fenced);
    }
}

/* What is on its way to its inbox comes before what comes later. */
static void test_closed_session(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_close(1, BOB "/a", "f1");
    EXPECT_NOTED(FENCED("f1", "1", "a"), GONE("1", "a"));
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    send_message(BOB);
    EXPECT_NOTED(STORE(" #1"));
    send_returned(BOB);
    EXPECT_NOTED(STORE_RETURNED(" #1"));
    send_fenced(last.fence, 1, BOB "/a", "f1", "here");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Where it was before: it is not over, it has moved on. */
static void test_closed_elsewhere(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_close(1, BOB "/a", "f2");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();

    open_moving();
    send_close(1, BOB "/a", "f1");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    send_close(1, BOB "/a", "f2"); /* it has come, and ended */
    EXPECT_NOTED(FENCED("f2", "1", "a"), GONE("1", "a"));
    CU_ASSERT_FALSE(fixture_has(1));
    fixture_close();
}

/* The place where it was is gone: who drains the inbox answers. */
static void test_old_node_gone(void)
{
    open_moving();
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();
}

/* The place where it goes is gone: it has ended, whatever comes. */
static void test_new_node_gone(void)
{
    uint64_t move;
    uint64_t gone;

    open_moving();
    move = last.fence;
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT_NOTED(FENCED("f2", "1", "a"), GONE("1", "a"));
    gone = last.fence;
    send_fenced(move, 1, BOB "/a", NULL, "item-not-found");
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_FALSE(is_forgotten());
    send_fenced(gone, 1, BOB "/a", NULL, "item-not-found");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* A frontend that is asked for a snapshot does not have it any more. */
static void test_snapshot_while_moving(void)
{
    open_moving();
    fixture_get(1)->touched_ms = 1;
    snapshot_begin(delivery, SLICE("f2"));
    snapshot_end(delivery, SLICE("f2"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();
}

/* What is not back at the end. */
static void test_closed(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    send_bind(8, "f4", "a");
    send_message(BOB);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"a conflict", test_conflict},
        {"a conflict, nothing stored", test_conflict_nothing_stored},
        {"no fence needed", test_no_fence_needed},
        {"two fences", test_two_fences},
        {"put again", test_put_again},
        {"put again late", test_put_again_late},
        {"an unknown number", test_unknown_number},
        {"moved, unknown", test_moved_unknown},
        {"moved, older", test_moved_older},
        {"moved, newer", test_moved_newer},
        {"a frontend is gone", test_node_gone},
        {"who makes up for it", test_made_up_for},
        {"a session is closed", test_closed_session},
        {"closed elsewhere", test_closed_elsewhere},
        {"the old frontend is gone", test_old_node_gone},
        {"the new frontend is gone", test_new_node_gone},
        {"a snapshot while moving", test_snapshot_while_moving},
        {"closed with fences", test_closed},
    };

    return unit_run("delivery fence", cases, ARRAY_SIZE(cases));
}
