/* Resource binding (RFC 6120 7) and the legacy session (RFC 3921 3). */
#ifndef FRONTEND_BIND_H
#define FRONTEND_BIND_H

#include "connection.h"

/* A stanza of an authenticated client that has no resource yet. */
void bind_take(struct connection *connection, const struct stanza *stanza);
/* delivery has not answered in time: the client may try again. */
void bind_timed_out(struct connection *connection);

#endif
