#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_link.h"
#include "cluster/bus_private.h"

static struct bus_command *command_new(enum bus_command_kind kind)
{
    struct bus_command *command = memory_new(sizeof(*command));

    command->kind = kind;
    return command;
}

static void command_post(struct bus *bus, struct bus_command *command)
{
    bus_link_post(bus->consumer, &command->letter);
}

void bus_command_free(struct bus_command **command)
{
    memory_free(&(*command)->ranges);
    memory_free(&(*command)->queue);
    memory_free(command);
}

void bus_held_free(struct bus_held **held)
{
    memory_free(&(*held)->body);
    memory_free(held);
}

/* Life. */

static char *copy(const char *text)
{
    return memory_copy_text(slice_of(text));
}

static void text_free(const char *text)
{
    char *owned;

    memcpy(&owned, &text, sizeof(owned));
    memory_free(&owned);
}

struct bus_subscription *bus_subscribe(struct bus *bus,
                                       const struct bus_subscribe *subscribe)
{
    struct bus_subscription *subscription = memory_new(sizeof(*subscription));
    struct bus_command *command = command_new(BUS_COMMAND_SUBSCRIBE);
    struct bus_subscribe *own = &subscription->subscribe;

    subscription->bus = bus;
    *own = *subscribe;
    own->queue = copy(subscribe->queue);
    own->exchange = copy(subscribe->exchange);
    own->key = copy(subscribe->key);
    own->queue_type = copy(subscribe->queue_type);
    own->consumer_tag = copy(subscribe->consumer_tag);
    bus_acks_init(&subscription->acks);
    subscription->next = bus->subscriptions;
    bus->subscriptions = subscription;
    command->subscription = subscription;
    command_post(bus, command);
    return subscription;
}

static void free_list(struct bus_held **list)
{
    while (*list) {
        struct bus_held *held = *list;

        *list = held->next;
        bus_held_free(&held);
    }
}

static void free_subscription(struct bus_subscription *subscription)
{
    struct bus_subscribe *own = &subscription->subscribe;

    free_list(&subscription->held);
    free_list(&subscription->voided);
    bus_acks_deinit(&subscription->acks);
    text_free(own->queue);
    text_free(own->exchange);
    text_free(own->key);
    text_free(own->queue_type);
    text_free(own->consumer_tag);
    memory_free(&subscription);
}

/* Acknowledging. */

static void send_acks(struct bus_subscription *subscription)
{
    struct bus_ack_range *ranges;
    size_t count = bus_acks_take(&subscription->acks, &ranges);
    struct bus_command *command;

    if (!count)
        return;
    command = command_new(BUS_COMMAND_ACK);
    command->subscription = subscription;
    command->generation = subscription->generation;
    command->ranges = ranges;
    command->count = count;
    command_post(subscription->bus, command);
}

static void mark_dirty(struct bus_subscription *subscription)
{
    struct bus *bus = subscription->bus;

    if (subscription->is_dirty)
        return;
    subscription->is_dirty = true;
    subscription->dirty_next = bus->acking;
    bus->acking = subscription;
    bus_turn_due(bus);
}

void bus_subscriptions_turn(struct bus *bus)
{
    struct bus_subscription *subscription = bus->acking;

    bus->acking = NULL;
    while (subscription) {
        subscription->is_dirty = false;
        send_acks(subscription);
        subscription = subscription->dirty_next;
    }
}

static void unlink_held(struct bus_held **list, struct bus_held *held)
{
    if (held->previous)
        held->previous->next = held->next;
    else
        *list = held->next;
    if (held->next)
        held->next->previous = held->previous;
}

void bus_ack(struct bus_subscription *subscription, struct bus_message *message)
{
    struct bus_held *held = (struct bus_held *)message;

    BUG_ON(held->subscription != subscription);
    if (held->is_void) {
        unlink_held(&subscription->voided, held);
    } else {
        unlink_held(&subscription->held, held);
        if (!subscription->subscribe.no_ack) {
            bus_acks_add(&subscription->acks, message->tag);
            mark_dirty(subscription);
        }
    }
    bus_held_free(&held);
}

void bus_unsubscribe(struct bus_subscription **subscription_at)
{
    struct bus_subscription *subscription = *subscription_at;
    struct bus_command *command = command_new(BUS_COMMAND_UNSUBSCRIBE);

    send_acks(subscription);
    subscription->is_leaving = true;
    free_list(&subscription->held);
    command->subscription = subscription;
    command_post(subscription->bus, command);
    *subscription_at = NULL;
}

/* Reports. */

static void receive(struct bus_held *held)
{
    struct bus_subscription *subscription = held->subscription;

    if (subscription->is_leaving ||
        held->generation != subscription->generation) {
        bus_held_free(&held);
        return;
    }
    held->previous = NULL;
    held->next = subscription->held;
    if (held->next)
        held->next->previous = held;
    subscription->held = held;
    if (!subscription->subscribe.no_ack)
        bus_acks_received(&subscription->acks, held->message.tag);
    subscription->subscribe.received(subscription->subscribe.argument,
                                     &held->message);
}

void bus_subscription_messages(struct bus_report *report)
{
    while (report->messages) {
        struct bus_held *held = report->messages;

        report->messages = held->next;
        receive(held);
    }
}

void bus_subscription_started(struct bus_report *report)
{
    struct bus_subscription *subscription = report->subscription;

    subscription->generation = report->generation;
    subscription->is_settled = true;
    if (!subscription->is_leaving && subscription->subscribe.started)
        subscription->subscribe.started(subscription->subscribe.argument);
}

/* The callers' pointers stay good until the reset after this one. */
static void void_held(struct bus_subscription *subscription)
{
    free_list(&subscription->voided);
    subscription->voided = subscription->held;
    subscription->held = NULL;
    for (struct bus_held *held = subscription->voided; held;
         held = held->next) {
        held->is_void = true;
        held->message.body = SLICE_NONE;
        memory_free(&held->body);
    }
    bus_acks_reset(&subscription->acks);
}

void bus_subscription_reset(struct bus_report *report)
{
    struct bus_subscription *subscription = report->subscription;

    void_held(subscription);
    if (report->flag)
        subscription->is_settled = true;
    if (!subscription->is_leaving && subscription->subscribe.reset)
        subscription->subscribe.reset(subscription->subscribe.argument,
                                      report->text);
}

static void unlink_subscription(struct bus_subscription *subscription)
{
    struct bus_subscription **link = &subscription->bus->subscriptions;

    while (*link != subscription)
        link = &(*link)->next;
    *link = subscription->next;
    link = &subscription->bus->acking;
    while (*link && *link != subscription)
        link = &(*link)->dirty_next;
    if (*link)
        *link = subscription->dirty_next;
}

void bus_subscription_closed(struct bus_report *report)
{
    struct bus_subscription *subscription = report->subscription;
    struct bus_subscribe own = subscription->subscribe;

    unlink_subscription(subscription);
    free_subscription(subscription);
    if (own.closed)
        own.closed(own.argument);
}

bool bus_subscriptions_are_settled(const struct bus *bus)
{
    for (const struct bus_subscription *subscription = bus->subscriptions;
         subscription; subscription = subscription->next) {
        if (!subscription->is_settled && !subscription->is_leaving)
            return false;
    }
    return true;
}

void bus_subscriptions_unsettle(struct bus *bus)
{
    for (struct bus_subscription *subscription = bus->subscriptions;
         subscription; subscription = subscription->next)
        subscription->is_settled = false;
}

void bus_subscriptions_free(struct bus *bus)
{
    while (bus->subscriptions) {
        struct bus_subscription *subscription = bus->subscriptions;

        bus->subscriptions = subscription->next;
        free_subscription(subscription);
    }
}

/* Queues. */

void bus_inspect(struct bus *bus, const char *queue, bus_inspected_fn inspected,
                 void *argument)
{
    struct bus_command *command = command_new(BUS_COMMAND_INSPECT);

    command->queue = copy(queue);
    command->inspected = inspected;
    command->argument = argument;
    command_post(bus, command);
}

void bus_delete_queue(struct bus *bus, const char *queue)
{
    struct bus_command *command = command_new(BUS_COMMAND_DELETE);

    command->queue = copy(queue);
    command_post(bus, command);
}
