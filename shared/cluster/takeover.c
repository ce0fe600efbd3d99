#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/adopt.h"
#include "cluster/service_private.h"

enum { ASK_AGAIN_MS = 1000, OPEN_AGAIN_MS = 1000, PREPARE_MS = 1000 };

/* A snapshot asked of one frontend. */
struct ask {
    uint64_t request;
    uint64_t asked_at_ms;
    bool has_begun;
};

static bool wants_sessions(const struct partition *partition)
{
    return partition->service->spec->snapshot_session != NULL;
}

/* Requests are numbered by us; 0 is none. */
static uint64_t next_request(void)
{
    static uint64_t last;

    return ++last;
}

static void send_ask(struct partition *partition, struct slice node,
                     struct ask *ask)
{
    struct service *service = partition->service;
    struct event event;
    struct output output;

    ask->request = next_request();
    ask->asked_at_ms = clock_now_ms();
    ask->has_begun = false;
    event_init(&event, EVENT_SNAPSHOT_ASK);
    event.service = slice_of(service_name(service->spec->service));
    event.partition = partition->number;
    event.node = slice_of(daemon_node(service->daemon));
    event.request = ask->request;
    daemon_output_init(service->daemon, &output);
    output_to_node(&output, node, &event);
    daemon_publish(service->daemon, &output, NULL);
    output_deinit(&output);
}

void takeover_ask(struct partition *partition, struct slice node)
{
    struct ask *ask = map_find(partition->awaited, node);

    if (!ask) {
        ask = memory_new(sizeof(*ask));
        map_put(partition->awaited, node, ask);
    }
    send_ask(partition, node, ask);
}

void takeover_forget(struct partition *partition, struct slice node)
{
    struct ask *ask = map_remove(partition->awaited, node);

    memory_free(&ask);
    takeover_tick(partition, clock_now_ms());
}

/* Who had these messages before may have crashed with them; its notes are in
 * the queue by now. */
static void read_notes(struct partition *partition)
{
    const struct held *held = partition->held_first;

    partition->reading = 0;
    if (held && held->message->is_redelivered)
        partition->reading = suspects_ask(partition->service->suspects);
}

void takeover_begin(struct partition *partition)
{
    const struct member *member = NULL;
    struct members *members = daemon_members(partition->service->daemon);

    /* Never behind the clock: docs/ARCHITECTURE.md, "Epochs". */
    if (partition->epoch < clock_unix_ms())
        partition->epoch = clock_unix_ms();
    partition->taking_since_ms = clock_now_ms();
    partition->retry_at_ms = 0;
    partition->preparing_since_ms = 0;
    map_destroy(&partition->heard);
    partition->heard = map_create();
    read_notes(partition);
    partition_enter(partition, PARTITION_TAKING);
    while ((member = members_next(members, member))) {
        if (!strcmp(member->kind, "frontend"))
            takeover_ask(partition, slice_of(member->node));
    }
    takeover_tick(partition, clock_now_ms());
}

void takeover_end(struct partition *partition)
{
    map_destroy_all(&partition->awaited);
    partition->awaited = map_create();
    memory_free(&partition->obstacle);
}

static void ask_again(struct partition *partition, uint64_t now_ms)
{
    size_t position = 0;
    struct slice node;
    void *value;

    while (map_next(partition->awaited, &position, &node, &value)) {
        struct ask *ask = value;

        if (!ask->has_begun && now_ms - ask->asked_at_ms >= ASK_AGAIN_MS)
            send_ask(partition, node, ask);
    }
}

/* Opening: on the loop or, with a store, on its thread. */

struct opening {
    struct partition *partition;
    unsigned generation;
    void *data;
    struct buffer error; /* of another thread, which may go on to the next */
    bool is_newer;
};

static void run_open(void *job)
{
    struct opening *opening = job;
    struct service *service = opening->partition->service;
    struct store_error error = {.reason = "no reason given"};

    opening->data = service->spec->open(service->config,
                                        daemon_common(service->daemon)->domain,
                                        opening->partition->number, &error);
    if (!opening->data)
        buffer_append_text(&opening->error, error.reason);
    opening->is_newer = error.is_newer;
}

/* Tried again every second, said once. */
static void open_failed(struct partition *partition, const char *error)
{
    if (!partition->obstacle || strcmp(partition->obstacle, error) != 0) {
        log_error("%s: cannot be opened, trying again every second: %s",
                  partition->queue, error);
        memory_free(&partition->obstacle);
        partition->obstacle = memory_copy_text(slice_of(error));
    }
    partition->retry_at_ms = clock_now_ms() + OPEN_AGAIN_MS;
}

static void done_open(void *job)
{
    struct opening *opening = job;
    struct partition *partition = opening->partition;

    partition->is_committing = false;
    if (opening->generation != partition->generation ||
        partition->state != PARTITION_TAKING) {
        if (opening->data)
            partition->service->spec->close(opening->data);
        partition_maybe_close(partition);
    } else if (opening->is_newer) {
        partition_decline(partition, opening->error.data);
    } else if (!opening->data) {
        open_failed(partition, opening->error.data);
    } else {
        partition->data = opening->data;
        takeover_tick(partition, clock_now_ms());
    }
    buffer_deinit(&opening->error);
    memory_free(&opening);
}

static void open_data(struct partition *partition)
{
    struct service *service = partition->service;
    struct opening *opening;

    if (partition->is_committing || clock_now_ms() < partition->retry_at_ms)
        return;
    opening = memory_new(sizeof(*opening));
    opening->partition = partition;
    opening->generation = partition->generation;
    partition->is_committing = true;
    if (service->store) {
        BUG_ON(!worker_submit(service->store, run_open, done_open, opening));
        return;
    }
    run_open(opening);
    done_open(opening);
}

void takeover_orphan(struct partition *partition, struct slice node)
{
    const struct service_spec *spec = partition->service->spec;
    struct output output;

    if (!spec->orphaned || partition->state != PARTITION_OWNED ||
        map_find(partition->heard, node))
        return;
    log_info("%s: %.*s is gone and has never reported", partition->queue,
             SLICE_FORMAT(node));
    partition_output_init(partition, &output);
    spec->orphaned(partition->data, node, &output);
    work_publish(partition, &output);
    output_deinit(&output);
}

static void look_for_orphans(struct partition *partition)
{
    const struct adopt *adopt = partition->service->adopt;
    size_t position = 0;
    struct slice node;

    while (adopt && adopt_next(adopt, &position, &node))
        takeover_orphan(partition, node);
}

static void finish(struct partition *partition)
{
    CRASH_POINT(TAKING);
    partition_forget_epochs(partition);
    log_info("%s: owned epoch=%lu held=%s", partition->queue,
             (unsigned long)partition->epoch,
             partition->held_first ? "yes" : "no");
    partition->owned_since_ms = clock_now_ms();
    partition_enter(partition, PARTITION_OWNED);
    look_for_orphans(partition);
    partition_advance(partition);
}

static bool grace_is_over(const struct partition *partition, uint64_t now_ms)
{
    const struct daemon_common *common =
        daemon_common(partition->service->daemon);

    return now_ms - partition->taking_since_ms >= common->grace_seconds * 1000;
}

static bool notes_are_in(const struct partition *partition, uint64_t now_ms)
{
    if (suspects_are_read(partition->service->suspects, partition->reading))
        return true;
    if (!grace_is_over(partition, now_ms))
        return false;
    log_warning("%s: going on without the notes of who crashed",
                partition->queue);
    return true;
}

static bool snapshots_are_in(struct partition *partition, uint64_t now_ms)
{
    if (map_count(partition->awaited) == 0)
        return true;
    if (!grace_is_over(partition, now_ms))
        return false;
    log_warning("%s: going on without the snapshot of %zu frontends",
                partition->queue, map_count(partition->awaited));
    return true;
}

static bool is_prepared(struct partition *partition, uint64_t now_ms)
{
    struct service *service = partition->service;
    struct output output;
    bool is_ready;

    if (!service->spec->prepare)
        return true;
    if (!partition->preparing_since_ms)
        partition->preparing_since_ms = now_ms;
    partition_output_init(partition, &output);
    is_ready = service->spec->prepare(
        partition->data, slice_of(daemon_node(service->daemon)), &output);
    work_publish(partition, &output);
    output_deinit(&output);
    if (service->adopt && !adopt_is_informed(service->adopt))
        is_ready = false;
    return is_ready || now_ms - partition->preparing_since_ms >= PREPARE_MS;
}

void takeover_tick(struct partition *partition, uint64_t now_ms)
{
    ask_again(partition, now_ms);
    if (partition->state != PARTITION_TAKING)
        return;
    if (!partition->data) {
        open_data(partition); /* comes back here when it is open */
        return;
    }
    if (snapshots_are_in(partition, now_ms) &&
        notes_are_in(partition, now_ms) && is_prepared(partition, now_ms))
        finish(partition);
}

/* Answers. */

static void begin_once(struct partition *partition, struct slice node,
                       struct ask *ask)
{
    if (!ask->has_begun && partition->service->spec->snapshot_begin)
        partition->service->spec->snapshot_begin(partition->data, node);
    ask->has_begun = true;
}

static void session_heard(struct partition *partition, struct ask *ask,
                          const struct event *event)
{
    struct output output;

    begin_once(partition, event->node, ask);
    partition_output_init(partition, &output);
    partition->service->spec->snapshot_session(partition->data, event, &output);
    work_publish(partition, &output);
    output_deinit(&output);
}

/* A frontend has seen output of an owner before us under `mark`: ours must
 * carry more.  What was put out so far may have been dropped: begin again. */
static void begin_again(struct partition *partition, uint64_t mark)
{
    const struct service_spec *spec = partition->service->spec;

    partition->epoch = mark + 1;
    if (!wants_sessions(partition))
        return;
    takeover_end(partition);
    spec->close(partition->data);
    partition->data = NULL;
    takeover_begin(partition);
}

static void snapshot_complete(struct partition *partition, struct ask *ask,
                              struct slice node)
{
    const struct service_spec *spec = partition->service->spec;
    struct output output;

    begin_once(partition, node, ask);
    if (!spec->snapshot_end)
        return;
    partition_output_init(partition, &output);
    spec->snapshot_end(partition->data, node, &output);
    work_publish(partition, &output);
    output_deinit(&output);
}

static void end_heard(struct partition *partition, struct ask *ask,
                      const struct event *event)
{
    if (event->mark >= partition->epoch &&
        partition->state == PARTITION_TAKING) {
        begin_again(partition, event->mark);
        if (wants_sessions(partition))
            return;
    }
    if (wants_sessions(partition))
        snapshot_complete(partition, ask, event->node);
    map_put(partition->heard, event->node, partition);
    takeover_forget(partition, event->node);
}

void takeover_prepared(struct service *service, const struct event *event)
{
    struct partition *partition;

    if (event->partition >= service->partition_count)
        return;
    partition = &service->partitions[event->partition];
    if (partition->state != PARTITION_TAKING || !partition->data)
        return;
    service->spec->prepared(partition->data, event);
    takeover_tick(partition, clock_now_ms());
}

void takeover_heard(struct service *service, const struct event *event)
{
    struct partition *partition;
    struct ask *ask;

    if (event->partition >= service->partition_count)
        return;
    partition = &service->partitions[event->partition];
    ask = map_find(partition->awaited, event->node);
    if (!ask || ask->request != event->request)
        return;
    if (wants_sessions(partition) && !partition->data)
        return; /* asked again within a second */
    if (event->type == EVENT_SNAPSHOT_END)
        end_heard(partition, ask, event);
    else if (wants_sessions(partition))
        session_heard(partition, ask, event);
}
