#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/daemon_options.h"
#include "cluster/daemon_private.h"

enum {
    TICK_MS = 1000,
    NEWCOMER_TURNS = 5, /* everybody has been heard by then */
};

/* Announcements. */

static const char *state_name(enum member_state state)
{
    static const char *const names[] = {"starting", "up", "draining",
                                        "leaving"};

    return names[state];
}

static struct slice serves_encode(const struct daemon *daemon,
                                  struct buffer *buffer)
{
    struct slice items[32];
    size_t count = 0;

    if (!daemon->spec->serves)
        return SLICE_NONE;
    while (count < ARRAY_SIZE(items) && daemon->spec->serves[count]) {
        items[count] = slice_of(daemon->spec->serves[count]);
        count++;
    }
    event_list_write(buffer, items, count);
    return buffer_slice(buffer);
}

void daemon_announce(struct daemon *daemon)
{
    struct event event;
    struct buffer serves = BUFFER_EMPTY;
    struct buffer encoded = BUFFER_EMPTY;
    char shares[PARTITIONS_MAX + 1] = "";
    char declined[PARTITIONS_MAX + 1] = "";

    if (!daemon->bus || !bus_is_connected(daemon->bus))
        return;
    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = daemon->boot;
    event.sequence = ++daemon->sequence;
    event.mark = daemon->turn;
    event.node = slice_of(daemon->node);
    event.service = slice_of(daemon->spec->kind);
    event.state = slice_of(state_name(daemon->state));
    if (daemon->spec->describe)
        daemon->spec->describe(daemon->owner, shares, declined);
    event.shares = slice_of(shares);
    event.declined = slice_of(declined);
    event.serves = serves_encode(daemon, &serves);
    event.partitions = daemon->common.partitions;
    event.domain = slice_of(daemon->common.domain);
    event.version = SLICE(OCEAN_VERSION);
    event.address = slice_of(daemon->address);
    event_encode(&encoded, &event);
    bus_publish(
        bus_destination(daemon->bus, EXCHANGE_CLUSTER, SLICE(""), BUS_ANSWER),
        buffer_slice(&encoded), false, NULL);
    buffer_deinit(&encoded);
    buffer_deinit(&serves);
}

void daemon_set_state(struct daemon *daemon, enum member_state state)
{
    if (daemon->state == state)
        return;
    daemon->state = state;
    log_debug("state %s", state_name(state));
    daemon_announce(daemon);
}

void daemon_set_address(struct daemon *daemon, const char *address)
{
    snprintf(daemon->address, sizeof(daemon->address), "%s", address);
}

static void check_partitions(struct daemon *daemon, const struct event *event)
{
    if (event->partitions == daemon->common.partitions)
        return;
    log_fatal(EX_CONFIG,
              "partitions is %lu here and %lu at %.*s; it is one number for "
              "the whole cluster",
              (unsigned long)daemon->common.partitions,
              (unsigned long)event->partitions, SLICE_FORMAT(event->node));
}

static void check_domain(struct daemon *daemon, const struct event *event)
{
    if (!members_is_stranger(daemon->members, event))
        return;
    log_fatal(EX_CONFIG,
              "domain is %s here and %.*s at %.*s; it is one for the whole "
              "cluster",
              daemon->common.domain, SLICE_FORMAT(event->domain),
              SLICE_FORMAT(event->node));
}

/* While nothing is published, nobody is heard either. */
static bool is_newcomer(const struct daemon *daemon)
{
    return daemon->turn < NEWCOMER_TURNS || daemon->state == MEMBER_STARTING;
}

/* Who comes last gives way, so that it takes nothing from those who are there;
 * but not to a tool. */
static void check_newcomer(struct daemon *daemon, const struct event *event)
{
    if (!is_newcomer(daemon) || event->mark <= daemon->turn ||
        slice_is(event->state, "leaving") ||
        slice_is(event->service, KIND_TOOL))
        return;
    check_partitions(daemon, event);
    check_domain(daemon, event);
}

/* The node queue. */

static void node_event(struct daemon *daemon, const struct event *event)
{
    if (event->type == EVENT_MEMBER_ANNOUNCE) {
        check_newcomer(daemon, event);
        members_heard(daemon->members, event);
    } else if (daemon->spec->node_event) {
        daemon->spec->node_event(daemon->owner, event);
    }
}

static void on_node_message(void *argument, struct bus_message *message)
{
    struct daemon *daemon = argument;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;
    enum event_read read = event_batch_open(&batch, message->body, &error);

    while (read == EVENT_READ_OK) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            node_event(daemon, &event);
        else if (read == EVENT_READ_BAD)
            read = EVENT_READ_OK;
        if (error)
            log_warning("node queue: event ignored: %s", error);
        error = NULL;
    }
    bus_ack(daemon->node_queue, message);
}

/* Broker hooks: our own part, then the owner's. */

static void on_connected(void *owner)
{
    struct daemon *daemon = owner;

    daemon_announce(daemon);
    if (daemon->spec->bus.connected)
        daemon->spec->bus.connected(daemon->owner);
}

static void on_disconnected(void *owner, const char *reason)
{
    struct daemon *daemon = owner;

    if (daemon->spec->bus.disconnected)
        daemon->spec->bus.disconnected(daemon->owner, reason);
}

static void on_blocked(void *owner, bool is_blocked)
{
    struct daemon *daemon = owner;

    if (daemon->spec->bus.blocked)
        daemon->spec->bus.blocked(daemon->owner, is_blocked);
}

static void on_unroutable(void *owner, struct bus_destination *destination,
                          struct slice event, struct bus_receipt *receipt)
{
    struct daemon *daemon = owner;

    if (daemon->spec->bus.unroutable)
        daemon->spec->bus.unroutable(daemon->owner, destination, event,
                                     receipt);
    else if (receipt)
        bus_receipt_settle(receipt);
}

static void on_pressure(void *owner, struct bus_destination *destination,
                        bool is_high)
{
    struct daemon *daemon = owner;

    if (daemon->spec->bus.pressure)
        daemon->spec->bus.pressure(daemon->owner, destination, is_high);
}

static void on_refused(void *owner, const char *what, const char *reason)
{
    struct daemon *daemon = owner;

    if (daemon->spec->bus.refused)
        daemon->spec->bus.refused(daemon->owner, what, reason);
}

static const struct bus_hooks bus_hooks = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .blocked = on_blocked,
    .unroutable = on_unroutable,
    .pressure = on_pressure,
    .refused = on_refused,
};

/* Members hooks. */

static void on_member_joined(void *owner, const struct member *member)
{
    struct daemon *daemon = owner;

    if (!member->is_self) /* so that the newcomer need not wait a second */
        daemon_announce(daemon);
    if (daemon->spec->members.joined)
        daemon->spec->members.joined(daemon->owner, member);
}

static void on_member_left(void *owner, const struct member *member,
                           bool in_order)
{
    struct daemon *daemon = owner;

    if (daemon->spec->members.left)
        daemon->spec->members.left(daemon->owner, member, in_order);
}

static void on_member_changed(void *owner, const struct member *member)
{
    struct daemon *daemon = owner;

    if (daemon->spec->members.changed)
        daemon->spec->members.changed(daemon->owner, member);
}

/* So that it hears of us while it is new, and stops. */
static void on_stranger(void *owner, const struct member *member)
{
    struct daemon *daemon = owner;

    (void)member;
    daemon_announce(daemon);
}

static const struct member_hooks member_hooks = {
    .joined = on_member_joined,
    .left = on_member_left,
    .changed = on_member_changed,
    .stranger = on_stranger,
};

/* Time. */

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
    struct daemon *daemon = argument;

    (void)fd;
    (void)what;
    if (bus_is_connected(daemon->bus))
        daemon->turn++;
    daemon_announce(daemon);
    if (daemon->spec->tick)
        daemon->spec->tick(daemon->owner, clock_now_ms());
}

/* Start and stop. */

static void daemon_name(struct daemon *daemon)
{
    if (getrandom(&daemon->boot, sizeof(daemon->boot), 0) !=
        sizeof(daemon->boot))
        log_fatal(EXIT_FAILURE, "no random numbers: %s", strerror(errno));
    daemon->boot |= 1; /* 0 means "none" */
    snprintf(daemon->node, sizeof(daemon->node), "%s.%s-%04x",
             daemon->spec->kind, daemon->common.instance,
             (unsigned)(daemon->boot >> 48));
}

static void daemon_loop_init(struct daemon *daemon)
{
    struct timeval interval = {TICK_MS / 1000, 0};

    daemon->loop = event_base_new();
    BUG_ON(!daemon->loop);
    daemon->tick = event_new(daemon->loop, -1, EV_PERSIST, on_tick, daemon);
    BUG_ON(!daemon->tick);
    event_add(daemon->tick, &interval);
    daemon_signals_init(daemon);
}

static void daemon_bus_init(struct daemon *daemon)
{
    struct bus_config config;
    char queue[NAME_MAX_BYTES];
    struct bus_subscribe subscribe = {
        .queue = node_queue(slice_of(daemon->node), queue),
        .declare = BUS_DECLARE_NODE,
        .key = daemon->node,
        .consumer_tag = daemon->node,
        .no_ack = true,
        .received = on_node_message,
        .argument = daemon,
    };

    daemon_bus_config(&daemon->common, daemon->spec->kind, daemon->node,
                      &config);
    daemon->bus = bus_create(daemon->loop, &config, &bus_hooks, daemon);
    daemon->node_queue = bus_subscribe(daemon->bus, &subscribe);
}

struct daemon *daemon_start(const struct daemon_spec *spec, void *owner,
                            int argc, char **argv)
{
    struct daemon *daemon = memory_new(sizeof(*daemon));

    daemon->spec = spec;
    daemon->owner = owner;
    log_init(spec->kind, "-");
    crash_init();
    daemon->tables[0] = daemon_common_options;
    daemon->tables[1] = spec->options;
    daemon->configs[0] = &daemon->common;
    daemon->configs[1] = spec->config;
    daemon->config_file =
        daemon_load(spec->kind, daemon->tables, daemon->configs,
                    ARRAY_SIZE(daemon->tables), argc, argv);
    daemon_check_common(&daemon->common, daemon->config_file, argv);
    daemon_check_own(spec, owner, daemon->config_file, argv);
    log_set_level((enum log_level)daemon->common.log_level);
    daemon_name(daemon);
    log_init(spec->kind, daemon->node);
    daemon_check_environment(daemon);
    daemon_loop_init(daemon);
    daemon->members = members_create(daemon->node, daemon->common.domain,
                                     (unsigned)daemon->common.grace_seconds,
                                     &member_hooks, daemon);
    daemon_bus_init(daemon);
    log_info("started version=%s domain=%s broker=%s:%lu", OCEAN_VERSION,
             daemon->common.domain, daemon->common.broker_host,
             (unsigned long)daemon->common.broker_port);
    return daemon;
}

void daemon_run(struct daemon *daemon)
{
    event_base_dispatch(daemon->loop);
}

void daemon_finish(struct daemon *daemon)
{
    struct timeval soon = {0, 50 * 1000}; /* lets "leaving" get out */

    daemon_set_state(daemon, MEMBER_LEAVING);
    event_base_loopexit(daemon->loop, &soon);
}

void daemon_stop(struct daemon **daemon_at)
{
    struct daemon *daemon = *daemon_at;

    bus_destroy(&daemon->bus);
    members_destroy(&daemon->members);
    daemon_signals_deinit(daemon);
    event_free(daemon->tick);
    event_base_free(daemon->loop);
    config_free(daemon->tables, daemon->configs, ARRAY_SIZE(daemon->tables));
    memory_free(&daemon->config_file);
    log_info("stopped");
    memory_free(daemon_at);
}

struct event_base *daemon_loop(const struct daemon *daemon)
{
    return daemon->loop;
}

struct bus *daemon_bus(const struct daemon *daemon)
{
    return daemon->bus;
}

struct members *daemon_members(const struct daemon *daemon)
{
    return daemon->members;
}

const struct daemon_common *daemon_common(const struct daemon *daemon)
{
    return &daemon->common;
}

const char *daemon_node(const struct daemon *daemon)
{
    return daemon->node;
}

uint64_t daemon_boot(const struct daemon *daemon)
{
    return daemon->boot;
}

bool daemon_is_draining(const struct daemon *daemon)
{
    return daemon->is_draining;
}
