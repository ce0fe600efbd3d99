#include "cluster/adopt.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "cluster/give_back.h"
#include "cluster/intake.h"

enum {
    REGISTER_MS = 10000, /* between questions for the register */
    FORGET_MS = 60000,   /* what is not ours */
    QUIET_MS = 1000,     /* nothing came: is it empty? */
    PREFETCH = 100,
};

enum orphan_state {
    ORPHAN_WAITING,  /* perhaps it is heard of again; or another's */
    ORPHAN_DRAINING, /* subscribed behind its frontend, if that lives */
    ORPHAN_LEAVING, /* channel being closed; kept for its frontend, or others */
    ORPHAN_ENDING,  /* channel being closed; then deleted and struck */
    ORPHAN_STRIKING,
    ORPHAN_DONE,
};

struct orphan {
    struct adopt *adopt;
    char node[NAME_MAX_BYTES];
    char queue[NAME_MAX_BYTES];
    enum orphan_state state;
    struct bus_subscription *subscription;
    struct intake *intake;
    struct output output;
    bool is_inspecting;
    uint64_t since_ms;
    uint64_t quiet_since_ms;
    uint64_t given_back; /* events */
};

struct adopt {
    struct daemon *daemon;
    adopt_found_fn found;
    void *owner;
    struct map *orphans;
    uint64_t asked_ms;
    uint64_t request;
    uint64_t answers; /* of one partition of the register each */
    bool is_draining;
};

static void enter(struct orphan *orphan, enum orphan_state state)
{
    static const char *const names[] = {"waiting", "draining", "leaving",
                                        "ending",  "striking", "done"};

    log_debug("orphan %s: %s -> %s", orphan->node, names[orphan->state],
              names[state]);
    orphan->state = state;
}

/* Messages. */

static bool handle(void *argument, const struct event *event,
                   struct bus_receipt *receipt, const char **reason_out)
{
    struct orphan *orphan = argument;

    (void)receipt;
    (void)reason_out;
    give_back_inbox(event, &orphan->output);
    orphan->given_back++;
    return true;
}

static void leave(struct orphan *orphan, enum orphan_state state)
{
    enter(orphan, state);
    intake_reset(orphan->intake);
    bus_unsubscribe(&orphan->subscription);
}

static void on_received(void *argument, struct bus_message *message)
{
    struct orphan *orphan = argument;

    orphan->quiet_since_ms = clock_now_ms();
    daemon_output_init(orphan->adopt->daemon, &orphan->output);
    if (!intake_receive(orphan->intake, orphan->subscription, message,
                        &orphan->output)) {
        log_error("%s: events of a newer major version; left to others",
                  orphan->queue);
        leave(orphan, ORPHAN_LEAVING);
    }
    output_deinit(&orphan->output);
}

/* The end of one. */

static void on_struck(void *argument)
{
    struct orphan *orphan = argument;

    log_info("orphan %s: drained, %lu events given back", orphan->node,
             (unsigned long)orphan->given_back);
    enter(orphan, ORPHAN_DONE);
}

static void strike(struct orphan *orphan)
{
    struct daemon *daemon = orphan->adopt->daemon;
    struct bus_receipt *receipt =
        bus_receipt_create(daemon_bus(daemon), on_struck, orphan);
    struct output output;
    struct event event;

    enter(orphan, ORPHAN_STRIKING);
    bus_delete_queue(daemon_bus(daemon), orphan->queue);
    event_init(&event, EVENT_INBOX_STRIKE);
    event.node = slice_of(orphan->node);
    daemon_output_init(daemon, &output);
    output_to_user(&output, SERVICE_ARCHIVE, event.node, &event);
    daemon_publish(daemon, &output, receipt);
    bus_receipt_seal(receipt);
    output_deinit(&output);
}

static void on_closed(void *argument)
{
    struct orphan *orphan = argument;

    if (orphan->state == ORPHAN_ENDING)
        strike(orphan);
    else
        enter(orphan, ORPHAN_DONE);
}

/* Its frontend counts as a consumer: then it is no orphan, only silent. */
static void on_inspected(void *argument, bool exists, uint64_t messages,
                         uint64_t consumers)
{
    struct orphan *orphan = argument;

    orphan->is_inspecting = false;
    orphan->quiet_since_ms = clock_now_ms();
    if (orphan->state != ORPHAN_DRAINING || intake_open(orphan->intake))
        return;
    if (!exists || (messages == 0 && consumers <= 1))
        leave(orphan, ORPHAN_ENDING);
}

/* Draining. */

static void on_reset(void *argument, const char *reason)
{
    struct orphan *orphan = argument;

    log_debug("orphan %s: %s", orphan->node, reason);
    intake_reset(orphan->intake);
}

static void begin(struct orphan *orphan, uint64_t now_ms)
{
    struct daemon *daemon = orphan->adopt->daemon;
    struct bus_subscribe subscribe = {
        .queue = inbox_queue(slice_of(orphan->node), orphan->queue),
        .declare = BUS_DECLARE_STANDBY,
        .consumer_tag = daemon_node(daemon),
        .prefetch = PREFETCH,
        .received = on_received,
        .reset = on_reset,
        .closed = on_closed,
        .argument = orphan,
    };

    log_info("orphan %s: its frontend is gone, draining", orphan->node);
    orphan->quiet_since_ms = now_ms;
    orphan->intake = intake_create(daemon, orphan->queue, handle, orphan);
    orphan->subscription = bus_subscribe(daemon_bus(daemon), &subscribe);
    enter(orphan, ORPHAN_DRAINING);
}

static bool is_ours(const struct orphan *orphan)
{
    struct daemon *daemon = orphan->adopt->daemon;
    unsigned partition = partition_of(
        slice_of(orphan->node), (unsigned)daemon_common(daemon)->partitions);
    const struct member *first =
        members_first(daemon_members(daemon), SERVICE_DELIVERY, partition);

    return first && first->is_self;
}

static bool has_been_silent(const struct orphan *orphan, uint64_t now_ms)
{
    return now_ms - orphan->since_ms >=
           daemon_common(orphan->adopt->daemon)->grace_seconds * 1000;
}

static bool is_heard_of(const struct orphan *orphan)
{
    return members_find(daemon_members(orphan->adopt->daemon),
                        slice_of(orphan->node)) != NULL;
}

/* For so long that it has been drained, or the register names it again. */
static bool is_anothers(const struct orphan *orphan, uint64_t now_ms)
{
    return now_ms - orphan->since_ms >= FORGET_MS && !is_ours(orphan);
}

static void inspect(struct orphan *orphan, uint64_t now_ms)
{
    if (intake_open(orphan->intake) || orphan->is_inspecting ||
        now_ms - orphan->quiet_since_ms < QUIET_MS)
        return;
    orphan->is_inspecting = true;
    bus_inspect(daemon_bus(orphan->adopt->daemon), orphan->queue, on_inspected,
                orphan);
}

static void step(struct orphan *orphan, uint64_t now_ms)
{
    if (orphan->state == ORPHAN_WAITING) {
        if (is_heard_of(orphan) || is_anothers(orphan, now_ms))
            enter(orphan, ORPHAN_DONE);
        else if (has_been_silent(orphan, now_ms) && is_ours(orphan))
            begin(orphan, now_ms);
    } else if (orphan->state == ORPHAN_DRAINING) {
        if (is_heard_of(orphan))
            leave(orphan, ORPHAN_LEAVING);
        else
            inspect(orphan, now_ms);
    }
}

/* Finding them. */

static void note(struct adopt *adopt, struct slice node, uint64_t since_ms)
{
    struct orphan *orphan;

    if (map_find(adopt->orphans, node) || node.size >= NAME_MAX_BYTES ||
        members_find(daemon_members(adopt->daemon), node))
        return;
    orphan = memory_new(sizeof(*orphan));
    orphan->adopt = adopt;
    snprintf(orphan->node, sizeof(orphan->node), "%.*s", SLICE_FORMAT(node));
    orphan->since_ms = since_ms;
    map_put(adopt->orphans, slice_of(orphan->node), orphan);
    adopt->found(adopt->owner, slice_of(orphan->node));
}

void adopt_left(struct adopt *adopt, const struct member *frontend)
{
    uint64_t grace = daemon_common(adopt->daemon)->grace_seconds * 1000;

    note(adopt, slice_of(frontend->node), clock_now_ms() - grace);
}

void adopt_heard(struct adopt *adopt, const struct event *list)
{
    struct event_list names;
    struct slice node;

    if (list->request != adopt->request)
        return;
    adopt->answers++;
    event_list_open(&names, list->names);
    while (event_list_next(&names, &node))
        note(adopt, node, clock_now_ms());
}

bool adopt_is_informed(const struct adopt *adopt)
{
    return adopt->answers >= daemon_common(adopt->daemon)->partitions;
}

bool adopt_next(const struct adopt *adopt, size_t *position,
                struct slice *node_out)
{
    void *value;

    while (map_next(adopt->orphans, position, node_out, &value)) {
        const struct orphan *orphan = value;

        if (orphan->state != ORPHAN_DONE)
            return true;
    }
    return false;
}

static void ask_for_register(struct adopt *adopt, uint64_t now_ms)
{
    struct output output;
    struct event event;

    if (adopt->asked_ms && now_ms - adopt->asked_ms < REGISTER_MS)
        return;
    adopt->asked_ms = now_ms;
    event_init(&event, EVENT_INBOX_LIST_ASK);
    event.node = slice_of(daemon_node(adopt->daemon));
    event.request = ++adopt->request;
    daemon_output_init(adopt->daemon, &output);
    for (unsigned i = 0; i < output.partitions; i++) {
        event.partition = i;
        output_to_partition(&output, SERVICE_ARCHIVE, i, &event);
    }
    daemon_publish(adopt->daemon, &output, NULL);
    output_deinit(&output);
}

static bool is_done(const struct orphan *orphan)
{
    return orphan->state == ORPHAN_DONE && !orphan->is_inspecting &&
           (!orphan->intake || intake_open(orphan->intake) == 0);
}

static void orphan_free(struct orphan *orphan)
{
    intake_destroy(&orphan->intake);
    memory_free(&orphan);
}

void adopt_tick(struct adopt *adopt, uint64_t now_ms)
{
    size_t position = 0;
    struct slice node;
    void *value;

    if (adopt->is_draining || !members_is_fresh(daemon_members(adopt->daemon)))
        return;
    ask_for_register(adopt, now_ms);
    while (map_next(adopt->orphans, &position, &node, &value)) {
        struct orphan *orphan = value;

        step(orphan, now_ms);
        if (!is_done(orphan))
            continue;
        map_remove(adopt->orphans, node);
        orphan_free(orphan);
    }
}

/* Life. */

struct adopt *adopt_create(struct daemon *daemon, adopt_found_fn found,
                           void *owner)
{
    struct adopt *adopt = memory_new(sizeof(*adopt));

    adopt->daemon = daemon;
    adopt->found = found;
    adopt->owner = owner;
    adopt->orphans = map_create();
    return adopt;
}

void adopt_drain(struct adopt *adopt)
{
    size_t position = 0;
    struct slice node;
    void *value;

    adopt->is_draining = true;
    while (map_next(adopt->orphans, &position, &node, &value)) {
        struct orphan *orphan = value;

        if (orphan->state == ORPHAN_DRAINING)
            leave(orphan, ORPHAN_LEAVING);
    }
}

void adopt_destroy(struct adopt **adopt)
{
    size_t position = 0;
    struct slice node;
    void *orphan;

    if (!*adopt)
        return;
    while (map_next((*adopt)->orphans, &position, &node, &orphan))
        orphan_free(orphan);
    map_destroy(&(*adopt)->orphans);
    memory_free(adopt);
}
