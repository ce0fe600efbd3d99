/*
 * SASL (RFC 6120 6) with libgsasl: SCRAM-SHA-256, SCRAM-SHA-1 (RFC 5802,
 * 7677), PLAIN (RFC 4616).  Keys come from the roster service; the password of
 * PLAIN is checked on worker threads.  A login is one exchange; it is gone when
 * it has succeeded or failed.
 */
#ifndef FRONTEND_SASL_H
#define FRONTEND_SASL_H

#include "connection.h"

struct sasl_context;

struct sasl_context *sasl_context_create(void);
void sasl_context_destroy(struct sasl_context **context);

/* "<mechanisms>...": PLAIN only if `is_private` (TLS, or tls = off). */
void sasl_write_mechanisms(struct buffer *out, bool is_private);
bool sasl_may_plain(const struct connection *connection);

/* <auth/>, <response/>, <abort/> */
void sasl_auth(struct connection *connection, const struct stanza *stanza,
               struct slice bytes);
void sasl_response(struct connection *connection, const struct stanza *stanza);
void sasl_abort(struct connection *connection);
/* auth.keys for this connection's login. */
void sasl_keys(struct connection *connection, const struct event *event);
/* The roster service has not answered in time. */
void sasl_timed_out(struct connection *connection);

#endif
