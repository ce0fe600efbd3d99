/*
 * A bound session: the truth about who is connected, with what last presence
 * and directed presence (DESIGN 1.3).  Owned by its connection.
 */
#ifndef FRONTEND_SESSION_H
#define FRONTEND_SESSION_H

#include "connection.h"

enum { SESSION_DIRECTED_MAX = 1000, SESSION_SEEN_MAX = 32 };

struct seen;

struct session {
    uint64_t id;
    struct connection *connection;
    char *full; /* JID */
    uint16_t bare_size;
    uint16_t full_size;
    int8_t priority;
    bool is_bound;
    bool is_available;
    bool is_interested;
    bool was_available; /* has sent an initial presence */
    char *presence;     /* payload of the last broadcast one, or NULL */
    uint32_t presence_size;
    uint64_t since;       /* Unix ms */
    struct map *directed; /* JIDs, or NULL */
    struct seen *seen;    /* dedupe window, allocated on first use */
};

/* A new one with a random id, not in the table yet known by its full JID. */
struct session *session_create(struct connection *connection,
                               struct slice full);
void session_destroy(struct session **session);
struct session *session_find(struct frontend *frontend, uint64_t id);
struct slice session_full(const struct session *session);
struct slice session_bare(const struct session *session);
/* Remembers what snapshots report. */
void session_note_presence(struct session *session, const struct event *event);
/* RFC 6121 4.6.3: who gets an unavailable at the end.  False: too many. */
bool session_note_directed(struct session *session, struct slice to,
                           bool is_available);

/* True: exactly this event came before (output.h: for one (origin, path)
 * sequences rise). */
bool session_is_repeat(struct session *session, uint64_t origin, uint64_t path,
                       uint64_t sequence);

/* Tells delivery, and whoever got directed presence, that it is over. */
void session_announce_end(struct session *session);
/* Fields that every event of a session carries. */
void session_event_init(struct event *event, enum event_type type,
                        const struct session *session);

#endif
