#include "cluster/bus_consumer.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    NOT_FOUND = 404,       /* AMQP 0-9-1, 1.2.1 */
    RESOURCE_LOCKED = 405, /* a former connection of ours still holds it */
};

/* Channels. */

static void take_channel(struct consumer *consumer,
                         struct bus_subscription *subscription)
{
    unsigned number = CHANNEL_FIRST;

    while (number < consumer->channel_count && consumer->channels[number])
        number++;
    if (number >= consumer->channel_count) {
        struct bus_subscription **channels =
            memory_new_array(number + 1, sizeof(*channels));

        for (size_t i = 0; i < consumer->channel_count; i++)
            channels[i] = consumer->channels[i];
        memory_free(&consumer->channels);
        consumer->channels = channels;
        consumer->channel_count = number + 1;
    }
    consumer->channels[number] = subscription;
    subscription->channel = number;
}

static void drop_incoming(struct bus_subscription *subscription)
{
    if (subscription->incoming)
        bus_held_free(&subscription->incoming);
}

static void release_channel(struct consumer *consumer,
                            struct bus_subscription *subscription)
{
    drop_incoming(subscription);
    if (subscription->channel)
        consumer->channels[subscription->channel] = NULL;
    subscription->channel = 0;
    subscription->state = BUS_CHANNEL_ABSENT;
}

static void open_channel(struct consumer *consumer,
                         struct bus_subscription *subscription, uint64_t now_ms)
{
    take_channel(consumer, subscription);
    subscription->channel_generation++;
    subscription->state = BUS_CHANNEL_OPENING;
    subscription->deadline_ms = now_ms + LINK_ANSWER_MS;
    bus_channel_open(consumer->link, subscription);
}

static void close_channel(struct consumer *consumer,
                          struct bus_subscription *subscription)
{
    amqp_channel_close_t close = {
        .reply_code = AMQP_REPLY_SUCCESS,
        .reply_text = amqp_empty_bytes,
    };

    bus_link_send(consumer->link, subscription->channel,
                  AMQP_CHANNEL_CLOSE_METHOD, &close);
    drop_incoming(subscription);
    subscription->state = BUS_CHANNEL_CLOSING;
    subscription->deadline_ms = clock_now_ms() + LINK_ANSWER_MS;
}

/* Reports. */

static void tell_reset(struct consumer *consumer,
                       struct bus_subscription *subscription,
                       const char *reason, bool is_refused)
{
    struct bus_report *report =
        bus_link_report(consumer->link, BUS_REPORT_RESET, subscription);

    report->text = memory_copy_text(slice_of(reason));
    report->flag = is_refused;
    bus_link_tell(consumer->link, &report);
}

static void tell_started(struct consumer *consumer,
                         struct bus_subscription *subscription)
{
    struct bus_report *report =
        bus_link_report(consumer->link, BUS_REPORT_STARTED, subscription);

    report->generation = subscription->channel_generation;
    bus_link_tell(consumer->link, &report);
}

/* Nothing of this thread knows the subscription afterwards. */
static void tell_closed(struct consumer *consumer,
                        struct bus_subscription *subscription)
{
    struct bus_report *report =
        bus_link_report(consumer->link, BUS_REPORT_CLOSED, subscription);

    for (size_t i = 0; i < consumer->subscription_count; i++) {
        if (consumer->subscriptions[i] == subscription)
            consumer->subscriptions[i] =
                consumer->subscriptions[--consumer->subscription_count];
    }
    bus_link_tell(consumer->link, &report);
}

static void tell_refused(struct consumer *consumer,
                         struct bus_subscription *subscription, unsigned code,
                         const char *reason)
{
    const char *queue = subscription->subscribe.queue;
    bool is_ordinary = code == RESOURCE_LOCKED ||
                       (code == NOT_FOUND &&
                        subscription->subscribe.declare == BUS_DECLARE_STANDBY);

    if (subscription->is_refused)
        return;
    subscription->is_refused = true;
    if (is_ordinary) {
        log_info("broker: cannot consume \"%s\": %s", queue, reason);
        return;
    }
    log_error("broker: refused to let consume \"%s\": %s", queue, reason);
    bus_link_tell_text(consumer->link, BUS_REPORT_REFUSED, queue, reason);
}

/* Methods. */

static void on_consume_ok(struct consumer *consumer,
                          struct bus_subscription *subscription)
{
    if (subscription->state != BUS_CHANNEL_OPENING)
        return;
    subscription->state = BUS_CHANNEL_CONSUMING;
    subscription->is_refused = false;
    tell_started(consumer, subscription);
}

static void on_deliver(struct bus_subscription *subscription,
                       const amqp_basic_deliver_t *deliver)
{
    subscription->incoming_tag = deliver->delivery_tag;
    subscription->incoming_redelivered = deliver->redelivered;
}

/* basic.cancel: the queue is gone, or its node. */
static void on_cancel(struct consumer *consumer,
                      struct bus_subscription *subscription)
{
    if (subscription->state == BUS_CHANNEL_CLOSING)
        return;
    tell_reset(consumer, subscription, "consumer cancelled by the broker",
               false);
    close_channel(consumer, subscription);
    subscription->retry_at_ms = 0;
}

static void on_close(struct consumer *consumer,
                     struct bus_subscription *subscription,
                     const amqp_channel_close_t *close)
{
    amqp_channel_close_ok_t ok = {0};
    bool is_crossing = subscription->state == BUS_CHANNEL_CLOSING;
    char text[256];

    bus_link_send(consumer->link, subscription->channel,
                  AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (is_crossing) /* ours is answered as well */
        return;
    bus_link_close_text(close->reply_code, close->reply_text, text,
                        sizeof(text));
    release_channel(consumer, subscription);
    subscription->retry_at_ms = clock_now_ms() + LINK_REFUSED_MS;
    tell_refused(consumer, subscription, close->reply_code, text);
    tell_reset(consumer, subscription, text, true);
}

static void on_close_ok(struct consumer *consumer,
                        struct bus_subscription *subscription)
{
    if (subscription->state != BUS_CHANNEL_CLOSING)
        return;
    release_channel(consumer, subscription);
    if (subscription->is_closing)
        tell_closed(consumer, subscription);
}

static void on_method(struct consumer *consumer,
                      struct bus_subscription *subscription,
                      const amqp_method_t *method)
{
    switch (method->id) {
    case AMQP_BASIC_CONSUME_OK_METHOD:
        on_consume_ok(consumer, subscription);
        break;
    case AMQP_BASIC_DELIVER_METHOD:
        on_deliver(subscription, method->decoded);
        break;
    case AMQP_BASIC_CANCEL_METHOD:
        on_cancel(consumer, subscription);
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        on_close(consumer, subscription, method->decoded);
        break;
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
        on_close_ok(consumer, subscription);
        break;
    default: /* the answers in between */
        break;
    }
}

/* Content. */

static void finish_incoming(struct consumer *consumer,
                            struct bus_subscription *subscription)
{
    struct bus_held *held = subscription->incoming;

    if (held->message.body.size < subscription->incoming_size)
        return;
    subscription->incoming = NULL;
    bus_link_message(consumer->link, held);
}

static struct slice find_header(const amqp_basic_properties_t *properties,
                                const char *name)
{
    const amqp_table_t *headers = &properties->headers;

    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return SLICE_NONE;
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];

        if (entry->value.kind == AMQP_FIELD_KIND_UTF8 &&
            slice_is(bus_link_slice(entry->key), name))
            return bus_link_slice(entry->value.value.bytes);
    }
    return SLICE_NONE;
}

/* Appends a text to what was allocated for the body. */
static struct slice keep(char **at, struct slice text)
{
    struct slice kept = {*at, text.size};

    if (!text.data)
        return SLICE_NONE;
    memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

static void on_header(struct consumer *consumer,
                      struct bus_subscription *subscription,
                      const amqp_basic_properties_t *properties, uint64_t size)
{
    struct bus_held *held = memory_new(sizeof(*held));
    struct slice queue = find_header(properties, "queue");
    struct slice reason = find_header(properties, "reason");
    char *behind;

    drop_incoming(subscription);
    held->subscription = subscription;
    held->generation = subscription->channel_generation;
    held->body = memory_new(size + queue.size + reason.size + 1);
    behind = held->body + size;
    held->message.body = (struct slice){held->body, 0};
    held->message.dead_queue = keep(&behind, queue);
    held->message.dead_reason = keep(&behind, reason);
    if (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
        held->message.stamp = properties->timestamp;
    held->message.tag = subscription->incoming_tag;
    held->message.is_redelivered = subscription->incoming_redelivered;
    subscription->incoming = held;
    subscription->incoming_size = size;
    finish_incoming(consumer, subscription);
}

static void on_body(struct consumer *consumer,
                    struct bus_subscription *subscription,
                    struct slice fragment)
{
    struct bus_held *held = subscription->incoming;

    if (!held ||
        fragment.size > subscription->incoming_size - held->message.body.size) {
        bus_link_lose(consumer->link, "more of a body than was announced");
        return;
    }
    memcpy(held->body + held->message.body.size, fragment.data, fragment.size);
    held->message.body.size += fragment.size;
    finish_incoming(consumer, subscription);
}

static void on_channel_frame(struct consumer *consumer,
                             struct bus_subscription *subscription,
                             const amqp_frame_t *frame)
{
    if (frame->frame_type == AMQP_FRAME_METHOD) {
        on_method(consumer, subscription, &frame->payload.method);
        return;
    }
    if (subscription->state != BUS_CHANNEL_CONSUMING)
        return;
    if (frame->frame_type == AMQP_FRAME_HEADER)
        on_header(consumer, subscription, frame->payload.properties.decoded,
                  frame->payload.properties.body_size);
    else if (frame->frame_type == AMQP_FRAME_BODY)
        on_body(consumer, subscription,
                bus_link_slice(frame->payload.body_fragment));
}

static void on_frame(void *state, const amqp_frame_t *frame)
{
    struct consumer *consumer = state;

    if (frame->channel == CHANNEL_CONTROL) {
        if (frame->frame_type == AMQP_FRAME_METHOD)
            bus_control_method(consumer, &frame->payload.method);
    } else if (frame->channel < consumer->channel_count &&
               consumer->channels[frame->channel]) {
        on_channel_frame(consumer, consumer->channels[frame->channel], frame);
    }
}

/* Commands. */

static void subscribe(struct consumer *consumer,
                      struct bus_subscription *subscription)
{
    if (consumer->subscription_count == consumer->subscription_capacity) {
        consumer->subscription_capacity =
            consumer->subscription_capacity
                ? 2 * consumer->subscription_capacity
                : 32;
        consumer->subscriptions = memory_resize(
            consumer->subscriptions, consumer->subscription_capacity *
                                         sizeof(struct bus_subscription *));
    }
    consumer->subscriptions[consumer->subscription_count++] = subscription;
}

static void unsubscribe(struct consumer *consumer,
                        struct bus_subscription *subscription)
{
    subscription->is_closing = true;
    if (subscription->state == BUS_CHANNEL_ABSENT)
        tell_closed(consumer, subscription);
    else if (subscription->state != BUS_CHANNEL_CLOSING)
        close_channel(consumer, subscription);
}

static void acknowledge(struct consumer *consumer,
                        const struct bus_command *command)
{
    const struct bus_subscription *subscription = command->subscription;

    if (subscription->state != BUS_CHANNEL_CONSUMING ||
        command->generation != subscription->channel_generation)
        return;
    for (size_t i = 0; i < command->count; i++) {
        amqp_basic_ack_t ack = {command->ranges[i].tag,
                                command->ranges[i].is_multiple};

        bus_link_send(consumer->link, subscription->channel,
                      AMQP_BASIC_ACK_METHOD, &ack);
    }
    CRASH_POINT(ACKNOWLEDGED);
}

static void on_letter(void *state, struct letter *letter)
{
    struct consumer *consumer = state;
    struct bus_command *command =
        LETTER_OWNER(letter, struct bus_command, letter);

    switch (command->kind) {
    case BUS_COMMAND_SUBSCRIBE:
        subscribe(consumer, command->subscription);
        break;
    case BUS_COMMAND_UNSUBSCRIBE:
        unsubscribe(consumer, command->subscription);
        break;
    case BUS_COMMAND_ACK:
        acknowledge(consumer, command);
        break;
    case BUS_COMMAND_INSPECT:
    case BUS_COMMAND_DELETE:
        bus_control_ask(consumer, command);
        return;
    }
    bus_command_free(&command);
}

/* The connection. */

static void on_up(void *state)
{
    struct consumer *consumer = state;
    struct bus_report *report =
        bus_link_report(consumer->link, BUS_REPORT_UP, NULL);

    for (size_t i = 0; i < consumer->subscription_count; i++)
        consumer->subscriptions[i]->retry_at_ms = 0;
    bus_link_tell(consumer->link, &report);
}

static void on_down(void *state, const char *reason)
{
    struct consumer *consumer = state;

    bus_control_down(consumer);
    for (size_t i = consumer->subscription_count; i-- > 0;) {
        struct bus_subscription *subscription = consumer->subscriptions[i];
        enum bus_channel_state before = subscription->state;

        release_channel(consumer, subscription);
        if (subscription->is_closing)
            tell_closed(consumer, subscription);
        else if (before == BUS_CHANNEL_OPENING ||
                 before == BUS_CHANNEL_CONSUMING)
            tell_reset(consumer, subscription, reason, false);
    }
}

static bool on_work(void *state, uint64_t now_ms)
{
    struct consumer *consumer = state;

    for (size_t i = 0; i < consumer->subscription_count; i++) {
        struct bus_subscription *subscription = consumer->subscriptions[i];

        if (subscription->state == BUS_CHANNEL_ABSENT) {
            if (now_ms >= subscription->retry_at_ms)
                open_channel(consumer, subscription, now_ms);
        } else if (subscription->state != BUS_CHANNEL_CONSUMING &&
                   now_ms >= subscription->deadline_ms) {
            bus_link_lose(consumer->link, "no answer about the queue \"%s\"",
                          subscription->subscribe.queue);
        }
    }
    bus_control_work(consumer, now_ms);
    return true;
}

static void discard(void *state)
{
    struct consumer *consumer = state;

    for (size_t i = 0; i < consumer->subscription_count; i++)
        drop_incoming(consumer->subscriptions[i]);
    bus_control_discard(consumer);
    memory_free(&consumer->channels);
    memory_free(&consumer->subscriptions);
    memory_free(&consumer);
}

struct bus_link *bus_consumer_create(struct bus *bus)
{
    static const struct bus_link_handler handler = {
        .role = "sub",
        .letter = on_letter,
        .up = on_up,
        .down = on_down,
        .frame = on_frame,
        .work = on_work,
        .discard = discard,
    };
    struct consumer *consumer = memory_new(sizeof(*consumer));

    consumer->link = bus_link_create(bus, &handler, consumer);
    bus_link_start(consumer->link);
    return consumer->link;
}
