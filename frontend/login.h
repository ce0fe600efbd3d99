/*
 * One SASL exchange and the ways it goes on or ends (RFC 6120 6.4, 6.5): what
 * is written to the client, counted, logged and told to the roster service.
 */
#ifndef FRONTEND_LOGIN_H
#define FRONTEND_LOGIN_H

#include <gsasl.h>

#include "connection.h"

struct login {
    Gsasl_session *session;
    bool is_plain;
    bool has_keys;
    char *user;     /* bare JID it is for */
    char *password; /* PLAIN, until the keys are checked */
    char *first;    /* the client's first message, until the keys are there */
    size_t first_size;
};

/* Sets *login to NULL; it may be NULL. */
void login_destroy(struct login **login);
/* A secret, overwritten before it is freed. */
void login_wipe(char **secret);

/* As SASL's messages are written, RFC 6120 6.4.2. */
void login_write_base64(struct buffer *out, struct slice bytes);

/* Those below end the connection's login, but for a challenge. */

/* `condition`: RFC 6120 6.5.  Too many end the connection; what is not the
 * client's fault (temporary-auth-failure) does not count. */
void login_fail(struct connection *connection, const char *condition);
/* The additional data, not yet base64; none: SLICE_NONE.  The stream begins
 * anew, unless the client asked to act for somebody else. */
void login_succeed(struct connection *connection, struct slice data);
void login_challenge(struct connection *connection, struct slice data);

#endif
