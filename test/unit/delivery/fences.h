/* Fences, and what is put out on their account. */
#ifndef UNIT_DELIVERY_FENCES_H
#define UNIT_DELIVERY_FENCES_H

#include "fixture.h"

#define GONE(id, resource)                                                     \
    "presence presence.update #" id "/unavailable " BOB " <" BOB "/" resource  \
    " !gone"
#define MOVED(id, resource)                                                    \
    "presence presence.update #" id " <" BOB "/" resource " !moved"
#define MOVE_FROM(node) "inbox:" node " session.move #1 " BOB "/a"
#define ORDERED(from, to)                                                      \
    "inbox:" to " session.expect #1", MOVE_FROM(from), MOVED("1", "a")
#define KICKED(node) "inbox:" node " session.kick #1 " BOB "/a !conflict"
#define FENCED(node, id, resource)                                             \
    "inbox:" node " session.fence #" id " " BOB "/" resource
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

/* What was put out last: the fence, the refusal. */
static struct {
    uint64_t fence, refused;
    uint64_t refused_move;    /* number of the move that failed */
    uint64_t refused_handled; /* h of a session that has ended */
    char target[16];          /* of a move */
} last;

static inline void note_outputs(void)
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
        if (event.type == EVENT_SESSION_RESUMED) {
            last.refused = event.request;
            last.refused_move = event.mark;
            last.refused_handled = event.count;
        }
    }
    buffer_deinit(&body);
}

static inline bool outputs_were(const char *const *lines, size_t count)
{
    note_outputs();
    return outputs_are(&output, lines, count);
}

#define EXPECT_NOTED(...)                                                      \
    do {                                                                       \
        const char *const lines_[] = {__VA_ARGS__};                            \
        CU_ASSERT_TRUE(outputs_were(lines_, ARRAY_SIZE(lines_)));              \
    } while (0)

static inline void send_resume(uint64_t session, const char *node,
                               uint64_t request)
{
    struct event event = fixture_event(EVENT_SESSION_RESUME);

    event.to = SLICE(BOB);
    event.session = session;
    event.node = slice_of(node);
    event.request = request;
    fixture_send(&event);
}

/* The session as its frontend knows it: available, logged in at `session`,
 * brought there by the move `mark`. */
static inline void send_fenced_by(uint64_t mark, uint64_t number,
                                  uint64_t session, const char *full,
                                  const char *node, const char *condition)
{
    struct event event = fixture_fenced(session, full, node, condition);

    event.request = number;
    event.mark = mark;
    event.is_available = true;
    event.stamp = session;
    fixture_send(&event);
}

static inline void send_fenced(uint64_t number, uint64_t session,
                               const char *full, const char *node,
                               const char *condition)
{
    send_fenced_by(number, number, session, full, node, condition);
}

static inline void send_close(uint64_t session, const char *full,
                              const char *node)
{
    struct event event = fixture_event(EVENT_SESSION_CLOSE);

    event.from = slice_of(full);
    event.session = session;
    event.node = slice_of(node);
    fixture_send(&event);
}

static inline void send_presence(uint64_t session, const char *full)
{
    struct event event = fixture_presence(session, full, NULL, 0);

    fixture_send(&event);
}

static inline void send_bind(uint64_t session, const char *node,
                             const char *resource)
{
    struct event event = fixture_bind(session, node, resource);

    fixture_send(&event);
}

static inline void send_message(const char *to)
{
    struct event event = fixture_message("chat", to);

    fixture_send(&event);
}

/* One that came to session 1 at f1 and went back. */
static inline void send_returned(const char *to)
{
    struct event event = fixture_message("chat", to);

    event.condition = SLICE("returned");
    event.session = 1;
    event.node = SLICE("f1");
    fixture_send(&event);
}

static inline bool is_forgotten(void)
{
    return !user_find(delivery, SLICE(BOB));
}

/* bob's session 1 is at f1; asked for at f2 with the request 5. */
static inline void open_moving(void)
{
    fixture_open();
    fixture_add(1, "a", true, 0);
    send_resume(1, "f2", 5);
    EXPECT_NOTED(ORDERED("f1", "f2"));
}

/* Session 1 tells that it has come to that place. */
static inline void send_moved(uint64_t move, const char *node)
{
    send_fenced(move, 1, BOB "/a", node, "moved");
}

/* It is where it was wanted last, and nothing else follows from that. */
static inline void arrive_at(const char *node)
{
    send_moved(last.fence, node);
    EXPECT_NOTED(MOVED("1", "a"));
}

/* It has come from f1 to f2; returns the number of the move. */
static inline uint64_t open_moved(void)
{
    uint64_t move;

    open_moving();
    move = last.fence;
    arrive_at("f2");
    return move;
}

#endif
