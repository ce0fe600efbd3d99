#include "base/log.h"
#include "cluster/service_private.h"

enum {
    RANKED = 2, /* an owner and a standby */
    MOVE_TIMEOUT_MS = 2000,
};

struct ranking {
    const struct member *ranked[RANKED];
    size_t count;
    size_t own; /* our place; RANKED: none */
};

static void rank(struct service *service, unsigned partition,
                 struct ranking *ranking_out)
{
    struct members *members = daemon_members(service->daemon);

    ranking_out->own = RANKED;
    ranking_out->count = members_rank(members, service->spec->service,
                                      partition, ranking_out->ranked, RANKED);
    for (size_t i = 0; i < ranking_out->count; i++) {
        const struct member *member = ranking_out->ranked[i];

        if (member && member->is_self)
            ranking_out->own = i;
    }
}

static bool is_subscribed(const struct member *member, unsigned partition)
{
    return strlen(member->shares) > partition &&
           member->shares[partition] != '-';
}

/* Everybody who should be subscribed says that he is (we count as such). */
static bool successors_are_ready(const struct ranking *ranking,
                                 unsigned partition)
{
    for (size_t i = 0; i < ranking->count; i++) {
        if (!ranking->ranked[i]->is_self &&
            !is_subscribed(ranking->ranked[i], partition))
            return false;
    }
    return ranking->count > 0;
}

/* Nobody would get the partition in place of the new first. */
static bool is_unobstructed(struct service *service,
                            const struct ranking *ranking, unsigned partition)
{
    const struct member *member = NULL;
    struct members *members = daemon_members(service->daemon);

    while ((member = members_next(members, member))) {
        if (member->service != service->spec->service || member->is_self ||
            member == ranking->ranked[0] ||
            (ranking->count > 1 && member == ranking->ranked[1]))
            continue;
        if (is_subscribed(member, partition))
            return false;
    }
    return true;
}

static bool is_calm(const struct service *service, uint64_t now_ms)
{
    return now_ms - service->calm_since_ms >=
           daemon_common(service->daemon)->calm_ms;
}

/* One move at a time: the last is over when its new owner says so. */
static bool may_move(struct service *service, uint64_t now_ms)
{
    for (unsigned i = 0; i < service->partition_count; i++) {
        if (service->partitions[i].state == PARTITION_LEAVING ||
            service->partitions[i].state == PARTITION_CLOSING)
            return false;
    }
    return is_calm(service, now_ms) &&
           now_ms - service->moved_at_ms >= MOVE_TIMEOUT_MS / 10;
}

static void balance_owned(struct partition *partition,
                          const struct ranking *ranking, uint64_t now_ms)
{
    struct service *service = partition->service;

    if (ranking->own == 0 || !may_move(service, now_ms) ||
        !successors_are_ready(ranking, partition->number) ||
        !is_unobstructed(service, ranking, partition->number))
        return;
    log_info("%s: handing over to %s", partition->queue,
             ranking->ranked[0]->node);
    service->moved_at_ms = now_ms;
    partition_leave(partition, ranking->own < RANKED);
}

static void balance_partition(struct partition *partition, uint64_t now_ms)
{
    struct ranking ranking;

    rank(partition->service, partition->number, &ranking);
    switch (partition->state) {
    case PARTITION_ABSENT:
        if (ranking.own < RANKED)
            partition_subscribe(partition);
        break;
    case PARTITION_SUBSCRIBED:
        if (ranking.own == RANKED &&
            successors_are_ready(&ranking, partition->number))
            partition_leave(partition, false);
        break;
    case PARTITION_OWNED:
        balance_owned(partition, &ranking, now_ms);
        break;
    case PARTITION_TAKING:
    case PARTITION_LEAVING:
    case PARTITION_CLOSING:
        break;
    }
}

void balance(struct service *service, uint64_t now_ms)
{
    if (!service->is_up || daemon_is_draining(service->daemon) ||
        !members_is_fresh(daemon_members(service->daemon)))
        return;
    for (unsigned i = 0; i < service->partition_count; i++)
        balance_partition(&service->partitions[i], now_ms);
}
