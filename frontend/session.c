#include "session.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
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

struct session *session_create(struct connection *connection, struct slice full)
{
    struct session *session = memory_new(sizeof(*session));

    session->id = random_id();
    session->connection = connection;
    session->full = memory_copy_text(full);
    session->full_size = (uint16_t)full.size;
    session->bare_size = (uint16_t)jid_text_bare(full).size;
    session->since = clock_unix_ms();
    map_put(connection->frontend->sessions, id_key(&session->id), session);
    return session;
}

void session_destroy(struct session **session_at)
{
    struct session *session = *session_at;

    if (!session)
        return;
    map_remove(session->connection->frontend->sessions, id_key(&session->id));
    map_destroy(&session->directed);
    seen_destroy(&session->seen);
    memory_free(&session->presence);
    memory_free(&session->full);
    memory_free(session_at);
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
    session->was_available |= session->is_available;
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

bool session_note_directed(struct session *session, struct slice to,
                           bool is_available)
{
    if (!is_available) {
        if (session->directed)
            map_remove(session->directed, to);
        return true;
    }
    if (!session->directed)
        session->directed = map_create();
    if (map_count(session->directed) >= SESSION_DIRECTED_MAX &&
        !map_find(session->directed, to))
        return false;
    map_put(session->directed, to, session);
    return true;
}

/* The end. */

void session_event_init(struct event *event, enum event_type type,
                        const struct session *session)
{
    struct frontend *frontend = session->connection->frontend;

    event_init(event, type);
    event->from = session_full(session);
    event->session = session->id;
    event->node = slice_of(daemon_node(frontend->daemon));
}

void session_end_directed(struct session *session,
                          const struct event *unavailable)
{
    struct frontend *frontend = session->connection->frontend;
    size_t position = 0;
    struct slice to;
    void *value;

    while (session->directed &&
           map_next(session->directed, &position, &to, &value)) {
        struct event event;

        session_event_init(&event, EVENT_STANZA_ROUTE, session);
        event.to = to;
        event.kind = STANZA_PRESENCE;
        event.subtype = SLICE("unavailable");
        if (unavailable) {
            event.lang = unavailable->lang;
            event.extra = unavailable->extra;
            event.payload = unavailable->payload;
        }
        output_to_user(&frontend->output, SERVICE_DELIVERY, to, &event);
    }
    map_destroy(&session->directed);
}

void session_announce_end(struct session *session)
{
    struct frontend *frontend = session->connection->frontend;
    struct event event;

    session_event_init(&event, EVENT_SESSION_CLOSE, session);
    output_to_user(&frontend->output, SERVICE_DELIVERY, session_bare(session),
                   &event);
}
