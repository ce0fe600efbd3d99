#include "base/clock.h"
#include "from_client.h"
#include "xmpp/namespaces.h"

/* RFC 6120 8.2.3, rules 1, 2, 5. */
static bool is_well_made(const struct stanza *stanza)
{
    if (!slice_is_set(stanza->id))
        return false;
    if (slice_is(stanza->type, "get") || slice_is(stanza->type, "set"))
        return stanza->child_count == 1;
    if (slice_is(stanza->type, "result"))
        return stanza->child_count <= 1;
    return slice_is(stanza->type, "error");
}

static bool is_asking(const struct stanza *stanza)
{
    return slice_is(stanza->type, "get") || slice_is(stanza->type, "set");
}

static bool is_child(const struct stanza *stanza, const char *type,
                     const char *name, const char *ns)
{
    return slice_is(stanza->type, type) && slice_is(stanza->child_name, name) &&
           slice_is(stanza->child_ns, ns);
}

/* Answered here, so that a client finds its server alive while the broker is
 * away (XEP-0199), and so that one of RFC 3921 finds its session. */
static bool is_answered_here(const struct inbound *inbound)
{
    const struct stanza *stanza = inbound->stanza;

    return inbound->addressee != TO_USER &&
           (is_child(stanza, "get", "ping", NS_PING) ||
            is_child(stanza, "set", "session", NS_SESSION));
}

static enum stream_verdict ask_service(const struct inbound *inbound,
                                       enum service_id service)
{
    struct event event;
    enum stream_verdict verdict;

    inbound_event_init(&event, EVENT_IQ_REQUEST, inbound);
    event.deadline = clock_unix_ms() + inbound->frontend->config.iq_timeout;
    /* Changes of what a service keeps, its answer included. */
    event.is_durable = slice_is(event.subtype, "set");
    verdict = inbound_send(inbound, service, &event);
    if (verdict == STREAM_TAKEN &&
        is_child(inbound->stanza, "get", "query", NS_ROSTER))
        inbound->session->is_interested = true;
    return verdict;
}

static enum stream_verdict route(const struct inbound *inbound)
{
    struct event event;

    inbound_event_init(&event, EVENT_STANZA_ROUTE, inbound);
    if (inbound->addressee == TO_NOBODY) /* RFC 6120 10.3.3 */
        event.to = session_bare(inbound->session);
    if (is_asking(inbound->stanza))
        event.deadline = clock_unix_ms() + inbound->frontend->config.iq_timeout;
    return inbound_route(inbound, event.to, &event);
}

enum stream_verdict from_client_iq(const struct inbound *inbound)
{
    const struct stanza *stanza = inbound->stanza;
    enum service_id service;

    if (!is_well_made(stanza))
        return inbound_refuse(inbound, "bad-request");
    if (inbound->addressee == TO_REMOTE)
        return inbound_refuse(inbound, "remote-server-not-found");
    if (inbound->addressee == TO_USER)
        return route(inbound);
    if (!is_asking(stanza)) /* to a push: nobody waits for it */
        return STREAM_TAKEN;
    if (bind_is_request(stanza)) /* one resource per stream */
        return inbound_refuse(inbound, "not-allowed");
    if (is_answered_here(inbound))
        return inbound_confirm(inbound);
    service = frontend_iq_service(inbound->frontend, stanza->child_ns);
    return service == SERVICE_NONE ? route(inbound)
                                   : ask_service(inbound, service);
}
