/*
 * Stream management (XEP-0198): what each side has of what the other sent.
 *
 * Towards the client, h counts the stanzas of which everything that follows is
 * confirmed by the broker, in order: what it has been told it may forget.
 * Towards us, a stanza stays unacknowledged until the client says so, and the
 * message of the inbox that brought it is held as long; so if we die, delivery
 * finds it there.  A message not acknowledged for a while goes to the archive
 * ("custody"), so that a silent client holds nobody else up; its
 * acknowledgement takes it out again.  When the session ends, what is left is
 * given back (give_back.h).
 */
#ifndef FRONTEND_ACKS_H
#define FRONTEND_ACKS_H

#include "connection.h"

struct acks;
struct bus_receipt;

/* An element of the namespace NS_SM. */
void acks_element(struct connection *connection, const struct stanza *stanza);

/* A stanza of the client has been handled; no effect without acks. */
void acks_received(struct connection *connection);
/* All that was put out for what was received so far, with a receipt. */
void acks_publish(struct connection *connection);

/* `event` has been written to the client.  `receipt` is of the message that
 * brought it and stays open until the client has it. */
void acks_sent(struct session *session, const struct event *event,
               struct bus_receipt *receipt);
/* It came again, on a new channel: `receipt` takes the place of the former. */
void acks_sent_again(struct session *session, const struct event *event,
                     struct bus_receipt *receipt);
/* Appends a request if something is unacknowledged; before flushing. */
void acks_request(struct connection *connection);
/* Custody, and clients that do not answer; once a second. */
void acks_tick(struct connection *connection, uint64_t now_ms);
/* The session is over: what the client does not have is given back ... */
void acks_end(struct session *session);
/* ... at the end of the turn, when delivery has been told.  If the inbox is
 * about to stand still, takes custody of everything. */
void acks_give_back(struct frontend *frontend);
/* At exit. */
void acks_deinit(struct frontend *frontend);

#endif
