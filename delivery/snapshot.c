#include "snapshot.h"

#include "base/clock.h"
#include "orphans.h"
#include "session_copy.h"
#include "xmpp/jid.h"

static bool is_fresh(const struct session *session)
{
    return session->touched_ms &&
           clock_now_ms() - session->touched_ms < SNAPSHOT_RACE_MS;
}

void snapshot_begin(void *state, struct slice node)
{
    struct delivery *delivery = state;
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next(delivery->users, &position, &bare, &value)) {
        struct user *user = value;

        for (struct session *session = user->sessions; session;
             session = session->next)
            session->is_stale = slice_is(node, session->node) &&
                                !session->is_moving && !is_fresh(session);
    }
}

/* Who is on the list of the reported session has heard of the end of an earlier
 * one with that address, or hears of the later one: not again. */
static void kick(struct delivery *delivery, struct user *user,
                 struct session *session, const struct event *report,
                 struct output *output)
{
    session_order_end(delivery, user, session, "conflict", NULL, output);
    directed_remove(&session->directed, report->names);
    session_end_directed(session, output);
    session_end(delivery, user, &session, NULL, output);
}

/*
 * Two frontends claim one resource: the kick of the elder is still on its way,
 * or was lost with its frontend's view.  False: the reported one, which has
 * been added, has been ended.
 */
static bool settle_conflict(struct delivery *delivery, struct user *user,
                            struct session *reported,
                            const struct event *report, struct output *output)
{
    struct session *other = user->sessions;

    while (other && (other == reported ||
                     !slice_equal(other->resource, reported->resource)))
        other = other->next;
    if (!other)
        return true;
    if (other->stamp <= reported->stamp) {
        kick(delivery, user, other, report, output);
        return true;
    }
    directed_read(&reported->directed, report->names);
    kick(delivery, user, reported, report, output);
    return false;
}

static void take_over(struct delivery *delivery, struct user *user,
                      struct session *session, const struct event *report)
{
    bool was_eligible = session_is_eligible(session);

    session->is_available = report->is_available;
    session->is_interested |= report->is_interested;
    session->priority = report->priority;
    session->stamp = report->stamp;
    directed_read(&session->directed, report->names);
    if (session_is_eligible(session) && !was_eligible)
        replay_start(delivery, user, session);
    else if (!session_is_eligible(session) && was_eligible)
        replay_session_away(user, session->id);
}

static struct session *get_session(struct user *user,
                                   const struct event *report)
{
    struct session *session = session_find(user, report->session);

    if (session)
        return session;
    session =
        session_add(user, report->session, report->node, report->resource);
    session->stamp = report->stamp;
    return session;
}

/* The number of the next move is higher, whatever our clock says. */
static void note_move(struct delivery *delivery, struct session *session,
                      uint64_t move)
{
    if (move > session->move)
        session->move = move;
    if (move > delivery->request)
        delivery->request = move;
}

void snapshot_session(void *state, const struct event *report,
                      struct output *output)
{
    struct delivery *delivery = state;
    struct user *user = user_get(delivery, report->from);
    struct session *session = get_session(user, report);

    if (session->is_moving || report->mark < session->move)
        return; /* the report of who had it */
    if (!settle_conflict(delivery, user, session, report, output)) {
        user_maybe_forget(delivery, &user);
        return;
    }
    session->is_stale = false;
    note_move(delivery, session, report->mark);
    session_set_node(session, report->node);
    if (!is_fresh(session))
        take_over(delivery, user, session, report);
}

/* Whose frontend is there has ended it, and told everybody. */
static void end_swept(struct delivery *delivery, struct user *user,
                      struct session *session, bool only_stale,
                      struct output *output)
{
    if (only_stale) {
        session_end(delivery, user, &session, NULL, output);
        return;
    }
    session_end_directed(session, output);
    session_lose(delivery, user, &session, NULL, output);
}

/* Ends the sessions of that node; `only_stale`: those it did not report. */
static void sweep(struct delivery *delivery, struct slice node, bool only_stale,
                  struct output *output)
{
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next(delivery->users, &position, &bare, &value)) {
        struct user *user = value;
        struct session *session = user->sessions;

        while (session) {
            struct session *next = session->next;

            if (slice_is(node, session->node) &&
                (session->is_stale || !only_stale))
                end_swept(delivery, user, session, only_stale, output);
            session = next;
        }
        user_maybe_forget(delivery, &user);
    }
}

void snapshot_end(void *state, struct slice node, struct output *output)
{
    orphan_drained(state, node); /* it is there after all */
    sweep(state, node, true, output);
}

void snapshot_node_gone(void *state, struct slice node, struct output *output)
{
    sweep(state, node, false, output);
}
