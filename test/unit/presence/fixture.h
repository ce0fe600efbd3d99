/*
 * A presence partition with ann, whose contacts are known after the first
 * contacts.list, and events to hand to it.
 */
#ifndef UNIT_PRESENCE_FIXTURE_H
#define UNIT_PRESENCE_FIXTURE_H

#include "../../../presence/broadcast.h"
#include "../../../presence/presence.h"
#include "../../../presence/snapshot.h"
#include "outputs.h"

#define ANN "ann@x"
/* What ann's contacts may see and do, by name. */
#define NONE "none@x"
#define TO "to@x"
#define FROM "from@x"
#define BOTH "both@x"

static const struct presence_config fixture_config = {.waiting_max = 2};
static struct presence *presence;
static struct output output;
static uint64_t fixture_sequence;

static inline void fixture_open(void)
{
    presence = presence_create(&fixture_config);
    outputs_init(&output);
    output.service = SERVICE_PRESENCE;
}

static inline void fixture_close(void)
{
    presence_destroy(&presence);
    output_deinit(&output);
}

static inline void fixture_handle(const struct event *event)
{
    const char *reason = NULL;

    for (size_t i = 0; i < presence_handler_count; i++) {
        if (presence_handlers[i].type == event->type) {
            CU_ASSERT_EQUAL(
                presence_handlers[i].handle(presence, event, &output, &reason),
                HANDLED);
            return;
        }
    }
    CU_FAIL_FATAL("no handler");
}

static inline void fixture_end_batch(void)
{
    broadcast_dirty(presence, &output);
}

/* An event of a batch of its own. */
static inline void fixture_send(const struct event *event)
{
    fixture_handle(event);
    fixture_end_batch();
}

static inline struct event fixture_event(enum event_type type)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = ++fixture_sequence;
    return event;
}

static inline struct event fixture_update(uint64_t session, const char *full,
                                          const char *subtype,
                                          const char *payload)
{
    struct event event = fixture_event(EVENT_PRESENCE_UPDATE);

    event.from = slice_of(full);
    event.session = session;
    event.node = SLICE("f1");
    event.kind = STANZA_PRESENCE;
    event.subtype = slice_of(subtype);
    event.payload = slice_of(payload);
    return event;
}

/* What the roster answers; its texts live in `list`. */
static inline struct event fixture_answer(const struct event *ask,
                                          struct buffer *list)
{
    static const char *const contacts[] = {NONE, "none", TO,   "to",
                                           FROM, "from", BOTH, "both"};
    struct slice items[ARRAY_SIZE(contacts)];
    struct event event;

    for (size_t i = 0; i < ARRAY_SIZE(contacts); i++)
        items[i] = slice_of(contacts[i]);
    buffer_clear(list);
    event_list_write(list, items, ARRAY_SIZE(contacts));
    event_copy_as(&event, EVENT_CONTACTS_LIST, ask);
    event.contacts = buffer_slice(list);
    return event;
}

/*
 * Answers all contacts.ask there are, in order and as one batch, with the rest
 * of the output dropped.  Returns how many.
 */
static inline size_t fixture_answer_asks(void)
{
    struct output asked = output;
    struct buffer body = BUFFER_EMPTY;
    struct buffer list = BUFFER_EMPTY;
    struct event event;
    size_t count = 0;

    outputs_init(&output);
    output.service = SERVICE_PRESENCE;
    for (size_t i = 0; outputs_event(&asked, i, &body, &event); i++) {
        struct event answer;

        if (event.type != EVENT_CONTACTS_ASK)
            continue;
        answer = fixture_answer(&event, &list);
        fixture_handle(&answer);
        count++;
    }
    fixture_end_batch();
    output_deinit(&asked);
    buffer_deinit(&body);
    buffer_deinit(&list);
    return count;
}

/* ann's first resource is available, and nothing of that is left. */
static inline void fixture_open_available(void)
{
    struct event event = fixture_update(1, ANN "/a", NULL, "<show>a</show>");

    fixture_open();
    fixture_send(&event);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    output_clear(&output);
}

/* Presence of a resource to a bare JID's available resources. */
#define ROUTE(full, to, payload)                                               \
    "delivery stanza.route presence " to " <" full " @available" payload
#define ROUTE_GONE(full, to)                                                   \
    "delivery stanza.route presence/unavailable " to " <" full " @available"
#define PROBE(full, to) "presence presence.probe " to " <" full
/* To one resource. */
#define ROUTE_FULL(full, to, payload)                                          \
    "delivery stanza.route presence " to " <" full payload
#define ROUTE_FULL_GONE(full, to)                                              \
    "delivery stanza.route presence/unavailable " to " <" full

#endif
