#include "../../../delivery/snapshot.h"

#include "base/clock.h"
#include "fixture.h"

#define GONE(id, resource)                                                     \
    "presence presence.update #" id "/unavailable " BOB " <" BOB "/" resource  \
    " !gone"
#define MOVED(id, resource)                                                    \
    "presence presence.update #" id " <" BOB "/" resource " !moved"
#define MOVE_FROM(node) "inbox:" node " session.move #1 " BOB "/a"
#define REFUSED(node) "inbox:" node " session.resumed #1 !item-not-found"
#define REPLAY(id, resource)                                                   \
    "archive archive.replay #" id " " BOB " <" BOB "/" resource
#define STORE(session)                                                         \
    "archive archive.store" session "/chat " BOB " <" AMY                      \
    "/pc {<body>hi</body>}"
#define STORE_RETURNED(session)                                                \
    "archive archive.store" session "/chat " BOB " <" AMY                      \
    "/pc !returned {<body>hi</body>}"
#define LIVE(node, id, to)                                                     \
    "inbox:" node " stanza.deliver #" id " message/chat " to " <" AMY          \
    "/pc {<body>hi</body>}"

/* What was put out last: the fence, the message stored, the refusal. */
static struct {
    uint64_t fence, refused;
    bool is_behind;
    char target[16]; /* of a move */
} last;

static bool outputs_were(const char *const *lines, size_t count)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    for (size_t i = 0; outputs_event(&output, i, &body, &event); i++) {
        if (event.type == EVENT_SESSION_KICK ||
            event.type == EVENT_SESSION_MOVE ||
            event.type == EVENT_SESSION_FENCE)
            last.fence = event.request;
        if (event.type == EVENT_SESSION_MOVE)
            snprintf(last.target, sizeof(last.target), "%.*s",
                     SLICE_FORMAT(event.node));
        if (event.type == EVENT_ARCHIVE_STORE)
            last.is_behind = event.is_behind;
        if (event.type == EVENT_SESSION_RESUMED)
            last.refused = event.request;
    }
    buffer_deinit(&body);
    return outputs_are(&output, lines, count);
}

#define EXPECT_NOTED(...)                                                      \
    do {                                                                       \
        const char *const lines_[] = {__VA_ARGS__};                            \
        CU_ASSERT_TRUE(outputs_were(lines_, ARRAY_SIZE(lines_)));              \
    } while (0)

static void send_resume(uint64_t session, const char *node, uint64_t request)
{
    struct event event = fixture_event(EVENT_SESSION_RESUME);

    event.to = SLICE(BOB);
    event.session = session;
    event.node = slice_of(node);
    event.request = request;
    fixture_send(&event);
}

/* The session as its frontend knows it: available, logged in at `session`. */
static void send_fenced(uint64_t number, uint64_t session, const char *full,
                        const char *node, const char *condition)
{
    struct event event = fixture_fenced(session, full, node, condition);

    event.request = number;
    event.is_available = true;
    event.stamp = session;
    fixture_send(&event);
}

static void send_presence(uint64_t session, const char *full)
{
    struct event event = fixture_presence(session, full, NULL, 0);

    fixture_send(&event);
}

static void send_bind(uint64_t session, const char *node, const char *resource)
{
    struct event event = fixture_bind(session, node, resource);

    fixture_send(&event);
}

static void send_message(const char *to)
{
    struct event event = fixture_message("chat", to);

    fixture_send(&event);
}

/* One that came to session 1 at f1 and went back. */
static void send_returned(const char *to)
{
    struct event event = fixture_message("chat", to);

    event.condition = SLICE("returned");
    event.session = 1;
    event.node = SLICE("f1");
    fixture_send(&event);
}

static bool is_forgotten(void)
{
    return !user_find(delivery, SLICE(BOB));
}

/* bob's session 1 is at f1; asked for at f2 with the request 5. */
static void open_moving(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_resume(1, "f2", 5);
    EXPECT_NOTED(MOVE_FROM("f1"), MOVED("1", "a"));
}

/* Moving. */

static void test_move(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    fixture_open();
    fixture_add(1, "a", true, 0);
    send_resume(1, "f2", 5);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    ASSERT_SLICE(event.node, "f2");
    CU_ASSERT_NOT_EQUAL(event.request, 0);
    CU_ASSERT_NOT_EQUAL(event.request, 5); /* that is the asker's */
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 1, &body, &event));
    ASSERT_SLICE(event.node, "f2");
    EXPECT_NOTED(MOVE_FROM("f1"), MOVED("1", "a"));
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
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
    send_fenced(fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    send_resume(1, "f2", 5); /* it is there */
    EXPECT_NOTHING(&output);
    send_fenced(fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    send_message(BOB);
    EXPECT_NOTED(LIVE("f2", "1", BOB));
    fixture_close();
}

/* Who asked last at the same place is told. */
static void test_asked_again(void)
{
    open_moving();
    send_resume(1, "f2", 6);
    EXPECT_NOTHING(&output);
    send_fenced(last.fence, 1, BOB "/a", "f1", "item-not-found");
    EXPECT_NOTED(REFUSED("f2"), GONE("1", "a"));
    CU_ASSERT_EQUAL(last.refused, 6);
    fixture_close();
}

/* On to a third place, when it has come to the second. */
static void test_third_place(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    EXPECT_NOTHING(&output);
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"), MOVE_FROM("f2"), MOVED("1", "a"));
    CU_ASSERT_STRING_EQUAL(last.target, "f3");
    send_message(BOB);
    EXPECT_NOTED(STORE(" #1"));
    CU_ASSERT_TRUE(last.is_behind);
    send_fenced(last.fence, 1, BOB "/a", "f3", "moved");
    EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f3");
    fixture_close();
}

static void test_third_place_fails(void)
{
    open_moving();
    send_resume(1, "f3", 6);
    send_fenced(last.fence, 1, BOB "/a", "f1", "item-not-found");
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
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    send_message(BOB);
    EXPECT_NOTED(LIVE("f2", "1", BOB));
    fixture_close();
}

/* A frontend that stops offers its sessions: one that a client has asked for
 * goes to the client. */
static void test_offers(void)
{
    open_moving();
    send_resume(1, "f3", 0);
    EXPECT_NOTHING(&output);
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    CU_ASSERT_STRING_EQUAL(fixture_get(1)->node, "f2");
    send_resume(1, "f3", 0);
    EXPECT_NOTED(MOVE_FROM("f2"), MOVED("1", "a"));
    send_fenced(last.fence, 1, BOB "/a", "f2", "item-not-found");
    EXPECT_NOTED(GONE("1", "a")); /* nobody waits */
    fixture_close();
}

static void test_not_found(void)
{
    open_moving();
    send_fenced(last.fence, 1, BOB "/a", "f1", "item-not-found");
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
    EXPECT_NOTED(MOVE_FROM("f1"), MOVED("1", "a"));
    send_fenced(last.fence, 1, BOB "/a", "f1", "item-not-found");
    EXPECT_NOTED(REFUSED("f2"));
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* Messages. */

static void test_live_at_once(void)
{
    open_moving();
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"));
    send_message(BOB);
    send_message(BOB "/a");
    EXPECT_NOTED(LIVE("f2", "1", BOB), LIVE("f2", "1", BOB "/a"));
    fixture_close();
}

/* What is given back comes before what comes now. */
static void test_behind(void)
{
    static const struct {
        void (*send)(const char *to);
        const char *to;
        bool is_behind;
    } rows[] = {
        {send_message, BOB, true},          {send_message, BOB "/a", true},
        {send_message, BOB "/other", true}, {send_returned, BOB, false},
        {send_returned, BOB "/a", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        open_moving();
        rows[i].send(rows[i].to);
        if (rows[i].is_behind)
            EXPECT_NOTED(STORE(" #1"));
        else
            EXPECT_NOTED(STORE_RETURNED(" #1"));
        CU_ASSERT_EQUAL(last.is_behind, rows[i].is_behind);
        CU_ASSERT_TRUE(fixture_has(1)); /* it is on its way */
        send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
        EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
        send_message(BOB); /* the fence is back, the replay is not over */
        EXPECT_NOTED(STORE(" #1"));
        CU_ASSERT_FALSE(last.is_behind);
        fixture_close();
    }
}

/* What has no place in the archive waits for nothing. */
static void test_headline(void)
{
    struct event event = fixture_message("headline", BOB);

    open_moving();
    fixture_send(&event);
    EXPECT_NOTED("inbox:f2 stanza.deliver #1 message/headline " BOB " <" AMY
                 "/pc {<body>hi</body>}");
    fixture_close();
}

/* A replay under way begins again when the fence is back. */
static void test_replay_interrupted(void)
{
    struct event answer = fixture_event(EVENT_ARCHIVE_REPLAYED);
    uint64_t request;

    fixture_open();
    fixture_add(1, "a", false, 0);
    send_presence(1, BOB "/a");
    request = delivery->request;
    output_clear(&output);
    send_resume(1, "f2", 5);
    EXPECT_NOTED(MOVE_FROM("f1"), MOVED("1", "a"));
    answer.to = SLICE(BOB);
    answer.session = 1;
    answer.node = SLICE("f1");
    answer.request = request;
    answer.count = 7;
    fixture_send(&answer);
    EXPECT_NOTHING(&output);
    replay_tick(delivery, UINT64_MAX, &output);
    EXPECT_NOTHING(&output);
    send_fenced(last.fence, 1, BOB "/a", "f2", "moved");
    EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
    fixture_close();
}

/* Kicking. */

static void test_conflict(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_bind(8, "f2", "a");
    EXPECT_NOTED("inbox:f1 session.kick #1 " BOB "/a !conflict", GONE("1", "a"),
                 "inbox:f2 session.bound #8 " BOB "/a");
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    send_message(BOB); /* nobody is available */
    EXPECT_NOTED(STORE(""));
    CU_ASSERT_TRUE(last.is_behind);
    send_presence(8, BOB "/a"); /* nothing is asked for yet */
    EXPECT_NOTED("presence presence.update #8 <" BOB "/a");
    send_message(BOB);
    send_returned(BOB);
    EXPECT_NOTED(STORE(" #8"), STORE_RETURNED(" #8"));
    CU_ASSERT_FALSE(last.is_behind);
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
        EXPECT_NOTED("inbox:f1 session.kick #1 " BOB "/a !conflict",
                     GONE("1", "a"), "inbox:f2 session.bound #8 " BOB "/a");
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
    EXPECT_NOTED("inbox:f1 session.kick #1 " BOB "/a !conflict", GONE("1", "a"),
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
    EXPECT_NOTED("inbox:f2 session.kick #1 " BOB "/a !conflict", GONE("1", "a"),
                 "inbox:f3 session.bound #8 " BOB "/a");
    kick = last.fence;
    CU_ASSERT_NOT_EQUAL(move, kick);
    send_presence(8, BOB "/a");
    output_clear(&output);
    send_fenced(kick, 1, BOB "/a", "f2", "item-not-found");
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(STORE(" #8"));
    CU_ASSERT_TRUE(last.is_behind);
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
    CU_ASSERT_TRUE(last.is_behind);
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
    EXPECT_NOTED("inbox:f2 session.kick #1 " BOB "/a !conflict");
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
    EXPECT_NOTED("inbox:f1 session.kick #1 " BOB "/a !conflict", GONE("1", "a"),
                 MOVED("8", "a"));
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
    EXPECT_NOTED("inbox:f2 session.fence #2 " BOB "/b", GONE("2", "b"));
    CU_ASSERT_NOT_EQUAL(last.fence, 0);
    send_message(BOB);
    send_returned(BOB);
    EXPECT_NOTED(STORE(""), STORE_RETURNED(""));
    CU_ASSERT_FALSE(last.is_behind);
    fence_tick(delivery, clock_now_ms() + 5000, &output);
    EXPECT_NOTED("inbox:f2 session.fence #2 " BOB "/b");
    CU_ASSERT_FALSE(is_forgotten());
    send_fenced(last.fence, 2, BOB "/b", NULL, "item-not-found");
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

/* One that is there without getting messages is no reason to go on. */
static void test_node_gone_negative(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    session_set_node(fixture_add(2, "b", true, -1), SLICE("f2"));
    snapshot_node_gone(delivery, SLICE("f1"), &output);
    EXPECT_NOTED("inbox:f1 session.fence #1 " BOB "/a", GONE("1", "a"));
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
    EXPECT_NOTED("inbox:f2 session.fence #1 " BOB "/a", GONE("1", "a"));
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
        {"a session moves", test_move},
        {"an unknown session", test_unknown_session},
        {"repeats", test_repeats},
        {"asked again", test_asked_again},
        {"a third place", test_third_place},
        {"a third place fails", test_third_place_fails},
        {"the last wish counts", test_minds_change},
        {"offers", test_offers},
        {"not found", test_not_found},
        {"not found, unavailable", test_not_found_unavailable},
        {"live at once", test_live_at_once},
        {"messages behind the fence", test_behind},
        {"a headline", test_headline},
        {"a replay is interrupted", test_replay_interrupted},
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
        {"gone, and one with negative priority", test_node_gone_negative},
        {"the old frontend is gone", test_old_node_gone},
        {"the new frontend is gone", test_new_node_gone},
        {"a snapshot while moving", test_snapshot_while_moving},
        {"closed with fences", test_closed},
    };

    return unit_run("delivery fence", cases, ARRAY_SIZE(cases));
}
