/*
 * A session: the truth about who is connected, with what last presence and
 * directed presence (DESIGN 1.3).  Owned by its connection; while its client
 * is away and may come back (XEP-0198 resumption) it is detached and owned by
 * the frontend.
 */
#ifndef FRONTEND_SESSION_H
#define FRONTEND_SESSION_H

#include "cluster/directed.h"
#include "connection.h"

struct acks;
struct handover;
struct seen;

/* The last broadcast presence: lang, extra and payload, one after another. */
struct last_presence {
    uint32_t lang_size, extra_size, payload_size;
    char bytes[];
};

struct session {
    uint64_t id;
    struct frontend *frontend;
    struct connection *connection; /* NULL: detached */
    LIST_ENTRY(session) detached;  /* in frontend->detached, ... */
    uint64_t detached_ms;          /* ... since */
    char *full;                    /* JID */
    uint16_t bare_size;
    uint16_t full_size;
    int16_t priority;
    bool is_bound;
    bool is_available;
    bool is_interested;
    uint64_t since;                 /* Unix ms */
    struct last_presence *presence; /* NULL: none, or unavailable */
    struct map *directed;           /* cluster/directed.h */
    struct acks *acks;              /* XEP-0198; NULL: not enabled */
    struct seen *seen;              /* see seen.h; NULL: nothing yet */
    struct handover *handover;      /* handover.h; NULL: it stays here */
    uint64_t move; /* number of the move that brought it, 0: bound here */
};

/* With a random id; in frontend->sessions from now on. */
struct session *session_create(struct connection *connection,
                               struct slice full);
/* With that id and no connection: it comes from another frontend. */
struct session *session_create_detached(struct frontend *frontend, uint64_t id,
                                        struct slice full);
void session_destroy(struct session **session);
/* The client is away, and may come back. */
void session_detach(struct session *session);
void session_attach(struct session *session, struct connection *connection);
struct session *session_find(struct frontend *frontend, uint64_t id);
struct slice session_full(const struct session *session);
struct slice session_bare(const struct session *session);

/* Keeps what snapshots report. */
void session_note_presence(struct session *session, const struct event *event);
/* Fills lang, extra and payload with what was noted. */
void session_recall_presence(const struct session *session,
                             struct event *event);
/* Sends unavailable to whom it has sent directed presence, with the payload of
 * `unavailable` (may be NULL). */
void session_end_directed(struct session *session,
                          const struct event *unavailable);

/* Fields that every event of a session carries. */
void session_event_init(struct event *event, enum event_type type,
                        const struct session *session);
/* What snapshots and handovers say of it: presence, login, resource; and to
 * whom it has sent directed presence, in `names`, which must live as long as
 * the event (NULL: without). */
void session_describe(const struct session *session, struct event *event,
                      struct buffer *names);
/* Tells delivery that it is over. */
void session_announce_end(struct session *session);
/* Ends and frees it: directed presence, what the client does not have.
 * `is_known` to delivery, which is told.  `reason` is for the log. */
void session_end(struct session *session, bool is_known, const char *reason);
/* The same by the order of delivery, which has told `names` of it, and whose
 * fence is answered. */
void session_end_for(struct session *session, const struct event *fence);

/* Detached ones: custody, and those that have waited for too long. */
void sessions_tick(struct frontend *frontend, uint64_t now_ms);

#endif
