/* Answers for the server's own address, and for an account's bare JID. */
#ifndef DELIVERY_SERVER_H
#define DELIVERY_SERVER_H

#include "cluster/output.h"

/* A stanza to the domain (RFC 6121 8.3, RFC 6120 10.5.1). */
void server_answer(const struct event *stanza, struct output *output);
/* An IQ get or set to a bare JID (RFC 6121 8.5.2.1.3). */
void server_answer_for_account(const struct event *stanza,
                               struct output *output);

#endif
