/*
 * A session that comes from another frontend: first the stanzas its client has
 * not acknowledged, then the session itself.
 */
#ifndef FRONTEND_ARRIVAL_H
#define FRONTEND_ARRIVAL_H

#include "session.h"

struct arrival;
struct bus_receipt;

/* session.expect: it is about to be on its way here. */
void arrival_expected(struct frontend *frontend, const struct event *event,
                      struct bus_receipt *receipt);
bool arrival_expects(const struct frontend *frontend, uint64_t session);
/* session.unacked */
void arrival_unacked(struct frontend *frontend, const struct event *event,
                     struct bus_receipt *receipt);
/* A stanza from a service that came before its session.  As many are kept as a
 * client may leave unacknowledged; then the rest is given back, and the session
 * ends when it has come, as one does that is away for that long. */
void arrival_early(struct frontend *frontend, const struct event *event,
                   struct bus_receipt *receipt);
/* session.transfer: all is here. */
void arrival_complete(struct frontend *frontend, const struct event *transfer,
                      struct bus_receipt *receipt);
/* session.kick for a session on its way here: it ends when it has come.
 * False: none is. */
bool arrival_kick(struct frontend *frontend, const struct event *kick);
/* It does not come, says delivery of that move; who has it gives back what is
 * unacknowledged. */
void arrival_forget(struct frontend *frontend, uint64_t session,
                    uint64_t request);
/* Those that have been on their way for too long. */
void arrivals_tick(struct frontend *frontend, uint64_t now_ms);
void arrivals_drop(struct frontend *frontend);
/* Tells delivery that the session is here now, in answer to its fence. */
void arrival_report(struct session *session, uint64_t request);

#endif
