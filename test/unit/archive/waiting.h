/* Messages that come to the archive in different ways, and the order in which
 * they leave it. */
#ifndef UNIT_ARCHIVE_WAITING_H
#define UNIT_ARCHIVE_WAITING_H

#include "fixture.h"

#define EVE "eve@x"
#define REPLAY(payload)                                                        \
    "inbox:f1 stanza.deliver #7 message/chat " BOB " <" AMY " {" payload "}"
#define REPLAYED "delivery archive.replayed #7 " BOB

/* How a message comes to the archive. */
enum way { PLAIN, RETURNED, CUSTODY };

static inline struct event message(enum way way, const char *to,
                                   const char *payload)
{
    struct event event = fixture_message(to, payload);

    if (way == RETURNED)
        event.condition = SLICE("returned");
    if (way != CUSTODY)
        return event;
    event.condition = SLICE("custody");
    event.session = 7;
    event.path = 1244; /* it has been delivered */
    return event;
}

static inline void store_message(enum way way, const char *payload)
{
    struct event event = message(way, BOB, payload);

    fixture_send(&event);
}

/* A page: where it ends. */
struct end {
    uint64_t row;
    uint64_t newest;
};

static inline struct end replay_page(uint64_t session, const char *user,
                                     struct end arrived)
{
    struct event event = fixture_event(EVENT_ARCHIVE_REPLAY);
    struct buffer body = BUFFER_EMPTY;
    struct event answer;

    event.to = slice_of(user);
    event.session = session;
    event.node = SLICE("f1");
    event.count = arrived.row;
    event.newest = arrived.newest;
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(
        outputs_event(&output, output.count - 1, &body, &answer));
    buffer_deinit(&body);
    return (struct end){answer.count, answer.newest};
}

/* Everything up to row `until` has arrived; returns the last row of the next
 * page. */
static inline uint64_t replay_to(uint64_t session, const char *user,
                                 uint64_t until)
{
    return replay_page(session, user, (struct end){until, 0}).row;
}

static inline uint64_t replay(const char *user, uint64_t until)
{
    return replay_to(7, user, until);
}

/* All of bob's messages that are for that session, a page at a time. */
static inline void check_order_for(uint64_t session, const char *expected)
{
    struct buffer order = BUFFER_EMPTY;
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    uint64_t row = 0;

    do {
        output_clear(&output);
        row = replay_to(session, BOB, row);
        for (size_t i = 0; i + 1 < output.count; i++) {
            CU_ASSERT_TRUE_FATAL(outputs_event(&output, i, &body, &event));
            CU_ASSERT_FALSE(slice_is_set(event.condition));
            buffer_append(&order, event.payload);
            buffer_append_byte(&order, ' ');
        }
    } while (row);
    output_clear(&output);
    if (!slice_is(buffer_slice(&order), expected))
        printf("\n    expected: %s\n    actual:   %.*s\n", expected,
               SLICE_FORMAT(buffer_slice(&order)));
    ASSERT_SLICE(buffer_slice(&order), expected);
    buffer_deinit(&order);
    buffer_deinit(&body);
}

static inline void check_order(const char *expected)
{
    check_order_for(7, expected);
}

static inline struct event drop_of(const struct event *stored)
{
    struct event drop = *stored;

    drop.type = EVENT_ARCHIVE_DROP;
    return drop;
}

#endif
