#include "replay.h"

#include "base/clock.h"
#include "session_copy.h"

/* NULL: in none. */
static struct replay_list *list_of(struct delivery *delivery,
                                   enum replay_state state)
{
    if (state == REPLAY_WANTED)
        return &delivery->replay_wanted;
    return state == REPLAY_ASKED ? &delivery->replay_asked : NULL;
}

static void enter(struct delivery *delivery, struct user *user,
                  enum replay_state state)
{
    struct replay *replay = &user->replay;
    struct replay_list *from = list_of(delivery, replay->state);
    struct replay_list *to = list_of(delivery, state);

    if (from)
        TAILQ_REMOVE(from, replay, link);
    replay->state = state;
    replay->user = user;
    if (to)
        TAILQ_INSERT_TAIL(to, replay, link);
}

bool replay_is_under_way(const struct user *user)
{
    return user->replay.state != REPLAY_NONE;
}

static void begin(struct delivery *delivery, struct user *user,
                  const struct session *session)
{
    user->replay.session = session->id;
    user->replay.count = 0;
    user->replay.newest = 0;
    enter(delivery, user, REPLAY_WANTED);
}

void replay_start(struct delivery *delivery, struct user *user,
                  const struct session *session)
{
    if (user->replay.state == REPLAY_FENCED)
        user->replay.is_due = true;
    else if (!replay_is_under_way(user))
        begin(delivery, user, session);
}

bool replay_covers(const struct user *user, const struct session *session)
{
    if (user->replay.state == REPLAY_FENCED)
        return fence_covers(user, session);
    return replay_is_under_way(user) && user->replay.session == session->id;
}

/* A page under way is not counted as delivered: it comes again, and what is
 * given back of it is known in the archive by its id. */
void replay_hold(struct delivery *delivery, struct user *user)
{
    if (user->replay.state == REPLAY_FENCED)
        return;
    user->replay.is_due = replay_is_under_way(user);
    user->replay.session = 0;
    enter(delivery, user, REPLAY_FENCED);
}

void replay_release(struct delivery *delivery, struct user *user)
{
    const struct session *best = session_best(user);

    if (best && user->replay.is_due)
        begin(delivery, user, best);
    else
        replay_stop(delivery, user);
}

void replay_stop(struct delivery *delivery, struct user *user)
{
    enter(delivery, user, REPLAY_NONE);
}

void replay_postpone(struct delivery *delivery, struct user *user)
{
    enter(delivery, user, REPLAY_WANTED);
}

void replay_session_lost(struct delivery *delivery, struct user *user,
                         uint64_t session)
{
    struct session *other = session_best(user);

    if (!list_of(delivery, user->replay.state) ||
        user->replay.session != session)
        return;
    if (other)
        begin(delivery, user, other);
    else
        replay_stop(delivery, user);
}

uint64_t replay_stored(struct delivery *delivery, struct user *user)
{
    delivery->mark++;
    if (!user)
        return delivery->mark;
    user->replay.mark = delivery->mark;
    user->replay.is_due = true;
    return delivery->mark;
}

/*
 * Both prove that the archive has seen all we stored: it says so, or nothing
 * was stored after the question (one queue, one order).
 */
static bool has_all(const struct replay *replay, const struct event *answer)
{
    return answer->mark >= replay->mark ||
           (answer->request == replay->request &&
            replay->asked_mark == replay->mark);
}

static bool is_outdated(const struct replay *replay, const struct event *answer)
{
    return answer->session != replay->session ||
           (answer->request && answer->request != replay->request);
}

void replay_answered(struct delivery *delivery, struct user *user,
                     const struct event *answer)
{
    struct replay *replay = &user->replay;

    if (replay->state != REPLAY_ASKED || is_outdated(replay, answer))
        return;
    if (answer->count == 0 && has_all(replay, answer)) {
        replay_stop(delivery, user);
        return;
    }
    replay->count = answer->count;
    replay->newest = answer->newest;
    enter(delivery, user, REPLAY_WANTED);
}

static void ask(struct delivery *delivery, struct replay *replay,
                struct output *output)
{
    struct user *user = replay->user;
    const struct session *session = session_find(user, replay->session);
    struct event event;

    replay->request = ++delivery->request;
    replay->asked_mark = replay->mark;
    replay->asked_ms = clock_now_ms();
    event_init(&event, EVENT_ARCHIVE_REPLAY);
    event.to = user->bare;
    event.from = session->full;
    event.session = session->id;
    event.node = slice_of(session->node);
    event.resource = session->resource;
    event.count = replay->count;
    event.newest = replay->newest;
    event.request = replay->request;
    output_to_user(output, SERVICE_ARCHIVE, user->bare, &event);
    enter(delivery, user, REPLAY_ASKED);
}

void replay_ask(struct delivery *delivery, struct output *output)
{
    struct replay *replay;

    while ((replay = TAILQ_FIRST(&delivery->replay_wanted)))
        ask(delivery, replay, output);
}

void replay_tick(struct delivery *delivery, uint64_t now_ms,
                 struct output *output)
{
    struct replay *replay;

    while ((replay = TAILQ_FIRST(&delivery->replay_asked)) &&
           now_ms >= replay->asked_ms + delivery->config->replay_retry_ms)
        enter(delivery, replay->user, REPLAY_WANTED);
    replay_ask(delivery, output);
}
