/*
 * Drives the bus against a real broker for the integration tests, which kill,
 * starve and fill that broker meanwhile.  One scenario per run:
 *   bus_probe PORT SCENARIO [COUNT [PER_SECOND]]
 * Every line on stdout is a fact the test may wait for; the last one is "ok" or
 * "failed: why", which is also the exit status.  SIGUSR1 asks for the counts so
 * far, SIGTERM ends it early.
 */
#include "bus_probe.h"

#include <event2/event.h>

#include <signal.h>
#include <stdlib.h>

/* Flow: publish and consume all the time, whatever happens to the broker. */

static void flow_begin(struct probe *probe)
{
    probe->destination =
        bus_destination(probe->bus, "ocean.test", SLICE("00"), BUS_CORE);
    consume(probe, "test.00");
}

static void flow_tick(struct probe *probe)
{
    uint64_t due = probe->count;

    if (probe->per_second)
        due = (clock_now_ms() - probe->began_ms) * probe->per_second / 1000;
    while (probe->published < probe->count && probe->published < due &&
           bus_pending_bytes(probe->bus) < 1 << 20)
        publish_one(probe);
}

static bool flow_is_done(const struct probe *probe)
{
    return probe->settled == probe->count && probe->received == probe->count;
}

/* Full: a short queue rejects; later it is drained. */

enum { FULL_MS = 2000 };

static void full_begin(struct probe *probe)
{
    probe->destination =
        bus_destination(probe->bus, "ocean.test", SLICE("short"), BUS_CORE);
}

static void full_tick(struct probe *probe)
{
    /* In small batches, so that there is more than one to be rejected. */
    for (int i = 0; i < 5 && probe->published < probe->count; i++)
        publish_one(probe);
    if (!probe->subscription && clock_now_ms() > probe->began_ms + FULL_MS) {
        if (probe->settled == probe->count)
            fail(probe, "nothing was rejected");
        consume(probe, "test.short");
    }
}

/* Missing: inboxes and askers that are not there; questions about queues. */

static void on_inspected_missing(void *argument, bool exists, uint64_t messages,
                                 uint64_t consumers)
{
    struct probe *probe = argument;

    if (exists || messages || consumers)
        fail(probe, "a missing queue was found");
    probe->step++;
}

static void on_inspected_present(void *argument, bool exists, uint64_t messages,
                                 uint64_t consumers)
{
    struct probe *probe = argument;

    if (!exists || consumers || messages)
        fail(probe, "an empty queue was not found as it is");
    probe->step++;
}

static void missing_begin(struct probe *probe)
{
    struct bus_destination *asker =
        bus_destination(probe->bus, "ocean.node", SLICE("gone"), BUS_ANSWER);
    struct bus_receipt *receipt =
        bus_receipt_create(probe->bus, on_settled, probe);
    char event[EVENT_BYTES];

    probe->destination =
        bus_destination(probe->bus, "ocean.frontend", SLICE("gone"), BUS_INBOX);
    bus_publish(asker, encode(1, event), false, receipt);
    bus_receipt_seal(receipt);
    for (uint64_t i = 0; i < probe->count; i++)
        publish_one(probe);
    bus_inspect(probe->bus, "frontend.gone", on_inspected_missing, probe);
    bus_inspect(probe->bus, "test.spare", on_inspected_present, probe);
    bus_delete_queue(probe->bus, "test.spare");
    bus_delete_queue(probe->bus, "test.spare");
    bus_inspect(probe->bus, "test.spare", on_inspected_missing, probe);
}

static bool missing_is_done(const struct probe *probe)
{
    return probe->settled == probe->count + 1 &&
           probe->returned == probe->count && probe->step == 3;
}

/* Refused: no such exchange, no such queue; others are not held up by it. */

static void refused_begin(struct probe *probe)
{
    struct bus_destination *nowhere =
        bus_destination(probe->bus, "ocean.nowhere", SLICE("00"), BUS_CORE);
    struct bus_subscribe subscribe = subscribe_to(probe, "test.nowhere");
    char event[EVENT_BYTES];

    bus_publish(nowhere, encode(1, event), true, NULL);
    bus_subscribe(probe->bus, &subscribe);
    flow_begin(probe);
}

/* Inbox: its owner acknowledges with gaps and leaves with messages in hand; the
 * standby gets what was not acknowledged, and only that, in order. */

static void on_kept(void *argument, struct bus_message *message)
{
    struct probe *probe = argument;
    uint64_t number;

    number = decode((struct slice){
        message->body.data + message->body.size - EVENT_BYTES, EVENT_BYTES});
    if (number % 2 || number > INBOX_MAX)
        return;
    probe->is_acked[number] = true;
    probe->acked++;
    bus_ack(probe->subscription, message);
}

static void on_inherited(void *argument, struct bus_message *message)
{
    struct probe *probe = argument;
    uint64_t number = decode((struct slice){
        message->body.data + message->body.size - EVENT_BYTES, EVENT_BYTES});

    if (number > INBOX_MAX || number <= probe->received)
        fail(probe, "inherited out of order");
    else if (probe->is_acked[number])
        fail(probe, "inherited what had been acknowledged");
    probe->received = number;
    probe->inherited++;
    bus_ack(probe->standby, message);
}

/* Only now: whoever consumes first owns the queue. */
static void on_owner_started(void *argument)
{
    struct probe *probe = argument;
    struct bus_subscribe standby = subscribe_to(probe, "frontend.one");

    standby.declare = BUS_DECLARE_STANDBY;
    standby.received = on_inherited;
    probe->standby = bus_subscribe(probe->other, &standby);
}

static void inbox_begin(struct probe *probe)
{
    struct bus_subscribe subscribe = subscribe_to(probe, "frontend.one");

    probe->other = connect_bus(probe, probe->port, "other");
    probe->destination =
        bus_destination(probe->bus, "ocean.frontend", SLICE("one"), BUS_CORE);
    subscribe.declare = BUS_DECLARE_INBOX;
    subscribe.key = "one";
    subscribe.queue_type = "classic";
    subscribe.prefetch = 16;
    subscribe.received = on_kept;
    subscribe.started = on_owner_started;
    probe->subscription = bus_subscribe(probe->bus, &subscribe);
}

static void inbox_tick(struct probe *probe)
{
    if (probe->published == probe->settled && probe->published < probe->count)
        publish_one(probe); /* one event per AMQP message */
    if (probe->acked < 8 || probe->step)
        return;
    probe->step = 1;
    bus_unsubscribe(&probe->subscription);
}

static bool inbox_is_done(const struct probe *probe)
{
    return probe->step && probe->settled == probe->count &&
           probe->acked + probe->inherited == probe->count;
}

/* Queues of a node's own, and dead letters. */

static void on_node_message(void *argument, struct bus_message *message)
{
    struct probe *probe = argument;

    check_body(probe, message->body);
    bus_ack(probe->subscription, message);
}

static void on_tapped(void *argument, struct bus_message *message)
{
    struct probe *probe = argument;

    probe->inherited++;
    bus_ack(probe->standby, message);
}

static void on_node_started(void *argument)
{
    struct probe *probe = argument;

    probe->step++;
}

static void node_begin(struct probe *probe)
{
    struct bus_subscribe subscribe = subscribe_to(probe, "node.probe");

    probe->destination =
        bus_destination(probe->bus, "ocean.cluster", SLICE(""), BUS_ANSWER);
    subscribe.declare = BUS_DECLARE_NODE;
    subscribe.key = "probe";
    subscribe.no_ack = true;
    subscribe.received = on_node_message;
    subscribe.started = on_node_started;
    probe->subscription = bus_subscribe(probe->bus, &subscribe);
    subscribe.queue = "";
    subscribe.declare = BUS_DECLARE_TAP;
    subscribe.exchange = "ocean.dead";
    subscribe.key = "";
    subscribe.no_ack = false;
    subscribe.received = on_tapped;
    probe->standby = bus_subscribe(probe->bus, &subscribe);
}

static void node_tick(struct probe *probe)
{
    char event[EVENT_BYTES];

    if (probe->step != 2)
        return;
    probe->step++;
    while (probe->published < probe->count)
        publish_one(probe);
    bus_publish_dead(probe->bus, encode(1, event), "test.00", "is an event",
                     NULL);
    bus_publish_dead(probe->bus, SLICE("\x92"), "test.00", "is cut off", NULL);
}

static bool node_is_done(const struct probe *probe)
{
    return flow_is_done(probe) && probe->inherited == 2 &&
           bus_is_idle(probe->bus);
}

static const struct scenario scenarios[] = {
    {"flow", flow_begin, flow_tick, flow_is_done},
    {"full", full_begin, full_tick, flow_is_done},
    {"missing", missing_begin, NULL, missing_is_done},
    {"refused", refused_begin, flow_tick, flow_is_done},
    {"inbox", inbox_begin, inbox_tick, inbox_is_done},
    {"node", node_begin, node_tick, node_is_done},
};

/* The run. */

static void watch_turns(struct probe *probe, uint64_t now_ms)
{
    uint64_t turn_ms = now_ms - probe->turned_ms;

    probe->turned_ms = now_ms;
    if (turn_ms > probe->longest_turn_ms)
        probe->longest_turn_ms = turn_ms;
}

/* With its channel closed, so that the broker has the last acknowledgements and
 * leaves nothing to the next run. */
static void finish(struct probe *probe)
{
    if (probe->is_done)
        return;
    probe->is_done = true;
    if (probe->subscription)
        bus_unsubscribe(&probe->subscription);
    else
        event_base_loopbreak(probe->loop);
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct probe *probe = argument;
    uint64_t now_ms = clock_now_ms();

    (void)fd;
    (void)what;
    watch_turns(probe, now_ms);
    if (probe->scenario->tick)
        probe->scenario->tick(probe);
    if (probe->misplaced)
        fail(probe, "events are missing or out of order");
    if (now_ms - probe->began_ms > LIMIT_MS)
        fail(probe, "not done in time");
    if (probe->is_done || probe->scenario->is_done(probe))
        finish(probe);
}

static void on_terminate(evutil_socket_t fd, short what, void *argument)
{
    struct probe *probe = argument;

    (void)fd;
    (void)what;
    event_base_loopbreak(probe->loop);
}

static void on_counts_asked(evutil_socket_t fd, short what, void *argument)
{
    const struct probe *probe = argument;

    (void)fd;
    (void)what;
    printf("counts published=%lu settled=%lu received=%lu\n", probe->published,
           probe->settled, probe->received);
    fflush(stdout);
}

static void report(const struct probe *probe)
{
    printf("published=%lu settled=%lu received=%lu repeats=%lu returned=%lu "
           "resets=%lu longest_turn_ms=%lu took_ms=%lu stop_ms=%lu\n%s%s\n",
           probe->published, probe->settled, probe->received, probe->repeats,
           probe->returned, probe->resets, probe->longest_turn_ms,
           probe->ended_ms - probe->began_ms, clock_now_ms() - probe->ended_ms,
           probe->failure ? "failed: " : "ok",
           probe->failure ? probe->failure : "");
}

static void run(struct probe *probe)
{
    struct timeval interval = {0, TICK_MS * 1000};

    probe->loop = event_base_new();
    probe->tick = event_new(probe->loop, -1, EV_PERSIST, on_tick, probe);
    event_add(probe->tick, &interval);
    probe->terminate = evsignal_new(probe->loop, SIGTERM, on_terminate, probe);
    event_add(probe->terminate, NULL);
    probe->ask_counts =
        evsignal_new(probe->loop, SIGUSR1, on_counts_asked, probe);
    event_add(probe->ask_counts, NULL);
    probe->began_ms = probe->turned_ms = clock_now_ms();
    probe->bus = connect_bus(probe, probe->port, "probe");
    probe->scenario->begin(probe);
    event_base_dispatch(probe->loop);
    probe->ended_ms = clock_now_ms();
    bus_destroy(&probe->bus);
    bus_destroy(&probe->other);
    event_free(probe->ask_counts);
    event_free(probe->terminate);
    event_free(probe->tick);
    event_base_free(probe->loop);
    report(probe);
}

int main(int argc, char **argv)
{
    static struct probe probe;

    for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(scenarios); i++) {
        if (!strcmp(scenarios[i].name, argv[2]))
            probe.scenario = &scenarios[i];
    }
    if (!probe.scenario) {
        fputs("usage: bus_probe PORT SCENARIO [COUNT [PER_SECOND]]\n", stderr);
        return 64;
    }
    log_init("bus_probe", "-");
    probe.port = (unsigned)strtoul(argv[1], NULL, 10);
    probe.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    probe.per_second = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    run(&probe);
    return probe.failure ? EXIT_FAILURE : EXIT_SUCCESS;
}
