#include "acks.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus.h"
#include "cluster/give_back.h"
#include "inbox.h"
#include "session.h"
#include "stream.h"
#include "xmpp/namespaces.h"
#include "xmpp/tag.h"

enum {
    CUSTODY_MS = 2000,
    CUSTODY_PAUSE_MS = 100, /* between takings of everything */
};

/* A stanza the client has not acknowledged. */
struct unacked {
    STAILQ_ENTRY(unacked) link;
    struct bus_receipt *receipt; /* held open; NULL: made here, or released */
    uint64_t origin, sequence;   /* the event's id */
    uint64_t sent_ms;
    bool is_message;    /* with content: must not be lost */
    bool is_in_custody; /* the archive has it too */
    size_t size;
    char event[]; /* encoded; empty: nobody would miss it */
};

/* What was received up to here; settled when all that follows is confirmed. */
struct mark {
    LIST_ENTRY(mark) all;
    STAILQ_ENTRY(mark) link;
    struct acks *acks; /* NULL: the session is over */
    uint32_t received;
    bool is_settled;
};

struct acks {
    STAILQ_ENTRY(acks) ended_link;
    struct session *session; /* NULL: it is over */
    /* Towards the client; all counts modulo 2^32 (XEP-0198 4). */
    uint32_t received;  /* stanzas handled */
    uint32_t marked;    /* of these, published with a mark */
    uint32_t confirmed; /* of these, all confirmed: h */
    bool is_answer_due; /* asked while some were not */
    STAILQ_HEAD(mark_queue, mark) marks;
    /* Towards us. */
    uint32_t acknowledged; /* the client's h */
    size_t count;          /* unacknowledged */
    size_t bytes;
    uint64_t request_ms; /* 0: none is awaiting an answer */
    STAILQ_HEAD(unacked_queue, unacked) unacked;
};

static struct bus *bus_of(const struct frontend *frontend)
{
    return daemon_bus(frontend->daemon);
}

/* Elements. */

static void write_failed(struct connection *connection, const char *condition)
{
    buffer_appendf(connection_output(connection),
                   "<failed xmlns='" NS_SM "'><%s xmlns='" NS_STANZA_ERRORS
                   "'/></failed>",
                   condition);
}

static void write_answer(struct acks *acks)
{
    struct connection *connection = acks->session->connection;

    acks->is_answer_due = false;
    buffer_appendf(connection_output(connection),
                   "<a xmlns='" NS_SM "' h='%" PRIu32 "'/>", acks->confirmed);
}

/* XEP-0198 3. */
static void enable(struct connection *connection)
{
    struct session *session = connection->session;
    struct acks *acks;

    if (!session || !session->is_bound || session->acks) {
        write_failed(connection, "unexpected-request");
        return;
    }
    acks = memory_new(sizeof(*acks));
    acks->session = session;
    STAILQ_INIT(&acks->marks);
    STAILQ_INIT(&acks->unacked);
    session->acks = acks;
    connection_write(connection, SLICE("<enabled xmlns='" NS_SM "'/>"));
}

/* Answered at once if all is confirmed, else when it is, within a second. */
static void answer(struct acks *acks)
{
    if (acks->confirmed == acks->received)
        write_answer(acks);
    else
        acks->is_answer_due = true;
}

/* Taken out of custody: named by its id. */
static void drop_from_archive(struct acks *acks, const struct unacked *unacked)
{
    struct frontend *frontend = acks->session->connection->frontend;
    struct output output;
    struct event event;

    event_init(&event, EVENT_ARCHIVE_DROP);
    event.to = session_bare(acks->session);
    event.origin = unacked->origin;
    event.sequence = unacked->sequence;
    daemon_output_init(frontend->daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.to, &event);
    daemon_publish(frontend->daemon, &output, NULL);
    output_deinit(&output);
}

static void release(struct unacked *unacked)
{
    if (unacked->receipt)
        bus_receipt_settle(unacked->receipt);
    unacked->receipt = NULL;
}

static struct unacked *take_first(struct acks *acks)
{
    struct unacked *unacked = STAILQ_FIRST(&acks->unacked);

    STAILQ_REMOVE_HEAD(&acks->unacked, link);
    acks->count--;
    acks->bytes -= unacked->size;
    return unacked;
}

static void forget_first(struct acks *acks)
{
    struct unacked *unacked = take_first(acks);

    if (unacked->is_in_custody)
        drop_from_archive(acks, unacked);
    release(unacked);
    memory_free(&unacked);
}

/* XEP-0198 4: more than were sent. */
static void fail_too_high(struct connection *connection, uint32_t handled)
{
    struct acks *acks = connection->session->acks;
    struct buffer detail = BUFFER_EMPTY;

    buffer_appendf(&detail,
                   "<handled-count-too-high xmlns='" NS_SM "' h='%" PRIu32
                   "' send-count='%" PRIu32 "'/>",
                   handled, acks->acknowledged + (uint32_t)acks->count);
    stream_fail_with(connection, STREAM_ERROR_UNDEFINED_CONDITION,
                     buffer_slice(&detail), "acknowledged more than was sent");
    buffer_deinit(&detail);
}

static bool read_count(const struct stanza *stanza, uint32_t *count_out)
{
    struct slice rest = stanza->extra;
    struct tag_attribute attribute;
    uint64_t count = 0;

    while (tag_next_attribute(&rest, &attribute)) {
        if (!slice_is(attribute.name, "h") || !attribute.value.size ||
            attribute.value.size > 10)
            continue;
        for (size_t i = 0; i < attribute.value.size; i++) {
            if (attribute.value.data[i] < '0' || attribute.value.data[i] > '9')
                return false;
            count = count * 10 + (unsigned)(attribute.value.data[i] - '0');
        }
        *count_out = (uint32_t)count;
        return count <= UINT32_MAX;
    }
    return false;
}

static void acknowledged(struct connection *connection,
                         const struct stanza *stanza)
{
    struct acks *acks = connection->session->acks;
    uint32_t handled;

    if (!read_count(stanza, &handled)) {
        stream_fail(connection, STREAM_ERROR_BAD_FORMAT,
                    "acknowledged without a number");
        return;
    }
    if (handled - acks->acknowledged > acks->count) {
        fail_too_high(connection, handled);
        return;
    }
    acks->request_ms = 0;
    while (acks->acknowledged != handled) {
        forget_first(acks);
        acks->acknowledged++;
    }
    if (acks->count)
        connection_output(connection); /* to ask again */
}

/* An acknowledgement without having enabled it is of no use to anybody. */
void acks_element(struct connection *connection, const struct stanza *stanza)
{
    struct acks *acks = connection->session ? connection->session->acks : NULL;

    if (slice_is(stanza->name, "enable"))
        enable(connection);
    else if (slice_is(stanza->name, "resume"))
        write_failed(connection, connection->session ? "unexpected-request"
                                                     : "item-not-found");
    else if (slice_is(stanza->name, "r") && acks)
        answer(acks);
    else if (slice_is(stanza->name, "a") && acks)
        acknowledged(connection, stanza);
    else
        stream_fail(connection, STREAM_ERROR_UNSUPPORTED_STANZA_TYPE,
                    "stream management out of place");
}

/* Received. */

void acks_received(struct connection *connection)
{
    if (connection->session && connection->session->acks)
        connection->session->acks->received++;
}

static void mark_free(struct mark *mark)
{
    LIST_REMOVE(mark, all);
    memory_free(&mark);
}

static void on_settled(void *argument)
{
    struct mark *mark = argument;
    struct acks *acks = mark->acks;

    mark->is_settled = true;
    if (!acks) {
        mark_free(mark);
        return;
    }
    while ((mark = STAILQ_FIRST(&acks->marks)) && mark->is_settled) {
        STAILQ_REMOVE_HEAD(&acks->marks, link);
        acks->confirmed = mark->received;
        mark_free(mark);
    }
    if (acks->is_answer_due && acks->confirmed == acks->received)
        write_answer(acks);
}

void acks_publish(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    struct acks *acks = connection->session ? connection->session->acks : NULL;
    struct bus_receipt *receipt;
    struct mark *mark;

    if (!acks || acks->marked == acks->received) {
        frontend_publish(frontend);
        return;
    }
    mark = memory_new(sizeof(*mark));
    mark->acks = acks;
    mark->received = acks->marked = acks->received;
    LIST_INSERT_HEAD(&frontend->marks, mark, all);
    STAILQ_INSERT_TAIL(&acks->marks, mark, link);
    receipt = bus_receipt_create(bus_of(frontend), on_settled, mark);
    daemon_publish(frontend->daemon, &frontend->output, receipt);
    bus_receipt_seal(receipt);
}

/* Sent. */

/* What is to be given back if the client does not get it. */
static bool is_missed(const struct event *event)
{
    return (event->kind == STANZA_MESSAGE && event->is_durable) ||
           (event->kind == STANZA_IQ && (slice_is(event->subtype, "get") ||
                                         slice_is(event->subtype, "set")));
}

static struct unacked *unacked_new(const struct event *event)
{
    static struct buffer encoded; /* kept for the next */
    struct unacked *unacked;

    buffer_clear(&encoded);
    if (event && is_missed(event))
        event_encode(&encoded, event);
    unacked = memory_new(sizeof(*unacked) + encoded.size);
    unacked->size = encoded.size;
    if (encoded.size)
        memcpy(unacked->event, encoded.data, encoded.size);
    if (event) {
        unacked->origin = event->origin;
        unacked->sequence = event->sequence;
        unacked->is_message = event->kind == STANZA_MESSAGE && encoded.size;
    }
    return unacked;
}

void acks_sent(struct session *session, const struct event *event,
               struct bus_receipt *receipt)
{
    struct acks *acks = session->acks;
    struct unacked *unacked;

    if (!acks)
        return;
    unacked = unacked_new(event);
    unacked->sent_ms = clock_now_ms();
    if (receipt && unacked->size) {
        bus_receipt_hold(receipt);
        unacked->receipt = receipt;
    }
    STAILQ_INSERT_TAIL(&acks->unacked, unacked, link);
    acks->count++;
    acks->bytes += unacked->size;
}

void acks_sent_again(struct session *session, const struct event *event,
                     struct bus_receipt *receipt)
{
    struct unacked *unacked;

    if (!session->acks)
        return;
    STAILQ_FOREACH (unacked, &session->acks->unacked, link) {
        if (!unacked->receipt || unacked->origin != event->origin ||
            unacked->sequence != event->sequence)
            continue;
        bus_receipt_hold(receipt);
        release(unacked);
        unacked->receipt = receipt;
        return;
    }
}

void acks_request(struct connection *connection)
{
    struct acks *acks = connection->session ? connection->session->acks : NULL;

    if (!acks || !acks->count || acks->request_ms ||
        connection->state != STREAM_STATE_BOUND)
        return;
    acks->request_ms = clock_now_ms();
    buffer_append_text(&connection->output, "<r xmlns='" NS_SM "'/>");
}

/* Time. */

/* Confirmed by the archive, it lets the inbox's message go. */
static void take_custody(struct acks *acks, struct unacked *unacked)
{
    struct frontend *frontend = acks->session->connection->frontend;
    struct slice encoded = {unacked->event, unacked->size};
    struct output output;
    struct event stanza;
    struct event event;
    const char *error;

    BUG_ON(!event_decode(encoded, &stanza, &error));
    event_copy_as(&event, EVENT_ARCHIVE_STORE, &stanza);
    event.to = session_bare(acks->session);
    event.by = SLICE_NONE;
    event.epoch = 0;
    event.mark = 0; /* delivery does not wait for it */
    if (!event.stamp)
        event.stamp = clock_unix_ms();
    daemon_output_init(frontend->daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.to, &event);
    daemon_publish(frontend->daemon, &output, unacked->receipt);
    output_deinit(&output);
    unacked->is_in_custody = true;
}

static void release_old(struct acks *acks, uint64_t now_ms, uint64_t age_ms)
{
    struct unacked *unacked;

    STAILQ_FOREACH (unacked, &acks->unacked, link) {
        if (now_ms - unacked->sent_ms < age_ms)
            return;
        if (!unacked->receipt)
            continue;
        if (unacked->is_message)
            take_custody(acks, unacked);
        release(unacked);
    }
}

/* The clock stands still while the broker is away, and while we do not read. */
static bool is_silent(struct connection *connection, uint64_t now_ms)
{
    struct frontend *frontend = connection->frontend;
    struct acks *acks = connection->session->acks;

    if (!acks->request_ms)
        return false;
    if (connection->is_parked || connection->is_throttled ||
        !bus_is_connected(bus_of(frontend)))
        acks->request_ms = now_ms;
    return now_ms - acks->request_ms >= frontend->config.ack_timeout;
}

void acks_tick(struct connection *connection, uint64_t now_ms)
{
    struct acks *acks = connection->session ? connection->session->acks : NULL;
    uint64_t limit = connection->frontend->config.max_unacked;

    if (!acks)
        return;
    if (acks->is_answer_due)
        write_answer(acks);
    release_old(acks, now_ms, CUSTODY_MS);
    if (is_silent(connection, now_ms))
        stream_lost(connection, "does not acknowledge");
    else if (acks->count > limit)
        stream_fail(connection, STREAM_ERROR_RESOURCE_CONSTRAINT,
                    "leaves too many stanzas unacknowledged");
}

/* The end. */

static void give_one_back(struct frontend *frontend, struct unacked *unacked)
{
    struct slice encoded = {unacked->event, unacked->size};
    struct output output;
    struct event event;
    const char *error;

    if (!unacked->size || unacked->is_in_custody)
        return;
    BUG_ON(!event_decode(encoded, &event, &error));
    daemon_output_init(frontend->daemon, &output);
    give_back(&event, SLICE_NONE, &output);
    daemon_publish(frontend->daemon, &output, unacked->receipt);
    output_deinit(&output);
}

static void give_all_back(struct frontend *frontend, struct acks *acks)
{
    while (!STAILQ_EMPTY(&acks->unacked)) {
        struct unacked *unacked = take_first(acks);

        give_one_back(frontend, unacked);
        release(unacked);
        memory_free(&unacked);
    }
}

void acks_end(struct session *session)
{
    struct frontend *frontend = session->connection->frontend;
    struct acks *acks = session->acks;
    struct mark *mark;

    if (!acks)
        return;
    STAILQ_FOREACH (mark, &acks->marks, link)
        mark->acks = NULL;
    acks->session = NULL;
    session->acks = NULL;
    STAILQ_INSERT_TAIL(&frontend->ended, acks, ended_link);
}

static void take_all(struct frontend *frontend)
{
    uint64_t now_ms = clock_now_ms();
    struct connection *connection;

    if (!inbox_is_half_full(frontend->inbox) ||
        now_ms - frontend->custody_ms < CUSTODY_PAUSE_MS)
        return;
    frontend->custody_ms = now_ms;
    TAILQ_FOREACH (connection, &frontend->connections, all) {
        if (connection->session && connection->session->acks)
            release_old(connection->session->acks, now_ms, 0);
    }
}

void acks_give_back(struct frontend *frontend)
{
    struct acks *acks;

    while ((acks = STAILQ_FIRST(&frontend->ended))) {
        STAILQ_REMOVE_HEAD(&frontend->ended, ended_link);
        give_all_back(frontend, acks);
        memory_free(&acks);
    }
    take_all(frontend);
}

void acks_deinit(struct frontend *frontend)
{
    struct mark *mark;

    acks_give_back(frontend);
    while ((mark = LIST_FIRST(&frontend->marks)))
        mark_free(mark);
}
