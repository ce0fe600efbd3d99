/* Order around a fence: what is given back, then what waited behind it. */
#include "waiting.h"

/* Does a message that came that way end the fence?  Session 8 gets what is in
 * custody for session 7, too. */
static void test_what_ends_it(void)
{
    static const struct {
        enum way way;
        const char *order;
    } rows[] = {
        {PLAIN, "last old b1 b2 new "},
        {BEHIND, "last old b1 b2 new "},
        {RETURNED, "new last old b1 b2 "},
        {CUSTODY, "new last old b1 b2 "},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fixture_open();
        store_message(PLAIN, "old");
        store_message(BEHIND, "b1");
        store_message(BEHIND, "b2");
        store_message(rows[i].way, "new");
        store_message(RETURNED, "last");
        EXPECT_NOTHING(&output);
        check_order_for(8, rows[i].order);
        fixture_close();
    }
}

static void test_replay_ends_it(void)
{
    fixture_open();
    store_message(BEHIND, "b1");
    store_message(RETURNED, "r1");
    replay(BOB, 0);
    EXPECT(&output, REPLAY("r1"), REPLAY("b1"), REPLAYED);
    store_message(RETURNED, "r2"); /* late */
    check_order("r1 r2 b1 ");
    fixture_close();
}

/* Only what is new says that the fence is over. */
static void test_repeat(void)
{
    struct event old = message(PLAIN, BOB, "old");

    fixture_open();
    fixture_send(&old);
    store_message(BEHIND, "b1");
    fixture_send(&old);
    store_message(RETURNED, "r1");
    check_order("r1 old b1 ");
    fixture_close();
}

static void test_two_fences(void)
{
    fixture_open();
    store_message(BEHIND, "b1");
    store_message(PLAIN, "p1");
    store_message(BEHIND, "b2");
    store_message(RETURNED, "r2");
    check_order("r2 b1 p1 b2 ");
    fixture_close();
}

static void test_other_users(void)
{
    struct event event = message(BEHIND, EVE, "e1");

    fixture_open();
    fixture_begin();
    store_add_account(archive.store, SLICE(EVE));
    fixture_commit();
    store_message(BEHIND, "b1");
    fixture_send(&event);
    event = message(RETURNED, EVE, "e2");
    fixture_send(&event);
    event = message(PLAIN, EVE, "e3");
    fixture_send(&event);
    store_message(RETURNED, "r1");
    check_order("r1 b1 ");
    replay(EVE, 0);
    EXPECT(&output,
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e2}",
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e1}",
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e3}",
           "delivery archive.replayed #7 " EVE);
    fixture_close();
}

/* It is the same message: known, dropped and counted as before. */
static void test_identity(void)
{
    struct event behind = message(BEHIND, BOB, "b1");
    struct event drop = behind;

    fixture_open();
    fixture_send(&behind);
    store_message(PLAIN, "p1");
    fixture_send(&behind);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 2);
    behind.path++; /* another way */
    fixture_send(&behind);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 2);
    drop.type = EVENT_ARCHIVE_DROP;
    fixture_send(&drop);
    check_order("p1 ");
    fixture_close();
}

/* The fence and who waits behind it are not forgotten by the next owner. */
static void test_reopened(void)
{
    fixture_open();
    store_message(BEHIND, "b1");
    fixture_reopen();
    store_message(RETURNED, "r1");
    check_order("r1 b1 ");
    fixture_close();
}

/* Given back. */

/* A user who is served through the archive: what has been given to his session
 * is older than what waits here, and comes back before it. */
static void test_given_back_comes_first(void)
{
    fixture_open();
    store_message(CUSTODY, "c1");
    store_message(PLAIN, "p1");
    store_message(RETURNED, "r1");
    store_message(BEHIND, "b1");
    store_message(RETURNED, "r2");
    store_message(CUSTODY, "c2");
    check_order_for(8, "c1 r1 r2 c2 p1 b1 ");
    fixture_close();
}

/* It comes back before the end of a page that is under way, and was not in it:
 * when the page has arrived, it is still here. */
static void test_given_back_during_a_page(void)
{
    struct end end = {0};

    fixture_open();
    store_message(PLAIN, "p1");
    store_message(PLAIN, "p2");
    end = replay_page(7, BOB, end);
    store_message(RETURNED, "r1");
    store_message(PLAIN, "p3");
    output_clear(&output);
    end = replay_page(7, BOB, end);
    EXPECT(&output, REPLAY("r1"), REPLAY("p3"), REPLAYED);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 2);
    replay_page(7, BOB, end);
    EXPECT(&output, REPLAYED);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"what ends the fence", test_what_ends_it},
        {"a replay ends it", test_replay_ends_it},
        {"a repeat does not", test_repeat},
        {"two fences", test_two_fences},
        {"other users", test_other_users},
        {"identity", test_identity},
        {"reopened", test_reopened},
        {"given back comes first", test_given_back_comes_first},
        {"given back during a page", test_given_back_during_a_page},
    };

    return unit_run("archive behind", cases, ARRAY_SIZE(cases));
}
