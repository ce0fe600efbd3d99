#include "cluster/bus.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_link.h"
#include "cluster/bus_private.h"

#include <event2/event.h>

enum { STOP_MS = 1000 };

static char *copy(const char *text)
{
    return memory_copy_text(slice_of(text));
}

static void config_copy(struct bus_config *to, const struct bus_config *from)
{
    *to = *from;
    to->host = copy(from->host);
    to->user = copy(from->user);
    to->password = copy(from->password);
    to->vhost = copy(from->vhost);
    to->name = copy(from->name);
}

/* Wiped: one of them is the password. */
static void text_free(const char *text)
{
    char *owned;

    memcpy(&owned, &text, sizeof(owned));
    if (owned)
        explicit_bzero(owned, strlen(owned));
    memory_free(&owned);
}

static void config_deinit(struct bus_config *config)
{
    text_free(config->host);
    text_free(config->user);
    text_free(config->password);
    text_free(config->vhost);
    text_free(config->name);
}

/* Connected, or not. */

static void check_connected(struct bus *bus)
{
    if (bus->is_connected || !bus->is_publisher_up || !bus->is_consumer_up ||
        !bus_subscriptions_are_settled(bus))
        return;
    bus->is_connected = true;
    log_info("broker: connected");
    if (bus->hooks.connected)
        bus->hooks.connected(bus->owner);
}

static void link_is_up(struct bus_report *report)
{
    struct bus *bus = report->link->bus;

    if (report->link == bus->publisher) {
        bus->is_publisher_up = true;
    } else {
        bus->is_consumer_up = true;
        bus_subscriptions_unsettle(bus);
    }
}

static void set_blocked(struct bus *bus, bool is_blocked, const char *reason)
{
    if (bus->is_blocked == is_blocked)
        return;
    bus->is_blocked = is_blocked;
    if (is_blocked)
        log_warning("broker: takes no messages: %s", reason);
    else
        log_info("broker: takes messages again");
    if (bus->hooks.blocked)
        bus->hooks.blocked(bus->owner, is_blocked);
}

static void link_is_down(struct bus_report *report)
{
    struct bus *bus = report->link->bus;
    bool was_connected = bus->is_connected;

    bus->is_connected = false;
    if (report->link == bus->publisher) {
        bus->is_publisher_up = false;
        set_blocked(bus, false, NULL);
    } else {
        bus->is_consumer_up = false;
    }
    if (was_connected && bus->hooks.disconnected)
        bus->hooks.disconnected(bus->owner, report->text);
}

static void parcels_report(struct bus_report *report)
{
    struct bus_parcel *parcel;

    while ((parcel = bus_parcels_take(&report->parcels)))
        bus_destination_report(parcel);
}

static void refused_report(struct bus_report *report)
{
    struct bus *bus = report->link->bus;

    if (bus->hooks.refused)
        bus->hooks.refused(bus->owner, report->what, report->text);
}

static void blocked_report(struct bus_report *report)
{
    set_blocked(report->link->bus, report->flag, report->text);
}

static void inspected_report(struct bus_report *report)
{
    report->command->inspected(report->command->argument, report->flag,
                               report->message_count, report->consumer_count);
}

static void (*const report_handlers[])(struct bus_report *report) = {
    [BUS_REPORT_UP] = link_is_up,
    [BUS_REPORT_DOWN] = link_is_down,
    [BUS_REPORT_BLOCKED] = blocked_report,
    [BUS_REPORT_REFUSED] = refused_report,
    [BUS_REPORT_PARCELS] = parcels_report,
    [BUS_REPORT_MESSAGES] = bus_subscription_messages,
    [BUS_REPORT_STARTED] = bus_subscription_started,
    [BUS_REPORT_RESET] = bus_subscription_reset,
    [BUS_REPORT_CLOSED] = bus_subscription_closed,
    [BUS_REPORT_INSPECTED] = inspected_report,
};

void bus_report_free(struct bus_report **report_at)
{
    struct bus_report *report = *report_at;

    while (report->messages) {
        struct bus_held *held = report->messages;

        report->messages = held->next;
        bus_held_free(&held);
    }
    if (report->command)
        bus_command_free(&report->command);
    memory_free(&report->what);
    memory_free(&report->text);
    memory_free(report_at);
}

/* The loop. */

static void turn(struct bus *bus)
{
    bus->is_turn_due = false;
    bus_receipts_turn(bus);
    bus_destinations_turn(bus);
    bus_subscriptions_turn(bus);
}

static void on_turn_end(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    turn(argument);
}

void bus_turn_due(struct bus *bus)
{
    if (bus->is_turn_due)
        return;
    bus->is_turn_due = true;
    event_active(bus->turn_event, 0, 0);
}

static void on_reports(evutil_socket_t fd, short what, void *argument)
{
    struct bus *bus = argument;
    struct letter *letter = mailbox_take(bus->mailbox);

    (void)fd;
    (void)what;
    while (letter) {
        struct bus_report *report =
            LETTER_OWNER(letter, struct bus_report, letter);

        letter = letter->next;
        report_handlers[report->kind](report);
        bus_report_free(&report);
    }
    turn(bus);
    check_connected(bus);
}

/* Life. */

struct bus *bus_create(struct event_base *loop, const struct bus_config *config,
                       const struct bus_hooks *hooks, void *owner)
{
    struct bus *bus = memory_new(sizeof(*bus));

    bus->loop = loop;
    config_copy(&bus->config, config);
    bus->hooks = *hooks;
    bus->owner = owner;
    bus->mailbox = mailbox_create();
    bus->destinations = map_create();
    bus->mailbox_event = event_new(loop, mailbox_fd(bus->mailbox),
                                   EV_READ | EV_PERSIST, on_reports, bus);
    bus->turn_event = event_new(loop, -1, 0, on_turn_end, bus);
    BUG_ON(!bus->mailbox_event || !bus->turn_event);
    BUG_ON(event_add(bus->mailbox_event, NULL) < 0);
    bus->publisher = bus_publisher_create(bus);
    bus->consumer = bus_consumer_create(bus);
    return bus;
}

bool bus_is_connected(const struct bus *bus)
{
    return bus->is_connected;
}

bool bus_is_blocked(const struct bus *bus)
{
    return bus->is_blocked;
}

bool bus_is_idle(const struct bus *bus)
{
    return bus->parcels == 0 && !bus->ready;
}

size_t bus_pending_bytes(const struct bus *bus)
{
    return bus->bytes;
}

static bool join_threads(struct bus *bus)
{
    uint64_t deadline = clock_now_ms() + STOP_MS;

    if (bus->publisher)
        bus_link_join(&bus->publisher, deadline);
    if (bus->consumer)
        bus_link_join(&bus->consumer, deadline);
    return !bus->publisher && !bus->consumer;
}

/* Gives the threads a second to end by themselves and another one after their
 * connections were cut.  One that is only being opened has nothing to lose. */
static bool stop_threads(struct bus *bus)
{
    bus_link_stop(bus->publisher);
    bus_link_stop(bus->consumer);
    if (!bus->is_publisher_up)
        bus_link_cut(bus->publisher);
    if (!bus->is_consumer_up)
        bus_link_cut(bus->consumer);
    if (join_threads(bus))
        return true;
    if (bus->publisher)
        bus_link_cut(bus->publisher);
    if (bus->consumer)
        bus_link_cut(bus->consumer);
    return join_threads(bus);
}

static void drop_reports(struct bus *bus)
{
    struct letter *letter = mailbox_take(bus->mailbox);

    while (letter) {
        struct bus_report *report =
            LETTER_OWNER(letter, struct bus_report, letter);

        letter = letter->next;
        bus_report_free(&report);
    }
    mailbox_destroy(&bus->mailbox);
}

void bus_destroy(struct bus **bus_at)
{
    struct bus *bus = *bus_at;

    *bus_at = NULL;
    if (!bus)
        return;
    event_free(bus->mailbox_event);
    event_free(bus->turn_event);
    if (!stop_threads(bus)) {
        /* Name resolution cannot be interrupted; the thread still uses all
         * this, and the process is about to end. */
        log_warning("broker: a connection did not end in time, left behind");
        return;
    }
    drop_reports(bus);
    bus_destinations_free(bus);
    bus_subscriptions_free(bus);
    bus_receipts_free(bus);
    map_destroy(&bus->destinations);
    config_deinit(&bus->config);
    memory_free(&bus);
}
