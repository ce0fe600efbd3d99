/* Stanzas that answer a stanza: routed to its sender like any other. */
#ifndef DELIVERY_REPLY_H
#define DELIVERY_REPLY_H

#include "cluster/output.h"

/* An IQ result from the address the request was sent to. */
void reply_result(const struct event *request, struct slice payload,
                  struct output *output);
/* RFC 6120 8.3; nothing for stanzas that must not be answered. */
void reply_error(const struct event *cause, const char *condition,
                 struct output *output);

#endif
