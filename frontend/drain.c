/*
 * SIGTERM: no new clients; every stream ends with system-shutdown; when the
 * services have been told and nothing comes any more, the inbox is deleted and
 * struck from the register.  All within DRAIN_MS.
 */
#include "base/clock.h"
#include "base/log.h"
#include "inbox.h"
#include "stream.h"

enum {
    DRAIN_MS = 10000,
    QUIET_MS = 300, /* for what is on its way to us */
    STEP_MS = 20,
};

static void on_step(void *argument);

void drain_begin(void *argument)
{
    struct frontend *frontend = argument;
    struct connection *connection;

    listener_stop(frontend);
    snapshots_drop(frontend);
    TAILQ_FOREACH (connection, &frontend->connections, all)
        stream_fail(connection, STREAM_ERROR_SYSTEM_SHUTDOWN, "shutdown");
    frontend_publish(frontend);
    frontend->drain_deadline_ms = clock_now_ms() + DRAIN_MS;
    frontend->drain_busy_ms = clock_now_ms();
    frontend->drain_timer =
        loop_timer_create(daemon_loop(frontend->daemon), on_step, frontend);
    loop_timer_repeat(frontend->drain_timer, STEP_MS);
}

static bool is_quiet(struct frontend *frontend, uint64_t now_ms)
{
    if (frontend->connection_count ||
        !bus_is_idle(daemon_bus(frontend->daemon)))
        frontend->drain_busy_ms = now_ms;
    if (inbox_active_ms(frontend->inbox) > frontend->drain_busy_ms)
        frontend->drain_busy_ms = inbox_active_ms(frontend->inbox);
    return now_ms - frontend->drain_busy_ms >= QUIET_MS;
}

static bool is_done(struct frontend *frontend, uint64_t now_ms)
{
    if (now_ms >= frontend->drain_deadline_ms) {
        log_warning("drain: not everything could be handed over in time");
        return true;
    }
    return inbox_is_gone(frontend->inbox) &&
           bus_is_idle(daemon_bus(frontend->daemon));
}

static void on_step(void *argument)
{
    struct frontend *frontend = argument;
    uint64_t now_ms = clock_now_ms();

    if (is_quiet(frontend, now_ms))
        inbox_close(frontend->inbox); /* once */
    if (!is_done(frontend, now_ms))
        return;
    loop_timer_cancel(frontend->drain_timer);
    daemon_finish(frontend->daemon);
}
