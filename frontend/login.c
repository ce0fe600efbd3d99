#include "login.h"

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "stream.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"

void login_wipe(char **secret)
{
    if (*secret)
        OPENSSL_cleanse(*secret, strlen(*secret));
    memory_free(secret);
}

void login_destroy(struct login **login)
{
    if (!*login)
        return;
    gsasl_finish((*login)->session);
    login_wipe(&(*login)->password);
    login_wipe(&(*login)->first);
    memory_free(&(*login)->user);
    memory_free(login);
}

/* Whom the exchange under way is for; SLICE_NONE: it has not said. */
static struct slice claimed_user(const struct connection *connection)
{
    return connection->login ? slice_of(connection->login->user) : SLICE_NONE;
}

static void log_failure(const struct connection *connection,
                        const char *condition)
{
    struct slice user = claimed_user(connection);
    char printable[256];

    if (!slice_is_set(user))
        user = SLICE("-");
    log_info("connection %s: login failed user=%s condition=%s count=%u",
             connection->address,
             log_printable(user, printable, sizeof(printable)), condition,
             connection->failed_attempts);
}

static void tell_roster(const struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    struct event event;

    event_init(&event, EVENT_LOGIN_FAILED);
    event.to = claimed_user(connection);
    if (!slice_is_set(event.to))
        return;
    event.node = slice_of(daemon_node(frontend->daemon));
    event.address = slice_of(connection->address);
    event.count = connection->failed_attempts;
    output_to_user(&frontend->output, SERVICE_ROSTER, event.to, &event);
}

/* RFC 6120 6.4.5. */
static void count_failure(struct connection *connection, const char *condition)
{
    connection->failed_attempts++;
    log_failure(connection, condition);
    if (connection->failed_attempts <
        connection->frontend->config.login_attempts)
        return;
    tell_roster(connection);
    stream_fail(connection, STREAM_ERROR_POLICY_VIOLATION,
                "login attempts used up");
}

void login_fail(struct connection *connection, const char *condition)
{
    buffer_appendf(connection_output(connection),
                   "<failure xmlns='" NS_SASL "'><%s/></failure>", condition);
    connection->is_waiting = false;
    if (strcmp(condition, "temporary-auth-failure") != 0)
        count_failure(connection, condition);
    else
        connection->login_deadline_ms =
            clock_now_ms() + connection->frontend->config.login_timeout;
    login_destroy(&connection->login);
}

void login_write_base64(struct buffer *out, struct slice bytes)
{
    char *text = NULL;
    size_t size = 0;

    BUG_ON(gsasl_base64_to(bytes.data, bytes.size, &text, &size) != GSASL_OK);
    buffer_append(out, (struct slice){text, size});
    gsasl_free(text);
}

static bool names_user(const char *authzid, const char *user)
{
    struct jid jid;
    const char *error;

    return jid_parse(slice_of(authzid), &jid, &error) &&
           slice_equal(jid_full(&jid), slice_of(user));
}

/* RFC 6120 6.3.8; libgsasl repeats PLAIN's authcid when there is no authzid. */
static bool acts_for_itself(const struct login *login)
{
    const char *authzid = gsasl_property_fast(login->session, GSASL_AUTHZID);
    const char *authcid = gsasl_property_fast(login->session, GSASL_AUTHID);

    return !authzid || !*authzid || (authcid && !strcmp(authzid, authcid)) ||
           names_user(authzid, login->user);
}

void login_succeed(struct connection *connection, struct slice data)
{
    struct buffer *out = connection_output(connection);
    struct login *login = connection->login;

    if (!acts_for_itself(login)) {
        login_fail(connection, "invalid-authzid");
        return;
    }
    buffer_append_text(out, "<success xmlns='" NS_SASL "'");
    if (data.size) {
        buffer_append_byte(out, '>');
        login_write_base64(out, data);
        buffer_append_text(out, "</success>");
    } else {
        buffer_append_text(out, "/>");
    }
    connection->user = login->user;
    login->user = NULL;
    login_destroy(&connection->login);
    stream_restart(connection);
}

void login_challenge(struct connection *connection, struct slice data)
{
    struct buffer *out = connection_output(connection);

    buffer_append_text(out, "<challenge xmlns='" NS_SASL "'>");
    login_write_base64(out, data);
    buffer_append_text(out, "</challenge>");
}
