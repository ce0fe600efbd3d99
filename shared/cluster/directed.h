/*
 * Whom a session has sent directed presence (RFC 6121 4.6.3), each by the JID
 * it was sent to: they are told when the session is over.  Its frontend does
 * that; delivery keeps a copy of the list and does it if that frontend is gone.
 *
 * The list is the session's, NULL while nobody is on it; map_destroy frees it.
 */
#ifndef CLUSTER_DIRECTED_H
#define CLUSTER_DIRECTED_H

#include "base/map.h"
#include "cluster/output.h"

/* On one list, and of their JIDs together: the list travels as one field.  A
 * client that wants more is refused. */
enum { DIRECTED_MAX = EVENT_NAMES_MAX, DIRECTED_MAX_BYTES = 32 * 1024 };

bool directed_has(const struct map *directed, struct slice to);
/* For `to`, which may be on it already. */
bool directed_has_room(const struct map *directed, struct slice to);
/* Puts `to` on the list, if that has room, or takes it off. */
void directed_note(struct map **directed, struct slice to, bool is_available);

/* As `names` of an event, written to `out`; SLICE_NONE: nobody. */
struct slice directed_write(const struct map *directed, struct buffer *out);
/* `names` take the place of what was on the list. */
void directed_read(struct map **directed, struct slice names);
/* Takes them off. */
void directed_remove(struct map **directed, struct slice names);

/* Sends `unavailable`, a stanza.route without `to`, to each, and empties the
 * list. */
void directed_end(struct map **directed, const struct event *unavailable,
                  struct output *output);

#endif
