/*
 * SIGTERM: no new clients; sessions that may be resumed go to other frontends,
 * where their clients find them; all other streams end.  When nothing comes
 * any more the inbox is deleted and struck from the register.
 */
#ifndef FRONTEND_DRAIN_H
#define FRONTEND_DRAIN_H

#include "session.h"

void drain_begin(void *argument);
/* A detached session while we stop: to another frontend, if there is one. */
void drain_session(struct session *session);

#endif
