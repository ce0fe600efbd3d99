/*
 * Checking a PLAIN password against SCRAM keys (RFC 5802 3) on worker threads:
 * PBKDF2 takes milliseconds.
 */
#ifndef FRONTEND_KEYS_H
#define FRONTEND_KEYS_H

#include "frontend.h"

enum { KEY_BYTES = 32, SALT_BYTES_MAX = 64 };

/* `matches`: the password gives this stored key. */
typedef void (*keys_checked_fn)(struct frontend *frontend, uint64_t request,
                                bool matches);

/* SCRAM-SHA-256 keys of `event` (auth.keys).  False: too many are waiting, or
 * the keys make no sense. */
bool keys_check(struct frontend *frontend, uint64_t request,
                struct slice password, const struct event *event,
                keys_checked_fn checked) WARN_UNUSED;
/* For worker_pool_destroy. */
void keys_discard(void *argument);

#endif
