/*
 * Stands in for the threads of the bus: what the loop posts to them is kept,
 * and the test tells their reports.  Include once per program; the linker then
 * has no need of the real ones.
 */
#ifndef CLUSTER_BUS_THREADS_H
#define CLUSTER_BUS_THREADS_H

#include "cluster/bus_link.h"
#include "real_bus.h"

#include <event2/event.h>

static struct bus_link publisher_link;
static struct bus_link consumer_link;
/* Commands for the consumer, oldest first; parcels are found at their
 * destinations. */
static struct bus_command *commands;

struct bus_link *bus_publisher_create(struct bus *bus)
{
    publisher_link.bus = bus;
    return &publisher_link;
}

struct bus_link *bus_consumer_create(struct bus *bus)
{
    consumer_link.bus = bus;
    return &consumer_link;
}

void bus_link_post(struct bus_link *link, struct letter *letter)
{
    struct bus_command **last = &commands;

    if (link == &publisher_link)
        return;
    while (*last)
        last = &(*last)->next;
    *last = LETTER_OWNER(letter, struct bus_command, letter);
}

void bus_link_stop(struct bus_link *link)
{
    (void)link;
}

void bus_link_cut(struct bus_link *link)
{
    (void)link;
}

void bus_link_join(struct bus_link **link, uint64_t deadline_ms)
{
    (void)deadline_ms;
    *link = NULL;
    while (commands) {
        struct bus_command *command = commands;

        commands = command->next;
        bus_command_free(&command);
    }
}

static inline void loop_turn(struct bus *bus)
{
    event_base_loop(bus->loop, EVLOOP_NONBLOCK);
}

/* Posts a report as the thread of that link would, and lets the loop turn. */
static inline struct bus_report *report_new(struct bus_link *link,
                                            enum bus_report_kind kind)
{
    struct bus_report *report = memory_new(sizeof(*report));

    report->kind = kind;
    report->link = link;
    return report;
}

static inline void report_post(struct bus_report *report)
{
    struct bus *bus = report->link->bus;

    mailbox_post(bus->mailbox, &report->letter);
    loop_turn(bus);
}

#endif
