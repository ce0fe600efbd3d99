/* What all scenarios of bus_probe.c use: numbered events, a bus that says what
 * happens to it, and a subscription. */
#ifndef SUPPORT_BUS_PROBE_H
#define SUPPORT_BUS_PROBE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus.h"

#include <event2/event.h>

#include <stdio.h>

enum {
    EVENT_BYTES = 100, /* MessagePack bin of 98 bytes; a number at the end */
    TICK_MS = 10,
    LIMIT_MS = 120000,
    INBOX_MAX = 1000,
};

struct probe {
    struct event_base *loop;
    struct event *tick;
    struct event *terminate;
    struct event *ask_counts;
    struct bus *bus;
    struct bus *other; /* a second daemon */
    struct bus_destination *destination;
    struct bus_subscription *subscription;
    struct bus_subscription *standby;
    unsigned port;
    const struct scenario *scenario;
    uint64_t count;
    uint64_t per_second; /* 0: at once */
    uint64_t began_ms;
    uint64_t ended_ms;
    uint64_t turned_ms;
    uint64_t longest_turn_ms;
    uint64_t published;
    uint64_t settled;
    uint64_t received; /* highest in order */
    uint64_t repeats;
    uint64_t misplaced;
    bool is_done;
    uint64_t returned;
    uint64_t resets;
    unsigned step;
    uint64_t acked;
    uint64_t inherited;
    bool is_acked[INBOX_MAX + 1];
    const char *failure;
};

struct scenario {
    const char *name;
    void (*begin)(struct probe *probe);
    void (*tick)(struct probe *probe);
    bool (*is_done)(const struct probe *probe);
};

static inline void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static inline void fail(struct probe *probe, const char *why)
{
    if (!probe->failure)
        probe->failure = why;
    event_base_loopbreak(probe->loop);
}

/* Numbered events. */

static inline struct slice encode(uint64_t number, char *out)
{
    memset(out, 0, EVENT_BYTES);
    out[0] = (char)0xc4; /* bin 8 */
    out[1] = EVENT_BYTES - 2;
    memcpy(out + EVENT_BYTES - sizeof(number), &number, sizeof(number));
    return (struct slice){out, EVENT_BYTES};
}

static inline uint64_t decode(struct slice event)
{
    uint64_t number;

    memcpy(&number, event.data + EVENT_BYTES - sizeof(number), sizeof(number));
    return number;
}

static inline void check_number(struct probe *probe, uint64_t number)
{
    if (number == probe->received + 1)
        probe->received++;
    else if (number <= probe->received)
        probe->repeats++;
    else
        probe->misplaced++;
}

static inline void check_body(struct probe *probe, struct slice body)
{
    size_t count = body.size / EVENT_BYTES;
    const char *first = body.data + body.size - count * EVENT_BYTES;

    for (size_t i = 0; i < count; i++)
        check_number(probe, decode((struct slice){first + i * EVENT_BYTES,
                                                  EVENT_BYTES}));
}

static inline void on_settled(void *argument)
{
    struct probe *probe = argument;

    probe->settled++;
}

static inline void publish_one(struct probe *probe)
{
    char event[EVENT_BYTES];
    struct bus_receipt *receipt =
        bus_receipt_create(probe->bus, on_settled, probe);

    bus_publish(probe->destination, encode(++probe->published, event), true,
                receipt);
    bus_receipt_seal(receipt);
}

/* Hooks. */

static inline void on_connected(void *owner)
{
    (void)owner;
    say("connected");
}

static inline void on_disconnected(void *owner, const char *reason)
{
    (void)owner;
    printf("disconnected: %s\n", reason);
    fflush(stdout);
}

static inline void on_blocked(void *owner, bool is_blocked)
{
    (void)owner;
    say(is_blocked ? "blocked" : "unblocked");
}

static inline void on_unroutable(void *owner,
                                 struct bus_destination *destination,
                                 struct slice event,
                                 struct bus_receipt *receipt)
{
    struct probe *probe = owner;

    if (destination != probe->destination || decode(event) != ++probe->returned)
        fail(probe, "returned out of order");
    if (receipt)
        bus_receipt_settle(receipt);
}

static inline void on_refused(void *owner, const char *what, const char *reason)
{
    (void)owner;
    printf("refused: %s: %s\n", what, reason);
    fflush(stdout);
}

static inline struct bus *connect_bus(struct probe *probe, unsigned port,
                                      const char *name)
{
    static const struct bus_hooks hooks = {
        .connected = on_connected,
        .disconnected = on_disconnected,
        .blocked = on_blocked,
        .unroutable = on_unroutable,
        .refused = on_refused,
    };
    struct bus_config config = {
        .host = "127.0.0.1",
        .port = port,
        .user = "probe",
        .password = "probe",
        .vhost = "/",
        .name = name,
        .heartbeat_seconds = 5,
        .batch_events = 256,
        .batch_bytes = 65536,
        .pressure_high_bytes = 1 << 20,
        .pressure_low_bytes = 1 << 19,
    };

    return bus_create(probe->loop, &config, &hooks, probe);
}

/* Consuming. */

static inline void on_received(void *argument, struct bus_message *message)
{
    struct probe *probe = argument;

    check_body(probe, message->body);
    bus_ack(probe->subscription, message);
}

static inline void on_reset(void *argument, const char *reason)
{
    struct probe *probe = argument;

    (void)reason;
    probe->resets++;
}

static inline void on_started(void *argument)
{
    (void)argument;
    say("started");
}

static inline void on_closed(void *argument)
{
    const struct probe *probe = argument;

    say("closed");
    if (probe->is_done)
        event_base_loopbreak(probe->loop);
}

static inline struct bus_subscribe subscribe_to(struct probe *probe,
                                                const char *queue)
{
    return (struct bus_subscribe){
        .queue = queue,
        .consumer_tag = "probe",
        .prefetch = 64,
        .received = on_received,
        .started = on_started,
        .reset = on_reset,
        .closed = on_closed,
        .argument = probe,
    };
}

static inline void consume(struct probe *probe, const char *queue)
{
    struct bus_subscribe subscribe = subscribe_to(probe, queue);

    probe->subscription = bus_subscribe(probe->bus, &subscribe);
}

#endif
