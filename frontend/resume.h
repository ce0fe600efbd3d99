/*
 * A client comes back for its session (XEP-0198 5).  The session may be here,
 * detached or even on a connection that is dead without having said so; or on
 * another frontend: then delivery is asked, which has it handed over
 * (handover.h) to here (arrival.h).
 */
#ifndef FRONTEND_RESUME_H
#define FRONTEND_RESUME_H

#include "connection.h"
#include "session.h"
#include "token.h"

struct bus_receipt;
struct resume;

/* "<id><mac>" into out[TOKEN_BYTES]. */
const char *resume_token(const struct session *session, char *out);
/* <resume/> */
void resume_request(struct connection *connection, const struct stanza *stanza);
/* session.resumed: delivery, or who has the session, says no. */
void resume_refused(struct frontend *frontend, const struct event *event,
                    struct bus_receipt *receipt);
/* Delivery has asked who has the session to hand it over. */
void resume_expected(struct frontend *frontend, uint64_t session);
/* Does not wait for ever; once a second. */
void resume_tick(struct connection *connection, uint64_t now_ms);
/* The connection ends. */
void resume_cancel(struct connection *connection);

/* All that the session has received is confirmed: it may change hands. */
void resume_settled(struct session *session);
/* It is over here: nobody need wait for it. */
void resume_forget(struct session *session);
/* Somebody here waits for that session. */
bool resume_is_awaited(const struct frontend *frontend, uint64_t session);

#endif
