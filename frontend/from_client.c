#include "from_client.h"

#include "base/clock.h"
#include "base/log.h"
#include "session.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

/* A stanza being handled, with its addresses prepared. */
struct request {
    struct connection *connection;
    struct session *session;
    const struct stanza *stanza;
    struct jid to_jid;
    struct slice to; /* prepared; own bare JID when the client gave none */
    bool has_to;
    bool is_to_self; /* none given, or the own bare JID */
};

static struct slice domain_of(const struct request *request)
{
    return slice_of(frontend_domain(request->connection->frontend));
}

/* An error straight back to the client (RFC 6120 8.3); never about an error
 * or a result. */
static enum stream_verdict reply_error(const struct request *request,
                                       const char *condition)
{
    const struct stanza *stanza = request->stanza;
    struct stanza_head head = {.kind = stanza->kind,
                               .type = SLICE("error"),
                               .id = stanza->id,
                               .from = stanza->to,
                               .to = session_full(request->session)};
    struct buffer error = BUFFER_EMPTY;

    if (slice_is(stanza->type, "error") || slice_is(stanza->type, "result"))
        return STREAM_TAKEN;
    stanza_write_error(&error, condition);
    stanza_write(connection_output(request->connection), &head,
                 buffer_slice(&error));
    buffer_deinit(&error);
    return STREAM_TAKEN;
}

/* Events. */

static void fill_event(const struct request *request, enum event_type type,
                       struct event *event)
{
    const struct stanza *stanza = request->stanza;

    session_event_init(event, type, request->session);
    event->kind = stanza->kind;
    event->subtype = stanza->type;
    event->id = stanza->id;
    event->lang = stanza->lang;
    event->extra = stanza->extra.size ? stanza->extra : SLICE_NONE;
    event->payload = stanza->payload.size ? stanza->payload : SLICE_NONE;
    event->child = stanza->child_name;
    event->ns = stanza->child_ns;
    event->to = request->to;
}

static enum stream_verdict send_event(const struct request *request,
                                      enum service_id service,
                                      struct slice user,
                                      const struct event *event)
{
    struct frontend *frontend = request->connection->frontend;

    if (frontend_is_pressed(frontend, service, user))
        return STREAM_PARK;
    output_to_user(&frontend->output, service, user, event);
    return STREAM_TAKEN;
}

static enum stream_verdict route(const struct request *request, bool is_durable,
                                 uint64_t deadline)
{
    struct event event;

    fill_event(request, EVENT_STANZA_ROUTE, &event);
    event.is_durable = is_durable;
    event.deadline = deadline;
    return send_event(request, SERVICE_DELIVERY, event.to, &event);
}

/* Messages. */

static bool is_worth_keeping(const struct stanza *stanza)
{
    return (stanza->has_body || !stanza->is_chat_state_only) &&
           !slice_is(stanza->type, "error");
}

static enum stream_verdict take_message(const struct request *request)
{
    return route(request, is_worth_keeping(request->stanza), 0);
}

/* Presence. */

static bool is_subscription(struct slice type)
{
    return slice_is(type, "subscribe") || slice_is(type, "subscribed") ||
           slice_is(type, "unsubscribe") || slice_is(type, "unsubscribed");
}

static enum stream_verdict broadcast(const struct request *request)
{
    struct session *session = request->session;
    struct event event;
    enum stream_verdict verdict;

    fill_event(request, EVENT_SESSION_PRESENCE, &event);
    event.to = SLICE_NONE;
    event.priority = request->stanza->priority;
    event.is_first =
        !session->is_available && !slice_is(event.subtype, "unavailable");
    verdict =
        send_event(request, SERVICE_DELIVERY, session_bare(session), &event);
    if (verdict == STREAM_TAKEN)
        session_note_presence(session, &event);
    return verdict;
}

static enum stream_verdict subscription(const struct request *request)
{
    struct event event;

    if (!request->has_to)
        return reply_error(request, "bad-request");
    fill_event(request, EVENT_SUBSCRIPTION_REQUEST, &event);
    event.to = jid_text_bare(request->to);
    return send_event(request, SERVICE_ROSTER, session_bare(request->session),
                      &event);
}

static enum stream_verdict direct(const struct request *request)
{
    bool is_available = !slice_is_set(request->stanza->type);
    enum stream_verdict verdict;

    if (!slice_is(request->stanza->type, "error") &&
        !session_note_directed(request->session, request->to, is_available))
        return reply_error(request, "resource-constraint");
    verdict = route(request, false, 0);
    return verdict;
}

static enum stream_verdict take_presence(const struct request *request)
{
    struct slice type = request->stanza->type;

    if (is_subscription(type))
        return subscription(request);
    if (slice_is(type, "probe"))
        return STREAM_TAKEN; /* servers probe, clients do not (4.3.1) */
    if (slice_is_set(type) && !slice_is(type, "unavailable") &&
        !slice_is(type, "error"))
        return reply_error(request, "bad-request");
    return request->has_to ? direct(request) : broadcast(request);
}

/* IQ. */

static bool is_question(const struct stanza *stanza)
{
    return slice_is(stanza->type, "get") || slice_is(stanza->type, "set");
}

/* RFC 6120 8.2.3 */
static bool is_valid_iq(const struct stanza *stanza)
{
    if (!slice_is_set(stanza->id))
        return false;
    if (is_question(stanza))
        return stanza->child_count == 1;
    return slice_is(stanza->type, "result") || slice_is(stanza->type, "error");
}

static enum stream_verdict answer_here(const struct request *request)
{
    struct stanza_head head = {.kind = STANZA_IQ,
                               .type = SLICE("result"),
                               .id = request->stanza->id,
                               .from = request->stanza->to,
                               .to = session_full(request->session)};

    stanza_write(connection_output(request->connection), &head, SLICE(""));
    return STREAM_TAKEN;
}

/* Answered without the broker, so that clients outlive its absence. */
static bool is_for_us(const struct request *request, bool is_to_server)
{
    const struct stanza *stanza = request->stanza;

    if (!is_to_server)
        return false;
    return (slice_is(stanza->type, "get") &&
            slice_is(stanza->child_ns, NS_PING)) ||
           (slice_is(stanza->type, "set") &&
            slice_is(stanza->child_ns, NS_SESSION));
}

static enum stream_verdict ask_service(const struct request *request,
                                       enum service_id service,
                                       uint64_t deadline)
{
    struct event event;

    fill_event(request, EVENT_IQ_REQUEST, &event);
    if (!request->has_to)
        event.to = SLICE_NONE;
    event.is_durable = slice_is(request->stanza->type, "set");
    event.deadline = deadline;
    if (slice_is(event.ns, NS_ROSTER))
        request->session->is_interested = true;
    return send_event(request, service, session_bare(request->session), &event);
}

static enum stream_verdict take_iq(const struct request *request)
{
    struct frontend *frontend = request->connection->frontend;
    const struct stanza *stanza = request->stanza;
    bool is_to_server =
        request->is_to_self || slice_equal(request->to, domain_of(request));
    enum service_id service;
    uint64_t deadline;

    if (!is_valid_iq(stanza))
        return reply_error(request, "bad-request");
    if (!is_question(stanza))
        return request->has_to ? route(request, false, 0) : STREAM_TAKEN;
    if (is_for_us(request, is_to_server))
        return answer_here(request);
    deadline = clock_unix_ms() + frontend->config.iq_timeout;
    service = members_service_of(daemon_members(frontend->daemon),
                                 "iq:", stanza->child_ns);
    if (is_to_server && service != SERVICE_NONE)
        return ask_service(request, service, deadline);
    return route(request, false, deadline);
}

/* Addresses. */

/* RFC 6120 8.1.2.1: a `from` may only say who the client is. */
static bool is_from_valid(const struct request *request)
{
    struct jid from;
    const char *error;

    if (!slice_is_set(request->stanza->from))
        return true;
    return jid_parse(request->stanza->from, &from, &error) &&
           (slice_equal(jid_full(&from), session_full(request->session)) ||
            slice_equal(jid_full(&from), session_bare(request->session)));
}

static bool prepare_to(struct request *request)
{
    const char *error;

    request->has_to = slice_is_set(request->stanza->to);
    request->to = session_bare(request->session);
    if (request->has_to) {
        if (!jid_parse(request->stanza->to, &request->to_jid, &error))
            return false;
        request->to = jid_full(&request->to_jid);
    }
    request->is_to_self =
        slice_equal(request->to, session_bare(request->session));
    return true;
}

enum stream_verdict from_client(struct connection *connection,
                                const struct stanza *stanza)
{
    struct request request = {.connection = connection,
                              .session = connection->session,
                              .stanza = stanza};

    if (stanza->kind == STANZA_OTHER) {
        stream_fail(connection, STREAM_ERROR_UNSUPPORTED_STANZA_TYPE);
        return STREAM_TAKEN;
    }
    if (!is_from_valid(&request)) {
        stream_fail(connection, STREAM_ERROR_INVALID_FROM);
        return STREAM_TAKEN;
    }
    if (!prepare_to(&request))
        return reply_error(&request, "jid-malformed");
    if (!slice_equal(jid_text_domain(request.to), domain_of(&request)))
        return reply_error(&request, "remote-server-not-found");
    if (stanza->kind == STANZA_MESSAGE)
        return take_message(&request);
    if (stanza->kind == STANZA_PRESENCE)
        return take_presence(&request);
    return take_iq(&request);
}
