/*
 * Inside the work of a service: its messages on their way to the handlers.
 *   work.c          from what is held to what is acknowledged
 *   work_handle.c   decoding, handling; on the loop or on the store thread
 *   work_careful.c  events that may crash who handles them, or that the store
 *                   refuses, one by one
 */
#ifndef CLUSTER_WORK_PRIVATE_H
#define CLUSTER_WORK_PRIVATE_H

#include "cluster/last_words.h"
#include "cluster/service_private.h"

enum { MESSAGES_MAX = HAND_MAX };

struct epoch;

struct dead {
    struct dead *next;
    struct slice event;
    const char *reason;
};

/*
 * Some messages of one partition on their way through: decoded and handled (on
 * the loop or the store thread), output published phase by phase, each phase
 * confirmed, then the messages acknowledged.
 *
 * With a store, output must not be lost between the commit and the confirm,
 * and nobody may hold a lock while waiting for the broker.  So the handlers
 * run twice: the first time to know the output, and are rolled back; when all
 * of it is confirmed, the second time to commit.  A crash in between does
 * everything again, from the same state to the same output, which receivers
 * know by its ids.  A batch that changes nothing or has no output runs once.
 *
 * A message that somebody has crashed with goes one event at a time, each alone
 * in our hand; one that has crashed three times is not handled any more.  So do
 * the messages of a batch that the store has refused for what they say; the one
 * it refuses alone is not handled again.
 */
struct work {
    struct work *spare;
    struct partition *partition;
    unsigned generation;
    void *data;
    struct bus_message *messages[MESSAGES_MAX];
    struct slice bodies[MESSAGES_MAX];
    size_t count;
    struct output output;
    const struct output_item *next;
    unsigned phase;
    struct arena arena;
    struct dead *dead, **dead_last;
    struct epoch *epochs;
    const char *newer;   /* met a newer major version: why */
    bool has_failed;     /* the store would not: to be tried again */
    const char *refusal; /* then: see service.h */
    bool must_commit;    /* was rolled back and is to run again */
    /* One event of one message: */
    bool is_careful;
    const char *poison; /* why it is not handled, but goes to `dead` */
    size_t done;        /* events before it */
    bool is_unended;    /* others are behind it */
};

/* work.c */
struct work *work_new(struct partition *partition);
/* Takes the first message held.  Its body is copied: a reset of the channel
 * frees it at any time. */
void work_take_copy(struct work *work);
void work_run_on_loop(struct work *work);
void work_run_on_store(struct work *work);

/* work_handle.c */
/* Gives its events to their handlers; work->newer says why it has not. */
void work_handle(struct work *work);
void work_handle_event(struct work *work, const struct event *event,
                       struct slice raw);
/* To the queue of dead letters; `raw` is copied. */
void work_reject(struct work *work, struct slice raw, const char *reason);
/* Not before these events are done with: whoever handles them again (a second
 * run, a store that refused) must come to the same verdicts. */
void work_keep_epochs(const struct work *work);

/* work_careful.c */
/* The event after those done. */
void work_handle_one(struct work *work, struct slice body);

#endif
