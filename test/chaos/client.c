#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "journal.h"
#include "ledger.h"

enum {
    MS = 1000,
    SECOND = 1000 * MS,
    LOGIN_US = 20 * SECOND,   /* from connecting to being online */
    ANSWER_US = 20 * SECOND,  /* for <r/>: then the server counts as dead */
    CLOSE_US = 10 * SECOND,   /* for </stream:stream> */
    LEAVE_US = 5 * SECOND,    /* for the last acknowledgements */
    REQUEST_US = 5 * SECOND,  /* between two <r/> at most ... */
    PENDING_US = 500 * MS,    /* ... if something is unacknowledged ... */
    REQUEST_STANZAS = 3,      /* ... or so many stanzas were sent */
    BACK_OFF_US = 50 * MS,    /* doubled with each failure, up to */
    BACK_OFF_MAX_US = SECOND, /* and jittered */
    PRESENCE_US = 10 * SECOND,
    UNACKED_MAX = 200, /* then nothing new is sent */
    OUTPUT_MAX = 64 * 1024,
};

static const char *const state_names[] = {
    [CLIENT_OFFLINE] = "offline",
    [CLIENT_WAITING] = "waiting",
    [CLIENT_CONNECTING] = "connecting",
    [CLIENT_OPENING] = "opening",
    [CLIENT_AUTHENTICATING] = "authenticating",
    [CLIENT_REOPENING] = "reopening",
    [CLIENT_RESUMING] = "resuming",
    [CLIENT_BINDING] = "binding",
    [CLIENT_ENABLING] = "enabling",
    [CLIENT_ONLINE] = "online",
    [CLIENT_CLOSING] = "closing",
};

void client_enter(struct client *client, enum client_state state)
{
    client->state = state;
}

void client_init(struct client *client, unsigned index)
{
    client->index = index;
    client->is_silent = index >= fleet.count;
    client->fd = -1;
    client->frontend = index % fleet.port_count + 1;
    client_enter(client, CLIENT_WAITING);
    client->due_us = now_us() + fleet_random(SECOND);
}

void client_free(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    bytes_free(&client->input);
    bytes_free(&client->output);
    session_free(&client->session);
}

/* Connecting. */

static void watch(struct client *client, int operation, bool output)
{
    struct epoll_event event = {
        .events = EPOLLIN | (output ? (uint32_t)EPOLLOUT : 0),
        .data.ptr = client,
    };

    client->is_watching_output = output;
    if (epoll_ctl(fleet.epoll, operation, client->fd, &event)) {
        perror("chaos_driver: epoll_ctl");
        exit(EXIT_FAILURE);
    }
}

static void connect_now(struct client *client, uint64_t now)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)fleet.ports[client->frontend - 1]),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        perror("chaos_driver: socket");
        exit(EXIT_FAILURE);
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->error[0] = '\0';
    client->due_us = now + LOGIN_US;
    client_enter(client, CLIENT_CONNECTING);
    watch(client, EPOLL_CTL_ADD, true);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) &&
        errno != EINPROGRESS)
        client_lost(client, "refused");
}

static void on_connected(struct client *client)
{
    int error = 0;
    socklen_t size = sizeof(error);

    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        client_lost(client, "refused");
        return;
    }
    journal_write(client->index, "connect %u", client->frontend);
    stream_open(client);
    client_enter(client, CLIENT_OPENING);
}

/* Any other frontend. */
static void choose_frontend(struct client *client)
{
    uint64_t step;

    if (fleet.port_count < 2)
        return;
    step = 1 + fleet_random(fleet.port_count - 1);
    client->frontend =
        (client->frontend - 1 + (unsigned)step) % fleet.port_count + 1;
}

static uint64_t back_off(struct client *client)
{
    uint64_t most = (uint64_t)BACK_OFF_US << (client->failures % 32);

    if (client->failures < 10)
        client->failures++;
    return fleet_random(most < BACK_OFF_MAX_US ? most : BACK_OFF_MAX_US);
}

/* Losing the connection. */

static void disconnect(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    client->input.size = 0;
    client->output.size = 0;
    client->request_us = 0;
    client->unrequested = 0;
    client->is_leaving = false;
    choose_frontend(client);
}

static void journal_loss(const struct client *client, const char *how)
{
    if (client->state >= CLIENT_ENABLING)
        journal_write(client->index, "lost %u %u %s",
                      client->session.incarnation, client->frontend, how);
    else
        journal_write(client->index, "refused %u %s while %s", client->frontend,
                      how, state_names[client->state]);
}

void client_lost(struct client *client, const char *how)
{
    bool was_closing = client->state == CLIENT_CLOSING;

    journal_loss(client, how);
    disconnect(client);
    if (client->session.is_open && (was_closing || !client->session.id[0]))
        session_end(client);
    if (was_closing) {
        journal_write(client->index, "offline %" PRIu64, client->away_us);
        client->due_us = now_us() + client->away_us;
        client_enter(client, CLIENT_OFFLINE);
        return;
    }
    client->due_us = now_us() + back_off(client);
    client_enter(client, CLIENT_WAITING);
}

void client_reset(struct client *client)
{
    struct linger linger = {.l_onoff = 1};

    if (client->state != CLIENT_ONLINE)
        return;
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    client_lost(client, "rst");
}

/* Reading and writing. */

static void on_readable(struct client *client)
{
    enum { CHUNK = 64 * 1024 };

    ssize_t size = recv(client->fd, bytes_room(&client->input, CHUNK), CHUNK,
                        MSG_DONTWAIT);
    char how[80];

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0) {
        client->input.size += (size_t)size;
        stream_on_input(client);
        return;
    }
    snprintf(how, sizeof(how), "error:%s", client->error);
    client_lost(client, client->error[0] ? how : size ? "reset" : "eof");
}

void client_on_event(struct client *client, uint32_t events)
{
    if (client->fd < 0)
        return;
    if (client->state == CLIENT_CONNECTING)
        on_connected(client);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(client);
}

/* A broken connection is noticed by reading: there may be something left. */
void client_flush(struct client *client)
{
    bool is_pending;
    ssize_t size;

    if (client->fd < 0 || client->state == CLIENT_CONNECTING)
        return;
    if (client->output.size) {
        size = send(client->fd, client->output.data, client->output.size,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size > 0)
            bytes_take(&client->output, (size_t)size);
        else if (size < 0 && errno != EAGAIN && errno != EINTR)
            client->output.size = 0;
    }
    is_pending = client->output.size;
    if (is_pending != client->is_watching_output)
        watch(client, EPOLL_CTL_MOD, is_pending);
}

/* Sending. */

bool client_may_send(const struct client *client)
{
    return client->state == CLIENT_ONLINE && !client->is_leaving &&
           client->session.count < UNACKED_MAX &&
           client->output.size < OUTPUT_MAX;
}

void client_send_message(struct client *client, unsigned to, uint64_t due_us)
{
    session_send(client,
                 (struct unacked){.kind = STANZA_MESSAGE,
                                  .to = to,
                                  .number = ledger_send(client->index, to),
                                  .due_us = due_us});
}

void client_leave(struct client *client, uint64_t away_us)
{
    if (client->state != CLIENT_ONLINE)
        return;
    client->is_leaving = true;
    client->away_us = away_us;
    client->due_us = now_us() + LEAVE_US;
}

static void close_stream(struct client *client, uint64_t now)
{
    if (!fleet.is_plain)
        session_acknowledge(client);
    session_send(client, (struct unacked){.kind = STANZA_UNAVAILABLE});
    bytes_appendf(&client->output, "</stream:stream>");
    client->is_leaving = false;
    client->due_us = now + CLOSE_US;
    client_enter(client, CLIENT_CLOSING);
}

bool client_is_settled(const struct client *client)
{
    for (size_t i = 0; i < client->session.count; i++) {
        size_t at = (client->session.first + i) % client->session.capacity;

        if (client->session.unacked[at].kind == STANZA_MESSAGE)
            return false;
    }
    return client->state == CLIENT_ONLINE;
}

/* Time. */

static bool is_request_due(const struct client *client, uint64_t now)
{
    uint64_t pause = now - client->last_request_us;

    if (client->request_us || fleet.is_plain)
        return false;
    return client->unrequested >= REQUEST_STANZAS || pause >= REQUEST_US ||
           (client->session.count && pause >= PENDING_US);
}

static void tick_online(struct client *client, uint64_t now)
{
    if (client->is_silent)
        return;
    if (client->request_us && now - client->request_us >= ANSWER_US) {
        client_lost(client, "timeout");
        return;
    }
    if (client->is_leaving &&
        (!client->session.count || now >= client->due_us)) {
        close_stream(client, now);
        return;
    }
    if (fleet.has_presence_changes && now >= client->presence_us &&
        client_may_send(client)) {
        client->presence_us = now + PRESENCE_US;
        session_send(client,
                     (struct unacked){.kind = STANZA_PRESENCE,
                                      .number = (uint32_t)fleet_random(100)});
    }
    if (is_request_due(client, now))
        session_request(client, now);
}

void client_tick(struct client *client, uint64_t now)
{
    if (client->state == CLIENT_ONLINE) {
        tick_online(client, now);
        return;
    }
    if (now < client->due_us)
        return;
    if (client->state == CLIENT_OFFLINE)
        journal_write(client->index, "online");
    if (client->state <= CLIENT_WAITING)
        connect_now(client, now);
    else
        client_lost(client, "timeout");
}
