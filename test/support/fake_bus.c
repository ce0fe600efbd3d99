#include "base/log.h"
#include "base/memory.h"
#include "fake_bus_private.h"

/* Weak: the tests of the bus itself link the real one besides. */
#define FAKE __attribute__((weak))

static void free_text(const char *text)
{
    char *owned;

    memcpy(&owned, &text, sizeof(owned));
    memory_free(&owned);
}

/* Life. */

FAKE struct bus *bus_create(struct event_base *loop,
                            const struct bus_config *config,
                            const struct bus_hooks *hooks, void *owner)
{
    struct bus *bus = memory_new(sizeof(*bus));

    (void)loop;
    (void)config;
    bus->hooks = *hooks;
    bus->owner = owner;
    return bus;
}

FAKE bool bus_is_connected(const struct bus *bus)
{
    return bus->is_connected;
}

FAKE bool bus_is_blocked(const struct bus *bus)
{
    return bus->is_blocked;
}

FAKE size_t bus_pending_bytes(const struct bus *bus)
{
    size_t bytes = 0;

    for (size_t i = 0; i < bus->count; i++) {
        if (!bus->published[i].is_settled)
            bytes += bus->published[i].event.size;
    }
    return bytes;
}

FAKE bool bus_is_idle(const struct bus *bus)
{
    return bus_pending_bytes(bus) == 0;
}

void fake_free_published(struct bus *bus)
{
    for (size_t i = 0; i < bus->count; i++) {
        free_text(bus->published[i].event.data);
        free_text(bus->published[i].reason);
        if (!bus->published[i].destination)
            free_text(bus->published[i].key.data);
    }
    bus->count = 0;
}

static void free_destinations(struct bus *bus)
{
    while (bus->destinations) {
        struct bus_destination *destination = bus->destinations;

        bus->destinations = destination->next;
        memory_free(&destination->exchange);
        memory_free(&destination->key);
        memory_free(&destination);
    }
}

void fake_free_held(struct bus_subscription *subscription)
{
    while (subscription->held) {
        struct fake_message *message = subscription->held;

        subscription->held = message->next;
        memory_free(&message->body);
        memory_free(&message);
    }
}

void fake_free_subscription(struct bus_subscription *subscription)
{
    struct bus_subscription **link = &subscription->bus->subscriptions;

    while (*link != subscription)
        link = &(*link)->next;
    *link = subscription->next;
    fake_free_held(subscription);
    memory_free(&subscription->queue);
    memory_free(&subscription);
}

void fake_take_inspection(struct bus *bus)
{
    struct fake_inspection *inspection = bus->inspections;

    bus->inspections = inspection->next;
    memory_free(&inspection->queue);
    memory_free(&inspection);
}

FAKE void bus_destroy(struct bus **bus_at)
{
    struct bus *bus = *bus_at;

    if (!bus)
        return;
    fake_free_published(bus);
    memory_free(&bus->published);
    while (bus->subscriptions)
        fake_free_subscription(bus->subscriptions);
    while (bus->inspections)
        fake_take_inspection(bus);
    while (bus->receipts) {
        struct bus_receipt *receipt = bus->receipts;

        bus->receipts = receipt->next;
        memory_free(&receipt);
    }
    free_destinations(bus);
    memory_free(&bus->deleted);
    memory_free(bus_at);
}

/* Publishing. */

FAKE struct bus_destination *bus_destination(struct bus *bus,
                                             const char *exchange,
                                             struct slice key,
                                             enum bus_class class)
{
    struct bus_destination *destination = bus->destinations;

    (void)class;
    while (destination && (strcmp(destination->exchange, exchange) != 0 ||
                           !slice_is(key, destination->key)))
        destination = destination->next;
    if (destination)
        return destination;
    destination = memory_new(sizeof(*destination));
    destination->bus = bus;
    destination->exchange = memory_copy_text(slice_of(exchange));
    destination->key = memory_copy_text(key);
    destination->next = bus->destinations;
    bus->destinations = destination;
    return destination;
}

FAKE struct slice bus_destination_key(const struct bus_destination *destination)
{
    return slice_of(destination->key);
}

static void append(struct bus *bus, const struct fake_publish *publish)
{
    if (bus->count == bus->capacity) {
        bus->capacity = bus->capacity ? 2 * bus->capacity : 16;
        bus->published = memory_resize(bus->published,
                                       bus->capacity * sizeof(*bus->published));
    }
    bus->published[bus->count++] = *publish;
    if (publish->receipt)
        publish->receipt->outstanding++;
}

FAKE void bus_publish(struct bus_destination *destination, struct slice event,
                      bool is_durable, struct bus_receipt *receipt)
{
    struct fake_publish publish = {
        .destination = destination,
        .exchange = destination->exchange,
        .key = slice_of(destination->key),
        .event = {memory_copy_text(event), event.size},
        .is_durable = is_durable,
        .receipt = receipt,
    };

    append(destination->bus, &publish);
}

FAKE void bus_publish_dead(struct bus *bus, struct slice event,
                           const char *queue, const char *reason,
                           struct bus_receipt *receipt)
{
    struct fake_publish publish = {
        .exchange = "ocean.dead",
        .key = slice_of(memory_copy_text(slice_of(queue))),
        .event = {memory_copy_text(event), event.size},
        .reason = memory_copy_text(slice_of(reason)),
        .is_durable = true,
        .receipt = receipt,
    };

    append(bus, &publish);
}

/* Receipts. */

FAKE struct bus_receipt *
bus_receipt_create(struct bus *bus, bus_settled_fn settled, void *argument)
{
    struct bus_receipt *receipt = memory_new(sizeof(*receipt));

    receipt->bus = bus;
    receipt->settled = settled;
    receipt->argument = argument;
    receipt->next = bus->receipts;
    bus->receipts = receipt;
    return receipt;
}

FAKE void bus_receipt_seal(struct bus_receipt *receipt)
{
    receipt->is_sealed = true;
}

FAKE void bus_receipt_hold(struct bus_receipt *receipt)
{
    receipt->outstanding++;
}

FAKE void bus_receipt_settle(struct bus_receipt *receipt)
{
    BUG_ON(!receipt->outstanding);
    receipt->outstanding--;
}

static struct bus_receipt *take_ready(struct bus *bus)
{
    struct bus_receipt **link = &bus->receipts;
    struct bus_receipt *receipt;

    while (*link && (!(*link)->is_sealed || (*link)->outstanding))
        link = &(*link)->next;
    receipt = *link;
    if (receipt)
        *link = receipt->next;
    return receipt;
}

void fake_call_ready(struct bus *bus)
{
    struct bus_receipt *receipt;

    while ((receipt = take_ready(bus))) {
        receipt->settled(receipt->argument);
        memory_free(&receipt);
    }
}

/* Consuming. */

FAKE struct bus_subscription *
bus_subscribe(struct bus *bus, const struct bus_subscribe *subscribe)
{
    struct bus_subscription *subscription = memory_new(sizeof(*subscription));

    subscription->bus = bus;
    subscription->subscribe = *subscribe;
    subscription->queue = memory_copy_text(slice_of(subscribe->queue));
    subscription->next = bus->subscriptions;
    bus->subscriptions = subscription;
    return subscription;
}

FAKE void bus_ack(struct bus_subscription *subscription,
                  struct bus_message *message)
{
    struct fake_message **link = &subscription->held;
    struct fake_message *held;

    while (*link && &(*link)->message != message)
        link = &(*link)->next;
    held = *link;
    BUG_ON(!held);
    *link = held->next;
    memory_free(&held->body);
    memory_free(&held);
    subscription->acked++;
}

FAKE void bus_unsubscribe(struct bus_subscription **subscription)
{
    (*subscription)->is_leaving = true;
    fake_free_held(*subscription);
    *subscription = NULL;
}

FAKE void bus_inspect(struct bus *bus, const char *queue,
                      bus_inspected_fn inspected, void *argument)
{
    struct fake_inspection *inspection = memory_new(sizeof(*inspection));
    struct fake_inspection **last = &bus->inspections;

    inspection->queue = memory_copy_text(slice_of(queue));
    inspection->inspected = inspected;
    inspection->argument = argument;
    while (*last)
        last = &(*last)->next;
    *last = inspection;
}

FAKE void bus_delete_queue(struct bus *bus, const char *queue)
{
    memory_free(&bus->deleted);
    bus->deleted = memory_copy_text(slice_of(queue));
}
