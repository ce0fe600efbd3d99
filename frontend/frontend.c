#include "frontend.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrival.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/give_back.h"
#include "drain.h"
#include "ended.h"
#include "handover.h"
#include "inbox.h"
#include "keys.h"
#include "received.h"
#include "sasl.h"
#include "session.h"
#include "stream.h"
#include "tls.h"
#include "xmpp/jid.h"

/* Without a login for so long what malloc has left over is given back. */
enum { TRIM_AFTER_MS = 3000 };

/* Questions. */

uint64_t frontend_request(struct frontend *frontend,
                          struct connection *connection)
{
    uint64_t request = ++frontend->last_request;

    connection->request = request;
    map_put(frontend->requests, map_key_u64(&request), connection);
    return request;
}

struct connection *frontend_answered(struct frontend *frontend,
                                     uint64_t request)
{
    struct connection *connection =
        map_remove(frontend->requests, map_key_u64(&request));

    if (connection && connection->request == request)
        connection->request = 0;
    return connection;
}

struct slice frontend_domain(const struct frontend *frontend)
{
    return frontend->domain;
}

/* Publishing. */

void frontend_publish(struct frontend *frontend)
{
    if (frontend->output.count)
        daemon_publish(frontend->daemon, &frontend->output, NULL);
}

bool frontend_is_pressed(const struct frontend *frontend,
                         enum service_id service, struct slice user)
{
    unsigned partition;

    if (!frontend->pressed_count)
        return false;
    partition = partition_of(jid_text_bare(user), frontend->output.partitions);
    return frontend->pressed[service][partition];
}

static bool *find_pressed(struct frontend *frontend,
                          const struct bus_destination *destination)
{
    for (unsigned service = 0; service < SERVICE_COUNT; service++) {
        for (unsigned i = 0; i < frontend->output.partitions; i++) {
            if (daemon_partition(frontend->daemon, (enum service_id)service,
                                 i) == destination)
                return &frontend->pressed[service][i];
        }
    }
    return NULL;
}

static void on_pressure(void *owner, struct bus_destination *destination,
                        bool is_high)
{
    struct frontend *frontend = owner;
    bool *pressed = find_pressed(frontend, destination);

    if (!pressed || *pressed == is_high)
        return;
    *pressed = is_high;
    if (is_high) {
        frontend->pressed_count++;
        log_warning("queue of %.*s: backs up, its clients wait",
                    SLICE_FORMAT(bus_destination_key(destination)));
        return;
    }
    frontend->pressed_count--;
    frontend->has_relief = true;
    loop_timer_start(frontend->end_of_turn, 0);
}

static void on_end_of_turn(void *argument)
{
    struct frontend *frontend = argument;
    struct connection *connection;

    if (frontend->has_relief) {
        frontend->has_relief = false;
        TAILQ_FOREACH (connection, &frontend->connections, all)
            connection_unpark(connection);
    }
    connections_end_turn(frontend);
}

/* A session on its way to a frontend that is gone. */
static void on_unroutable(void *owner, struct bus_destination *destination,
                          struct slice raw, struct bus_receipt *receipt)
{
    struct frontend *frontend = owner;
    struct output output;
    struct event event;
    const char *error;

    (void)destination;
    daemon_output_init(frontend->daemon, &output);
    if (event_decode(raw, &event, &error))
        give_back_inbox(&event, &output);
    daemon_publish(frontend->daemon, &output, receipt);
    output_deinit(&output);
    if (receipt)
        bus_receipt_settle(receipt);
}

/* Other members. */

static void on_node_event(void *owner, const struct event *event)
{
    struct frontend *frontend = owner;
    struct connection *connection;

    if (!inbox_epoch_is_current(frontend->inbox, event))
        return;
    if (event->type == EVENT_SNAPSHOT_ASK) {
        snapshot_asked(frontend, event);
    } else if (event->type == EVENT_AUTH_KEYS) {
        connection = frontend_answered(frontend, event->request);
        if (connection)
            sasl_keys(connection, event);
    }
}

/* A service that is away for a moment is still the one to ask. */
static void learn_services(void *owner, const struct member *member)
{
    struct frontend *frontend = owner;
    struct event_list list;
    struct slice item;

    if (member->service == SERVICE_NONE || !member->serves)
        return;
    event_list_open(&list, (struct slice){member->serves, member->serves_size});
    while (event_list_next(&list, &item)) {
        if (!slice_starts_with(item, "iq:"))
            continue;
        map_put(frontend->iq_services,
                (struct slice){item.data + 3, item.size - 3},
                &frontend->service_ids[member->service]);
    }
}

enum service_id frontend_iq_service(const struct frontend *frontend,
                                    struct slice ns)
{
    const enum service_id *service = map_find(frontend->iq_services, ns);

    return service ? *service : SERVICE_NONE;
}

/* Time. */

static void give_back_memory(struct frontend *frontend, uint64_t now_ms)
{
    if (!frontend->logins || now_ms - frontend->last_login_ms < TRIM_AFTER_MS)
        return;
    frontend->logins = 0;
    malloc_trim(0);
}

static void on_tick(void *owner, uint64_t now_ms)
{
    struct frontend *frontend = owner;
    struct connection *connection;

    TAILQ_FOREACH (connection, &frontend->connections, all)
        connection_tick(connection, now_ms);
    sessions_tick(frontend, now_ms);
    arrivals_tick(frontend, now_ms);
    handovers_tick(frontend, now_ms);
    give_back_memory(frontend, now_ms);
}

/* TLS. */

static struct tls_files tls_files(const struct frontend_config *config)
{
    return (struct tls_files){config->certificate, *config->private_key
                                                       ? config->private_key
                                                       : config->certificate};
}

static void on_reloaded(void *owner)
{
    struct frontend *frontend = owner;
    struct tls_files files = tls_files(&frontend->config);

    if (frontend->tls)
        tls_context_reload(frontend->tls, &files);
}

static const char *start_tls(void *owner, struct buffer *why_out)
{
    struct frontend *frontend = owner;
    const struct frontend_config *config = &frontend->config;
    struct tls_files files = tls_files(config);
    const char *option = NULL;

    if (config->tls == TLS_OFF)
        return NULL;
    if (!*config->certificate) {
        buffer_append_text(why_out, "expected a file unless tls is off");
        return "certificate";
    }
    frontend->tls = tls_context_create(&files, &option, why_out);
    return option;
}

/* Resumption. */

static void derive_token_key(struct frontend *frontend)
{
    const char *secret = frontend->config.token_secret;

    if (!*secret)
        secret = daemon_common(frontend->daemon)->broker_password;
    if (strlen(secret) < TOKEN_SECRET_MIN)
        log_warning("clients may guess the secret of resumption tokens "
                    "(token_secret, else broker_password): it has less than "
                    "%d bytes",
                    TOKEN_SECRET_MIN);
    token_key_derive(secret, frontend->domain, &frontend->token_key);
}

/* Life. */

const struct daemon_spec frontend_spec = {
    .kind = "frontend",
    .service = SERVICE_NONE,
    .check = start_tls,
    .node_event = on_node_event,
    .bus = {.pressure = on_pressure, .unroutable = on_unroutable},
    .members = {.joined = learn_services, .changed = learn_services},
    .drain = drain_begin,
    .reloaded = on_reloaded,
    .tick = on_tick,
};

static void start_tables(struct frontend *frontend)
{
    TAILQ_INIT(&frontend->connections);
    TAILQ_INIT(&frontend->dirty);
    TAILQ_INIT(&frontend->doomed);
    LIST_INIT(&frontend->detached);
    LIST_INIT(&frontend->handovers);
    LIST_INIT(&frontend->marks);
    STAILQ_INIT(&frontend->ended);
    frontend->sessions = map_create();
    frontend->resuming = map_create();
    frontend->arrivals = map_create();
    frontend->sent_away = map_create();
    frontend->requests = map_create();
    frontend->iq_services = map_create();
    for (unsigned service = 0; service < SERVICE_COUNT; service++)
        frontend->service_ids[service] = (enum service_id)service;
}

void frontend_init(struct frontend *frontend, struct daemon *daemon)
{
    struct event_base *loop = daemon_loop(daemon);
    char address[NAME_MAX_BYTES];

    mallopt(M_ARENA_MAX, 2); /* else each thread grows one of its own */
    frontend->daemon = daemon;
    frontend->domain = slice_of(daemon_common(daemon)->domain);
    derive_token_key(frontend);
    start_tables(frontend);
    listener_open(frontend);
    daemon_output_init(daemon, &frontend->output);
    frontend->parser = stanza_parser_create();
    frontend->sasl = sasl_context_create();
    frontend->key_workers = worker_pool_create(
        loop, frontend->config.key_threads, frontend->config.key_queue);
    frontend->end_of_turn = loop_timer_create(loop, on_end_of_turn, frontend);
    frontend->snapshot_timer = loop_timer_create(loop, snapshot_step, frontend);
    snprintf(address, sizeof(address), "%s:%lu", frontend->config.listen,
             (unsigned long)frontend->config.port);
    daemon_set_address(daemon, address);
    frontend->inbox = inbox_create(frontend);
}

static void end_connections(struct frontend *frontend)
{
    struct connection *connection;

    TAILQ_FOREACH (connection, &frontend->connections, all)
        stream_lost(connection, "stopped");
    connections_end_turn(frontend);
    while (!LIST_EMPTY(&frontend->detached))
        session_end(LIST_FIRST(&frontend->detached), true, "stopped");
}

void frontend_deinit(struct frontend *frontend)
{
    listener_stop(frontend);
    end_connections(frontend);
    ended_give_back(frontend);
    received_forget_marks(frontend);
    worker_pool_destroy(&frontend->key_workers, keys_discard);
    snapshots_drop(frontend);
    loop_timer_destroy(&frontend->drain_timer);
    loop_timer_destroy(&frontend->snapshot_timer);
    loop_timer_destroy(&frontend->end_of_turn);
    inbox_destroy(&frontend->inbox);
    arrivals_drop(frontend);
    handovers_drop(frontend);
    handovers_tick(frontend, UINT64_MAX);
    map_destroy(&frontend->sent_away);
    map_destroy(&frontend->resuming);
    map_destroy(&frontend->sessions);
    map_destroy(&frontend->requests);
    map_destroy(&frontend->iq_services);
    output_deinit(&frontend->output);
    sasl_context_destroy(&frontend->sasl);
    tls_context_destroy(&frontend->tls);
    stanza_parser_destroy(&frontend->parser);
}
