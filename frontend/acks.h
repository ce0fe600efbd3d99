/*
 * Stream management (XEP-0198 1.6): what each side has of what the other sent.
 *
 * Towards the client, h counts the stanzas (received.h) of which everything
 * that follows is confirmed by the broker: what it has been told it may forget.
 * Towards us, a stanza stays unacknowledged (unacked.h) until the client says
 * so.  When the session ends, what is left is given back (ended.h).
 */
#ifndef FRONTEND_ACKS_H
#define FRONTEND_ACKS_H

#include "session.h"

struct acks;
struct bus_receipt;
struct unacked_queue;

/* An element of the namespace NS_SM. */
void acks_element(struct connection *connection, const struct stanza *stanza);
/* <failed/> with that stanza error condition, and as h how many of the former
 * session's stanzas have been handled; 0: not known. */
void acks_write_failed(struct connection *connection, const char *condition,
                       uint64_t handled);
/* The attribute h of an element; false: none, or no number. */
bool acks_read_count(const struct stanza *stanza, uint32_t *count_out);

/* A stanza of the client has been handled; no effect without acks. */
void acks_received(struct connection *connection);
/* All that was put out for what was received so far, with a receipt. */
void acks_publish(struct connection *connection);

/* `event` has been written to the client, or is kept for it while it is away.
 * `receipt` is of the message that brought it, NULL: it was made here. */
void acks_sent(struct session *session, const struct event *event,
               struct bus_receipt *receipt);
/* It came again: `receipt` takes the place of the former. */
void acks_sent_again(struct session *session, const struct event *event,
                     struct bus_receipt *receipt);
/* Appends a request if something is unacknowledged; before flushing. */
void acks_request(struct connection *connection);
/* Requests one in any case, as a sign of life; false: without acks. */
bool acks_probe(struct connection *connection, uint64_t now_ms);

/* Custody, limits, and clients that do not answer; once a second. */
void acks_tick(struct session *session, uint64_t now_ms);
/* If the inbox is about to stand still, takes custody of everything. */
void acks_end_turn(struct frontend *frontend);

/* The client may come back for it: it asked so when it enabled acks. */
bool acks_is_resumable(const struct session *session);
/* Everything received is confirmed. */
bool acks_is_settled(const struct session *session);
/* How many stanzas of the client have been handled, for who asks when the
 * session is over; 0: it cannot be resumed, or some are on their way. */
uint32_t acks_handled(const struct session *session);
/* Its connection broke; at the next tick the archive takes custody. */
void acks_detach(struct session *session);
/* Its client is back and has `handled` stanzas: <resumed/>, and the rest is
 * written again. */
void acks_resume(struct session *session, uint32_t handled);

/* Handing it over: the counters, and what is unacknowledged. */
void acks_fill(const struct session *session, struct event *transfer);
const struct unacked_queue *acks_unacked(const struct session *session);
/* Another frontend has it; nothing is given back. */
void acks_handed_over(struct session *session);
/* What another frontend has handed over; takes what is in `unacked`. */
void acks_take_over(struct session *session, const struct event *transfer,
                    struct unacked_queue *unacked);

/* The session is over: what the client does not have is given back.  `fence`
 * (may be NULL) is answered after that. */
void acks_end(struct session *session, const struct event *fence);

#endif
