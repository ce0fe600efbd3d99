#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_private.h"

struct bus_receipt *bus_receipt_create(struct bus *bus, bus_settled_fn settled,
                                       void *argument)
{
    struct bus_receipt *receipt = memory_new(sizeof(*receipt));

    receipt->bus = bus;
    receipt->settled = settled;
    receipt->argument = argument;
    receipt->next = bus->receipts;
    if (receipt->next)
        receipt->next->previous = receipt;
    bus->receipts = receipt;
    return receipt;
}

static void check_ready(struct bus_receipt *receipt)
{
    struct bus *bus = receipt->bus;

    if (!receipt->is_sealed || receipt->outstanding)
        return;
    if (bus->ready_last)
        bus->ready_last->ready_next = receipt;
    else
        bus->ready = receipt;
    bus->ready_last = receipt;
    bus_turn_due(bus);
}

void bus_receipt_seal(struct bus_receipt *receipt)
{
    BUG_ON(receipt->is_sealed);
    receipt->is_sealed = true;
    check_ready(receipt);
}

void bus_receipt_hold(struct bus_receipt *receipt)
{
    /* Sealed and nothing outstanding: about to be called and freed. */
    BUG_ON(receipt->is_sealed && !receipt->outstanding);
    receipt->outstanding++;
}

void bus_receipt_settle(struct bus_receipt *receipt)
{
    BUG_ON(!receipt->outstanding);
    receipt->outstanding--;
    check_ready(receipt);
}

void bus_receipt_settled(struct bus_receipt *receipt)
{
    if (receipt)
        bus_receipt_settle(receipt);
}

static void unlink_receipt(struct bus_receipt *receipt)
{
    if (receipt->previous)
        receipt->previous->next = receipt->next;
    else
        receipt->bus->receipts = receipt->next;
    if (receipt->next)
        receipt->next->previous = receipt->previous;
}

void bus_receipts_turn(struct bus *bus)
{
    struct bus_receipt *receipt = bus->ready;

    bus->ready = NULL;
    bus->ready_last = NULL;
    while (receipt) {
        struct bus_receipt *next = receipt->ready_next;

        receipt->settled(receipt->argument);
        unlink_receipt(receipt);
        memory_free(&receipt);
        receipt = next;
    }
}

void bus_receipts_free(struct bus *bus)
{
    while (bus->receipts) {
        struct bus_receipt *receipt = bus->receipts;

        unlink_receipt(receipt);
        memory_free(&receipt);
    }
}
