#include "resume.h"

#include "acks.h"
#include "arrival.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "handover.h"
#include "stream.h"
#include "xmpp/namespaces.h"
#include "xmpp/tag.h"

/* What a connection waits for. */
struct resume {
    uint64_t session;
    uint64_t request;
    uint32_t handled; /* the client's h */
};

const char *resume_token(const struct session *session, char *out)
{
    return token_write(&session->frontend->token_key, session_bare(session),
                       session->id, out);
}

/* Waiting. */

static struct connection *find_waiting(const struct frontend *frontend,
                                       uint64_t session)
{
    return map_find(frontend->resuming, map_key_u64(&session));
}

bool resume_is_awaited(const struct frontend *frontend, uint64_t session)
{
    return find_waiting(frontend, session) != NULL;
}

void resume_cancel(struct connection *connection)
{
    if (!connection->resume)
        return;
    map_remove(connection->frontend->resuming,
               map_key_u64(&connection->resume->session));
    memory_free(&connection->resume);
}

/* The client may bind a resource instead (XEP-0198 5). */
static void refuse(struct connection *connection, uint64_t handled)
{
    resume_cancel(connection);
    if (connection->state != STREAM_STATE_RESUMING)
        return;
    acks_write_failed(connection, "item-not-found", handled);
    connection->state = STREAM_STATE_AUTHENTICATED;
    connection->login_deadline_ms =
        clock_now_ms() + connection->frontend->config.login_timeout;
    connection_answered(connection);
}

static void time_out(struct connection *connection)
{
    log_info("connection %s: its session was not handed over in time",
             connection->address);
    refuse(connection, 0);
}

void resume_refused(struct frontend *frontend, const struct event *event,
                    struct bus_receipt *receipt)
{
    struct connection *connection = find_waiting(frontend, event->session);

    (void)receipt;
    arrival_forget(frontend, event->session, event->mark);
    if (connection && connection->resume->request == event->request)
        refuse(connection, event->count);
}

void resume_expected(struct frontend *frontend, uint64_t session)
{
    struct connection *connection = find_waiting(frontend, session);

    if (connection)
        connection->answer_deadline_ms =
            clock_now_ms() + frontend->config.resume_wait;
}

/* The clock stands still while the broker is away. */
void resume_tick(struct connection *connection, uint64_t now_ms)
{
    struct frontend *frontend = connection->frontend;

    if (!bus_is_connected(daemon_bus(frontend->daemon)))
        connection->answer_deadline_ms = now_ms + frontend->config.bind_timeout;
    else if (now_ms >= connection->answer_deadline_ms)
        time_out(connection);
}

void resume_forget(struct session *session)
{
    struct connection *connection =
        find_waiting(session->frontend, session->id);

    if (connection)
        refuse(connection, acks_handled(session));
    handover_forget(session);
}

static void wait_for(struct connection *connection, uint64_t id,
                     uint32_t handled, uint64_t wait_ms)
{
    struct frontend *frontend = connection->frontend;
    struct connection *other = find_waiting(frontend, id);

    if (other)
        refuse(other, 0);
    connection->resume = memory_new(sizeof(*connection->resume));
    connection->resume->session = id;
    connection->resume->request = ++frontend->last_request;
    connection->resume->handled = handled;
    map_put(frontend->resuming, map_key_u64(&id), connection);
    connection->state = STREAM_STATE_RESUMING;
    connection->is_waiting = true;
    connection->answer_deadline_ms = clock_now_ms() + wait_ms;
}

/* Coming back. */

static void attach(struct connection *connection, struct session *session)
{
    uint32_t handled = connection->resume->handled;

    resume_cancel(connection);
    session_attach(session, connection);
    connection->state = STREAM_STATE_BOUND;
    log_info("session %s: resumed address=%s tls=%s", session->full,
             connection->address, connection->tls ? "yes" : "no");
    memory_free(&connection->user); /* the session knows it */
    connection_answered(connection);
    acks_resume(session, handled);
}

void resume_settled(struct session *session)
{
    struct connection *connection;

    if (session->handover) {
        handover_settled(session);
        return;
    }
    connection = find_waiting(session->frontend, session->id);
    if (connection && !session->connection && acks_is_settled(session) &&
        connection->state == STREAM_STATE_RESUMING)
        attach(connection, session);
}

/* XEP-0198 5: the old stream, if any, ends with <conflict/>. */
static void resume_here(struct connection *connection, struct session *session,
                        uint32_t handled)
{
    wait_for(connection, session->id, handled,
             connection->frontend->config.bind_timeout);
    if (session->connection)
        stream_part(session->connection, STREAM_ERROR_CONFLICT,
                    "resumed on another connection");
    resume_settled(session);
}

static void ask_delivery(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    struct event event;

    event_init(&event, EVENT_SESSION_RESUME);
    event.to = slice_of(connection->user);
    event.session = connection->resume->session;
    event.request = connection->resume->request;
    event.node = slice_of(daemon_node(frontend->daemon));
    event.address = slice_of(connection->address);
    output_to_user(&frontend->output, SERVICE_DELIVERY, event.to, &event);
}

static struct slice previous_id(const struct stanza *stanza)
{
    struct slice rest = stanza->extra;
    struct tag_attribute attribute;

    while (tag_next_attribute(&rest, &attribute)) {
        if (slice_is(attribute.name, "previd"))
            return attribute.value;
    }
    return SLICE_NONE;
}

void resume_request(struct connection *connection, const struct stanza *stanza)
{
    struct frontend *frontend = connection->frontend;
    struct session *session;
    uint32_t handled;
    uint64_t id;

    if (connection->state != STREAM_STATE_AUTHENTICATED) {
        acks_write_failed(connection, "unexpected-request", 0);
        return;
    }
    if (!acks_read_count(stanza, &handled)) {
        acks_write_failed(connection, "bad-request", 0);
        return;
    }
    if (!token_read(&frontend->token_key, slice_of(connection->user),
                    previous_id(stanza), &id)) {
        acks_write_failed(connection, "item-not-found", 0);
        return;
    }
    session = session_find(frontend, id);
    if (session && acks_is_resumable(session) && !session->handover) {
        resume_here(connection, session, handled);
        return;
    }
    wait_for(connection, id, handled, frontend->config.bind_timeout);
    ask_delivery(connection);
}
