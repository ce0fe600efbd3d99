#include "received.h"

#include "base/memory.h"
#include "cluster/bus.h"

/* What was received up to here; settled when all that follows is confirmed. */
struct mark {
    LIST_ENTRY(mark) all;
    STAILQ_ENTRY(mark) link;
    struct received *received; /* NULL: the session is over */
    uint32_t count;
    bool is_settled;
};

void received_continue(struct received *received, uint32_t count)
{
    received->count = received->marked = received->confirmed = count;
}

void received_init(struct received *received, received_fn all_confirmed,
                   void *argument)
{
    received_continue(received, 0);
    STAILQ_INIT(&received->marks);
    received->all_confirmed = all_confirmed;
    received->argument = argument;
}

void received_deinit(struct received *received)
{
    struct mark *mark;

    STAILQ_FOREACH (mark, &received->marks, link)
        mark->received = NULL;
}

bool received_is_confirmed(const struct received *received)
{
    return received->confirmed == received->count;
}

static void mark_free(struct mark *mark)
{
    LIST_REMOVE(mark, all);
    memory_free(&mark);
}

static void advance(struct received *received)
{
    struct mark *mark;

    while ((mark = STAILQ_FIRST(&received->marks)) && mark->is_settled) {
        STAILQ_REMOVE_HEAD(&received->marks, link);
        received->confirmed = mark->count;
        mark_free(mark);
    }
    if (received_is_confirmed(received))
        received->all_confirmed(received->argument);
}

static void on_settled(void *argument)
{
    struct mark *mark = argument;

    mark->is_settled = true;
    if (mark->received)
        advance(mark->received);
    else
        mark_free(mark);
}

void received_publish(struct received *received, struct frontend *frontend)
{
    struct bus_receipt *receipt;
    struct mark *mark;

    if (received->marked == received->count) {
        frontend_publish(frontend);
        return;
    }
    mark = memory_new(sizeof(*mark));
    mark->received = received;
    mark->count = received->marked = received->count;
    LIST_INSERT_HEAD(&frontend->marks, mark, all);
    STAILQ_INSERT_TAIL(&received->marks, mark, link);
    receipt =
        bus_receipt_create(daemon_bus(frontend->daemon), on_settled, mark);
    daemon_publish(frontend->daemon, &frontend->output, receipt);
    bus_receipt_seal(receipt);
}

void received_forget_marks(struct frontend *frontend)
{
    struct mark *mark;

    while ((mark = LIST_FIRST(&frontend->marks)))
        mark_free(mark);
}
