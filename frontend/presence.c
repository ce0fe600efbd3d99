#include "from_client.h"

enum presence_type {
    PRESENCE_AVAILABLE,
    PRESENCE_UNAVAILABLE,
    PRESENCE_SUBSCRIPTION,
    PRESENCE_PROBE,
    PRESENCE_ERROR,
    PRESENCE_UNKNOWN,
};

static enum presence_type find_type(struct slice type)
{
    static const struct {
        const char *name;
        enum presence_type type;
    } types[] = {
        {"unavailable", PRESENCE_UNAVAILABLE},
        {"subscribe", PRESENCE_SUBSCRIPTION},
        {"subscribed", PRESENCE_SUBSCRIPTION},
        {"unsubscribe", PRESENCE_SUBSCRIPTION},
        {"unsubscribed", PRESENCE_SUBSCRIPTION},
        {"probe", PRESENCE_PROBE},
        {"error", PRESENCE_ERROR},
    };

    if (!slice_is_set(type))
        return PRESENCE_AVAILABLE;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (slice_is(type, types[i].name))
            return types[i].type;
    }
    return PRESENCE_UNKNOWN;
}

/* RFC 6121 4.2, 4.4, 4.5 */
static enum stream_verdict broadcast(const struct inbound *inbound)
{
    struct session *session = inbound->session;
    enum stream_verdict verdict;
    struct event event;

    inbound_event_init(&event, EVENT_SESSION_PRESENCE, inbound);
    event.priority = inbound->stanza->priority;
    event.is_first =
        !session->is_available && !slice_is_set(inbound->stanza->type);
    verdict = inbound_send(inbound, SERVICE_DELIVERY, &event);
    if (verdict == STREAM_PARK)
        return verdict;
    session_note_presence(session, &event);
    if (!session->is_available)
        session_end_directed(session, &event);
    return verdict;
}

/* RFC 6121 4.6.3: who is told of the end.  Delivery, which tells them if we
 * cannot, hears of every change, and is sent it before `to` is sent the
 * presence; the two take different ways. */
static enum stream_verdict note_directed(const struct inbound *inbound,
                                         bool is_available)
{
    struct session *session = inbound->session;
    struct event event;

    if (directed_has(session->directed, inbound->to) == is_available)
        return STREAM_TAKEN;
    session_event_init(&event, EVENT_SESSION_DIRECTED, session);
    event.to = inbound->to;
    event.subtype = inbound->stanza->type;
    if (inbound_send(inbound, SERVICE_DELIVERY, &event) == STREAM_PARK)
        return STREAM_PARK;
    directed_note(&session->directed, inbound->to, is_available);
    return STREAM_TAKEN;
}

/* RFC 6121 4.6 */
static enum stream_verdict direct(const struct inbound *inbound,
                                  enum presence_type type)
{
    struct event event;

    if (inbound->addressee == TO_REMOTE)
        return STREAM_TAKEN;
    if (frontend_is_pressed(inbound->frontend, SERVICE_DELIVERY, inbound->to))
        return STREAM_PARK;
    if (type == PRESENCE_AVAILABLE &&
        !directed_has_room(inbound->session->directed, inbound->to))
        return inbound_refuse(inbound, "resource-constraint");
    if (type != PRESENCE_ERROR &&
        note_directed(inbound, type == PRESENCE_AVAILABLE) == STREAM_PARK)
        return STREAM_PARK;
    inbound_event_init(&event, EVENT_STANZA_ROUTE, inbound);
    event.priority = inbound->stanza->priority;
    return inbound_route(inbound, inbound->to, &event);
}

/* RFC 6121 3: between bare JIDs. */
static enum stream_verdict subscribe(const struct inbound *inbound)
{
    struct event event;

    if (inbound->addressee == TO_NOBODY)
        return inbound_refuse(inbound, "bad-request");
    if (inbound->addressee == TO_REMOTE)
        return inbound_refuse(inbound, "remote-server-not-found");
    inbound_event_init(&event, EVENT_SUBSCRIPTION_REQUEST, inbound);
    event.to = jid_text_bare(inbound->to);
    return inbound_send(inbound, SERVICE_ROSTER, &event);
}

enum stream_verdict from_client_presence(const struct inbound *inbound)
{
    enum presence_type type = find_type(inbound->stanza->type);

    switch (type) {
    case PRESENCE_AVAILABLE:
    case PRESENCE_UNAVAILABLE:
        return inbound->addressee == TO_NOBODY ? broadcast(inbound)
                                               : direct(inbound, type);
    case PRESENCE_ERROR:
        return inbound->addressee == TO_NOBODY ? STREAM_TAKEN
                                               : direct(inbound, type);
    case PRESENCE_SUBSCRIPTION:
        return subscribe(inbound);
    case PRESENCE_PROBE: /* RFC 6121 4.3: servers send them for their users */
        return inbound_refuse(inbound, "not-allowed");
    case PRESENCE_UNKNOWN:
        break;
    }
    return inbound_refuse(inbound, "bad-request");
}
