#include <stdio.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/service_private.h"

static const char *const state_names[] = {"absent", "subscribed", "taking",
                                          "owned",  "leaving",    "closing"};

void partition_init(struct partition *partition, struct service *service,
                    unsigned number)
{
    partition->service = service;
    partition->number = number;
    partition->held_last = &partition->held_first;
    partition->awaited = map_create();
    partition->heard = map_create();
    partition->epochs = map_create();
    partition_queue(service->spec->service, number, partition->queue);
}

static void drop_held(struct partition *partition)
{
    while (partition->held_first) {
        struct held *held = partition->held_first;

        partition->held_first = held->next;
        memory_free(&held);
    }
    partition->held_last = &partition->held_first;
}

void partition_enter(struct partition *partition, enum partition_state state)
{
    if (partition->state == state)
        return;
    log_debug("%s: %s -> %s", partition->queue, state_names[partition->state],
              state_names[state]);
    partition->state = state;
    daemon_announce(partition->service->daemon);
}

void partition_output_init(struct partition *partition, struct output *output)
{
    struct service *service = partition->service;

    output_init(output);
    output->partitions = service->partition_count;
    output->service = service->spec->service;
    output->partition = partition->number;
    output->epoch = partition->epoch;
    output->boot = daemon_boot(service->daemon) + 1; /* a chain of its own:
        the daemon's own counter belongs to another thread */
    output->sequence = &service->sequence;
}

void partition_saw_epoch(struct partition *partition, struct slice by,
                         uint64_t epoch)
{
    uint64_t *highest = map_find(partition->epochs, by);

    if (!highest) {
        highest = memory_new(sizeof(*highest));
        map_put(partition->epochs, by, highest);
    }
    if (epoch > *highest)
        *highest = epoch;
}

void partition_free_epochs(struct partition *partition)
{
    map_destroy_all(&partition->epochs);
}

void partition_forget_epochs(struct partition *partition)
{
    partition_free_epochs(partition);
    partition->epochs = map_create();
}

/* Closing the state: on the store thread, after the jobs before it. */

static void run_close(void *job)
{
    void **pair = job; /* the service's close function's owner, the state */
    const struct service_spec *spec = pair[0];

    spec->close(pair[1]);
}

static void done_close(void *job)
{
    memory_free(&job);
}

static void close_data(struct partition *partition)
{
    struct service *service = partition->service;
    void **pair;

    if (!partition->data)
        return;
    if (!service->store) {
        service->spec->close(partition->data);
        partition->data = NULL;
        return;
    }
    pair = memory_new_array(2, sizeof(*pair));
    memcpy(&pair[0], &service->spec, sizeof(pair[0]));
    pair[1] = partition->data;
    partition->data = NULL;
    BUG_ON(!worker_submit(service->store, run_close, done_close, pair));
}

/* What was received is void: somebody else may own the partition now. */
static void lose(struct partition *partition)
{
    partition->generation++;
    partition->working = 0;
    partition->is_committing = false;
    drop_held(partition);
    takeover_end(partition);
    close_data(partition);
}

static void on_reset(void *argument, const char *reason)
{
    struct partition *partition = argument;

    if (partition->state == PARTITION_OWNED)
        log_info("%s: lost: %s", partition->queue, reason);
    lose(partition);
    if (partition->state != PARTITION_CLOSING)
        partition_enter(partition, PARTITION_SUBSCRIBED);
}

static void on_closed(void *argument)
{
    struct partition *partition = argument;

    partition_enter(partition, PARTITION_ABSENT);
    if (partition->goes_on)
        partition_subscribe(partition);
}

static void on_started(void *argument)
{
    partition_probe(argument);
}

static void hold(struct partition *partition, struct bus_message *message)
{
    struct held *held = memory_new(sizeof(*held));

    held->message = message;
    *partition->held_last = held;
    partition->held_last = &held->next;
}

static void on_received(void *argument, struct bus_message *message)
{
    struct partition *partition = argument;

    CRASH_POINT(RECEIVED);
    hold(partition, message);
    if (partition->state == PARTITION_SUBSCRIBED)
        takeover_begin(partition);
    else
        partition_advance(partition);
}

void partition_advance(struct partition *partition)
{
    if (partition->state != PARTITION_OWNED ||
        clock_now_ms() < partition->retry_at_ms)
        return;
    while (partition->held_first && partition->state == PARTITION_OWNED &&
           !partition->is_committing) {
        if (held_is_suspect(partition, partition->held_first)) {
            if (partition->working)
                return; /* that event is to be alone in our hand */
            work_carefully(partition);
        } else if (service_has_store(partition->service)) {
            work_on_store(partition);
        } else {
            work_on_loop(partition);
        }
    }
}

void partition_subscribe(struct partition *partition)
{
    struct service *service = partition->service;
    struct bus_subscribe subscribe = {
        .queue = partition->queue,
        .declare = BUS_DECLARE_PASSIVE,
        .consumer_tag = daemon_node(service->daemon),
        .prefetch = (unsigned)service->prefetch,
        .received = on_received,
        .started = on_started,
        .reset = on_reset,
        .closed = on_closed,
        .argument = partition,
    };

    if (partition->is_declined)
        return;
    partition->goes_on = false;
    partition->subscription =
        bus_subscribe(daemon_bus(service->daemon), &subscribe);
    partition_enter(partition, PARTITION_SUBSCRIBED);
}

void partition_leave(struct partition *partition, bool goes_on)
{
    if (partition->state == PARTITION_ABSENT ||
        partition->state == PARTITION_CLOSING) {
        partition->goes_on = partition->goes_on && goes_on;
        return;
    }
    partition->goes_on = goes_on;
    takeover_end(partition);
    partition_enter(partition, PARTITION_LEAVING);
    partition_maybe_close(partition);
}

void partition_maybe_close(struct partition *partition)
{
    if (partition->state != PARTITION_LEAVING || partition->working ||
        partition->is_committing)
        return;
    if (partition->data)
        CRASH_POINT(LEAVING);
    lose(partition);
    partition_enter(partition, PARTITION_CLOSING);
    bus_unsubscribe(&partition->subscription);
}

void partition_decline(struct partition *partition, const char *reason)
{
    log_error("%s: %s: this instance is too old and leaves the partition to "
              "others; if there is none of a newer version, start one: until "
              "then events wait in the queue, nothing is lost",
              partition->queue, reason);
    partition->is_declined = true;
    drop_held(partition);
    partition_leave(partition, false);
}

/* Who receives it owns the queue: RabbitMQ tells nobody (DESIGN 1.6). */
void partition_probe(struct partition *partition)
{
    struct event event;
    struct output output;

    event_init(&event, EVENT_PARTITION_PROBE);
    event.node = slice_of(daemon_node(partition->service->daemon));
    event.partition = partition->number;
    daemon_output_init(partition->service->daemon, &output);
    output_to_partition(&output, partition->service->spec->service,
                        partition->number, &event);
    daemon_publish(partition->service->daemon, &output, NULL);
    output_deinit(&output);
}

static bool probe_is_due(const struct partition *partition)
{
    struct bus *bus = daemon_bus(partition->service->daemon);

    return partition->state == PARTITION_SUBSCRIBED && bus_is_connected(bus) &&
           !bus_is_blocked(bus);
}

void partition_tick(struct partition *partition, uint64_t now_ms)
{
    struct service *service = partition->service;
    struct output output;

    if (probe_is_due(partition))
        partition_probe(partition);
    takeover_tick(partition, now_ms);
    if (partition->state != PARTITION_OWNED)
        return;
    partition_advance(partition);
    if (!service->spec->tick || service_has_store(service))
        return;
    partition_output_init(partition, &output);
    service->spec->tick(partition->data, now_ms, &output);
    work_publish(partition, &output);
    output_deinit(&output);
}

void partition_deinit(struct partition *partition)
{
    lose(partition); /* what the store thread has of it is void */
    partition->state = PARTITION_ABSENT;
    map_destroy(&partition->awaited);
    map_destroy(&partition->heard);
}
