#include "to_client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connection.h"
#include "session.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

uint64_t to_client_epoch(struct frontend *frontend, struct slice by)
{
    const uint64_t *highest = map_find(frontend->epochs, by);

    return highest ? *highest : 0;
}

/* False: put out by a former owner of its partition. */
static bool epoch_is_current(struct frontend *frontend,
                             const struct event *event)
{
    uint64_t *highest;

    if (!event->epoch || !slice_is_set(event->by))
        return true;
    highest = map_find(frontend->epochs, event->by);
    if (!highest) {
        highest = memory_new(sizeof(*highest));
        map_put(frontend->epochs, event->by, highest);
    }
    if (event->epoch < *highest)
        return false;
    *highest = event->epoch;
    return true;
}

/* Events for a session that is over. */

static void tell_close(struct frontend *frontend, const struct event *event)
{
    struct event close;

    if (!slice_is_set(event->to) || !slice_is_set(jid_text_local(event->to)))
        return;
    event_init(&close, EVENT_SESSION_CLOSE);
    close.from = event->to;
    close.session = event->session;
    close.node = slice_of(daemon_node(frontend->daemon));
    output_to_user(&frontend->output, SERVICE_DELIVERY, event->to, &close);
}

static void return_message(struct frontend *frontend, const struct event *event)
{
    struct event back;

    event_copy_as(&back, EVENT_STANZA_ROUTE, event);
    back.by = SLICE_NONE;
    back.epoch = 0;
    back.condition = SLICE("returned");
    if (!back.stamp)
        back.stamp = clock_unix_ms();
    output_to_user(&frontend->output, SERVICE_DELIVERY, event->to, &back);
}

static bool is_iq_question(const struct event *event)
{
    return event->kind == STANZA_IQ &&
           (slice_is(event->subtype, "get") || slice_is(event->subtype, "set"));
}

static void return_iq_error(struct frontend *frontend,
                            const struct event *event)
{
    struct buffer error = BUFFER_EMPTY;
    struct event back;

    stanza_write_error(&error, "service-unavailable");
    event_follow(&back, EVENT_STANZA_ROUTE, event);
    back.kind = STANZA_IQ;
    back.subtype = SLICE("error");
    back.id = event->id;
    back.from = event->to;
    back.to = event->from;
    back.payload = buffer_slice(&error);
    output_to_user(&frontend->output, SERVICE_DELIVERY, back.to, &back);
    buffer_deinit(&error);
}

/* Delivery knows better once it has our session.close. */
static void session_is_over(struct frontend *frontend,
                            const struct event *event)
{
    tell_close(frontend, event);
    if (!slice_is_set(event->to) || !slice_is_set(event->from))
        return;
    if (event->kind == STANZA_MESSAGE && event->is_durable)
        return_message(frontend, event);
    else if (is_iq_question(event))
        return_iq_error(frontend, event);
}

/* Stanzas. */

/* XEP-0203 */
static void write_delay(struct frontend *frontend, uint64_t stamp,
                        struct buffer *out)
{
    char text[CLOCK_STAMP_SIZE];

    clock_format_stamp(stamp, text);
    buffer_appendf(out, "<delay xmlns='" NS_DELAY "' from='%s' stamp='%s'/>",
                   frontend_domain(frontend), text);
}

static void write_stanza(struct session *session, const struct event *event)
{
    struct frontend *frontend = session->connection->frontend;
    struct stanza_head head = {.kind = event->kind,
                               .type = event->subtype,
                               .id = event->id,
                               .from = event->from,
                               .to = event->to,
                               .lang = event->lang,
                               .extra = event->extra};
    struct buffer payload = BUFFER_EMPTY;

    if (!event->stamp) {
        stanza_write(connection_output(session->connection), &head,
                     event->payload);
        return;
    }
    buffer_append(&payload, event->payload);
    write_delay(frontend, event->stamp, &payload);
    stanza_write(connection_output(session->connection), &head,
                 buffer_slice(&payload));
    buffer_deinit(&payload);
}

static void on_deliver(struct frontend *frontend, const struct event *event)
{
    struct session *session = session_find(frontend, event->session);

    if (!session || !session->is_bound) {
        session_is_over(frontend, event);
        return;
    }
    if (event->kind != STANZA_PRESENCE &&
        session_is_repeat(session, event->origin, event->path,
                          event->sequence)) {
        log_debug("session %s: repeat dropped", session->full);
        return;
    }
    write_stanza(session, event);
}

/* Sessions. */

static void on_bound(struct frontend *frontend, const struct event *event)
{
    struct session *session = session_find(frontend, event->session);

    if (session)
        stream_bound(session->connection, event);
    else if (!slice_is_set(event->condition))
        tell_close(frontend, event);
}

static void on_kick(struct frontend *frontend, const struct event *event)
{
    struct session *session = session_find(frontend, event->session);
    char reason[64];

    if (!session)
        return;
    log_info("session %s: ended by the cluster: %s", session->full,
             log_printable(event->condition, reason, sizeof(reason)));
    if (slice_is(event->condition, "conflict"))
        stream_fail(session->connection, STREAM_ERROR_CONFLICT);
    else
        stream_fail(session->connection, STREAM_ERROR_NOT_AUTHORIZED);
}

typedef void (*inbox_handler_fn)(struct frontend *frontend,
                                 const struct event *event);

static inbox_handler_fn handler_of(enum event_type type)
{
    static const inbox_handler_fn handlers[EVENT_TYPE_COUNT] = {
        [EVENT_STANZA_DELIVER] = on_deliver,
        [EVENT_SESSION_BOUND] = on_bound,
        [EVENT_SESSION_KICK] = on_kick,
    };

    return handlers[type];
}

static void bury(struct frontend *frontend, struct slice raw,
                 const char *reason)
{
    char queue[NAME_MAX_BYTES];

    inbox_queue(slice_of(daemon_node(frontend->daemon)), queue);
    log_error("inbox: event goes to the queue " QUEUE_DEAD ": %s", reason);
    bus_publish_dead(daemon_bus(frontend->daemon), raw, queue, reason, NULL);
}

static void handle_event(struct frontend *frontend, const struct event *event,
                         struct slice raw)
{
    inbox_handler_fn handle = handler_of(event->type);

    if (event->type == EVENT_INBOX_PROBE)
        return;
    if (!epoch_is_current(frontend, event))
        log_warning("inbox: %s of a former owner dropped by=%.*s",
                    event_type_name(event->type), SLICE_FORMAT(event->by));
    else if (handle)
        handle(frontend, event);
    else
        bury(frontend, raw, "no handler for this type here");
}

void to_client_message(struct frontend *frontend, struct bus_message *message)
{
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;
    enum event_read read = event_batch_open(&batch, message->body, &error);

    if (read == EVENT_READ_NEWER) {
        log_error("inbox: %s: this frontend is too old for it", error);
        return; /* stays in the queue, unacknowledged */
    }
    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            handle_event(frontend, &event, raw);
        else if (read == EVENT_READ_BAD)
            bury(frontend, raw, error);
    }
    if (read == EVENT_READ_BROKEN)
        bury(frontend, message->body, error);
    bus_ack(frontend->inbox, message);
}
