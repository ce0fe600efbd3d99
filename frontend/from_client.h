/* A bound client's stanza becomes an event (RFC 6120 8, 10; RFC 6121). */
#ifndef FRONTEND_FROM_CLIENT_H
#define FRONTEND_FROM_CLIENT_H

#include "connection.h"

enum stream_verdict from_client(struct connection *connection,
                                const struct stanza *stanza);

#endif
