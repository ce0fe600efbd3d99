/*
 * Stanzas that a client has not acknowledged (XEP-0198), oldest first.  The
 * message of the inbox that brought a stanza is held until the client has it
 * or the archive has taken custody of it, so that it is found there if we die.
 */
#ifndef FRONTEND_UNACKED_H
#define FRONTEND_UNACKED_H

#include <sys/queue.h>

#include "session.h"

struct bus_receipt;
struct unacked;

struct unacked_queue {
    STAILQ_HEAD(unacked_list, unacked) list;
    size_t count;
    size_t bytes;
};

void unacked_init(struct unacked_queue *queue);
/*
 * `event` has been written; NULL: one that nobody would miss.  `receipt` is of
 * the message that brought it, may be NULL.  is_kept: to be written again if
 * the session is resumed; else only what would be missed is kept.
 */
void unacked_add(struct unacked_queue *queue, const struct event *event,
                 struct bus_receipt *receipt, bool is_kept);
/* It came again, on a new channel: `receipt` takes the place of the former. */
void unacked_again(struct unacked_queue *queue, const struct event *event,
                   struct bus_receipt *receipt);
/* The client has the oldest one. */
void unacked_acknowledged(struct unacked_queue *queue,
                          const struct session *session);
/* The archive takes custody of messages written more than age_ms ago, and
 * their inbox messages are let go. */
void unacked_release(struct unacked_queue *queue, const struct session *session,
                     uint64_t now_ms, uint64_t age_ms);
/* Nobody will write them again: to delivery, but what is in custody. */
void unacked_give_back(struct unacked_queue *queue, struct frontend *frontend);
/* Another frontend has them. */
void unacked_clear(struct unacked_queue *queue);
/* More than the options let one client leave unacknowledged. */
bool unacked_is_over_limit(const struct unacked_queue *queue,
                           const struct frontend_config *config);
/* Appends all that is in `from`. */
void unacked_move(struct unacked_queue *to, struct unacked_queue *from);

/* In order.  `event` lives for the call; its `condition` is "custody" if the
 * archive has it for this session, "stored" if it may have it.  `receipt` is
 * the one that is held for it, NULL: none. */
typedef void (*unacked_fn)(void *argument, const struct event *event,
                           struct bus_receipt *receipt);
void unacked_each(const struct unacked_queue *queue, unacked_fn take,
                  void *argument);

#endif
