#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus_link.h"

#include <stdio.h>

enum { CHANNEL = 1, REFUSED_AGAIN_MS = 60000 };

enum publisher_state {
    PUBLISHER_STATE_DOWN,    /* no connection */
    PUBLISHER_STATE_OPENING, /* confirm.select-ok has not come yet */
    PUBLISHER_STATE_READY,
    PUBLISHER_STATE_RESTING, /* the broker closed the channel */
};

struct publisher {
    struct bus_link *link;
    enum publisher_state state;
    uint64_t due_ms; /* OPENING: answer; RESTING: open again */
    bool is_blocked;
    char refused[256]; /* last reported, and when */
    uint64_t refused_ms;
    struct bus_confirms confirms;
    struct bus_parcels waiting;
    struct bus_parcels settled; /* to be reported */
};

/* Opening. */

static void open_channel(struct publisher *publisher)
{
    amqp_channel_open_t open = {amqp_empty_bytes};
    amqp_confirm_select_t select = {0};

    bus_link_send(publisher->link, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &open);
    bus_link_send(publisher->link, CHANNEL, AMQP_CONFIRM_SELECT_METHOD,
                  &select);
    publisher->state = PUBLISHER_STATE_OPENING;
    publisher->due_ms = clock_now_ms() + LINK_ANSWER_MS;
}

static void on_up(void *state)
{
    open_channel(state);
}

static void on_select_ok(struct publisher *publisher)
{
    struct bus_report *report;

    publisher->state = PUBLISHER_STATE_READY;
    report = bus_link_report(publisher->link, BUS_REPORT_UP, NULL);
    bus_link_tell(publisher->link, &report);
}

/* What is unconfirmed is published again, in the order it was first, before
 * anything new. */
static void publish_again(struct publisher *publisher)
{
    struct bus_parcels unconfirmed = {NULL, NULL};

    bus_confirms_take_all(&publisher->confirms, &unconfirmed);
    bus_parcels_prepend(&publisher->waiting, &unconfirmed);
}

static void set_blocked(struct publisher *publisher, bool is_blocked,
                        amqp_bytes_t reason)
{
    struct bus_report *report;
    char text[200];

    publisher->is_blocked = is_blocked;
    report = bus_link_report(publisher->link, BUS_REPORT_BLOCKED, NULL);
    report->flag = is_blocked;
    log_printable(bus_link_slice(reason), text, sizeof(text));
    report->text = memory_copy_text(slice_of(text));
    bus_link_tell(publisher->link, &report);
}

/* Settled: to the loop, all of one drain together. */
static void report_settled(struct publisher *publisher)
{
    struct bus_report *report;

    if (!publisher->settled.first)
        return;
    report = bus_link_report(publisher->link, BUS_REPORT_PARCELS, NULL);
    report->parcels = publisher->settled;
    publisher->settled = (struct bus_parcels){NULL, NULL};
    bus_link_tell(publisher->link, &report);
}

static void on_down(void *state, const char *reason)
{
    struct publisher *publisher = state;

    (void)reason;
    publisher->state = PUBLISHER_STATE_DOWN;
    publisher->is_blocked = false;
    report_settled(publisher);
    publish_again(publisher);
}

/* Refusals. */

/* The broker's text quotes the exchange that is missing or forbidden. */
static bool is_culprit(const struct bus_parcel *parcel, const char *text)
{
    char quoted[160];

    snprintf(quoted, sizeof(quoted), "'%s'", parcel->destination->exchange);
    return strstr(text, quoted) != NULL;
}

/* Takes them out of the way of the others: their destinations try again. */
static bool reject_culprits(struct publisher *publisher, const char *text)
{
    struct bus_parcels others = {NULL, NULL};
    struct bus_parcel *parcel;
    bool has_found = false;

    while ((parcel = bus_parcels_take(&publisher->waiting))) {
        if (is_culprit(parcel, text)) {
            parcel->outcome = BUS_OUTCOME_REJECTED;
            bus_parcels_append(&publisher->settled, parcel);
            has_found = true;
        } else {
            bus_parcels_append(&others, parcel);
        }
    }
    publisher->waiting = others;
    return has_found;
}

static void report_refused(struct publisher *publisher, const char *text)
{
    if (!strcmp(text, publisher->refused) &&
        clock_now_ms() - publisher->refused_ms < REFUSED_AGAIN_MS)
        return;
    snprintf(publisher->refused, sizeof(publisher->refused), "%s", text);
    publisher->refused_ms = clock_now_ms();
    log_error("broker: refused to publish: %s", text);
    bus_link_tell_text(publisher->link, BUS_REPORT_REFUSED, "publish", text);
}

static void on_channel_close(struct publisher *publisher,
                             const amqp_channel_close_t *close)
{
    amqp_channel_close_ok_t ok = {0};
    char text[256];

    bus_link_close_text(close->reply_code, close->reply_text, text,
                        sizeof(text));
    bus_link_send(publisher->link, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    report_refused(publisher, text);
    publish_again(publisher);
    publisher->state = PUBLISHER_STATE_RESTING;
    publisher->due_ms = clock_now_ms();
    if (!reject_culprits(publisher, text))
        publisher->due_ms += LINK_REFUSED_MS;
}

/* Frames. */

static void on_return(struct publisher *publisher,
                      const amqp_basic_return_t *returned)
{
    bus_confirms_return(&publisher->confirms,
                        bus_link_slice(returned->exchange),
                        bus_link_slice(returned->routing_key));
}

static void on_settled(struct publisher *publisher, uint64_t tag,
                       bool is_multiple, enum bus_outcome outcome)
{
    bus_confirms_settle(&publisher->confirms, tag, is_multiple, outcome,
                        &publisher->settled);
}

static void on_ack(struct publisher *publisher, const amqp_basic_ack_t *ack)
{
    on_settled(publisher, ack->delivery_tag, ack->multiple,
               BUS_OUTCOME_CONFIRMED);
}

static void on_nack(struct publisher *publisher, const amqp_basic_nack_t *nack)
{
    on_settled(publisher, nack->delivery_tag, nack->multiple,
               BUS_OUTCOME_REJECTED);
}

static void on_blocked(struct publisher *publisher,
                       const amqp_connection_blocked_t *blocked)
{
    set_blocked(publisher, true, blocked->reason);
}

static void on_frame(void *state, const amqp_frame_t *frame)
{
    struct publisher *publisher = state;
    const amqp_method_t *method = &frame->payload.method;

    if (frame->frame_type != AMQP_FRAME_METHOD)
        return; /* the body of something returned */
    switch (method->id) {
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        on_select_ok(publisher);
        break;
    case AMQP_BASIC_ACK_METHOD:
        on_ack(publisher, method->decoded);
        break;
    case AMQP_BASIC_NACK_METHOD:
        on_nack(publisher, method->decoded);
        break;
    case AMQP_BASIC_RETURN_METHOD:
        on_return(publisher, method->decoded);
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        on_channel_close(publisher, method->decoded);
        break;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        on_blocked(publisher, method->decoded);
        break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        set_blocked(publisher, false, amqp_empty_bytes);
        break;
    default:
        break;
    }
}

/* Publishing. */

static amqp_table_entry_t header(const char *name, const char *value)
{
    return (amqp_table_entry_t){
        amqp_cstring_bytes(name),
        {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(value)}}};
}

static void publish(struct publisher *publisher, struct bus_parcel *parcel)
{
    const struct bus_destination *destination = parcel->destination;
    amqp_table_entry_t headers[2];
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_APP_ID_FLAG,
        .content_type =
            amqp_cstring_bytes(parcel->is_raw ? "application/octet-stream"
                                              : "application/x-msgpack"),
        .delivery_mode = parcel->is_durable ? 2 : 1,
        .app_id = amqp_cstring_bytes(publisher->link->bus->config.name),
    };

    if (parcel->dead_queue) {
        headers[0] = header("queue", parcel->dead_queue);
        headers[1] = header("reason", parcel->dead_reason);
        properties._flags |=
            AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
        properties.timestamp = clock_unix_ms() / 1000;
        properties.headers = (amqp_table_t){ARRAY_SIZE(headers), headers};
    }
    bus_confirms_add(&publisher->confirms, parcel);
    bus_link_check(
        publisher->link,
        amqp_basic_publish(publisher->link->connection, CHANNEL,
                           amqp_cstring_bytes(destination->exchange),
                           bus_link_bytes(bus_destination_key(destination)), 1,
                           0, &properties, bus_link_bytes(parcel->message)));
    if (destination->class != BUS_ANSWER)
        CRASH_POINT(PUBLISHED);
}

static bool publish_waiting(struct publisher *publisher)
{
    while (publisher->waiting.first && !publisher->link->lost) {
        if (!bus_link_has_room(publisher->link,
                               publisher->waiting.first->message.size))
            return false;
        publish(publisher, bus_parcels_take(&publisher->waiting));
    }
    return true;
}

static bool on_work(void *state, uint64_t now_ms)
{
    struct publisher *publisher = state;

    report_settled(publisher);
    if (publisher->state == PUBLISHER_STATE_OPENING &&
        now_ms >= publisher->due_ms)
        bus_link_lose(publisher->link, "no answer to channel.open");
    if (publisher->state == PUBLISHER_STATE_RESTING &&
        now_ms >= publisher->due_ms)
        open_channel(publisher);
    if (publisher->state != PUBLISHER_STATE_READY || publisher->is_blocked)
        return true;
    return publish_waiting(publisher);
}

static void on_letter(void *state, struct letter *letter)
{
    struct publisher *publisher = state;

    bus_parcels_append(&publisher->waiting,
                       LETTER_OWNER(letter, struct bus_parcel, letter));
}

static void discard(void *state)
{
    struct publisher *publisher = state;

    bus_confirms_deinit(&publisher->confirms);
    memory_free(&publisher);
}

struct bus_link *bus_publisher_create(struct bus *bus)
{
    static const struct bus_link_handler handler = {
        .role = "pub",
        .letter = on_letter,
        .up = on_up,
        .down = on_down,
        .frame = on_frame,
        .work = on_work,
        .discard = discard,
    };
    struct publisher *publisher = memory_new(sizeof(*publisher));

    bus_confirms_init(&publisher->confirms);
    publisher->link = bus_link_create(bus, &handler, publisher);
    bus_link_start(publisher->link);
    return publisher->link;
}
