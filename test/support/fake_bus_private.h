/* What the two sides of the fake bus share. */
#ifndef SUPPORT_FAKE_BUS_PRIVATE_H
#define SUPPORT_FAKE_BUS_PRIVATE_H

#include "fake_bus.h"

struct bus_destination {
    struct bus_destination *next;
    struct bus *bus;
    char *exchange;
    char *key;
    size_t bytes;
};

struct bus_receipt {
    struct bus_receipt *next;
    struct bus *bus;
    bus_settled_fn settled;
    void *argument;
    size_t outstanding;
    bool is_sealed;
};

struct fake_message {
    struct bus_message message; /* first */
    struct fake_message *next;
    char *body;
};

struct bus_subscription {
    struct bus_subscription *next;
    struct bus *bus;
    struct bus_subscribe subscribe;
    char *queue;
    struct fake_message *held;
    uint64_t tag;
    size_t acked;
    bool is_leaving;
};

struct fake_inspection {
    struct fake_inspection *next;
    char *queue;
    bus_inspected_fn inspected;
    void *argument;
};

struct bus {
    struct bus_hooks hooks;
    void *owner;
    bool is_connected;
    bool is_blocked;
    struct bus_destination *destinations;
    struct bus_receipt *receipts;
    struct bus_subscription *subscriptions;
    struct fake_inspection *inspections;
    char *deleted;
    struct fake_publish *published;
    size_t count;
    size_t capacity;
};

void fake_free_published(struct bus *bus);
void fake_free_held(struct bus_subscription *subscription);
void fake_free_subscription(struct bus_subscription *subscription);
void fake_take_inspection(struct bus *bus);
/* Calls and frees the receipts that are settled. */
void fake_call_ready(struct bus *bus);

#endif
