/* The loop's side of publishing: batches, receipts, what a failure means. */
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

static void on_settled(void *argument)
{
    (void)argument;
    fixture.settled++;
}

static struct bus_destination *destination(enum bus_class class)
{
    return bus_destination(fixture.bus, "ocean.test", SLICE("00"), class);
}

static void on_unroutable(void *owner, struct bus_destination *to,
                          struct slice event, struct bus_receipt *receipt)
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

static void on_pressure(void *owner, struct bus_destination *destination,
                        bool is_high)
{
    (void)owner;
    (void)destination;
    fixture.pressures++;
    fixture.is_pressed = is_high;
}

static void begin(void)
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

static void end(void)
{
    bus_destroy(&fixture.bus);
    event_base_free(fixture.loop);
    buffer_deinit(&fixture.returned);
}

static void turn(void)
{
    loop_turn(fixture.bus);
}

static struct bus_receipt *receipt_new(void)
{
    return bus_receipt_create(fixture.bus, on_settled, NULL);
}

/* What the publisher would tell about the parcel under way there. */
static void outcome(struct bus_destination *to, enum bus_outcome told)
{
    struct bus_report *report = report_new(&publisher_link, BUS_REPORT_PARCELS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(to->sent);
    to->sent->outcome = told;
    bus_parcels_append(&report->parcels, to->sent);
    report_post(report);
}

/* The events of the parcel under way, one after the other. */
static void expect_sent(const struct bus_destination *to, const char *expected)
{
    struct buffer body = BUFFER_EMPTY;

    CU_ASSERT_PTR_NOT_NULL_FATAL(to->sent);
    event_batch_header(&body, to->sent->count);
    buffer_append_text(&body, expected);
    CU_ASSERT_TRUE(slice_equal(to->sent->message, buffer_slice(&body)));
    buffer_deinit(&body);
}

static void publish(struct bus_destination *to, const char *event)
{
    bus_publish(to, slice_of(event), false, NULL);
}

static void the_rest_gathers(void)
{
    struct bus_destination *to;

    begin();
    to = destination(BUS_CORE);
    publish(to, "a");
    CU_ASSERT_PTR_NULL(to->sent); /* the turn is not over */
    publish(to, "b");
    turn();
    expect_sent(to, "ab");
    publish(to, "c");
    turn();
    publish(to, "d");
    turn();
    expect_sent(to, "ab");
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, "cd");
    CU_ASSERT_FALSE(bus_is_idle(fixture.bus));
    CU_ASSERT_EQUAL(bus_pending_bytes(fixture.bus), 2);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_PTR_NULL(to->sent);
    CU_ASSERT_TRUE(bus_is_idle(fixture.bus));
    CU_ASSERT_EQUAL(bus_pending_bytes(fixture.bus), 0);
    end();
}

static void batches_are_bounded(void)
{
    static const char big[] = "0123456789012345678901234567890123456789012345";
    struct bus_destination *to;

    begin();
    to = destination(BUS_CORE);
    for (const char *event = "abcdef"; *event; event++)
        bus_publish(to, (struct slice){event, 1}, false, NULL);
    publish(to, "01234567890123456789012345678901234567"); /* 38 + 2 = 40 */
    publish(to, "g");
    publish(to, big);
    publish(to, "h");
    turn();
    expect_sent(to, "abcd");
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, "ef01234567890123456789012345678901234567");
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, "g");
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, big);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, "h");
    end();
}

static void one_durable_event_is_enough(void)
{
    struct bus_destination *to;

    begin();
    to = destination(BUS_CORE);
    publish(to, "a");
    bus_publish(to, SLICE("b"), true, NULL);
    publish(to, "c");
    turn();
    CU_ASSERT_TRUE(to->sent->is_durable);
    publish(to, "d");
    outcome(to, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_FALSE(to->sent->is_durable);
    end();
}

static void receipts_settle_once_sealed_and_confirmed(void)
{
    struct bus_destination *to;
    struct bus_destination *other;
    struct bus_receipt *receipt;

    begin();
    to = destination(BUS_CORE);
    other = bus_destination(fixture.bus, "ocean.test", SLICE("01"), BUS_CORE);
    CU_ASSERT_PTR_NOT_EQUAL(to, other);
    CU_ASSERT_PTR_EQUAL(to, destination(BUS_CORE));
    receipt = receipt_new();
    bus_publish(to, SLICE("a"), true, receipt);
    turn();
    outcome(to, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_EQUAL(fixture.settled, 0);
    bus_publish(other, SLICE("b"), true, receipt);
    bus_publish(other, SLICE("c"), true, receipt);
    bus_receipt_seal(receipt);
    turn();
    CU_ASSERT_EQUAL(fixture.settled, 0);
    outcome(other, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_EQUAL(fixture.settled, 1);
    end();
}

static void an_empty_receipt_settles_after_the_call(void)
{
    begin();
    bus_receipt_seal(receipt_new());
    CU_ASSERT_EQUAL(fixture.settled, 0);
    CU_ASSERT_FALSE(bus_is_idle(fixture.bus));
    turn();
    CU_ASSERT_EQUAL(fixture.settled, 1);
    CU_ASSERT_TRUE(bus_is_idle(fixture.bus));
    end();
}

static void a_core_queue_is_tried_again(void)
{
    struct bus_destination *to;
    struct bus_parcel *parcel;

    begin();
    to = destination(BUS_CORE);
    publish(to, "a");
    turn();
    parcel = to->sent;
    publish(to, "b");
    outcome(to, BUS_OUTCOME_REJECTED);
    CU_ASSERT_PTR_EQUAL(to->sent, parcel);
    CU_ASSERT_TRUE(to->is_resting);
    CU_ASSERT_EQUAL(to->rest_ms, 50);
    while (to->is_resting)
        event_base_loop(fixture.loop, EVLOOP_ONCE);
    outcome(to, BUS_OUTCOME_RETURNED);
    CU_ASSERT_PTR_EQUAL(to->sent, parcel);
    CU_ASSERT_EQUAL(to->rest_ms, 100);
    while (to->is_resting)
        event_base_loop(fixture.loop, EVLOOP_ONCE);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    expect_sent(to, "b");
    CU_ASSERT_EQUAL(to->rest_ms, 0);
    CU_ASSERT_EQUAL(fixture.returned.size, 0);
    end();
}

static void a_missing_inbox_gives_back_in_order(void)
{
    struct bus_destination *to;
    struct bus_receipt *receipt;

    begin();
    to = destination(BUS_INBOX);
    receipt = receipt_new();
    publish(to, "a");
    bus_publish(to, SLICE("b"), true, receipt);
    bus_receipt_seal(receipt);
    turn();
    for (const char *event = "cdefgh"; *event; event++)
        bus_publish(to, (struct slice){event, 1}, false, NULL);
    turn();
    outcome(to, BUS_OUTCOME_RETURNED);
    ASSERT_SLICE(buffer_slice(&fixture.returned), "abcdefgh");
    CU_ASSERT_EQUAL(fixture.settled, 1);
    CU_ASSERT_TRUE(bus_is_idle(fixture.bus));
    CU_ASSERT_EQUAL(bus_pending_bytes(fixture.bus), 0);
    end();
}

static void what_is_given_back_may_go_elsewhere(void)
{
    struct bus_destination *to;
    struct bus_receipt *receipt;

    begin();
    to = destination(BUS_INBOX);
    fixture.elsewhere =
        bus_destination(fixture.bus, "ocean.test", SLICE("01"), BUS_CORE);
    receipt = receipt_new();
    bus_publish(to, SLICE("a"), true, receipt);
    bus_receipt_seal(receipt);
    turn();
    outcome(to, BUS_OUTCOME_RETURNED);
    CU_ASSERT_EQUAL(fixture.settled, 0);
    expect_sent(fixture.elsewhere, "a");
    outcome(fixture.elsewhere, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_EQUAL(fixture.settled, 1);
    end();
}

static void a_full_inbox_is_tried_again(void)
{
    struct bus_destination *to;

    begin();
    to = destination(BUS_INBOX);
    publish(to, "a");
    turn();
    outcome(to, BUS_OUTCOME_REJECTED);
    CU_ASSERT_TRUE(to->is_resting);
    CU_ASSERT_EQUAL(fixture.returned.size, 0);
    end();
}

static void an_answer_is_dropped(void)
{
    static const enum bus_outcome failures[] = {BUS_OUTCOME_RETURNED,
                                                BUS_OUTCOME_REJECTED};
    struct bus_destination *to;

    begin();
    to = destination(BUS_ANSWER);
    for (unsigned i = 0; i < ARRAY_SIZE(failures); i++) {
        struct bus_receipt *receipt = receipt_new();

        bus_publish(to, SLICE("a"), false, receipt);
        bus_receipt_seal(receipt);
        turn();
        outcome(to, failures[i]);
        CU_ASSERT_EQUAL(fixture.settled, i + 1);
    }
    CU_ASSERT_TRUE(bus_is_idle(fixture.bus));
    CU_ASSERT_EQUAL(fixture.returned.size, 0);
    end();
}

static void pressure_is_told_once(void)
{
    static const char event[] = "0123456789012345678901234567890123456789";
    struct bus_destination *to;

    begin();
    to = destination(BUS_CORE);
    for (int i = 0; i < 4; i++)
        publish(to, event);
    CU_ASSERT_EQUAL(fixture.pressures, 0);
    turn();
    CU_ASSERT_EQUAL(fixture.pressures, 1);
    CU_ASSERT_TRUE(fixture.is_pressed);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    outcome(to, BUS_OUTCOME_CONFIRMED); /* 80 left: still above the low mark */
    CU_ASSERT_EQUAL(fixture.pressures, 1);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_EQUAL(fixture.pressures, 2);
    CU_ASSERT_FALSE(fixture.is_pressed);
    end();
}

/* As if nobody had used it for ten minutes. */
static void leave(struct bus_destination *to)
{
    to->used_ms -= 10 * 60 * 1000;
}

static struct bus_destination *node(const char *name, enum bus_class class)
{
    return bus_destination(fixture.bus, "ocean.node", slice_of(name), class);
}

static size_t destinations(void)
{
    return map_count(fixture.bus->destinations);
}

/* Inboxes of frontends and reply queues of oceanctl come and go for years. */
static void nodes_that_left_are_freed(void)
{
    begin();
    for (int i = 0; i < 10; i++) {
        enum bus_class class = i % 2 ? BUS_INBOX : BUS_ANSWER;
        char name[32];
        struct bus_destination *to;

        snprintf(name, sizeof(name), "frontend.1-%04x", (unsigned)i);
        to = node(name, class);
        publish(to, "a");
        turn();
        outcome(to, BUS_OUTCOME_RETURNED);
        leave(to);
    }
    node("new", BUS_INBOX);
    turn();
    CU_ASSERT_EQUAL(destinations(), 1);
    end();
}

static void who_is_used_stays(void)
{
    struct bus_destination *used;
    struct bus_destination *core;

    begin();
    used = node("used", BUS_INBOX);
    leave(used);
    used = node("used", BUS_INBOX);
    core = destination(BUS_CORE);
    leave(core);
    node("new", BUS_ANSWER);
    turn();
    CU_ASSERT_EQUAL(destinations(), 3);
    CU_ASSERT_PTR_EQUAL(node("used", BUS_INBOX), used);
    CU_ASSERT_PTR_EQUAL(destination(BUS_CORE), core);
    end();
}

static void who_is_waited_for_stays(void)
{
    struct bus_destination *to;

    begin();
    to = node("slow", BUS_INBOX);
    publish(to, "a");
    leave(to);
    turn();
    node("first", BUS_INBOX);
    turn();
    CU_ASSERT_EQUAL(destinations(), 2); /* it is under way, ... */
    outcome(to, BUS_OUTCOME_REJECTED);
    node("second", BUS_INBOX);
    turn();
    CU_ASSERT_EQUAL(destinations(), 3); /* rests, ... */
    while (to->is_resting)
        event_base_loop(fixture.loop, EVLOOP_ONCE);
    outcome(to, BUS_OUTCOME_CONFIRMED);
    node("third", BUS_INBOX);
    turn();
    CU_ASSERT_EQUAL(destinations(), 3); /* and is there */
    end();
}

/* After ten minutes without a broker. */
static void who_gives_back_stays(void)
{
    struct bus_destination *to;

    begin();
    to = node("gone", BUS_INBOX);
    publish(to, "a");
    turn();
    publish(to, "b");
    leave(to);
    fixture.is_homeless = true;
    outcome(to, BUS_OUTCOME_RETURNED);
    ASSERT_SLICE(buffer_slice(&fixture.returned), "ab");
    expect_sent(fixture.elsewhere, "ab");
    CU_ASSERT_EQUAL(destinations(), 1);
    end();
}

static void dead_letters_travel_alone(void)
{
    struct bus_destination *dead;

    begin();
    bus_publish_dead(fixture.bus, SLICE("\x01"), "test.00", "first", NULL);
    bus_publish_dead(fixture.bus, SLICE("\x92"), "test.00", "cut off", NULL);
    turn();
    dead = fixture.bus->dead_letters;
    CU_ASSERT_STRING_EQUAL(dead->exchange, "ocean.dead");
    CU_ASSERT_STRING_EQUAL(dead->sent->dead_reason, "first");
    CU_ASSERT_STRING_EQUAL(dead->sent->dead_queue, "test.00");
    CU_ASSERT_TRUE(dead->sent->is_durable);
    expect_sent(dead, "\x01");
    outcome(dead, BUS_OUTCOME_CONFIRMED);
    CU_ASSERT_TRUE(dead->sent->is_raw);
    ASSERT_SLICE(dead->sent->message, "\x92");
    end();
}

static void destroying_drops_what_is_open(void)
{
    struct bus_receipt *receipt;

    begin();
    receipt = receipt_new();
    bus_publish(destination(BUS_CORE), SLICE("a"), true, receipt);
    bus_receipt_seal(receipt);
    turn();
    bus_publish(destination(BUS_CORE), SLICE("b"), true, NULL);
    end();
    CU_ASSERT_EQUAL(fixture.settled, 0);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"the rest gathers", the_rest_gathers},
        {"batches are bounded", batches_are_bounded},
        {"one durable event is enough", one_durable_event_is_enough},
        {"receipts settle once sealed and confirmed",
         receipts_settle_once_sealed_and_confirmed},
        {"an empty receipt settles after the call",
         an_empty_receipt_settles_after_the_call},
        {"a core queue is tried again", a_core_queue_is_tried_again},
        {"a missing inbox gives back in order",
         a_missing_inbox_gives_back_in_order},
        {"what is given back may go elsewhere",
         what_is_given_back_may_go_elsewhere},
        {"a full inbox is tried again", a_full_inbox_is_tried_again},
        {"an answer is dropped", an_answer_is_dropped},
        {"pressure is told once", pressure_is_told_once},
        {"nodes that left are freed", nodes_that_left_are_freed},
        {"who is used stays", who_is_used_stays},
        {"who is waited for stays", who_is_waited_for_stays},
        {"who gives back stays", who_gives_back_stays},
        {"dead letters travel alone", dead_letters_travel_alone},
        {"destroying drops what is open", destroying_drops_what_is_open},
    };

    return unit_run("bus destination", cases, ARRAY_SIZE(cases));
}
