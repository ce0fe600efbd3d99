/*
 * Answers snapshot.ask: all sessions of a partition, a slice of them per turn
 * of the loop, so that clients hardly notice.  Sessions that come meanwhile
 * are not in it: their own events follow through the partition's queue.  None
 * is sent before there is an inbox: what a session's conflict with another
 * leads to (session.kick) has to find one.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "inbox.h"
#include "session.h"
#include "stream.h"

enum {
    SESSIONS_PER_TURN = 300,
    BYTES_PER_TURN = 1024 * 1024, /* of presences and lists, about */
    PAUSE_MS = 1,
    ALL_PARTITIONS = 0xffff,
};

struct snapshot {
    struct snapshot *next;
    char *node; /* who asked */
    char *service;
    uint64_t partition;
    uint64_t request;
    uint64_t *ids; /* of the sessions there were */
    size_t count;
    size_t position;
    uint64_t sent;
};

static bool is_in(const struct frontend *frontend,
                  const struct session *session, uint64_t partition)
{
    return partition == ALL_PARTITIONS ||
           partition ==
               partition_of(session_bare(session), frontend->output.partitions);
}

static void collect(struct frontend *frontend, struct snapshot *snapshot)
{
    size_t position = 0;
    struct slice key;
    void *value;

    snapshot->ids =
        memory_new_array(map_count(frontend->sessions) + 1, sizeof(uint64_t));
    while (map_next(frontend->sessions, &position, &key, &value)) {
        const struct session *session = value;

        if (is_in(frontend, session, snapshot->partition))
            snapshot->ids[snapshot->count++] = session->id;
    }
}

/* Roster and archive keep no sessions: they want the epoch only. */
static bool wants_sessions(const struct event *ask)
{
    enum service_id service = service_find(ask->service);

    return service != SERVICE_ROSTER && service != SERVICE_ARCHIVE;
}

void snapshot_asked(struct frontend *frontend, const struct event *ask)
{
    struct snapshot *snapshot = memory_new(sizeof(*snapshot));
    struct snapshot **last = &frontend->snapshots;

    snapshot->node = memory_copy_text(ask->node);
    snapshot->service = memory_copy_text(ask->service);
    snapshot->partition = ask->partition;
    snapshot->request = ask->request;
    if (wants_sessions(ask))
        collect(frontend, snapshot);
    while (*last)
        last = &(*last)->next;
    *last = snapshot;
    snapshot_step(frontend);
}

static void event_for(struct event *event, enum event_type type,
                      const struct frontend *frontend,
                      const struct snapshot *snapshot)
{
    event_init(event, type);
    event->node = slice_of(daemon_node(frontend->daemon));
    event->request = snapshot->request;
    event->service = slice_of(snapshot->service);
    event->partition = snapshot->partition;
}

/* Which alone keeps a copy of everything a session is. */
static bool is_for_delivery(const struct snapshot *snapshot)
{
    return service_find(slice_of(snapshot->service)) == SERVICE_DELIVERY;
}

/* Returns how many bytes that are not the same for every session. */
static size_t send_session(struct frontend *frontend, struct snapshot *snapshot,
                           const struct session *session)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event;

    event_for(&event, EVENT_SNAPSHOT_SESSION, frontend, snapshot);
    event.session = session->id;
    event.from = session_full(session);
    session_describe(session, &event,
                     is_for_delivery(snapshot) ? &names : NULL);
    event.mark = session->move;
    event.address =
        slice_of(session->connection ? session->connection->address : "-");
    output_to_node(&frontend->output, slice_of(snapshot->node), &event);
    buffer_deinit(&names);
    snapshot->sent++;
    return event.payload.size + event.names.size;
}

static void send_end(struct frontend *frontend, const struct snapshot *snapshot)
{
    struct event event;

    event_for(&event, EVENT_SNAPSHOT_END, frontend, snapshot);
    event.count = snapshot->sent;
    event.mark =
        inbox_epoch_of(frontend->inbox, event.service, snapshot->partition);
    output_to_node(&frontend->output, slice_of(snapshot->node), &event);
}

/* One that waits for its binding has it from a former owner at best. */
static void send_slice(struct frontend *frontend, struct snapshot *snapshot)
{
    size_t end = snapshot->position + SESSIONS_PER_TURN;
    size_t bytes = 0;

    if (end > snapshot->count)
        end = snapshot->count;
    for (; snapshot->position < end && bytes < BYTES_PER_TURN;
         snapshot->position++) {
        struct session *session =
            session_find(frontend, snapshot->ids[snapshot->position]);

        if (session && session->is_bound)
            bytes += send_session(frontend, snapshot, session);
        else if (session && is_for_delivery(snapshot))
            bind_ask_again(session);
    }
}

static void drop_first(struct frontend *frontend)
{
    struct snapshot *snapshot = frontend->snapshots;

    frontend->snapshots = snapshot->next;
    memory_free(&snapshot->node);
    memory_free(&snapshot->service);
    memory_free(&snapshot->ids);
    memory_free(&snapshot);
}

void snapshot_step(void *argument)
{
    struct frontend *frontend = argument;
    struct snapshot *snapshot = frontend->snapshots;

    if (!snapshot || inbox_is_away(frontend->inbox))
        return;
    send_slice(frontend, snapshot);
    if (snapshot->position == snapshot->count) {
        send_end(frontend, snapshot);
        drop_first(frontend);
    }
    frontend_publish(frontend);
    if (frontend->snapshots)
        loop_timer_start(frontend->snapshot_timer, PAUSE_MS);
}

void snapshots_drop(struct frontend *frontend)
{
    while (frontend->snapshots)
        drop_first(frontend);
}
