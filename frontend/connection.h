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
    STREAM_STATE_BOUND,         /* stanzas flow */
    STREAM_STATE_CLOSED,        /* nothing is read any more */
};

struct connection {
    TAILQ_ENTRY(connection) all, dirty_entry, doomed_entry;
    struct frontend *frontend;
    int fd;
    struct watch *watch;
    struct tls *tls;      /* NULL: plain */
    char *address;        /* "127.0.0.1:49152" */
    struct buffer input;  /* an unfinished or unhandled unit */
    struct buffer output; /* what the socket has not taken */
    struct framing framing;
    enum stream_state state;
    bool is_dirty, is_doomed;
    bool is_waiting;   /* for an answer: units stay unhandled */
    bool is_throttled; /* bytes_per_second used up: until the next second */
    bool is_parked;    /* the broker takes no more: until it does */
    bool is_processing;
    bool has_header_sent;
    bool has_restarted_for_tls;
    uint32_t bytes_this_second;
    unsigned failed_attempts;
    uint64_t deadline_ms; /* of login, of an answer; 0: none */
    uint64_t request;     /* number of the question, 0: none */
    uint64_t active_ms;   /* last byte from the client */
    struct login *login;  /* during SASL */
    char *user;           /* bare JID once authenticated */
    char *declarations;   /* prefixes of the stream header, or NULL */
    char *bind_id;        /* id of the bind request under way */
    struct session *session;
};

struct connection *connection_create(struct frontend *frontend, int fd,
                                     const char *address);
/* Queues bytes for the client; flushed at the end of the turn. */
void connection_write(struct connection *connection, struct slice bytes);
/* The buffer to append output to, marked for flushing. */
struct buffer *connection_output(struct connection *connection);
/* Sends what can be sent, then closes and frees at the end of the turn. */
void connection_close(struct connection *connection);
/* Everything queued goes out now, as far as the socket takes it. */
void connection_flush(struct connection *connection);
/* Handles what has been read and could not be handled. */
void connection_resume(struct connection *connection);
/* Once a second. */
void connection_tick(struct connection *connection, uint64_t now_ms);
/* End of the turn: flushes dirty connections, frees doomed ones. */
void connections_end_turn(struct frontend *frontend);

/* stream.c: what a connection does with units. */
enum stream_verdict {
    STREAM_TAKEN, /* on to the next unit */
    STREAM_PARK,  /* not handled: present it again after connection_resume */
};

enum stream_verdict stream_unit(struct connection *connection,
                                enum framing_unit unit, struct slice bytes);
/* Ends the stream with an error (RFC 6120 4.9) and closes. */
void stream_fail(struct connection *connection, enum stream_error error);
/* Ends it in order (RFC 6120 4.4) and closes. */
void stream_end(struct connection *connection);
/* The peer is gone without a word. */
void stream_lost(struct connection *connection);
/* A time limit may have passed. */
void stream_tick(struct connection *connection, uint64_t now_ms);
/* SASL succeeded for connection->user: expects a new header. */
void stream_restart(struct connection *connection);
/* session.bound came. */
void stream_bound(struct connection *connection, const struct event *event);

#endif
