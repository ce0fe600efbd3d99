#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_private.h"

enum ack_state {
    ACK_STATE_HELD,
    ACK_STATE_ACKED, /* by the caller, not yet told to the broker */
    ACK_STATE_SENT,
};

void bus_acks_init(struct bus_acks *acks)
{
    *acks = (struct bus_acks){.base = 1};
}

void bus_acks_deinit(struct bus_acks *acks)
{
    memory_free(&acks->states);
    memory_free(&acks->acked);
    bus_acks_init(acks);
}

void bus_acks_reset(struct bus_acks *acks)
{
    acks->start = 0;
    acks->length = 0;
    acks->base = 1;
    acks->acked_count = 0;
}

static char *state_at(const struct bus_acks *acks, size_t index)
{
    return &acks->states[(acks->start + index) % acks->capacity];
}

static void grow(struct bus_acks *acks)
{
    size_t capacity = acks->capacity ? 2 * acks->capacity : 64;
    char *states = memory_new(capacity);

    for (size_t i = 0; i < acks->length; i++)
        states[i] = *state_at(acks, i);
    memory_free(&acks->states);
    acks->states = states;
    acks->capacity = capacity;
    acks->start = 0;
}

void bus_acks_received(struct bus_acks *acks, uint64_t tag)
{
    BUG_ON(tag != acks->base + acks->length);
    if (acks->length == acks->capacity)
        grow(acks);
    *state_at(acks, acks->length++) = ACK_STATE_HELD;
}

void bus_acks_add(struct bus_acks *acks, uint64_t tag)
{
    char *state;

    BUG_ON(tag < acks->base || tag - acks->base >= acks->length);
    state = state_at(acks, (size_t)(tag - acks->base));
    BUG_ON(*state != ACK_STATE_HELD);
    *state = ACK_STATE_ACKED;
    if (acks->acked_count == acks->acked_capacity) {
        acks->acked_capacity =
            acks->acked_capacity ? 2 * acks->acked_capacity : 64;
        acks->acked = memory_resize(acks->acked, acks->acked_capacity *
                                                     sizeof(*acks->acked));
    }
    acks->acked[acks->acked_count++] = tag;
}

/* Drops the run of acknowledged tags from the oldest on.  Returns the last of
 * them that the broker does not know yet (it accepts no other), or 0. */
static uint64_t drop_prefix(struct bus_acks *acks, size_t *count_out)
{
    uint64_t last = 0;

    *count_out = 0;
    while (acks->length && *state_at(acks, 0) != ACK_STATE_HELD) {
        if (*state_at(acks, 0) == ACK_STATE_ACKED) {
            last = acks->base;
            ++*count_out;
        }
        acks->start = (acks->start + 1) % acks->capacity;
        acks->length--;
        acks->base++;
    }
    return last;
}

size_t bus_acks_take(struct bus_acks *acks, struct bus_ack_range **ranges_out)
{
    struct bus_ack_range *ranges;
    size_t count = 0;
    size_t prefix;
    uint64_t last;

    *ranges_out = NULL;
    if (!acks->acked_count)
        return 0;
    ranges = memory_new_array(acks->acked_count, sizeof(*ranges));
    last = drop_prefix(acks, &prefix);
    if (last)
        ranges[count++] = (struct bus_ack_range){last, prefix > 1};
    for (size_t i = 0; i < acks->acked_count; i++) {
        uint64_t tag = acks->acked[i];

        if (tag < acks->base)
            continue;
        *state_at(acks, (size_t)(tag - acks->base)) = ACK_STATE_SENT;
        ranges[count++] = (struct bus_ack_range){tag, false};
    }
    acks->acked_count = 0;
    *ranges_out = ranges;
    return count;
}
