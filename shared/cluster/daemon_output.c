#include "base/log.h"
#include "cluster/daemon_private.h"

void daemon_output_init(struct daemon *daemon, struct output *output)
{
    output_init(output);
    output->partitions = (unsigned)daemon->common.partitions;
    output->service = SERVICE_NONE;
    output->boot = daemon->boot;
    output->sequence = &daemon->sequence;
}

struct bus_destination *daemon_partition(struct daemon *daemon,
                                         enum service_id service,
                                         unsigned partition)
{
    struct bus_destination **slot = &daemon->partitions[service][partition];
    char key[NAME_MAX_BYTES];

    if (!*slot)
        *slot =
            bus_destination(daemon->bus, service_exchange(service),
                            slice_of(partition_key(partition, key)), BUS_CORE);
    return *slot;
}

static struct bus_destination *item_destination(struct daemon *daemon,
                                                const struct output_item *item)
{
    switch (item->target) {
    case OUTPUT_SERVICE:
        return daemon_partition(daemon, item->service, item->partition);
    case OUTPUT_INBOX:
        return bus_destination(daemon->bus, EXCHANGE_FRONTEND, item->node,
                               BUS_INBOX);
    case OUTPUT_NODE:
        return bus_destination(daemon->bus, EXCHANGE_NODE, item->node,
                               BUS_ANSWER);
    }
    BUG_ON("an output has a target");
    return NULL;
}

void daemon_publish_items(struct daemon *daemon,
                          const struct output_item **next, unsigned phase,
                          struct bus_receipt *receipt)
{
    for (; *next && (*next)->phase == phase; *next = (*next)->next)
        bus_publish(item_destination(daemon, *next), (*next)->event,
                    (*next)->is_durable, receipt);
}

void daemon_publish(struct daemon *daemon, struct output *output,
                    struct bus_receipt *receipt)
{
    const struct output_item *next = output->first;

    daemon_publish_items(daemon, &next, 0, receipt);
    BUG_ON(next); /* barriers are for services, whose skeleton keeps output */
    output_clear(output);
}
