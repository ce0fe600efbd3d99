#include "cluster/names.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/log.h"

struct service_names {
    const char *name;
    const char *exchange;
};

static const struct service_names services[SERVICE_COUNT] = {
    [SERVICE_DELIVERY] = {"delivery", "ocean.delivery"},
    [SERVICE_PRESENCE] = {"presence", "ocean.presence"},
    [SERVICE_ROSTER] = {"roster", "ocean.roster"},
    [SERVICE_ARCHIVE] = {"archive", "ocean.archive"},
};

const char *service_name(enum service_id service)
{
    BUG_ON(service >= SERVICE_COUNT);
    return services[service].name;
}

const char *service_exchange(enum service_id service)
{
    BUG_ON(service >= SERVICE_COUNT);
    return services[service].exchange;
}

enum service_id service_find(struct slice name)
{
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (slice_is(name, services[i].name))
            return (enum service_id)i;
    }
    return SERVICE_NONE;
}

const char *partition_key(unsigned partition, char *out)
{
    snprintf(out, NAME_MAX_BYTES, "%02u", partition);
    return out;
}

const char *partition_queue(enum service_id service, unsigned partition,
                            char *out)
{
    snprintf(out, NAME_MAX_BYTES, "%s.%02u", service_name(service), partition);
    return out;
}

const char *crashed_queue(enum service_id service, char *out)
{
    snprintf(out, NAME_MAX_BYTES, "%s." KEY_CRASHED, service_name(service));
    return out;
}

unsigned partition_of(struct slice bare_jid, unsigned partitions)
{
    BUG_ON(!partitions);
    return (
        unsigned)(XXH64(bare_jid.size ? bare_jid.data : "", bare_jid.size, 0) %
                  partitions);
}

const char *inbox_queue(struct slice node, char *out)
{
    snprintf(out, NAME_MAX_BYTES, "frontend.%.*s", SLICE_FORMAT(node));
    return out;
}

const char *node_queue(struct slice node, char *out)
{
    snprintf(out, NAME_MAX_BYTES, "node.%.*s", SLICE_FORMAT(node));
    return out;
}
