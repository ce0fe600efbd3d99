/* What comes through the inbox: events for this frontend's clients. */
#ifndef FRONTEND_TO_CLIENT_H
#define FRONTEND_TO_CLIENT_H

#include "frontend.h"

/* One AMQP message of the inbox; acknowledged when every stanza in it is in
 * the output of its connection. */
void to_client_message(struct frontend *frontend, struct bus_message *message);
/* Epochs seen, for snapshots: 0 when none. */
uint64_t to_client_epoch(struct frontend *frontend, struct slice by);

#endif
