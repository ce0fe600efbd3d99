/*
 * Who gets a stanza: RFC 6121 section 8, or the audience that the event names.
 */
#ifndef DELIVERY_ROUTE_H
#define DELIVERY_ROUTE_H

#include "delivery.h"

void route_stanza(struct delivery *delivery, const struct event *stanza,
                  struct output *output);

#endif
