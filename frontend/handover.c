#include "handover.h"

#include <stdio.h>

#include "acks.h"
#include "arrival.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus.h"
#include "cluster/give_back.h"
#include "resume.h"
#include "seen.h"
#include "stream.h"
#include "unacked.h"

enum { SENT_KEPT_MS = 60000 };

struct handover {
    LIST_ENTRY(handover) all;
    struct frontend *frontend;
    struct session *session; /* NULL: it has ended here */
    char node[NAME_MAX_BYTES];
    uint64_t request; /* of delivery's fence */
    bool is_sent;
};

/* Sending. */

struct sending {
    const struct handover *handover;
    uint64_t position;
    struct output output;
};

static void send_unacked(void *argument, const struct event *stanza,
                         struct bus_receipt *receipt)
{
    struct sending *sending = argument;
    struct event event;

    (void)receipt;
    event_copy_as(&event, EVENT_SESSION_UNACKED, stanza);
    event.session = sending->handover->session->id;
    event.request = sending->handover->request;
    event.mark = sending->position++;
    event.by = SLICE_NONE;
    event.epoch = 0;
    output_to_inbox(&sending->output, slice_of(sending->handover->node),
                    &event);
}

static void send_session(struct sending *sending)
{
    const struct session *session = sending->handover->session;
    struct buffer names = BUFFER_EMPTY;
    struct buffer window = BUFFER_EMPTY;
    struct event event;

    session_event_init(&event, EVENT_SESSION_TRANSFER, session);
    session_describe(session, &event, &names);
    event.request = sending->handover->request;
    acks_fill(session, &event);
    seen_write(session->seen, &window);
    if (window.size)
        event.window = buffer_slice(&window);
    output_to_inbox(&sending->output, slice_of(sending->handover->node),
                    &event);
    buffer_deinit(&names);
    buffer_deinit(&window);
}

static void handover_free(struct handover *handover)
{
    LIST_REMOVE(handover, all);
    memory_free(&handover);
}

bool handover_is_sent(const struct session *session)
{
    return session->handover && session->handover->is_sent;
}

/* Handed over lately: a repeat of a move is no news, and a repeat of what
 * brought the session here is none either. */

struct sent_away {
    uint64_t at_ms;
    uint64_t request; /* of the move that took it away */
};

static struct sent_away *find_sent(const struct frontend *frontend,
                                   uint64_t session)
{
    return map_find(frontend->sent_away, map_key_u64(&session));
}

static void note_sent(const struct handover *handover)
{
    struct frontend *frontend = handover->frontend;
    uint64_t session = handover->session->id;
    struct sent_away *sent = find_sent(frontend, session);

    if (!sent) {
        sent = memory_new(sizeof(*sent));
        map_put(frontend->sent_away, map_key_u64(&session), sent);
    }
    sent->at_ms = clock_now_ms();
    sent->request = handover->request;
}

bool handover_is_older(const struct frontend *frontend,
                       const struct event *transfer)
{
    const struct sent_away *sent = find_sent(frontend, transfer->session);

    return sent && transfer->request <= sent->request;
}

void handovers_tick(struct frontend *frontend, uint64_t now_ms)
{
    size_t position = 0;
    struct slice key;
    void *value;

    while (map_next(frontend->sent_away, &position, &key, &value)) {
        struct sent_away *sent = value;

        if (now_ms < sent->at_ms + SENT_KEPT_MS)
            continue;
        map_remove(frontend->sent_away, key);
        memory_free(&sent);
    }
}

/* The other's inbox has it. */
static void on_sent(void *argument)
{
    struct handover *handover = argument;
    struct session *session = handover->session;

    CRASH_POINT(HANDED_OVER);
    if (session) {
        log_info("session %s: handed over to %s", session->full,
                 handover->node);
        note_sent(handover);
        acks_handed_over(session);
        session->handover = NULL;
        handover->frontend->handed_over++;
        session_destroy(&session);
    }
    handover_free(handover);
}

static void send_all(struct handover *handover)
{
    struct daemon *daemon = handover->frontend->daemon;
    struct bus_receipt *receipt =
        bus_receipt_create(daemon_bus(daemon), on_sent, handover);
    struct sending sending = {.handover = handover};

    handover->is_sent = true;
    daemon_output_init(daemon, &sending.output);
    unacked_each(acks_unacked(handover->session), send_unacked, &sending);
    send_session(&sending);
    daemon_publish(daemon, &sending.output, receipt);
    output_deinit(&sending.output);
    bus_receipt_seal(receipt);
    CRASH_POINT(HANDING_OVER);
}

void handover_settled(struct session *session)
{
    if (!session->handover->is_sent && !session->connection)
        send_all(session->handover);
}

/* Beginning and ending. */

static void set_move(struct handover *handover, const struct event *move)
{
    handover->request = move->request;
    snprintf(handover->node, sizeof(handover->node), "%.*s",
             SLICE_FORMAT(move->node));
}

static void begin(struct session *session, const struct event *move)
{
    struct handover *handover = memory_new(sizeof(*handover));

    resume_forget(session); /* who waits for it here does so in vain */
    handover->frontend = session->frontend;
    handover->session = session;
    set_move(handover, move);
    session->handover = handover;
    LIST_INSERT_HEAD(&session->frontend->handovers, handover, all);
    if (session->connection)
        stream_part(session->connection, STREAM_ERROR_CONFLICT,
                    "resumed on another frontend");
    if (acks_is_settled(session))
        handover_settled(session);
}

/* The same again: who has it now answers.  Another: came too late. */
static void refuse_late(struct frontend *frontend, const struct event *move,
                        uint64_t request)
{
    if (move->request != request)
        fence_answer(move, slice_of(daemon_node(frontend->daemon)),
                     "handed-over", &frontend->output);
}

/* Of two owners of the partition the later one counts. */
static void begin_or_repeat(struct session *session, const struct event *move)
{
    struct handover *handover = session->handover;

    if (!handover)
        begin(session, move);
    else if (handover->is_sent)
        refuse_late(session->frontend, move, handover->request);
    else
        set_move(handover, move);
}

void handover_begin(struct frontend *frontend, const struct event *move,
                    struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, move->session);
    const struct sent_away *sent = find_sent(frontend, move->session);
    struct slice self = slice_of(daemon_node(frontend->daemon));

    (void)receipt;
    if (!session && sent)
        refuse_late(frontend, move, sent->request);
    else if (!session || !session->is_bound || !acks_is_resumable(session))
        fence_answer(move, self, "item-not-found", &frontend->output);
    else if (slice_equal(move->node, self))
        arrival_report(session, move->request);
    else
        begin_or_repeat(session, move);
}

void handover_forget(struct session *session)
{
    struct handover *handover = session->handover;

    if (!handover)
        return;
    session->handover = NULL;
    handover->session = NULL;
    if (!handover->is_sent)
        handover_free(handover);
}

/* Their receipts go with the bus, which does not call them. */
void handovers_drop(struct frontend *frontend)
{
    struct handover *handover;

    while ((handover = LIST_FIRST(&frontend->handovers)))
        handover_free(handover);
}

void handover_offer(struct session *session, struct slice node)
{
    struct frontend *frontend = session->frontend;
    struct event event;

    event_init(&event, EVENT_SESSION_RESUME);
    event.to = session_bare(session);
    event.session = session->id;
    event.node = node;
    event.request = 0; /* nobody waits there */
    output_to_user(&frontend->output, SERVICE_DELIVERY, event.to, &event);
}
