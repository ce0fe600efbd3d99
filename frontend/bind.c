#include "bind.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "session.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

static void answer_error(struct connection *connection, const char *condition)
{
    struct buffer error = BUFFER_EMPTY;
    struct stanza_head head = {.kind = STANZA_IQ,
                               .type = SLICE("error"),
                               .id = slice_of(connection->bind_id)};

    stanza_write_error(&error, condition);
    stanza_write(connection_output(connection), &head, buffer_slice(&error));
    buffer_deinit(&error);
    memory_free(&connection->bind_id);
}

/* RFC 6120 7.6: the server generates one that nobody guesses. */
static size_t generate_resource(char *out)
{
    uint64_t number;

    BUG_ON(getrandom(&number, sizeof(number), 0) != sizeof(number));
    return (size_t)snprintf(out, JID_PART_MAX, "%016lx", (unsigned long)number);
}

/* The resource asked for, prepared; or a new one.  False: malformed. */
static bool choose_resource(const struct stanza *stanza, char *out,
                            size_t *size_out)
{
    struct arena arena;
    const struct xml_element *root;
    const struct xml_element *bind;
    const struct xml_element *resource = NULL;
    bool is_good = true;

    arena_init(&arena);
    root = xml_parse(&arena, stanza->payload, stanza->extra);
    bind = root ? xml_child(root, "bind", NS_BIND) : NULL;
    if (bind)
        resource = xml_child(bind, "resource", NS_BIND);
    if (resource && resource->text.size)
        is_good = jid_prepare_resource(resource->text, out, size_out);
    else
        *size_out = generate_resource(out);
    arena_deinit(&arena);
    return is_good;
}

static void ask(struct connection *connection, struct slice resource)
{
    struct frontend *frontend = connection->frontend;
    struct buffer full = BUFFER_EMPTY;
    struct session *session;
    struct event event;

    buffer_appendf(&full, "%s/%.*s", connection->user, SLICE_FORMAT(resource));
    session = session_create(connection, buffer_slice(&full));
    buffer_deinit(&full);
    connection->session = session;
    connection->state = STREAM_STATE_BINDING;
    connection->is_waiting = true;
    connection->deadline_ms = clock_now_ms() + frontend->config.bind_timeout;
    session_event_init(&event, EVENT_SESSION_BIND, session);
    event.to = session_bare(session);
    event.resource = resource;
    event.address = slice_of(connection->address);
    output_to_user(&frontend->output, SERVICE_DELIVERY, event.to, &event);
}

static bool is_bind(const struct stanza *stanza)
{
    return stanza->kind == STANZA_IQ && slice_is(stanza->type, "set") &&
           slice_is(stanza->child_ns, NS_BIND);
}

void bind_take(struct connection *connection, const struct stanza *stanza)
{
    char resource[JID_PART_MAX + 1];
    size_t size;

    if (stanza->kind == STANZA_OTHER) {
        stream_fail(connection, STREAM_ERROR_UNSUPPORTED_STANZA_TYPE);
        return;
    }
    if (!is_bind(stanza)) { /* RFC 6120 7.1 */
        stream_fail(connection, STREAM_ERROR_NOT_AUTHORIZED);
        return;
    }
    connection->bind_id =
        memory_copy_text(slice_is_set(stanza->id) ? stanza->id : SLICE(""));
    if (!slice_is_set(stanza->id) || !choose_resource(stanza, resource, &size))
        answer_error(connection, "bad-request");
    else
        ask(connection, (struct slice){resource, size});
}

void bind_timed_out(struct connection *connection)
{
    session_announce_end(connection->session);
    session_destroy(&connection->session);
    connection->state = STREAM_STATE_AUTHENTICATED;
    connection->deadline_ms =
        clock_now_ms() + connection->frontend->config.login_timeout;
    answer_error(connection, "resource-constraint");
    connection_resume(connection);
}

static void answer_bound(struct connection *connection, struct slice full)
{
    struct buffer payload = BUFFER_EMPTY;
    struct stanza_head head = {.kind = STANZA_IQ,
                               .type = SLICE("result"),
                               .id = slice_of(connection->bind_id)};

    buffer_append_text(&payload, "<bind xmlns='" NS_BIND "'><jid>");
    xml_escape(&payload, full);
    buffer_append_text(&payload, "</jid></bind>");
    stanza_write(connection_output(connection), &head, buffer_slice(&payload));
    buffer_deinit(&payload);
    memory_free(&connection->bind_id);
}

static void refused(struct connection *connection, struct slice condition)
{
    session_destroy(&connection->session);
    connection->state = STREAM_STATE_AUTHENTICATED;
    answer_error(connection, slice_is(condition, "conflict")
                                 ? "conflict"
                                 : "resource-constraint");
    connection_resume(connection);
}

void stream_bound(struct connection *connection, const struct event *event)
{
    struct session *session = connection->session;

    if (connection->state != STREAM_STATE_BINDING)
        return; /* a repeated answer */
    if (slice_is_set(event->condition)) {
        refused(connection, event->condition);
        return;
    }
    session->is_bound = true;
    connection->state = STREAM_STATE_BOUND;
    connection->deadline_ms = 0;
    answer_bound(connection, session_full(session));
    log_info("session %s: open address=%s tls=%s", session->full,
             connection->address, connection->tls ? "yes" : "no");
    memory_free(&connection->user);
    connection_resume(connection);
}
