#include "../../../frontend/peer.h"

#include "base/clock.h"
#include "fixture.h"

#include <linux/filter.h>

enum { TIMEOUT_MS = 300, DEADLINE_MS = 20000 };

/* As if its power had failed: nothing that arrives reaches the socket. */
static void pull_the_plug(int fd)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &drop};

    CU_ASSERT_EQUAL_FATAL(
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
        0);
}

/* Two ends of a connection, the second with little room for input. */
static void open_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int room = 4096;

    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    CU_ASSERT_EQUAL_FATAL(bind(listener, (void *)&address, size), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (void *)&address, &size), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(connect(ends[1], (void *)&address, size), 0);
    ends[0] = accept(listener, NULL, NULL);
    CU_ASSERT_TRUE_FATAL(ends[0] >= 0);
    close(listener);
}

static void close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* Until it takes no more: the other end does not read. */
static void fill(int fd)
{
    static const char bytes[4096];

    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
}

static bool wait_until_gone(int fd)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;

    while (!peer_is_gone(fd, TIMEOUT_MS) && clock_now_ms() < end_ms)
        poll(NULL, 0, 10);
    return peer_is_gone(fd, TIMEOUT_MS);
}

static void test_gone_with_data_under_way(void)
{
    int ends[2];

    open_pair(ends);
    pull_the_plug(ends[1]);
    CU_ASSERT_FALSE(peer_is_gone(ends[0], 0));
    CU_ASSERT_EQUAL(send(ends[0], "x", 1, 0), 1);
    CU_ASSERT_TRUE(wait_until_gone(ends[0]));
    close_pair(ends);
}

static void test_gone_with_closed_window(void)
{
    int ends[2];

    open_pair(ends);
    fill(ends[0]);
    pull_the_plug(ends[1]);
    CU_ASSERT_TRUE(wait_until_gone(ends[0]));
    close_pair(ends);
}

static struct tcp_info tcp_info(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info;
}

/* Even when the kernel has not asked for longer than the limit. */
static void test_slow_reader_stays(void)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    int ends[2];

    open_pair(ends);
    fill(ends[0]);
    while (tcp_info(ends[0]).tcpi_last_ack_recv < 2 * TIMEOUT_MS &&
           clock_now_ms() < end_ms) {
        CU_ASSERT_FALSE(peer_is_gone(ends[0], TIMEOUT_MS));
        poll(NULL, 0, 10);
    }
    CU_ASSERT_TRUE(tcp_info(ends[0]).tcpi_last_ack_recv >= 2 * TIMEOUT_MS);
    CU_ASSERT_FALSE(peer_is_gone(ends[0], TIMEOUT_MS));
    close_pair(ends);
}

static struct connection *only_connection(void)
{
    return TAILQ_FIRST(&frontend->connections);
}

static int option(int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    CU_ASSERT_EQUAL(
        getsockopt(only_connection()->fd, level, name, &value, &size), 0);
    return value;
}

/* By default no earlier than an application with XMPP's keepalive. */
static void test_idle_hosts_are_asked(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    CU_ASSERT_EQUAL(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    CU_ASSERT_EQUAL(option(IPPROTO_TCP, TCP_KEEPIDLE), 300);
    CU_ASSERT_TRUE(frontend->config.keepalive <= 300 * 1000);
    CU_ASSERT_EQUAL(option(IPPROTO_TCP, TCP_KEEPINTVL) *
                        option(IPPROTO_TCP, TCP_KEEPCNT),
                    99);
    client_close(&client);
    fixture_close();
}

static void test_connection_of_a_host_that_is_gone(void)
{
    static const char *const options[] = {"--tls", "off", "--peer-timeout",
                                          "1s", NULL};
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    struct client client;

    fixture_open(options);
    client_login(&client, "desk");
    pull_the_plug(client.fd);
    connection_write(only_connection(), SLICE("<presence/>"));
    while (frontend->connection_count && clock_now_ms() < end_ms) {
        connection_tick(only_connection(), clock_now_ms());
        pump();
        poll(NULL, 0, 10);
    }
    CU_ASSERT_EQUAL(frontend->connection_count, 0);
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"gone with data under way", test_gone_with_data_under_way},
    {"gone with closed window", test_gone_with_closed_window},
    {"slow reader stays", test_slow_reader_stays},
    {"idle hosts are asked", test_idle_hosts_are_asked},
    {"connection of a host that is gone",
     test_connection_of_a_host_that_is_gone},
};

int main(void)
{
    return unit_run("peer", cases, ARRAY_SIZE(cases));
}
