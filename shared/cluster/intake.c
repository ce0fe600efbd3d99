#include "cluster/intake.h"

#include <stdio.h>

#include <sys/queue.h>

#include "base/log.h"
#include "base/memory.h"

/* A message whose consequences await their confirms. */
struct pending {
    LIST_ENTRY(pending) link;
    struct intake *intake;
    struct bus_subscription *subscription; /* NULL: the channel is gone */
    struct bus_message *message;
};

struct intake {
    struct daemon *daemon;
    char queue[NAME_MAX_BYTES];
    intake_handle_fn handle;
    void *argument;
    LIST_HEAD(pending_list, pending) pending;
    size_t open;
};

struct intake *intake_create(struct daemon *daemon, const char *queue,
                             intake_handle_fn handle, void *argument)
{
    struct intake *intake = memory_new(sizeof(*intake));

    intake->daemon = daemon;
    snprintf(intake->queue, sizeof(intake->queue), "%s", queue);
    intake->handle = handle;
    intake->argument = argument;
    LIST_INIT(&intake->pending);
    return intake;
}

static void pending_free(struct pending *pending)
{
    pending->intake->open--;
    LIST_REMOVE(pending, link);
    memory_free(&pending);
}

void intake_destroy(struct intake **intake)
{
    struct pending *pending;

    if (!*intake)
        return;
    while ((pending = LIST_FIRST(&(*intake)->pending)))
        pending_free(pending);
    memory_free(intake);
}

void intake_reset(struct intake *intake)
{
    struct pending *pending;

    LIST_FOREACH (pending, &intake->pending, link)
        pending->subscription = NULL;
}

size_t intake_open(const struct intake *intake)
{
    return intake->open;
}

static void on_settled(void *argument)
{
    struct pending *pending = argument;

    if (pending->subscription)
        bus_ack(pending->subscription, pending->message);
    pending_free(pending);
}

static struct bus_receipt *open_receipt(struct intake *intake,
                                        struct bus_subscription *subscription,
                                        struct bus_message *message)
{
    struct pending *pending = memory_new(sizeof(*pending));

    pending->intake = intake;
    pending->subscription = subscription;
    pending->message = message;
    LIST_INSERT_HEAD(&intake->pending, pending, link);
    intake->open++;
    return bus_receipt_create(daemon_bus(intake->daemon), on_settled, pending);
}

static void publish_dead(struct intake *intake, struct slice raw,
                         const char *reason, struct bus_receipt *receipt)
{
    log_error("%s: event goes to the queue " QUEUE_DEAD ": %s", intake->queue,
              reason);
    bus_publish_dead(daemon_bus(intake->daemon), raw, intake->queue, reason,
                     receipt);
}

/* False: newer than we understand. */
static bool handle_all(struct intake *intake, struct slice body,
                       struct bus_receipt *receipt)
{
    struct event_batch batch;
    struct event event;
    struct slice raw = body;
    const char *reason = NULL;
    enum event_read read = event_batch_open(&batch, body, &reason);

    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &reason);
        if (read == EVENT_READ_BAD ||
            (read == EVENT_READ_OK &&
             !intake->handle(intake->argument, &event, receipt, &reason)))
            publish_dead(intake, raw, reason, receipt);
    }
    if (read == EVENT_READ_BROKEN)
        publish_dead(intake, body, reason, receipt);
    return read != EVENT_READ_NEWER;
}

bool intake_receive(struct intake *intake,
                    struct bus_subscription *subscription,
                    struct bus_message *message, struct output *output)
{
    struct bus_receipt *receipt = open_receipt(intake, subscription, message);
    struct pending *pending = LIST_FIRST(&intake->pending);
    bool is_understood = handle_all(intake, message->body, receipt);

    if (!is_understood)
        pending->subscription = NULL;
    daemon_publish(intake->daemon, output, receipt);
    bus_receipt_seal(receipt);
    return is_understood;
}
