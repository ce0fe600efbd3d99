#include "base/log.h"
#include "cluster/daemon_private.h"

/*
 * What may stand in an environment that several daemons share, beside the
 * options of every daemon.  A daemon with an option that is missing here does
 * not start.
 */
static const char *const shared_names[] = {
    /* frontend */
    "ack_timeout", "auth_timeout", "bind_timeout", "bytes_per_second",
    "certificate", "iq_timeout", "keepalive", "key_queue", "key_threads",
    "listen", "login_attempts", "login_timeout", "max_connections",
    "max_output_bytes", "max_stanza_bytes", "max_stanza_bytes_unauthenticated",
    "max_unacked", "max_unacked_bytes", "peer_timeout", "port", "private_key",
    "resume_timeout", "resume_wait", "tls", "token_secret",
    /* delivery, presence */
    "max_resources", "replay_retry", "waiting_max",
    /* roster, archive */
    "max_items", "max_offline", "max_requests", "page", "store", "synchronous",
    /* test builds (base/crash.h) */
    "crash", "poison",
    /* the launcher, containers, tests */
    "admin_password", "build", "bus_probe", "keep", "management_port",
    "secrets", NULL};

static bool is_listed(const char *name)
{
    for (size_t i = 0; shared_names[i]; i++) {
        if (!strcmp(shared_names[i], name))
            return true;
    }
    return false;
}

static void warn(const char *variable)
{
    char printable[80];

    log_warning(
        "environment: %s is ignored: there is no such option",
        log_printable(slice_of(variable), printable, sizeof(printable)));
}

void daemon_check_environment(const struct daemon *daemon)
{
    const struct option_table *own = &daemon->spec->options;

    for (size_t i = 0; i < own->count; i++)
        BUG_ON(!is_listed(own->options[i].name));
    config_find_strays(daemon->tables, ARRAY_SIZE(daemon->tables), shared_names,
                       warn);
}
