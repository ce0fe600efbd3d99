#include "session.h"

#include <stdio.h>
#include <sys/random.h>

#include "acks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/give_back.h"
#include "resume.h"
#include "seen.h"
#include "xmpp/jid.h"

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof(*id)};
}

static uint64_t random_id(void)
{
    uint64_t id;

    BUG_ON(getrandom(&id, sizeof(id), 0) != sizeof(id));
    return id | 1;
}

static struct session *session_new(struct frontend *frontend, uint64_t id,
                                   struct slice full)
{
    struct session *session = memory_new(sizeof(*session));

    session->id = id;
    session->frontend = frontend;
    session->full = memory_copy_text(full);
    session->full_size = (uint16_t)full.size;
    session->bare_size = (uint16_t)jid_text_bare(full).size;
    session->since = clock_unix_ms();
    map_put(frontend->sessions, id_key(&session->id), session);
    return session;
}

struct session *session_create(struct connection *connection, struct slice full)
{
    struct session *session =
        session_new(connection->frontend, random_id(), full);

    session->connection = connection;
    return session;
}

struct session *session_create_detached(struct frontend *frontend, uint64_t id,
                                        struct slice full)
{
    struct session *session = session_new(frontend, id, full);

    session->is_bound = true;
    session->detached_ms = clock_now_ms();
    LIST_INSERT_HEAD(&frontend->detached, session, detached);
    return session;
}

void session_destroy(struct session **session_at)
{
    struct session *session = *session_at;

    if (!session)
        return;
    if (session->connection)
        session->connection->session = NULL;
    else
        LIST_REMOVE(session, detached);
    map_remove(session->frontend->sessions, id_key(&session->id));
    map_destroy(&session->directed);
    seen_destroy(&session->seen);
    memory_free(&session->presence);
    memory_free(&session->full);
    memory_free(&session);
    *session_at = NULL;
}

void session_detach(struct session *session)
{
    struct connection *connection = session->connection;

    acks_publish(connection);
    connection->session = NULL;
    session->connection = NULL;
    session->detached_ms = clock_now_ms();
    LIST_INSERT_HEAD(&session->frontend->detached, session, detached);
    acks_detach(session);
}

void session_attach(struct session *session, struct connection *connection)
{
    LIST_REMOVE(session, detached);
    session->connection = connection;
    connection->session = session;
}

struct session *session_find(struct frontend *frontend, uint64_t id)
{
    return map_find(frontend->sessions, id_key(&id));
}

struct slice session_full(const struct session *session)
{
    return (struct slice){session->full, session->full_size};
}

struct slice session_bare(const struct session *session)
{
    return (struct slice){session->full, session->bare_size};
}

static char *append(char *end, struct slice bytes, uint32_t *size_out)
{
    if (bytes.size)
        memcpy(end, bytes.data, bytes.size);
    *size_out = (uint32_t)bytes.size;
    return end + bytes.size;
}

void session_note_presence(struct session *session, const struct event *event)
{
    struct last_presence *presence;
    char *end;

    session->is_available = !slice_is(event->subtype, "unavailable");
    session->priority = (int16_t)event->priority;
    memory_free(&session->presence);
    if (!session->is_available)
        return;
    presence = memory_new(sizeof(*presence) + event->lang.size +
                          event->extra.size + event->payload.size);
    end = append(presence->bytes, event->lang, &presence->lang_size);
    end = append(end, event->extra, &presence->extra_size);
    append(end, event->payload, &presence->payload_size);
    session->presence = presence;
}

static struct slice take(const char **bytes, uint32_t size)
{
    struct slice taken = {size ? *bytes : NULL, size};

    *bytes += size;
    return taken;
}

void session_recall_presence(const struct session *session, struct event *event)
{
    const char *bytes;

    if (!session->presence)
        return;
    bytes = session->presence->bytes;
    event->lang = take(&bytes, session->presence->lang_size);
    event->extra = take(&bytes, session->presence->extra_size);
    event->payload = take(&bytes, session->presence->payload_size);
}

/* The end. */

void session_event_init(struct event *event, enum event_type type,
                        const struct session *session)
{
    struct frontend *frontend = session->frontend;

    event_init(event, type);
    event->from = session_full(session);
    event->session = session->id;
    event->node = slice_of(daemon_node(frontend->daemon));
}

void session_describe(const struct session *session, struct event *event,
                      struct buffer *names)
{
    event->resource =
        (struct slice){session->full + session->bare_size + 1,
                       (size_t)(session->full_size - session->bare_size - 1)};
    event->kind = STANZA_PRESENCE;
    event->is_available = session->is_available;
    event->is_interested = session->is_interested;
    event->priority = session->priority;
    event->stamp = session->since;
    session_recall_presence(session, event);
    if (!session->is_available)
        event->subtype = SLICE("unavailable");
    if (names)
        event->names = directed_write(session->directed, names);
}

void session_end_directed(struct session *session,
                          const struct event *unavailable)
{
    struct event event;

    session_event_init(&event, EVENT_STANZA_ROUTE, session);
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE("unavailable");
    if (unavailable) {
        event.lang = unavailable->lang;
        event.extra = unavailable->extra;
        event.payload = unavailable->payload;
    }
    directed_end(&session->directed, &event, &session->frontend->output);
}

void session_announce_end(struct session *session)
{
    struct frontend *frontend = session->frontend;
    struct event event;

    session_event_init(&event, EVENT_SESSION_CLOSE, session);
    event.count = acks_handled(session);
    output_to_user(&frontend->output, SERVICE_DELIVERY, session_bare(session),
                   &event);
}

static void log_end(const struct session *session, const char *reason)
{
    if (session->is_bound)
        log_info("session %s: closed address=%s reason=\"%s\"", session->full,
                 session->connection ? session->connection->address : "-",
                 reason);
}

static void finish(struct session *session, const struct event *fence)
{
    struct frontend *frontend = session->frontend;

    resume_forget(session);
    if (session->acks)
        acks_end(session, fence);
    else if (fence)
        fence_answer(fence, slice_of(daemon_node(frontend->daemon)), "ended",
                     &frontend->output);
    session_destroy(&session);
    loop_timer_start(frontend->end_of_turn, 0);
}

void session_end(struct session *session, bool is_known, const char *reason)
{
    session_end_directed(session, NULL);
    if (is_known)
        session_announce_end(session);
    log_end(session, reason);
    finish(session, NULL);
}

void session_end_for(struct session *session, const struct event *fence)
{
    char reason[64];

    directed_remove(&session->directed, fence->names);
    session_end_directed(session, NULL);
    snprintf(reason, sizeof(reason), "%.*s", SLICE_FORMAT(fence->condition));
    log_end(session, reason);
    finish(session, fence);
}

/* Some were detached since this tick began, which `now_ms` is the time of. */
void sessions_tick(struct frontend *frontend, uint64_t now_ms)
{
    uint64_t limit = frontend->config.resume_timeout;
    struct session *session = LIST_FIRST(&frontend->detached);

    while (session) {
        struct session *next = LIST_NEXT(session, detached);

        if (now_ms >= session->detached_ms + limit && !session->handover)
            session_end(session, true, "has not come back");
        else
            acks_tick(session, now_ms);
        session = next;
    }
}
