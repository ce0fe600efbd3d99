#include "peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { PROBES = 3 };

static int whole_seconds(uint64_t ms)
{
    return ms < 1000 ? 1 : (int)(ms / 1000);
}

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value));
}

void peer_watch(int fd, uint64_t timeout_ms)
{
    uint64_t probing_ms = timeout_ms / 4;

    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(timeout_ms - probing_ms));
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(probing_ms / PROBES));
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* An answer to a probe sets their number back: one may be under way.  The age
 * of the last answer alone says nothing, as the kernel asks ever more rarely
 * whether a closed window is open. */
static bool is_asked_in_vain(const struct tcp_info *info)
{
    return info->tcpi_retransmits > 0 || info->tcpi_probes > 1;
}

bool peer_is_gone(int fd, uint64_t timeout_ms)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    memset(&info, 0, sizeof(info));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           is_asked_in_vain(&info) && info.tcpi_last_ack_recv >= timeout_ms;
}
