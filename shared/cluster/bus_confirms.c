#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_private.h"

void bus_confirms_init(struct bus_confirms *confirms)
{
    *confirms = (struct bus_confirms){.base = 1};
}

void bus_confirms_deinit(struct bus_confirms *confirms)
{
    memory_free(&confirms->slots);
    bus_confirms_init(confirms);
}

static struct bus_parcel **slot_at(const struct bus_confirms *confirms,
                                   size_t index)
{
    return &confirms->slots[(confirms->start + index) % confirms->capacity];
}

static void grow(struct bus_confirms *confirms)
{
    size_t capacity = confirms->capacity ? 2 * confirms->capacity : 64;
    struct bus_parcel **slots = memory_new_array(capacity, sizeof(*slots));

    for (size_t i = 0; i < confirms->length; i++)
        slots[i] = *slot_at(confirms, i);
    memory_free(&confirms->slots);
    confirms->slots = slots;
    confirms->capacity = capacity;
    confirms->start = 0;
}

uint64_t bus_confirms_add(struct bus_confirms *confirms,
                          struct bus_parcel *parcel)
{
    if (confirms->length == confirms->capacity)
        grow(confirms);
    parcel->is_returned = false;
    *slot_at(confirms, confirms->length) = parcel;
    return confirms->base + confirms->length++;
}

static void drop_settled(struct bus_confirms *confirms)
{
    while (confirms->length && !*slot_at(confirms, 0)) {
        confirms->start = (confirms->start + 1) % confirms->capacity;
        confirms->length--;
        confirms->base++;
    }
}

void bus_confirms_settle(struct bus_confirms *confirms, uint64_t tag,
                         bool is_multiple, enum bus_outcome outcome,
                         struct bus_parcels *out)
{
    size_t last;

    /* Tag 0 with `multiple` means all (AMQP 0-9-1, basic.ack). */
    if (tag == 0 && is_multiple && confirms->length)
        tag = confirms->base + confirms->length - 1;
    if (tag < confirms->base || tag - confirms->base >= confirms->length)
        return;
    last = (size_t)(tag - confirms->base);
    for (size_t i = is_multiple ? 0 : last; i <= last; i++) {
        struct bus_parcel **slot = slot_at(confirms, i);
        struct bus_parcel *parcel = *slot;

        if (!parcel)
            continue;
        *slot = NULL;
        parcel->outcome = parcel->is_returned ? BUS_OUTCOME_RETURNED : outcome;
        bus_parcels_append(out, parcel);
    }
    drop_settled(confirms);
}

void bus_confirms_return(struct bus_confirms *confirms, struct slice exchange,
                         struct slice key)
{
    for (size_t i = 0; i < confirms->length; i++) {
        struct bus_parcel *parcel = *slot_at(confirms, i);
        const struct bus_destination *destination;

        if (!parcel)
            continue;
        destination = parcel->destination;
        if (slice_is(exchange, destination->exchange) &&
            slice_equal(key, bus_destination_key(destination)))
            parcel->is_returned = true;
    }
}

void bus_confirms_take_all(struct bus_confirms *confirms,
                           struct bus_parcels *out)
{
    for (size_t i = 0; i < confirms->length; i++) {
        struct bus_parcel *parcel = *slot_at(confirms, i);

        if (parcel)
            bus_parcels_append(out, parcel);
    }
    confirms->start = 0;
    confirms->length = 0;
    confirms->base = 1;
}
