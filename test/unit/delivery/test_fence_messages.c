/* Messages for somebody whose session moves. */
#include "fences.h"

static void test_live_at_once(void)
{
    open_moved();
    send_message(BOB);
    send_message(BOB "/a");
    EXPECT_NOTED(LIVE("f2", "1", BOB), LIVE("f2", "1", BOB "/a"));
    fixture_close();
}

/* What comes now waits, and the archive is told what has been given back. */
static void test_waiting(void)
{
    static const struct {
        void (*send)(const char *to);
        const char *to;
        bool is_returned;
    } rows[] = {
        {send_message, BOB, false},          {send_message, BOB "/a", false},
        {send_message, BOB "/other", false}, {send_returned, BOB, true},
        {send_returned, BOB "/a", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        open_moving();
        rows[i].send(rows[i].to);
        if (rows[i].is_returned)
            EXPECT_NOTED(STORE_RETURNED(" #1"));
        else
            EXPECT_NOTED(STORE(" #1"));
        CU_ASSERT_TRUE(fixture_has(1)); /* it is on its way */
        send_moved(last.fence, "f2");
        EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
        send_message(BOB); /* the fence is back, the replay is not over */
        EXPECT_NOTED(STORE(" #1"));
        fixture_close();
    }
}

/* What is for a session that does not move waits for nothing; what is for the
 * user waits with the rest. */
static void test_another_session(void)
{
    open_moving();
    fixture_add(2, "b", true, 0);
    fixture_add(3, "c", false, 0);
    send_message(BOB "/b");
    EXPECT_NOTED(LIVE("f1", "2", BOB "/b"));
    send_message(BOB "/c");
    EXPECT_NOTED(LIVE("f1", "3", BOB "/c"));
    send_message(BOB);
    send_message(BOB "/a");
    CU_ASSERT_EQUAL(output.count, 2);
    output_clear(&output);
    send_moved(last.fence, "f2");
    output_clear(&output);
    fixture_close();
}

/* A fence is for its JID: who takes the resource over waits, too. */
static void test_same_resource(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_bind(8, "f2", "a");
    output_clear(&output);
    send_message(BOB "/a");
    EXPECT_NOTED(STORE(" #1"));
    fixture_close();
}

/* Its new frontend has no place for more until it has come, so nothing goes to
 * it again that comes back from there. */
static void test_given_back_on_its_way(void)
{
    static const struct {
        enum stanza_kind kind;
        const char *subtype, *to;
        const char *line; /* NULL: to nobody */
    } rows[] = {
        {STANZA_IQ, "result", BOB "/a", NULL},
        {STANZA_IQ, "error", BOB "/a", NULL},
        {STANZA_MESSAGE, "headline", BOB,
         "inbox:f1 stanza.deliver #2 message/headline " BOB " <" AMY
         "/pc !returned {<body>hi</body>}"},
        {STANZA_MESSAGE, "chat", BOB, STORE_RETURNED(" #2")},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = fixture_message(rows[i].subtype, rows[i].to);

        open_moving();
        fixture_add(2, "b", true, 0);
        event.kind = rows[i].kind;
        event.condition = SLICE("returned");
        event.session = 1;
        event.node = SLICE("f2");
        fixture_send(&event);
        CU_ASSERT_TRUE(
            outputs_are(&output, &rows[i].line, rows[i].line != NULL));
        CU_ASSERT_TRUE(fixture_get(1)->is_moving);
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
    EXPECT_NOTED(ORDERED("f1", "f2"));
    answer.to = SLICE(BOB);
    answer.session = 1;
    answer.node = SLICE("f1");
    answer.request = request;
    answer.count = 7;
    fixture_send(&answer);
    EXPECT_NOTHING(&output);
    replay_tick(delivery, UINT64_MAX, &output);
    EXPECT_NOTHING(&output);
    send_moved(last.fence, "f2");
    EXPECT_NOTED(MOVED("1", "a"), REPLAY("1", "a"));
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"live at once", test_live_at_once},
        {"messages wait for the fence", test_waiting},
        {"given back on its way", test_given_back_on_its_way},
        {"another session", test_another_session},
        {"the same resource", test_same_resource},
        {"a headline", test_headline},
        {"a replay is interrupted", test_replay_interrupted},
    };

    return unit_run("delivery fence, messages", cases, ARRAY_SIZE(cases));
}
