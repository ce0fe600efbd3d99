/*
 * Names that every daemon and the broker agree on: services, exchanges,
 * queues, partitions.  Nothing else spells them.
 */
#ifndef CLUSTER_NAMES_H
#define CLUSTER_NAMES_H

#include "base/slice.h"

/* Services with partitions; the order is part of the wire format of paths. */
enum service_id {
    SERVICE_DELIVERY,
    SERVICE_PRESENCE,
    SERVICE_ROSTER,
    SERVICE_ARCHIVE,
    SERVICE_COUNT,
    SERVICE_NONE = SERVICE_COUNT, /* frontends, oceanctl */
};

enum {
    NAME_MAX_BYTES = 96, /* of a queue or node name, with its NUL */
    PARTITIONS_DEFAULT = 8,
    PARTITIONS_MAX = 64,
};

#define EXCHANGE_FRONTEND "ocean.frontend" /* direct, key = node */
#define EXCHANGE_NODE "ocean.node"         /* direct, key = node */
#define EXCHANGE_CLUSTER "ocean.cluster"   /* fanout */
#define EXCHANGE_DEAD "ocean.dead"         /* fanout */
#define QUEUE_DEAD "dead"
#define KIND_TOOL "oceanctl"  /* of a member that is no daemon */
#define KEY_CRASHED "crashed" /* of a service's exchange: notes of crashes */

/* "delivery" ...; the exchange "ocean.delivery". */
const char *service_name(enum service_id service);
const char *service_exchange(enum service_id service);
/* SERVICE_NONE when unknown. */
enum service_id service_find(struct slice name);

/* "07" and "delivery.07" into out[NAME_MAX_BYTES]. */
const char *partition_key(unsigned partition, char *out);
const char *partition_queue(enum service_id service, unsigned partition,
                            char *out);
/* "delivery.crashed" into out[NAME_MAX_BYTES]. */
const char *crashed_queue(enum service_id service, char *out);
/* xxh64(bare JID) mod partitions: DESIGN section 2. */
unsigned partition_of(struct slice bare_jid, unsigned partitions);

/* "frontend.<node>" and "node.<node>" into out[NAME_MAX_BYTES]. */
const char *inbox_queue(struct slice node, char *out);
const char *node_queue(struct slice node, char *out);

#endif
