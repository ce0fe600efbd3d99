#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "bind.h"
#include "connection.h"
#include "from_client.h"
#include "sasl.h"
#include "session.h"
#include "tls.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

/* RFC 6120 4.7: our own header, once per stream. */
static void write_header(struct connection *connection)
{
    struct buffer *out = connection_output(connection);
    uint64_t id;

    if (connection->has_header_sent)
        return;
    connection->has_header_sent = true;
    BUG_ON(getrandom(&id, sizeof(id), 0) != sizeof(id));
    buffer_appendf(out,
                   "<?xml version='1.0'?><stream:stream xmlns='" NS_CLIENT
                   "' xmlns:stream='" NS_STREAMS
                   "' id='%016lx' from='%s' version='1.0' xml:lang='en'>",
                   (unsigned long)id, frontend_domain(connection->frontend));
}

static void end_session(struct connection *connection, bool is_announced)
{
    if (!connection->session)
        return;
    if (is_announced)
        session_announce_end(connection->session);
    session_destroy(&connection->session);
}

void stream_fail(struct connection *connection, enum stream_error error)
{
    struct buffer *out;

    if (connection->state == STREAM_STATE_CLOSED)
        return;
    log_debug("connection %s: stream error %s", connection->address,
              stream_error_name(error));
    write_header(connection);
    out = connection_output(connection);
    buffer_appendf(out,
                   "<stream:error><%s xmlns='" NS_STREAM_ERRORS
                   "'/></stream:error></stream:stream>",
                   stream_error_name(error));
    end_session(connection, error != STREAM_ERROR_CONFLICT);
    connection_close(connection);
}

void stream_end(struct connection *connection)
{
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    write_header(connection);
    connection_write(connection, SLICE("</stream:stream>"));
    end_session(connection, true);
    connection_close(connection);
}

void stream_lost(struct connection *connection)
{
    end_session(connection, true);
    connection_close(connection);
}

/* Features (RFC 6120 4.3.2). */

static bool may_starttls(const struct connection *connection)
{
    return connection->frontend->tls && !connection->tls;
}

static void write_features(struct connection *connection)
{
    struct buffer *out = connection_output(connection);
    bool is_required = may_starttls(connection) &&
                       connection->frontend->config.tls == TLS_REQUIRED;

    buffer_append_text(out, "<stream:features>");
    if (connection->user) {
        buffer_append_text(out, "<bind xmlns='" NS_BIND
                                "'/><session xmlns='" NS_SESSION
                                "'><optional/></session>");
    } else {
        if (may_starttls(connection))
            buffer_appendf(out, "<starttls xmlns='" NS_TLS "'>%s</starttls>",
                           is_required ? "<required/>" : "");
        if (!is_required)
            sasl_write_mechanisms(out, sasl_may_plain(connection));
    }
    buffer_append_text(out, "</stream:features>");
}

/* The client's header. */

static enum stream_error check_header(const struct connection *connection,
                                      const struct stream_header *header)
{
    struct jid to;
    const char *error;

    if (!slice_starts_with(header->version, "1."))
        return STREAM_ERROR_UNSUPPORTED_VERSION;
    if (!slice_is_set(header->to))
        return STREAM_ERROR_NONE;
    if (!jid_parse(header->to, &to, &error) ||
        !slice_is(jid_full(&to), frontend_domain(connection->frontend)))
        return STREAM_ERROR_HOST_UNKNOWN;
    return STREAM_ERROR_NONE;
}

static void take_header(struct connection *connection, struct slice bytes)
{
    struct stream_header header;
    enum stream_error error =
        stanza_parse_header(connection->frontend->parser, bytes, &header);

    if (error == STREAM_ERROR_NONE)
        error = check_header(connection, &header);
    if (error != STREAM_ERROR_NONE) {
        stream_fail(connection, error);
        return;
    }
    memory_free(&connection->declarations);
    if (header.declarations.size)
        connection->declarations = memory_copy_text(header.declarations);
    write_header(connection);
    write_features(connection);
    connection->state = connection->user ? STREAM_STATE_AUTHENTICATED
                                         : STREAM_STATE_NEGOTIATING;
}

static void expect_header(struct connection *connection, uint64_t max_bytes)
{
    framing_init(&connection->framing, (uint32_t)max_bytes);
    connection->has_header_sent = false;
    connection->state = STREAM_STATE_OPENING;
}

void stream_restart(struct connection *connection)
{
    const struct frontend_config *config = &connection->frontend->config;

    expect_header(connection, config->max_stanza_bytes);
    connection->deadline_ms = clock_now_ms() + config->login_timeout;
    connection_resume(connection);
}

/* STARTTLS (RFC 6120 5). */
static void start_tls(struct connection *connection)
{
    if (!may_starttls(connection) || connection->login) {
        connection_write(
            connection, SLICE("<failure xmlns='" NS_TLS "'/></stream:stream>"));
        connection_close(connection);
        return;
    }
    connection_write(connection, SLICE("<proceed xmlns='" NS_TLS "'/>"));
    connection_flush(connection);
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    connection->tls = tls_create(connection->frontend->tls, connection->fd);
    expect_header(
        connection,
        connection->frontend->config.max_stanza_bytes_unauthenticated);
}

static bool needs_tls(const struct connection *connection)
{
    return may_starttls(connection) &&
           connection->frontend->config.tls == TLS_REQUIRED;
}

static void negotiate_sasl(struct connection *connection,
                           const struct stanza *stanza, struct slice bytes)
{
    if (needs_tls(connection))
        connection_write(connection,
                         SLICE("<failure xmlns='" NS_SASL
                               "'><encryption-required/></failure>"));
    else if (slice_is(stanza->name, "auth"))
        sasl_auth(connection, stanza, bytes);
    else if (slice_is(stanza->name, "response"))
        sasl_response(connection, stanza);
    else if (slice_is(stanza->name, "abort"))
        sasl_abort(connection);
    else
        stream_fail(connection, STREAM_ERROR_UNSUPPORTED_STANZA_TYPE);
}

static void negotiate(struct connection *connection,
                      const struct stanza *stanza, struct slice bytes)
{
    if (slice_is(stanza->ns, NS_TLS) && slice_is(stanza->name, "starttls"))
        start_tls(connection);
    else if (slice_is(stanza->ns, NS_SASL))
        negotiate_sasl(connection, stanza, bytes);
    else /* RFC 6120 4.9.3.12 */
        stream_fail(connection, stanza->kind == STANZA_OTHER
                                    ? STREAM_ERROR_UNSUPPORTED_STANZA_TYPE
                                    : STREAM_ERROR_NOT_AUTHORIZED);
}

static enum stream_verdict take_element(struct connection *connection,
                                        struct slice bytes)
{
    struct stanza stanza;
    struct slice declarations = slice_of(connection->declarations);
    enum stream_error error =
        stanza_parse(connection->frontend->parser, bytes,
                     declarations.data ? declarations : SLICE(""), &stanza);

    if (error != STREAM_ERROR_NONE) {
        stream_fail(connection, error);
        return STREAM_TAKEN;
    }
    switch (connection->state) {
    case STREAM_STATE_NEGOTIATING:
        negotiate(connection, &stanza, bytes);
        return STREAM_TAKEN;
    case STREAM_STATE_AUTHENTICATED:
        bind_take(connection, &stanza);
        return STREAM_TAKEN;
    case STREAM_STATE_BOUND:
        return from_client(connection, &stanza);
    case STREAM_STATE_OPENING:
    case STREAM_STATE_BINDING:
    case STREAM_STATE_CLOSED:
        break;
    }
    BUG_ON(connection->state != STREAM_STATE_CLOSED);
    return STREAM_TAKEN;
}

enum stream_verdict stream_unit(struct connection *connection,
                                enum framing_unit unit, struct slice bytes)
{
    switch (unit) {
    case FRAMING_STREAM_OPEN:
        take_header(connection, bytes);
        break;
    case FRAMING_ELEMENT:
        return take_element(connection, bytes);
    case FRAMING_STREAM_CLOSE:
        stream_end(connection);
        break;
    case FRAMING_WHITESPACE:
    case FRAMING_NEED_MORE:
    case FRAMING_ERROR:
        break;
    }
    return STREAM_TAKEN;
}

/* Time. */

static void deadline_passed(struct connection *connection)
{
    connection->deadline_ms = 0;
    if (connection->state == STREAM_STATE_BINDING)
        bind_timed_out(connection);
    else if (connection->is_waiting && connection->login)
        sasl_timed_out(connection);
    else
        stream_fail(connection, STREAM_ERROR_CONNECTION_TIMEOUT);
}

void stream_tick(struct connection *connection, uint64_t now_ms)
{
    uint64_t keepalive = connection->frontend->config.keepalive;

    if (connection->state == STREAM_STATE_CLOSED)
        return;
    if (connection->deadline_ms && now_ms >= connection->deadline_ms) {
        deadline_passed(connection);
    } else if (keepalive && connection->state == STREAM_STATE_BOUND &&
               now_ms - connection->active_ms >= keepalive) {
        connection->active_ms = now_ms;
        connection_write(connection, SLICE(" "));
    }
}
