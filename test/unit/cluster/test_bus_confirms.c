#include "real_bus.h"

#include <stdio.h>

enum { PARCELS = 200 };

static char exchange[] = "ocean.test";
static char keys[PARCELS][8];
static struct bus_destination destinations[PARCELS];
static struct bus_parcel parcels[PARCELS];
static struct bus_confirms confirms;

/* Parcel n goes to key "n" and gets tag n + 1. */
static void add(size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        int size = snprintf(keys[i], sizeof(keys[i]), "%zu", i);

        destinations[i].exchange = exchange;
        destinations[i].key = keys[i];
        destinations[i].key_size = (size_t)size;
        parcels[i].destination = &destinations[i];
        CU_ASSERT_EQUAL(bus_confirms_add(&confirms, &parcels[i]),
                        confirms.base + confirms.length - 1);
    }
}

/* Parcels and outcomes as text: "0c 1r 2x". */
static void expect(struct bus_parcels *list, const char *expected)
{
    static const char letters[] = "crx";
    struct buffer text = BUFFER_EMPTY;
    struct bus_parcel *parcel;

    while ((parcel = bus_parcels_take(list)))
        buffer_appendf(&text, "%s%zu%c", text.size ? " " : "",
                       (size_t)(parcel - parcels), letters[parcel->outcome]);
    ASSERT_SLICE(text.size ? buffer_slice(&text) : SLICE(""), expected);
    buffer_deinit(&text);
}

static void settle(uint64_t tag, bool is_multiple, enum bus_outcome outcome,
                   const char *expected)
{
    struct bus_parcels settled = {NULL, NULL};

    bus_confirms_settle(&confirms, tag, is_multiple, outcome, &settled);
    expect(&settled, expected);
}

static void singly_and_out_of_order(void)
{
    bus_confirms_init(&confirms);
    add(0, 3);
    settle(3, false, BUS_OUTCOME_CONFIRMED, "2c");
    settle(3, false, BUS_OUTCOME_CONFIRMED, "");
    settle(1, false, BUS_OUTCOME_REJECTED, "0x");
    settle(1, true, BUS_OUTCOME_CONFIRMED, "");
    settle(4, true, BUS_OUTCOME_CONFIRMED, "1c 3c");
    CU_ASSERT_EQUAL(confirms.length, 0);
    bus_confirms_deinit(&confirms);
}

static void unknown_tags_settle_nothing(void)
{
    bus_confirms_init(&confirms);
    settle(1, false, BUS_OUTCOME_CONFIRMED, "");
    settle(0, true, BUS_OUTCOME_CONFIRMED, "");
    add(0, 1);
    settle(7, true, BUS_OUTCOME_CONFIRMED, "");
    settle(0, false, BUS_OUTCOME_CONFIRMED, "");
    settle(0, true, BUS_OUTCOME_CONFIRMED, "0c 1c");
    bus_confirms_deinit(&confirms);
}

static void a_return_outweighs_its_ack(void)
{
    bus_confirms_init(&confirms);
    add(0, 2);
    bus_confirms_return(&confirms, SLICE("ocean.test"), SLICE("1"));
    bus_confirms_return(&confirms, SLICE("ocean.other"), SLICE("2"));
    settle(3, true, BUS_OUTCOME_CONFIRMED, "0c 1r 2c");
    bus_confirms_deinit(&confirms);
}

static void a_former_return_is_forgotten(void)
{
    struct bus_parcels all = {NULL, NULL};

    bus_confirms_init(&confirms);
    add(0, 0);
    bus_confirms_return(&confirms, SLICE("ocean.test"), SLICE("0"));
    bus_confirms_take_all(&confirms, &all);
    add(0, 0);
    settle(1, false, BUS_OUTCOME_CONFIRMED, "0c");
    bus_confirms_deinit(&confirms);
}

static void the_unconfirmed_come_in_order(void)
{
    struct bus_parcels all = {NULL, NULL};
    struct bus_parcels waiting = {NULL, NULL};

    bus_confirms_init(&confirms);
    add(0, 4);
    settle(2, false, BUS_OUTCOME_CONFIRMED, "1c");
    bus_confirms_take_all(&confirms, &all);
    CU_ASSERT_EQUAL(confirms.length, 0);
    CU_ASSERT_EQUAL(confirms.base, 1);
    bus_parcels_append(&waiting, &parcels[5]);
    bus_parcels_prepend(&waiting, &all);
    bus_parcels_prepend(&waiting, &all);
    CU_ASSERT_PTR_NULL(all.first);
    CU_ASSERT_PTR_EQUAL(waiting.last, &parcels[5]);
    for (size_t i = 0; i < 6; i++)
        parcels[i].outcome = BUS_OUTCOME_CONFIRMED;
    expect(&waiting, "0c 2c 3c 4c 5c");
    bus_confirms_deinit(&confirms);
}

static void the_ring_grows_and_turns(void)
{
    struct bus_parcels settled = {NULL, NULL};
    size_t count = 0;

    bus_confirms_init(&confirms);
    for (uint64_t round = 0; round < 20; round++) {
        add(0, PARCELS - 1);
        bus_confirms_settle(&confirms, round * PARCELS + 150, true,
                            BUS_OUTCOME_CONFIRMED, &settled);
        bus_confirms_settle(&confirms, (round + 1) * PARCELS, true,
                            BUS_OUTCOME_CONFIRMED, &settled);
        while (bus_parcels_take(&settled))
            count++;
    }
    CU_ASSERT_EQUAL(count, 20 * PARCELS);
    bus_confirms_deinit(&confirms);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"singly and out of order", singly_and_out_of_order},
        {"unknown tags settle nothing", unknown_tags_settle_nothing},
        {"a return outweighs its ack", a_return_outweighs_its_ack},
        {"a former return is forgotten", a_former_return_is_forgotten},
        {"the unconfirmed come in order", the_unconfirmed_come_in_order},
        {"the ring grows and turns", the_ring_grows_and_turns},
    };

    return unit_run("bus confirms", cases, ARRAY_SIZE(cases));
}
