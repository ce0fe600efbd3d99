#include "cluster/work_private.h"

enum { CRASHES_MAX = 3 };

void work_handle_one(struct work *work, struct slice body)
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
    if (read == EVENT_READ_OK && work->poison)
        work_reject(work, raw, work->poison);
    else if (read == EVENT_READ_OK)
        work_handle_event(work, &event, raw);
    else if (read == EVENT_READ_BAD)
        work_reject(work, raw, error);
    else if (read == EVENT_READ_BROKEN)
        work_reject(work, body, error);
    work->is_unended = (read == EVENT_READ_OK || read == EVENT_READ_BAD) &&
                       (batch.remaining || batch.rest.size);
}

bool held_is_suspect(const struct partition *partition, const struct held *held)
{
    return held->done || held->is_suspect ||
           (held->message->is_redelivered &&
            suspects_has(partition->service->suspects, held->message->body));
}

/* NULL: it can be handled.  Copied, because this work begins anew. */
static const char *find_poison(struct work *work, const struct held *held)
{
    size_t crashes = suspects_crashes(work->partition->service->suspects,
                                      held->message->body, held->done + 1);

    if (crashes >= CRASHES_MAX)
        return "crashed 3 times";
    return arena_copy(&work->arena, slice_of(held->dead)).data;
}

void work_carefully(struct partition *partition)
{
    const struct held *held = partition->held_first;
    struct work *work = work_new(partition);

    partition->is_committing = true;
    work->is_careful = true;
    work->done = held->done;
    work->poison = find_poison(work, held);
    work_take_copy(work);
    if (service_has_store(partition->service))
        work_run_on_store(work);
    else
        work_run_on_loop(work);
}
