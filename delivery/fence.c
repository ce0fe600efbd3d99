#include "fence.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "session_copy.h"
#include "snapshot.h"

enum { ASK_AGAIN_MS = 5000 };

struct fence {
    TAILQ_ENTRY(fence) link; /* all, asked longest ago first */
    struct fence *next;      /* of the user */
    struct user *user;
    enum event_type type; /* session.kick, .move or .fence */
    const char *condition;
    uint64_t number;
    uint64_t session;
    uint64_t asked_ms;
    char *node;      /* the old place */
    char *target;    /* the new one, or NULL */
    uint64_t waiter; /* request of who waits there, 0: nobody */
    char *then;      /* asked for meanwhile: on to there, or NULL */
    uint64_t then_waiter;
    char full[];
};

/* Putting. */

static void send(struct delivery *delivery, struct fence *fence,
                 uint64_t now_ms, struct output *output)
{
    struct event event;

    event_init(&event, fence->type);
    event.to = slice_of(fence->full);
    event.session = fence->session;
    event.request = fence->number;
    event.condition = slice_of(fence->condition);
    event.node = slice_of(fence->target);
    output_to_inbox(output, slice_of(fence->node), &event);
    fence->asked_ms = now_ms;
    TAILQ_INSERT_TAIL(&delivery->fences, fence, link);
}

static struct fence *put(struct delivery *delivery, struct user *user,
                         const struct session *session, enum event_type type)
{
    struct fence *fence = memory_new(sizeof(*fence) + session->full.size + 1);

    memcpy(fence->full, session->full.data, session->full.size);
    fence->user = user;
    fence->type = type;
    fence->number = ++delivery->request;
    fence->session = session->id;
    fence->node = memory_copy_text(slice_of(session->node));
    fence->next = user->fences;
    user->fences = fence;
    replay_hold(delivery, user);
    return fence;
}

void fence_kick(struct delivery *delivery, struct user *user,
                const struct session *session, const char *condition,
                struct output *output)
{
    struct fence *fence = put(delivery, user, session, EVENT_SESSION_KICK);

    fence->condition = condition;
    send(delivery, fence, clock_now_ms(), output);
}

void fence_gone(struct delivery *delivery, struct user *user,
                const struct session *session, struct output *output)
{
    send(delivery, put(delivery, user, session, EVENT_SESSION_FENCE),
         clock_now_ms(), output);
}

/* Moving. */

static struct fence *find_move(const struct user *user, uint64_t session)
{
    struct fence *fence = user->fences;

    while (fence &&
           (fence->type != EVENT_SESSION_MOVE || fence->session != session))
        fence = fence->next;
    return fence;
}

static void tell_presence(const struct session *session, struct output *output)
{
    struct event event;

    event_init(&event, EVENT_PRESENCE_UPDATE);
    event.from = session->full;
    event.session = session->id;
    event.node = slice_of(session->node);
    event.condition = SLICE("moved");
    output_to_user(output, SERVICE_PRESENCE, session->full, &event);
}

static void begin_move(struct delivery *delivery, struct user *user,
                       struct session *session, struct slice node,
                       uint64_t waiter, struct output *output)
{
    struct fence *fence = put(delivery, user, session, EVENT_SESSION_MOVE);

    fence->target = memory_copy_text(node);
    fence->waiter = waiter;
    session->is_moving = true;
    session->touched_ms = clock_now_ms();
    send(delivery, fence, session->touched_ms, output);
    session_set_node(session, node);
    tell_presence(session, output);
}

static void refuse(uint64_t session, const char *node, uint64_t request,
                   struct output *output)
{
    struct event event;

    if (!request)
        return;
    event_init(&event, EVENT_SESSION_RESUMED);
    event.session = session;
    event.request = request;
    event.condition = SLICE("item-not-found");
    output_to_inbox(output, slice_of(node), &event);
}

/* Asked for while it is on its way.  The last wish counts; who had the one
 * before is told. */
static void move_on(struct fence *fence, struct slice node, uint64_t waiter,
                    struct output *output)
{
    if (fence->then && !slice_is(node, fence->then))
        refuse(fence->session, fence->then, fence->then_waiter, output);
    memory_free(&fence->then);
    if (slice_is(node, fence->target)) {
        fence->waiter = waiter;
        return;
    }
    fence->then = memory_copy_text(node);
    fence->then_waiter = waiter;
}

void fence_move(struct delivery *delivery, struct user *user,
                struct session *session, const struct event *resume,
                struct output *output)
{
    struct fence *fence = find_move(user, session->id);

    if (fence && resume->request) /* an offer does not turn it aside */
        move_on(fence, resume->node, resume->request, output);
    else if (!fence && !slice_is(resume->node, session->node))
        begin_move(delivery, user, session, resume->node, resume->request,
                   output);
}

void fence_refuse(const struct event *resume, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_SESSION_RESUMED, resume);
    event.session = resume->session;
    event.request = resume->request;
    event.condition = SLICE("item-not-found");
    output_to_inbox(output, resume->node, &event);
}

/* Coming back. */

static void move_failed(struct delivery *delivery, const struct fence *fence,
                        struct output *output)
{
    struct session *session = session_find(fence->user, fence->session);

    refuse(fence->session, fence->target, fence->waiter, output);
    if (fence->then)
        refuse(fence->session, fence->then, fence->then_waiter, output);
    if (session && session->is_moving)
        session_end(delivery, fence->user, &session, NULL, output);
}

/* The session is there: what its frontend says replaces what is known. */
static void moved(struct delivery *delivery, const struct event *fenced,
                  struct output *output)
{
    struct user *user = user_get(delivery, fenced->from);
    struct session *session = session_find(user, fenced->session);
    struct event event;

    if (session) {
        session->is_moving = false;
        session_set_node(session, fenced->node);
    }
    snapshot_session(delivery, fenced, output);
    if (!session_find(user, fenced->session))
        return;
    event_copy_as(&event, EVENT_PRESENCE_UPDATE, fenced);
    output_to_user(output, SERVICE_PRESENCE, fenced->from, &event);
}

static void go_on(struct delivery *delivery, const struct fence *fence,
                  struct output *output)
{
    struct session *session = session_find(fence->user, fence->session);

    if (!fence->then)
        return;
    if (session && !session->is_moving)
        begin_move(delivery, fence->user, session, slice_of(fence->then),
                   fence->then_waiter, output);
    else
        refuse(fence->session, fence->then, fence->then_waiter, output);
}

static void unlink_fence(struct delivery *delivery, struct fence *fence)
{
    struct fence **link = &fence->user->fences;

    while (*link != fence)
        link = &(*link)->next;
    *link = fence->next;
    TAILQ_REMOVE(&delivery->fences, fence, link);
}

static void fence_free(struct fence *fence)
{
    memory_free(&fence->node);
    memory_free(&fence->target);
    memory_free(&fence->then);
    memory_free(&fence);
}

static struct fence *take(struct delivery *delivery, const struct user *user,
                          uint64_t number)
{
    struct fence *fence = user ? user->fences : NULL;

    while (fence && fence->number != number)
        fence = fence->next;
    if (fence)
        unlink_fence(delivery, fence);
    return fence;
}

/* Another fence may take its place before the user is let go on. */
void fence_returned(struct delivery *delivery, const struct event *fenced,
                    struct output *output)
{
    struct user *user = user_get(delivery, fenced->from);
    struct fence *fence = take(delivery, user, fenced->request);
    bool has_moved = slice_is(fenced->condition, "moved");

    if (has_moved)
        moved(delivery, fenced, output);
    if (fence && fence->type == EVENT_SESSION_MOVE) {
        if (has_moved)
            go_on(delivery, fence, output);
        else
            move_failed(delivery, fence, output);
    }
    if (fence)
        fence_free(fence);
    if (fence && !user->fences)
        replay_release(delivery, user);
    user_maybe_forget(delivery, &user);
}

void fence_tick(struct delivery *delivery, uint64_t now_ms,
                struct output *output)
{
    struct fence *fence;

    while ((fence = TAILQ_FIRST(&delivery->fences)) &&
           now_ms >= fence->asked_ms + ASK_AGAIN_MS) {
        TAILQ_REMOVE(&delivery->fences, fence, link);
        send(delivery, fence, now_ms, output);
    }
}

void fences_drop(struct delivery *delivery, struct user *user)
{
    while (user->fences) {
        struct fence *fence = user->fences;

        unlink_fence(delivery, fence);
        fence_free(fence);
    }
}
