/*
 * A client's host that is gone without a word (RFC 6120 4.6.1), found by what
 * TCP knows: power or network failed, nobody will ever answer.
 *
 * TCP_USER_TIMEOUT is not used: it also ends the connection of a client that
 * is there and answers, but reads slowly, whose window is closed for so long.
 */
#ifndef FRONTEND_PEER_H
#define FRONTEND_PEER_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the kernel asks the host when nothing comes from it, and breaks
 * the connection after `timeout_ms` without an answer. */
void peer_watch(int fd, uint64_t timeout_ms);
/* While something is unacknowledged the kernel does not ask, but sends that
 * again, for 15 minutes.  True: for `timeout_ms` nothing has come back. */
bool peer_is_gone(int fd, uint64_t timeout_ms);

#endif
