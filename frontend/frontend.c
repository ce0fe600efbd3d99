#include "frontend.h"

#include <malloc.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connection.h"
#include "sasl.h"
#include "session.h"
#include "snapshot.h"
#include "start.h"
#include "tls.h"
#include "to_client.h"

enum { DRAIN_MS = 5000, DRAIN_STEP_MS = 20 };

const char *frontend_domain(const struct frontend *frontend)
{
    return daemon_common(frontend->daemon)->domain;
}

/* Publishing. */

void frontend_publish(struct frontend *frontend)
{
    if (frontend->output.count)
        daemon_publish(frontend->daemon, &frontend->output, NULL);
}

bool frontend_is_pressed(struct frontend *frontend, enum service_id service,
                         struct slice user)
{
    unsigned partition;

    if (!frontend->pressed)
        return false;
    partition = partition_of(user, frontend->output.partitions);
    return bus_destination_owner(
               daemon_partition(frontend->daemon, service, partition)) != NULL;
}

static void resume_parked(struct frontend *frontend)
{
    struct connection *connection;
    struct connection *next;

    for (connection = TAILQ_FIRST(&frontend->connections); connection;
         connection = next) {
        next = TAILQ_NEXT(connection, all);
        if (connection->is_parked)
            connection_resume(connection);
    }
}

void frontend_on_pressure(void *owner, struct bus_destination *destination,
                          bool is_high)
{
    struct frontend *frontend = owner;
    bool was_high = bus_destination_owner(destination) != NULL;

    if (was_high == is_high)
        return;
    bus_destination_set_owner(destination, is_high ? frontend : NULL);
    frontend->pressed += is_high ? 1U : -1U;
    log_warning("queue with key %.*s: %s",
                SLICE_FORMAT(bus_destination_key(destination)),
                is_high ? "too much waits, its clients are held back"
                        : "takes more again");
    if (!is_high)
        resume_parked(frontend);
}

/* Questions. */

static struct slice number_key(const uint64_t *number)
{
    return (struct slice){(const char *)number, sizeof(*number)};
}

uint64_t frontend_request(struct frontend *frontend,
                          struct connection *connection)
{
    uint64_t number = ++frontend->last_request;

    map_put(frontend->requests, number_key(&number), connection);
    connection->request = number;
    return number;
}

struct connection *frontend_answered(struct frontend *frontend,
                                     uint64_t request)
{
    return request ? map_remove(frontend->requests, number_key(&request))
                   : NULL;
}

void frontend_on_node_event(void *owner, const struct event *event)
{
    struct frontend *frontend = owner;
    struct connection *connection;

    if (event->type == EVENT_SNAPSHOT_ASK) {
        snapshot_answer(frontend, event);
    } else if (event->type == EVENT_AUTH_KEYS) {
        connection = frontend_answered(frontend, event->request);
        if (connection)
            sasl_keys(connection, event);
    }
    loop_timer_start(frontend->end_of_turn, 0);
}

/* The inbox. */

static void on_registered(void *argument)
{
    struct frontend *frontend = argument;

    frontend->is_registered = true;
    if (daemon_is_draining(frontend->daemon))
        return;
    listener_start(frontend);
    daemon_set_state(frontend->daemon, MEMBER_UP);
    log_info("ready: listening on %s port %lu", frontend->config.listen,
             (unsigned long)frontend->config.port);
}

static void tell_archive(struct frontend *frontend, enum event_type type,
                         struct bus_receipt *receipt)
{
    struct event event;
    struct slice node = slice_of(daemon_node(frontend->daemon));

    frontend_publish(frontend);
    event_init(&event, type);
    event.node = node;
    output_to_user(&frontend->output, SERVICE_ARCHIVE, node, &event);
    daemon_publish(frontend->daemon, &frontend->output, receipt);
}

static void on_inbox_started(void *argument)
{
    struct frontend *frontend = argument;
    struct bus_receipt *receipt;

    if (frontend->is_inbox_open)
        return;
    frontend->is_inbox_open = true;
    receipt = bus_receipt_create(daemon_bus(frontend->daemon), on_registered,
                                 frontend);
    tell_archive(frontend, EVENT_INBOX_REGISTER, receipt);
    bus_receipt_seal(receipt);
}

static void on_inbox_message(void *argument, struct bus_message *message)
{
    struct frontend *frontend = argument;

    to_client_message(frontend, message);
    loop_timer_start(frontend->end_of_turn, 0);
}

static void open_inbox(struct frontend *frontend)
{
    char queue[NAME_MAX_BYTES];
    const char *node = daemon_node(frontend->daemon);
    struct bus_subscribe subscribe = {
        .queue = inbox_queue(slice_of(node), queue),
        .declare = BUS_DECLARE_INBOX,
        .key = node,
        .queue_type =
            daemon_queue_types[daemon_common(frontend->daemon)->queue_type],
        .consumer_tag = node,
        .prefetch = (unsigned)daemon_common(frontend->daemon)->prefetch,
        .received = on_inbox_message,
        .started = on_inbox_started,
        .argument = frontend,
    };

    frontend->inbox = bus_subscribe(daemon_bus(frontend->daemon), &subscribe);
}

/* Time. */

static void on_end_of_turn(void *argument)
{
    connections_end_turn(argument);
}

void frontend_on_tick(void *owner, uint64_t now_ms)
{
    struct frontend *frontend = owner;
    struct connection *connection;
    struct connection *next;

    for (connection = TAILQ_FIRST(&frontend->connections); connection;
         connection = next) {
        next = TAILQ_NEXT(connection, all);
        connection_tick(connection, now_ms);
    }
    loop_timer_start(frontend->end_of_turn, 0);
}

/* Draining: every stream is ended, what that causes is confirmed, then the
 * inbox goes. */

static void on_drain_step(void *argument)
{
    struct frontend *frontend = argument;
    struct bus *bus = daemon_bus(frontend->daemon);
    bool is_late = clock_now_ms() >= frontend->drain_deadline_ms;

    if (!is_late && (!TAILQ_EMPTY(&frontend->connections) || !bus_is_idle(bus)))
        return;
    if (frontend->inbox) {
        char queue[NAME_MAX_BYTES];

        inbox_queue(slice_of(daemon_node(frontend->daemon)), queue);
        bus_unsubscribe(&frontend->inbox);
        bus_delete_queue(bus, queue);
        tell_archive(frontend, EVENT_INBOX_STRIKE, NULL);
        return;
    }
    loop_timer_cancel(frontend->draining);
    if (is_late)
        log_warning("stopping with events unconfirmed: the broker is away");
    daemon_finish(frontend->daemon);
}

void frontend_on_drain(void *owner)
{
    struct frontend *frontend = owner;
    struct connection *connection;

    listener_stop(frontend);
    TAILQ_FOREACH(connection, &frontend->connections, all)
    stream_fail(connection, STREAM_ERROR_SYSTEM_SHUTDOWN);
    frontend->drain_deadline_ms = clock_now_ms() + DRAIN_MS;
    loop_timer_repeat(frontend->draining, DRAIN_STEP_MS);
}

/* Start and stop. */

void frontend_init(struct frontend *frontend)
{
    struct event_base *loop = daemon_loop(frontend->daemon);
    const struct frontend_config *config = &frontend->config;

    TAILQ_INIT(&frontend->connections);
    TAILQ_INIT(&frontend->dirty);
    TAILQ_INIT(&frontend->doomed);
    mallopt(M_ARENA_MAX, 2);
    if (config->tls != TLS_OFF)
        frontend->tls =
            tls_context_create(config->certificate, config->private_key);
    frontend->parser = stanza_parser_create();
    frontend->sasl = sasl_context_create();
    frontend->sessions = map_create();
    frontend->requests = map_create();
    frontend->epochs = map_create();
    daemon_output_init(frontend->daemon, &frontend->output);
    frontend->key_workers =
        worker_pool_create(loop, config->key_threads, config->key_queue);
    frontend->end_of_turn = loop_timer_create(loop, on_end_of_turn, frontend);
    frontend->draining = loop_timer_create(loop, on_drain_step, frontend);
    listener_open(frontend);
    open_inbox(frontend);
}

static void free_epochs(struct frontend *frontend)
{
    size_t position = 0;
    struct slice by;
    void *epoch;

    while (map_next(frontend->epochs, &position, &by, &epoch))
        memory_free(&epoch);
    map_destroy(&frontend->epochs);
}

void frontend_deinit(struct frontend *frontend)
{
    struct connection *connection;

    listener_stop(frontend);
    TAILQ_FOREACH(connection, &frontend->connections, all)
    stream_lost(connection);
    connections_end_turn(frontend);
    loop_timer_destroy(&frontend->draining);
    loop_timer_destroy(&frontend->end_of_turn);
    worker_pool_destroy(&frontend->key_workers, keys_discard);
    output_deinit(&frontend->output);
    free_epochs(frontend);
    map_destroy(&frontend->requests);
    map_destroy(&frontend->sessions);
    sasl_context_destroy(&frontend->sasl);
    stanza_parser_destroy(&frontend->parser);
    tls_context_destroy(&frontend->tls);
}
