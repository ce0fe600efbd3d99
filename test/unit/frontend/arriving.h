/* The session ELSEWHERE comes here, with what was unacknowledged. */
#ifndef UNIT_FRONTEND_ARRIVING_H
#define UNIT_FRONTEND_ARRIVING_H

#include "../../../frontend/arrival.h"

#include "../../../frontend/seen.h"
#include "moving.h"

static uint64_t position; /* of the next stanza that comes along */

static inline void send_unacked_of(uint64_t move, uint64_t mark, unsigned n,
                                   const char *condition)
{
    struct event event = message(EVENT_SESSION_UNACKED, ELSEWHERE, n);

    event.request = move;
    event.mark = mark;
    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

/* The next one of the move FENCE. */
static inline void send_unacked(unsigned n, const char *condition)
{
    send_unacked_of(FENCE, position++, n, condition);
}

/* alice/desk, available; 3 stanzas came from the client, 7 were acknowledged,
 * messages up to `given` were given out. */
static inline void send_transfer_of(uint64_t move, unsigned given)
{
    struct slice directed = SLICE("carol@localhost/x");
    struct seen *seen = NULL;
    struct buffer names = BUFFER_EMPTY;
    struct buffer window = BUFFER_EMPTY;
    struct event event;

    for (unsigned n = 1; n <= given; n++) {
        struct event old = message(EVENT_STANZA_DELIVER, ELSEWHERE, n);

        CU_ASSERT_FALSE(seen_is_repeat(&seen, &old));
    }
    seen_write(seen, &window);
    seen_destroy(&seen);
    event_list_write(&names, &directed, 1);
    event_init(&event, EVENT_SESSION_TRANSFER);
    event.origin = 8;
    event.sequence = 1;
    event.from = SLICE(DESK);
    event.session = ELSEWHERE;
    event.request = move;
    event.count = 3;
    event.mark = 7;
    event.node = SLICE(OTHER_NODE);
    event.resource = SLICE("desk");
    event.kind = STANZA_PRESENCE;
    event.payload = SLICE("<show>away</show>");
    event.is_available = true;
    event.is_interested = true;
    event.priority = 5;
    event.stamp = 1700000000000;
    event.names = buffer_slice(&names);
    if (window.size)
        event.window = buffer_slice(&window);
    send_event(inbox_queue_, &event);
    buffer_deinit(&names);
    buffer_deinit(&window);
}

static inline void send_transfer(unsigned given)
{
    send_transfer_of(FENCE, given);
}

/* With nothing on its way yet. */
static inline void open_frontend(void)
{
    fixture_open(fixture_plain);
    position = 0;
}

#define ENDED_DIRECTED                                                         \
    "delivery stanza.route presence/unavailable carol@localhost/x <" DESK
#define REPORTED                                                               \
    "delivery session.fenced presence <" DESK " !moved {<show>away</show>}"

static inline void check_report(void)
{
    const char *exchange = NULL;
    const struct event *fenced = next_published(&exchange);
    struct event_list names;
    struct slice name;

    CU_ASSERT_EQUAL(fenced->type, EVENT_SESSION_FENCED);
    CU_ASSERT_EQUAL(fenced->request, FENCE);
    CU_ASSERT_EQUAL(fenced->mark, FENCE);
    CU_ASSERT_EQUAL(fenced->session, ELSEWHERE);
    CU_ASSERT_EQUAL(fenced->priority, 5);
    CU_ASSERT_EQUAL(fenced->stamp, 1700000000000);
    CU_ASSERT_TRUE(fenced->is_available);
    CU_ASSERT_TRUE(fenced->is_interested);
    ASSERT_SLICE(fenced->from, DESK);
    ASSERT_SLICE(fenced->resource, "desk");
    ASSERT_SLICE(fenced->node, daemon_node(frontend->daemon));
    ASSERT_SLICE(fenced->condition, "moved");
    ASSERT_SLICE(fenced->payload, "<show>away</show>");
    event_list_open(&names, fenced->names);
    CU_ASSERT_TRUE_FATAL(event_list_next(&names, &name));
    ASSERT_SLICE(name, "carol@localhost/x");
    CU_ASSERT_FALSE(event_list_next(&names, &name));
}

#endif
