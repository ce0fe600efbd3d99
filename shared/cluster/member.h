/*
 * Who is in the cluster: every daemon announces itself on the fanout exchange
 * ocean.cluster when it starts, every second, and when it stops.  Silence of
 * others counts only while our own announcements come back, so a lost or
 * blocked connection freezes the view and does not empty it (DESIGN 2).
 */
#ifndef CLUSTER_MEMBER_H
#define CLUSTER_MEMBER_H

#include "cluster/event.h"
#include "cluster/names.h"

enum member_state {
    MEMBER_STARTING,
    MEMBER_UP,
    MEMBER_DRAINING, /* a frontend that hands its sessions over */
    MEMBER_LEAVING,  /* counts as gone */
};

struct member {
    char node[NAME_MAX_BYTES];
    uint64_t boot;
    enum service_id service;   /* SERVICE_NONE: a frontend or a tool */
    char kind[NAME_MAX_BYTES]; /* "frontend", "delivery" ... */
    enum member_state state;
    char shares[PARTITIONS_MAX + 1];   /* per partition: '-' not subscribed,
                                          's' subscribed, 'o' owner */
    char declined[PARTITIONS_MAX + 1]; /* likewise: 'x' it is too old for what
                                          is there and does not take it */
    char *serves;                      /* encoded list, or NULL */
    size_t serves_size;
    char address[NAME_MAX_BYTES];
    uint64_t heard_ms; /* its last announcement, monotonic */
    unsigned silent;   /* own announcements since then */
    bool is_self;
    bool is_stranger; /* serves another domain: given to hooks.stranger only */
};

struct members;

struct member_hooks {
    void (*joined)(void *owner, const struct member *member);
    /* Stopped in order, or silent for longer than the grace time. */
    void (*left)(void *owner, const struct member *member, bool in_order);
    /* Shares, what it declines, state or what it serves changed. */
    void (*changed)(void *owner, const struct member *member);
    /* Heard for the first time, of another domain: it does not count. */
    void (*stranger)(void *owner, const struct member *member);
};

/* `domain` is the one we serve, borrowed.  `grace` = own announcements that may
 * come back without one of the other's: DESIGN 3: 5. */
struct members *members_create(const char *self, const char *domain,
                               unsigned grace, const struct member_hooks *hooks,
                               void *owner);
/* It serves another domain than ours.  One that does not say which, because it
 * is of an older version, does not. */
bool members_is_stranger(const struct members *members,
                         const struct event *announce);
/* An announcement from anybody, ourselves included.  `mark` is the number of
 * the sender's last turn (one a second). */
void members_heard(struct members *members, const struct event *announce);
/* NULL-terminated walk: pass NULL first.  The order is by node name. */
const struct member *members_next(const struct members *members,
                                  const struct member *member);
const struct member *members_find(const struct members *members,
                                  struct slice node);
/* It does not take that partition: newer instances have to. */
bool member_declines(const struct member *member, unsigned partition);
/* Our own announcements come back (the view is fresh). */
bool members_is_fresh(const struct members *members);
void members_destroy(struct members **members);

/*
 * Who should own what (member_rank.c): rendezvous ranking among those of
 * `service` that are up.
 */

/* The first for that partition, whatever it declines; NULL: there is nobody. */
const struct member *members_first(const struct members *members,
                                   enum service_id service, unsigned partition);

struct member_share {
    const struct member *owner;   /* NULL: there is nobody */
    const struct member *standby; /* who owns it if the owner dies; or NULL */
};

/* Nobody is given what it declines.  Nobody owns more than his part of
 * `partitions` rounded up, so not every one goes to the first of its ranking;
 * but for what others decline.  The same members give the same shares, in
 * whatever order they came. */
void members_share(const struct members *members, enum service_id service,
                   unsigned partitions, struct member_share *shares_out);

#endif
