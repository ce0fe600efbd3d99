#include "../../../delivery/deleted.h"

#include "base/clock.h"
#include "fixture.h"

#define GONE(id, resource)                                                     \
    "presence presence.update #" id "/unavailable " BOB " <" BOB "/" resource  \
    " !gone"

static void send_bind(uint64_t session, const char *node, const char *resource)
{
    struct event event = fixture_bind(session, node, resource);

    fixture_send(&event);
}

static void send_presence(uint64_t session, const char *full,
                          const char *subtype, int64_t priority)
{
    struct event event = fixture_presence(session, full, subtype, priority);

    fixture_send(&event);
}

static void send_about(enum event_type type, uint64_t session, const char *full)
{
    struct event event = fixture_event(type);

    event.from = slice_of(full);
    event.session = session;
    event.node = SLICE("f1");
    fixture_send(&event);
}

static void test_bind(void)
{
    struct event bind = fixture_bind(7, "f1", "pc");
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    fixture_open();
    for (int repeat = 0; repeat < 2; repeat++) {
        fixture_send(&bind);
        CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
        CU_ASSERT_EQUAL(event.type, EVENT_SESSION_BOUND);
        CU_ASSERT_EQUAL(event.session, 7);
        CU_ASSERT_EQUAL(event.request, 47);
        ASSERT_SLICE(event.to, BOB "/pc");
        ASSERT_SLICE(event.resource, "pc");
        CU_ASSERT_FALSE(slice_is_set(event.condition));
        EXPECT(&output, "inbox:f1 session.bound #7 " BOB "/pc");
        CU_ASSERT_EQUAL(user_find(delivery, SLICE(BOB))->session_count, 1);
    }
    CU_ASSERT_FALSE(fixture_get(7)->is_available);
    buffer_deinit(&body);
    fixture_close();
}

static void test_conflict(void)
{
    fixture_open();
    send_bind(7, "f1", "pc");
    output_clear(&output);
    send_bind(8, "f2", "pc");
    EXPECT(&output, "inbox:f1 session.kick #7 " BOB "/pc !conflict",
           "inbox:f2 session.bound #8 " BOB "/pc");
    send_presence(8, BOB "/pc", NULL, 0);
    output_clear(&output);
    send_bind(9, "f1", "pc");
    EXPECT(&output, "inbox:f2 session.kick #8 " BOB "/pc !conflict",
           GONE("8", "pc"), "inbox:f1 session.bound #9 " BOB "/pc");
    CU_ASSERT_FALSE(fixture_has(8));
    /* The client of the kicked session sends nothing; if it did: nothing. */
    send_presence(8, BOB "/pc", NULL, 0);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_max_resources(void)
{
    fixture_open();
    send_bind(1, "f1", "a");
    send_bind(2, "f1", "b");
    send_bind(3, "f1", "c");
    output_clear(&output);
    send_bind(4, "f1", "d");
    EXPECT(&output, "inbox:f1 session.bound #4 " BOB " !resource-constraint");
    CU_ASSERT_FALSE(fixture_has(4));
    send_bind(5, "f1", "a"); /* takes the place of the one it replaces */
    EXPECT(&output, "inbox:f1 session.kick #1 " BOB "/a !conflict",
           "inbox:f1 session.bound #5 " BOB "/a");
    fixture_close();
}

static void test_presence(void)
{
    struct event event = fixture_presence(7, BOB "/pc", NULL, 3);
    struct event seen;
    struct buffer body = BUFFER_EMPTY;

    fixture_open();
    send_bind(7, "f1", "pc");
    output_clear(&output);
    event.payload = SLICE("<show>away</show>");
    event.lang = SLICE("eo");
    event.is_first = true;
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &seen));
    CU_ASSERT_EQUAL(seen.priority, 3);
    CU_ASSERT_TRUE(seen.is_first);
    CU_ASSERT_EQUAL(seen.origin, event.origin);
    CU_ASSERT_EQUAL(seen.sequence, event.sequence);
    ASSERT_SLICE(seen.lang, "eo");
    ASSERT_SLICE(seen.node, "f1");
    EXPECT(&output,
           "presence presence.update #7 <" BOB "/pc {<show>away</show>}",
           "archive archive.replay #7 " BOB " <" BOB "/pc");
    CU_ASSERT_TRUE(fixture_get(7)->is_available);
    CU_ASSERT_EQUAL(fixture_get(7)->priority, 3);
    send_presence(7, BOB "/pc", "unavailable", 0);
    EXPECT(&output, "presence presence.update #7/unavailable <" BOB "/pc");
    CU_ASSERT_FALSE(fixture_get(7)->is_available);
    send_about(EVENT_SESSION_CLOSE, 7, BOB "/pc"); /* seen by nobody */
    EXPECT(&output, "inbox:f1 session.fence #7 " BOB "/pc");
    buffer_deinit(&body);
    fixture_close();
}

static void test_presence_of_unknown_session(void)
{
    fixture_open();
    send_presence(7, BOB "/pc", NULL, 0);
    EXPECT_NOTHING(&output);
    send_presence(7, BOB "/pc", "unavailable", 0);
    EXPECT(&output, "presence presence.update #7/unavailable <" BOB "/pc");
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_close();
}

/* The archive's answer would have come before. */
static void give_up_replay(void)
{
    replay_tick(delivery, UINT64_MAX, &output);
    EXPECT_NOTHING(&output);
}

static void test_close(void)
{
    struct event fenced;

    fixture_open();
    send_bind(7, "f1", "pc");
    send_presence(7, BOB "/pc", NULL, 0);
    output_clear(&output);
    send_about(EVENT_SESSION_CLOSE, 7, BOB "/pc");
    EXPECT(&output, "inbox:f1 session.fence #7 " BOB "/pc", GONE("7", "pc"));
    fenced = fixture_fenced(7, BOB "/pc", "f1", "here");
    fixture_send(&fenced);
    EXPECT_NOTHING(&output);
    give_up_replay();
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    /* Its owner may have died between the session's end and telling so. */
    send_about(EVENT_SESSION_CLOSE, 7, BOB "/pc");
    EXPECT(&output, GONE("7", "pc"));
    fixture_close();
}

static void test_interested(void)
{
    fixture_open();
    send_bind(7, "f1", "pc");
    output_clear(&output);
    send_about(EVENT_SESSION_INTERESTED, 7, BOB "/pc");
    CU_ASSERT_TRUE(fixture_get(7)->is_interested);
    send_about(EVENT_SESSION_INTERESTED, 8, BOB "/other");
    send_about(EVENT_SESSION_INTERESTED, 8, AMY "/other");
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_account_deleted(void)
{
    struct event event = fixture_event(EVENT_ACCOUNT_CHANGED);

    event.to = SLICE(BOB);
    event.subtype = SLICE("created");
    fixture_open();
    send_bind(1, "f1", "a");
    send_bind(2, "f2", "b");
    send_presence(1, BOB "/a", NULL, 0);
    output_clear(&output);
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    event.subtype = SLICE("deleted");
    fixture_send(&event);
    EXPECT(&output, "inbox:f2 session.kick #2 " BOB "/b !not-authorized",
           "inbox:f1 session.kick #1 " BOB "/a !not-authorized",
           GONE("1", "a"));
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    event = fixture_fenced(1, BOB "/a", "f1", "ended");
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    give_up_replay();
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_close();
}

/* A login that had begun before ends here; one to a new account of that name
 * does not. */
static void test_bind_after_deletion(void)
{
    struct event event = fixture_event(EVENT_ACCOUNT_CHANGED);
    uint64_t now_ms = clock_now_ms();

    event.to = SLICE(BOB);
    event.subtype = SLICE("deleted");
    fixture_open();
    fixture_send(&event);
    send_bind(1, "f1", "a");
    EXPECT(&output, "inbox:f1 session.bound #1 " BOB " !not-authorized");
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_send(&event);
    event.subtype = SLICE("created");
    fixture_send(&event);
    send_bind(1, "f1", "a");
    EXPECT(&output, "inbox:f1 session.bound #1 " BOB "/a");
    fixture_close();

    event.subtype = SLICE("deleted");
    fixture_open();
    fixture_send(&event);
    deleted_tick(delivery, now_ms + 59 * 60 * 1000);
    CU_ASSERT_TRUE(deleted_has(delivery, SLICE(BOB)));
    deleted_tick(delivery, clock_now_ms() + 60 * 60 * 1000);
    CU_ASSERT_FALSE(deleted_has(delivery, SLICE(BOB)));
    fixture_send(&event); /* freed with the partition */
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"binding, and again", test_bind},
        {"the newer session wins", test_conflict},
        {"too many resources", test_max_resources},
        {"presence", test_presence},
        {"presence of an unknown session", test_presence_of_unknown_session},
        {"closing, and again", test_close},
        {"interested in the roster", test_interested},
        {"an account is deleted", test_account_deleted},
        {"binding after that", test_bind_after_deletion},
    };

    return unit_run("delivery session", cases, ARRAY_SIZE(cases));
}
