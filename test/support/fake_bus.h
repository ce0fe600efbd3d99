/*
 * bus.h in memory: a test reads what was published and plays the broker.
 * Nothing happens by itself: publishes stay unconfirmed until fake_bus_confirm,
 * subscriptions absent until fake_bus_start, and so on.
 */
#ifndef SUPPORT_FAKE_BUS_H
#define SUPPORT_FAKE_BUS_H

#include "cluster/bus.h"

struct fake_publish {
    struct bus_destination *destination; /* NULL: a dead letter */
    const char *exchange;
    struct slice key; /* of a dead letter: the queue it came from */
    struct slice event;
    const char *reason; /* of a dead letter */
    bool is_durable;
    bool is_settled; /* confirmed or given back */
    struct bus_receipt *receipt;
};

/* What was published, oldest first, until fake_bus_forget_published. */
size_t fake_bus_count(const struct bus *bus);
const struct fake_publish *fake_bus_published(const struct bus *bus,
                                              size_t index);
/* Confirms everything not yet settled and calls what that settles. */
void fake_bus_confirm(struct bus *bus);
void fake_bus_confirm_one(struct bus *bus, size_t index);
/* The end of the loop's turn: calls what is settled already. */
void fake_bus_turn(struct bus *bus);
/* That publish finds no queue. */
void fake_bus_return(struct bus *bus, size_t index);
/* Only when all are settled. */
void fake_bus_forget_published(struct bus *bus);

/* Hooks. */
void fake_bus_connect(struct bus *bus);
void fake_bus_disconnect(struct bus *bus, const char *reason);
void fake_bus_block(struct bus *bus, bool is_blocked);
void fake_bus_press(struct bus_destination *destination, bool is_high);

/* The subscription of that queue, NULL when there is none. */
struct bus_subscription *fake_bus_subscription(const struct bus *bus,
                                               const char *queue);
void fake_bus_start(struct bus_subscription *subscription);
void fake_bus_deliver(struct bus_subscription *subscription, struct slice body,
                      bool is_redelivered);
size_t fake_bus_held(const struct bus_subscription *subscription);
size_t fake_bus_acked(const struct bus_subscription *subscription);
void fake_bus_reset(struct bus_subscription *subscription, const char *reason);
bool fake_bus_is_leaving(const struct bus_subscription *subscription);
/* After bus_unsubscribe: the channel is closed. */
void fake_bus_close(struct bus_subscription *subscription);

/* The oldest bus_inspect not answered yet: its queue (NULL: none). */
const char *fake_bus_inspecting(const struct bus *bus);
void fake_bus_inspected(struct bus *bus, bool exists, uint64_t messages,
                        uint64_t consumers);
/* The queue of the last bus_delete_queue, NULL when there was none. */
const char *fake_bus_deleted(const struct bus *bus);

#endif
