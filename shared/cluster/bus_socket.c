#include "cluster/bus_link.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void bus_socket_set(struct bus_link *link, int socket)
{
    pthread_mutex_lock(&link->socket_lock);
    link->socket = socket;
    pthread_mutex_unlock(&link->socket_lock);
}

static void set_options(const struct bus_link *link, int fd)
{
    unsigned unanswered = link->bus->config.heartbeat_seconds * 3000;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Ends a write that hangs, which no heartbeat does. */
    if (unanswered)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered,
                   sizeof(unanswered));
}

/* 0, or the error. */
static int wait_connected(int fd, uint64_t deadline_ms)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    uint64_t now_ms = clock_now_ms();
    int limit_ms = now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
    int error = 0;
    socklen_t size = sizeof(error);

    if (poll(&writable, 1, limit_ms) <= 0)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno
                                                                   : error;
}

/* 0 and the socket in the link, or the error. */
static int connect_to(struct bus_link *link, const struct addrinfo *address,
                      uint64_t deadline_ms)
{
    int fd = socket(address->ai_family,
                    address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    int error = 0;

    if (fd < 0)
        return errno;
    set_options(link, fd);
    bus_socket_set(link, fd); /* may be cut from here on */
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        error = errno;
    if (error == EINPROGRESS)
        error = wait_connected(fd, deadline_ms);
    if (error) {
        bus_socket_set(link, -1);
        close(fd);
    }
    return error;
}

bool bus_socket_open(struct bus_link *link, unsigned limit_ms)
{
    const struct bus_config *config = &link->bus->config;
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    uint64_t deadline_ms = clock_now_ms() + limit_ms;
    struct addrinfo *addresses;
    char port[16];
    int error;

    snprintf(port, sizeof(port), "%u", config->port);
    error = getaddrinfo(config->host, port, &hints, &addresses);
    if (error) {
        bus_link_lose(link, "%s", gai_strerror(error));
        return false;
    }
    error = EADDRNOTAVAIL;
    for (const struct addrinfo *at = addresses; at && error; at = at->ai_next)
        error = connect_to(link, at, deadline_ms);
    freeaddrinfo(addresses);
    if (error)
        bus_link_lose(link, "%s", strerror(error));
    return !error;
}
