/*
 * Messages of a queue, taken event by event.  A message is acknowledged when
 * all that its events led to is confirmed; an event that cannot be read or is
 * refused goes to `dead`.
 */
#ifndef CLUSTER_INTAKE_H
#define CLUSTER_INTAKE_H

#include "cluster/bus.h"
#include "cluster/daemon.h"

struct intake;

/* False: it goes to `dead`, with *reason_out (static text).  `receipt` is of
 * the message, which is not acknowledged while somebody holds it. */
typedef bool (*intake_handle_fn)(void *argument, const struct event *event,
                                 struct bus_receipt *receipt,
                                 const char **reason_out);

struct intake *intake_create(struct daemon *daemon, const char *queue,
                             intake_handle_fn handle, void *argument);
void intake_destroy(struct intake **intake);
/*
 * Hands the events of a message over, then publishes `output`, which the
 * handler has filled.  False: they are newer than we understand; the message
 * is not acknowledged, the owner is to leave the queue.
 */
bool intake_receive(struct intake *intake,
                    struct bus_subscription *subscription,
                    struct bus_message *message,
                    struct output *output) WARN_UNUSED;
/* The channel is gone: what was received there is not acknowledged any more. */
void intake_reset(struct intake *intake);
/* Messages whose consequences are not confirmed. */
size_t intake_open(const struct intake *intake);

#endif
