/* The consumer thread's own: its state and what its files share. */
#ifndef CLUSTER_BUS_CONSUMER_H
#define CLUSTER_BUS_CONSUMER_H

#include "cluster/bus_link.h"

enum { CHANNEL_CONTROL = 1, CHANNEL_FIRST = 2 };

struct consumer {
    struct bus_link *link;
    /* By channel number; NULL: free. */
    struct bus_subscription **channels;
    size_t channel_count;
    /* All subscriptions, whatever their state. */
    struct bus_subscription **subscriptions;
    size_t subscription_count;
    size_t subscription_capacity;
    /* Questions about queues, one at a time on the control channel. */
    bool is_control_open;
    bool is_control_asking;
    uint64_t control_deadline_ms;
    struct bus_command *questions; /* the first one is being asked */
    struct bus_command *questions_last;
};

/* bus_declare.c: everything that makes a channel consume, sent at once without
 * waiting for the answers in between: the broker handles it in order, and at
 * the first thing it refuses it closes the channel. */
void bus_channel_open(struct bus_link *link,
                      const struct bus_subscription *subscription);

/* bus_control.c */
void bus_control_ask(struct consumer *consumer, struct bus_command *command);
void bus_control_work(struct consumer *consumer, uint64_t now_ms);
void bus_control_method(struct consumer *consumer, const amqp_method_t *method);
void bus_control_down(struct consumer *consumer);
void bus_control_discard(struct consumer *consumer);

#endif
