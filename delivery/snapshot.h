/*
 * What frontends report replaces what is known of them (DESIGN 2).  A snapshot
 * and the partition's queue overtake each other by milliseconds, so a session
 * of which an event was handled just now is left as it is: its truth is in the
 * queue.
 */
#ifndef DELIVERY_SNAPSHOT_H
#define DELIVERY_SNAPSHOT_H

#include "delivery.h"

enum { SNAPSHOT_RACE_MS = 2000 };

/* Hooks of service.h; `state` is a struct delivery. */
void snapshot_begin(void *state, struct slice node);
void snapshot_session(void *state, const struct event *report,
                      struct output *output);
void snapshot_end(void *state, struct slice node, struct output *output);
void snapshot_node_gone(void *state, struct slice node, struct output *output);

#endif
