#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_link.h"
#include "cluster/bus_private.h"
#include "cluster/event.h"
#include "cluster/names.h"

#include <event2/event.h>

enum {
    REST_FIRST_MS = 50,
    REST_MAX_MS = 1000,
    SPARE_PARCELS = 64,
    LEFT_AFTER_MS = 10 * 60 * 1000,
};

/* Parcels. */

static struct bus_parcel *take_spare(struct bus *bus)
{
    struct bus_parcel *parcel = bus->spare_parcels;

    if (!parcel)
        return bus_parcel_create();
    bus->spare_parcels = parcel->next;
    bus->spare_count--;
    parcel->next = NULL;
    return parcel;
}

static void give_back(struct bus *bus, struct bus_parcel *parcel)
{
    bus->parcels--;
    if (bus->spare_count == SPARE_PARCELS) {
        bus_parcel_free(&parcel);
        return;
    }
    bus_parcel_clear(parcel);
    parcel->next = bus->spare_parcels;
    bus->spare_parcels = parcel;
    bus->spare_count++;
}

/* Life. */

static void map_key(struct buffer *out, const char *exchange, struct slice key)
{
    buffer_append_text(out, exchange);
    buffer_append_byte(out, '\0');
    buffer_append(out, key);
}

static struct bus_destination *create(struct bus *bus, const char *exchange,
                                      struct slice key, enum bus_class class)
{
    struct bus_destination *destination = memory_new(sizeof(*destination));

    destination->bus = bus;
    destination->exchange = memory_copy_text(slice_of(exchange));
    destination->key = memory_copy_text(key);
    destination->key_size = key.size;
    destination->class = class;
    destination->batch_events = bus->config.batch_events;
    return destination;
}

static void free_destination(struct bus_destination *destination)
{
    struct bus_parcel *parcel;

    while ((parcel = bus_parcels_take(&destination->waiting)))
        bus_parcel_free(&parcel);
    if (destination->sent)
        bus_parcel_free(&destination->sent);
    if (destination->rest_timer)
        event_free(destination->rest_timer);
    memory_free(&destination->exchange);
    memory_free(&destination->key);
    memory_free(&destination);
}

struct bus_destination *bus_destination(struct bus *bus, const char *exchange,
                                        struct slice key, enum bus_class class)
{
    struct buffer name = BUFFER_EMPTY;
    struct bus_destination *destination;

    map_key(&name, exchange, key);
    destination = map_find(bus->destinations, buffer_slice(&name));
    if (!destination) {
        destination = create(bus, exchange, key, class);
        map_put(bus->destinations, buffer_slice(&name), destination);
        bus->has_new_destination = true;
        bus_turn_due(bus);
    }
    destination->used_ms = clock_now_ms();
    buffer_deinit(&name);
    return destination;
}

struct slice bus_destination_key(const struct bus_destination *destination)
{
    return (struct slice){destination->key, destination->key_size};
}

static void mark_dirty(struct bus_destination *destination)
{
    struct bus *bus = destination->bus;

    if (destination->is_dirty)
        return;
    destination->is_dirty = true;
    destination->dirty_next = bus->dirty;
    bus->dirty = destination;
    bus_turn_due(bus);
}

/* Publishing. */

static void count_bytes(struct bus_destination *destination, size_t size)
{
    destination->bytes += size;
    destination->bus->bytes += size;
}

static void discount_bytes(struct bus_destination *destination, size_t size)
{
    destination->bytes -= size;
    destination->bus->bytes -= size;
}

static struct bus_parcel *append_parcel(struct bus_destination *destination)
{
    struct bus_parcel *parcel = take_spare(destination->bus);

    parcel->destination = destination;
    bus_parcels_append(&destination->waiting, parcel);
    destination->bus->parcels++;
    return parcel;
}

static struct bus_parcel *publish(struct bus_destination *destination,
                                  struct slice event, bool is_durable,
                                  struct bus_receipt *receipt)
{
    const struct bus_config *config = &destination->bus->config;
    struct bus_parcel *parcel = destination->waiting.last;

    if (!parcel ||
        !bus_parcel_fits(parcel, event.size, destination->batch_events,
                         config->batch_bytes))
        parcel = append_parcel(destination);
    bus_parcel_append(parcel, event, is_durable, receipt);
    if (receipt)
        bus_receipt_hold(receipt);
    count_bytes(destination, event.size);
    mark_dirty(destination);
    return parcel;
}

void bus_publish(struct bus_destination *destination, struct slice event,
                 bool is_durable, struct bus_receipt *receipt)
{
    publish(destination, event, is_durable, receipt);
}

/* Can it travel as the only event of a batch? */
static bool is_event(struct slice event)
{
    struct buffer body = BUFFER_EMPTY;
    struct event_batch batch;
    struct event decoded;
    struct slice raw = SLICE_NONE;
    const char *error;
    enum event_read read;

    event_batch_header(&body, 1);
    buffer_append(&body, event);
    read = event_batch_open(&batch, buffer_slice(&body), &error);
    if (read == EVENT_READ_OK)
        read = event_batch_next(&batch, &decoded, &raw, &error);
    buffer_deinit(&body);
    return (read == EVENT_READ_OK || read == EVENT_READ_BAD) &&
           raw.size == event.size;
}

void bus_publish_dead(struct bus *bus, struct slice event, const char *queue,
                      const char *reason, struct bus_receipt *receipt)
{
    struct bus_parcel *parcel;

    if (!bus->dead_letters) {
        bus->dead_letters =
            bus_destination(bus, EXCHANGE_DEAD, SLICE(""), BUS_CORE);
        bus->dead_letters->batch_events = 1;
    }
    parcel = publish(bus->dead_letters, event, true, receipt);
    parcel->is_raw = !is_event(event);
    parcel->dead_queue = memory_copy_text(slice_of(queue));
    parcel->dead_reason = memory_copy_text(slice_of(reason));
}

static void post(struct bus_destination *destination)
{
    bus_link_post(destination->bus->publisher, &destination->sent->letter);
}

static void send_next(struct bus_destination *destination)
{
    struct bus_parcel *parcel;

    if (destination->sent)
        return;
    parcel = bus_parcels_take(&destination->waiting);
    if (!parcel)
        return;
    bus_parcel_seal(parcel);
    destination->sent = parcel;
    post(destination);
}

static void tell_pressure(struct bus_destination *destination)
{
    struct bus *bus = destination->bus;
    bool is_high = destination->is_high;

    if (destination->bytes >= bus->config.pressure_high_bytes)
        is_high = true;
    else if (destination->bytes <= bus->config.pressure_low_bytes)
        is_high = false;
    if (is_high == destination->is_high)
        return;
    destination->is_high = is_high;
    if (bus->hooks.pressure)
        bus->hooks.pressure(bus->owner, destination, is_high);
}

/* What comes back. */

static void settle(struct bus_destination *destination,
                   struct bus_parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        bus_receipt_settled(parcel->items[i].receipt);
    discount_bytes(destination, bus_parcel_bytes(parcel));
    give_back(destination->bus, parcel);
}

static void return_parcel(struct bus_destination *destination,
                          struct bus_parcel *parcel)
{
    struct bus *bus = destination->bus;

    discount_bytes(destination, bus_parcel_bytes(parcel));
    for (size_t i = 0; i < parcel->count; i++) {
        struct bus_receipt *receipt = parcel->items[i].receipt;

        if (bus->hooks.unroutable)
            bus->hooks.unroutable(bus->owner, destination,
                                  bus_parcel_event(parcel, i), receipt);
        else
            bus_receipt_settled(receipt);
    }
    give_back(bus, parcel);
}

static void stop_resting(struct bus_destination *destination)
{
    destination->is_resting = false;
    destination->rest_ms = 0;
    if (destination->rest_timer)
        event_free(destination->rest_timer);
    destination->rest_timer = NULL;
}

/* Gives back, in order, what was sent and what waits.  The hook may publish to
 * the same destination: that is new and stays. */
static void return_all(struct bus_destination *destination)
{
    struct bus_parcels all = destination->waiting;
    struct bus_parcel *parcel = destination->sent;

    stop_resting(destination);
    destination->is_failing = false;
    destination->waiting = (struct bus_parcels){NULL, NULL};
    destination->sent = NULL;
    if (!parcel)
        parcel = bus_parcels_take(&all);
    for (; parcel; parcel = bus_parcels_take(&all))
        return_parcel(destination, parcel);
}

static void recover(struct bus_destination *destination)
{
    stop_resting(destination);
    destination->is_gone = false;
    if (!destination->is_failing)
        return;
    destination->is_failing = false;
    log_info("broker: %s \"%s\" takes messages again", destination->exchange,
             destination->key);
}

static void on_rested(evutil_socket_t fd, short what, void *argument)
{
    struct bus_destination *destination = argument;

    (void)fd;
    (void)what;
    destination->is_resting = false;
    post(destination);
}

/* The same parcel again after a rest; nothing newer overtakes it. */
static void rest(struct bus_destination *destination, const char *reason)
{
    struct timeval interval;

    if (!destination->is_failing)
        log_warning("broker: %s \"%s\": %s, trying again",
                    destination->exchange, destination->key, reason);
    destination->is_failing = true;
    if (!destination->rest_timer)
        destination->rest_timer =
            event_new(destination->bus->loop, -1, 0, on_rested, destination);
    BUG_ON(!destination->rest_timer);
    destination->rest_ms =
        destination->rest_ms ? destination->rest_ms * 2 : REST_FIRST_MS;
    if (destination->rest_ms > REST_MAX_MS)
        destination->rest_ms = REST_MAX_MS;
    interval = (struct timeval){
        destination->rest_ms / 1000,
        (suseconds_t)(destination->rest_ms % 1000) * 1000,
    };
    destination->is_resting = true;
    event_add(destination->rest_timer, &interval);
}

static void log_gone(struct bus_destination *destination)
{
    if (!destination->is_gone)
        log_info("broker: %s \"%s\" is gone, what was for it is given back",
                 destination->exchange, destination->key);
    destination->is_gone = true;
}

static void sent_failed(struct bus_destination *destination, bool is_returned)
{
    if (destination->class == BUS_ANSWER) {
        settle(destination, destination->sent);
        destination->sent = NULL;
        return;
    }
    if (destination->class == BUS_INBOX && is_returned) {
        log_gone(destination);
        return_all(destination);
        return;
    }
    rest(destination,
         is_returned ? "no queue takes messages" : "messages are rejected");
}

void bus_destination_report(struct bus_parcel *parcel)
{
    struct bus_destination *destination = parcel->destination;

    BUG_ON(parcel != destination->sent);
    if (parcel->outcome == BUS_OUTCOME_CONFIRMED) {
        destination->sent = NULL;
        settle(destination, parcel);
        recover(destination);
    } else {
        sent_failed(destination, parcel->outcome == BUS_OUTCOME_RETURNED);
    }
    mark_dirty(destination);
}

/* The end of the loop's turn. */

static bool is_left(const struct bus_destination *destination, uint64_t now_ms)
{
    return destination->class != BUS_CORE && !destination->sent &&
           !destination->waiting.first && !destination->is_dirty &&
           now_ms - destination->used_ms >= LEFT_AFTER_MS;
}

static void free_left(struct bus *bus)
{
    uint64_t now_ms = clock_now_ms();
    size_t position = 0;
    struct slice key;
    void *value;

    while (map_next(bus->destinations, &position, &key, &value)) {
        if (is_left(value, now_ms)) {
            map_remove(bus->destinations, key);
            free_destination(value);
        }
    }
}

void bus_destinations_turn(struct bus *bus)
{
    struct bus_destination *destination = bus->dirty;

    bus->dirty = NULL;
    while (destination) {
        struct bus_destination *next = destination->dirty_next;

        destination->is_dirty = false;
        send_next(destination);
        tell_pressure(destination);
        destination = next;
    }
    if (bus->has_new_destination) /* else there are not more than before */
        free_left(bus);
    bus->has_new_destination = false;
}

void bus_destinations_free(struct bus *bus)
{
    size_t position = 0;
    struct slice key;
    void *value;

    while (map_next(bus->destinations, &position, &key, &value))
        free_destination(value);
    while (bus->spare_parcels) {
        struct bus_parcel *parcel = bus->spare_parcels;

        bus->spare_parcels = parcel->next;
        bus_parcel_free(&parcel);
    }
}
