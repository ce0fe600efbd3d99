#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/service_private.h"

enum { MESSAGES_MAX = 32, RETRY_MS = 1000 };

struct dead {
    struct dead *next;
    struct slice event;
    const char *reason;
};

/*
 * Some messages of one partition on their way through: decoded and handled (on
 * the loop or the store thread), output published phase by phase, each phase
 * confirmed, then the messages acknowledged.
 *
 * With a store, output must not be lost between the commit and the confirm,
 * and nobody may hold a lock while waiting for the broker.  So the handlers
 * run twice: the first time to know the output, and are rolled back; when all
 * of it is confirmed, the second time to commit.  A crash in between does
 * everything again, from the same state to the same output, which receivers
 * know by its ids.  A batch that changes nothing or has no output runs once.
 */
struct work {
    struct work *spare;
    struct partition *partition;
    unsigned generation;
    void *data;
    struct bus_message *messages[MESSAGES_MAX];
    struct slice bodies[MESSAGES_MAX];
    size_t count;
    struct output output;
    const struct output_item *next;
    unsigned phase;
    struct arena arena;
    struct dead *dead, **dead_last;
    const char *newer; /* met a newer major version: why */
    bool has_failed;   /* the store would not: to be tried again */
    bool must_commit;  /* was rolled back and is to run again */
};

static struct work *work_new(struct partition *partition)
{
    struct service *service = partition->service;
    struct work *work = service->spare_works;
    struct output output;

    if (work) {
        service->spare_works = work->spare;
    } else {
        work = memory_new(sizeof(*work));
        arena_init(&work->arena);
        output_init(&work->output);
    }
    output = work->output;
    partition_output_init(partition, &work->output);
    work->output.arena = output.arena;
    work->partition = partition;
    work->generation = partition->generation;
    work->data = partition->data;
    work->count = 0;
    work->phase = 0;
    work->dead = NULL;
    work->dead_last = &work->dead;
    work->newer = NULL;
    work->has_failed = false;
    work->must_commit = false;
    partition->working++;
    return work;
}

static void work_done(struct work *work)
{
    struct service *service = work->partition->service;

    output_clear(&work->output);
    arena_reset(&work->arena);
    work->spare = service->spare_works;
    service->spare_works = work;
}

void work_free_spare(struct service *service)
{
    while (service->spare_works) {
        struct work *work = service->spare_works;

        service->spare_works = work->spare;
        output_deinit(&work->output);
        arena_deinit(&work->arena);
        memory_free(&work);
    }
}

/* Handling: on the loop or on the store thread. */

static void work_reject(struct work *work, struct slice raw, const char *reason)
{
    struct dead *dead;

    if (work->must_commit)
        return; /* it is there already */
    dead = arena_alloc(&work->arena, sizeof(*dead));
    dead->next = NULL;
    dead->event = arena_copy(&work->arena, raw);
    dead->reason = reason;
    *work->dead_last = dead;
    work->dead_last = &dead->next;
}

/* False: published by a former owner of its partition. */
static bool epoch_is_current(struct service *service, const struct event *event)
{
    uint64_t *highest;

    if (!event->epoch || !slice_is_set(event->by))
        return true;
    highest = map_find(service->epochs, event->by);
    if (!highest) {
        highest = memory_new(sizeof(*highest));
        map_put(service->epochs, event->by, highest);
    }
    if (event->epoch < *highest)
        return false;
    *highest = event->epoch;
    return true;
}

static void handle_event(struct work *work, const struct event *event,
                         struct slice raw)
{
    struct service *service = work->partition->service;
    service_handler_fn handle = service->handlers[event->type];
    const char *reason = "rejected";

    if (event->type == EVENT_PARTITION_PROBE)
        return;
    if (!epoch_is_current(service, event)) {
        log_warning("%s: %s of a former owner dropped by=%.*s",
                    work->partition->queue, event_type_name(event->type),
                    SLICE_FORMAT(event->by));
        return;
    }
    if (!handle)
        work_reject(work, raw, "no handler for this type here");
    else if (handle(work->data, event, &work->output, &reason) == REJECT)
        work_reject(work, raw, reason);
}

static void handle_body(struct work *work, struct slice body)
{
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;
    enum event_read read = event_batch_open(&batch, body, &error);

    if (read == EVENT_READ_NEWER) {
        work->newer = error;
        return;
    }
    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            handle_event(work, &event, raw);
        else if (read == EVENT_READ_BAD)
            work_reject(work, raw, error);
    }
    if (read == EVENT_READ_BROKEN)
        work_reject(work, body, error);
}

static void handle_all(struct work *work)
{
    for (size_t i = 0; i < work->count && !work->newer; i++)
        handle_body(work, work->bodies[i]);
}

/* Publishing: on the loop. */

static void work_publish_phase(struct work *work);
static void work_commit(struct work *work);

static bool is_void(const struct work *work)
{
    return work->generation != work->partition->generation;
}

static void work_acknowledge(struct work *work)
{
    struct partition *partition = work->partition;

    for (size_t i = 0; i < work->count; i++)
        bus_ack(partition->subscription, work->messages[i]);
    partition->working--;
    partition->is_committing = false;
    work_done(work);
    partition_advance(partition);
    partition_maybe_close(partition);
}

static void work_settled(void *argument)
{
    struct work *work = argument;

    if (work->next) {
        work->phase = work->next->phase;
        work_publish_phase(work);
    } else if (is_void(work)) {
        work_done(work);
    } else if (work->must_commit) {
        work_commit(work);
    } else {
        work_acknowledge(work);
    }
}

static void publish_dead(struct work *work, struct bus_receipt *receipt)
{
    struct bus *bus = daemon_bus(work->partition->service->daemon);

    for (struct dead *dead = work->dead; dead; dead = dead->next) {
        log_error("%s: event goes to the queue " QUEUE_DEAD ": %s",
                  work->partition->queue, dead->reason);
        bus_publish_dead(bus, dead->event, work->partition->queue, dead->reason,
                         receipt);
    }
    work->dead = NULL;
}

static void work_publish_phase(struct work *work)
{
    struct daemon *daemon = work->partition->service->daemon;
    struct bus_receipt *receipt =
        bus_receipt_create(daemon_bus(daemon), work_settled, work);

    publish_dead(work, receipt);
    daemon_publish_items(daemon, &work->next, work->phase, receipt);
    bus_receipt_seal(receipt);
}

static void work_abandon(struct work *work)
{
    if (!is_void(work))
        work->partition->working--;
    work_done(work);
}

static void work_publish_all(struct work *work)
{
    if (work->newer) {
        const char *reason = work->newer;
        struct partition *partition = work->partition;
        bool was_void = is_void(work);

        work_abandon(work);
        if (!was_void) {
            partition->is_committing = false;
            partition_stop(partition, reason);
        }
        return;
    }
    work->next = work->output.first;
    work_publish_phase(work);
}

void work_on_loop(struct partition *partition, struct bus_message *message)
{
    const struct service_spec *spec = partition->service->spec;
    struct work *work = work_new(partition);

    work->messages[0] = message;
    work->bodies[0] = message->body;
    work->count = 1;
    handle_all(work);
    if (spec->batch_end)
        spec->batch_end(partition->data, &work->output);
    work_publish_all(work);
}

void work_publish(struct partition *partition, struct output *output)
{
    const struct output_item *next = output->first;

    while (next) /* hooks outside batches use no barrier that matters */
        daemon_publish_items(partition->service->daemon, &next, next->phase,
                             NULL);
    output_clear(output);
}

/* With a store: one transaction for all that is held. */

static void run_work(void *job)
{
    struct work *work = job;
    const struct service_spec *spec = work->partition->service->spec;
    bool has_changed = false;

    if (!spec->begin(work->data)) {
        work->has_failed = true;
        return;
    }
    handle_all(work);
    if (work->output.first || work->dead || work->newer) {
        work->has_failed = !spec->rollback(work->data, &has_changed);
        work->must_commit = has_changed;
    } else {
        work->has_failed = !spec->commit(work->data);
    }
}

/* The same messages again, before anything newer. */
static void hold_again(struct work *work)
{
    struct partition *partition = work->partition;

    for (size_t i = work->count; i-- > 0;) {
        struct held *held = memory_new(sizeof(*held));

        held->message = work->messages[i];
        held->next = partition->held_first;
        if (!held->next)
            partition->held_last = &held->next;
        partition->held_first = held;
    }
    partition->retry_at_ms = clock_now_ms() + RETRY_MS;
}

static void work_refused(struct work *work)
{
    struct partition *partition = work->partition;

    log_error("%s: the store refused a batch, trying again in a second",
              partition->queue);
    partition->is_committing = false;
    hold_again(work);
    work_abandon(work);
    partition_maybe_close(partition);
}

static void done_work(void *job)
{
    struct work *work = job;

    if (is_void(work))
        work_abandon(work);
    else if (work->has_failed)
        work_refused(work);
    else
        work_publish_all(work);
}

/* What the handlers put out this time is published already. */
static void run_commit(void *job)
{
    struct work *work = job;
    const struct service_spec *spec = work->partition->service->spec;
    struct output published = work->output;

    arena_init(&work->output.arena);
    output_clear(&work->output);
    work->has_failed = !spec->begin(work->data);
    if (!work->has_failed) {
        handle_all(work);
        work->has_failed = !spec->commit(work->data);
    }
    output_deinit(&work->output);
    work->output = published;
}

static void done_commit(void *job)
{
    struct work *work = job;

    if (is_void(work))
        work_done(work);
    else if (work->has_failed)
        work_refused(work);
    else
        work_acknowledge(work);
}

static void work_commit(struct work *work)
{
    struct service *service = work->partition->service;

    BUG_ON(!worker_submit(service->store, run_commit, done_commit, work));
}

/* The bodies are copied: a reset of the channel frees them at any time. */
static void take_held(struct work *work)
{
    struct partition *partition = work->partition;

    while (partition->held_first && work->count < MESSAGES_MAX) {
        struct held *held = partition->held_first;

        work->messages[work->count] = held->message;
        work->bodies[work->count++] =
            arena_copy(&work->arena, held->message->body);
        partition->held_first = held->next;
        if (!held->next)
            partition->held_last = &partition->held_first;
        memory_free(&held);
    }
}

void work_on_store(struct partition *partition)
{
    struct work *work = work_new(partition);

    take_held(work);
    partition->is_committing = true;
    BUG_ON(
        !worker_submit(partition->service->store, run_work, done_work, work));
}
