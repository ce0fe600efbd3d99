/*
 * Inboxes of frontends that are gone (DESIGN 3).  Every frontend enters its
 * inbox in the register, which the archive keeps, before it lets clients in,
 * and strikes it when it has stopped in order.  An inbox in the register whose
 * frontend has not been heard of for the grace time is an orphan: the instance
 * of delivery that ranks first for its name drains it, gives every stanza back
 * (give_back.h), deletes the queue and strikes it.  It asks for the register
 * again and again, so whoever dies meanwhile, nothing is forgotten.
 *
 * A frontend that is heard of again in time keeps its inbox: as long as it
 * consumes, the broker gives us nothing.
 */
#ifndef CLUSTER_ADOPT_H
#define CLUSTER_ADOPT_H

#include "cluster/event.h"
#include "cluster/member.h"

struct adopt;
struct daemon;

/* Called for every inbox that is found, at that time. */
typedef void (*adopt_found_fn)(void *owner, struct slice node);

struct adopt *adopt_create(struct daemon *daemon, adopt_found_fn found,
                           void *owner);
void adopt_destroy(struct adopt **adopt);
/* A frontend has fallen silent: without waiting for the register. */
void adopt_left(struct adopt *adopt, const struct member *frontend);
/* inbox.list */
void adopt_heard(struct adopt *adopt, const struct event *list);
/* Every second. */
void adopt_tick(struct adopt *adopt, uint64_t now_ms);
/* The register has been read once. */
bool adopt_is_informed(const struct adopt *adopt);
/* The nodes of inboxes that are found and not drained, as far as is known
 * here.  Begin with *position 0. */
bool adopt_next(const struct adopt *adopt, size_t *position,
                struct slice *node_out);
/* Leaves what is being drained to others. */
void adopt_drain(struct adopt *adopt);

#endif
