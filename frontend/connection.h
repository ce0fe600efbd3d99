/*
 * One client's socket.  The connection owns its stream, its login under way
 * and its session.  It is freed at the end of the loop's turn only, never
 * inside a callback of its own.
 */
#ifndef FRONTEND_CONNECTION_H
#define FRONTEND_CONNECTION_H

#include "frontend.h"
#include "xmpp/framing.h"
#include "xmpp/stream_error.h"

struct login;
struct session;
struct tls;

enum stream_state {
    STREAM_STATE_OPENING,       /* awaiting the client's stream header */
    STREAM_STATE_NEGOTIATING,   /* STARTTLS or SASL may be chosen */
    STREAM_STATE_AUTHENTICATED, /* a resource may be bound */
    STREAM_STATE_BINDING,       /* delivery was asked */
    STREAM_STATE_RESUMING,      /* awaiting its session (XEP-0198 5) */
    STREAM_STATE_BOUND,         /* stanzas flow */
    STREAM_STATE_CLOSED,        /* what the client still sends is ignored */
};

struct connection {
    TAILQ_ENTRY(connection) all, dirty_entry, doomed_entry;
    struct frontend *frontend;
    int fd;
    struct watch *watch;
    struct tls *tls;       /* NULL: plain */
    char *address;         /* "127.0.0.1:49152" */
    struct buffer input;   /* an unfinished or unhandled unit */
    struct buffer output;  /* what the socket has not taken */
    size_t output_granted; /* of that, beyond max_output_bytes: a resumption */
    struct framing framing;
    enum stream_state state;
    bool is_dirty, is_doomed;
    bool is_broken;    /* nothing can be sent any more */
    bool is_leaving;   /* closed; awaiting the client's end, for a while */
    bool is_waiting;   /* for an answer: units stay unhandled */
    bool is_parked;    /* the broker takes no more: until it does */
    bool is_throttled; /* bytes_per_second used up */
    bool is_processing;
    bool has_header_sent;
    bool has_answer;      /* to what it was waiting for */
    bool has_ended_units; /* STARTTLS: what came along does not count */
    unsigned failed_attempts;
    uint64_t bytes_owed;         /* read beyond bytes_per_second */
    uint64_t login_deadline_ms;  /* until a resource is bound */
    uint64_t answer_deadline_ms; /* while is_waiting */
    uint64_t close_deadline_ms;  /* while is_leaving */
    uint64_t active_ms;          /* last byte of it, or keep-alive */
    uint64_t checked_ms;         /* whether its host is there (peer.h) */
    uint64_t request;            /* number of the question, 0: none */
    struct login *login;         /* during SASL */
    char *user;                  /* bare JID once authenticated */
    char *declarations;          /* prefixes of the stream header, or NULL */
    char *lang;                  /* xml:lang of the stream header, or NULL */
    char *bind_id;               /* id of the bind request under way */
    struct resume *resume;       /* while STREAM_STATE_RESUMING */
    struct session *session;
};

struct connection *connection_create(struct frontend *frontend, int fd,
                                     const char *address);
/* Queues bytes for the client; flushed at the end of the turn. */
void connection_write(struct connection *connection, struct slice bytes);
/* The buffer to append output to, marked for flushing. */
struct buffer *connection_output(struct connection *connection);
/* What is queued now does not count as taken too slowly. */
void connection_grant_output(struct connection *connection);
/* Nobody can be told anything, not even its end: it is in a TLS handshake. */
bool connection_is_mute(const struct connection *connection);
/* Everything queued goes out now, as far as the socket takes it. */
void connection_flush(struct connection *connection);
/* Sends what can be sent within a while, then ends and frees it. */
void connection_close(struct connection *connection);
/* Ends and frees it: the peer is gone. */
void connection_drop(struct connection *connection);
/* What came was not handled for want of an answer, or of room at the broker:
 * goes on with it. */
void connection_answered(struct connection *connection);
void connection_unpark(struct connection *connection);
/* Once a second. */
void connection_tick(struct connection *connection, uint64_t now_ms);
/* End of the turn: flushes dirty connections, frees doomed ones. */
void connections_end_turn(struct frontend *frontend);

#endif
