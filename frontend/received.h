/*
 * What a client with acknowledgements (acks.h) has sent: how many stanzas, and
 * of how many everything that follows is confirmed by the broker, in order.
 * That is h, what the client may forget.  Counts are modulo 2^32.
 */
#ifndef FRONTEND_RECEIVED_H
#define FRONTEND_RECEIVED_H

#include <sys/queue.h>

#include "frontend.h"

struct mark;

typedef void (*received_fn)(void *argument);

struct received {
    uint32_t count;     /* stanzas handled */
    uint32_t marked;    /* of these, published with a mark */
    uint32_t confirmed; /* of these, all confirmed: h */
    STAILQ_HEAD(mark_queue, mark) marks;
    received_fn all_confirmed;
    void *argument;
};

/* `all_confirmed` is called whenever that becomes true. */
void received_init(struct received *received, received_fn all_confirmed,
                   void *argument);
/* Another frontend has counted so far, and all of it is confirmed. */
void received_continue(struct received *received, uint32_t count);
/* Its session is over; what is under way is confirmed to nobody. */
void received_deinit(struct received *received);
bool received_is_confirmed(const struct received *received);
/* Publishes frontend->output: with a mark if stanzas have come since the last
 * one. */
void received_publish(struct received *received, struct frontend *frontend);
/* At exit. */
void received_forget_marks(struct frontend *frontend);

#endif
