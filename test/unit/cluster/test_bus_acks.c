#include "real_bus.h"

#include <stdio.h>

/* Ranges as text: "3*" acknowledges 1 to 3, "5" only 5. */
static void expect(struct bus_acks *acks, const char *expected)
{
    struct bus_ack_range *ranges;
    size_t count = bus_acks_take(acks, &ranges);
    struct buffer text = BUFFER_EMPTY;

    for (size_t i = 0; i < count; i++)
        buffer_appendf(&text, "%s%lu%s", i ? " " : "", ranges[i].tag,
                       ranges[i].is_multiple ? "*" : "");
    ASSERT_SLICE(text.size ? buffer_slice(&text) : SLICE(""), expected);
    memory_free(&ranges);
    buffer_deinit(&text);
}

static void receive(struct bus_acks *acks, uint64_t first, uint64_t last)
{
    for (uint64_t tag = first; tag <= last; tag++)
        bus_acks_received(acks, tag);
}

static void runs_become_one(void)
{
    struct bus_acks acks;

    bus_acks_init(&acks);
    expect(&acks, "");
    receive(&acks, 1, 10);
    expect(&acks, "");
    bus_acks_add(&acks, 1);
    expect(&acks, "1");
    for (uint64_t tag = 2; tag <= 7; tag++)
        bus_acks_add(&acks, tag);
    expect(&acks, "7*");
    expect(&acks, "");
    bus_acks_deinit(&acks);
}

static void gaps_are_told_singly(void)
{
    struct bus_acks acks;

    bus_acks_init(&acks);
    receive(&acks, 1, 6);
    bus_acks_add(&acks, 5);
    bus_acks_add(&acks, 3);
    expect(&acks, "5 3");
    bus_acks_add(&acks, 2);
    bus_acks_add(&acks, 1);
    expect(&acks, "2*");
    /* The last tag of a run must be one that the broker still waits for. */
    bus_acks_add(&acks, 4);
    expect(&acks, "4");
    bus_acks_add(&acks, 6);
    expect(&acks, "6");
    CU_ASSERT_EQUAL(acks.length, 0);
    bus_acks_deinit(&acks);
}

static void a_run_and_a_gap(void)
{
    struct bus_acks acks;

    bus_acks_init(&acks);
    receive(&acks, 1, 5);
    bus_acks_add(&acks, 5);
    bus_acks_add(&acks, 1);
    bus_acks_add(&acks, 2);
    expect(&acks, "2* 5");
    bus_acks_deinit(&acks);
}

static void reset_starts_at_one(void)
{
    struct bus_acks acks;

    bus_acks_init(&acks);
    receive(&acks, 1, 3);
    bus_acks_add(&acks, 2);
    bus_acks_reset(&acks);
    expect(&acks, "");
    receive(&acks, 1, 2);
    bus_acks_add(&acks, 1);
    bus_acks_add(&acks, 2);
    expect(&acks, "2*");
    bus_acks_deinit(&acks);
}

/* More than the ring begins with, round and round. */
static void the_ring_grows_and_turns(void)
{
    struct bus_acks acks;
    uint64_t received = 0;
    uint64_t acked = 0;

    bus_acks_init(&acks);
    for (int round = 0; round < 50; round++) {
        char expected[32];

        receive(&acks, received + 1, received + 37);
        received += 37;
        for (int i = 0; i < (round < 25 ? 20 : 50); i++)
            bus_acks_add(&acks, ++acked);
        snprintf(expected, sizeof(expected), "%lu*", acked);
        expect(&acks, expected);
    }
    CU_ASSERT_EQUAL(acks.length, received - acked);
    bus_acks_deinit(&acks);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"runs become one", runs_become_one},
        {"gaps are told singly", gaps_are_told_singly},
        {"a run and a gap", a_run_and_a_gap},
        {"reset starts at one", reset_starts_at_one},
        {"the ring grows and turns", the_ring_grows_and_turns},
    };

    return unit_run("bus acks", cases, ARRAY_SIZE(cases));
}
