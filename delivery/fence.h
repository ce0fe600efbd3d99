/*
 * A session leaves a frontend: it is kicked, it moves, or the frontend is gone.
 * What is on its way there must come before what comes later, so the last
 * event into the old inbox is a *fence*, and until it comes back - from that
 * frontend, from its successor, or from who drains the inbox - messages for the
 * user wait in the archive, and what is given back comes before them
 * (docs/ARCHITECTURE.md, "Fences").  Fences are put again until they come back.
 */
#ifndef DELIVERY_FENCE_H
#define DELIVERY_FENCE_H

#include <sys/queue.h>

#include "cluster/output.h"

struct delivery;
struct fence;
struct session;
struct user;

TAILQ_HEAD(fence_list, fence);

/* Ends it at its frontend with that stream error. */
void fence_kick(struct delivery *delivery, struct user *user,
                const struct session *session, const char *condition,
                struct output *output);
/* Its frontend is gone. */
void fence_gone(struct delivery *delivery, struct user *user,
                const struct session *session, struct output *output);
/* A page of stored messages (archive.replayed) is in the inbox of a session
 * that is over. */
void fence_page(struct delivery *delivery, struct user *user,
                const struct event *replayed, struct output *output);
/* That frontend is gone and may have had sessions of the user: what its inbox
 * holds for him comes before what comes to this new one. */
void fence_orphan(struct delivery *delivery, struct user *user,
                  const struct session *session, struct slice node,
                  struct output *output);
/* session.resume: brings the session to event->node. */
void fence_move(struct delivery *delivery, struct user *user,
                struct session *session, const struct event *resume,
                struct output *output);
/* session.fenced */
void fence_returned(struct delivery *delivery, const struct event *fenced,
                    struct output *output);
/* Tells the frontend of a session.resume that there is no such session. */
void fence_refuse(const struct delivery *delivery, const struct event *resume,
                  struct output *output);
/* A session of the user that a fence is for; 0: no fence. */
uint64_t fence_session(const struct user *user);
/* Messages for that session wait for a fence. */
bool fence_covers(const struct user *user, const struct session *session);
/* Puts again what has not come back. */
void fence_tick(struct delivery *delivery, uint64_t now_ms,
                struct output *output);
/* With its user. */
void fences_drop(struct delivery *delivery, struct user *user);

#endif
