#include "sasl.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "keys.h"
#include "login.h"
#include "sasl_name.h"
#include "stream.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

enum { NAME_ROOM = JID_PART_MAX + 1, MESSAGE_MAX = 8 * 1024 };

struct sasl_context {
    Gsasl *gsasl;
};

/* PLAIN's credentials are taken from the session and checked later. */
static int on_gsasl(Gsasl *gsasl, Gsasl_session *session,
                    Gsasl_property property)
{
    (void)gsasl;
    (void)session;
    return property == GSASL_VALIDATE_SIMPLE ? GSASL_OK : GSASL_NO_CALLBACK;
}

struct sasl_context *sasl_context_create(void)
{
    struct sasl_context *context = memory_new(sizeof(*context));

    if (gsasl_init(&context->gsasl) != GSASL_OK)
        log_fatal(EXIT_FAILURE, "libgsasl does not start");
    gsasl_callback_set(context->gsasl, on_gsasl);
    return context;
}

void sasl_context_destroy(struct sasl_context **context)
{
    gsasl_done((*context)->gsasl);
    memory_free(context);
}

bool sasl_may_plain(const struct connection *connection)
{
    return connection->tls || connection->frontend->config.tls == TLS_OFF;
}

void sasl_write_mechanisms(struct buffer *out, bool is_private)
{
    buffer_append_text(out, "<mechanisms xmlns='" NS_SASL
                            "'><mechanism>SCRAM-SHA-256</mechanism>"
                            "<mechanism>SCRAM-SHA-1</mechanism>");
    if (is_private)
        buffer_append_text(out, "<mechanism>PLAIN</mechanism>");
    buffer_append_text(out, "</mechanisms>");
}

/* Steps. */

static void step_scram(struct connection *connection, struct slice input)
{
    char *output = NULL;
    size_t size = 0;
    int result = gsasl_step(connection->login->session, input.data, input.size,
                            &output, &size);
    struct slice data = {output, size};

    if (result == GSASL_NEEDS_MORE)
        login_challenge(connection, data);
    else if (result == GSASL_OK)
        login_succeed(connection, data);
    else
        login_fail(connection, result == GSASL_MECHANISM_PARSE_ERROR
                                   ? "malformed-request"
                                   : "not-authorized");
    gsasl_free(output);
}

/* The answer comes to sasl_keys; meanwhile nothing of the client's is
 * handled. */
static void ask_keys(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    struct login *login = connection->login;
    struct event event;

    connection->is_waiting = true;
    connection->answer_deadline_ms =
        clock_now_ms() + frontend->config.auth_timeout;
    event_init(&event, EVENT_AUTH_KEYS_ASK);
    event.to = slice_of(login->user);
    event.mechanism = login->is_plain
                          ? SLICE("SCRAM-SHA-256")
                          : slice_of(gsasl_mechanism_name(login->session));
    event.node = slice_of(daemon_node(frontend->daemon));
    event.request = frontend_request(frontend, connection);
    output_to_user(&frontend->output, SERVICE_ROSTER, event.to, &event);
}

static bool set_user(struct connection *connection, const char *name)
{
    struct buffer user = BUFFER_EMPTY;
    char prepared[NAME_ROOM];
    size_t size;

    if (!jid_prepare_local(slice_of(name), prepared, &size))
        return false;
    buffer_append(&user, (struct slice){prepared, size});
    buffer_append_byte(&user, '@');
    buffer_append(&user, frontend_domain(connection->frontend));
    connection->login->user = user.data;
    return true;
}

/* libgsasl has prepared it (SASLprep), and keeps a copy of its own. */
static void take_password(struct login *login, const char *password)
{
    char *copy;

    login->password = memory_copy_text(slice_of(password));
    memcpy(&copy, &password, sizeof(copy));
    OPENSSL_cleanse(copy, strlen(copy));
}

static void begin_plain(struct connection *connection, struct slice message)
{
    struct login *login = connection->login;
    char *output = NULL;
    size_t size = 0;
    int result =
        gsasl_step(login->session, message.data, message.size, &output, &size);
    const char *name = gsasl_property_fast(login->session, GSASL_AUTHID);
    const char *password = gsasl_property_fast(login->session, GSASL_PASSWORD);

    gsasl_free(output);
    if (password)
        take_password(login, password);
    if (result != GSASL_OK && result != GSASL_SASLPREP_ERROR)
        login_fail(connection, "malformed-request");
    else if (result != GSASL_OK || !name || !password ||
             !set_user(connection, name))
        login_fail(connection, "not-authorized");
    else
        ask_keys(connection);
}

static void begin_scram(struct connection *connection, struct slice message)
{
    struct login *login = connection->login;
    char name[NAME_ROOM];

    if (!sasl_name_parse(message, name, sizeof(name))) {
        login_fail(connection, "malformed-request");
        return;
    }
    if (!set_user(connection, name)) {
        login_fail(connection, "not-authorized");
        return;
    }
    login->first = memory_copy_text(message);
    login->first_size = message.size;
    ask_keys(connection);
}

/* The client's message, decoded; "=" is an empty one (RFC 6120 6.4.2). */
static void take_message(struct connection *connection, struct slice text)
{
    struct login *login = connection->login;
    char *decoded = NULL;
    size_t size = 0;
    struct slice message;

    if (text.size > MESSAGE_MAX ||
        (text.size && !slice_is(text, "=") &&
         gsasl_base64_from(text.data, text.size, &decoded, &size) !=
             GSASL_OK)) {
        login_fail(connection, "incorrect-encoding");
        return;
    }
    message = (struct slice){decoded ? decoded : "", size};
    if (login->has_keys)
        step_scram(connection, message);
    else if (login->is_plain)
        begin_plain(connection, message);
    else
        begin_scram(connection, message);
    if (decoded)
        OPENSSL_cleanse(decoded, size);
    gsasl_free(decoded);
}

static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1",
                                         "PLAIN"};

static const char *find_mechanism(struct slice name)
{
    for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
        if (slice_is(name, mechanisms[i]))
            return mechanisms[i];
    }
    return NULL;
}

static bool needs_encryption(const struct connection *connection,
                             const char *mechanism)
{
    if (connection->tls)
        return false;
    return connection->frontend->config.tls == TLS_REQUIRED ||
           (!strcmp(mechanism, "PLAIN") && !sasl_may_plain(connection));
}

static void begin(struct connection *connection, const struct stanza *stanza,
                  struct slice name)
{
    const char *mechanism = find_mechanism(name);

    if (!mechanism || needs_encryption(connection, mechanism)) {
        login_fail(connection,
                   mechanism ? "encryption-required" : "invalid-mechanism");
        return;
    }
    connection->login = memory_new(sizeof(*connection->login));
    connection->login->is_plain = !strcmp(mechanism, "PLAIN");
    BUG_ON(gsasl_server_start(connection->frontend->sasl->gsasl, mechanism,
                              &connection->login->session) != GSASL_OK);
    if (stanza->text.size)
        take_message(connection, stanza->text);
    else /* no initial response: an empty challenge asks for it (6.4.2) */
        buffer_append_text(connection_output(connection),
                           "<challenge xmlns='" NS_SASL "'/>");
}

void sasl_auth(struct connection *connection, const struct stanza *stanza,
               struct slice bytes)
{
    struct arena arena;
    const struct xml_element *root;

    if (connection->login) {
        login_fail(connection, "malformed-request");
        return;
    }
    arena_init(&arena);
    root = xml_parse(&arena, bytes, SLICE_NONE);
    begin(connection, stanza,
          root && root->children ? xml_attribute(root->children, "mechanism")
                                 : SLICE_NONE);
    arena_deinit(&arena);
}

void sasl_response(struct connection *connection, const struct stanza *stanza)
{
    if (!connection->login)
        login_fail(connection, "malformed-request");
    else
        take_message(connection, stanza->text.data ? stanza->text : SLICE(""));
}

void sasl_abort(struct connection *connection)
{
    login_fail(connection, "aborted");
}

/* Keys. */

static void set_base64(Gsasl_session *session, Gsasl_property property,
                       struct slice bytes)
{
    struct buffer text = BUFFER_EMPTY;

    login_write_base64(&text, bytes);
    gsasl_property_set(session, property, text.data);
    buffer_deinit(&text);
}

static void on_checked(struct frontend *frontend, uint64_t request,
                       bool matches)
{
    struct connection *connection = frontend_answered(frontend, request);

    if (!connection || !connection->login)
        return;
    connection->is_waiting = false;
    if (matches)
        login_succeed(connection, SLICE_NONE);
    else
        login_fail(connection, "not-authorized");
    connection_answered(connection);
}

static void check_plain(struct connection *connection,
                        const struct event *event)
{
    struct frontend *frontend = connection->frontend;
    uint64_t request = frontend_request(frontend, connection);

    if (keys_check(frontend, request, slice_of(connection->login->password),
                   event, on_checked)) {
        login_wipe(&connection->login->password);
        return;
    }
    frontend_answered(frontend, request);
    login_fail(connection, "temporary-auth-failure");
    connection_answered(connection);
}

static void continue_scram(struct connection *connection,
                           const struct event *event)
{
    struct login *login = connection->login;
    char iterations[24];

    snprintf(iterations, sizeof(iterations), "%lu",
             (unsigned long)event->iterations);
    gsasl_property_set(login->session, GSASL_SCRAM_ITER, iterations);
    set_base64(login->session, GSASL_SCRAM_SALT, event->salt);
    set_base64(login->session, GSASL_SCRAM_STOREDKEY, event->stored_key);
    set_base64(login->session, GSASL_SCRAM_SERVERKEY, event->server_key);
    login->has_keys = true;
    connection->is_waiting = false;
    step_scram(connection, (struct slice){login->first, login->first_size});
    connection_answered(connection);
}

void sasl_keys(struct connection *connection, const struct event *event)
{
    if (!connection->login)
        return;
    if (connection->login->is_plain)
        check_plain(connection, event);
    else
        continue_scram(connection, event);
}

void sasl_timed_out(struct connection *connection)
{
    frontend_answered(connection->frontend, connection->request);
    login_fail(connection, "temporary-auth-failure");
    connection_answered(connection);
}
