/*
 * Inside the skeleton of a service: one struct service per process, one struct
 * partition per partition of the cluster.
 *   service.c    start, hooks, stop
 *   balance.c    which partitions to subscribe to, keep, hand over
 *   partition.c  the life of one subscription and ownership
 *   takeover.c   snapshots and epochs when a partition is taken over
 *   adopt.c      inboxes of frontends that are gone
 *   work.c       batches through the handlers, publishing, acknowledging;
 *                work_private.h says how it goes on
 *   last_words.c, suspects.c  events that crash those who handle them
 */
#ifndef CLUSTER_SERVICE_PRIVATE_H
#define CLUSTER_SERVICE_PRIVATE_H

#include "base/map.h"
#include "base/worker.h"
#include "cluster/daemon.h"
#include "cluster/service.h"
#include "cluster/suspects.h"

enum partition_state {
    PARTITION_ABSENT,     /* not subscribed */
    PARTITION_SUBSCRIBED, /* standby, or owner that does not know it yet */
    PARTITION_TAKING,     /* ours: collecting snapshots, opening the state */
    PARTITION_OWNED,      /* ours: events are handled */
    PARTITION_LEAVING,    /* finishing what is in hand, then closing */
    PARTITION_CLOSING,    /* the channel is being closed */
};

/* A message received and not yet given to the handlers. */
struct held {
    struct held *next;
    struct bus_message *message;
    size_t done;      /* events of it handled already, one by one */
    bool is_suspect;  /* of a batch that the store has refused */
    const char *dead; /* why its next event is not to be handled, or NULL;
                         as the store has said it, until its next begin */
};

struct partition {
    struct service *service;
    unsigned number;
    char queue[NAME_MAX_BYTES];
    enum partition_state state;
    struct bus_subscription *subscription;
    struct held *held_first, **held_last;
    unsigned generation; /* grows when what was received becomes void */
    unsigned working;    /* works not settled, of this generation */
    bool is_committing;  /* a job is under way that all else waits for */
    bool is_declined;    /* see partition_decline: not subscribed again */
    bool goes_on;        /* after LEAVING: subscribe again, as standby */
    void *data;          /* the service's state; NULL unless open */
    uint64_t epoch;
    uint64_t taking_since_ms;
    uint64_t owned_since_ms;
    uint64_t preparing_since_ms; /* 0: not yet */
    uint64_t reading;            /* of the notes, needed before any event */
    uint64_t retry_at_ms;        /* opening or committing failed */
    char *obstacle;              /* why opening did, as was said; or NULL */
    struct map *epochs;  /* highest seen in this queue by publishing partition,
                            since it is ours: uint64_t */
    struct map *awaited; /* nodes whose snapshot is asked for: struct ask */
    struct map *heard;   /* nodes that have reported since it is ours */
};

struct service {
    const struct service_spec *spec;
    struct daemon *daemon;
    void *config;
    uint64_t prefetch;
    struct partition partitions[PARTITIONS_MAX];
    unsigned partition_count;
    struct worker_pool *store; /* NULL: handlers run on the loop */
    service_handler_fn handlers[EVENT_TYPE_COUNT];
    struct work *spare_works;
    struct adopt *adopt; /* or NULL */
    struct suspects *suspects;
    uint64_t sequence;      /* of events that begin here (atomic) */
    uint64_t calm_since_ms; /* last change among the members of our kind */
    uint64_t moved_at_ms;
    bool is_up;
};

bool service_has_store(const struct service *service);

/* partition.c */
void partition_init(struct partition *partition, struct service *service,
                    unsigned number);
void partition_deinit(struct partition *partition);
void partition_subscribe(struct partition *partition);
/* Hands it over in order; goes_on: then stands by. */
void partition_leave(struct partition *partition, bool goes_on);
void partition_enter(struct partition *partition, enum partition_state state);
void partition_probe(struct partition *partition);
void partition_tick(struct partition *partition, uint64_t now_ms);
/* No work is under way and it was asked to leave: closes the channel. */
void partition_maybe_close(struct partition *partition);
/* Hands what is held to the handlers, as far as that is possible now. */
void partition_advance(struct partition *partition);
/* Of a newer version than this program knows (`reason`: what, and which): says
 * so and leaves it to other instances, until the end of this process. */
void partition_decline(struct partition *partition, const char *reason);
/* The epoch of what that partition has published is at least this. */
void partition_saw_epoch(struct partition *partition, struct slice by,
                         uint64_t epoch);
/* Ours anew: what is given out again was published under former epochs. */
void partition_forget_epochs(struct partition *partition);
void partition_free_epochs(struct partition *partition); /* no job reads them */
void partition_output_init(struct partition *partition, struct output *output);

/* takeover.c */
void takeover_begin(struct partition *partition);
void takeover_end(struct partition *partition);
void takeover_tick(struct partition *partition, uint64_t now_ms);
/* A frontend has appeared while the partition is ours. */
void takeover_ask(struct partition *partition, struct slice node);
/* That frontend is gone and its inbox is still to be drained. */
void takeover_orphan(struct partition *partition, struct slice node);
void takeover_forget(struct partition *partition, struct slice node);
/* snapshot.session, snapshot.end */
void takeover_heard(struct service *service, const struct event *event);
/* What else was asked for. */
void takeover_prepared(struct service *service, const struct event *event);

/* work.c, work_careful.c */
struct work;

/* Takes the first message held. */
void work_on_loop(struct partition *partition);
/* Takes what is held as one transaction; at most one at a time. */
void work_on_store(struct partition *partition);
/* Takes the next event of the first message held, alone: somebody has crashed
 * with that message, or the store has refused a batch with it. */
void work_carefully(struct partition *partition);
bool held_is_suspect(const struct partition *partition,
                     const struct held *held);
/* Publishes what a hook outside a batch has put out. */
void work_publish(struct partition *partition, struct output *output);
void work_free_spare(struct service *service);

/* balance.c */
void balance(struct service *service, uint64_t now_ms);

#endif
