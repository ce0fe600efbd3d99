#include "inbox.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum inbox_state {
    INBOX_OPENING, /* until subscribed and registered */
    INBOX_OPEN,
    INBOX_CLOSING, /* until the channel is closed */
    INBOX_STRIKING,
    INBOX_GONE,
};

/* A message whose consequences await their confirms. */
struct pending {
    LIST_ENTRY(pending) entry;
    struct inbox *inbox;
    struct bus_message *message;
    unsigned generation;
};

struct inbox {
    struct frontend *frontend;
    LIST_HEAD(pending_list, pending) pending;
    struct bus_subscription *subscription;
    char queue[NAME_MAX_BYTES];
    enum inbox_state state;
    unsigned generation; /* of the channel */
    bool is_broken;      /* newer events than we understand */
    uint64_t active_ms;
    struct map *epochs; /* highest seen, by publishing partition */
};

/* Epochs. */

bool inbox_epoch_is_current(struct inbox *inbox, const struct event *event)
{
    uintptr_t highest;

    if (!event->epoch)
        return true;
    highest = (uintptr_t)map_find(inbox->epochs, event->by);
    if (event->epoch < highest)
        return false;
    if (event->epoch > highest) {
        /* A number is kept in the place of a pointer. */
        void *value = NULL;
        uintptr_t epoch = event->epoch;

        memcpy(&value, &epoch, sizeof(value));
        map_put(inbox->epochs, event->by, value);
    }
    return true;
}

uint64_t inbox_epoch_of(const struct inbox *inbox, struct slice service,
                        uint64_t partition)
{
    char by[NAME_MAX_BYTES];
    enum service_id id = service_find(service);

    if (id == SERVICE_NONE || partition >= PARTITIONS_MAX)
        return 0;
    partition_queue(id, (unsigned)partition, by);
    return (uintptr_t)map_find(inbox->epochs, slice_of(by));
}

/* Acknowledging. */

static void on_settled(void *argument)
{
    struct pending *pending = argument;
    struct inbox *inbox = pending->inbox;

    if (pending->generation == inbox->generation && inbox->subscription)
        bus_ack(inbox->subscription, pending->message);
    LIST_REMOVE(pending, entry);
    memory_free(&pending);
}

static void publish_dead(struct inbox *inbox, struct slice raw,
                         const char *reason, struct bus_receipt *receipt)
{
    log_error("inbox: event goes to the queue " QUEUE_DEAD ": %s", reason);
    bus_publish_dead(daemon_bus(inbox->frontend->daemon), raw, inbox->queue,
                     reason, receipt);
}

static struct bus_receipt *open_receipt(struct inbox *inbox,
                                        struct bus_message *message)
{
    struct pending *pending = memory_new(sizeof(*pending));

    pending->inbox = inbox;
    pending->message = message;
    pending->generation = inbox->generation;
    LIST_INSERT_HEAD(&inbox->pending, pending, entry);
    return bus_receipt_create(daemon_bus(inbox->frontend->daemon), on_settled,
                              pending);
}

/* Reading. */

static void handle(struct inbox *inbox, const struct event *event,
                   struct slice raw, struct bus_receipt *receipt)
{
    const char *reason = NULL;

    if (!inbox_epoch_is_current(inbox, event)) {
        log_debug("inbox: %s of a former owner dropped by=%.*s",
                  event_type_name(event->type), SLICE_FORMAT(event->by));
        return;
    }
    if (!to_client(inbox->frontend, event, &reason))
        publish_dead(inbox, raw, reason, receipt);
}

/* False: to stay in the queue, for a newer version of us. */
static bool handle_all(struct inbox *inbox, struct bus_message *message,
                       struct bus_receipt *receipt)
{
    struct event_batch batch;
    struct event event;
    struct slice raw = message->body;
    const char *error = NULL;
    enum event_read read = event_batch_open(&batch, message->body, &error);

    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            handle(inbox, &event, raw, receipt);
        else if (read == EVENT_READ_BAD)
            publish_dead(inbox, raw, error, receipt);
    }
    if (read == EVENT_READ_BROKEN)
        publish_dead(inbox, message->body, error, receipt);
    return read != EVENT_READ_NEWER;
}

static void on_received(void *argument, struct bus_message *message)
{
    struct inbox *inbox = argument;
    struct frontend *frontend = inbox->frontend;
    struct bus_receipt *receipt;

    inbox->active_ms = clock_now_ms();
    if (inbox->is_broken)
        return;
    frontend_publish(frontend); /* what is there is not of this message */
    receipt = open_receipt(inbox, message);
    if (!handle_all(inbox, message, receipt)) {
        log_error("inbox: events of a newer major version; consuming stops");
        inbox->is_broken = true;
        inbox->generation++; /* no acknowledgement of this one */
    }
    daemon_publish(frontend->daemon, &frontend->output, receipt);
    bus_receipt_seal(receipt);
}

/* The register, kept by archive.pp(node). */

static void tell_archive(struct inbox *inbox, enum event_type type,
                         bus_settled_fn settled)
{
    struct daemon *daemon = inbox->frontend->daemon;
    struct bus_receipt *receipt =
        bus_receipt_create(daemon_bus(daemon), settled, inbox);
    struct output output;
    struct event event;

    event_init(&event, type);
    event.node = slice_of(daemon_node(daemon));
    daemon_output_init(daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.node, &event);
    daemon_publish(daemon, &output, receipt);
    bus_receipt_seal(receipt);
    output_deinit(&output);
}

static void on_registered(void *argument)
{
    struct inbox *inbox = argument;
    struct frontend *frontend = inbox->frontend;

    if (inbox->state != INBOX_OPENING || daemon_is_draining(frontend->daemon))
        return;
    inbox->state = INBOX_OPEN;
    listener_start(frontend);
    daemon_set_state(frontend->daemon, MEMBER_UP);
    log_info("ready");
}

static void on_started(void *argument)
{
    struct inbox *inbox = argument;

    log_debug("inbox: consuming");
    if (inbox->state <= INBOX_OPEN)
        tell_archive(inbox, EVENT_INBOX_REGISTER, on_registered);
}

static void on_reset(void *argument, const char *reason)
{
    struct inbox *inbox = argument;

    inbox->generation++;
    log_debug("inbox: channel lost: %s", reason);
}

static void on_struck(void *argument)
{
    struct inbox *inbox = argument;

    inbox->state = INBOX_GONE;
}

/* What came too late stays: who keeps the register gives it to others. */
static void on_inspected(void *argument, bool exists, uint64_t messages,
                         uint64_t consumers)
{
    struct inbox *inbox = argument;

    if (exists && messages) {
        log_warning("inbox: %" PRIu64 " messages left for others (%" PRIu64
                    " consumers)",
                    messages, consumers);
        inbox->state = INBOX_GONE;
        return;
    }
    bus_delete_queue(daemon_bus(inbox->frontend->daemon), inbox->queue);
    tell_archive(inbox, EVENT_INBOX_STRIKE, on_struck);
}

static void on_closed(void *argument)
{
    struct inbox *inbox = argument;

    inbox->state = INBOX_STRIKING;
    bus_inspect(daemon_bus(inbox->frontend->daemon), inbox->queue, on_inspected,
                inbox);
}

/* Life. */

struct inbox *inbox_create(struct frontend *frontend)
{
    const struct daemon_common *common = daemon_common(frontend->daemon);
    const char *node = daemon_node(frontend->daemon);
    struct inbox *inbox = memory_new(sizeof(*inbox));
    struct bus_subscribe subscribe = {
        .queue = inbox_queue(slice_of(node), inbox->queue),
        .declare = BUS_DECLARE_INBOX,
        .key = node,
        .queue_type = daemon_queue_types[common->queue_type],
        .consumer_tag = node,
        .prefetch = (unsigned)common->prefetch,
        .received = on_received,
        .started = on_started,
        .reset = on_reset,
        .closed = on_closed,
        .argument = inbox,
    };

    inbox->frontend = frontend;
    inbox->epochs = map_create();
    inbox->subscription =
        bus_subscribe(daemon_bus(frontend->daemon), &subscribe);
    return inbox;
}

void inbox_destroy(struct inbox **inbox)
{
    struct pending *pending;

    while ((pending = LIST_FIRST(&(*inbox)->pending))) {
        LIST_REMOVE(pending, entry);
        memory_free(&pending);
    }
    map_destroy(&(*inbox)->epochs);
    memory_free(inbox);
}

bool inbox_is_registered(const struct inbox *inbox)
{
    return inbox->state == INBOX_OPEN;
}

uint64_t inbox_active_ms(const struct inbox *inbox)
{
    return inbox->active_ms;
}

void inbox_close(struct inbox *inbox)
{
    if (!inbox->subscription)
        return;
    inbox->state = INBOX_CLOSING;
    bus_unsubscribe(&inbox->subscription);
}

bool inbox_is_gone(const struct inbox *inbox)
{
    return inbox->state == INBOX_GONE;
}
