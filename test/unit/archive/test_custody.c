/* Custody: what a client has been sent and has not acknowledged; and what it
 * acknowledges is dropped. */
#include "waiting.h"

/* Dropping. */

static void test_drop(void)
{
    struct event custody = message(CUSTODY, BOB, "c1");
    struct event drop = drop_of(&custody);

    fixture_open();
    fixture_send(&custody);
    store_message(PLAIN, "p1");
    fixture_send(&drop);
    fixture_send(&drop);
    EXPECT_NOTHING(&output);
    check_order_for(8, "p1 ");
    fixture_close();
}

/* Acknowledged is acknowledged, in whatever way it comes after that; and says
 * nothing about anybody else. */
static void test_dropped_is_not_stored(void)
{
    static const enum way ways[] = {PLAIN, RETURNED, CUSTODY};

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct event event = message(ways[i], BOB, "m");
        struct event drop = drop_of(&event);
        struct event of_eve = event;

        fixture_open();
        fixture_begin();
        store_add_account(archive.store, SLICE(EVE));
        fixture_commit();
        store_message(PLAIN, "p1");
        fixture_send(&drop); /* overtook what it is about */
        fixture_send(&event);
        event.path += 9;
        fixture_send(&event);
        fixture_reopen();
        fixture_send(&event);
        CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
        store_message(RETURNED, "r1");
        check_order_for(8, "r1 p1 ");
        of_eve.to = SLICE(EVE);
        fixture_send(&of_eve);
        CU_ASSERT_EQUAL(store_count(archive.store, SLICE(EVE)), 1);
        fixture_close();
    }
}

/* Nor does the mark of such a one get lost: delivery waits for it. */
static void test_mark_of_a_dropped(void)
{
    struct event event = message(PLAIN, BOB, "m");
    struct event drop = drop_of(&event);

    event.mark = 5;
    fixture_open();
    fixture_send(&drop);
    fixture_send(&event);
    CU_ASSERT_EQUAL(store_mark(archive.store, SLICE(BOB)), 5);
    fixture_close();
}

/* Custody. */

static void test_custody_repeated(void)
{
    struct event custody = message(CUSTODY, BOB, "c1");

    fixture_open();
    fixture_send(&custody);
    fixture_send(&custody);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    check_order_for(8, "c1 ");
    fixture_close();
}

/* Its own session has it, and keeps it in the archive, however often that is
 * replayed to; another one gets it, and then it is gone. */
static void test_whose_custody(void)
{
    uint64_t row;

    fixture_open();
    store_message(CUSTODY, "c1");
    store_message(PLAIN, "p1");
    store_message(CUSTODY, "c2");
    fixture_reopen();
    check_order_for(7, "p1 ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 2);
    row = replay(BOB, UINT32_MAX);
    CU_ASSERT_EQUAL(row, 0); /* nothing left, for this one */
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 2);
    check_order_for(8, "c1 c2 ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_close();
}

/* Two sessions had it, one after the other: the last one counts. */
static void test_custody_changes(void)
{
    struct event custody = message(CUSTODY, BOB, "c1");

    fixture_open();
    fixture_send(&custody);
    custody.session = 8;
    fixture_send(&custody);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    replay_to(8, BOB, UINT32_MAX);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    output_clear(&output);
    check_order_for(7, "c1 ");
    fixture_close();
}

/* A page is full of what is to be sent: what is in custody does not count. */
static void test_custody_and_pages(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event answer;

    fixture_open();
    fixture_config.max_offline = 0;
    for (int i = 0; i < PAGE; i++) {
        store_message(CUSTODY, "c");
        store_message(PLAIN, "p");
    }
    store_message(CUSTODY, "c");
    replay(BOB, 0);
    CU_ASSERT_EQUAL(output.count, PAGE + 1);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, PAGE, &body, &answer));
    CU_ASSERT_FALSE(answer.has_more);
    check_order("p p p ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), PAGE + 1);
    buffer_deinit(&body);
    fixture_close();
}

/* It was delivered, and deleted when its page had arrived; now its client does
 * not acknowledge it. */
static void test_custody_of_a_known_one(void)
{
    struct event stored = message(PLAIN, BOB, "1");
    struct event custody = stored;

    custody.condition = SLICE("custody");
    custody.session = 7; /* the same id and path */
    fixture_open();
    fixture_send(&stored);
    check_order_for(8, "1 ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_send(&custody);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    check_order_for(8, "1 ");
    fixture_close();
}

/* A page that has been given and deleted, and is taken into custody then, is
 * older than what waits. */
static void test_custody_comes_first(void)
{
    fixture_open();
    store_message(PLAIN, "p1");
    store_message(PLAIN, "p2");
    store_message(CUSTODY, "c1");
    store_message(CUSTODY, "c2");
    store_message(PLAIN, "p3");
    store_message(CUSTODY, "c3");
    check_order("p1 p2 p3 ");
    check_order_for(8, "c1 c2 c3 ");
    fixture_close();
    fixture_open();
    store_message(CUSTODY, "c1");
    store_message(PLAIN, "p1");
    store_message(CUSTODY, "c2");
    check_order_for(8, "c1 c2 p1 ");
    fixture_close();
}

/* The limit is for those who are away: its session is there. */
static void test_custody_over_limit(void)
{
    fixture_open();
    for (size_t i = 0; i < MAX_OFFLINE; i++)
        store_message(PLAIN, "p");
    store_message(CUSTODY, "c");
    EXPECT_NOTHING(&output);
    check_order_for(8, "c p p p p p ");
    fixture_close();
}

/* Replayed, taken into custody, and only then is its page known to have
 * arrived: deleting the page does not take it along, nor does it come again. */
static void test_custody_of_a_page_under_way(void)
{
    struct event stored = message(PLAIN, BOB, "1");
    struct event custody = stored;
    struct event drop = drop_of(&stored);
    uint64_t row;

    custody.condition = SLICE("custody");
    custody.session = 7;
    custody.path = 1244;
    fixture_open();
    fixture_send(&stored);
    row = replay(BOB, 0);
    EXPECT(&output, REPLAY("1"), REPLAYED);
    fixture_send(&custody);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    CU_ASSERT_EQUAL(replay(BOB, row), 0);
    EXPECT(&output, REPLAYED);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
    fixture_send(&drop); /* acknowledged at last */
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_send(&custody); /* a repeat, late */
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"drop", test_drop},
        {"dropped is not stored", test_dropped_is_not_stored},
        {"mark of a dropped one", test_mark_of_a_dropped},
        {"custody comes first", test_custody_comes_first},
        {"custody repeated", test_custody_repeated},
        {"whose custody", test_whose_custody},
        {"custody changes", test_custody_changes},
        {"custody and pages", test_custody_and_pages},
        {"custody of a known one", test_custody_of_a_known_one},
        {"custody over the limit", test_custody_over_limit},
        {"custody of a page under way", test_custody_of_a_page_under_way},
    };

    return unit_run("archive custody", cases, ARRAY_SIZE(cases));
}
