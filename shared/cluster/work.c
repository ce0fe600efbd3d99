#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/last_words.h"
#include "cluster/service_private.h"

enum { MESSAGES_MAX = HAND_MAX, RETRY_MS = 1000, CRASHES_MAX = 3 };

/* The highest epoch of a publishing partition in this work. */
struct epoch {
    struct epoch *next;
    struct slice by;
    uint64_t highest;
};

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
 *
 * A message that somebody has crashed with goes one event at a time, each alone
 * in our hand; one that has crashed three times is not handled any more.
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
    struct epoch *epochs;
    const char *newer; /* met a newer major version: why */
    bool has_failed;   /* the store would not: to be tried again */
    bool must_commit;  /* was rolled back and is to run again */
    /* One event of one message: */
    bool is_careful;
    bool is_poison;  /* has crashed often enough */
    size_t done;     /* events before it */
    bool is_unended; /* others are behind it */
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
    work->epochs = NULL;
    work->newer = NULL;
    work->has_failed = false;
    work->must_commit = false;
    work->is_careful = false;
    work->is_poison = false;
    work->done = 0;
    work->is_unended = false;
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

static struct epoch *epoch_of(struct work *work, struct slice by)
{
    struct epoch *epoch = work->epochs;
    const uint64_t *highest;

    while (epoch && !slice_equal(epoch->by, by))
        epoch = epoch->next;
    if (epoch)
        return epoch;
    highest = map_find(work->partition->epochs, by);
    epoch = arena_alloc(&work->arena, sizeof(*epoch));
    epoch->by = arena_copy(&work->arena, by);
    epoch->highest = highest ? *highest : 0;
    epoch->next = work->epochs;
    work->epochs = epoch;
    return epoch;
}

/* False: published by a former owner of its partition. */
static bool epoch_is_current(struct work *work, const struct event *event)
{
    struct epoch *epoch;

    if (!event->epoch || !slice_is_set(event->by))
        return true;
    epoch = epoch_of(work, event->by);
    if (event->epoch < epoch->highest)
        return false;
    epoch->highest = event->epoch;
    return true;
}

/* Not before these events are done with: whoever handles them again (a second
 * run, a store that refused) must come to the same verdicts. */
static void keep_epochs(const struct work *work)
{
    for (const struct epoch *epoch = work->epochs; epoch; epoch = epoch->next)
        partition_saw_epoch(work->partition, epoch->by, epoch->highest);
}

static void handle_event(struct work *work, const struct event *event,
                         struct slice raw)
{
    struct service *service = work->partition->service;
    service_handler_fn handle = service->handlers[event->type];
    const char *reason = "rejected";

    last_words_handle(event->type);
    if (event->type == EVENT_PARTITION_PROBE)
        return;
    if (!epoch_is_current(work, event)) {
        log_warning("%s: %s of a former owner dropped by=%.*s",
                    work->partition->queue, event_type_name(event->type),
                    SLICE_FORMAT(event->by));
        return;
    }
    CRASH_POISON(event->payload);
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

static void handle_one(struct work *work, struct slice body)
{
    struct event_batch batch;
    struct event event;
    struct slice raw = body;
    const char *error = NULL;
    enum event_read read = event_batch_open(&batch, body, &error);

    if (read == EVENT_READ_NEWER) {
        work->newer = error;
        return;
    }
    for (size_t i = 0;
         i <= work->done && (read == EVENT_READ_OK || read == EVENT_READ_BAD);
         i++)
        read = event_batch_next(&batch, &event, &raw, &error);
    if (read == EVENT_READ_OK && work->is_poison)
        work_reject(work, raw, "crashed 3 times");
    else if (read == EVENT_READ_OK)
        handle_event(work, &event, raw);
    else if (read == EVENT_READ_BAD)
        work_reject(work, raw, error);
    else if (read == EVENT_READ_BROKEN)
        work_reject(work, body, error);
    work->is_unended = (read == EVENT_READ_OK || read == EVENT_READ_BAD) &&
                       (batch.remaining || batch.rest.size);
}

static void handle_all(struct work *work)
{
    const struct service_spec *spec = work->partition->service->spec;

    work->epochs = NULL;
    for (size_t i = 0; i < work->count && !work->newer; i++) {
        if (work->is_careful)
            handle_one(work, work->bodies[i]);
        else
            handle_body(work, work->bodies[i]);
    }
    if (spec->batch_end)
        spec->batch_end(work->data, &work->output);
}

static void take_in_hand(const struct work *work)
{
    last_words_hold(work->partition->number, work->bodies, work->count,
                    work->is_careful ? work->done + 1 : 0);
}

/* Publishing: on the loop. */

static void work_publish_phase(struct work *work);
static void work_commit(struct work *work);

static bool is_void(const struct work *work)
{
    return work->generation != work->partition->generation;
}

static void hold_first(struct partition *partition, struct bus_message *message,
                       size_t done)
{
    struct held *held = memory_new(sizeof(*held));

    held->message = message;
    held->done = done;
    held->next = partition->held_first;
    if (!held->next)
        partition->held_last = &held->next;
    partition->held_first = held;
}

static struct bus_message *take_first(struct partition *partition)
{
    struct held *held = partition->held_first;
    struct bus_message *message = held->message;

    partition->held_first = held->next;
    if (!held->next)
        partition->held_last = &partition->held_first;
    memory_free(&held);
    return message;
}

static void work_acknowledge(struct work *work)
{
    struct partition *partition = work->partition;

    keep_epochs(work);
    if (work->is_unended)
        hold_first(partition, work->messages[0], work->done + 1);
    for (size_t i = 0; i < work->count && !work->is_unended; i++)
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
        return;
    }
    CRASH_POINT(CONFIRMED);
    if (is_void(work)) {
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

static void handle_on_loop(struct work *work)
{
    take_in_hand(work);
    handle_all(work);
    last_words_release();
    keep_epochs(work);
    CRASH_POINT(HANDLED);
    work_publish_all(work);
}

void work_on_loop(struct partition *partition)
{
    struct work *work = work_new(partition);

    work->messages[0] = take_first(partition);
    work->bodies[0] = work->messages[0]->body;
    work->count = 1;
    handle_on_loop(work);
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

static void run_first(struct work *work)
{
    const struct service_spec *spec = work->partition->service->spec;
    bool has_changed = false;

    if (!spec->begin(work->data)) {
        work->has_failed = true;
        return;
    }
    handle_all(work);
    CRASH_POINT(HANDLED);
    if (work->output.first || work->dead || work->newer) {
        work->has_failed = !spec->rollback(work->data, &has_changed);
        work->must_commit = has_changed;
        CRASH_POINT(STORED_FIRST);
    } else {
        work->has_failed = !spec->commit(work->data);
        CRASH_POINT(COMMITTED);
    }
}

static void run_work(void *job)
{
    take_in_hand(job);
    run_first(job);
    last_words_release();
}

/* The same messages again, before anything newer. */
static void hold_again(struct work *work)
{
    struct partition *partition = work->partition;

    for (size_t i = work->count; i-- > 0;)
        hold_first(partition, work->messages[i], work->done);
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
    take_in_hand(work);
    work->has_failed = !spec->begin(work->data);
    if (!work->has_failed) {
        handle_all(work);
        work->has_failed = !spec->commit(work->data);
        CRASH_POINT(COMMITTED);
    }
    last_words_release();
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
static void take_copy(struct work *work)
{
    struct bus_message *message = take_first(work->partition);

    work->messages[work->count] = message;
    work->bodies[work->count++] = arena_copy(&work->arena, message->body);
}

static void submit(struct work *work)
{
    BUG_ON(!worker_submit(work->partition->service->store, run_work, done_work,
                          work));
}

void work_on_store(struct partition *partition)
{
    struct work *work = work_new(partition);

    partition->is_committing = true;
    do
        take_copy(work);
    while (partition->held_first && work->count < MESSAGES_MAX &&
           !held_is_suspect(partition, partition->held_first));
    submit(work);
}

/* One event at a time. */

bool held_is_suspect(const struct partition *partition, const struct held *held)
{
    return held->done ||
           (held->message->is_redelivered &&
            suspects_has(partition->service->suspects, held->message->body));
}

void work_carefully(struct partition *partition)
{
    struct work *work = work_new(partition);
    size_t done = partition->held_first->done;

    partition->is_committing = true;
    take_copy(work);
    work->is_careful = true;
    work->done = done;
    work->is_poison =
        suspects_crashes(partition->service->suspects, work->bodies[0],
                         done + 1) >= CRASHES_MAX;
    if (service_has_store(partition->service))
        submit(work);
    else
        handle_on_loop(work);
}
