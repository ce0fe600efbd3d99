/*
 * Messages that somebody has crashed with: what the queue <service>.crashed
 * says (last_words.h writes it).  Read when a partition is taken over that
 * holds messages delivered before: by then the notes of who had them are there.
 *
 * The queue has a single active consumer; who reads it takes everything, waits
 * for a probe of its own, and closes the channel, which gives all back in order
 * for the next reader.  Notes go by age (x-message-ttl).
 */
#ifndef CLUSTER_SUSPECTS_H
#define CLUSTER_SUSPECTS_H

#include "cluster/bus.h"
#include "cluster/names.h"

struct suspects;

/* A reading has ended. */
typedef void (*suspects_read_fn)(void *owner);

/* Node and owner are borrowed. */
struct suspects *suspects_create(struct bus *bus, enum service_id service,
                                 const char *node, suspects_read_fn read,
                                 void *owner);
void suspects_destroy(struct suspects **suspects);

/* Reads everything that is there by now; returns the number of that reading. */
uint64_t suspects_ask(struct suspects *suspects);
bool suspects_are_read(const struct suspects *suspects, uint64_t reading);

/* Has somebody crashed with that message in hand? */
bool suspects_has(const struct suspects *suspects, struct slice body);
/* How often with only that event of it in hand, counted from 1. */
size_t suspects_crashes(const struct suspects *suspects, struct slice body,
                        size_t event);

#endif
