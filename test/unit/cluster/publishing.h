/* The loop's side of publishing: a bus that the test tells what the broker says
 * to a parcel, and what the bus tells of it. */
#ifndef UNIT_CLUSTER_PUBLISHING_H
#define UNIT_CLUSTER_PUBLISHING_H

#include "bus_threads.h"

#include "cluster/event.h"

enum { BATCH_EVENTS = 4, BATCH_BYTES = 40 };

struct fixture {
    struct event_base *loop;
    struct bus *bus;
    unsigned settled;
    unsigned pressures;
    bool is_pressed;
    struct buffer returned;
    struct bus_destination *elsewhere;
    bool is_homeless; /* a place elsewhere is looked for when it is needed */
};

static struct fixture fixture;

static inline struct bus_destination *destination(enum bus_class class)
{
    return bus_destination(fixture.bus, "ocean.test", SLICE("00"), class);
}

static inline void on_unroutable(void *owner, struct bus_destination *to,
                                 struct slice event,
                                 struct bus_receipt *receipt)
{
    (void)owner;
    (void)to;
    buffer_append(&fixture.returned, event);
    if (fixture.is_homeless)
        fixture.elsewhere = destination(BUS_CORE);
    if (fixture.elsewhere)
        bus_publish(fixture.elsewhere, event, false, receipt);
    if (receipt)
        bus_receipt_settle(receipt);
}

static inline void on_pressure(void *owner, struct bus_destination *destination,
                               bool is_high)
{
    (void)owner;
    (void)destination;
    fixture.pressures++;
    fixture.is_pressed = is_high;
}

static inline void begin(void)
{
    static const struct bus_hooks hooks = {
        .unroutable = on_unroutable,
        .pressure = on_pressure,
    };
    static const struct bus_config config = {
        .host = "127.0.0.1",
        .port = 1,
        .user = "nobody",
        .password = "nothing",
        .vhost = "/",
        .name = "test",
        .batch_events = BATCH_EVENTS,
        .batch_bytes = BATCH_BYTES,
        .pressure_high_bytes = 100,
        .pressure_low_bytes = 50,
    };

    fixture = (struct fixture){.loop = event_base_new()};
    fixture.bus = bus_create(fixture.loop, &config, &hooks, NULL);
}

static inline void end(void)
{
    bus_destroy(&fixture.bus);
    event_base_free(fixture.loop);
    buffer_deinit(&fixture.returned);
}

static inline void turn(void)
{
    loop_turn(fixture.bus);
}

/* What the publisher would tell about the parcel under way there. */
static inline void outcome(struct bus_destination *to, enum bus_outcome told)
{
    struct bus_report *report = report_new(&publisher_link, BUS_REPORT_PARCELS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(to->sent);
    to->sent->outcome = told;
    bus_parcels_append(&report->parcels, to->sent);
    report_post(report);
}

/* The events of the parcel under way, one after the other. */
static inline void expect_sent(const struct bus_destination *to,
                               const char *expected)
{
    struct buffer body = BUFFER_EMPTY;

    CU_ASSERT_PTR_NOT_NULL_FATAL(to->sent);
    event_batch_header(&body, to->sent->count);
    buffer_append_text(&body, expected);
    CU_ASSERT_TRUE(slice_equal(to->sent->message, buffer_slice(&body)));
    buffer_deinit(&body);
}

static inline void publish(struct bus_destination *to, const char *event)
{
    bus_publish(to, slice_of(event), false, NULL);
}

#endif
