/*
 * Sessions that ended while their client was away, and how many of its stanzas
 * had been handled: a client that comes back too late is told so in <failed/>
 * (XEP-0198 5), and need not send again what has arrived.  The latest ten
 * thousand of a partition; a new owner knows none.
 */
#ifndef DELIVERY_ENDED_H
#define DELIVERY_ENDED_H

#include <stdint.h>

struct ended;

struct ended *ended_create(void);
void ended_destroy(struct ended **ended);
void ended_note(struct ended *ended, uint64_t id, uint64_t handled);
/* How many; 0: not known, or none. */
uint64_t ended_find(const struct ended *ended, uint64_t id);

#endif
