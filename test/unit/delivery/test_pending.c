#include "../../../delivery/pending.h"

#include "../../../delivery/snapshot.h"
#include "fixture.h"

enum { USERS = EVENT_NAMES_MAX + 20 };

static void report_user(unsigned number)
{
    struct event event = fixture_event(EVENT_SNAPSHOT_SESSION);
    char full[64];

    snprintf(full, sizeof(full), "u%u@example.org/a", number);
    event.from = slice_of(full);
    event.resource = SLICE("a");
    event.session = number + 1;
    event.node = SLICE("f1");
    event.is_available = true;
    snapshot_session(delivery, &event, &output);
}

static bool ask(void)
{
    return pending_ask(delivery, SLICE("d1"), &output);
}

/* "u1@example.org", ...: these have stored messages. */
static void answer(uint64_t request, const struct slice *names, size_t count)
{
    struct event event = fixture_event(EVENT_ARCHIVE_PENDING);
    struct buffer list = BUFFER_EMPTY;

    event_list_write(&list, names, count);
    event.request = request;
    event.names = buffer_slice(&list);
    pending_answered(delivery, &event);
    buffer_deinit(&list);
}

static bool is_waiting(const char *user)
{
    return replay_is_under_way(user_find(delivery, slice_of(user)));
}

static void test_few(void)
{
    const struct slice names[] = {SLICE("u1@example.org"),
                                  SLICE("nobody@example.org")};

    fixture_open();
    for (unsigned i = 0; i < 3; i++)
        report_user(i);
    CU_ASSERT_FALSE(ask());
    EXPECT(&output, "archive archive.pending.ask");
    CU_ASSERT_FALSE(ask()); /* and not asked again */
    EXPECT_NOTHING(&output);
    answer(delivery->pending_first - 1, NULL, 0); /* to somebody before us */
    CU_ASSERT_FALSE(ask());
    answer(delivery->pending_first, names, ARRAY_SIZE(names));
    CU_ASSERT_TRUE(ask());
    CU_ASSERT_FALSE(is_waiting("u0@example.org"));
    CU_ASSERT_TRUE(is_waiting("u1@example.org"));
    CU_ASSERT_FALSE(is_waiting("u2@example.org"));
    replay_ask(delivery, &output);
    EXPECT(&output, "archive archive.replay #2 u1@example.org "
                    "<u1@example.org/a");
    fixture_close();
}

/* More than fit into one question; one was answered for. */
static void test_many(void)
{
    const struct slice names[] = {SLICE("u7@example.org")};
    uint64_t first;

    fixture_open();
    for (unsigned i = 0; i < USERS; i++)
        report_user(i);
    CU_ASSERT_FALSE(ask());
    EXPECT(&output, "archive archive.pending.ask",
           "archive archive.pending.ask");
    first = delivery->pending_first;
    answer(first, names, 1);
    CU_ASSERT_FALSE(ask());
    CU_ASSERT_FALSE(is_waiting("u0@example.org"));
    CU_ASSERT_TRUE(is_waiting("u7@example.org"));
    CU_ASSERT_TRUE(is_waiting("u510@example.org"));
    answer(first, names, 1); /* again */
    CU_ASSERT_TRUE(is_waiting("u510@example.org"));
    answer(first + 1, NULL, 0);
    CU_ASSERT_TRUE(ask());
    CU_ASSERT_FALSE(is_waiting("u510@example.org"));
    CU_ASSERT_TRUE(is_waiting("u7@example.org"));
    fixture_close();
}

static void test_nobody(void)
{
    fixture_open();
    CU_ASSERT_TRUE(ask());
    EXPECT_NOTHING(&output);
    fixture_close();
}

/* Those who are not answered for in time are replayed to. */
static void test_too_late(void)
{
    fixture_open();
    report_user(0);
    CU_ASSERT_FALSE(ask());
    EXPECT(&output, "archive archive.pending.ask");
    replay_ask(delivery, &output);
    EXPECT(&output, "archive archive.replay #1 u0@example.org "
                    "<u0@example.org/a");
    answer(delivery->pending_first, NULL, 0);
    CU_ASSERT_TRUE(is_waiting("u0@example.org"));
    fixture_close();
}

static const struct unit_case cases[] = {
    {"few users", test_few},
    {"many users", test_many},
    {"nobody", test_nobody},
    {"too late", test_too_late},
};

int main(void)
{
    return unit_run("pending", cases, ARRAY_SIZE(cases));
}
