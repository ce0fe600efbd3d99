#include "snapshot.h"

#include <stdio.h>

#include "session.h"
#include "to_client.h"

static bool is_in(const struct frontend *frontend,
                  const struct session *session, uint64_t partition)
{
    return partition == SNAPSHOT_ALL_PARTITIONS ||
           partition_of(session_bare(session), frontend->output.partitions) ==
               partition;
}

static void report_session(struct frontend *frontend, const struct event *ask,
                           const struct session *session)
{
    struct event event;

    session_event_init(&event, EVENT_SNAPSHOT_SESSION, session);
    event.request = ask->request;
    event.partition = ask->partition;
    event.resource =
        (struct slice){session->full + session->bare_size + 1,
                       (size_t)(session->full_size - session->bare_size - 1)};
    event.is_available = session->is_available;
    event.is_interested = session->is_interested;
    event.priority = session->priority;
    if (session->presence)
        event.payload =
            (struct slice){session->presence, session->presence_size};
    event.address = slice_of(session->connection->address);
    event.stamp = session->since;
    output_to_node(&frontend->output, ask->node, &event);
}

static uint64_t report_sessions(struct frontend *frontend,
                                const struct event *ask)
{
    size_t position = 0;
    struct slice id;
    void *value;
    uint64_t count = 0;

    while (map_next(frontend->sessions, &position, &id, &value)) {
        const struct session *session = value;

        if (!session->is_bound || !is_in(frontend, session, ask->partition))
            continue;
        report_session(frontend, ask, session);
        count++;
    }
    return count;
}

/* roster and archive keep no sessions: they want the epoch only. */
static bool wants_sessions(const struct event *ask)
{
    enum service_id service = service_find(ask->service);

    return service != SERVICE_ROSTER && service != SERVICE_ARCHIVE;
}

void snapshot_answer(struct frontend *frontend, const struct event *ask)
{
    struct event event;
    char by[NAME_MAX_BYTES];

    event_init(&event, EVENT_SNAPSHOT_END);
    event.node = slice_of(daemon_node(frontend->daemon));
    event.request = ask->request;
    event.service = ask->service;
    event.partition = ask->partition;
    if (wants_sessions(ask))
        event.count = report_sessions(frontend, ask);
    snprintf(by, sizeof(by), "%.*s.%02u", SLICE_FORMAT(ask->service),
             (unsigned)ask->partition);
    event.mark = to_client_epoch(frontend, slice_of(by));
    output_to_node(&frontend->output, ask->node, &event);
    frontend_publish(frontend);
}
