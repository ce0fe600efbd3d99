#include "stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include "acks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "from_client.h"
#include "login.h"
#include "resume.h"
#include "sasl.h"
#include "session.h"
#include "tls.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

enum { LANG_MAX = 35 }; /* RFC 5646 4.4.1 */

/* The header, RFC 6120 4.7. */

/* RFC 6120 4.7.3: not to be guessed. */
static uint64_t stream_id(void)
{
    uint64_t id;

    BUG_ON(getrandom(&id, sizeof(id), 0) != sizeof(id));
    return id;
}

static void write_header(struct connection *connection, struct slice to)
{
    struct buffer *out = connection_output(connection);

    buffer_appendf(out,
                   "<?xml version='1.0'?><stream:stream xmlns='" NS_CLIENT
                   "' xmlns:stream='" NS_STREAMS "' id='%016" PRIx64
                   "%016" PRIx64 "' version='1.0' xml:lang='en'",
                   stream_id(), stream_id());
    xml_write_attribute(out, "from", frontend_domain(connection->frontend));
    xml_write_attribute(out, "to", to);
    buffer_append_byte(out, '>');
    connection->has_header_sent = true;
}

static bool is_our_domain(const struct frontend *frontend, struct slice to)
{
    struct jid jid;
    const char *why;

    return slice_is_set(to) && jid_parse(to, &jid, &why) &&
           slice_equal(jid_full(&jid), frontend_domain(frontend));
}

/* RFC 6120 4.7.5: no version means 0.9. */
static bool is_version_supported(struct slice version)
{
    size_t digits = 0;
    bool is_positive = false;

    while (digits < version.size && version.data[digits] >= '0' &&
           version.data[digits] <= '9')
        is_positive |= version.data[digits++] != '0';
    return is_positive && digits < version.size && version.data[digits] == '.';
}

static enum stream_error check_header(const struct connection *connection,
                                      const struct stream_header *header)
{
    if (!is_our_domain(connection->frontend, header->to))
        return STREAM_ERROR_HOST_UNKNOWN;
    if (!is_version_supported(header->version))
        return STREAM_ERROR_UNSUPPORTED_VERSION;
    return STREAM_ERROR_NONE;
}

static void keep_header(struct connection *connection,
                        const struct stream_header *header)
{
    memory_free(&connection->declarations);
    memory_free(&connection->lang);
    if (header->declarations.size)
        connection->declarations = memory_copy_text(header->declarations);
    if (header->lang.size && header->lang.size <= LANG_MAX)
        connection->lang = memory_copy_text(header->lang);
}

/* RFC 6120 4.7.2: to whom it says to be, if that is an address. */
static void answer_header(struct connection *connection,
                          const struct stream_header *header)
{
    struct jid from;
    const char *why;
    bool has_from =
        slice_is_set(header->from) && jid_parse(header->from, &from, &why);

    write_header(connection, has_from ? jid_full(&from) : SLICE_NONE);
}

static void open_stream(struct connection *connection, struct slice bytes)
{
    struct stream_header header;
    enum stream_error error =
        stanza_parse_header(connection->frontend->parser, bytes, &header);

    if (error == STREAM_ERROR_NONE) {
        answer_header(connection, &header);
        error = check_header(connection, &header);
    }
    if (error != STREAM_ERROR_NONE) {
        stream_fail(connection, error, stream_error_name(error));
        return;
    }
    keep_header(connection, &header);
    connection->state = connection->user ? STREAM_STATE_AUTHENTICATED
                                         : STREAM_STATE_NEGOTIATING;
    features_write(connection);
}

static void expect_header(struct connection *connection, uint64_t max_bytes)
{
    framing_init(&connection->framing, (uint32_t)max_bytes);
    connection->state = STREAM_STATE_OPENING;
    connection->has_header_sent = false;
}

void stream_restart(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    frontend->logins++;
    frontend->last_login_ms = clock_now_ms();
    expect_header(connection, frontend->config.max_stanza_bytes);
}

/* The end, RFC 6120 4.4 and 4.9. */

static void write_end(struct connection *connection, enum stream_error error,
                      struct slice detail)
{
    struct buffer *out;

    if (!connection->has_header_sent)
        write_header(connection, SLICE_NONE);
    out = connection_output(connection);
    if (error != STREAM_ERROR_NONE)
        buffer_appendf(out,
                       "<stream:error><%s xmlns='" NS_STREAM_ERRORS
                       "'/>%.*s</stream:error>",
                       stream_error_name(error), SLICE_FORMAT(detail));
    buffer_append_text(out, "</stream:stream>");
}

static void log_no_handshake(const struct connection *connection,
                             const char *reason)
{
    const char *failure = tls_failure(connection->tls);

    log_info("connection %s: TLS handshake failed reason=\"%s\"",
             connection->address, failure ? failure : reason);
}

static void log_closed(const struct connection *connection, const char *reason)
{
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    if (connection_is_mute(connection))
        log_no_handshake(connection, reason);
    else
        log_debug("connection %s: closed reason=\"%s\"", connection->address,
                  reason);
}

static void end(struct connection *connection, enum stream_error error,
                struct slice detail, const char *reason)
{
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    log_closed(connection, reason);
    if (connection->session)
        session_end(connection->session, true, reason);
    write_end(connection, error, detail);
    connection_close(connection);
}

void stream_fail(struct connection *connection, enum stream_error error,
                 const char *reason)
{
    end(connection, error, SLICE_NONE, reason);
}

void stream_fail_with(struct connection *connection, enum stream_error error,
                      struct slice detail, const char *reason)
{
    end(connection, error, detail, reason);
}

void stream_end(struct connection *connection)
{
    end(connection, STREAM_ERROR_NONE, SLICE_NONE, "client ended it");
}

static void detach(struct connection *connection, const char *reason)
{
    log_info("session %s: detached address=%s reason=\"%s\"",
             connection->session->full, connection->address, reason);
    session_detach(connection->session);
}

void stream_part(struct connection *connection, enum stream_error error,
                 const char *reason)
{
    detach(connection, reason);
    end(connection, error, SLICE_NONE, reason);
}

void stream_lost(struct connection *connection, const char *reason)
{
    log_closed(connection, reason);
    if (connection->session && acks_is_resumable(connection->session))
        detach(connection, reason);
    else if (connection->session)
        session_end(connection->session, true, reason);
    connection_drop(connection);
}

/* Units. */

static void fail_tls(struct connection *connection)
{
    connection_write(connection, SLICE("<failure xmlns='" NS_TLS "'/>"));
    stream_end(connection);
}

/* RFC 6120 5.4: <proceed/> is the last thing said in the clear. */
static void start_tls(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;

    if (!frontend->tls || connection->tls) {
        fail_tls(connection);
        return;
    }
    connection_write(connection, SLICE("<proceed xmlns='" NS_TLS "'/>"));
    connection_flush(connection);
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    if (connection->output.size) { /* a client that does not read */
        stream_lost(connection, "takes its output too slowly");
        return;
    }
    login_destroy(&connection->login);
    connection->tls = tls_create(frontend->tls, connection->fd);
    connection->has_ended_units = true;
    expect_header(connection,
                  frontend->config.max_stanza_bytes_unauthenticated);
}

/* What is no stanza of a stream in that state. */
static void refuse(struct connection *connection, const struct stanza *stanza)
{
    enum stream_error error = stanza->kind == STANZA_OTHER
                                  ? STREAM_ERROR_UNSUPPORTED_STANZA_TYPE
                                  : STREAM_ERROR_NOT_AUTHORIZED;

    stream_fail(connection, error, stream_error_name(error));
}

static void negotiate(struct connection *connection,
                      const struct stanza *stanza, struct slice bytes)
{
    bool is_sasl = slice_is(stanza->ns, NS_SASL);

    if (slice_is(stanza->ns, NS_TLS) && slice_is(stanza->name, "starttls"))
        start_tls(connection);
    else if (is_sasl && slice_is(stanza->name, "auth"))
        sasl_auth(connection, stanza, bytes);
    else if (is_sasl && slice_is(stanza->name, "response"))
        sasl_response(connection, stanza);
    else if (is_sasl && slice_is(stanza->name, "abort"))
        sasl_abort(connection);
    else
        refuse(connection, stanza);
}

static enum stream_verdict take_bound(struct connection *connection,
                                      const struct stanza *stanza)
{
    enum stream_verdict verdict = from_client(connection, stanza);

    if (verdict == STREAM_TAKEN)
        acks_received(connection);
    return verdict;
}

static enum stream_verdict take_stanza(struct connection *connection,
                                       const struct stanza *stanza,
                                       struct slice bytes)
{
    bool is_bound = connection->state == STREAM_STATE_BOUND;
    bool is_sm = slice_is(stanza->ns, NS_SM);

    if (connection->state == STREAM_STATE_NEGOTIATING)
        negotiate(connection, stanza, bytes);
    else if (is_bound && stanza->kind != STANZA_OTHER)
        return take_bound(connection, stanza);
    else if (is_sm && stanza->kind == STANZA_OTHER)
        acks_element(connection, stanza);
    else if (!is_bound && bind_is_request(stanza))
        return bind_request(connection, stanza);
    else
        refuse(connection, stanza);
    return STREAM_TAKEN;
}

static enum stream_verdict take_element(struct connection *connection,
                                        struct slice bytes)
{
    struct stanza stanza;
    enum stream_error error =
        stanza_parse(connection->frontend->parser, bytes,
                     slice_of(connection->declarations), &stanza);

    if (error == STREAM_ERROR_NONE)
        return take_stanza(connection, &stanza, bytes);
    stream_fail(connection, error, stream_error_name(error));
    return STREAM_TAKEN;
}

enum stream_verdict stream_unit(struct connection *connection,
                                enum framing_unit unit, struct slice bytes)
{
    switch (unit) {
    case FRAMING_STREAM_OPEN:
        open_stream(connection, bytes);
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

/* Time limits. */

/* RFC 6120 4.6: for what stands between, and for the client, who would not
 * notice otherwise that we are gone; an answer proves that it is not. */
static void keep_alive(struct connection *connection, uint64_t now_ms)
{
    uint64_t interval = connection->frontend->config.keepalive;

    if (!interval || now_ms - connection->active_ms < interval)
        return;
    connection->active_ms = now_ms;
    if (!acks_probe(connection, now_ms))
        connection_write(connection, SLICE(" "));
}

void stream_tick(struct connection *connection, uint64_t now_ms)
{
    if (connection->state == STREAM_STATE_CLOSED)
        return;
    if (connection->state == STREAM_STATE_BOUND) {
        keep_alive(connection, now_ms);
        acks_tick(connection->session, now_ms);
    } else if (connection->state == STREAM_STATE_RESUMING) {
        resume_tick(connection, now_ms);
    } else if (!connection->is_waiting) {
        if (now_ms >= connection->login_deadline_ms)
            stream_fail(connection, STREAM_ERROR_CONNECTION_TIMEOUT,
                        "login_timeout");
    } else if (now_ms >= connection->answer_deadline_ms) {
        if (connection->login)
            sasl_timed_out(connection);
        else
            bind_timed_out(connection);
    }
}
