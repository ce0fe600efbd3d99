#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "connection.h"
#include "inbox.h"
#include "peer.h"

enum {
    BACKLOG = 4096,
    ACCEPTS_PER_TURN = 64,
    FILES_RESERVED = 64, /* broker, log, listener, eventfds */
};

/* The soft limit of open files up to the hard one; returns it. */
static uint64_t raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static void set_max_connections(struct frontend *frontend)
{
    uint64_t files = raise_file_limit();
    uint64_t room =
        files > 2 * FILES_RESERVED ? files - FILES_RESERVED : FILES_RESERVED;

    frontend->max_connections = frontend->config.max_connections;
    if (!frontend->max_connections || frontend->max_connections > room)
        frontend->max_connections = room;
    log_info("can take %lu connections (%lu open files)",
             (unsigned long)frontend->max_connections, (unsigned long)files);
}

static socklen_t parse_address(const struct frontend_config *config,
                               struct sockaddr_storage *storage)
{
    struct sockaddr_in *v4 = (void *)storage;
    struct sockaddr_in6 *v6 = (void *)storage;

    memset(storage, 0, sizeof(*storage));
    if (inet_pton(AF_INET, config->listen, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)config->port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, config->listen, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)config->port);
        return sizeof(*v6);
    }
    log_fatal(EX_CONFIG, "listen: expected an IPv4 or IPv6 address, got \"%s\"",
              config->listen);
}

NO_RETURN static void fail_listening(const struct frontend *frontend)
{
    log_fatal(EX_UNAVAILABLE, "cannot listen on %s port %lu: %s",
              frontend->config.listen, (unsigned long)frontend->config.port,
              strerror(errno));
}

void listener_open(struct frontend *frontend)
{
    struct sockaddr_storage address;
    socklen_t size = parse_address(&frontend->config, &address);
    int on = 1;

    frontend->listener = socket(address.ss_family,
                                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (frontend->listener < 0)
        log_fatal(EX_OSERR, "socket: %s", strerror(errno));
    setsockopt(frontend->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(frontend->listener, (const void *)&address, size) != 0 ||
        listen(frontend->listener, BACKLOG) != 0)
        fail_listening(frontend);
    set_max_connections(frontend);
}

static void format_address(const struct sockaddr_storage *storage, char *out,
                           size_t room)
{
    const struct sockaddr_in *v4 = (const void *)storage;
    const struct sockaddr_in6 *v6 = (const void *)storage;
    char host[INET6_ADDRSTRLEN] = "?";

    if (storage->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(out, room, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, room, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static bool accept_one(struct frontend *frontend)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char text[INET6_ADDRSTRLEN + 16];
    int on = 1;
    int fd;

    memset(&address, 0, sizeof(address));
    fd = accept4(frontend->listener, (void *)&address, &size,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            log_warning("accept: %s", strerror(errno));
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    peer_watch(fd, frontend->config.peer_timeout);
    format_address(&address, text, sizeof(text));
    log_debug("connection %s: accepted", text);
    connection_create(frontend, fd, text);
    return true;
}

/* At the limit the rest waits in the backlog until somebody leaves. */
static void on_acceptable(void *argument)
{
    struct frontend *frontend = argument;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        if (frontend->connection_count >= frontend->max_connections) {
            log_warning("no more connections: limit %lu reached",
                        (unsigned long)frontend->max_connections);
            watch_readable(frontend->accepting, false);
            return;
        }
        if (!accept_one(frontend))
            return;
    }
}

static void never_writable(void *argument)
{
    (void)argument;
}

static void begin_listening(struct frontend *frontend)
{
    if (listen(frontend->listener, BACKLOG) != 0)
        fail_listening(frontend);
    frontend->accepting =
        watch_create(daemon_loop(frontend->daemon), frontend->listener,
                     on_acceptable, never_writable, frontend);
    log_info("listening on %s port %lu", frontend->config.listen,
             (unsigned long)frontend->config.port);
}

void listener_start(struct frontend *frontend)
{
    if (frontend->listener < 0 || !inbox_is_registered(frontend->inbox) ||
        frontend->connection_count >= frontend->max_connections)
        return;
    if (!frontend->accepting)
        begin_listening(frontend);
    watch_readable(frontend->accepting, true);
}

void listener_stop(struct frontend *frontend)
{
    watch_destroy(&frontend->accepting);
    if (frontend->listener >= 0)
        close(frontend->listener);
    frontend->listener = -1;
}
