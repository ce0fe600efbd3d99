#include "replay.h"

#include "base/clock.h"
#include "session_copy.h"

/* NULL: in none. */
static struct replay_list *list_of(struct delivery *delivery,
                                   enum replay_state state)
{
    if (state == REPLAY_WANTED)
        return &delivery->replay_wanted;
    return state == REPLAY_ASKED || state == REPLAY_OWED
               ? &delivery->replay_asked
               : NULL;
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

static bool is_held(const struct user *user)
{
    return user->replay.state == REPLAY_FENCED ||
           user->replay.state == REPLAY_OWED;
}

void replay_start(struct delivery *delivery, struct user *user,
                  const struct session *session)
{
    if (is_held(user))
        user->replay.is_due = true;
    else if (!replay_is_under_way(user))
        begin(delivery, user, session);
    else if (!user->replay.session)
        user->replay.session = session->id;
}

bool replay_covers(const struct user *user, const struct session *session)
{
    if (user->replay.state == REPLAY_FENCED)
        return fence_covers(user, session);
    if (user->replay.state == REPLAY_OWED)
        return session_is_eligible(session);
    return replay_is_under_way(user) && user->replay.session == session->id;
}

void replay_hold(struct delivery *delivery, struct user *user)
{
    struct replay *replay = &user->replay;

    if (!is_held(user)) {
        replay->is_due = replay_is_under_way(user);
        replay->is_owed = replay->state == REPLAY_ASKED;
        replay->session = 0;
        replay->count = 0;
        replay->newest = 0;
    }
    enter(delivery, user, REPLAY_FENCED);
}

/* Of a session that no more is asked for: in its name, since what the archive
 * has in custody for it was not in the page.  No answer comes. */
static void delete_page(struct delivery *delivery, struct user *user,
                        struct output *output)
{
    struct event event;

    event_init(&event, EVENT_ARCHIVE_REPLAY);
    event.to = user->bare;
    event.session = user->replay.asked;
    event.node = SLICE("");
    event.count = user->replay.count;
    event.newest = user->replay.newest;
    event.request = ++delivery->request;
    output_to_user(output, SERVICE_ARCHIVE, user->bare, &event);
    user->replay.count = 0;
    user->replay.newest = 0;
}

static void end(struct delivery *delivery, struct user *user,
                struct output *output)
{
    if (user->replay.count)
        delete_page(delivery, user, output);
    replay_stop(delivery, user);
}

static void go_on(struct delivery *delivery, struct user *user,
                  struct output *output)
{
    const struct session *best = session_best(user);

    if (best && user->replay.is_due) {
        user->replay.session = best->id;
        enter(delivery, user, REPLAY_WANTED);
    } else {
        end(delivery, user, output);
    }
}

bool replay_is_owed(const struct user *user)
{
    return is_held(user) && user->replay.is_owed &&
           !session_find(user, user->replay.asked);
}

void replay_release(struct delivery *delivery, struct user *user,
                    struct output *output)
{
    if (replay_is_owed(user))
        enter(delivery, user, REPLAY_OWED);
    else
        go_on(delivery, user, output);
}

void replay_stop(struct delivery *delivery, struct user *user)
{
    enter(delivery, user, REPLAY_NONE);
}

void replay_postpone(struct delivery *delivery, struct user *user)
{
    enter(delivery, user, REPLAY_WANTED);
}

/* Questions are asked, and about this session. */
static bool is_for(const struct user *user, uint64_t session)
{
    return !is_held(user) && replay_is_under_way(user) &&
           user->replay.session == session;
}

void replay_session_away(struct user *user, uint64_t session)
{
    const struct session *other = session_best(user);

    if (is_for(user, session))
        user->replay.session = other ? other->id : 0;
}

void replay_session_lost(struct delivery *delivery, struct user *user,
                         uint64_t session)
{
    const struct session *other = session_best(user);

    if (!is_for(user, session))
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

static bool answers(const struct event *answer, const struct replay *replay)
{
    return answer->session == replay->asked &&
           (!answer->request || answer->request == replay->request);
}

/* One of an older version deletes what was given back of a page with it. */
static bool keeps_what_is_given_back(const struct event *answer)
{
    return slice_is_set(answer->from);
}

static void note_page(struct replay *replay, const struct event *answer)
{
    bool counts =
        answer->session == replay->session || keeps_what_is_given_back(answer);

    replay->count = counts ? answer->count : 0;
    replay->newest = counts ? answer->newest : 0;
}

/* Its page is in the inbox of a session that is over: what comes back of it
 * comes before what is stored behind it.  Of one that moves the page comes
 * again, which the session knows by the ids. */
static void take_owed(struct delivery *delivery, struct user *user,
                      const struct event *answer, struct output *output)
{
    bool is_owed = replay_is_owed(user);

    user->replay.is_owed = false;
    if (!is_owed)
        return;
    note_page(&user->replay, answer);
    if (user->replay.count)
        fence_page(delivery, user, answer, output);
    else if (user->replay.state == REPLAY_OWED)
        go_on(delivery, user, output);
}

void replay_answered(struct delivery *delivery, struct user *user,
                     const struct event *answer, struct output *output)
{
    struct replay *replay = &user->replay;

    if (!answers(answer, replay))
        return;
    if (is_held(user)) {
        take_owed(delivery, user, answer, output);
    } else if (replay->state != REPLAY_ASKED) {
        return;
    } else if (answer->count == 0 && has_all(replay, answer)) {
        replay_stop(delivery, user);
    } else {
        note_page(replay, answer);
        enter(delivery, user, REPLAY_WANTED);
    }
}

static void ask(struct delivery *delivery, struct replay *replay,
                struct output *output)
{
    struct user *user = replay->user;
    const struct session *session = session_find(user, replay->session);
    struct event event;

    if (replay->count && replay->asked != session->id)
        delete_page(delivery, user, output);
    replay->asked = session->id;
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

    while ((replay = TAILQ_FIRST(&delivery->replay_wanted))) {
        if (replay->session)
            ask(delivery, replay, output);
        else
            end(delivery, replay->user, output);
    }
}

/* It will not come any more. */
static void give_up(struct delivery *delivery, struct user *user,
                    struct output *output)
{
    if (user->replay.state == REPLAY_ASKED) {
        enter(delivery, user, REPLAY_WANTED);
        return;
    }
    user->replay.is_owed = false;
    go_on(delivery, user, output);
    user_maybe_forget(delivery, &user);
}

void replay_tick(struct delivery *delivery, uint64_t now_ms,
                 struct output *output)
{
    uint64_t patience = delivery->config->replay_retry_ms;
    struct replay *replay = TAILQ_FIRST(&delivery->replay_asked);

    while (replay) {
        struct replay *next = TAILQ_NEXT(replay, link);

        if (now_ms >= replay->asked_ms + patience)
            give_up(delivery, replay->user, output);
        replay = next;
    }
    replay_ask(delivery, output);
}
