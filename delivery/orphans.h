/*
 * Frontends that were gone before this partition became ours: nobody knows
 * which sessions they had.  Whoever logs in before their inboxes are drained
 * may have something there that comes before what comes now, so his messages
 * wait for a fence in each (fence.h).
 */
#ifndef DELIVERY_ORPHANS_H
#define DELIVERY_ORPHANS_H

#include "cluster/output.h"

struct delivery;
struct session;
struct user;

/* service.h: `orphaned` */
void orphan_found(void *state, struct slice node, struct output *output);
/* Everything that was in its inbox has been given back. */
void orphan_drained(struct delivery *delivery, struct slice node);
/* The session is new. */
void orphans_fence(struct delivery *delivery, struct user *user,
                   const struct session *session, struct output *output);

#endif
