/*
 * What frontends report replaces what is known of them (DESIGN 2), without a
 * broadcast of presence that has not changed.  A snapshot and the partition's
 * queue overtake each other by milliseconds, so a resource that changed just
 * now is left as it is: its truth is in the queue.
 */
#ifndef PRESENCE_SNAPSHOT_H
#define PRESENCE_SNAPSHOT_H

#include "presence.h"

enum { SNAPSHOT_RACE_MS = 2000 };

/* Hooks of service.h; `state` is a struct presence. */
void snapshot_begin(void *state, struct slice node);
void snapshot_session(void *state, const struct event *report,
                      struct output *output);
void snapshot_end(void *state, struct slice node, struct output *output);
/* presence.update with the condition "moved": the session is, or will be, at
 * another frontend; nobody else is concerned. */
void snapshot_moved(struct presence *presence, const struct event *moved,
                    struct output *output);
void snapshot_node_gone(void *state, struct slice node, struct output *output);

#endif
