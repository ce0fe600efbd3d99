#include "presence.h"

#include "broadcast.h"
#include "snapshot.h"

static const struct option options[] = {
    {.name = "waiting_max",
     .kind = OPTION_NUMBER,
     .offset = offsetof(struct presence_config, waiting_max),
     .value = "1000",
     .min = 1,
     .max = 100000,
     .help = "probes kept per user until the contacts are known"},
};

static void *open_partition(const void *config, const char *domain,
                            unsigned partition, struct store_error *error_out)
{
    (void)domain;
    (void)partition;
    (void)error_out;
    return presence_create(config);
}

static void close_partition(void *state)
{
    struct presence *presence = state;

    presence_destroy(&presence);
}

static void batch_end(void *state, struct output *output)
{
    broadcast_dirty(state, output);
}

static void tick(void *state, uint64_t now_ms, struct output *output)
{
    (void)output;
    if (now_ms > ENDED_KEPT_MS)
        ended_expire(state, now_ms - ENDED_KEPT_MS);
}

int main(int argc, char **argv)
{
    const struct service_spec spec = {
        .service = SERVICE_PRESENCE,
        .options = {options, ARRAY_SIZE(options)},
        .config_size = sizeof(struct presence_config),
        .handlers = presence_handlers,
        .handler_count = presence_handler_count,
        .open = open_partition,
        .close = close_partition,
        .snapshot_begin = snapshot_begin,
        .snapshot_session = snapshot_session,
        .snapshot_end = snapshot_end,
        .node_gone = snapshot_node_gone,
        .batch_end = batch_end,
        .tick = tick,
    };

    return service_main(&spec, argc, argv);
}
