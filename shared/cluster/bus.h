/*
 * The broker as the rest of Ocean sees it: publish events to a destination,
 * subscribe to a queue.  The only user of librabbitmq, which it calls on two
 * threads of its own (publish connection, consume connection; DESIGN section
 * 7); everything declared here is called on the loop and never blocks, and
 * every callback comes on the loop.
 *
 * Publishing: exactly one AMQP message is under way per destination; what
 * comes meanwhile gathers and goes as one batch when the confirm is back.
 * What fails is tried again in order, before anything newer.
 */
#ifndef CLUSTER_BUS_H
#define CLUSTER_BUS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

struct bus;
struct bus_destination;
struct bus_receipt;
struct bus_subscription;
struct event_base;

/* All texts are copied. */
struct bus_config {
    const char *host;
    unsigned port;
    const char *user;
    const char *password;
    const char *vhost;
    const char *name; /* shown by the broker: "<name> pub", "<name> sub" */
    unsigned heartbeat_seconds; /* DESIGN: 5 */
    bool has_quorum_queues;     /* deleted without conditions */
    /* Limits of one AMQP message; an oversize event travels alone. */
    size_t batch_events;
    size_t batch_bytes;
    /* Waiting bytes of one destination at which its owner is told to stop,
     * and below which to go on. */
    size_t pressure_high_bytes;
    size_t pressure_low_bytes;
};

/* What a failed publish means. */
enum bus_class {
    BUS_CORE,   /* must exist: alarm, try again until it does */
    BUS_INBOX,  /* gone for good: given back through `unroutable` */
    BUS_ANSWER, /* the asker is gone: dropped */
};

struct bus_hooks {
    /* Both connections are up and every subscription is back (or refused,
     * which `refused` has told). */
    void (*connected)(void *owner);
    /* Either connection was lost; reconnecting goes on by itself. */
    void (*disconnected)(void *owner, const char *reason);
    /* connection.blocked / unblocked: the broker takes no messages. */
    void (*blocked)(void *owner, bool is_blocked);
    /* An event of a BUS_INBOX destination that no queue took.  In order.
     * `receipt` (may be NULL) stays open: publish the event elsewhere with
     * it or not, and then bus_receipt_settle(receipt). */
    void (*unroutable)(void *owner, struct bus_destination *destination,
                       struct slice event, struct bus_receipt *receipt);
    /* Too many bytes wait for that destination; or no longer. */
    void (*pressure)(void *owner, struct bus_destination *destination,
                     bool is_high);
    /* The broker refused what the daemon needs (access, missing queue, wrong
     * arguments).  Tried again every second all the same. */
    void (*refused)(void *owner, const char *what, const char *reason);
}; /* any hook may be NULL */

/* Connects in the background at once. */
struct bus *bus_create(struct event_base *loop, const struct bus_config *config,
                       const struct bus_hooks *hooks, void *owner);
bool bus_is_connected(const struct bus *bus);
bool bus_is_blocked(const struct bus *bus);
/* Nothing waits for a confirm. */
bool bus_is_idle(const struct bus *bus);
/* Bytes that wait or are under way, over all destinations. */
size_t bus_pending_bytes(const struct bus *bus);
/* Closes the connections in at most a second or two; pending events are lost,
 * open receipts are freed without being called. */
void bus_destroy(struct bus **bus);

/*
 * The same (exchange, key) gives the same destination.  One of BUS_CORE lives
 * as long as the bus.  The others belong to nodes, which come and go: one that
 * nothing waits for and nobody has used for ten minutes is freed, so they are
 * looked up for every publish and not kept beyond this turn of the loop.
 */
struct bus_destination *bus_destination(struct bus *bus, const char *exchange,
                                        struct slice key, enum bus_class class);
struct slice bus_destination_key(const struct bus_destination *destination);

/*
 * One encoded event (event_encode).  Sent at the end of this turn of the loop,
 * or when the message under way there is confirmed.  `receipt` may be NULL.
 */
void bus_publish(struct bus_destination *destination, struct slice event,
                 bool is_durable, struct bus_receipt *receipt);

/*
 * A receipt is settled when everything published with it is confirmed and its
 * maker has sealed it; then `settled` is called, once, and it is freed.
 */
typedef void (*bus_settled_fn)(void *argument);
struct bus_receipt *bus_receipt_create(struct bus *bus, bus_settled_fn settled,
                                       void *argument);
void bus_receipt_seal(struct bus_receipt *receipt);
/* Counts one publish more: not settled before bus_receipt_settle. */
void bus_receipt_hold(struct bus_receipt *receipt);
/* Counts one publish as done (see `unroutable`). */
void bus_receipt_settle(struct bus_receipt *receipt);

/* How a queue is brought about before consuming; DESIGN section 3. */
enum bus_declare {
    BUS_DECLARE_PASSIVE, /* a core queue: must exist already */
    BUS_DECLARE_INBOX,   /* durable, single active consumer, bound to
                            ocean.frontend with `key` */
    BUS_DECLARE_STANDBY, /* somebody's inbox: consume, never create */
    BUS_DECLARE_NODE,    /* exclusive, bound to ocean.cluster and ocean.node */
    BUS_DECLARE_TAP,     /* exclusive copy of `exchange` and `key` */
};

struct bus_message {
    struct slice body; /* valid until bus_ack or the subscription's reset */
    bool is_redelivered;
    uint64_t tag;
    /* Of a dead letter, valid as long as the body: */
    struct slice dead_queue;
    struct slice dead_reason;
    uint64_t stamp; /* Unix seconds; 0: none */
};

struct bus_subscribe {
    const char *queue; /* "" for a TAP: the broker finds a name */
    enum bus_declare declare;
    const char *exchange;   /* for BUS_DECLARE_TAP */
    const char *key;        /* for INBOX, NODE, TAP */
    const char *queue_type; /* "classic" or "quorum", for INBOX */
    const char *consumer_tag;
    unsigned prefetch; /* AMQP messages */
    bool no_ack;
    /* A message; keep it until bus_ack. */
    void (*received)(void *argument, struct bus_message *message);
    /* Consuming has begun (again): basic.consume-ok. */
    void (*started)(void *argument);
    /* The channel was lost (connection, consumer cancelled, error) or could
     * not be opened ("404 NOT_FOUND ...": no such queue): all messages held
     * are void and their bytes gone; acknowledgements of them are ignored
     * until the next reset, when their structs are gone too.  It is
     * subscribed again by itself: after a refusal every second, also a
     * standby of a queue that is no more, until bus_unsubscribe. */
    void (*reset)(void *argument, const char *reason);
    /* After bus_unsubscribe: the channel is closed, the subscription freed. */
    void (*closed)(void *argument);
    void *argument;
};

/* Its own channel.  Texts are copied. */
struct bus_subscription *bus_subscribe(struct bus *bus,
                                       const struct bus_subscribe *subscribe);
/* Acknowledges this message and frees its bytes.  Acknowledgements may come in
 * any order; they are sent together at the end of the loop's turn. */
void bus_ack(struct bus_subscription *subscription,
             struct bus_message *message);
/* Closes the channel: what was not acknowledged goes, in order, to the next
 * consumer.  No message is received after this call; those held are freed. */
void bus_unsubscribe(struct bus_subscription **subscription);

/* Asks about a queue (passive declaration).  `exists` false: no such queue. */
typedef void (*bus_inspected_fn)(void *argument, bool exists, uint64_t messages,
                                 uint64_t consumers);
void bus_inspect(struct bus *bus, const char *queue, bus_inspected_fn inspected,
                 void *argument);
/* Deletes a queue if it is empty and unused; errors are ignored (logged). */
void bus_delete_queue(struct bus *bus, const char *queue);
/* A body to the dead exchange, as it is; `queue` (where it was met) and
 * `reason` as AMQP headers. */
void bus_publish_dead(struct bus *bus, struct slice event, const char *queue,
                      const char *reason, struct bus_receipt *receipt);

#endif
