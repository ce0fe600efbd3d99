#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "session.h"
#include "stream.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

bool bind_is_request(const struct stanza *stanza)
{
    return stanza->kind == STANZA_IQ && slice_is(stanza->child_ns, NS_BIND) &&
           slice_is(stanza->child_name, "bind");
}

static void write_error(struct connection *connection, struct slice id,
                        const char *condition)
{
    struct stanza_head head = {
        .kind = STANZA_IQ, .type = SLICE("error"), .id = id};
    struct buffer error = BUFFER_EMPTY;

    stanza_write_error(&error, condition);
    stanza_write(connection_output(connection), &head, buffer_slice(&error));
    buffer_deinit(&error);
}

/* RFC 6120 7.6: made by the server. */
static size_t make_resource(char *out)
{
    uint64_t random;

    BUG_ON(getrandom(&random, sizeof(random), 0) != sizeof(random));
    return (size_t)snprintf(out, JID_PART_MAX + 1, "%016" PRIx64, random);
}

/* RFC 6120 7.7: as asked for. */
static bool read_resource(const struct stanza *stanza, char *out,
                          size_t *size_out)
{
    struct arena arena;
    const struct xml_element *root;
    const struct xml_element *bind;
    const struct xml_element *resource;
    bool is_good = true;

    arena_init(&arena);
    root = xml_parse(&arena, stanza->payload, stanza->extra);
    bind = root ? xml_child(root, "bind", NS_BIND) : NULL;
    resource = bind ? xml_child(bind, "resource", NS_BIND) : NULL;
    if (resource && resource->text.size)
        is_good = jid_prepare_resource(resource->text, out, size_out);
    else
        *size_out = make_resource(out);
    arena_deinit(&arena);
    return is_good;
}

static void ask(struct session *session)
{
    struct connection *connection = session->connection;
    struct frontend *frontend = connection->frontend;
    struct event event;

    event_init(&event, EVENT_SESSION_BIND);
    event.to = session_bare(session);
    event.resource = jid_text_resource(session_full(session));
    event.session = session->id;
    event.node = slice_of(daemon_node(frontend->daemon));
    event.request = connection->request;
    event.address = slice_of(connection->address);
    output_to_user(&frontend->output, SERVICE_DELIVERY, event.to, &event);
}

void bind_ask_again(struct session *session)
{
    if (session->connection->state == STREAM_STATE_BINDING)
        ask(session);
}

static void begin(struct connection *connection, const struct stanza *stanza,
                  struct slice resource)
{
    struct frontend *frontend = connection->frontend;
    struct buffer full = BUFFER_EMPTY;

    buffer_append_text(&full, connection->user);
    buffer_append_byte(&full, '/');
    buffer_append(&full, resource);
    connection->session = session_create(connection, buffer_slice(&full));
    buffer_deinit(&full);
    connection->bind_id = memory_copy_text(stanza->id);
    connection->request = ++frontend->last_request;
    connection->state = STREAM_STATE_BINDING;
    connection->is_waiting = true;
    connection->answer_deadline_ms =
        clock_now_ms() + frontend->config.bind_timeout;
    ask(connection->session);
}

enum stream_verdict bind_request(struct connection *connection,
                                 const struct stanza *stanza)
{
    char resource[JID_PART_MAX + 1];
    size_t size;

    if (frontend_is_pressed(connection->frontend, SERVICE_DELIVERY,
                            slice_of(connection->user)))
        return STREAM_PARK;
    if (!slice_is(stanza->type, "set") || !slice_is_set(stanza->id) ||
        !read_resource(stanza, resource, &size))
        write_error(connection, stanza->id, "bad-request");
    else
        begin(connection, stanza, (struct slice){resource, size});
    return STREAM_TAKEN;
}

/* The client may ask again. */
static void give_up(struct connection *connection, const char *condition)
{
    write_error(connection, slice_of(connection->bind_id), condition);
    memory_free(&connection->bind_id);
    connection->request = 0;
    connection->state = STREAM_STATE_AUTHENTICATED;
    connection->login_deadline_ms =
        clock_now_ms() + connection->frontend->config.login_timeout;
    session_destroy(&connection->session);
    connection_answered(connection);
}

/* RFC 6120 4.9.3.12: asking again would be in vain. */
static void refuse(struct connection *connection)
{
    session_destroy(&connection->session);
    stream_fail(connection, STREAM_ERROR_NOT_AUTHORIZED,
                "its account has been deleted");
}

void bind_timed_out(struct connection *connection)
{
    log_warning("session %s: delivery does not answer",
                connection->session->full);
    session_announce_end(connection->session); /* it may have bound it */
    give_up(connection, "resource-constraint");
}

static void write_jid(struct connection *connection)
{
    struct stanza_head head = {.kind = STANZA_IQ,
                               .type = SLICE("result"),
                               .id = slice_of(connection->bind_id)};
    struct buffer payload = BUFFER_EMPTY;

    buffer_append_text(&payload, "<bind xmlns='" NS_BIND "'><jid>");
    xml_escape(&payload, session_full(connection->session));
    buffer_append_text(&payload, "</jid></bind>");
    stanza_write(connection_output(connection), &head, buffer_slice(&payload));
    buffer_deinit(&payload);
}

void bind_answered(struct connection *connection, const struct event *event)
{
    struct session *session = connection->session;

    if (connection->state != STREAM_STATE_BINDING)
        return; /* asked twice */
    if (slice_is(event->condition, "not-authorized")) {
        refuse(connection);
        return;
    }
    if (slice_is_set(event->condition)) {
        give_up(connection, "resource-constraint");
        return;
    }
    session->is_bound = true;
    session->since = clock_unix_ms();
    connection->request = 0;
    connection->state = STREAM_STATE_BOUND;
    log_info("session %s: open address=%s tls=%s", session->full,
             connection->address, connection->tls ? "yes" : "no");
    write_jid(connection);
    memory_free(&connection->user); /* the session knows it */
    memory_free(&connection->bind_id);
    connection_answered(connection);
}
