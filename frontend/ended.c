#include "ended.h"

#include "base/log.h"
#include "base/memory.h"
#include "cluster/give_back.h"
#include "unacked.h"

struct ended {
    STAILQ_ENTRY(ended) link;
    struct unacked_queue unacked;
    struct buffer fence; /* to be answered then, or empty */
};

void ended_add(struct frontend *frontend, struct unacked_queue *unacked,
               const struct event *fence)
{
    struct ended *ended = memory_new(sizeof(*ended));

    unacked_init(&ended->unacked);
    unacked_move(&ended->unacked, unacked);
    if (fence)
        event_encode(&ended->fence, fence);
    STAILQ_INSERT_TAIL(&frontend->ended, ended, link);
    loop_timer_start(frontend->end_of_turn, 0);
}

static void answer_fence(struct frontend *frontend, const struct ended *ended)
{
    struct event fence;
    const char *error;

    if (!ended->fence.size)
        return;
    BUG_ON(!event_decode(buffer_slice(&ended->fence), &fence, &error));
    fence_answer(&fence, slice_of(daemon_node(frontend->daemon)), "ended",
                 &frontend->output);
    frontend_publish(frontend);
}

void ended_give_back(struct frontend *frontend)
{
    struct ended *ended;

    while ((ended = STAILQ_FIRST(&frontend->ended))) {
        STAILQ_REMOVE_HEAD(&frontend->ended, link);
        unacked_give_back(&ended->unacked, frontend);
        answer_fence(frontend, ended);
        buffer_deinit(&ended->fence);
        memory_free(&ended);
    }
}
