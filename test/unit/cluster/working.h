/* One partition of a service whose bus is in memory, and its story. */
#ifndef UNIT_CLUSTER_WORKING_H
#define UNIT_CLUSTER_WORKING_H

#include "base/memory.h"
#include "cluster/service_private.h"
#include "fake_bus.h"
#include "outputs.h"
#include "unit.h"

#include <event2/event.h>

#include <poll.h>

static struct service service;
static struct partition *partition;
static struct daemon_spec daemon_spec;
static struct bus *bus;
static struct bus_subscription *queue;
static struct buffer story;           /* what the service was called for */
static struct store_error open_error; /* no reason: the state can be had */
static bool has_room;                 /* the store takes what it is given */
static char refused[16]; /* why, in this transaction; empty: it has not */

/* The service: its events say what it puts out, one character each: a message,
 * b(a)rrier, s(t)ate changed, (r)ejected, not to be stored (x). */

static inline void tell(const char *text)
{
    buffer_appendf(&story, "%s%s", story.size ? " " : "", text);
}

static inline void put_message(struct output *output)
{
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.kind = STANZA_MESSAGE;
    event.is_durable = true;
    event.to = SLICE("bob@x/pc");
    output_to_inbox(output, SLICE("f1"), &event);
}

static bool has_changed;

static inline enum handled on_event(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    char text[64];

    (void)state;
    snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(event->payload));
    tell(text);
    for (size_t i = 0; i < event->payload.size; i++) {
        char what = event->payload.data[i];

        if (what == 'm')
            put_message(output);
        else if (what == '|')
            output_barrier(output);
        else if (what == 't')
            has_changed = true;
        else if (what == 'r')
            *reason_out = "bad";
        else if (what == 'x')
            snprintf(refused, sizeof(refused), "constraint");
    }
    return strchr(text, 'r') ? REJECT : HANDLED;
}

static inline void *open_state(const void *config, const char *domain,
                               unsigned number, struct store_error *error_out)
{
    (void)config;
    (void)domain;
    (void)number;
    tell("open");
    *error_out = open_error;
    return open_error.reason ? NULL : &service;
}

static inline void close_state(void *state)
{
    (void)state;
}

static inline bool begin_batch(void *state)
{
    (void)state;
    has_changed = false;
    refused[0] = '\0';
    tell("begin");
    return true;
}

static inline bool rollback(void *state, bool *has_changed_out)
{
    (void)state;
    *has_changed_out = has_changed;
    tell("rollback");
    return !refused[0];
}

static inline bool commit(void *state)
{
    (void)state;
    tell(has_room && !refused[0] ? "commit" : "refuse");
    return has_room && !refused[0];
}

static inline const char *refusal(const void *state)
{
    (void)state;
    return refused[0] ? refused : NULL;
}

static inline void snapshot_session(void *state, const struct event *session,
                                    struct output *output)
{
    (void)state;
    (void)session;
    (void)output;
    tell("session");
}

static inline void orphaned(void *state, struct slice node,
                            struct output *output)
{
    (void)state;
    (void)output;
    buffer_appendf(&story, "%sorphan:%.*s", story.size ? " " : "",
                   SLICE_FORMAT(node));
}

static const struct service_handler handlers[] = {
    {EVENT_STANZA_ROUTE, on_event},
};

static const struct service_spec plain = {
    .service = SERVICE_DELIVERY,
    .handlers = handlers,
    .handler_count = ARRAY_SIZE(handlers),
    .open = open_state,
    .close = close_state,
    .snapshot_session = snapshot_session,
    .orphaned = orphaned,
};

static const struct service_spec stored = {
    .service = SERVICE_ROSTER,
    .handlers = handlers,
    .handler_count = ARRAY_SIZE(handlers),
    .open = open_state,
    .close = close_state,
    .begin = begin_batch,
    .rollback = rollback,
    .commit = commit,
    .refusal = refusal,
};

/* The loop, and the store's thread. */

static inline void pump(void)
{
    event_base_loop(daemon_loop(service.daemon), EVLOOP_NONBLOCK);
    while (service.store && worker_pending(service.store)) {
        poll(NULL, 0, 1);
        event_base_loop(daemon_loop(service.daemon), EVLOOP_NONBLOCK);
    }
}

/* True: since the last call this has happened, and nothing else. */
static inline bool is_told(const char *expected)
{
    bool is_equal;

    pump();
    is_equal = slice_is(buffer_slice(&story), expected);
    if (!is_equal)
        printf("\n    expected: %s\n    actual:   %.*s\n", expected,
               (int)story.size, story.data);
    buffer_clear(&story);
    return is_equal;
}

/* Life. */

static inline void begin(const struct service_spec *spec)
{
    static char arguments[][16] = {
        "test", "--domain", "x", "--partitions", "4", "--log-level", "error"};
    static char *argv[ARRAY_SIZE(arguments) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        argv[i] = arguments[i];
    memset(&service, 0, sizeof(service));
    daemon_spec = (struct daemon_spec){.kind = service_name(spec->service),
                                       .service = spec->service};
    service.spec = spec;
    service.daemon =
        daemon_start(&daemon_spec, &service, ARRAY_SIZE(arguments), argv);
    bus = daemon_bus(service.daemon);
    service.handlers[EVENT_STANZA_ROUTE] = on_event;
    service.prefetch = 10;
    service.partition_count = 4;
    service.suspects = suspects_create(bus, spec->service,
                                       daemon_node(service.daemon), NULL, NULL);
    if (spec->begin)
        service.store = worker_pool_create(daemon_loop(service.daemon), 1, 0);
    partition = &service.partitions[1];
    partition_init(partition, &service, 1);
    partition_subscribe(partition);
    queue = fake_bus_subscription(bus, partition->queue);
    has_room = true;
    open_error = (struct store_error){0};
    buffer_clear(&story);
}

/* Whatever is under way. */
static inline void stop(void)
{
    partition_deinit(partition);
    suspects_destroy(&service.suspects);
    worker_pool_destroy(&service.store, NULL);
    partition_free_epochs(partition);
    work_free_spare(&service);
    daemon_stop(&service.daemon);
}

static inline void end(void)
{
    fake_bus_confirm(bus);
    pump();
    stop();
    buffer_deinit(&story);
}

/* Events in. */

struct sent {
    const char *what;
    const char *by; /* NULL: nobody's output */
    uint64_t epoch;
};

static inline void deliver(struct sent sent)
{
    static uint64_t sequence;
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    event_init(&event, EVENT_STANZA_ROUTE);
    event.origin = 9;
    event.sequence = ++sequence;
    event.to = SLICE("bob@x");
    event.payload = slice_of(sent.what);
    event.by = slice_of(sent.by);
    event.epoch = sent.epoch;
    event_batch_header(&body, 1);
    event_encode(&body, &event);
    fake_bus_deliver(queue, buffer_slice(&body), false);
    buffer_deinit(&body);
}

static inline void say(const char *what)
{
    deliver((struct sent){what, NULL, 0});
}

/* Messages put out so far. */
static inline size_t put_out(void)
{
    size_t count = 0;

    pump();
    for (size_t i = 0; i < fake_bus_count(bus); i++)
        count +=
            !strcmp(fake_bus_published(bus, i)->exchange, EXCHANGE_FRONTEND);
    return count;
}

/* Confirms all that is put out; what has put out nothing is done, too. */
static inline void confirm(void)
{
    fake_bus_confirm(bus);
    pump();
    fake_bus_turn(bus);
}

#endif
