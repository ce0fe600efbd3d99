/* A delivery partition with bob's sessions, and events to hand to it. */
#ifndef UNIT_DELIVERY_FIXTURE_H
#define UNIT_DELIVERY_FIXTURE_H

#include "../../../delivery/delivery.h"
#include "../../../delivery/session_copy.h"
#include "base/log.h"
#include "outputs.h"
#include "xmpp/jid.h"

#define BOB "bob@example.org"
#define AMY "amy@example.org"

static const struct delivery_config fixture_config = {.max_resources = 3,
                                                      .replay_retry_ms = 10000};
static struct delivery *delivery;
static struct output output;

static inline void fixture_open(void)
{
    delivery = delivery_create(&fixture_config, "example.org", 3);
    outputs_init(&output);
}

static inline void fixture_close(void)
{
    delivery_destroy(&delivery);
    output_deinit(&output);
}

/* Without the end of the batch. */
static inline enum handled fixture_handle(const struct event *event)
{
    const char *reason = NULL;

    for (size_t i = 0; i < delivery_handler_count; i++) {
        if (delivery_handlers[i].type == event->type)
            return delivery_handlers[i].handle(delivery, event, &output,
                                               &reason);
    }
    CU_FAIL_FATAL("no handler");
    return REJECT;
}

/* An event of a batch of its own. */
static inline void fixture_send(const struct event *event)
{
    CU_ASSERT_EQUAL(fixture_handle(event), HANDLED);
    replay_ask(delivery, &output);
}

static inline struct event fixture_event(enum event_type type)
{
    static uint64_t sequence = 1000;
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = ++sequence;
    return event;
}

static inline struct event fixture_bind(uint64_t session, const char *node,
                                        const char *resource)
{
    struct event event = fixture_event(EVENT_SESSION_BIND);

    event.to = SLICE(BOB);
    event.session = session;
    event.node = slice_of(node);
    event.resource = slice_of(resource);
    event.request = 40 + session;
    return event;
}

static inline struct event fixture_presence(uint64_t session, const char *full,
                                            const char *subtype,
                                            int64_t priority)
{
    struct event event = fixture_event(EVENT_SESSION_PRESENCE);

    event.from = slice_of(full);
    event.session = session;
    event.node = SLICE("f1");
    event.kind = STANZA_PRESENCE;
    event.subtype = slice_of(subtype);
    event.priority = priority;
    event.payload = SLICE("");
    return event;
}

static inline struct event fixture_message(const char *type, const char *to)
{
    struct event event = fixture_event(EVENT_STANZA_ROUTE);

    event.kind = STANZA_MESSAGE;
    event.subtype = slice_of(type);
    event.to = slice_of(to);
    event.from = SLICE(AMY "/pc");
    event.id = SLICE("m1");
    event.payload = SLICE("<body>hi</body>");
    event.is_durable = true;
    return event;
}

/* The fence put last comes back; "moved" or anything else. */
static inline struct event fixture_fenced(uint64_t session, const char *full,
                                          const char *node,
                                          const char *condition)
{
    struct event event = fixture_event(EVENT_SESSION_FENCED);

    event.from = slice_of(full);
    event.session = session;
    event.node = slice_of(node);
    event.request = delivery->request;
    event.condition = slice_of(condition);
    event.kind = STANZA_PRESENCE;
    event.resource = jid_text_resource(event.from);
    event.payload = SLICE("");
    return event;
}

/* A session of bob as the events would leave it, with nothing to replay. */
static inline struct session *fixture_add(uint64_t id, const char *resource,
                                          bool is_available, int64_t priority)
{
    struct user *user = user_get(delivery, SLICE(BOB));
    struct session *session =
        session_add(user, id, SLICE("f1"), slice_of(resource));

    session->is_available = is_available;
    session->priority = priority;
    return session;
}

static inline bool fixture_has(uint64_t id)
{
    struct user *user = user_find(delivery, SLICE(BOB));

    return user && session_find(user, id);
}

/* One that is there. */
static inline struct session *fixture_get(uint64_t id)
{
    struct user *user = user_find(delivery, SLICE(BOB));
    struct session *session = user ? session_find(user, id) : NULL;

    BUG_ON(!session);
    return session;
}

#endif
