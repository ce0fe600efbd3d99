/*
 * A frontend on loopback whose bus is in memory, with roster and delivery
 * played by the test, and clients to try it with.
 */
#ifndef UNIT_FRONTEND_FIXTURE_H
#define UNIT_FRONTEND_FIXTURE_H

#include "../../../frontend/inbox.h"
#include "../../../frontend/session.h"
#include "../../../frontend/stream.h"
#include "base/log.h"
#include "fake_bus.h"
#include "unit.h"
#include "xmpp/namespaces.h"

#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_ROOM = 4 * 1024 * 1024, ARGUMENTS_MAX = 24 };

static struct frontend *frontend;
static struct daemon_spec fixture_spec;
static struct bus *bus;
static struct bus_subscription *inbox_queue_, *node_queue_;
static size_t published; /* looked at so far */

/* In place of frontend/token_key.c, which takes long and has its own test. */
void token_key_derive(const char *secret, struct slice domain,
                      struct token_key *key_out)
{
    memset(key_out, 0, sizeof(*key_out));
    snprintf((char *)key_out->bytes, sizeof(key_out->bytes), "%.*s %s",
             SLICE_FORMAT(domain), secret);
}

/* The loop. */

static inline void pump(void)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(daemon_loop(frontend->daemon), EVLOOP_NONBLOCK);
}

static inline struct event_base *fixture_loop(void)
{
    return daemon_loop(frontend->daemon);
}

/* Events in. */

static inline void send_event(struct bus_subscription *queue,
                              const struct event *event)
{
    struct buffer body = BUFFER_EMPTY;

    event_batch_header(&body, 1);
    event_encode(&body, event);
    fake_bus_deliver(queue, buffer_slice(&body), false);
    buffer_deinit(&body);
    pump();
}

/* Events out, without announcements of members. */

static inline struct event decode(struct slice encoded)
{
    static struct buffer body;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;

    buffer_clear(&body);
    event_batch_header(&body, 1);
    buffer_append(&body, encoded);
    CU_ASSERT_EQUAL_FATAL(event_batch_open(&batch, buffer_slice(&body), &error),
                          EVENT_READ_OK);
    CU_ASSERT_EQUAL_FATAL(event_batch_next(&batch, &event, &raw, &error),
                          EVENT_READ_OK);
    return event;
}

/* Good until the next call; NULL when there is none. */
static inline const struct event *find_published(const char **exchange_out)
{
    static struct event event;

    pump();
    while (published < fake_bus_count(bus)) {
        const struct fake_publish *publish =
            fake_bus_published(bus, published++);

        if (!strcmp(publish->exchange, EXCHANGE_CLUSTER))
            continue;
        event = decode(publish->event);
        *exchange_out = publish->exchange;
        return &event;
    }
    return NULL;
}

/* The same, when there must be one. */
static inline const struct event *next_published(const char **exchange_out)
{
    const struct event *event = find_published(exchange_out);

    if (!event) {
        printf("nothing was published\n");
        abort();
    }
    return event;
}

/* "delivery stanza.route message/chat to <from !condition {payload}" */
static inline const char *next_line(void)
{
    static struct buffer line;
    const char *exchange = NULL;
    const struct event *event = find_published(&exchange);

    buffer_clear(&line);
    if (!event)
        return "(nothing)";
    buffer_appendf(&line, "%s %s", exchange + strlen("ocean."),
                   event_type_name(event->type));
    if (slice_is_set(event->payload) || event->type == EVENT_STANZA_ROUTE ||
        event->type == EVENT_IQ_REQUEST)
        buffer_appendf(&line, " %s", stanza_kind_name(event->kind));
    if (slice_is_set(event->subtype))
        buffer_appendf(&line, "/%.*s", SLICE_FORMAT(event->subtype));
    if (slice_is_set(event->to))
        buffer_appendf(&line, " %.*s", SLICE_FORMAT(event->to));
    if (slice_is_set(event->from))
        buffer_appendf(&line, " <%.*s", SLICE_FORMAT(event->from));
    if (slice_is_set(event->condition))
        buffer_appendf(&line, " !%.*s", SLICE_FORMAT(event->condition));
    if (event->is_durable)
        buffer_append_text(&line, " durable");
    if (event->payload.size)
        buffer_appendf(&line, " {%.*s}", SLICE_FORMAT(event->payload));
    return line.data;
}

#define EXPECT_LINE(expected)                                                  \
    do {                                                                       \
        const char *line_ = next_line();                                       \
        if (strcmp(line_, (expected)) != 0)                                    \
            printf("\n    expected: %s\n    actual:   %s\n", (expected),       \
                   line_);                                                     \
        CU_ASSERT_STRING_EQUAL(line_, (expected));                             \
    } while (0)

#define EXPECT_NOTHING_PUBLISHED() EXPECT_LINE("(nothing)")

static inline void ignore_published(void)
{
    const char *exchange;

    while (find_published(&exchange))
        continue;
}

/* Life. */

static inline unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (void *)&address, size), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (void *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline struct bus_subscription *find_queue(const char *prefix)
{
    char queue[NAME_MAX_BYTES];
    struct bus_subscription *found;

    snprintf(queue, sizeof(queue), "%s.%s", prefix,
             daemon_node(frontend->daemon));
    found = fake_bus_subscription(bus, queue);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

/* Up to where clients are let in.  `options`: "--name", "value" ..., NULL */
static inline void fixture_open(const char *const *options)
{
    static char arguments[ARGUMENTS_MAX][256];
    static char *argv[ARGUMENTS_MAX + 1];
    static const char *const base[] = {
        "ocean-frontend", "--domain",      "localhost", "--log-level",
        "error",          "--key-threads", "1",         "--port"};
    int argc = 0;

    for (size_t i = 0; i < ARRAY_SIZE(base); i++)
        snprintf(arguments[argc++], 256, "%s", base[i]);
    snprintf(arguments[argc++], 256, "%u", free_port());
    for (; options && *options; options++)
        snprintf(arguments[argc++], 256, "%s", *options);
    for (int i = 0; i < argc; i++)
        argv[i] = arguments[i];
    frontend = memory_new(sizeof(*frontend));
    fixture_spec = frontend_spec;
    fixture_spec.options = frontend_options;
    fixture_spec.config = &frontend->config;
    frontend_init(frontend, daemon_start(&fixture_spec, frontend, argc, argv));
    bus = daemon_bus(frontend->daemon);
    published = 0;
    inbox_queue_ = find_queue("frontend");
    node_queue_ = find_queue("node");
    fake_bus_connect(bus);
    fake_bus_start(inbox_queue_);
    fake_bus_confirm(bus);
    pump();
    ignore_published();
}

static const char *const fixture_plain[] = {"--tls", "off", NULL};

static inline void fixture_close(void)
{
    struct daemon *daemon = frontend->daemon;

    frontend_deinit(frontend);
    daemon_stop(&daemon);
    memory_free(&frontend);
}

/* Clients. */

struct client {
    int fd;
    char *got; /* text not yet expected */
    size_t size;
    bool is_ended;
    uint64_t session;
};

static inline void client_open(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port =
                                      htons((uint16_t)frontend->config.port)};

    int on = 1;

    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->got = memory_new(CLIENT_ROOM);
    CU_ASSERT_EQUAL_FATAL(
        connect(client->fd, (void *)&address, sizeof(address)), 0);
    pump();
}

static inline void client_close(struct client *client)
{
    close(client->fd);
    memory_free(&client->got);
    pump();
}

static inline void client_send(struct client *client, const char *text)
{
    CU_ASSERT_EQUAL(send(client->fd, text, strlen(text), MSG_NOSIGNAL),
                    (ssize_t)strlen(text));
    pump();
}

static inline void client_receive(struct client *client)
{
    ssize_t got;

    for (;;) {
        pump();
        got = recv(client->fd, client->got + client->size,
                   CLIENT_ROOM - 1 - client->size, MSG_DONTWAIT);
        if (got <= 0)
            break;
        client->size += (size_t)got;
    }
    client->is_ended |= got == 0;
    client->got[client->size] = '\0';
}

/* Waits up to a second for that text; takes it and what was before it. */
static inline bool client_gets(struct client *client, const char *text)
{
    for (int i = 0; i < 200; i++) {
        char *found;

        client_receive(client);
        found = strstr(client->got, text);
        if (found) {
            found += strlen(text);
            client->size -= (size_t)(found - client->got);
            memmove(client->got, found, client->size + 1);
            return true;
        }
        if (client->is_ended)
            break;
        poll(NULL, 0, 5);
    }
    printf("\n    expected: %s\n    actual:   %s%s\n", text, client->got,
           client->is_ended ? " (end)" : "");
    return false;
}

#define EXPECT_TEXT(client, text) CU_ASSERT_TRUE(client_gets((client), (text)))

/* Nothing has come that was not expected. */
static inline bool client_is_quiet(struct client *client)
{
    client_receive(client);
    if (client->size)
        printf("\n    unexpected: %s\n", client->got);
    return !client->size && !client->is_ended;
}

#define HEADER                                                                 \
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' "        \
    "xmlns='jabber:client' xmlns:stream='" NS_STREAMS "'>"

/* Logging in. */

struct scram_keys {
    unsigned char stored[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE];
    size_t size;
};

static inline struct scram_keys derive_keys(const char *mechanism,
                                            const char *password)
{
    const EVP_MD *digest =
        strcmp(mechanism, "SCRAM-SHA-1") ? EVP_sha256() : EVP_sha1();
    int size = EVP_MD_get_size(digest);
    unsigned char salted[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
    struct scram_keys keys = {.size = (size_t)size};

    PKCS5_PBKDF2_HMAC(password, -1, (const unsigned char *)"salt", 4, 7, digest,
                      size, salted);
    HMAC(digest, salted, size, (const unsigned char *)"Client Key", 10, key,
         NULL);
    EVP_Digest(key, keys.size, keys.stored, NULL, digest, NULL);
    HMAC(digest, salted, size, (const unsigned char *)"Server Key", 10,
         keys.server, NULL);
    return keys;
}

/* Answers the question for keys published last, as if `password` were right. */
static inline void answer_keys(const char *password)
{
    const char *exchange = NULL;
    const struct event *ask = next_published(&exchange);
    struct event answer;
    struct scram_keys keys;
    char mechanism[32];

    CU_ASSERT_EQUAL_FATAL(ask->type, EVENT_AUTH_KEYS_ASK);
    snprintf(mechanism, sizeof(mechanism), "%.*s",
             SLICE_FORMAT(ask->mechanism));
    keys = derive_keys(mechanism, password);
    event_init(&answer, EVENT_AUTH_KEYS);
    answer.origin = 5;
    answer.sequence = 1;
    answer.request = ask->request;
    answer.mechanism = slice_of(mechanism);
    answer.salt = SLICE("salt");
    answer.iterations = 7;
    answer.stored_key = (struct slice){(char *)keys.stored, keys.size};
    answer.server_key = (struct slice){(char *)keys.server, keys.size};
    send_event(node_queue_, &answer);
}

/* "" "alice" "secret" */
#define PLAIN_ALICE "AGFsaWNlAHNlY3JldA=="
#define AUTH_PLAIN(data)                                                       \
    "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>" data "</auth>"

static inline void client_authenticate(struct client *client)
{
    client_send(client, HEADER AUTH_PLAIN(PLAIN_ALICE));
    answer_keys("secret");
    EXPECT_TEXT(client, "<success xmlns='" NS_SASL "'/>");
}

static inline void client_ask_bind(struct client *client, const char *resource)
{
    char text[512];

    snprintf(text, sizeof(text),
             HEADER "<iq type='set' id='b'><bind xmlns='" NS_BIND
                    "'><resource>%s</resource></bind></iq>",
             resource);
    client_send(client, text);
    EXPECT_TEXT(client, "<bind xmlns='" NS_BIND "'/>");
}

/* Answers the question for a session published last. */
static inline void answer_bind(struct client *client, const char *condition)
{
    const char *exchange = NULL;
    const struct event *ask = next_published(&exchange);
    struct event answer;
    char full[256];

    CU_ASSERT_EQUAL_FATAL(ask->type, EVENT_SESSION_BIND);
    snprintf(full, sizeof(full), "%.*s/%.*s", SLICE_FORMAT(ask->to),
             SLICE_FORMAT(ask->resource));
    client->session = ask->session;
    event_init(&answer, EVENT_SESSION_BOUND);
    answer.origin = 6;
    answer.sequence = 1;
    answer.session = ask->session;
    answer.request = ask->request;
    answer.to = slice_of(full);
    answer.condition = slice_of(condition);
    send_event(inbox_queue_, &answer);
}

/* alice@localhost/<resource>, bound. */
static inline void client_login(struct client *client, const char *resource)
{
    client_open(client);
    client_authenticate(client);
    client_ask_bind(client, resource);
    answer_bind(client, NULL);
    EXPECT_TEXT(client, "</jid></bind></iq>");
    CU_ASSERT_TRUE(client_is_quiet(client));
    ignore_published();
}

static inline struct session *client_session(const struct client *client)
{
    return session_find(frontend, client->session);
}

#endif
