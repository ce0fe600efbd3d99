/*
 * Stanzas that answer a stanza: routed to its sender like any other, from the
 * address it was sent to (RFC 6120 8.3.1), and durable if it was.
 */
#ifndef CLUSTER_REPLY_H
#define CLUSTER_REPLY_H

#include "cluster/output.h"

/* An IQ result. */
void reply_result(const struct event *request, struct slice payload,
                  struct output *output);
/* RFC 6120 8.3; nothing for stanzas that must not be answered. */
void reply_error(const struct event *cause, const char *condition,
                 struct output *output);

#endif
