#include "base/memory.h"
#include "cluster/bus_private.h"
#include "cluster/event.h"

enum {
    HEADER_ROOM = 32, /* more than any batch header takes */
    KEPT_BYTES = 256 * 1024,
};

struct bus_parcel *bus_parcel_create(void)
{
    struct bus_parcel *parcel = memory_new(sizeof(*parcel));

    parcel->body = BUFFER_EMPTY;
    return parcel;
}

void bus_parcel_free(struct bus_parcel **parcel)
{
    bus_parcel_clear(*parcel);
    buffer_deinit(&(*parcel)->body);
    memory_free(&(*parcel)->items);
    memory_free(parcel);
}

void bus_parcel_clear(struct bus_parcel *parcel)
{
    if (parcel->body.capacity > KEPT_BYTES)
        buffer_deinit(&parcel->body);
    else
        buffer_clear(&parcel->body);
    memory_free(&parcel->dead_queue);
    memory_free(&parcel->dead_reason);
    parcel->next = NULL;
    parcel->destination = NULL;
    parcel->message = SLICE_NONE;
    parcel->count = 0;
    parcel->is_durable = false;
    parcel->is_raw = false;
    parcel->is_returned = false;
    parcel->outcome = BUS_OUTCOME_CONFIRMED;
}

bool bus_parcel_fits(const struct bus_parcel *parcel, size_t size,
                     size_t batch_events, size_t batch_bytes)
{
    return parcel->count == 0 ||
           (parcel->count < batch_events &&
            bus_parcel_bytes(parcel) + size <= batch_bytes);
}

void bus_parcel_append(struct bus_parcel *parcel, struct slice event,
                       bool is_durable, struct bus_receipt *receipt)
{
    if (parcel->count == 0) {
        buffer_reserve(&parcel->body, HEADER_ROOM + event.size);
        memset(parcel->body.data, 0, HEADER_ROOM);
        parcel->body.size = HEADER_ROOM;
    }
    if (parcel->count == parcel->capacity) {
        parcel->capacity = parcel->capacity ? 2 * parcel->capacity : 8;
        parcel->items = memory_resize(
            parcel->items, parcel->capacity * sizeof(*parcel->items));
    }
    parcel->items[parcel->count++] =
        (struct bus_item){parcel->body.size, event.size, receipt};
    buffer_append(&parcel->body, event);
    parcel->is_durable = parcel->is_durable || is_durable;
}

void bus_parcel_seal(struct bus_parcel *parcel)
{
    struct buffer header = BUFFER_EMPTY;
    size_t start = HEADER_ROOM;

    if (!parcel->is_raw) {
        event_batch_header(&header, parcel->count);
        start -= header.size;
        memcpy(parcel->body.data + start, header.data, header.size);
        buffer_deinit(&header);
    }
    parcel->message =
        (struct slice){parcel->body.data + start, parcel->body.size - start};
}

struct slice bus_parcel_event(const struct bus_parcel *parcel, size_t index)
{
    const struct bus_item *item = &parcel->items[index];

    return (struct slice){parcel->body.data + item->offset, item->size};
}

size_t bus_parcel_bytes(const struct bus_parcel *parcel)
{
    return parcel->count ? parcel->body.size - HEADER_ROOM : 0;
}

void bus_parcels_append(struct bus_parcels *list, struct bus_parcel *parcel)
{
    parcel->next = NULL;
    if (list->last)
        list->last->next = parcel;
    else
        list->first = parcel;
    list->last = parcel;
}

void bus_parcels_prepend(struct bus_parcels *list, struct bus_parcels *before)
{
    if (!before->first)
        return;
    before->last->next = list->first;
    list->first = before->first;
    if (!list->last)
        list->last = before->last;
    *before = (struct bus_parcels){NULL, NULL};
}

struct bus_parcel *bus_parcels_take(struct bus_parcels *list)
{
    struct bus_parcel *parcel = list->first;

    if (!parcel)
        return NULL;
    list->first = parcel->next;
    if (!list->first)
        list->last = NULL;
    parcel->next = NULL;
    return parcel;
}
