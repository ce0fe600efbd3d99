/*
 * What a handler wants published, gathered in order.  A handler never touches
 * the bus: the skeleton (service.h) publishes its output, and acknowledges the
 * input when everything that follows from it is confirmed.
 */
#ifndef CLUSTER_OUTPUT_H
#define CLUSTER_OUTPUT_H

#include "base/memory.h"
#include "cluster/event.h"
#include "cluster/names.h"

enum output_target {
    OUTPUT_SERVICE, /* a partition of a service */
    OUTPUT_INBOX,   /* a frontend's inbox */
    OUTPUT_NODE,    /* answers to a node's own questions */
};

struct output_item {
    struct output_item *next;
    enum output_target target;
    enum service_id service; /* OUTPUT_SERVICE */
    unsigned partition;      /* OUTPUT_SERVICE */
    struct slice node;       /* OUTPUT_INBOX, OUTPUT_NODE */
    unsigned phase;          /* see output_barrier */
    bool is_durable;
    struct slice event; /* encoded */
};

/* Filled by whoever runs the handlers. */
struct output {
    struct arena arena;
    struct output_item *first, **last;
    size_t count;
    unsigned phase;
    unsigned partitions;     /* of the cluster */
    enum service_id service; /* of the publisher; SERVICE_NONE: a frontend */
    unsigned partition;
    uint64_t epoch;
    uint64_t boot;      /* origin of events that begin a chain ... */
    uint64_t *sequence; /* ... and their last number */
};

void output_init(struct output *output);
/* Drops all items; keeps the publisher's identity. */
void output_clear(struct output *output);
void output_deinit(struct output *output);

/* What comes after is published only when everything before is confirmed. */
void output_barrier(struct output *output);

/*
 * Each stamps `by`, `epoch`, extends `path`, and gives an identity to an event
 * that has none (origin == 0); the caller's event is not kept.
 */
/* To the partition of that bare JID (any JID of the user will do). */
void output_to_user(struct output *output, enum service_id service,
                    struct slice user, const struct event *event);
void output_to_partition(struct output *output, enum service_id service,
                         unsigned partition, const struct event *event);
void output_to_inbox(struct output *output, struct slice node,
                     const struct event *event);
void output_to_node(struct output *output, struct slice node,
                    const struct event *event);

#endif
