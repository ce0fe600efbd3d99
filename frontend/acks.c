#include "acks.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cluster/bus.h"
#include "ended.h"
#include "handover.h"
#include "inbox.h"
#include "received.h"
#include "resume.h"
#include "stream.h"
#include "unacked.h"
#include "xmpp/namespaces.h"
#include "xmpp/tag.h"

enum {
    CUSTODY_MS = 2000,
    CUSTODY_PAUSE_MS = 100, /* between takings of everything */
};

struct acks {
    struct session *session;
    bool is_resumable;
    /* Towards the client. */
    struct received received;
    bool is_answer_due; /* asked while some were not confirmed */
    /* Towards us. */
    uint32_t acknowledged; /* the client's h, modulo 2^32 (XEP-0198 4) */
    uint64_t request_ms;   /* 0: none is awaiting an answer */
    struct unacked_queue unacked;
};

static struct bus *bus_of(const struct frontend *frontend)
{
    return daemon_bus(frontend->daemon);
}

static struct acks *acks_of(const struct connection *connection)
{
    return connection->session ? connection->session->acks : NULL;
}

static void write_answer(struct acks *acks)
{
    struct connection *connection = acks->session->connection;

    acks->is_answer_due = false;
    buffer_appendf(connection_output(connection),
                   "<a xmlns='" NS_SM "' h='%" PRIu32 "'/>",
                   acks->received.confirmed);
}

static void on_all_confirmed(void *argument)
{
    struct acks *acks = argument;

    if (acks->is_answer_due)
        write_answer(acks);
    resume_settled(acks->session);
}

static struct acks *acks_new(struct session *session, bool is_resumable)
{
    struct acks *acks = memory_new(sizeof(*acks));

    acks->is_resumable = is_resumable;
    received_init(&acks->received, on_all_confirmed, acks);
    unacked_init(&acks->unacked);
    acks->session = session;
    session->acks = acks;
    return acks;
}

/* Elements. */

void acks_write_failed(struct connection *connection, const char *condition,
                       uint64_t handled)
{
    struct buffer *output = connection_output(connection);

    buffer_append_text(output, "<failed xmlns='" NS_SM "'");
    if (handled)
        buffer_appendf(output, " h='%" PRIu64 "'", handled);
    buffer_appendf(output, "><%s xmlns='" NS_STANZA_ERRORS "'/></failed>",
                   condition);
}

static bool find_attribute(const struct stanza *stanza, const char *name,
                           struct slice *value_out)
{
    struct slice rest = stanza->extra;
    struct tag_attribute attribute;

    while (tag_next_attribute(&rest, &attribute)) {
        if (!slice_is(attribute.name, name))
            continue;
        *value_out = attribute.value;
        return true;
    }
    return false;
}

static void write_enabled(struct connection *connection)
{
    struct session *session = connection->session;
    char token[TOKEN_BYTES];

    if (!session->acks->is_resumable) {
        connection_write(connection, SLICE("<enabled xmlns='" NS_SM "'/>"));
        return;
    }
    buffer_appendf(connection_output(connection),
                   "<enabled xmlns='" NS_SM
                   "' id='%s' resume='true' max='%" PRIu64 "'/>",
                   resume_token(session, token),
                   connection->frontend->config.resume_timeout / 1000);
}

/* XEP-0198 3. */
static void enable(struct connection *connection, const struct stanza *stanza)
{
    struct session *session = connection->session;
    struct slice resume = SLICE_NONE;

    if (!session || !session->is_bound || session->acks) {
        acks_write_failed(connection, "unexpected-request", 0);
        return;
    }
    find_attribute(stanza, "resume", &resume);
    acks_new(session, connection->frontend->config.resume_timeout > 0 &&
                          (slice_is(resume, "true") || slice_is(resume, "1")));
    write_enabled(connection);
}

/* Answered at once if all is confirmed, else when it is, within a second. */
static void answer(struct acks *acks)
{
    if (received_is_confirmed(&acks->received))
        write_answer(acks);
    else
        acks->is_answer_due = true;
}

/* XEP-0198 4: more than were sent. */
static void fail_too_high(struct connection *connection, uint32_t handled)
{
    struct acks *acks = connection->session->acks;
    struct buffer detail = BUFFER_EMPTY;

    buffer_appendf(&detail,
                   "<handled-count-too-high xmlns='" NS_SM "' h='%" PRIu32
                   "' send-count='%" PRIu32 "'/>",
                   handled, acks->acknowledged + (uint32_t)acks->unacked.count);
    stream_fail_with(connection, STREAM_ERROR_UNDEFINED_CONDITION,
                     buffer_slice(&detail), "acknowledged more than was sent");
    buffer_deinit(&detail);
}

bool acks_read_count(const struct stanza *stanza, uint32_t *count_out)
{
    struct slice value;
    uint64_t count = 0;

    if (!find_attribute(stanza, "h", &value) || !value.size || value.size > 10)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        count = count * 10 + (unsigned)(value.data[i] - '0');
    }
    *count_out = (uint32_t)count;
    return count <= UINT32_MAX;
}

/* False: more than were sent. */
static bool note_handled(struct acks *acks, uint32_t handled)
{
    if (handled - acks->acknowledged > acks->unacked.count)
        return false;
    acks->request_ms = 0;
    while (acks->acknowledged != handled) {
        unacked_acknowledged(&acks->unacked, acks->session);
        acks->acknowledged++;
    }
    return true;
}

static void acknowledged(struct connection *connection,
                         const struct stanza *stanza)
{
    struct acks *acks = connection->session->acks;
    uint32_t handled;

    if (!acks_read_count(stanza, &handled))
        stream_fail(connection, STREAM_ERROR_BAD_FORMAT,
                    "acknowledged without a number");
    else if (!note_handled(acks, handled))
        fail_too_high(connection, handled);
    else if (acks->unacked.count)
        connection_output(connection); /* to ask again */
}

/* An acknowledgement without having enabled it is of no use to anybody. */
void acks_element(struct connection *connection, const struct stanza *stanza)
{
    struct acks *acks = acks_of(connection);

    if (slice_is(stanza->name, "enable"))
        enable(connection, stanza);
    else if (slice_is(stanza->name, "resume"))
        resume_request(connection, stanza);
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
    struct acks *acks = acks_of(connection);

    if (acks)
        acks->received.count++;
}

void acks_publish(struct connection *connection)
{
    struct acks *acks = acks_of(connection);

    if (acks)
        received_publish(&acks->received, connection->frontend);
    else
        frontend_publish(connection->frontend);
}

/* Sent. */

void acks_sent(struct session *session, const struct event *event,
               struct bus_receipt *receipt)
{
    struct acks *acks = session->acks;

    if (acks)
        unacked_add(&acks->unacked, event, receipt, acks->is_resumable);
}

void acks_sent_again(struct session *session, const struct event *event,
                     struct bus_receipt *receipt)
{
    if (session->acks)
        unacked_again(&session->acks->unacked, event, receipt);
}

static void request(struct acks *acks, uint64_t now_ms, struct buffer *out)
{
    acks->request_ms = now_ms;
    buffer_append_text(out, "<r xmlns='" NS_SM "'/>");
}

void acks_request(struct connection *connection)
{
    struct acks *acks = acks_of(connection);

    if (!acks || !acks->unacked.count || acks->request_ms ||
        connection->state != STREAM_STATE_BOUND)
        return;
    request(acks, clock_now_ms(), &connection->output);
}

bool acks_probe(struct connection *connection, uint64_t now_ms)
{
    struct acks *acks = acks_of(connection);

    if (acks && !acks->request_ms)
        request(acks, now_ms, connection_output(connection));
    return acks;
}

/* Time. */

/* The clock stands still while the broker is away, and while we do not read. */
static bool is_silent(const struct connection *connection, uint64_t now_ms)
{
    struct frontend *frontend = connection->frontend;
    struct acks *acks = connection->session->acks;

    if (!acks->request_ms)
        return false;
    if (connection->is_parked || connection->is_throttled ||
        !bus_is_connected(bus_of(frontend)))
        acks->request_ms = now_ms;
    return now_ms >= acks->request_ms + frontend->config.ack_timeout;
}

static bool is_over_limit(const struct acks *acks)
{
    return unacked_is_over_limit(&acks->unacked,
                                 &acks->session->frontend->config);
}

static void tick_attached(struct acks *acks, struct connection *connection,
                          uint64_t now_ms)
{
    if (acks->is_answer_due || connection->is_parked)
        write_answer(acks); /* what it asks now is not read for a while */
    unacked_release(&acks->unacked, acks->session, now_ms, CUSTODY_MS);
    if (is_silent(connection, now_ms))
        stream_lost(connection, "does not acknowledge");
    else if (is_over_limit(acks))
        stream_fail(connection, STREAM_ERROR_RESOURCE_CONSTRAINT,
                    "leaves too many stanzas unacknowledged");
}

/* What has been sent to another frontend says whether it is in custody; what
 * changed afterwards would not be known there.  Its confirm lets go as well. */
static void take_custody(const struct session *session, uint64_t now_ms)
{
    if (!handover_is_sent(session))
        unacked_release(&session->acks->unacked, session, now_ms, 0);
}

void acks_tick(struct session *session, uint64_t now_ms)
{
    struct acks *acks = session->acks;

    if (!acks)
        return;
    if (session->connection) {
        tick_attached(acks, session->connection, now_ms);
        return;
    }
    take_custody(session, now_ms);
    if (is_over_limit(acks) && !session->handover)
        session_end(session, true, "too much came while it was away");
}

void acks_end_turn(struct frontend *frontend)
{
    uint64_t now_ms = clock_now_ms();
    size_t position = 0;
    struct slice key;
    void *value;

    if (!inbox_is_half_full(frontend->inbox) ||
        now_ms - frontend->custody_ms < CUSTODY_PAUSE_MS)
        return;
    frontend->custody_ms = now_ms;
    while (map_next(frontend->sessions, &position, &key, &value)) {
        struct session *session = value;

        if (session->acks)
            take_custody(session, now_ms);
    }
}

/* Detaching and resuming. */

bool acks_is_resumable(const struct session *session)
{
    return session->acks && session->acks->is_resumable;
}

bool acks_is_settled(const struct session *session)
{
    return received_is_confirmed(&session->acks->received);
}

uint32_t acks_handled(const struct session *session)
{
    return acks_is_resumable(session) && acks_is_settled(session)
               ? session->acks->received.confirmed
               : 0;
}

void acks_detach(struct session *session)
{
    session->acks->is_answer_due = false;
    session->acks->request_ms = 0;
}

static void write_again(void *argument, const struct event *event,
                        struct bus_receipt *receipt)
{
    struct session *session = argument;

    (void)receipt;
    to_client_write(session, event);
}

static void write_all_again(struct session *session)
{
    unacked_each(&session->acks->unacked, write_again, session);
    connection_grant_output(session->connection);
}

void acks_resume(struct session *session, uint32_t handled)
{
    struct connection *connection = session->connection;
    struct acks *acks = session->acks;
    char token[TOKEN_BYTES];

    buffer_appendf(connection_output(connection),
                   "<resumed xmlns='" NS_SM "' previd='%s' h='%" PRIu32 "'/>",
                   resume_token(session, token), acks->received.confirmed);
    if (!note_handled(acks, handled))
        fail_too_high(connection, handled);
    else
        write_all_again(session);
}

/* Handing over, and the end. */

void acks_fill(const struct session *session, struct event *transfer)
{
    transfer->count = session->acks->received.count;
    transfer->mark = session->acks->acknowledged;
}

const struct unacked_queue *acks_unacked(const struct session *session)
{
    return &session->acks->unacked;
}

void acks_handed_over(struct session *session)
{
    received_deinit(&session->acks->received);
    unacked_clear(&session->acks->unacked);
    memory_free(&session->acks);
}

void acks_take_over(struct session *session, const struct event *transfer,
                    struct unacked_queue *unacked)
{
    struct acks *acks = acks_new(session, true);

    received_continue(&acks->received, (uint32_t)transfer->count);
    acks->acknowledged = (uint32_t)transfer->mark;
    unacked_move(&acks->unacked, unacked);
}

void acks_end(struct session *session, const struct event *fence)
{
    received_deinit(&session->acks->received);
    ended_add(session->frontend, &session->acks->unacked, fence);
    memory_free(&session->acks);
}
