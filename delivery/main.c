#include "delivery.h"

#include "deleted.h"
#include "orphans.h"
#include "pending.h"
#include "snapshot.h"

static const struct option options[] = {
    {.name = "max_resources",
     .kind = OPTION_NUMBER,
     .offset = offsetof(struct delivery_config, max_resources),
     .value = "20",
     .min = 1,
     .max = 1000,
     .help = "sessions that one user may have at the same time"},
    {.name = "replay_retry",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct delivery_config, replay_retry_ms),
     .value = "10s",
     .min = 100,
     .max = 600000,
     .help = "time after which the archive is asked again for stored messages"},
};

static void *open_partition(const void *config, const char *domain,
                            unsigned partition, struct store_error *error_out)
{
    (void)error_out;
    return delivery_create(config, domain, partition);
}

static void close_partition(void *state)
{
    struct delivery *delivery = state;

    delivery_destroy(&delivery);
}

static void batch_end(void *state, struct output *output)
{
    replay_ask(state, output);
}

static void tick(void *state, uint64_t now_ms, struct output *output)
{
    fence_tick(state, now_ms, output);
    replay_tick(state, now_ms, output);
    deleted_tick(state, now_ms);
}

int main(int argc, char **argv)
{
    const struct service_spec spec = {
        .service = SERVICE_DELIVERY,
        .options = {options, ARRAY_SIZE(options)},
        .config_size = sizeof(struct delivery_config),
        .handlers = delivery_handlers,
        .handler_count = delivery_handler_count,
        .adopts_inboxes = true,
        .open = open_partition,
        .close = close_partition,
        .snapshot_begin = snapshot_begin,
        .snapshot_session = snapshot_session,
        .snapshot_end = snapshot_end,
        .prepare = pending_ask,
        .prepared = pending_answered,
        .node_gone = snapshot_node_gone,
        .orphaned = orphan_found,
        .batch_end = batch_end,
        .tick = tick,
    };

    return service_main(&spec, argc, argv);
}
