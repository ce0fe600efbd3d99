#include "base/clock.h"
#include "fixture.h"

#define REPLAY_A "archive archive.replay #1 " BOB " <" BOB "/a"
#define REPLAY_B "archive archive.replay #2 " BOB " <" BOB "/b"
#define DELETE_A "archive archive.replay #1 " BOB
#define FENCE_A "inbox:f1 session.fence #1 " BOB "/a"
/* For somebody who is away; while it is replayed to session 1, or 2. */
#define STORE_AWAY                                                             \
    "archive archive.store/chat " BOB " <" AMY "/pc {<body>hi</body>}"
#define STORE                                                                  \
    "archive archive.store #1/chat " BOB " <" AMY "/pc {<body>hi</body>}"
#define STORE_2                                                                \
    "archive archive.store #2/chat " BOB " <" AMY "/pc {<body>hi</body>}"
#define LIVE_A                                                                 \
    "inbox:f1 stanza.deliver #1 message/chat " BOB " <" AMY                    \
    "/pc {<body>hi</body>}"

/* The last question, and the mark of the last message stored. */
static struct {
    uint64_t request, count, newest, mark;
} last;

/* Takes note of questions and stores, then compares. */
static bool outputs_were(const char *const *lines, size_t count)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    for (size_t i = 0; outputs_event(&output, i, &body, &event); i++) {
        if (event.type == EVENT_ARCHIVE_REPLAY) {
            last.request = event.request;
            last.count = event.count;
            last.newest = event.newest;
        } else if (event.type == EVENT_ARCHIVE_STORE) {
            last.mark = event.mark;
        }
    }
    buffer_deinit(&body);
    return outputs_are(&output, lines, count);
}

#define EXPECT_NOTED(...)                                                      \
    do {                                                                       \
        const char *const lines_[] = {__VA_ARGS__};                            \
        CU_ASSERT_TRUE(outputs_were(lines_, ARRAY_SIZE(lines_)));              \
    } while (0)

/* First that page of session 1's is deleted, in its name, and no answer to that
 * is taken; then the rest. */
static void expect_deleted(uint64_t count, const char *const *lines,
                           size_t line_count)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_ARCHIVE_REPLAY);
    CU_ASSERT_EQUAL(event.session, 1);
    ASSERT_SLICE(event.node, "");
    CU_ASSERT_EQUAL(event.count, count);
    CU_ASSERT_EQUAL(event.newest, count + 100);
    CU_ASSERT_TRUE(event.request > last.request);
    buffer_deinit(&body);
    last.count = 0;
    CU_ASSERT_TRUE(outputs_were(lines, line_count));
    CU_ASSERT_TRUE(line_count == 1 || last.count == 0);
}

#define EXPECT_DELETED(count, ...)                                             \
    do {                                                                       \
        const char *const lines_[] = {__VA_ARGS__};                            \
        expect_deleted(count, lines_, ARRAY_SIZE(lines_));                     \
    } while (0)

static void send_presence(uint64_t session, const char *full,
                          const char *subtype, int64_t priority)
{
    struct event event = fixture_presence(session, full, subtype, priority);

    fixture_send(&event);
    /* What goes to presence is another test's. */
    output.last = &output.first;
    for (struct output_item *item = output.first; item; item = item->next) {
        if (item->service == SERVICE_PRESENCE)
            continue;
        *output.last = item;
        output.last = &item->next;
    }
    *output.last = NULL;
}

static void send_message(const char *to)
{
    struct event event = fixture_message("chat", to);

    fixture_send(&event);
}

static void send_replayed_by(const char *version, uint64_t session,
                             uint64_t request, uint64_t count, uint64_t mark)
{
    struct event event = fixture_event(EVENT_ARCHIVE_REPLAYED);

    event.to = SLICE(BOB);
    if (strcmp(version, "older") != 0)
        event.from = session == 1 ? SLICE(BOB "/a") : SLICE(BOB "/b");
    event.session = session;
    event.node = SLICE("f1");
    event.request = request;
    event.count = count;
    event.newest = count + 100;
    event.mark = mark;
    fixture_send(&event);
}

static void send_replayed(uint64_t session, uint64_t request, uint64_t count,
                          uint64_t mark)
{
    send_replayed_by("this", session, request, count, mark);
}

static void open_online(void)
{
    last.request = last.count = last.newest = last.mark = 0;
    fixture_open();
    fixture_add(1, "a", false, 0);
    fixture_add(2, "b", false, 0);
    send_presence(1, BOB "/a", NULL, 0);
    EXPECT_NOTED(REPLAY_A);
}

static void test_nothing_stored(void)
{
    open_online();
    CU_ASSERT_EQUAL(last.count, 0);
    send_replayed(1, last.request, 0, 0);
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(LIVE_A);
    fixture_close();
}

static void test_nothing_overtakes(void)
{
    open_online();
    send_message(BOB);
    send_message(BOB "/a");
    EXPECT_NOTED(STORE, STORE);
    /* A page; then one more with what was stored meanwhile; then it is live. */
    send_replayed(1, last.request, 17, 0);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_EQUAL(last.count, 17);
    CU_ASSERT_EQUAL(last.newest, 117);
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, last.request, 19, last.mark - 1);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_EQUAL(last.count, 19);
    /* Put before the end of the last page since: given back (store.h). */
    send_replayed(1, last.request, 18, last.mark - 1);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_EQUAL(last.count, 18);
    CU_ASSERT_EQUAL(last.newest, 118);
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, last.request, 0, last.mark - 1); /* not all of it */
    EXPECT_NOTED(REPLAY_A);
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, last.request, 0, last.mark);
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(LIVE_A);
    fixture_close();
}

/* An archive that has forgotten our marks: what was stored before the question
 * came before it. */
static void test_marks_forgotten(void)
{
    open_online();
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, last.request, 0, 0);
    EXPECT_NOTED(REPLAY_A);
    send_replayed(1, last.request, 0, 0);
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(LIVE_A);
    fixture_close();
}

static void test_other_stanzas_pass(void)
{
    struct event event = fixture_message("headline", BOB);

    open_online();
    fixture_send(&event);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), 1);
    output_clear(&output);
    event.subtype = SLICE("groupchat");
    event.to = SLICE(BOB "/a");
    fixture_send(&event);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), 1);
    output_clear(&output);
    send_message(BOB "/b"); /* connected; has no stored messages before it */
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), 1);
    output_clear(&output);
    event = fixture_message("chat", BOB);
    event.is_durable = false; /* may not overtake what was stored */
    fixture_send(&event);
    EXPECT_NOTED(STORE);
    fixture_close();
}

static void test_outdated_answers(void)
{
    uint64_t first;

    open_online();
    first = last.request;
    replay_tick(delivery, clock_now_ms() + 9000, &output);
    EXPECT_NOTHING(&output);
    replay_tick(delivery, clock_now_ms() + 10000, &output);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_NOT_EQUAL(first, last.request);
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, first, 0, last.mark);        /* to the first question */
    send_replayed(2, last.request, 0, last.mark); /* to another session */
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, last.request, 0, last.mark);
    send_message(BOB);
    EXPECT_NOTED(LIVE_A);
    send_replayed(1, last.request, 0, last.mark); /* repeated */
    send_replayed(1, last.request, 5, last.mark);
    EXPECT_NOTHING(&output);
    fixture_close();
}

/* An archive that does not repeat `request` is believed by its mark. */
static void test_answers_without_request(void)
{
    open_online();
    send_message(BOB);
    EXPECT_NOTED(STORE);
    send_replayed(1, 0, 3, last.mark);
    EXPECT_NOTED(REPLAY_A);
    send_replayed(1, 0, 0, last.mark - 1);
    EXPECT_NOTED(REPLAY_A);
    send_replayed(1, 0, 0, last.mark);
    send_message(BOB);
    EXPECT_NOTED(LIVE_A);
    fixture_close();
}

static void test_session_goes_away(void)
{
    open_online();
    send_presence(2, BOB "/b", NULL, 0); /* one replay at a time */
    EXPECT_NOTHING(&output);
    send_presence(1, BOB "/a", "unavailable", 0);
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(STORE_2);
    send_replayed(1, last.request, 8, 0); /* it has got that all the same */
    EXPECT_DELETED(8, DELETE_A, REPLAY_B);
    send_presence(2, BOB "/b", NULL, -1);
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(STORE_AWAY); /* nobody is there */
    send_replayed(2, last.request, 0, last.mark);
    EXPECT_NOTHING(&output);
    send_presence(2, BOB "/b", NULL, 0);
    EXPECT_NOTED(REPLAY_B);
    fixture_close();
}

/* ... and comes back before the answer. */
static void test_nobody_is_left(void)
{
    open_online();
    send_presence(1, BOB "/a", "unavailable", 0);
    send_presence(1, BOB "/a", NULL, 0);
    EXPECT_NOTHING(&output);
    send_replayed(1, last.request, 8, 0);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_EQUAL(last.count, 8);
    send_presence(1, BOB "/a", "unavailable", 0);
    send_replayed(1, last.request, 9, 0);
    EXPECT_DELETED(9, DELETE_A);
    send_presence(1, BOB "/a", NULL, 0);
    EXPECT_NOTED(REPLAY_A);
    CU_ASSERT_EQUAL(last.count, 0);
    fixture_close();
}

/* It deletes what was given back with the page, which comes again, then. */
static void test_away_with_older_archive(void)
{
    open_online();
    send_presence(2, BOB "/b", NULL, 0);
    send_presence(1, BOB "/a", "unavailable", 0);
    send_replayed_by("older", 1, last.request, 8, 0);
    EXPECT_NOTED(REPLAY_B);
    CU_ASSERT_EQUAL(last.count, 0);
    fixture_close();
}

static void send_close(void)
{
    struct event event = fixture_event(EVENT_SESSION_CLOSE);

    event.from = SLICE(BOB "/a");
    event.session = 1;
    event.node = SLICE("f1");
    fixture_send(&event);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_SESSION_FENCE), 1);
    output_clear(&output);
}

/* The fence put last. */
static void send_fenced(void)
{
    struct event event = fixture_fenced(1, BOB "/a", "f1", "here");

    fixture_send(&event);
}

/* What its client did not take of the page is given back before the fence that
 * was put when the page was there. */
static void test_session_ends(void)
{
    open_online();
    send_close();
    send_fenced();
    send_message(BOB);
    EXPECT_NOTED(STORE_AWAY);
    send_presence(2, BOB "/b", NULL, 0);
    send_message(BOB "/b"); /* not before what is stored */
    EXPECT_NOTED(STORE_2);
    send_replayed(1, last.request, 9, 0);
    EXPECT_NOTED(FENCE_A);
    send_message(BOB);
    EXPECT_NOTED(STORE_2);
    send_fenced();
    EXPECT_DELETED(9, DELETE_A, REPLAY_B);
    fixture_close();
}

/* One that wants no messages has nothing to wait for (RFC 6121 8.5.3.1). */
static void test_others_get_theirs(void)
{
    open_online();
    send_presence(2, BOB "/b", NULL, -1);
    send_close();
    send_fenced();
    send_message(BOB "/b");
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), 1);
    fixture_close();
}

/* The page is there before the first fence is back. */
static void test_last_session_ends(void)
{
    uint64_t first;

    open_online();
    send_presence(1, BOB "/a", "unavailable", 0);
    send_close();
    first = delivery->request;
    send_replayed(1, last.request, 9, 0);
    EXPECT_NOTED(FENCE_A);
    send_fenced();
    EXPECT_NOTHING(&output);
    delivery->request = first;
    send_fenced();
    EXPECT_DELETED(9, DELETE_A);
    fixture_close();
}

static void close_alone(void)
{
    struct session *other;

    open_online();
    other = fixture_get(2);
    session_end(delivery, user_find(delivery, SLICE(BOB)), &other, NULL,
                &output);
    send_close();
    send_fenced();
    CU_ASSERT_PTR_NOT_NULL(user_find(delivery, SLICE(BOB)));
}

static bool is_forgotten(void)
{
    return !user_find(delivery, SLICE(BOB));
}

static void test_nothing_was_on_its_way(void)
{
    close_alone();
    send_replayed(1, last.request, 0, 0);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

static void test_ends_and_no_answer_comes(void)
{
    close_alone();
    replay_tick(delivery, clock_now_ms() + 9000, &output);
    CU_ASSERT_FALSE(is_forgotten());
    replay_tick(delivery, clock_now_ms() + 10000, &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    send_replayed(1, last.request, 9, 0);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_ends_with_older_archive(void)
{
    close_alone();
    send_replayed_by("older", 1, last.request, 9, 0);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

static void test_ends_and_page_comes_back(void)
{
    close_alone();
    send_replayed(1, last.request, 9, 0);
    EXPECT_NOTED(FENCE_A);
    send_fenced();
    EXPECT_DELETED(9, DELETE_A);
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();
}

static void test_when_it_starts(void)
{
    open_online();
    send_replayed(1, last.request, 0, 0);
    send_presence(1, BOB "/a", NULL, 5); /* is there already */
    EXPECT_NOTHING(&output);
    send_presence(1, BOB "/a", NULL, -5);
    EXPECT_NOTHING(&output);
    send_presence(1, BOB "/a", NULL, 0);
    EXPECT_NOTED(REPLAY_A);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"nothing stored", test_nothing_stored},
        {"nothing overtakes what is stored", test_nothing_overtakes},
        {"an archive that has forgotten marks", test_marks_forgotten},
        {"what passes meanwhile", test_other_stanzas_pass},
        {"outdated and repeated answers", test_outdated_answers},
        {"answers without the request", test_answers_without_request},
        {"the session goes away", test_session_goes_away},
        {"the only session goes away", test_nobody_is_left},
        {"... with an older archive", test_away_with_older_archive},
        {"the session ends", test_session_ends},
        {"what others get meanwhile", test_others_get_theirs},
        {"the last one ends", test_last_session_ends},
        {"... and nothing was on its way", test_nothing_was_on_its_way},
        {"... and no answer comes", test_ends_and_no_answer_comes},
        {"... with an older archive", test_ends_with_older_archive},
        {"... with a page on its way", test_ends_and_page_comes_back},
        {"what starts a replay", test_when_it_starts},
    };

    return unit_run("delivery replay", cases, ARRAY_SIZE(cases));
}
