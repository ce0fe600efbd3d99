#include "inbox.h"

#include "acks.h"
#include "arrival.h"
#include "base/clock.h"
#include "base/log.h"
#include "cluster/give_back.h"
#include "handover.h"
#include "resume.h"
#include "seen.h"
#include "session.h"
#include "stream.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

/* Stanzas. */

/* XEP-0203, for what was stored on its way. */
static void write_delay(struct buffer *out, const struct event *event,
                        struct slice domain)
{
    char stamp[CLOCK_STAMP_SIZE];

    clock_format_stamp(event->stamp, stamp);
    buffer_append(out, event->payload);
    buffer_append_text(out, "<delay xmlns='" NS_DELAY "'");
    xml_write_attribute(out, "from", domain);
    xml_write_attribute(out, "stamp", slice_of(stamp));
    buffer_append_text(out, "/>");
}

void to_client_write(const struct session *session, const struct event *event)
{
    struct connection *connection = session->connection;
    struct buffer *out = connection_output(connection);
    struct stanza_head head = {
        .kind = event->kind,
        .type = event->subtype,
        .id = event->id,
        .from = event->from,
        .to = event->to,
        .lang = event->lang,
        .extra = event->extra,
    };
    struct buffer delayed = BUFFER_EMPTY;

    if (!event->stamp) {
        stanza_write(out, &head, event->payload);
        return;
    }
    write_delay(&delayed, event, frontend_domain(connection->frontend));
    stanza_write(out, &head, buffer_slice(&delayed));
    buffer_deinit(&delayed);
}

void to_client_give(struct session *session, const struct event *event,
                    struct bus_receipt *receipt)
{
    if (session->connection)
        to_client_write(session, event);
    acks_sent(session, event, receipt);
}

static void deliver(struct frontend *frontend, const struct event *event,
                    struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, event->session);

    if (!session && arrival_expects(frontend, event->session)) {
        arrival_stanza(frontend, event, receipt);
    } else if (!session || !session->is_bound || session->handover) {
        give_back(event, slice_of(daemon_node(frontend->daemon)),
                  &frontend->output); /* delivery did not know yet */
    } else if (event->kind != STANZA_PRESENCE &&
               seen_is_repeat(&session->seen, event)) {
        acks_sent_again(session, event, receipt);
    } else {
        to_client_give(session, event, receipt);
    }
}

/* Sessions. */

static void answer_fence(struct frontend *frontend, const struct event *fence,
                         const char *condition)
{
    fence_answer(fence, slice_of(daemon_node(frontend->daemon)), condition,
                 &frontend->output);
}

/* Bound for a client that has left meanwhile. */
static void close_unknown(struct frontend *frontend, const struct event *bound)
{
    struct event event;

    if (slice_is_set(bound->condition))
        return;
    event_init(&event, EVENT_SESSION_CLOSE);
    event.from = bound->to;
    event.session = bound->session;
    event.node = slice_of(daemon_node(frontend->daemon));
    output_to_user(&frontend->output, SERVICE_DELIVERY, event.from, &event);
}

static void session_bound(struct frontend *frontend, const struct event *event,
                          struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, event->session);

    (void)receipt;
    if (session && session->connection)
        bind_answered(session->connection, event);
    else if (!session)
        close_unknown(frontend, event);
}

static enum stream_error find_stream_error(struct slice name)
{
    for (int error = STREAM_ERROR_NONE + 1; error < STREAM_ERROR_COUNT;
         error++) {
        if (slice_is(name, stream_error_name((enum stream_error)error)))
            return (enum stream_error)error;
    }
    return STREAM_ERROR_RESET;
}

static void session_kick(struct frontend *frontend, const struct event *event,
                         struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, event->session);
    struct connection *connection = session ? session->connection : NULL;

    (void)receipt;
    if (!session) {
        arrival_kicked(frontend, event->session);
        answer_fence(frontend, event, "item-not-found");
        return;
    }
    session_end_for(session, event);
    if (connection)
        stream_fail(connection, find_stream_error(event->condition),
                    "by the order of delivery");
}

static void session_fence(struct frontend *frontend, const struct event *event,
                          struct bus_receipt *receipt)
{
    (void)receipt;
    answer_fence(frontend, event, "here");
}

static const struct {
    enum event_type type;
    void (*handle)(struct frontend *frontend, const struct event *event,
                   struct bus_receipt *receipt);
} handlers[] = {
    {EVENT_STANZA_DELIVER, deliver},
    {EVENT_SESSION_BOUND, session_bound},
    {EVENT_SESSION_KICK, session_kick},
    {EVENT_SESSION_FENCE, session_fence},
    {EVENT_SESSION_RESUMED, resume_refused},
    {EVENT_SESSION_MOVE, handover_begin},
    {EVENT_SESSION_UNACKED, arrival_stanza},
    {EVENT_SESSION_TRANSFER, arrival_complete},
};

bool to_client(struct frontend *frontend, const struct event *event,
               struct bus_receipt *receipt, const char **reason_out)
{
    for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
        if (handlers[i].type != event->type)
            continue;
        handlers[i].handle(frontend, event, receipt);
        return true;
    }
    *reason_out = "not an event for a frontend";
    return false;
}
