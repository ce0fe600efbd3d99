/*
 * Delivery: who is connected as which user, and who gets a stanza.  The state
 * of one partition; a copy of what the frontends know, rebuilt from their
 * snapshots (DESIGN 1.3).
 *   session_copy.c  users and their sessions
 *   snapshot.c      what frontends report, and frontends that are gone
 *   pending.c       for whom is something stored? asked when taking over
 *   replay.c        stored messages before live ones
 *   fence.c         sessions that leave a frontend
 *   orphans.c       frontends that were gone before we came
 *   ended.c         how much of an ended session's stanzas was handled
 *   deleted.c       accounts that have been deleted lately
 *   route.c         RFC 6121 section 8
 *   server.c        answers for the server's and the users' own addresses
 *   handlers.c      the events
 */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include <stdint.h>

#include "base/map.h"
#include "cluster/service.h"

#include "fence.h"
#include "replay.h"

struct ended;

struct delivery_config {
    uint64_t max_resources; /* sessions per user */
    uint64_t replay_retry_ms;
};

struct delivery {
    const struct delivery_config *config;
    char *domain;
    unsigned partition;
    struct map *users; /* bare JID -> struct user */
    struct replay_list replay_wanted;
    struct replay_list replay_asked; /* or owed */
    struct fence_list fences;        /* not come back */
    struct map *orphans;             /* nodes: orphans.h */
    struct map *deleted;             /* accounts: deleted.h */
    struct ended *ended;
    uint64_t mark;    /* of the last archive.store; rises over all users */
    uint64_t request; /* of the last question to the archive */
    uint64_t pending_first, pending_last; /* requests of pending.h; 0: none */
};

struct delivery *delivery_create(const struct delivery_config *config,
                                 const char *domain, unsigned partition);
void delivery_destroy(struct delivery **delivery);

extern const struct service_handler delivery_handlers[];
extern const size_t delivery_handler_count;

#endif
