/*
 * What a service still says when it crashes: which messages its thread had in
 * hand, as a `crash.note` in the queue <service>.crashed (suspects.h reads it).
 *
 * A crashed process can trust neither its heap nor its locks, so a fresh copy
 * of the program says it; the crashed one keeps its connections open until then
 * (bounded), so that the note is there before anybody gets the messages again.
 * A SIGKILL says nothing, nor does a signal that somebody else has sent.
 */
#ifndef CLUSTER_LAST_WORDS_H
#define CLUSTER_LAST_WORDS_H

#include "base/config.h"
#include "cluster/event.h"
#include "cluster/names.h"

enum {
    HAND_MAX = 32,             /* messages in one thread's hand */
    CRASH_TEXT_BYTES = 16 + 1, /* of a message's digest, with its NUL */
};

/* Before anything takes arguments away: they are needed to start the copy. */
void last_words_prepare(int argc, char **argv);
/* From now on; `node` is borrowed. */
void last_words_enable(enum service_id service, const char *node);

/* What this thread has in hand from now on.  `event`: only that one of the only
 * message, counted from 1; 0: all.  `bodies` are borrowed until released. */
void last_words_hold(unsigned partition, const struct slice *bodies,
                     size_t count, size_t event);
/* The event being handled just now. */
void last_words_handle(enum event_type type);
void last_words_release(void);

/* How a message is called in notes, into out[CRASH_TEXT_BYTES]. */
const char *last_words_digest(struct slice body, char *out);

/* Is this process such a copy, and what it then does instead of being a
 * daemon; returns the exit status. */
bool last_words_are_asked(int argc, char **argv);
int last_words_main(const char *kind, const struct option_table *options,
                    void *config, int argc, char **argv);

#endif
