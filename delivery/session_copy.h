/*
 * Users that have sessions, and the sessions.  A user without sessions is
 * forgotten: user_maybe_forget after every removal.
 */
#ifndef DELIVERY_SESSION_COPY_H
#define DELIVERY_SESSION_COPY_H

#include "cluster/directed.h"
#include "delivery.h"

struct session {
    struct session *next;
    uint64_t id;         /* chosen by the frontend */
    uint64_t stamp;      /* login, Unix ms */
    uint64_t touched_ms; /* last event of this session, monotonic */
    int64_t priority;    /* valid while available */
    bool is_available;
    bool is_interested;   /* has asked for the roster: RFC 6121 2.2 */
    bool is_stale;        /* of a frontend that has not reported it (yet) */
    bool is_moving;       /* on its way to `node` */
    uint64_t move;        /* number of the last move it has made; 0: none */
    struct map *directed; /* cluster/directed.h */
    char *node;
    struct slice full;     /* in `text` */
    struct slice resource; /* the end of `full` */
    char text[];
};

struct user {
    struct session *sessions;
    size_t session_count;
    struct replay replay;
    struct fence *fences; /* not come back; fence.h */
    struct slice bare;    /* in `text` */
    char text[];
};

/* By any JID of the user; NULL: no sessions. */
struct user *user_find(const struct delivery *delivery, struct slice jid);
struct user *user_get(struct delivery *delivery, struct slice jid);
/* Frees *user when it has no sessions, and nothing of one is to come back. */
void user_maybe_forget(struct delivery *delivery, struct user **user);
void user_destroy(struct delivery *delivery, struct user **user);

/* NULL: there is none; `user` may be NULL, too. */
struct session *session_find(const struct user *user, uint64_t id);
struct session *session_find_resource(const struct user *user,
                                      struct slice resource);
struct session *session_add(struct user *user, uint64_t id, struct slice node,
                            struct slice resource);
void session_set_node(struct session *session, struct slice node);
/* Available with a priority that is not negative: gets messages to the bare
 * JID (RFC 6121 8.5.2). */
bool session_is_eligible(const struct session *session);
/* The eligible one with the highest priority, or NULL. */
struct session *session_best(const struct user *user);

/*
 * Takes the session out: tells presence if it was available, goes on with the
 * replay elsewhere.  `cause` may be NULL.
 */
void session_end(struct delivery *delivery, struct user *user,
                 struct session **session, const struct event *cause,
                 struct output *output);
/* Tells those it has sent directed presence that it is over: its frontend does
 * not do it. */
void session_end_directed(struct session *session, struct output *output);
/* Its frontend is to end it, and to tell nobody on its list. */
void session_order_end(struct delivery *delivery, struct user *user,
                       const struct session *session, const char *condition,
                       const struct event *cause, struct output *output);
/* The frontend is to end it; then as session_end.  What is on its way there
 * comes before what comes later, if nobody else gets it meanwhile.  Who was
 * sent directed presence is told here, as the frontend may be gone. */
void session_kick(struct delivery *delivery, struct user *user,
                  struct session **session, const char *condition,
                  const struct event *cause, struct output *output);
/* It is over, or its frontend is gone; the same otherwise. */
void session_lose(struct delivery *delivery, struct user *user,
                  struct session **session, const struct event *cause,
                  struct output *output);
/* Tells presence that this resource is not available any more; for sessions
 * whose end the client did not announce. */
void session_tell_gone(uint64_t id, struct slice node, struct slice full,
                       const struct event *cause, struct output *output);

#endif
