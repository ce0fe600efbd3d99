/*
 * Stored messages before live ones (DESIGN 5, "Coming online").  While a user
 * is being replayed to, new messages are appended to the archive too; the
 * archive delivers page after page; a page is deleted when it is asked for the
 * next.  An empty page that answers our last question, with nothing stored
 * since, ends it: one order, nothing held in memory.
 *
 * A session may end while a page is on its way to it.  What its client did not
 * take of it is given back, and the archive keeps that; so the page is deleted
 * all the same when a fence that was put behind it is back, and what the client
 * had does not come again.
 */
#ifndef DELIVERY_REPLAY_H
#define DELIVERY_REPLAY_H

#include <stdint.h>
#include <sys/queue.h>

#include "cluster/output.h"

struct delivery;
struct session;
struct user;

enum replay_state {
    REPLAY_NONE,   /* live, or nobody there */
    REPLAY_FENCED, /* nothing is asked for until all fences are back ... */
    REPLAY_OWED,   /* ... and the answer that was to come before */
    REPLAY_WANTED, /* to be asked for at the end of the batch */
    REPLAY_ASKED,  /* the archive's answer is to come */
};

struct replay {
    TAILQ_ENTRY(replay) link;
    struct user *user;
    enum replay_state state;
    uint64_t session;    /* that it goes to; 0: to none any more */
    uint64_t asked;      /* session of the last question */
    uint64_t count;      /* end of the page that has arrived last ... */
    uint64_t newest;     /* ... and the newest row it may be of */
    uint64_t mark;       /* of the last archive.store for this user */
    uint64_t request;    /* of the last question ... */
    uint64_t asked_mark; /* ... and `mark` at that time */
    uint64_t asked_ms;
    bool is_due;  /* fenced: something is stored, or may be */
    bool is_owed; /* fenced: a page may be on its way to `asked` */
};

TAILQ_HEAD(replay_list, replay);

/* Messages for the user go through the archive. */
bool replay_is_under_way(const struct user *user);
/* Those for this session do, too. */
bool replay_covers(const struct user *user, const struct session *session);
/* A fence was put: what comes from now on waits behind it ... */
void replay_hold(struct delivery *delivery, struct user *user);
/* ... until the last one is back. */
void replay_release(struct delivery *delivery, struct user *user,
                    struct output *output);
/* The user must not be forgotten yet. */
bool replay_is_owed(const struct user *user);
/* This session has come online; no effect while a replay is under way. */
void replay_start(struct delivery *delivery, struct user *user,
                  const struct session *session);
void replay_stop(struct delivery *delivery, struct user *user);
/* That session is there but does not want messages any more: another one gets
 * them, or none.  The page on its way is for this one. */
void replay_session_away(struct user *user, uint64_t session);
/* That session is over.  What was on its way is not known to have arrived. */
void replay_session_lost(struct delivery *delivery, struct user *user,
                         uint64_t session);
/* An archive.store was put out for this user; returns its mark. */
uint64_t replay_stored(struct delivery *delivery, struct user *user);
/* archive.replayed */
void replay_answered(struct delivery *delivery, struct user *user,
                     const struct event *answer, struct output *output);
/* To be asked for later than all others. */
void replay_postpone(struct delivery *delivery, struct user *user);
/* Asks for what is wanted. */
void replay_ask(struct delivery *delivery, struct output *output);
/* Asks again where no answer has come. */
void replay_tick(struct delivery *delivery, uint64_t now_ms,
                 struct output *output);

#endif
