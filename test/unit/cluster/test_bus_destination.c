/* The loop's side of publishing: batches, receipts, what a failure means. */
#include "publishing.h"

static void on_settled(void *argument)
{
    (void)argument;
    fixture.settled++;
}

static struct bus_receipt *receipt_new(void)
{
    return bus_receipt_create(fixture.bus, on_settled, NULL);
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
        {"dead letters travel alone", dead_letters_travel_alone},
        {"destroying drops what is open", destroying_drops_what_is_open},
    };

    return unit_run("bus destination", cases, ARRAY_SIZE(cases));
}
