/* What a client that comes back too late is told. */
#include "../../../delivery/ended.h"

#include "fences.h"

enum { KEPT = 10000 };

static void test_latest_are_kept(void)
{
    struct ended *ended = ended_create();

    for (uint64_t i = 1; i <= KEPT; i++)
        ended_note(ended, i, i * 2);
    CU_ASSERT_EQUAL(ended_find(ended, 1), 2);
    ended_note(ended, 1, 7); /* again: the latest by now */
    ended_note(ended, KEPT + 1, 5);
    CU_ASSERT_EQUAL(ended_find(ended, 1), 7);
    CU_ASSERT_EQUAL(ended_find(ended, 2), 0); /* the oldest had to go */
    CU_ASSERT_EQUAL(ended_find(ended, 3), 6);
    CU_ASSERT_EQUAL(ended_find(ended, KEPT + 1), 5);
    CU_ASSERT_EQUAL(ended_find(ended, KEPT + 2), 0);
    ended_destroy(&ended);
    CU_ASSERT_PTR_NULL(ended);
}

/* Asks for session 1, which is not here; with which count is that refused? */
static uint64_t ask(void)
{
    last.refused_handled = 99;
    send_resume(1, "f2", 5);
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_EQUAL(last.refused, 5);
    return last.refused_handled;
}

static void test_close_is_noted(void)
{
    struct event event = fixture_event(EVENT_SESSION_CLOSE);

    event.from = SLICE(BOB "/a");
    event.session = 1;
    event.node = SLICE("f1");
    event.count = 12;
    fixture_open();
    CU_ASSERT_EQUAL(ask(), 0);
    fixture_add(1, "a", false, 0);
    fixture_send(&event);
    output_clear(&output);
    CU_ASSERT_EQUAL(ask(), 12);
    fixture_close();
}

/* The frontend does not know: it could not be resumed, or was not settled. */
static void test_close_without_count(void)
{
    fixture_open();
    fixture_add(1, "a", false, 0);
    send_close(1, BOB "/a", "f1");
    output_clear(&output);
    CU_ASSERT_EQUAL(ask(), 0);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"the latest are kept", test_latest_are_kept},
        {"a close is noted", test_close_is_noted},
        {"a close without a count", test_close_without_count},
    };

    return unit_run("delivery ended", cases, ARRAY_SIZE(cases));
}
