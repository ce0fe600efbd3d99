#include "base/crash.h"
#include "base/log.h"
#include "cluster/work_private.h"

/* The highest epoch of a publishing partition in this work. */
struct epoch {
    struct epoch *next;
    struct slice by;
    uint64_t highest;
};

void work_reject(struct work *work, struct slice raw, const char *reason)
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

void work_keep_epochs(const struct work *work)
{
    for (const struct epoch *epoch = work->epochs; epoch; epoch = epoch->next)
        partition_saw_epoch(work->partition, epoch->by, epoch->highest);
}

void work_handle_event(struct work *work, const struct event *event,
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
            work_handle_event(work, &event, raw);
        else if (read == EVENT_READ_BAD)
            work_reject(work, raw, error);
    }
    if (read == EVENT_READ_BROKEN)
        work_reject(work, body, error);
}

void work_handle(struct work *work)
{
    const struct service_spec *spec = work->partition->service->spec;

    work->epochs = NULL;
    for (size_t i = 0; i < work->count && !work->newer; i++) {
        if (work->is_careful)
            work_handle_one(work, work->bodies[i]);
        else
            handle_body(work, work->bodies[i]);
    }
    if (spec->batch_end)
        spec->batch_end(work->data, &work->output);
}
