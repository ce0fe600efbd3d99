/* The test's side of the fake bus. */
#include "fake_bus.h"

#include "base/log.h"
#include "base/memory.h"
#include "fake_bus_private.h"

size_t fake_bus_count(const struct bus *bus)
{
    return bus->count;
}

const struct fake_publish *fake_bus_published(const struct bus *bus,
                                              size_t index)
{
    BUG_ON(index >= bus->count);
    return &bus->published[index];
}

static void settle(struct bus *bus, size_t index)
{
    struct fake_publish *publish = &bus->published[index];

    if (publish->is_settled)
        return;
    publish->is_settled = true;
    if (publish->receipt)
        bus_receipt_settle(publish->receipt);
    publish->receipt = NULL;
}

void fake_bus_confirm_one(struct bus *bus, size_t index)
{
    BUG_ON(index >= bus->count);
    settle(bus, index);
    fake_call_ready(bus);
}

void fake_bus_confirm(struct bus *bus)
{
    size_t count = bus->count; /* not what is published meanwhile */

    for (size_t i = 0; i < count; i++)
        settle(bus, i);
    fake_call_ready(bus);
}

void fake_bus_turn(struct bus *bus)
{
    fake_call_ready(bus);
}

void fake_bus_return(struct bus *bus, size_t index)
{
    struct fake_publish publish;

    BUG_ON(index >= bus->count || bus->published[index].is_settled);
    publish = bus->published[index];
    bus->published[index].is_settled = true;
    bus->published[index].receipt = NULL;
    if (bus->hooks.unroutable)
        bus->hooks.unroutable(bus->owner, publish.destination, publish.event,
                              publish.receipt);
    else if (publish.receipt)
        bus_receipt_settle(publish.receipt);
    fake_call_ready(bus);
}

void fake_bus_forget_published(struct bus *bus)
{
    BUG_ON(!bus_is_idle(bus));
    fake_free_published(bus);
}

void fake_bus_connect(struct bus *bus)
{
    bus->is_connected = true;
    if (bus->hooks.connected)
        bus->hooks.connected(bus->owner);
}

void fake_bus_disconnect(struct bus *bus, const char *reason)
{
    bus->is_connected = false;
    if (bus->hooks.disconnected)
        bus->hooks.disconnected(bus->owner, reason);
}

void fake_bus_block(struct bus *bus, bool is_blocked)
{
    bus->is_blocked = is_blocked;
    if (bus->hooks.blocked)
        bus->hooks.blocked(bus->owner, is_blocked);
}

void fake_bus_press(struct bus_destination *destination, bool is_high)
{
    struct bus *bus = destination->bus;

    if (bus->hooks.pressure)
        bus->hooks.pressure(bus->owner, destination, is_high);
}

struct bus_subscription *fake_bus_subscription(const struct bus *bus,
                                               const char *queue)
{
    struct bus_subscription *subscription = bus->subscriptions;

    while (subscription && strcmp(subscription->queue, queue) != 0)
        subscription = subscription->next;
    return subscription;
}

void fake_bus_start(struct bus_subscription *subscription)
{
    if (subscription->subscribe.started)
        subscription->subscribe.started(subscription->subscribe.argument);
}

void fake_bus_deliver(struct bus_subscription *subscription, struct slice body,
                      bool is_redelivered)
{
    struct fake_message *message = memory_new(sizeof(*message));
    struct fake_message **last = &subscription->held;

    BUG_ON(subscription->is_leaving);
    message->body = memory_copy_text(body);
    message->message = (struct bus_message){
        .body = {message->body, body.size},
        .is_redelivered = is_redelivered,
        .tag = ++subscription->tag,
    };
    while (*last)
        last = &(*last)->next;
    *last = message;
    subscription->subscribe.received(subscription->subscribe.argument,
                                     &message->message);
}

size_t fake_bus_held(const struct bus_subscription *subscription)
{
    size_t count = 0;

    for (const struct fake_message *message = subscription->held; message;
         message = message->next)
        count++;
    return count;
}

size_t fake_bus_acked(const struct bus_subscription *subscription)
{
    return subscription->acked;
}

void fake_bus_reset(struct bus_subscription *subscription, const char *reason)
{
    fake_free_held(subscription);
    subscription->tag = 0;
    if (subscription->subscribe.reset)
        subscription->subscribe.reset(subscription->subscribe.argument, reason);
}

bool fake_bus_is_leaving(const struct bus_subscription *subscription)
{
    return subscription->is_leaving;
}

void fake_bus_close(struct bus_subscription *subscription)
{
    struct bus_subscribe subscribe = subscription->subscribe;

    BUG_ON(!subscription->is_leaving);
    fake_free_subscription(subscription);
    if (subscribe.closed)
        subscribe.closed(subscribe.argument);
}

const char *fake_bus_inspecting(const struct bus *bus)
{
    return bus->inspections ? bus->inspections->queue : NULL;
}

void fake_bus_inspected(struct bus *bus, bool exists, uint64_t messages,
                        uint64_t consumers)
{
    struct fake_inspection inspection;

    BUG_ON(!bus->inspections);
    inspection = *bus->inspections;
    fake_take_inspection(bus);
    inspection.inspected(inspection.argument, exists, messages, consumers);
}

const char *fake_bus_deleted(const struct bus *bus)
{
    return bus->deleted;
}
