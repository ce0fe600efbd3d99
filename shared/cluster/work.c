#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/work_private.h"

enum { RETRY_MS = 1000 };

struct work *work_new(struct partition *partition)
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
    work->refusal = NULL;
    work->must_commit = false;
    work->is_careful = false;
    work->poison = NULL;
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

static struct held *hold_first(struct partition *partition,
                               struct bus_message *message, size_t done)
{
    struct held *held = memory_new(sizeof(*held));

    held->message = message;
    held->done = done;
    held->next = partition->held_first;
    if (!held->next)
        partition->held_last = &held->next;
    partition->held_first = held;
    return held;
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

    work_keep_epochs(work);
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
            partition_decline(partition, reason);
        }
        return;
    }
    work->next = work->output.first;
    work_publish_phase(work);
}

void work_run_on_loop(struct work *work)
{
    take_in_hand(work);
    work_handle(work);
    last_words_release();
    work_keep_epochs(work);
    CRASH_POINT(HANDLED);
    work_publish_all(work);
}

void work_on_loop(struct partition *partition)
{
    struct work *work = work_new(partition);

    work->messages[0] = take_first(partition);
    work->bodies[0] = work->messages[0]->body;
    work->count = 1;
    work_run_on_loop(work);
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
    work_handle(work);
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

static void find_refusal(struct work *work)
{
    const struct service_spec *spec = work->partition->service->spec;

    if (work->has_failed && spec->refusal)
        work->refusal = spec->refusal(work->data);
}

static void run_work(void *job)
{
    take_in_hand(job);
    run_first(job);
    find_refusal(job);
    last_words_release();
}

/* The same messages again, before anything newer. */
static void hold_again(struct work *work)
{
    for (size_t i = work->count; i-- > 0;) {
        struct held *held =
            hold_first(work->partition, work->messages[i], work->done);

        held->is_suspect = work->refusal != NULL;
        held->dead = work->is_careful ? work->refusal : NULL;
    }
}

static void work_refused(struct work *work)
{
    struct partition *partition = work->partition;

    if (work->refusal) {
        log_error("%s: the store cannot take what an event says: %s",
                  partition->queue, work->refusal);
    } else {
        log_error("%s: the store refused a batch, trying again in a second",
                  partition->queue);
        partition->retry_at_ms = clock_now_ms() + RETRY_MS;
    }
    partition->is_committing = false;
    hold_again(work);
    work_abandon(work);
    partition_advance(partition);
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
        work_handle(work);
        work->has_failed = !spec->commit(work->data);
        CRASH_POINT(COMMITTED);
    }
    find_refusal(work);
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

void work_take_copy(struct work *work)
{
    struct bus_message *message = take_first(work->partition);

    work->messages[work->count] = message;
    work->bodies[work->count++] = arena_copy(&work->arena, message->body);
}

void work_run_on_store(struct work *work)
{
    BUG_ON(!worker_submit(work->partition->service->store, run_work, done_work,
                          work));
}

void work_on_store(struct partition *partition)
{
    struct work *work = work_new(partition);

    partition->is_committing = true;
    do
        work_take_copy(work);
    while (partition->held_first && work->count < MESSAGES_MAX &&
           !held_is_suspect(partition, partition->held_first));
    work_run_on_store(work);
}
