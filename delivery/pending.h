/*
 * When a partition is taken over, the archive is asked for which of the
 * sessions' users something is stored; all others are live at once.  Without
 * it, every user would have to be replayed to, and what waits in the queue
 * would go through the archive.  It is no more than a short cut: who is not
 * answered for in time is replayed to.
 */
#ifndef DELIVERY_PENDING_H
#define DELIVERY_PENDING_H

#include "delivery.h"

/* Hooks of service.h; `state` is a struct delivery. */
bool pending_ask(void *state, struct slice node, struct output *output);
void pending_answered(void *state, const struct event *answer);

#endif
