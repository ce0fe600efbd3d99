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
    if (read == EVENT_READ_OK && work->is_poison)
        work_reject(work, raw, "crashed 3 times");
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
    return held->done ||
           (held->message->is_redelivered &&
            suspects_has(partition->service->suspects, held->message->body));
}

void work_carefully(struct partition *partition)
{
    struct work *work = work_new(partition);
    size_t done = partition->held_first->done;

    partition->is_committing = true;
    work_take_copy(work);
    work->is_careful = true;
    work->done = done;
    work->is_poison =
        suspects_crashes(partition->service->suspects, work->bodies[0],
                         done + 1) >= CRASHES_MAX;
    if (service_has_store(partition->service))
        work_run_on_store(work);
    else
        work_run_on_loop(work);
}
