/* Directed presence of sessions whose frontend cannot tell of their end. */
#include "../../../delivery/snapshot.h"
#include "base/clock.h"
#include "fences.h"

#define ROOM "room@example.org/bob"
#define ENDED(to) "delivery stanza.route presence/unavailable " to " <" BOB "/a"

static void send_directed(const char *to, const char *subtype)
{
    struct event event = fixture_event(EVENT_SESSION_DIRECTED);

    event.from = SLICE(BOB "/a");
    event.session = 1;
    event.node = SLICE("f1");
    event.to = slice_of(to);
    event.subtype = slice_of(subtype);
    fixture_send(&event);
    EXPECT_NOTHING(&output);
}

/* Session 1 of bob at f1 has sent presence to the room. */
static void open_directed(void)
{
    fixture_open();
    fixture_add(1, "a", false, 0);
    send_directed(ROOM, NULL);
}

static void send_unavailable(void)
{
    struct event event = fixture_presence(1, BOB "/a", "unavailable", 0);

    fixture_send(&event);
    output_clear(&output);
}

/* As f1 would of session 1, f2 of a later one: `room`, or nobody. */
static struct event report_of(uint64_t session, struct buffer *names,
                              const char *room)
{
    struct slice to = slice_of(room);
    struct event event = fixture_event(EVENT_SNAPSHOT_SESSION);

    event.from = SLICE(BOB "/a");
    event.resource = SLICE("a");
    event.session = session;
    event.stamp = session;
    event.node = session == 1 ? SLICE("f1") : SLICE("f2");
    if (room) {
        event_list_write(names, &to, 1);
        event.names = buffer_slice(names);
    }
    return event;
}

static void send_report(const char *room)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event = report_of(1, &names, room);

    snapshot_begin(delivery, SLICE("f1"));
    snapshot_session(delivery, &event, &output);
    snapshot_end(delivery, SLICE("f1"), &output);
    buffer_deinit(&names);
    EXPECT_NOTHING(&output);
}

#define EXPECT_GONE(...)                                                       \
    do {                                                                       \
        snapshot_node_gone(delivery, SLICE("f1"), &output);                    \
        EXPECT(&output, __VA_ARGS__);                                          \
        fixture_close();                                                       \
    } while (0)

static void test_node_gone(void)
{
    open_directed();
    send_directed(AMY, NULL);
    send_directed(AMY, NULL);
    send_directed(AMY, "unavailable");
    EXPECT_GONE(ENDED(ROOM), FENCED("f1", "1", "a"));
    fixture_open();
    send_directed(ROOM, NULL); /* of a session that is over */
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_close();
}

/* What its frontend has told them is not told twice. */
static void test_told_by_frontend(void)
{
    open_directed();
    send_close(1, BOB "/a", "f1");
    EXPECT(&output, FENCED("f1", "1", "a"));
    fixture_close();

    open_directed(); /* there, but without that session */
    fixture_get(1)->touched_ms = 1;
    snapshot_begin(delivery, SLICE("f1"));
    snapshot_end(delivery, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_FALSE(fixture_has(1));
    fixture_close();

    open_directed();
    send_unavailable();
    EXPECT_GONE(FENCED("f1", "1", "a"));
}

static void test_snapshot(void)
{
    fixture_open(); /* of a new owner */
    send_report(ROOM);
    EXPECT_GONE(ENDED(ROOM), FENCED("f1", "1", "a"));

    open_directed();
    fixture_get(1)->touched_ms = 1;
    send_report(AMY);
    EXPECT_GONE(ENDED(AMY), FENCED("f1", "1", "a"));

    open_directed(); /* by a frontend that does not know of this */
    fixture_get(1)->touched_ms = 1;
    send_report(NULL);
    EXPECT_GONE(FENCED("f1", "1", "a"));

    open_directed(); /* older than what came through the queue just now */
    send_report(NULL);
    EXPECT_GONE(ENDED(ROOM), FENCED("f1", "1", "a"));
}

/* Whether the frontend lives or not; if it does, it knows who has been told,
 * however often it is kicked. */
static void expect_told(size_t n)
{
    struct buffer body = BUFFER_EMPTY;
    struct map *told = NULL;
    struct event kick;

    CU_ASSERT_TRUE_FATAL(outputs_event(&output, n, &body, &kick));
    CU_ASSERT_EQUAL(kick.type, EVENT_SESSION_KICK);
    directed_read(&told, kick.names);
    CU_ASSERT_TRUE(directed_has(told, SLICE(ROOM)));
    map_destroy(&told);
    buffer_deinit(&body);
}

static void test_conflict(void)
{
    open_directed();
    send_bind(2, "f2", "a");
    expect_told(0);
    EXPECT(&output, KICKED("f1"), ENDED(ROOM),
           "inbox:f2 session.bound #2 " BOB "/a");
    fence_tick(delivery, clock_now_ms() + 6000, &output);
    expect_told(0);
    EXPECT(&output, KICKED("f1"));
    fixture_close();

    open_directed();
    fixture_add(3, "c", true, 0); /* gets what the other would have got */
    send_bind(2, "f2", "a");
    expect_told(0);
    EXPECT(&output, KICKED("f1"), ENDED(ROOM),
           "inbox:f2 session.bound #2 " BOB "/a");
    fixture_close();
}

static void report_conflict(uint64_t session, const char *room)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event = report_of(session, &names, room);

    snapshot_session(delivery, &event, &output);
    expect_told(0);
    buffer_deinit(&names);
}

/* Who thaws reports a session that is over: the room has been told, and has a
 * later one with the same address. */
static void test_conflict_with_an_earlier_one(void)
{
    fixture_open();
    fixture_add(2, "a", false, 0)->stamp = 2;
    report_conflict(1, ROOM);
    EXPECT(&output, KICKED("f1"));
    fixture_close();
}

static void test_conflict_with_a_later_one(void)
{
    open_directed();
    send_directed(AMY, NULL);
    report_conflict(2, ROOM); /* the later one is in the room, too */
    EXPECT(&output, KICKED("f1"), ENDED(AMY));
    fixture_close();
}

static void open_moving_directed(void)
{
    open_directed();
    send_resume(1, "f2", 5);
    EXPECT_NOTED("inbox:f2 session.expect #1", MOVE_FROM("f1"),
                 MOVED("1", "a"));
}

/* It has come to f2, which does not speak of directed presence if `room` is
 * NULL. */
static void arrive(const char *room)
{
    struct buffer names = BUFFER_EMPTY;
    struct buffer body = BUFFER_EMPTY;
    struct event fenced = report_of(1, &names, room);
    struct event told;

    fenced.type = EVENT_SESSION_FENCED;
    fenced.node = SLICE("f2");
    fenced.request = last.fence;
    fenced.mark = last.fence;
    fenced.condition = SLICE("moved");
    fixture_send(&fenced);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &told));
    CU_ASSERT_FALSE(slice_is_set(told.names)); /* not presence's affair */
    EXPECT(&output, "presence presence.update #1 <" BOB "/a !moved");
    buffer_deinit(&names);
    buffer_deinit(&body);
}

static void test_moved(void)
{
    open_moving_directed();
    arrive(NULL); /* at once: nothing has changed on the way */
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT(&output, ENDED(ROOM), FENCED("f2", "1", "a"));
    fixture_close();

    open_moving_directed();
    fixture_get(1)->touched_ms = 1;
    arrive(AMY);
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT(&output, ENDED(AMY), FENCED("f2", "1", "a"));
    fixture_close();

    fixture_open(); /* of a new owner, who knows nothing of the move */
    arrive(ROOM);
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT(&output, ENDED(ROOM), FENCED("f2", "1", "a"));
    fixture_close();
}

/* It has ended meanwhile, and the room was told. */
static void test_comes_too_late(void)
{
    struct buffer names = BUFFER_EMPTY;
    struct event fenced = report_of(1, &names, ROOM);

    open_moving_directed();
    snapshot_node_gone(delivery, SLICE("f2"), &output);
    EXPECT(&output, ENDED(ROOM), FENCED("f2", "1", "a"));
    fenced.type = EVENT_SESSION_FENCED;
    fenced.node = SLICE("f2");
    fenced.request = fenced.mark = last.fence;
    fenced.condition = SLICE("moved");
    fixture_send(&fenced);
    expect_told(0);
    EXPECT(&output, KICKED("f2"));
    buffer_deinit(&names);
    fixture_close();
}

static void test_lost_on_the_way(void)
{
    open_moving_directed();
    send_fenced(last.fence, 1, BOB "/a", NULL, "item-not-found"); /* drained */
    EXPECT(&output, REFUSED("f2"), ENDED(ROOM));
    CU_ASSERT_TRUE(is_forgotten());
    fixture_close();

    open_moving_directed();
    send_fenced(last.fence, 1, BOB "/a", "f1", "item-not-found");
    EXPECT(&output, REFUSED("f2"));
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"a frontend is gone", test_node_gone},
        {"the frontend has told of it", test_told_by_frontend},
        {"a snapshot", test_snapshot},
        {"a conflict", test_conflict},
        {"a conflict with an earlier one", test_conflict_with_an_earlier_one},
        {"a conflict with a later one", test_conflict_with_a_later_one},
        {"a session moved", test_moved},
        {"a session comes too late", test_comes_too_late},
        {"lost on the way", test_lost_on_the_way},
    };

    return unit_run("delivery directed", cases, ARRAY_SIZE(cases));
}
