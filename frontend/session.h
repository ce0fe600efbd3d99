/*
 * A session: the truth about who is connected, with what last presence and
 * directed presence (DESIGN 1.3).  Owned by its connection.
 */
#ifndef FRONTEND_SESSION_H
#define FRONTEND_SESSION_H

#include "connection.h"

enum { SESSION_DIRECTED_MAX = 1000 };

struct acks;
struct seen;

/* The last broadcast presence: lang, extra and payload, one after another. */
struct last_presence {
    uint32_t lang_size, extra_size, payload_size;
    char bytes[];
};

struct session {
    uint64_t id;
    struct connection *connection;
    char *full; /* JID */
    uint16_t bare_size;
    uint16_t full_size;
    int16_t priority;
    bool is_bound;
    bool is_available;
    bool is_interested;
    bool was_available;             /* has sent an initial presence */
    uint64_t since;                 /* Unix ms */
    struct last_presence *presence; /* NULL: none, or unavailable */
    struct map *directed;           /* JIDs, or NULL */
    struct acks *acks;              /* XEP-0198; NULL: not enabled */
    struct seen *seen;              /* see seen.h; NULL: nothing yet */
};

/* With a random id; in frontend->sessions from now on. */
struct session *session_create(struct connection *connection,
                               struct slice full);
void session_destroy(struct session **session);
struct session *session_find(struct frontend *frontend, uint64_t id);
struct slice session_full(const struct session *session);
struct slice session_bare(const struct session *session);

/* Keeps what snapshots report. */
void session_note_presence(struct session *session, const struct event *event);
/* Fills lang, extra and payload with what was noted. */
void session_recall_presence(const struct session *session,
                             struct event *event);
/* RFC 6121 4.6.3: who gets an unavailable at the end.  False: too many. */
bool session_note_directed(struct session *session, struct slice to,
                           bool is_available) WARN_UNUSED;
/* Sends it, with the payload of `unavailable` (may be NULL). */
void session_end_directed(struct session *session,
                          const struct event *unavailable);

/* Fields that every event of a session carries. */
void session_event_init(struct event *event, enum event_type type,
                        const struct session *session);
/* Tells delivery that it is over. */
void session_announce_end(struct session *session);

#endif
