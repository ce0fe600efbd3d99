/*
 * The states of a client's stream (RFC 6120 4): header, STARTTLS, SASL, bind,
 * stanzas, and how it ends.
 */
#ifndef FRONTEND_STREAM_H
#define FRONTEND_STREAM_H

#include "connection.h"

enum stream_verdict {
    STREAM_TAKEN, /* on to the next unit */
    STREAM_PARK,  /* not handled: the broker takes no more of that kind */
};

enum stream_verdict stream_unit(struct connection *connection,
                                enum framing_unit unit, struct slice bytes);
/* Ends the stream with an error (RFC 6120 4.9) and closes.  `reason` is for
 * the log. */
void stream_fail(struct connection *connection, enum stream_error error,
                 const char *reason);
/* With an application-specific condition (RFC 6120 4.9.4). */
void stream_fail_with(struct connection *connection, enum stream_error error,
                      struct slice detail, const char *reason);
/* The stream ends with an error; the session goes on without its client. */
void stream_part(struct connection *connection, enum stream_error error,
                 const char *reason);
/* Ends it in order (RFC 6120 4.4) and closes. */
void stream_end(struct connection *connection);
/* The peer is gone without a word; its session may be resumed. */
void stream_lost(struct connection *connection, const char *reason);
/* Time limits; once a second. */
void stream_tick(struct connection *connection, uint64_t now_ms);
/* SASL succeeded for connection->user: expects a new header. */
void stream_restart(struct connection *connection);

/* features.c: "<stream:features>" for the stream's state. */
void features_write(struct connection *connection);

/* bind.c: resource binding, RFC 6120 7. */
bool bind_is_request(const struct stanza *stanza);
enum stream_verdict bind_request(struct connection *connection,
                                 const struct stanza *stanza);
/* session.bound for a session that is binding. */
void bind_answered(struct connection *connection, const struct event *event);
/* Asks again: delivery may have changed hands, and the answer been lost. */
void bind_ask_again(struct session *session);
void bind_timed_out(struct connection *connection);

#endif
