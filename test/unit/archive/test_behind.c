/* Order around a fence: what is given back, then what waited behind it. */
#include "fixture.h"

#define EVE "eve@x"
#define REPLAY(payload)                                                        \
    "inbox:f1 stanza.deliver #7 message/chat " BOB " <" AMY " {" payload "}"
#define REPLAYED "delivery archive.replayed #7 " BOB

/* How a message comes to the archive. */
enum way { PLAIN, BEHIND, RETURNED, CUSTODY };

static struct event message(enum way way, const char *to, const char *payload)
{
    struct event event = fixture_message(to, payload);

    event.is_behind = way == BEHIND;
    if (way == RETURNED)
        event.condition = SLICE("returned");
    if (way != CUSTODY)
        return event;
    event.condition = SLICE("custody");
    event.session = 7;
    event.path = 1244; /* it has been delivered */
    return event;
}

static void store_message(enum way way, const char *payload)
{
    struct event event = message(way, BOB, payload);

    fixture_send(&event);
}

/* A page: where it ends. */
struct end {
    uint64_t row;
    uint64_t newest;
};

static struct end replay_page(uint64_t session, const char *user,
                              struct end arrived)
{
    struct event event = fixture_event(EVENT_ARCHIVE_REPLAY);
    struct buffer body = BUFFER_EMPTY;
    struct event answer;

    event.to = slice_of(user);
    event.session = session;
    event.node = SLICE("f1");
    event.count = arrived.row;
    event.newest = arrived.newest;
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(
        outputs_event(&output, output.count - 1, &body, &answer));
    buffer_deinit(&body);
    return (struct end){answer.count, answer.newest};
}

/* Everything up to row `until` has arrived; returns the last row of the next
 * page. */
static uint64_t replay_to(uint64_t session, const char *user, uint64_t until)
{
    return replay_page(session, user, (struct end){until, 0}).row;
}

static uint64_t replay(const char *user, uint64_t until)
{
    return replay_to(7, user, until);
}

/* All of bob's messages that are for that session, a page at a time. */
static void check_order_for(uint64_t session, const char *expected)
{
    struct buffer order = BUFFER_EMPTY;
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    uint64_t row = 0;

    do {
        output_clear(&output);
        row = replay_to(session, BOB, row);
        for (size_t i = 0; i + 1 < output.count; i++) {
            CU_ASSERT_TRUE_FATAL(outputs_event(&output, i, &body, &event));
            CU_ASSERT_FALSE(event.is_behind);
            CU_ASSERT_FALSE(slice_is_set(event.condition));
            buffer_append(&order, event.payload);
            buffer_append_byte(&order, ' ');
        }
    } while (row);
    output_clear(&output);
    if (!slice_is(buffer_slice(&order), expected))
        printf("\n    expected: %s\n    actual:   %.*s\n", expected,
               SLICE_FORMAT(buffer_slice(&order)));
    ASSERT_SLICE(buffer_slice(&order), expected);
    buffer_deinit(&order);
    buffer_deinit(&body);
}

static void check_order(const char *expected)
{
    check_order_for(7, expected);
}

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

/* Dropping and custody. */

static struct event drop_of(const struct event *stored)
{
    struct event drop = *stored;

    drop.type = EVENT_ARCHIVE_DROP;
    return drop;
}

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
 * nothing about a fence, or about anybody else. */
static void test_dropped_is_not_stored(void)
{
    static const enum way ways[] = {PLAIN, BEHIND, RETURNED, CUSTODY};

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct event event = message(ways[i], BOB, "m");
        struct event drop = drop_of(&event);
        struct event of_eve = event;

        fixture_open();
        fixture_begin();
        store_add_account(archive.store, SLICE(EVE));
        fixture_commit();
        store_message(BEHIND, "b1");
        fixture_send(&drop); /* overtook what it is about */
        fixture_send(&event);
        event.path += 9;
        fixture_send(&event);
        fixture_reopen();
        fixture_send(&event);
        CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 1);
        store_message(RETURNED, "r1");
        check_order_for(8, "r1 b1 ");
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

/* Behind a fence it keeps its place, and stays in custody when that ends. */
static void test_custody_behind(void)
{
    struct event behind = message(BEHIND, BOB, "b1");
    struct event custody = behind;

    custody.is_behind = false;
    custody.condition = SLICE("custody");
    custody.session = 7;
    fixture_open();
    fixture_send(&behind);
    fixture_send(&custody);
    store_message(RETURNED, "r1");
    check_order("r1 ");
    store_message(RETURNED, "r2");
    check_order_for(8, "b1 r2 ");
    fixture_close();
}

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
        {"what ends the fence", test_what_ends_it},
        {"a replay ends it", test_replay_ends_it},
        {"a repeat does not", test_repeat},
        {"two fences", test_two_fences},
        {"other users", test_other_users},
        {"identity", test_identity},
        {"reopened", test_reopened},
        {"drop", test_drop},
        {"dropped is not stored", test_dropped_is_not_stored},
        {"mark of a dropped one", test_mark_of_a_dropped},
        {"custody comes first", test_custody_comes_first},
        {"custody repeated", test_custody_repeated},
        {"whose custody", test_whose_custody},
        {"custody changes", test_custody_changes},
        {"custody and pages", test_custody_and_pages},
        {"custody of a known one", test_custody_of_a_known_one},
        {"custody behind", test_custody_behind},
        {"given back comes first", test_given_back_comes_first},
        {"given back during a page", test_given_back_during_a_page},
        {"custody over the limit", test_custody_over_limit},
        {"custody of a page under way", test_custody_of_a_page_under_way},
    };

    return unit_run("archive behind", cases, ARRAY_SIZE(cases));
}
