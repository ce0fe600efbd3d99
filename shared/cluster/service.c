#include "cluster/service.h"

#include <event2/event.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/adopt.h"
#include "cluster/give_back.h"
#include "cluster/last_words.h"
#include "cluster/service_private.h"

enum {
    BALANCE_MS = 200,
    LISTEN_MS = 300, /* others answer a newcomer's announcement at once */
};

bool service_has_store(const struct service *service)
{
    return service->spec->begin != NULL;
}

/* Members. */

static bool is_frontend(const struct member *member)
{
    return !strcmp(member->kind, "frontend");
}

static void peers_changed(struct service *service, const struct member *member)
{
    if (member->service == service->spec->service)
        service->calm_since_ms = clock_now_ms();
}

static void on_joined(void *owner, const struct member *member)
{
    struct service *service = owner;

    peers_changed(service, member);
    for (unsigned i = 0; i < service->partition_count; i++) {
        struct partition *partition = &service->partitions[i];

        if (is_frontend(member) && (partition->state == PARTITION_TAKING ||
                                    partition->state == PARTITION_OWNED))
            takeover_ask(partition, slice_of(member->node));
    }
}

static void node_gone(struct partition *partition, struct slice node)
{
    const struct service_spec *spec = partition->service->spec;
    struct output output;

    takeover_forget(partition, node);
    map_remove(partition->heard, node);
    if (!spec->node_gone || !partition->data)
        return;
    partition_output_init(partition, &output);
    spec->node_gone(partition->data, node, &output);
    work_publish(partition, &output);
    output_deinit(&output);
}

static void on_orphan(void *owner, struct slice node)
{
    struct service *service = owner;

    for (unsigned i = 0; i < service->partition_count; i++)
        takeover_orphan(&service->partitions[i], node);
}

static void on_left(void *owner, const struct member *member, bool in_order)
{
    struct service *service = owner;

    peers_changed(service, member);
    if (!is_frontend(member))
        return;
    if (service->adopt && !in_order)
        adopt_left(service->adopt, member);
    for (unsigned i = 0; i < service->partition_count; i++)
        node_gone(&service->partitions[i], slice_of(member->node));
}

static void on_changed(void *owner, const struct member *member)
{
    struct service *service = owner;

    (void)member;
    balance(service, clock_now_ms());
}

/* Node events. */

static void register_heard(struct service *service, const struct event *list)
{
    adopt_heard(service->adopt, list);
    for (unsigned i = 0; i < service->partition_count; i++)
        takeover_tick(&service->partitions[i], clock_now_ms());
}

static void on_node_event(void *owner, const struct event *event)
{
    struct service *service = owner;

    if (event->type == EVENT_SNAPSHOT_SESSION ||
        event->type == EVENT_SNAPSHOT_END)
        takeover_heard(owner, event);
    else if (event->type == EVENT_ARCHIVE_PENDING && service->spec->prepared)
        takeover_prepared(service, event);
    else if (event->type == EVENT_INBOX_LIST && service->adopt)
        register_heard(service, event);
}

/* A frontend's inbox is gone and with it the session the stanza was for. */
static void on_unroutable(void *owner, struct bus_destination *destination,
                          struct slice raw, struct bus_receipt *receipt)
{
    struct service *service = owner;
    struct output output;
    struct event event;
    const char *error;

    (void)destination;
    daemon_output_init(service->daemon, &output);
    if (event_decode(raw, &event, &error))
        give_back_inbox(&event, &output);
    daemon_publish(service->daemon, &output, receipt);
    output_deinit(&output);
    if (receipt)
        bus_receipt_settle(receipt);
}

/* Time. */

static void on_tick(void *owner, uint64_t now_ms)
{
    struct service *service = owner;

    for (unsigned i = 0; i < service->partition_count; i++)
        partition_tick(&service->partitions[i], now_ms);
    if (service->adopt && service->is_up)
        adopt_tick(service->adopt, now_ms);
}

static bool has_drained(const struct service *service)
{
    for (unsigned i = 0; i < service->partition_count; i++) {
        if (service->partitions[i].state != PARTITION_ABSENT)
            return false;
    }
    return true;
}

static void on_balance_due(evutil_socket_t fd, short what, void *argument)
{
    struct service *service = argument;
    struct members *members = daemon_members(service->daemon);
    uint64_t now = clock_now_ms();

    (void)fd;
    (void)what;
    if (daemon_is_draining(service->daemon)) {
        if (has_drained(service))
            daemon_finish(service->daemon);
        return;
    }
    if (!service->is_up && members_is_fresh(members)) {
        if (!service->calm_since_ms) {
            service->calm_since_ms = now;
        } else if (now - service->calm_since_ms >= LISTEN_MS) {
            service->is_up = true;
            daemon_set_state(service->daemon, MEMBER_UP);
            log_info("ready");
            if (service->adopt)
                adopt_tick(service->adopt, now);
        }
    }
    balance(service, now);
}

static void on_drain(void *owner)
{
    struct service *service = owner;

    for (unsigned i = 0; i < service->partition_count; i++)
        partition_leave(&service->partitions[i], false);
    if (service->adopt)
        adopt_drain(service->adopt);
}

static void describe(void *owner, char *shares, char *declined)
{
    static const char letters[] = {
        [PARTITION_ABSENT] = '-',  [PARTITION_SUBSCRIBED] = 's',
        [PARTITION_TAKING] = 's',  [PARTITION_OWNED] = 'o',
        [PARTITION_LEAVING] = 'o', [PARTITION_CLOSING] = '-'};
    struct service *service = owner;

    for (unsigned i = 0; i < service->partition_count; i++) {
        shares[i] = letters[service->partitions[i].state];
        declined[i] = service->partitions[i].is_declined ? 'x' : '-';
    }
    shares[service->partition_count] = '\0';
    declined[service->partition_count] = '\0';
}

/* Start and stop. */

static void on_suspects_read(void *owner)
{
    struct service *service = owner;

    for (unsigned i = 0; i < service->partition_count; i++)
        takeover_tick(&service->partitions[i], clock_now_ms());
}

static void service_init(struct service *service)
{
    const struct service_spec *spec = service->spec;

    for (size_t i = 0; i < spec->handler_count; i++)
        service->handlers[spec->handlers[i].type] = spec->handlers[i].handle;
    service->suspects = suspects_create(
        daemon_bus(service->daemon), spec->service,
        daemon_node(service->daemon), on_suspects_read, service);
    if (spec->adopts_inboxes)
        service->adopt = adopt_create(service->daemon, on_orphan, service);
    service->prefetch = daemon_common(service->daemon)->prefetch;
    service->partition_count =
        (unsigned)daemon_common(service->daemon)->partitions;
    if (service_has_store(service))
        service->store = worker_pool_create(daemon_loop(service->daemon), 1, 0);
    for (unsigned i = 0; i < service->partition_count; i++)
        partition_init(&service->partitions[i], service, i);
}

static void service_deinit(struct service *service)
{
    for (unsigned i = 0; i < service->partition_count; i++)
        partition_deinit(&service->partitions[i]);
    adopt_destroy(&service->adopt);
    suspects_destroy(&service->suspects);
    worker_pool_destroy(&service->store, NULL);
    for (unsigned i = 0; i < service->partition_count; i++)
        partition_free_epochs(&service->partitions[i]);
    work_free_spare(service);
}

static int say_last_words(const struct service_spec *spec, int argc,
                          char **argv)
{
    void *config = memory_new(spec->config_size + 1);
    int status = last_words_main(service_name(spec->service), &spec->options,
                                 config, argc - 1, argv + 1);

    memory_free(&config);
    return status;
}

static int run(const struct service_spec *spec, int argc, char **argv)
{
    struct service *service = memory_new(sizeof(*service));
    struct daemon_spec daemon_spec = {
        .kind = service_name(spec->service),
        .service = spec->service,
        .options = spec->options,
        .config = memory_new(spec->config_size + 1),
        .serves = spec->serves,
        .node_event = on_node_event,
        .bus = {.unroutable = on_unroutable},
        .members = {.joined = on_joined,
                    .left = on_left,
                    .changed = on_changed},
        .drain = on_drain,
        .tick = on_tick,
        .describe = describe,
    };
    struct timeval interval = {0, BALANCE_MS * 1000};
    struct event *balance_due;

    service->spec = spec;
    service->config = daemon_spec.config;
    last_words_prepare(argc, argv);
    service->daemon = daemon_start(&daemon_spec, service, argc, argv);
    service_init(service);
    last_words_enable(spec->service, daemon_node(service->daemon));
    balance_due = event_new(daemon_loop(service->daemon), -1, EV_PERSIST,
                            on_balance_due, service);
    BUG_ON(!balance_due);
    event_add(balance_due, &interval);
    daemon_run(service->daemon);
    event_free(balance_due);
    service_deinit(service);
    daemon_stop(&service->daemon);
    memory_free(&daemon_spec.config);
    memory_free(&service);
    return EXIT_SUCCESS;
}

int service_main(const struct service_spec *spec, int argc, char **argv)
{
    return last_words_are_asked(argc, argv) ? say_last_words(spec, argc, argv)
                                            : run(spec, argc, argv);
}
