/*
 * N XMPP clients with XEP-0198 that send one another numbered messages and
 * keep a journal (journal.h).  Shares no code with the server.
 *
 *     chaos_driver --journal FILE --ports P,P,P --clients N --rate R --seed S
 *                  --silent N --silent-rate R --plain --no-presence
 *                  --online-first
 *
 * Silent clients never acknowledge anything, and are sent messages too; plain
 * ones do not enable XEP-0198, which makes sense only if nothing fails.
 * --online-first: nothing is sent before everybody is online.
 *
 * Commands come on standard input, a line each:
 *     rst C            client C resets its connection
 *     offline C MS     client C leaves, and comes back after so long
 *     finish           send no more; exit when everything has arrived
 * Its end, or no end of what is outstanding for DEADLINE_US, is exit status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client.h"
#include "journal.h"
#include "ledger.h"

enum {
    TURN_MS = 5,
    EVENTS = 1024,
    SECOND = 1000 * 1000,
    DEADLINE_US = 60 * SECOND,
    LINGER_US = 2 * SECOND, /* for copies of what has arrived already */
    SETTLE_US = 2 * SECOND, /* from being online to having what was stored */
    CATCH_UP_US = SECOND,   /* what was not sent in time for longer is not */
    TRIES = 4,              /* to find somebody who may send */
};

struct fleet fleet = {.count = 30, .has_presence_changes = true, .random = 1};

/* Messages that are due at even distances. */
struct flow {
    uint64_t rate; /* per second, of all together */
    uint64_t sent_until_us;
};

static struct {
    const char *journal;
    struct flow chat;
    struct flow to_silent;
    bool is_waiting;    /* for everybody to be online ... */
    uint64_t online_us; /* which they are since; 0: not */
    bool is_finishing;
    uint64_t deadline_us;
    uint64_t arrived_us; /* everything, since; 0: not */
    struct bytes commands;
} driver = {.chat = {.rate = 100}};

/* xorshift64*; the seed is not 0. */
uint64_t fleet_random(uint64_t limit)
{
    fleet.random ^= fleet.random >> 12;
    fleet.random ^= fleet.random << 25;
    fleet.random ^= fleet.random >> 27;
    return (fleet.random * 2685821657736338717u >> 11) % limit;
}

static unsigned client_count(void)
{
    return fleet.count + fleet.silent;
}

/* Options. */

static void fail_usage(void)
{
    fputs("usage: chaos_driver --journal FILE --ports P,P,P [--clients N] "
          "[--rate R] [--seed S] [--silent N --silent-rate R] [--plain] "
          "[--no-presence] [--online-first]\n",
          stderr);
    exit(64);
}

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    if (end == text || *end)
        fail_usage();
    return number;
}

static void parse_ports(char *text)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, ",", &rest); word;
         word = strtok_r(NULL, ",", &rest)) {
        if (fleet.port_count == sizeof(fleet.ports) / sizeof(*fleet.ports))
            fail_usage();
        fleet.ports[fleet.port_count++] = (unsigned)number_of(word);
    }
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"journal", required_argument, NULL, 'j'},
        {"ports", required_argument, NULL, 'p'},
        {"clients", required_argument, NULL, 'c'},
        {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"silent", required_argument, NULL, 'q'},
        {"silent-rate", required_argument, NULL, 'Q'},
        {"plain", no_argument, NULL, 'P'},
        {"no-presence", no_argument, NULL, 'N'},
        {"online-first", no_argument, NULL, 'O'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'j')
            driver.journal = optarg;
        else if (option == 'p')
            parse_ports(optarg);
        else if (option == 'c')
            fleet.count = (unsigned)number_of(optarg);
        else if (option == 'r')
            driver.chat.rate = number_of(optarg);
        else if (option == 's')
            fleet.random = number_of(optarg) * 2654435769u + 1;
        else if (option == 'q')
            fleet.silent = (unsigned)number_of(optarg);
        else if (option == 'Q')
            driver.to_silent.rate = number_of(optarg);
        else if (option == 'P')
            fleet.is_plain = true;
        else if (option == 'N')
            fleet.has_presence_changes = false;
        else if (option == 'O')
            driver.is_waiting = true;
        else
            fail_usage();
    }
    /* With fewer clients somebody would be his own partner. */
    if (!driver.journal || !fleet.port_count || fleet.count < 10)
        fail_usage();
    if ((driver.to_silent.rate && !fleet.silent) ||
        (fleet.silent && fleet.is_plain))
        fail_usage();
}

/* Commands. */

static void on_command(char *line)
{
    char word[16] = "";
    unsigned client = 0;
    unsigned ms = 0;
    int words = sscanf(line, "%15s %u %u", word, &client, &ms);

    if (client >= fleet.count) {
        fprintf(stderr, "chaos_driver: no such client: %s\n", line);
    } else if (words == 2 && !strcmp(word, "rst")) {
        client_reset(&fleet.clients[client]);
    } else if (words == 3 && !strcmp(word, "offline")) {
        client_leave(&fleet.clients[client], (uint64_t)ms * 1000);
    } else if (words == 1 && !strcmp(word, "finish")) {
        driver.is_finishing = true;
        driver.deadline_us = now_us() + DEADLINE_US;
    } else {
        fprintf(stderr, "chaos_driver: bad command: %s\n", line);
    }
}

static void on_input(void)
{
    enum { CHUNK = 4096 };

    ssize_t size =
        read(STDIN_FILENO, bytes_room(&driver.commands, CHUNK), CHUNK);
    char *end;

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        journal_write(0, "end abandoned");
        journal_close();
        exit(EXIT_FAILURE);
    }
    driver.commands.size += (size_t)size;
    while ((end = memchr(driver.commands.data, '\n', driver.commands.size))) {
        *end = '\0';
        on_command(driver.commands.data);
        bytes_take(&driver.commands, (size_t)(end + 1 - driver.commands.data));
    }
}

/* Sending. */

/* NULL: of those who were asked, nobody can. */
static struct client *find_sender(void)
{
    for (int i = 0; i < TRIES; i++) {
        struct client *client = &fleet.clients[fleet_random(fleet.count)];

        if (client_may_send(client))
            return client;
    }
    return NULL;
}

static void send_chat(struct client *client, uint64_t due_us)
{
    unsigned k = (unsigned)fleet_random(PARTNERS);

    client_send_message(client, ledger_partner(client->index, k), due_us);
}

static void send_to_silent(struct client *client, uint64_t due_us)
{
    unsigned k = (unsigned)fleet_random(fleet.silent);

    client_send_message(client, fleet.count + k, due_us);
}

static void send_due(struct flow *flow, uint64_t now,
                     void (*send)(struct client *client, uint64_t due_us))
{
    uint64_t pause_us = flow->rate ? SECOND / flow->rate : UINT64_MAX;

    if (now - flow->sent_until_us > CATCH_UP_US)
        flow->sent_until_us = now - CATCH_UP_US;
    while (now - flow->sent_until_us >= pause_us) {
        struct client *client = find_sender();

        flow->sent_until_us += pause_us;
        if (client)
            send(client, flow->sent_until_us);
    }
}

static void send_all_due(uint64_t now)
{
    send_due(&driver.chat, now, send_chat);
    send_due(&driver.to_silent, now, send_to_silent);
}

static bool is_everybody_online(void)
{
    for (unsigned i = 0; i < client_count(); i++) {
        if (fleet.clients[i].state != CLIENT_ONLINE)
            return false;
    }
    return true;
}

static void wait_for_clients(uint64_t now)
{
    if (!is_everybody_online())
        driver.online_us = 0;
    else if (!driver.online_us)
        driver.online_us = now;
    if (!driver.online_us || now - driver.online_us < SETTLE_US)
        return;
    driver.is_waiting = false;
    driver.chat.sent_until_us = driver.to_silent.sent_until_us = now;
    journal_write(0, "start");
}

/* The end. */

static bool has_everything_arrived(void)
{
    if (ledger_outstanding())
        return false;
    for (unsigned i = 0; i < fleet.count; i++) {
        if (!client_is_settled(&fleet.clients[i]))
            return false;
    }
    return true;
}

static bool is_over(uint64_t now)
{
    if (!driver.is_finishing)
        return false;
    if (now >= driver.deadline_us)
        return true;
    if (!has_everything_arrived())
        driver.arrived_us = 0;
    else if (!driver.arrived_us)
        driver.arrived_us = now;
    return driver.arrived_us && now - driver.arrived_us >= LINGER_US;
}

/* The loop. */

static void begin(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    journal_open(driver.journal);
    fleet.epoll = epoll_create1(EPOLL_CLOEXEC);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    if (fleet.epoll < 0 ||
        epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event)) {
        perror("chaos_driver");
        exit(EXIT_FAILURE);
    }
    ledger_init(fleet.count, fleet.silent);
    fleet.clients = zeroed(client_count(), sizeof(*fleet.clients));
    for (unsigned i = 0; i < client_count(); i++)
        client_init(&fleet.clients[i], i);
    driver.chat.sent_until_us = driver.to_silent.sent_until_us = now_us();
    journal_write(0, "begin %u %" PRIu64 " %u", fleet.count, driver.chat.rate,
                  fleet.silent);
}

static void turn(void)
{
    static struct epoll_event events[EVENTS];
    int count = epoll_wait(fleet.epoll, events, EVENTS, TURN_MS);
    uint64_t now;

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            client_on_event(events[i].data.ptr, events[i].events);
        else
            on_input();
    }
    now = now_us();
    if (driver.is_waiting)
        wait_for_clients(now);
    else if (!driver.is_finishing)
        send_all_due(now);
    for (unsigned i = 0; i < client_count(); i++) {
        client_tick(&fleet.clients[i], now);
        client_flush(&fleet.clients[i]);
    }
    journal_flush();
}

static void end(void)
{
    for (unsigned i = 0; i < client_count(); i++)
        client_free(&fleet.clients[i]);
    free(fleet.clients);
    ledger_free();
    bytes_free(&driver.commands);
    journal_close();
}

int main(int argc, char **argv)
{
    bool has_arrived;

    parse_options(argc, argv);
    begin();
    do
        turn();
    while (!is_over(now_us()));
    has_arrived = driver.arrived_us;
    journal_write(0, "end %s %" PRIu64, has_arrived ? "complete" : "deadline",
                  ledger_outstanding());
    end();
    return has_arrived ? EXIT_SUCCESS : EXIT_FAILURE;
}
