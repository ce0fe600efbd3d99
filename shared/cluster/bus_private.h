/*
 * What the files of the bus share.  Two worlds: the loop (bus.c,
 * bus_destination.c, bus_receipt.c, bus_subscription.c) and the two threads
 * (bus_link.c with bus_publisher.c and bus_consumer.c).  They meet only through
 * letters; a field belongs to one side or never changes.
 */
#ifndef CLUSTER_BUS_PRIVATE_H
#define CLUSTER_BUS_PRIVATE_H

#include "base/compiler.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "cluster/bus.h"

struct event;
struct bus_link;

/* One publish inside a parcel. */
struct bus_item {
    size_t offset; /* in the parcel's body */
    size_t size;
    struct bus_receipt *receipt;
};

enum bus_outcome {
    BUS_OUTCOME_CONFIRMED,
    BUS_OUTCOME_RETURNED, /* no queue took it */
    BUS_OUTCOME_REJECTED, /* nack, or refused with its channel */
};

/* One AMQP message on its way out.  Its destination owns it; between
 * bus_link_post and the report only the publisher touches it. */
struct bus_parcel {
    struct letter letter;
    struct bus_parcel *next;
    struct bus_destination *destination;
    struct buffer body;   /* room for the batch header, then the events */
    struct slice message; /* what is sent, into body; set by bus_parcel_seal */
    struct bus_item *items;
    size_t count;
    size_t capacity;
    bool is_durable;
    bool is_raw;      /* no batch: sent as it is */
    char *dead_queue; /* of a dead letter; else NULL */
    char *dead_reason;
    /* Publisher. */
    bool is_returned;
    enum bus_outcome outcome;
};

struct bus_parcels {
    struct bus_parcel *first;
    struct bus_parcel *last;
};

struct bus_parcel *bus_parcel_create(void);
void bus_parcel_free(struct bus_parcel **parcel);
/* Ready for other events; keeps its memory if that is not much. */
void bus_parcel_clear(struct bus_parcel *parcel);
bool bus_parcel_fits(const struct bus_parcel *parcel, size_t size,
                     size_t batch_events, size_t batch_bytes);
void bus_parcel_append(struct bus_parcel *parcel, struct slice event,
                       bool is_durable, struct bus_receipt *receipt);
/* Puts the batch header before the events, unless `is_raw`. */
void bus_parcel_seal(struct bus_parcel *parcel);
struct slice bus_parcel_event(const struct bus_parcel *parcel, size_t index);
size_t bus_parcel_bytes(const struct bus_parcel *parcel); /* of its events */
void bus_parcels_append(struct bus_parcels *list, struct bus_parcel *parcel);
/* All of `before`, then what was in `list`; empties `before`. */
void bus_parcels_prepend(struct bus_parcels *list, struct bus_parcels *before);
struct bus_parcel *bus_parcels_take(struct bus_parcels *list); /* NULL: empty */

/* Delivery tags of what was published on one channel and is unconfirmed. */
struct bus_confirms {
    struct bus_parcel **slots; /* ring; NULL where settled out of order */
    size_t capacity;
    size_t start;  /* slot of the tag `base` */
    size_t length; /* slots in use, settled ones between included */
    uint64_t base;
};

void bus_confirms_init(struct bus_confirms *confirms);
void bus_confirms_deinit(struct bus_confirms *confirms);
uint64_t bus_confirms_add(struct bus_confirms *confirms,
                          struct bus_parcel *parcel);
/* Moves what `tag` settles to `out`, in the order of tags, with its outcome
 * (returned wins over confirmed).  Unknown tags settle nothing. */
void bus_confirms_settle(struct bus_confirms *confirms, uint64_t tag,
                         bool is_multiple, enum bus_outcome outcome,
                         struct bus_parcels *out);
/* basic.return, which comes before its ack. */
void bus_confirms_return(struct bus_confirms *confirms, struct slice exchange,
                         struct slice key);
/* Everything unconfirmed, in the order of tags; tags start again at 1. */
void bus_confirms_take_all(struct bus_confirms *confirms,
                           struct bus_parcels *out);

/* Which delivery tags of one channel are acknowledged.  Tags are contiguous
 * from 1; a run from the oldest on is acknowledged by its last tag. */
struct bus_acks {
    char *states; /* ring of enum ack_state */
    size_t capacity;
    size_t start; /* slot of the tag `base` */
    size_t length;
    uint64_t base;   /* lowest tag not acknowledged to the broker */
    uint64_t *acked; /* since the last bus_acks_take */
    size_t acked_count;
    size_t acked_capacity;
};

struct bus_ack_range {
    uint64_t tag;
    bool is_multiple;
};

void bus_acks_init(struct bus_acks *acks);
void bus_acks_deinit(struct bus_acks *acks);
void bus_acks_reset(struct bus_acks *acks);
void bus_acks_received(struct bus_acks *acks, uint64_t tag);
void bus_acks_add(struct bus_acks *acks, uint64_t tag);
/* What to tell the broker now; the caller frees *ranges_out. */
size_t bus_acks_take(struct bus_acks *acks, struct bus_ack_range **ranges_out);

/* Loop. */

struct bus_destination {
    struct bus *bus;
    char *exchange;
    char *key;
    size_t key_size;
    enum bus_class class;
    uint64_t used_ms; /* when it was looked up last */
    struct bus_parcels waiting;
    struct bus_parcel *sent; /* under way, or resting before it is sent again */
    size_t bytes;            /* of both */
    size_t batch_events;
    bool is_high;
    bool is_resting;
    bool is_failing; /* has been logged, as has `is_gone` */
    bool is_gone;
    unsigned rest_ms;
    struct event *rest_timer;
    bool is_dirty; /* in bus->dirty */
    struct bus_destination *dirty_next;
};

struct bus_receipt {
    struct bus_receipt *next;
    struct bus_receipt *previous;
    struct bus *bus;
    bus_settled_fn settled;
    void *argument;
    size_t outstanding;
    bool is_sealed;
    struct bus_receipt *ready_next;
};

/* A message between its arrival and bus_ack. */
struct bus_held {
    struct bus_message message; /* first: the caller's pointer is ours */
    struct bus_held *next;
    struct bus_held *previous;
    struct bus_subscription *subscription;
    unsigned generation;
    char *body;
    bool is_void;
};

enum bus_channel_state {
    BUS_CHANNEL_ABSENT,  /* to be opened at `retry_at_ms` */
    BUS_CHANNEL_OPENING, /* everything was sent, no consume-ok yet */
    BUS_CHANNEL_CONSUMING,
    BUS_CHANNEL_CLOSING, /* channel.close was sent, no close-ok yet */
};

struct bus_subscription {
    /* Never change. */
    struct bus *bus;
    struct bus_subscribe subscribe; /* its texts are ours */
    /* Loop. */
    struct bus_subscription *next;
    struct bus_held *held;
    struct bus_held *voided; /* by the last reset; see bus_ack */
    struct bus_acks acks;
    unsigned generation; /* of the channel whose messages are held */
    bool is_leaving;
    bool is_settled; /* consuming, or refused, since the connection is up */
    bool is_dirty;   /* in bus->acking */
    struct bus_subscription *dirty_next;
    /* Consumer. */
    enum bus_channel_state state;
    unsigned channel;
    unsigned channel_generation;
    uint64_t retry_at_ms;
    uint64_t deadline_ms; /* of what was asked of the broker */
    bool is_closing;      /* for good: bus_unsubscribe */
    bool is_refused;      /* has been reported */
    struct bus_held *incoming;
    size_t incoming_size;
    bool incoming_redelivered;
    uint64_t incoming_tag;
};

/* Loop to consumer. */
enum bus_command_kind {
    BUS_COMMAND_SUBSCRIBE,
    BUS_COMMAND_UNSUBSCRIBE,
    BUS_COMMAND_ACK,
    BUS_COMMAND_INSPECT,
    BUS_COMMAND_DELETE,
};

struct bus_command {
    struct letter letter;
    struct bus_command *next;
    enum bus_command_kind kind;
    struct bus_subscription *subscription;
    unsigned generation;
    struct bus_ack_range *ranges;
    size_t count;
    char *queue;
    bus_inspected_fn inspected;
    void *argument;
};

void bus_command_free(struct bus_command **command);

/* Threads to loop. */
enum bus_report_kind {
    BUS_REPORT_UP,
    BUS_REPORT_DOWN,    /* text: why */
    BUS_REPORT_BLOCKED, /* flag */
    BUS_REPORT_REFUSED, /* what, text */
    BUS_REPORT_PARCELS,
    BUS_REPORT_MESSAGES,
    BUS_REPORT_STARTED, /* generation */
    BUS_REPORT_RESET,   /* text; flag: the broker refused the channel */
    BUS_REPORT_CLOSED,
    BUS_REPORT_INSPECTED, /* command; flag: exists */
};

struct bus_report {
    struct letter letter;
    enum bus_report_kind kind;
    struct bus_link *link;
    struct bus_subscription *subscription;
    unsigned generation;
    bool flag;
    char *what;
    char *text;
    struct bus_parcels parcels; /* each still is its destination's `sent` */
    struct bus_held *messages;  /* oldest first */
    struct bus_held *messages_last;
    struct bus_command *command;
    uint64_t message_count;
    uint64_t consumer_count;
};

void bus_report_free(struct bus_report **report);

struct bus {
    /* Never change. */
    struct event_base *loop;
    struct bus_config config; /* its texts are ours */
    struct bus_hooks hooks;
    void *owner;
    struct mailbox *mailbox; /* threads to loop */
    struct bus_link *publisher;
    struct bus_link *consumer;
    /* Loop. */
    struct event *mailbox_event;
    struct event *turn_event;
    bool is_turn_due;
    bool is_publisher_up;
    bool is_consumer_up;
    bool is_connected;
    bool is_blocked;
    size_t bytes;   /* waiting or under way */
    size_t parcels; /* likewise */
    struct map *destinations;
    bool has_new_destination; /* in this turn */
    struct bus_destination *dead_letters;
    struct bus_destination *dirty;
    struct bus_parcel *spare_parcels;
    size_t spare_count;
    struct bus_receipt *receipts;
    struct bus_receipt *ready;
    struct bus_receipt *ready_last;
    struct bus_subscription *subscriptions;
    struct bus_subscription *acking;
};

/* Work was put aside for the end of this turn of the loop. */
void bus_turn_due(struct bus *bus);

void bus_destinations_turn(struct bus *bus);
void bus_destination_report(struct bus_parcel *parcel);
void bus_destinations_free(struct bus *bus);

void bus_receipt_settled(struct bus_receipt *receipt); /* NULL is allowed */
void bus_receipts_turn(struct bus *bus);
void bus_receipts_free(struct bus *bus);

void bus_subscriptions_turn(struct bus *bus);
bool bus_subscriptions_are_settled(const struct bus *bus);
void bus_subscriptions_unsettle(struct bus *bus);
void bus_subscription_messages(struct bus_report *report);
void bus_subscription_started(struct bus_report *report);
void bus_subscription_reset(struct bus_report *report);
void bus_subscription_closed(struct bus_report *report);
void bus_subscriptions_free(struct bus *bus);
void bus_held_free(struct bus_held **held);

#endif
