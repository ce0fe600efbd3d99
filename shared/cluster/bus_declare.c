#include "base/log.h"
#include "cluster/bus_consumer.h"
#include "cluster/names.h"

enum {
    ARGUMENTS_MAX = 5,
    INBOX_BYTES = 256 * 1024 * 1024,
    NODE_BYTES = 64 * 1024 * 1024,
    TAP_MESSAGES = 10000,
};

struct arguments {
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    int count;
};

static void add_text(struct arguments *arguments, const char *name,
                     const char *value)
{
    arguments->entries[arguments->count++] = (amqp_table_entry_t){
        amqp_cstring_bytes(name),
        {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(value)}}};
}

static void add_number(struct arguments *arguments, const char *name, int value)
{
    arguments->entries[arguments->count++] = (amqp_table_entry_t){
        amqp_cstring_bytes(name), {AMQP_FIELD_KIND_I32, {.i32 = value}}};
}

static void add_true(struct arguments *arguments, const char *name)
{
    arguments->entries[arguments->count++] = (amqp_table_entry_t){
        amqp_cstring_bytes(name), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}};
}

static void declare(struct bus_link *link,
                    const struct bus_subscription *subscription,
                    amqp_queue_declare_t *declare, struct arguments *arguments)
{
    declare->queue = amqp_cstring_bytes(subscription->subscribe.queue);
    declare->arguments = (amqp_table_t){arguments->count, arguments->entries};
    bus_link_send(link, subscription->channel, AMQP_QUEUE_DECLARE_METHOD,
                  declare);
}

static void bind(struct bus_link *link,
                 const struct bus_subscription *subscription,
                 const char *exchange)
{
    const struct bus_subscribe *subscribe = &subscription->subscribe;
    amqp_queue_bind_t bind = {
        .queue = amqp_cstring_bytes(subscribe->queue),
        .exchange = amqp_cstring_bytes(exchange),
        .routing_key = amqp_cstring_bytes(subscribe->key ? subscribe->key : ""),
    };

    bus_link_send(link, subscription->channel, AMQP_QUEUE_BIND_METHOD, &bind);
}

static void declare_passive(struct bus_link *link,
                            const struct bus_subscription *subscription)
{
    struct arguments none = {.count = 0};
    amqp_queue_declare_t question = {.passive = 1};

    declare(link, subscription, &question, &none);
}

static void declare_inbox(struct bus_link *link,
                          const struct bus_subscription *subscription)
{
    const char *type = subscription->subscribe.queue_type;
    struct arguments arguments = {.count = 0};
    amqp_queue_declare_t inbox = {.durable = 1};

    add_true(&arguments, "x-single-active-consumer");
    add_text(&arguments, "x-queue-type", type ? type : "classic");
    add_number(&arguments, "x-max-length-bytes", INBOX_BYTES);
    add_text(&arguments, "x-overflow", "reject-publish");
    declare(link, subscription, &inbox, &arguments);
    bind(link, subscription, EXCHANGE_FRONTEND);
}

static void declare_node(struct bus_link *link,
                         const struct bus_subscription *subscription)
{
    struct arguments arguments = {.count = 0};
    amqp_queue_declare_t node = {.exclusive = 1, .auto_delete = 1};

    add_number(&arguments, "x-max-length-bytes", NODE_BYTES);
    add_text(&arguments, "x-overflow", "reject-publish");
    declare(link, subscription, &node, &arguments);
    bind(link, subscription, EXCHANGE_CLUSTER);
    bind(link, subscription, EXCHANGE_NODE);
}

static void declare_tap(struct bus_link *link,
                        const struct bus_subscription *subscription)
{
    struct arguments arguments = {.count = 0};
    amqp_queue_declare_t tap = {.exclusive = 1, .auto_delete = 1};

    add_number(&arguments, "x-max-length", TAP_MESSAGES);
    add_text(&arguments, "x-overflow", "drop-head");
    declare(link, subscription, &tap, &arguments);
    bind(link, subscription, subscription->subscribe.exchange);
}

static void declare_nothing(struct bus_link *link,
                            const struct bus_subscription *subscription)
{
    (void)link;
    (void)subscription;
}

static void consume(struct bus_link *link,
                    const struct bus_subscription *subscription)
{
    const struct bus_subscribe *subscribe = &subscription->subscribe;
    amqp_basic_qos_t qos = {
        .prefetch_count = (uint16_t)subscribe->prefetch,
    };
    amqp_basic_consume_t consume = {
        .queue = amqp_cstring_bytes(subscribe->queue),
        .consumer_tag = amqp_cstring_bytes(
            subscribe->consumer_tag ? subscribe->consumer_tag : ""),
        .no_ack = subscribe->no_ack,
    };

    bus_link_send(link, subscription->channel, AMQP_BASIC_QOS_METHOD, &qos);
    bus_link_send(link, subscription->channel, AMQP_BASIC_CONSUME_METHOD,
                  &consume);
}

void bus_channel_open(struct bus_link *link,
                      const struct bus_subscription *subscription)
{
    static void (*const declarations[])(struct bus_link *,
                                        const struct bus_subscription *) = {
        [BUS_DECLARE_PASSIVE] = declare_passive,
        [BUS_DECLARE_INBOX] = declare_inbox,
        [BUS_DECLARE_STANDBY] = declare_nothing,
        [BUS_DECLARE_NODE] = declare_node,
        [BUS_DECLARE_TAP] = declare_tap,
    };
    amqp_channel_open_t open = {amqp_empty_bytes};

    bus_link_send(link, subscription->channel, AMQP_CHANNEL_OPEN_METHOD, &open);
    declarations[subscription->subscribe.declare](link, subscription);
    consume(link, subscription);
}
