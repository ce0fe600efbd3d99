/*
 * The frontend's inbox, frontend.<node>: declared and entered in the register
 * before clients are let in; batches of events from it go to to_client.c.  A
 * message is acknowledged when the connections have its stanzas, and when what
 * had to go back to the services is confirmed.
 */
#ifndef FRONTEND_INBOX_H
#define FRONTEND_INBOX_H

#include "frontend.h"

struct inbox;
struct session;

/* Subscribes; listener_start once it is registered. */
struct inbox *inbox_create(struct frontend *frontend);
void inbox_destroy(struct inbox **inbox);
bool inbox_is_registered(const struct inbox *inbox);
/* To be there (again) soon; what is sent to it now may find no queue. */
bool inbox_is_away(const struct inbox *inbox);
/* So many messages are not acknowledged that it is about to stand still. */
bool inbox_is_half_full(const struct inbox *inbox);
/* When the last message came; 0: none yet. */
uint64_t inbox_active_ms(const struct inbox *inbox);
/* Leaves the queue; then it is deleted and struck from the register. */
void inbox_close(struct inbox *inbox);
/* Closed and deleted. */
bool inbox_is_gone(const struct inbox *inbox);

/* False: from a former owner of a partition (DESIGN 2); to be dropped. */
bool inbox_epoch_is_current(struct inbox *inbox, const struct event *event);
/* The highest seen of that partition of a service; 0: none. */
uint64_t inbox_epoch_of(const struct inbox *inbox, struct slice service,
                        uint64_t partition);

/* to_client.c.  False: `reason_out`, not an event for a frontend. */
bool to_client(struct frontend *frontend, const struct event *event,
               struct bus_receipt *receipt, const char **reason_out);
/* Writes a stanza to the session's client, which is there. */
void to_client_write(const struct session *session, const struct event *event);
/* Writes it, or keeps it while the client is away. */
void to_client_give(struct session *session, const struct event *event,
                    struct bus_receipt *receipt);

#endif
