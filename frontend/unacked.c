#include "unacked.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus.h"
#include "cluster/give_back.h"

struct unacked {
    STAILQ_ENTRY(unacked) link;
    struct bus_receipt *receipt; /* held open; NULL: made here, or released */
    uint64_t origin, sequence;   /* the event's id */
    uint64_t sent_ms;
    bool is_message;    /* with content: must not be lost */
    bool is_in_custody; /* the archive has it too, for this session */
    bool is_stored;     /* the archive may have it: it comes from there */
    size_t size;
    char event[]; /* encoded; empty: nobody would miss it */
};

void unacked_init(struct unacked_queue *queue)
{
    STAILQ_INIT(&queue->list);
    queue->count = 0;
    queue->bytes = 0;
}

static void decode(const struct unacked *unacked, struct event *event_out)
{
    struct slice encoded = {unacked->event, unacked->size};
    const char *error;

    BUG_ON(!event_decode(encoded, event_out, &error));
}

/* Adding. */

/* What is to be given back if the client does not get it. */
static bool is_missed(const struct event *event)
{
    return (event->kind == STANZA_MESSAGE && event->is_durable) ||
           event_is_request(event);
}

static struct unacked *unacked_new(const struct event *event, bool is_kept)
{
    static struct buffer encoded; /* kept for the next */
    struct unacked *unacked;

    buffer_clear(&encoded);
    if (event && (is_kept || is_missed(event)))
        event_encode(&encoded, event);
    unacked = memory_new(sizeof(*unacked) + encoded.size);
    unacked->size = encoded.size;
    if (encoded.size)
        memcpy(unacked->event, encoded.data, encoded.size);
    unacked->sent_ms = clock_now_ms();
    if (!event)
        return unacked;
    unacked->origin = event->origin;
    unacked->sequence = event->sequence;
    unacked->is_in_custody = slice_is(event->condition, "custody");
    unacked->is_stored = slice_is(event->condition, "stored") ||
                         slice_starts_with(event->by, "archive.");
    unacked->is_message = event->kind == STANZA_MESSAGE && is_missed(event);
    return unacked;
}

void unacked_add(struct unacked_queue *queue, const struct event *event,
                 struct bus_receipt *receipt, bool is_kept)
{
    struct unacked *unacked = unacked_new(event, is_kept);

    if (receipt && event && is_missed(event) && !unacked->is_in_custody) {
        bus_receipt_hold(receipt);
        unacked->receipt = receipt;
    }
    STAILQ_INSERT_TAIL(&queue->list, unacked, link);
    queue->count++;
    queue->bytes += unacked->size;
}

bool unacked_is_over_limit(const struct unacked_queue *queue,
                           const struct frontend_config *config)
{
    return queue->count > config->max_unacked ||
           queue->bytes > config->max_unacked_bytes;
}

static void release(struct unacked *unacked)
{
    if (unacked->receipt)
        bus_receipt_settle(unacked->receipt);
    unacked->receipt = NULL;
}

/* What is in custody is safe: the archive deletes it for nobody but us. */
void unacked_again(struct unacked_queue *queue, const struct event *event,
                   struct bus_receipt *receipt)
{
    struct unacked *unacked;

    STAILQ_FOREACH (unacked, &queue->list, link) {
        if (unacked->origin != event->origin ||
            unacked->sequence != event->sequence || !unacked->receipt)
            continue;
        bus_receipt_hold(receipt);
        release(unacked);
        unacked->receipt = receipt;
        return;
    }
}

/* Acknowledged. */

static struct unacked *take_first(struct unacked_queue *queue)
{
    struct unacked *unacked = STAILQ_FIRST(&queue->list);

    STAILQ_REMOVE_HEAD(&queue->list, link);
    queue->count--;
    queue->bytes -= unacked->size;
    return unacked;
}

/* Taken out of custody: named by its id. */
static void drop_from_archive(const struct session *session,
                              const struct unacked *unacked)
{
    struct output output;
    struct event event;

    event_init(&event, EVENT_ARCHIVE_DROP);
    event.to = session_bare(session);
    event.origin = unacked->origin;
    event.sequence = unacked->sequence;
    daemon_output_init(session->frontend->daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.to, &event);
    daemon_publish(session->frontend->daemon, &output, NULL);
    output_deinit(&output);
}

void unacked_acknowledged(struct unacked_queue *queue,
                          const struct session *session)
{
    struct unacked *unacked = take_first(queue);

    if (unacked->is_in_custody || unacked->is_stored)
        drop_from_archive(session, unacked);
    release(unacked);
    memory_free(&unacked);
}

/* Custody. */

/* Confirmed by the archive, it lets the inbox's message go. */
static void take_custody(const struct session *session, struct unacked *unacked)
{
    struct frontend *frontend = session->frontend;
    struct output output;
    struct event stanza;
    struct event event;

    decode(unacked, &stanza);
    event_copy_as(&event, EVENT_ARCHIVE_STORE, &stanza);
    event_address_bare(&event);
    event.session = session->id;
    event.by = SLICE_NONE;
    event.epoch = 0;
    event.mark = 0; /* delivery does not wait for it */
    event.condition = SLICE("custody");
    event_delay(&event);
    daemon_output_init(frontend->daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.to, &event);
    daemon_publish(frontend->daemon, &output, unacked->receipt);
    output_deinit(&output);
    unacked->is_in_custody = true;
}

void unacked_release(struct unacked_queue *queue, const struct session *session,
                     uint64_t now_ms, uint64_t age_ms)
{
    struct unacked *unacked;

    STAILQ_FOREACH (unacked, &queue->list, link) {
        if (now_ms < unacked->sent_ms + age_ms)
            return;
        if (!unacked->receipt)
            continue;
        if (unacked->is_message)
            take_custody(session, unacked);
        release(unacked);
    }
}

/* The end. */

static void give_one_back(struct frontend *frontend, struct unacked *unacked)
{
    struct output output;
    struct event event;

    if (!unacked->size || unacked->is_in_custody)
        return;
    decode(unacked, &event);
    daemon_output_init(frontend->daemon, &output);
    give_back(&event, SLICE_NONE, &output);
    daemon_publish(frontend->daemon, &output, unacked->receipt);
    output_deinit(&output);
}

void unacked_give_back(struct unacked_queue *queue, struct frontend *frontend)
{
    while (!STAILQ_EMPTY(&queue->list)) {
        struct unacked *unacked = take_first(queue);

        give_one_back(frontend, unacked);
        release(unacked);
        memory_free(&unacked);
    }
}

void unacked_clear(struct unacked_queue *queue)
{
    while (!STAILQ_EMPTY(&queue->list)) {
        struct unacked *unacked = take_first(queue);

        release(unacked);
        memory_free(&unacked);
    }
}

void unacked_move(struct unacked_queue *to, struct unacked_queue *from)
{
    while (!STAILQ_EMPTY(&from->list)) {
        struct unacked *unacked = take_first(from);

        STAILQ_INSERT_TAIL(&to->list, unacked, link);
        to->count++;
        to->bytes += unacked->size;
    }
}

static struct slice condition_of(const struct unacked *unacked)
{
    if (unacked->is_in_custody)
        return SLICE("custody");
    return unacked->is_stored ? SLICE("stored") : SLICE_NONE;
}

void unacked_each(const struct unacked_queue *queue, unacked_fn take,
                  void *argument)
{
    const struct unacked *unacked;

    STAILQ_FOREACH (unacked, &queue->list, link) {
        struct event event;

        if (!unacked->size)
            continue;
        decode(unacked, &event);
        event.condition = condition_of(unacked);
        take(argument, &event, unacked->receipt);
    }
}
