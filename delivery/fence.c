#include "fence.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "ended.h"
#include "orphans.h"
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
    struct buffer names; /* of session.kick: who knows of the end */
    char full[];
};

/* Putting. */

static void put_out(struct delivery *delivery, struct fence *fence,
                    uint64_t now_ms, struct output *output)
{
    struct event event;

    event_init(&event, fence->type);
    event.to = slice_of(fence->full);
    event.session = fence->session;
    event.request = fence->number;
    event.condition = slice_of(fence->condition);
    event.node = slice_of(fence->target);
    if (fence->names.size)
        event.names = buffer_slice(&fence->names);
    output_to_inbox(output, slice_of(fence->node), &event);
    fence->asked_ms = now_ms;
    TAILQ_INSERT_TAIL(&delivery->fences, fence, link);
}

/* Where a session is, or was. */
struct place {
    uint64_t session;
    struct slice full;
    struct slice node;
};

static struct place place_of(const struct session *session)
{
    return (struct place){session->id, session->full, slice_of(session->node)};
}

static struct fence *put(struct delivery *delivery, struct user *user,
                         struct place place, enum event_type type)
{
    struct fence *fence = memory_new(sizeof(*fence) + place.full.size + 1);

    memcpy(fence->full, place.full.data, place.full.size);
    fence->user = user;
    fence->type = type;
    fence->number = ++delivery->request;
    fence->session = place.session;
    fence->node = memory_copy_text(place.node);
    fence->next = user->fences;
    user->fences = fence;
    replay_hold(delivery, user);
    return fence;
}

static void kick(struct delivery *delivery, struct user *user,
                 struct place place, struct slice names, const char *condition,
                 struct output *output)
{
    struct fence *fence = put(delivery, user, place, EVENT_SESSION_KICK);

    if (names.size)
        buffer_append(&fence->names, names);
    fence->condition = condition;
    put_out(delivery, fence, clock_now_ms(), output);
}

void fence_kick(struct delivery *delivery, struct user *user,
                const struct session *session, const char *condition,
                struct output *output)
{
    struct buffer names = BUFFER_EMPTY;

    kick(delivery, user, place_of(session),
         directed_write(session->directed, &names), condition, output);
    buffer_deinit(&names);
}

static void put_fence(struct delivery *delivery, struct user *user,
                      struct place place, struct output *output)
{
    put_out(delivery, put(delivery, user, place, EVENT_SESSION_FENCE),
            clock_now_ms(), output);
}

void fence_gone(struct delivery *delivery, struct user *user,
                const struct session *session, struct output *output)
{
    put_fence(delivery, user, place_of(session), output);
}

void fence_page(struct delivery *delivery, struct user *user,
                const struct event *replayed, struct output *output)
{
    struct place place = {replayed->session, replayed->from, replayed->node};

    put_fence(delivery, user, place, output);
}

void fence_orphan(struct delivery *delivery, struct user *user,
                  const struct session *session, struct slice node,
                  struct output *output)
{
    struct place place = {session->id, session->full, node};

    put_fence(delivery, user, place, output);
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

/* Before anything is sent there for it. */
static void announce(const struct fence *fence, struct output *output)
{
    struct event event;

    event_init(&event, EVENT_SESSION_EXPECT);
    event.session = fence->session;
    output_to_inbox(output, slice_of(fence->target), &event);
}

static void begin_move(struct delivery *delivery, struct user *user,
                       struct session *session, struct slice node,
                       uint64_t waiter, struct output *output)
{
    struct fence *fence =
        put(delivery, user, place_of(session), EVENT_SESSION_MOVE);

    fence->target = memory_copy_text(node);
    fence->waiter = waiter;
    announce(fence, output);
    put_out(delivery, fence, clock_now_ms(), output);
    session->is_moving = true;
    session->touched_ms = clock_now_ms();
    session_set_node(session, node);
    tell_presence(session, output);
}

static void refuse(const struct fence *fence, const char *node,
                   uint64_t request, struct output *output)
{
    struct event event;

    event_init(&event, EVENT_SESSION_RESUMED);
    event.session = fence->session;
    event.request = request;
    event.mark = fence->number;
    event.condition = SLICE("item-not-found");
    output_to_inbox(output, slice_of(node), &event);
}

/* Asked for while it is on its way.  The last wish counts; who had the one
 * before is told. */
static void move_on(struct fence *fence, struct slice node, uint64_t waiter,
                    struct output *output)
{
    if (fence->then && !slice_is(node, fence->then))
        refuse(fence, fence->then, fence->then_waiter, output);
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
    else if (fence)
        return;
    else if (!slice_is(resume->node, session->node))
        begin_move(delivery, user, session, resume->node, resume->request,
                   output);
    else
        fence_refuse(delivery, resume,
                     output); /* it would not ask if it had it */
}

void fence_refuse(const struct delivery *delivery, const struct event *resume,
                  struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_SESSION_RESUMED, resume);
    event.session = resume->session;
    event.request = resume->request;
    event.count = ended_find(delivery->ended, resume->session);
    event.condition = SLICE("item-not-found");
    output_to_inbox(output, resume->node, &event);
}

uint64_t fence_session(const struct user *user)
{
    return user->fences ? user->fences->session : 0;
}

bool fence_covers(const struct user *user, const struct session *session)
{
    const struct fence *fence = user->fences;

    while (fence && !slice_is(session->full, fence->full))
        fence = fence->next;
    return fence != NULL;
}

/* Coming back. */

/* Who drains an inbox says so in nobody's name: the frontend that had the
 * session is gone. */
static void move_failed(struct delivery *delivery, const struct fence *fence,
                        const struct event *fenced, struct output *output)
{
    struct session *session = session_find(fence->user, fence->session);

    refuse(fence, fence->target, fence->waiter, output);
    if (fence->then)
        refuse(fence, fence->then, fence->then_waiter, output);
    if (!session || !session->is_moving)
        return;
    if (!slice_is_set(fenced->node))
        session_end_directed(session, output);
    session_end(delivery, fence->user, &session, NULL, output);
}

static void tell_place(const struct event *fenced, struct output *output)
{
    struct event event;

    event_copy_as(&event, EVENT_PRESENCE_UPDATE, fenced);
    event.names = SLICE_NONE;
    output_to_user(output, SERVICE_PRESENCE, fenced->from, &event);
}

/* The session is there: what its frontend says replaces what is known. */
static void arrived(struct delivery *delivery, struct user *user,
                    const struct event *fenced, struct output *output)
{
    struct session *session = session_find(user, fenced->session);

    if (session) {
        session->is_moving = false;
        session_set_node(session, fenced->node);
    }
    snapshot_session(delivery, fenced, output);
    if (session_find(user, fenced->session))
        tell_place(fenced, output);
}

/* It has ended meanwhile, or this is an old story of one that has moved on. */
static bool is_unwanted(const struct user *user, const struct fence *fence,
                        const struct event *fenced)
{
    const struct session *session = session_find(user, fenced->session);

    if (!session)
        return fence != NULL;
    return fenced->mark < session->move ||
           (!fence && !session->is_moving && fenced->mark == session->move &&
            !slice_is(fenced->node, session->node));
}

/* A repeat: it is on its way from there by now. */
static bool is_known(const struct user *user, const struct fence *fence,
                     const struct event *fenced)
{
    const struct session *session = session_find(user, fenced->session);

    return !fence && session && session->is_moving &&
           fenced->mark == session->move;
}

static void moved(struct delivery *delivery, struct user *user,
                  const struct fence *fence, const struct event *fenced,
                  struct output *output)
{
    struct place place = {fenced->session, fenced->from, fenced->node};

    if (is_unwanted(user, fence, fenced)) /* who ended it has told them */
        kick(delivery, user, place, fenced->names, "conflict", output);
    else if (!is_known(user, fence, fenced))
        arrived(delivery, user, fenced, output);
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
        refuse(fence, fence->then, fence->then_waiter, output);
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
    buffer_deinit(&fence->names);
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

/* "handed-over": another move of it was quicker, whose end is to come. */
static void move_ended(struct delivery *delivery, const struct fence *fence,
                       const struct event *fenced, struct output *output)
{
    if (slice_is(fenced->condition, "moved"))
        go_on(delivery, fence, output);
    else if (!slice_is(fenced->condition, "handed-over"))
        move_failed(delivery, fence, fenced, output);
}

/* Another fence may take its place before the user is let go on. */
void fence_returned(struct delivery *delivery, const struct event *fenced,
                    struct output *output)
{
    struct user *user = user_get(delivery, fenced->from);
    struct fence *fence = take(delivery, user, fenced->request);

    if (slice_is(fenced->condition, "moved"))
        moved(delivery, user, fence, fenced, output);
    if (fence && fence->type == EVENT_SESSION_FENCE)
        orphan_drained(delivery, slice_of(fence->node));
    if (fence && fence->type == EVENT_SESSION_MOVE)
        move_ended(delivery, fence, fenced, output);
    if (fence)
        fence_free(fence);
    if (fence && !user->fences)
        replay_release(delivery, user, output);
    user_maybe_forget(delivery, &user);
}

void fence_tick(struct delivery *delivery, uint64_t now_ms,
                struct output *output)
{
    struct fence *fence;

    while ((fence = TAILQ_FIRST(&delivery->fences)) &&
           now_ms >= fence->asked_ms + ASK_AGAIN_MS) {
        TAILQ_REMOVE(&delivery->fences, fence, link);
        put_out(delivery, fence, now_ms, output);
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
