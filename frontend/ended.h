/*
 * What is left of sessions that are over: stanzas that their clients do not
 * have, and the fence that is answered when these have been given back.  It
 * waits for the end of the turn, when delivery has been told.
 */
#ifndef FRONTEND_ENDED_H
#define FRONTEND_ENDED_H

#include "frontend.h"

struct unacked_queue;

/* After what is there already; takes what is in `unacked`.  `fence` may be
 * NULL. */
void ended_add(struct frontend *frontend, struct unacked_queue *unacked,
               const struct event *fence);
/* Gives all of it back (give_back.h). */
void ended_give_back(struct frontend *frontend);

#endif
