/*
 * Stored messages before live ones (DESIGN 5, "Coming online").  While a user
 * is being replayed to, new messages are appended to the archive too; the
 * archive delivers page after page; a page is deleted when it is asked for the
 * next.  An empty page that answers our last question, with nothing stored
 * since, ends it: one order, nothing held in memory.
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
    REPLAY_FENCED, /* nothing is asked for until all fences are back */
    REPLAY_WANTED, /* to be asked for at the end of the batch */
    REPLAY_ASKED,  /* the archive's answer is to come */
};

struct replay {
    TAILQ_ENTRY(replay) link;
    struct user *user;
    enum replay_state state;
    uint64_t session;    /* that it goes to */
    uint64_t count;      /* end of the page that has arrived last ... */
    uint64_t newest;     /* ... and the newest row it may be of */
    uint64_t mark;       /* of the last archive.store for this user */
    uint64_t request;    /* of the last question ... */
    uint64_t asked_mark; /* ... and `mark` at that time */
    uint64_t asked_ms;
    bool is_due; /* fenced: something is stored, or may be */
};

TAILQ_HEAD(replay_list, replay);

/* Messages for the user go through the archive. */
bool replay_is_under_way(const struct user *user);
/* Those for this session do, too. */
bool replay_covers(const struct user *user, const struct session *session);
/* A fence was put: what comes from now on waits behind it ... */
void replay_hold(struct delivery *delivery, struct user *user);
/* ... until the last one is back. */
void replay_release(struct delivery *delivery, struct user *user);
/* This session has come online; no effect while a replay is under way. */
void replay_start(struct delivery *delivery, struct user *user,
                  const struct session *session);
void replay_stop(struct delivery *delivery, struct user *user);
/* That session does not get messages any more: another one, or none. */
void replay_session_lost(struct delivery *delivery, struct user *user,
                         uint64_t session);
/* An archive.store was put out for this user; returns its mark. */
uint64_t replay_stored(struct delivery *delivery, struct user *user);
/* archive.replayed */
void replay_answered(struct delivery *delivery, struct user *user,
                     const struct event *answer);
/* To be asked for later than all others. */
void replay_postpone(struct delivery *delivery, struct user *user);
/* Asks for what is wanted. */
void replay_ask(struct delivery *delivery, struct output *output);
/* Asks again where no answer has come. */
void replay_tick(struct delivery *delivery, uint64_t now_ms,
                 struct output *output);

#endif
