#include "base/log.h"
#include "cluster/service_private.h"

enum { MOVE_TIMEOUT_MS = 2000 };

static bool is_self(const struct member *member)
{
    return member && member->is_self;
}

static bool is_subscribed(const struct member *member, unsigned partition)
{
    return strlen(member->shares) > partition &&
           member->shares[partition] != '-';
}

static bool is_ready(const struct member *member, unsigned partition)
{
    return !member || member->is_self || is_subscribed(member, partition);
}

/* Everybody who should be subscribed says that he is (we count as such). */
static bool successors_are_ready(const struct member_share *share,
                                 unsigned partition)
{
    return share->owner && is_ready(share->owner, partition) &&
           is_ready(share->standby, partition);
}

/* It has announced itself just now, and since we own the partition: of one that
 * has died we only know what it was, and the broker would give it back to us.
 */
static bool is_alive(const struct member *member,
                     const struct partition *partition)
{
    return member->silent <= 1 && member->heard_ms > partition->owned_since_ms;
}

/* Nobody would get the partition in place of the new owner. */
static bool is_unobstructed(struct service *service,
                            const struct member_share *share,
                            unsigned partition)
{
    const struct member *member = NULL;
    struct members *members = daemon_members(service->daemon);

    while ((member = members_next(members, member))) {
        if (member->service != service->spec->service || member->is_self ||
            member == share->owner || member == share->standby)
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
                          const struct member_share *share, uint64_t now_ms)
{
    struct service *service = partition->service;

    if (is_self(share->owner) || !may_move(service, now_ms) ||
        !successors_are_ready(share, partition->number) ||
        !is_alive(share->owner, partition) ||
        !is_unobstructed(service, share, partition->number))
        return;
    log_info("%s: handing over to %s", partition->queue, share->owner->node);
    service->moved_at_ms = now_ms;
    partition_leave(partition, is_self(share->standby));
}

static void balance_partition(struct partition *partition,
                              const struct member_share *share, uint64_t now_ms)
{
    bool is_ours = is_self(share->owner) || is_self(share->standby);

    switch (partition->state) {
    case PARTITION_ABSENT:
        if (is_ours)
            partition_subscribe(partition);
        break;
    case PARTITION_SUBSCRIBED:
        if (!is_ours && successors_are_ready(share, partition->number))
            partition_leave(partition, false);
        break;
    case PARTITION_OWNED:
        balance_owned(partition, share, now_ms);
        break;
    case PARTITION_TAKING:
    case PARTITION_LEAVING:
    case PARTITION_CLOSING:
        break;
    }
}

void balance(struct service *service, uint64_t now_ms)
{
    struct members *members = daemon_members(service->daemon);
    struct member_share shares[PARTITIONS_MAX];

    if (!service->is_up || daemon_is_draining(service->daemon) ||
        !members_is_fresh(members))
        return;
    members_share(members, service->spec->service, service->partition_count,
                  shares);
    for (unsigned i = 0; i < service->partition_count; i++)
        balance_partition(&service->partitions[i], &shares[i], now_ms);
}
