/*
 * What a session has been given lately, so that exact repeats are dropped:
 * after a crash or a lost acknowledgement the broker hands events out again.
 * Allocated on first use; it belongs to the session and moves with it.
 */
#ifndef FRONTEND_SEEN_H
#define FRONTEND_SEEN_H

#include "cluster/event.h"

enum {
    SEEN_PATHS_MAX = 32, /* (origin, path) pairs */
    SEEN_IDS_MAX = 4096, /* messages, a power of two */
};

struct seen;

/*
 * True: this event came before; else it is remembered.  For one (origin, path)
 * sequences rise (output.h), so one number per pair is enough for all that
 * comes the same way again.  A message may also come again another way (first
 * at once, then through the archive, because delivery changed hands): these
 * are known by their id.
 */
bool seen_is_repeat(struct seen **seen, const struct event *event);
void seen_destroy(struct seen **seen);

/* When the session moves to another frontend: 64-bit numbers, little-endian:
 * how many paths, (origin, path, sequence) each, then the ids; both begin with
 * what was used longest ago. */
void seen_write(const struct seen *seen, struct buffer *out);
/* NULL when there are none, or these are no such bytes. */
struct seen *seen_read(struct slice bytes);

#endif
