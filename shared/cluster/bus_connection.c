#include "cluster/bus_link.h"

#include "base/log.h"
#include "base/memory.h"

#include <amqp_tcp_socket.h>

#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    CONNECT_MS = 2500,
    CLOSE_MS = 500,
    FRAME_MAX = 131072,
};

static struct timeval milliseconds(unsigned value)
{
    return (struct timeval){value / 1000, (suseconds_t)(value % 1000) * 1000};
}

/* Opening. */

static bool open_socket(struct bus_link *link)
{
    amqp_socket_t *socket;

    link->connection = amqp_new_connection();
    BUG_ON(!link->connection);
    socket = amqp_tcp_socket_new(link->connection);
    BUG_ON(!socket);
    if (!bus_socket_open(link, CONNECT_MS))
        return false;
    amqp_tcp_socket_set_sockfd(socket, link->socket);
    return true;
}

static amqp_table_entry_t text_entry(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        amqp_cstring_bytes(key),
        {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(value)}}};
}

static amqp_rpc_reply_t login(struct bus_link *link)
{
    static const char *const capability_names[] = {
        "connection.blocked", "consumer_cancel_notify", "publisher_confirms",
        "basic.nack", "authentication_failure_close"};
    const struct bus_config *config = &link->bus->config;
    amqp_table_entry_t capabilities[ARRAY_SIZE(capability_names)];
    amqp_table_entry_t properties[3];
    amqp_table_t table = {ARRAY_SIZE(properties), properties};
    char name[160];

    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        capabilities[i] =
            (amqp_table_entry_t){amqp_cstring_bytes(capability_names[i]),
                                 {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}};
    snprintf(name, sizeof(name), "%s %s", config->name, link->handler->role);
    properties[0] = (amqp_table_entry_t){
        amqp_cstring_bytes("capabilities"),
        {AMQP_FIELD_KIND_TABLE,
         {.table = {ARRAY_SIZE(capabilities), capabilities}}}};
    properties[1] = text_entry("connection_name", name);
    properties[2] = text_entry("product", "Ocean");
    return amqp_login_with_properties(link->connection, config->vhost, 0,
                                      FRAME_MAX, (int)config->heartbeat_seconds,
                                      &table, AMQP_SASL_METHOD_PLAIN,
                                      config->user, config->password);
}

/* A connection.close during login: we are not wanted like this. */
static void login_refused(struct bus_link *link, const char *login,
                          const amqp_method_t *method)
{
    amqp_connection_close_t *close = method->decoded;
    char text[256];

    bus_link_close_text(close->reply_code, close->reply_text, text,
                        sizeof(text));
    bus_link_lose(link, "it refuses %s: %s", login, text);
    link->is_refused = true;
    link->back_off_ms = LINK_REFUSED_MS;
    if (link->attempts == 0 || !link->was_refused)
        bus_link_tell_text(link, BUS_REPORT_REFUSED, login, text);
}

static void login_failed(struct bus_link *link, const amqp_rpc_reply_t *reply)
{
    const struct bus_config *config = &link->bus->config;
    char login[256];

    snprintf(login, sizeof(login), "the login of user \"%s\" to vhost \"%s\"",
             config->user, config->vhost);
    if (reply->reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply->reply.id == AMQP_CONNECTION_CLOSE_METHOD)
        login_refused(link, login, &reply->reply);
    else
        bus_link_lose(link, "during %s: %s", login,
                      bus_link_status_text(reply->library_error));
}

static bool log_in(struct bus_link *link)
{
    struct timeval limit = milliseconds(CONNECT_MS);
    amqp_rpc_reply_t reply;

    amqp_set_handshake_timeout(link->connection, &limit);
    amqp_set_rpc_timeout(link->connection, &limit);
    reply = login(link);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    login_failed(link, &reply);
    return false;
}

bool bus_connection_open(struct bus_link *link)
{
    link->is_refused = false;
    return open_socket(link) && log_in(link);
}

void bus_connection_destroy(struct bus_link *link)
{
    bus_socket_set(link, -1);
    amqp_destroy_connection(link->connection);
    link->connection = NULL;
    link->must_write = false;
}

void bus_connection_close(struct bus_link *link)
{
    struct timeval limit = milliseconds(CLOSE_MS);

    if (!link->connection)
        return;
    amqp_set_rpc_timeout(link->connection, &limit);
    amqp_connection_close(link->connection, AMQP_REPLY_SUCCESS);
    bus_connection_destroy(link);
}

bool bus_link_has_room(const struct bus_link *link, size_t size)
{
    int room = 0;
    int queued = 0;
    socklen_t room_size = sizeof(room);

    if (getsockopt(link->socket, SOL_SOCKET, SO_SNDBUF, &room, &room_size) <
            0 ||
        ioctl(link->socket, SIOCOUTQ, &queued) < 0 || queued == 0)
        return true;
    /* Half of it is the kernel's own book-keeping. */
    return (size_t)queued + size <= (size_t)room / 2;
}
