/*
 * A session that comes from another frontend: first the stanzas its client has
 * not acknowledged, then the session itself.
 */
#ifndef FRONTEND_ARRIVAL_H
#define FRONTEND_ARRIVAL_H

#include "session.h"

struct arrival;
struct bus_receipt;

/* It is on its way here, or asked for. */
bool arrival_expects(const struct frontend *frontend, uint64_t session);
/* session.unacked; or a stanza that came before its session. */
void arrival_stanza(struct frontend *frontend, const struct event *event,
                    struct bus_receipt *receipt);
/* session.transfer: all is here. */
void arrival_complete(struct frontend *frontend, const struct event *transfer,
                      struct bus_receipt *receipt);
/* It does not come: what came early is given back, who had it sees to the
 * rest. */
void arrival_forget(struct frontend *frontend, uint64_t session);
/* It is to end, and is not here.  If some of it is, who had it believes that we
 * have that: it waits for the session, which is kicked once more. */
void arrival_kicked(struct frontend *frontend, uint64_t session);
void arrivals_drop(struct frontend *frontend);
/* Tells delivery that the session is here now, in answer to its fence. */
void arrival_report(struct session *session, uint64_t request);

#endif
