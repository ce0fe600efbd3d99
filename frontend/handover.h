/*
 * A session goes to another frontend: its client has come back there, or we
 * are about to stop.  Delivery orders it with session.move, the last event of
 * the session that comes here ("Fences", docs/ARCHITECTURE.md).  When all that
 * was received from the client is confirmed, everything about the session is
 * published to the other's inbox, and when that is confirmed forgotten here:
 * at every moment one of the two inboxes has it.
 */
#ifndef FRONTEND_HANDOVER_H
#define FRONTEND_HANDOVER_H

#include "session.h"

struct bus_receipt;
struct handover;

/* session.move */
void handover_begin(struct frontend *frontend, const struct event *move,
                    struct bus_receipt *receipt);
/* The other's inbox is about to have it: nothing new can be taken along. */
bool handover_is_sent(const struct session *session);
/* It has been here since, and has been handed over. */
bool handover_is_older(const struct frontend *frontend,
                       const struct event *transfer);
/* Forgets those of long ago. */
void handovers_tick(struct frontend *frontend, uint64_t now_ms);
/* All it has received is confirmed. */
void handover_settled(struct session *session);
/* The session ends here after all. */
void handover_forget(struct session *session);
/* At exit: those that are not confirmed. */
void handovers_drop(struct frontend *frontend);
/* Asks delivery to have the session moved there. */
void handover_offer(struct session *session, struct slice node);

#endif
