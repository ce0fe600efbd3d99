#include "inbox.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/intake.h"

enum inbox_state {
    INBOX_OPENING, /* until subscribed and registered */
    INBOX_OPEN,
    INBOX_CLOSING, /* until the channel is closed */
    INBOX_STRIKING,
    INBOX_GONE,
};

struct inbox {
    struct frontend *frontend;
    struct intake *intake;
    struct bus_subscription *subscription;
    char queue[NAME_MAX_BYTES];
    enum inbox_state state;
    bool is_consuming; /* so the queue is there */
    bool is_broken;    /* newer events than we understand */
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

/* Reading. */

static bool handle(void *argument, const struct event *event,
                   struct bus_receipt *receipt, const char **reason_out)
{
    struct inbox *inbox = argument;

    if (inbox_epoch_is_current(inbox, event))
        return to_client(inbox->frontend, event, receipt, reason_out);
    log_debug("inbox: %s of a former owner dropped by=%.*s",
              event_type_name(event->type), SLICE_FORMAT(event->by));
    return true;
}

static void on_received(void *argument, struct bus_message *message)
{
    struct inbox *inbox = argument;
    struct frontend *frontend = inbox->frontend;

    CRASH_POINT(RECEIVED);
    inbox->active_ms = clock_now_ms();
    if (inbox->is_broken)
        return;
    frontend_publish(frontend); /* what is there is not of this message */
    if (intake_receive(inbox->intake, inbox->subscription, message,
                       &frontend->output))
        return;
    log_error("inbox: events of a newer major version; consuming stops");
    inbox->is_broken = true;
}

bool inbox_is_half_full(const struct inbox *inbox)
{
    const struct daemon_common *common = daemon_common(inbox->frontend->daemon);

    return intake_open(inbox->intake) > common->prefetch / 2;
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
    inbox->is_consuming = true;
    if (inbox->state <= INBOX_OPEN)
        tell_archive(inbox, EVENT_INBOX_REGISTER, on_registered);
    snapshot_step(inbox->frontend);
}

static void on_reset(void *argument, const char *reason)
{
    struct inbox *inbox = argument;

    inbox->is_consuming = false;
    intake_reset(inbox->intake);
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
    inbox->intake =
        intake_create(frontend->daemon, inbox->queue, handle, inbox);
    inbox->subscription =
        bus_subscribe(daemon_bus(frontend->daemon), &subscribe);
    return inbox;
}

void inbox_destroy(struct inbox **inbox)
{
    intake_destroy(&(*inbox)->intake);
    map_destroy(&(*inbox)->epochs);
    memory_free(inbox);
}

bool inbox_is_registered(const struct inbox *inbox)
{
    return inbox->state == INBOX_OPEN;
}

bool inbox_is_away(const struct inbox *inbox)
{
    return inbox->state <= INBOX_OPEN && !inbox->is_consuming;
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
    intake_reset(inbox->intake);
    bus_unsubscribe(&inbox->subscription);
}

bool inbox_is_gone(const struct inbox *inbox)
{
    return inbox->state == INBOX_GONE;
}
