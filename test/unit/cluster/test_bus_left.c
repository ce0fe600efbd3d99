/* Destinations of nodes that have left. */
#include "publishing.h"

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

int main(void)
{
    static const struct unit_case cases[] = {
        {"nodes that left are freed", nodes_that_left_are_freed},
        {"who is used stays", who_is_used_stays},
        {"who is waited for stays", who_is_waited_for_stays},
        {"who gives back stays", who_gives_back_stays},
    };

    return unit_run("bus, nodes that have left", cases, ARRAY_SIZE(cases));
}
