/* What is given back had been on its way to a session, and comes before what
 * waits. */
#include "waiting.h"

/* A user who is served through the archive: what has been given to his session
 * is older than what waits here, and comes back before it. */
static void test_given_back_comes_first(void)
{
    fixture_open();
    store_message(CUSTODY, "c1");
    store_message(PLAIN, "p1");
    store_message(RETURNED, "r1");
    store_message(PLAIN, "p2");
    store_message(RETURNED, "r2");
    store_message(CUSTODY, "c2");
    check_order_for(8, "c1 r1 r2 c2 p1 p2 ");
    fixture_close();
}

static void test_other_users(void)
{
    struct event event = message(PLAIN, EVE, "e1");

    fixture_open();
    fixture_begin();
    store_add_account(archive.store, SLICE(EVE));
    fixture_commit();
    store_message(PLAIN, "p1");
    fixture_send(&event);
    event = message(RETURNED, EVE, "e2");
    fixture_send(&event);
    event = message(PLAIN, EVE, "e3");
    fixture_send(&event);
    store_message(RETURNED, "r1");
    check_order("r1 p1 ");
    replay(EVE, 0);
    EXPECT(&output,
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e2}",
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e1}",
           "inbox:f1 stanza.deliver #7 message/chat " EVE " <" AMY " {e3}",
           "delivery archive.replayed #7 " EVE);
    fixture_close();
}

/* Nothing of it is forgotten by the next owner. */
static void test_reopened(void)
{
    fixture_open();
    store_message(PLAIN, "p1");
    fixture_reopen();
    store_message(RETURNED, "r1");
    check_order("r1 p1 ");
    fixture_close();
}

/* Late, in the middle of a replay. */
static void test_after_a_page(void)
{
    fixture_open();
    store_message(PLAIN, "p1");
    store_message(RETURNED, "r1");
    replay(BOB, 0);
    EXPECT(&output, REPLAY("r1"), REPLAY("p1"), REPLAYED);
    store_message(RETURNED, "r2");
    check_order("r1 r2 p1 ");
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

/* The session a page went to is over: only deletes. */
static void end_page(struct end end)
{
    struct event event = fixture_event(EVENT_ARCHIVE_REPLAY);

    event.to = SLICE(BOB);
    event.session = 7;
    event.node = SLICE("");
    event.count = end.row;
    event.newest = end.newest;
    fixture_send(&event);
    EXPECT_NOTHING(&output);
}

/* Of a page of two, that one comes here again; three waits behind. */
static void check_spared(enum way way, const char *payload,
                         const char *expected)
{
    struct event events[] = {message(PLAIN, BOB, "1"), message(PLAIN, BOB, "2"),
                             message(PLAIN, BOB, "3")};
    struct event again = message(way, BOB, payload);
    const struct event *stored = &events[slice_is(again.payload, "1") ? 0 : 1];
    struct end end = {0};

    fixture_open();
    fixture_send(&events[0]);
    fixture_send(&events[1]);
    end = replay_page(7, BOB, end);
    fixture_send(&events[2]);
    output_clear(&output);
    again.origin = stored->origin;
    again.sequence = stored->sequence;
    again.path = 1244; /* it has been delivered */
    fixture_send(&again);
    end_page(end);
    check_order_for(8, expected);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_close();
}

/* What has come back of a page, or is in custody, is not deleted with it, and
 * stays where it was. */
static void test_page_is_deleted_but_what_came_back(void)
{
    check_spared(RETURNED, "1", "1 3 ");
    check_spared(RETURNED, "2", "2 3 ");
    check_spared(CUSTODY, "1", "1 3 ");
    check_spared(CUSTODY, "2", "2 3 ");
}

/* What is in custody for the session was not in its page, whoever asks next. */
static void test_page_is_deleted_but_custody(void)
{
    struct end end = {0};

    fixture_open();
    store_message(CUSTODY, "1");
    store_message(PLAIN, "2");
    store_message(PLAIN, "3");
    end = replay_page(7, BOB, end);
    EXPECT(&output, REPLAY("2"), REPLAY("3"), REPLAYED);
    end_page(end);
    check_order_for(8, "1 ");
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"given back comes first", test_given_back_comes_first},
        {"other users", test_other_users},
        {"reopened", test_reopened},
        {"given back after a page", test_after_a_page},
        {"given back during a page", test_given_back_during_a_page},
        {"a page of a session that is over",
         test_page_is_deleted_but_what_came_back},
        {"... that has some in custody", test_page_is_deleted_but_custody},
    };

    return unit_run("archive given back", cases, ARRAY_SIZE(cases));
}
