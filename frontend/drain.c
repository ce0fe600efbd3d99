#include "drain.h"

#include "acks.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "handover.h"
#include "inbox.h"
#include "stream.h"

enum {
    DRAIN_MS = 10000,
    QUIET_MS = 300, /* for what is on its way to us */
    STEP_MS = 20,
};

/* Where. */

static bool may_take_over(const struct member *member, unsigned silent)
{
    return !strcmp(member->kind, "frontend") && member->state == MEMBER_UP &&
           !member->is_self && member->silent <= silent;
}

static size_t count_those(struct members *members, unsigned silent)
{
    const struct member *member = NULL;
    size_t count = 0;

    while ((member = members_next(members, member)))
        count += may_take_over(member, silent);
    return count;
}

static const struct member *nth_of_those(struct members *members,
                                         unsigned silent, size_t index)
{
    const struct member *member = NULL;

    while ((member = members_next(members, member))) {
        if (may_take_over(member, silent) && index-- == 0)
            break;
    }
    return member;
}

/* One of those that were heard of last, since others may be dead without our
 * knowing it yet; spread by the session's id.  NULL: there is no other. */
static const struct member *choose(const struct frontend *frontend, uint64_t id)
{
    struct members *members = daemon_members(frontend->daemon);
    unsigned grace = (unsigned)daemon_common(frontend->daemon)->grace_seconds;

    for (unsigned silent = 0; silent <= grace; silent++) {
        size_t count = count_those(members, silent);

        if (count)
            return nth_of_those(members, silent, id % count);
    }
    return NULL;
}

void drain_session(struct session *session)
{
    const struct member *member;

    if (!daemon_is_draining(session->frontend->daemon))
        return;
    member = choose(session->frontend, session->id);
    if (member)
        handover_offer(session, slice_of(member->node));
    else
        session_end(session, true, "shutdown, and no other frontend");
}

static void end_stream(struct connection *connection)
{
    struct session *session = connection->session;

    if (!session || !acks_is_resumable(session)) {
        stream_fail(connection, STREAM_ERROR_SYSTEM_SHUTDOWN, "shutdown");
        return;
    }
    stream_part(connection, STREAM_ERROR_SYSTEM_SHUTDOWN, "shutdown");
    drain_session(session);
}

/* When. */

static bool has_work(const struct frontend *frontend)
{
    return frontend->connection_count || map_count(frontend->sessions) ||
           !LIST_EMPTY(&frontend->handovers) ||
           !bus_is_idle(daemon_bus(frontend->daemon));
}

/* A session on its way here comes, and goes on to another frontend, or delivery
 * says that it does not.  Somebody waits for either. */
static bool is_quiet(struct frontend *frontend, uint64_t now_ms)
{
    if (has_work(frontend) || map_count(frontend->arrivals))
        frontend->drain_busy_ms = now_ms;
    if (inbox_active_ms(frontend->inbox) > frontend->drain_busy_ms)
        frontend->drain_busy_ms = inbox_active_ms(frontend->inbox);
    return now_ms - frontend->drain_busy_ms >= QUIET_MS;
}

/* Without a broker nothing comes, and there is nothing to be saved: what the
 * inbox holds is given to others by who keeps the register. */
static bool is_stranded(const struct frontend *frontend)
{
    return !bus_is_connected(daemon_bus(frontend->daemon)) &&
           !has_work(frontend);
}

static const char *describe_work(const struct frontend *frontend,
                                 struct buffer *out)
{
    const struct bus *bus = daemon_bus(frontend->daemon);

    buffer_clear(out);
    buffer_appendf(out,
                   "%zu connections, %zu sessions, %zu on their way here, %zu "
                   "unconfirmed bytes",
                   frontend->connection_count, map_count(frontend->sessions),
                   map_count(frontend->arrivals), bus_pending_bytes(bus));
    if (!bus_is_connected(bus))
        buffer_append_text(out, ", the broker is away");
    return out->data;
}

static bool is_done(struct frontend *frontend, uint64_t now_ms)
{
    struct buffer work = BUFFER_EMPTY;

    if (now_ms < frontend->drain_deadline_ms)
        return is_stranded(frontend) ||
               (inbox_is_gone(frontend->inbox) &&
                bus_is_idle(daemon_bus(frontend->daemon)));
    log_warning("drain: given up: %s", describe_work(frontend, &work));
    buffer_deinit(&work);
    return true;
}

static void on_step(void *argument)
{
    struct frontend *frontend = argument;
    uint64_t now_ms = clock_now_ms();

    if (is_quiet(frontend, now_ms))
        inbox_close(frontend->inbox); /* once */
    if (!is_done(frontend, now_ms))
        return;
    log_info("drain: %u sessions handed over, %zu not, in %lu ms",
             frontend->handed_over, map_count(frontend->sessions),
             (unsigned long)(now_ms - frontend->drain_since_ms));
    loop_timer_cancel(frontend->drain_timer);
    daemon_finish(frontend->daemon);
}

static void start_steps(struct frontend *frontend)
{
    struct buffer work = BUFFER_EMPTY;

    if (has_work(frontend))
        log_info("drain: waiting at most %d s: %s", DRAIN_MS / 1000,
                 describe_work(frontend, &work));
    buffer_deinit(&work);
    frontend->drain_busy_ms = frontend->drain_since_ms = clock_now_ms();
    frontend->drain_deadline_ms = frontend->drain_since_ms + DRAIN_MS;
    frontend->drain_timer =
        loop_timer_create(daemon_loop(frontend->daemon), on_step, frontend);
    loop_timer_repeat(frontend->drain_timer, STEP_MS);
}

void drain_begin(void *argument)
{
    struct frontend *frontend = argument;
    struct session *session = LIST_FIRST(&frontend->detached);
    struct connection *connection;

    listener_stop(frontend);
    while (session) {
        struct session *next = LIST_NEXT(session, detached);

        if (!session->handover)
            drain_session(session);
        session = next;
    }
    TAILQ_FOREACH (connection, &frontend->connections, all)
        end_stream(connection);
    frontend_publish(frontend);
    frontend->handed_over = 0; /* from here on */
    start_steps(frontend);
}
