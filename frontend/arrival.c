#include "arrival.h"

#include "acks.h"
#include "base/log.h"
#include "base/memory.h"
#include "drain.h"
#include "inbox.h"
#include "resume.h"
#include "seen.h"
#include "unacked.h"
#include "xmpp/jid.h"

enum { EARLY_MAX = 1000 };

struct arrival {
    struct unacked_queue unacked; /* from who had it */
    struct unacked_queue early;   /* newer: from services, straight to here */
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
    unacked_init(&arrival->unacked);
    unacked_init(&arrival->early);
    map_put(frontend->arrivals, map_key_u64(&session), arrival);
    return arrival;
}

static void arrival_free(struct arrival *arrival)
{
    unacked_clear(&arrival->unacked);
    unacked_clear(&arrival->early);
    memory_free(&arrival);
}

void arrival_forget(struct frontend *frontend, uint64_t session)
{
    struct arrival *arrival =
        map_remove(frontend->arrivals, map_key_u64(&session));

    if (!arrival)
        return;
    unacked_give_back(&arrival->early, frontend);
    arrival_free(arrival);
}

void arrival_kicked(struct frontend *frontend, uint64_t session)
{
    struct arrival *arrival = find(frontend, session);

    if (!arrival)
        return;
    unacked_give_back(&arrival->early, frontend);
    if (!arrival->unacked.count)
        arrival_forget(frontend, session);
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

bool arrival_expects(const struct frontend *frontend, uint64_t session)
{
    return find(frontend, session) || resume_is_awaited(frontend, session);
}

/* The broker hands it out again: its session is here already. */
static void came_again(struct session *session, const struct event *event,
                       struct bus_receipt *receipt)
{
    if (!slice_is(event->condition, "custody"))
        acks_sent_again(session, event, receipt);
}

/* Of one that comes early nothing must be lost but by our own death, which its
 * session does not survive anyhow: its message is not held. */
void arrival_stanza(struct frontend *frontend, const struct event *event,
                    struct bus_receipt *receipt)
{
    struct session *session = session_find(frontend, event->session);
    struct arrival *arrival;

    if (session) {
        came_again(session, event, receipt);
        return;
    }
    arrival = get(frontend, event->session);
    if (event->type == EVENT_SESSION_UNACKED)
        unacked_add(&arrival->unacked, event, receipt, true);
    else if (arrival->early.count < EARLY_MAX)
        unacked_add(&arrival->early, event, NULL, true);
}

/* Complete. */

static void fill_directed(struct session *session, struct slice names)
{
    struct event_list list;
    struct slice name;

    event_list_open(&list, names);
    while (event_list_next(&list, &name)) {
        if (!session_note_directed(session, name, true))
            return;
    }
}

static struct session *make(struct frontend *frontend,
                            const struct event *transfer,
                            struct arrival *arrival)
{
    struct session *session =
        session_create_detached(frontend, transfer->session, transfer->from);

    session_note_presence(session, transfer);
    session->was_available |= transfer->is_first;
    session->is_interested = transfer->is_interested;
    session->since = transfer->stamp;
    fill_directed(session, transfer->names);
    session->seen = seen_read(transfer->window);
    acks_take_over(session, transfer, &arrival->unacked);
    return session;
}

void arrival_report(struct session *session, uint64_t request)
{
    struct event event;

    session_event_init(&event, EVENT_SESSION_FENCED, session);
    session_describe(session, &event);
    event.request = request;
    event.condition = SLICE("moved");
    output_to_user(&session->frontend->output, SERVICE_DELIVERY,
                   session_bare(session), &event);
}

/* It may have been given out where the session was, or have come twice. */
static void give(void *argument, const struct event *event)
{
    struct session *session = argument;

    if (event->kind == STANZA_PRESENCE ||
        !seen_is_repeat(&session->seen, event))
        to_client_give(session, event, NULL);
}

/* What came early is the last of what its client lacks.  The session may end in
 * being resumed. */
static void begin_here(struct session *session, struct arrival *arrival)
{
    struct frontend *frontend = session->frontend;
    uint64_t id = session->id;

    log_info("session %s: handed over to here", session->full);
    unacked_each(&arrival->early, give, session);
    resume_settled(session);
    session = session_find(frontend, id);
    if (session && !session->connection)
        drain_session(session); /* on to the next, if we are stopping */
}

void arrival_complete(struct frontend *frontend, const struct event *transfer,
                      struct bus_receipt *receipt)
{
    struct arrival *arrival = get(frontend, transfer->session);
    struct session *session = session_find(frontend, transfer->session);

    (void)receipt;
    map_remove(frontend->arrivals, map_key_u64(&transfer->session));
    if (!session) {
        session = make(frontend, transfer, arrival);
        arrival_report(session, transfer->request);
        begin_here(session, arrival);
    } else {
        arrival_report(session, transfer->request); /* it came twice */
    }
    arrival_free(arrival);
}
