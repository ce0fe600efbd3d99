#include "arrival.h"

#include "acks.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/give_back.h"
#include "drain.h"
#include "ended.h"
#include "handover.h"
#include "inbox.h"
#include "resume.h"
#include "seen.h"
#include "unacked.h"
#include "xmpp/jid.h"

/* Nobody is left who could send the rest. */
enum { AGE_MAX_MS = 10 * 60 * 1000 };

struct arrival {
    uint64_t since_ms;
    uint64_t request;             /* of the move that `unacked` is of */
    uint64_t positions;           /* of these, seen so far */
    struct unacked_queue unacked; /* from who had it */
    struct unacked_queue early;   /* newer: from services, straight to here */
    bool is_overfull;             /* some that came early is not here */
    struct buffer kick;           /* session.kick that waits, or empty */
};

static struct arrival *find(const struct frontend *frontend, uint64_t session)
{
    return map_find(frontend->arrivals, map_key_u64(&session));
}

static struct arrival *get(struct frontend *frontend, uint64_t session)
{
    struct arrival *arrival = find(frontend, session);

    if (arrival)
        return arrival;
    arrival = memory_new(sizeof(*arrival));
    arrival->since_ms = clock_now_ms();
    unacked_init(&arrival->unacked);
    unacked_init(&arrival->early);
    map_put(frontend->arrivals, map_key_u64(&session), arrival);
    return arrival;
}

static void arrival_free(struct arrival *arrival)
{
    unacked_clear(&arrival->unacked);
    unacked_clear(&arrival->early);
    buffer_deinit(&arrival->kick);
    memory_free(&arrival);
}

/* What came early is known to nobody else. */
static void give_up(struct frontend *frontend, struct arrival *arrival)
{
    struct event kick;
    const char *error;

    unacked_give_back(&arrival->early, frontend);
    if (arrival->kick.size) {
        BUG_ON(!event_decode(buffer_slice(&arrival->kick), &kick, &error));
        fence_answer(&kick, slice_of(daemon_node(frontend->daemon)),
                     "item-not-found", &frontend->output);
        frontend_publish(frontend);
    }
    arrival_free(arrival);
}

void arrival_forget(struct frontend *frontend, uint64_t session,
                    uint64_t request)
{
    struct arrival *arrival = find(frontend, session);

    if (!arrival || (arrival->request && arrival->request != request))
        return;
    map_remove(frontend->arrivals, map_key_u64(&session));
    give_up(frontend, arrival);
}

void arrivals_tick(struct frontend *frontend, uint64_t now_ms)
{
    size_t position = 0;
    struct slice key;
    void *value;

    while (map_next(frontend->arrivals, &position, &key, &value)) {
        struct arrival *arrival = value;

        if (now_ms < arrival->since_ms + AGE_MAX_MS)
            continue;
        map_remove(frontend->arrivals, key);
        give_up(frontend, arrival);
    }
}

void arrivals_drop(struct frontend *frontend)
{
    size_t position = 0;
    struct slice key;
    void *arrival;

    while (map_next(frontend->arrivals, &position, &key, &arrival))
        arrival_free(arrival);
    map_destroy(&frontend->arrivals);
}

/* On the way. */

bool arrival_expects(const struct frontend *frontend, uint64_t session)
{
    return find(frontend, session) || resume_is_awaited(frontend, session);
}

void arrival_expected(struct frontend *frontend, const struct event *event,
                      struct bus_receipt *receipt)
{
    (void)receipt;
    if (session_find(frontend, event->session))
        return;
    get(frontend, event->session);
    resume_expected(frontend, event->session);
}

/* A new move begins anew; what is published twice is known by its place. */
static bool is_next(struct arrival *arrival, const struct event *unacked)
{
    if (unacked->request < arrival->request)
        return false;
    if (unacked->request > arrival->request) {
        unacked_clear(&arrival->unacked);
        arrival->request = unacked->request;
        arrival->positions = 0;
    }
    if (unacked->mark < arrival->positions)
        return false;
    arrival->positions = unacked->mark + 1;
    return true;
}

void arrival_unacked(struct frontend *frontend, const struct event *event,
                     struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, event->session);
    struct arrival *arrival;

    if (session) { /* handed out again by the broker */
        acks_sent_again(session, event, receipt);
        return;
    }
    arrival = get(frontend, event->session);
    if (is_next(arrival, event))
        unacked_add(&arrival->unacked, event, receipt, true);
    else if (event->request == arrival->request)
        unacked_again(&arrival->unacked, event, receipt);
}

void arrival_early(struct frontend *frontend, const struct event *event,
                   struct bus_receipt *receipt)
{
    struct arrival *arrival = get(frontend, event->session);

    arrival->is_overfull |=
        unacked_is_over_limit(&arrival->early, &frontend->config);
    if (arrival->is_overfull)
        give_back(event, slice_of(daemon_node(frontend->daemon)),
                  &frontend->output);
    else
        unacked_add(&arrival->early, event, receipt, true);
}

bool arrival_kick(struct frontend *frontend, const struct event *kick)
{
    struct arrival *arrival = find(frontend, kick->session);

    if (!arrival)
        return false;
    buffer_clear(&arrival->kick);
    event_encode(&arrival->kick, kick);
    return true;
}

/* Complete. */

static struct session *make(struct frontend *frontend,
                            const struct event *transfer,
                            struct arrival *arrival)
{
    struct session *session =
        session_create_detached(frontend, transfer->session, transfer->from);

    session_note_presence(session, transfer);
    session->is_interested = transfer->is_interested;
    session->since = transfer->stamp;
    session->move = transfer->request;
    directed_read(&session->directed, transfer->names);
    session->seen = seen_read(transfer->window);
    acks_take_over(session, transfer, &arrival->unacked);
    return session;
}

void arrival_report(struct session *session, uint64_t request)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event;

    session_event_init(&event, EVENT_SESSION_FENCED, session);
    session_describe(session, &event, &names);
    event.request = request;
    event.mark = session->move;
    event.condition = SLICE("moved");
    output_to_user(&session->frontend->output, SERVICE_DELIVERY,
                   session_bare(session), &event);
    buffer_deinit(&names);
}

/* Held from now on by the session. */
static void give(void *argument, const struct event *event,
                 struct bus_receipt *receipt)
{
    struct session *session = argument;

    if (event->kind == STANZA_PRESENCE ||
        !seen_is_repeat(&session->seen, event))
        to_client_give(session, event, receipt);
    else if (receipt)
        acks_sent_again(session, event, receipt);
}

static void end_for_kick(struct session *session, const struct arrival *arrival)
{
    struct event kick;
    const char *error;

    BUG_ON(!event_decode(buffer_slice(&arrival->kick), &kick, &error));
    session_end_for(session, &kick);
}

/* With what came early, which is given back with the rest; before the fence is
 * answered, if delivery wants the end. */
static void end_here(struct session *session, struct arrival *arrival)
{
    unacked_each(&arrival->early, give, session);
    if (arrival->kick.size)
        end_for_kick(session, arrival);
    else
        session_end(session, true, "too much came while it was on its way");
}

/* Its client may wait, whose count may be wrong, and that is its end, too; or
 * we are stopping. */
static void begin_here(struct session *session, struct arrival *arrival)
{
    struct frontend *frontend = session->frontend;
    uint64_t id = session->id;

    resume_settled(session);
    if (!session_find(frontend, id)) {
        ended_add(frontend, &arrival->early, NULL);
        return;
    }
    unacked_each(&arrival->early, give, session);
    if (!session->connection)
        drain_session(session);
}

static void arrive(struct frontend *frontend, const struct event *transfer,
                   struct arrival *arrival)
{
    struct session *session = make(frontend, transfer, arrival);

    log_info("session %s: handed over to here", session->full);
    CRASH_POINT(ARRIVED);
    arrival_report(session, transfer->request);
    if (arrival->kick.size || arrival->is_overfull)
        end_here(session, arrival);
    else
        begin_here(session, arrival);
}

/* It came twice if it is here, or was here and has gone on. */
void arrival_complete(struct frontend *frontend, const struct event *transfer,
                      struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, transfer->session);
    struct arrival *arrival;

    (void)receipt;
    if (session) {
        arrival_report(session, transfer->request);
        return;
    }
    if (handover_is_older(frontend, transfer))
        return;
    arrival = get(frontend, transfer->session);
    map_remove(frontend->arrivals, map_key_u64(&transfer->session));
    arrive(frontend, transfer, arrival);
    arrival_free(arrival);
}
