#include <event2/event.h>

#include <signal.h>

#include "base/log.h"
#include "cluster/daemon_private.h"

static void on_terminate(evutil_socket_t signal_number, short what,
                         void *argument)
{
    struct daemon *daemon = argument;

    (void)what;
    if (daemon->is_draining) {
        log_warning("second signal %d: stopping at once", (int)signal_number);
        event_base_loopbreak(daemon->loop);
        return;
    }
    log_info("signal %d: draining", (int)signal_number);
    daemon->is_draining = true;
    daemon_set_state(daemon, daemon->spec->service == SERVICE_NONE
                                 ? MEMBER_DRAINING /* has sessions */
                                 : MEMBER_LEAVING);
    if (daemon->spec->drain)
        daemon->spec->drain(daemon->owner);
    else
        daemon_finish(daemon);
}

static void on_hangup(evutil_socket_t signal_number, short what, void *argument)
{
    struct daemon *daemon = argument;
    struct buffer error = BUFFER_EMPTY;

    (void)signal_number;
    (void)what;
    if (!config_reload(daemon->tables, daemon->configs,
                       ARRAY_SIZE(daemon->tables), daemon->config_file,
                       &error)) {
        log_error("reload refused, nothing changed: %s", error.data);
    } else {
        log_set_level((enum log_level)daemon->common.log_level);
        log_info("configuration reloaded");
        if (daemon->spec->reloaded)
            daemon->spec->reloaded(daemon->owner);
    }
    buffer_deinit(&error);
}

static void watch_signal(struct daemon *daemon, size_t index, int number,
                         event_callback_fn callback)
{
    daemon->signals[index] =
        evsignal_new(daemon->loop, number, callback, daemon);
    BUG_ON(!daemon->signals[index]);
    event_add(daemon->signals[index], NULL);
}

void daemon_signals_init(struct daemon *daemon)
{
    watch_signal(daemon, 0, SIGTERM, on_terminate);
    watch_signal(daemon, 1, SIGINT, on_terminate);
    watch_signal(daemon, 2, SIGHUP, on_hangup);
    signal(SIGPIPE, SIG_IGN);
}

void daemon_signals_deinit(struct daemon *daemon)
{
    for (size_t i = 0; i < DAEMON_SIGNALS; i++)
        event_free(daemon->signals[i]);
}
