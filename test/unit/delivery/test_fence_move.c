/* A session moves. */
#include "fences.h"

/* It is not there any more. */
static void send_lost(const char *node)
{
    send_fenced(last.fence, 1, BOB "/a", node, "item-not-found");
}

static void check_place(const char *node, uint64_t move)
{
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, node);
    CU_ASSERT_EQUAL(fixture_get(1)->move, move);
}

/* A message that comes now waits in the archive. */
static void check_waits(void)
{
    send_message(BOB);
    EXPECT_NOTED(STORE(" #1"));
}

/* A message that comes now goes to session 1. */
#define EXPECT_LIVE(node)                                                      \
    do {                                                                       \
        send_message(BOB);                                                     \
        EXPECT_NOTED(LIVE(node, "1", BOB));                                    \
    } while (0)

static void test_move(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    fixture_open();
    fixture_add(1, "a", true, 0);
    send_resume(1, "f2", 5);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 1, &body, &event));
    ASSERT_SLICE(event.node, "f2");
    CU_ASSERT_NOT_EQUAL(event.request, 0);
    CU_ASSERT_NOT_EQUAL(event.request, 5); /* that is the asker's */
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 2, &body, &event));
    ASSERT_SLICE(event.node, "f2");
    EXPECT_NOTED(ORDERED("f1", "f2")); /* expected before anything comes */
    arrive_at("f2");
    check_place("f2", last.fence);
    CU_ASSERT_FALSE(fixture_get(1)->is_moving);
    buffer_deinit(&body);
    fixture_close();
}

static void test_unknown_session(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    fixture_open();
    send_resume(1, "f2", 5);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.request, 5);
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_TRUE(is_forgotten());
    fixture_add(3, "c", true, 0);
    send_resume(1, "f2", 6);
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_EQUAL(last.refused, 6);
    buffer_deinit(&body);
    fixture_close();
}

/* Nothing that is asked for twice is done twice. */
static void test_repeats(void)
{
    uint64_t fence;

    open_moving();
    fence = last.fence;
    send_resume(1, "f2", 5);
    EXPECT_NOTHING(&output);
    arrive_at("f2");
    send_resume(1, "f2", 6); /* it is there: who has it would not ask */
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_EQUAL(last.refused, 6);
    CU_ASSERT_EQUAL(last.refused_move, 0);
    send_moved(fence, "f2");
    EXPECT_NOTED(MOVED("1", "a"));
    EXPECT_LIVE("f2");
    fixture_close();
}

/* It has the session, says delivery, and asks for it: it has lost it, or
 * delivery does not know better.  Nobody may wait for nothing. */
static void test_asked_by_its_place(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_resume(1, "f1", 5);
    EXPECT_NOTED(REFUSED("f1"));
    CU_ASSERT_EQUAL(last.refused, 5);
    CU_ASSERT_TRUE(fixture_has(1));
    send_resume(1, "f1", 0);
    EXPECT_NOTED(REFUSED("f1"));
    EXPECT_LIVE("f1"); /* there is no fence */
    fixture_close();
}

/* Who asked last at the same place is told. */
static void test_asked_again(void)
{
    open_moving();
    send_resume(1, "f2", 6);
    EXPECT_NOTHING(&output);
    send_lost("f1");
    EXPECT_NOTED(REFUSED("f2"), GONE("1", "a"));
    CU_ASSERT_EQUAL(last.refused, 6);
    CU_ASSERT_EQUAL(last.refused_move, last.fence);
    fixture_close();
}

/* On to a third place, when it has come to the second. */
static void test_third_place(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    EXPECT_NOTHING(&output);
    send_moved(last.fence, "f2");
    EXPECT_NOTED(MOVED("1", "a"), ORDERED("f2", "f3"));
    CU_ASSERT_STRING_EQUAL(last.target, "f3");
    check_waits();
    send_moved(last.fence, "f3");
    EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f3");
    fixture_close();
}

static void test_third_place_fails(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    send_lost("f1");
    EXPECT_NOTED(REFUSED("f2"), REFUSED("f3"), GONE("1", "a"));
    CU_ASSERT_EQUAL(last.refused, 6);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* The last wish counts; who had the one before is told. */
static void test_minds_change(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    EXPECT_NOTHING(&output);
    send_resume(1, "f4", 7);
    EXPECT_NOTED(REFUSED("f3"));
    send_resume(1, "f2", 8);
    EXPECT_NOTED(REFUSED("f4"));
    arrive_at("f2");
    EXPECT_LIVE("f2");
    fixture_close();
}

/* A frontend that stops offers its sessions: one that a client has asked for
 * goes to the client. */
static void test_offers(void)
{
    open_moving();
    send_resume(1, "f3", 0);
    EXPECT_NOTHING(&output);
    arrive_at("f2");
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    send_resume(1, "f3", 0);
    EXPECT_NOTED(ORDERED("f2", "f3"));
    send_lost("f2");
    /* Nobody waits, but something may have come for it. */
    EXPECT_NOTED(REFUSED("f3"), GONE("1", "a"));
    CU_ASSERT_EQUAL(last.refused, 0);
    CU_ASSERT_EQUAL(last.refused_move, last.fence);
    fixture_close();
}

static void test_not_found(void)
{
    open_moving();
    send_lost("f1");
    EXPECT_NOTED(REFUSED("f2"), GONE("1", "a"));
    CU_ASSERT_EQUAL(last.refused, 5);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Nobody has seen it: nobody is told. */
static void test_not_found_unavailable(void)
{
    fixture_open();
    fixture_add(1, "a", false, 0);
    send_resume(1, "f2", 5);
    EXPECT_NOTED(ORDERED("f1", "f2"));
    send_lost("f1");
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Another move was quicker, whose end is to come: this one is no failure. */
static void test_handed_over(void)
{
    uint64_t move;

    open_moving();
    move = last.fence;
    send_message(BOB);
    EXPECT_NOTED(STORE(" #1"));
    send_fenced(move, 1, BOB "/a", "f1", "handed-over");
    EXPECT_NOTED(REPLAY("1", "a"));
    CU_ASSERT_TRUE(fixture_has(1));
    send_moved(move - 1, "f3");
    EXPECT_NOTED(MOVED("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f3");
    CU_ASSERT_FALSE(fixture_get(1)->is_moving);
    fixture_close();
}

/* Numbers of moves. */

/* It has moved on since: whoever still tells the story has an old copy. */
static void test_lower_number(void)
{
    uint64_t move = open_moved();

    send_moved(move - 1, "f3");
    EXPECT_NOTED(KICKED("f3"));
    CU_ASSERT_NOT_EQUAL(last.fence, move);
    check_place("f2", move);
    check_waits(); /* what that one gives back comes first */
    send_fenced(last.fence, 1, BOB "/a", "f3", "ended");
    EXPECT_NOTED(REPLAY("1", "a"));
    CU_ASSERT_TRUE(fixture_has(1));
    fixture_close();
}

/* The same move cannot have ended at two places. */
static void test_same_number_elsewhere(void)
{
    uint64_t move = open_moved();

    send_moved(move, "f3");
    EXPECT_NOTED(KICKED("f3"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    fixture_close();
}

/* Told twice, and in between it has been asked for elsewhere: it is on its way
 * from there, and still is if that fails. */
static void test_told_again_on_its_way(void)
{
    uint64_t move = open_moved();

    send_resume(1, "f3", 6);
    EXPECT_NOTED(ORDERED("f2", "f3"));
    send_moved(move, "f2");
    EXPECT_NOTHING(&output);
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f3");
    CU_ASSERT_TRUE(fixture_get(1)->is_moving);
    send_lost("f2");
    EXPECT_NOTED(REFUSED("f3"), GONE("1", "a"));
    fixture_close();
}

/* A later owner's number is a higher one. */
static void test_higher_number(void)
{
    uint64_t move = open_moved();

    send_moved(move + 9, "f3");
    EXPECT_NOTED(MOVED("1", "a"));
    check_place("f3", move + 9);
    fixture_close();
}

/* It was there already: the number of the order is not that of the session. */
static void test_moved_to_where_it_is(void)
{
    open_moving();
    send_fenced_by(0, last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    check_place("f2", 0);
    EXPECT_LIVE("f2");
    fixture_close();
}

/* Closed, kicked or lost on its way: it must not live on where it arrives. */
static void test_ended_on_its_way(void)
{
    uint64_t move;
    uint64_t kick;

    open_moving();
    move = last.fence;
    send_bind(8, "f3", "a");
    EXPECT_NOTED(KICKED("f2"), GONE("1", "a"),
                 "inbox:f3 session.bound #8 " BOB "/a");
    send_presence(8, BOB "/a");
    output_clear(&output);
    kick = last.fence;
    send_moved(move, "f2");
    EXPECT_NOTED(KICKED("f2"));
    CU_ASSERT_NOT_EQUAL(last.fence, kick);
    CU_ASSERT_FALSE(fixture_has(1));
    CU_ASSERT_TRUE(fixture_has(8));
    send_fenced(kick, 1, BOB "/a", "f2", "ended");
    EXPECT_NOTHING(&output);
    send_lost("f2");
    EXPECT_NOTED(REPLAY("8", "a")); /* it has just come online */
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"a session moves", test_move},
        {"an unknown session", test_unknown_session},
        {"repeats", test_repeats},
        {"asked for by its place", test_asked_by_its_place},
        {"asked again", test_asked_again},
        {"a third place", test_third_place},
        {"a third place fails", test_third_place_fails},
        {"the last wish counts", test_minds_change},
        {"offers", test_offers},
        {"not found", test_not_found},
        {"not found, unavailable", test_not_found_unavailable},
        {"handed over", test_handed_over},
        {"a lower number", test_lower_number},
        {"the same number elsewhere", test_same_number_elsewhere},
        {"told again on its way", test_told_again_on_its_way},
        {"a higher number", test_higher_number},
        {"moved to where it is", test_moved_to_where_it_is},
        {"ended on its way", test_ended_on_its_way},
    };

    return unit_run("delivery fence, moving", cases, ARRAY_SIZE(cases));
}
