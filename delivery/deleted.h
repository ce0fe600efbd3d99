/*
 * Accounts that have been deleted lately: who had been asked for his password
 * before that may still try to bind a resource.  Kept for as long as a login
 * may take (login_timeout of the frontends, an hour at most); a new owner knows
 * none.
 */
#ifndef DELIVERY_DELETED_H
#define DELIVERY_DELETED_H

#include <stdint.h>

#include "base/slice.h"

struct delivery;

void deleted_note(struct delivery *delivery, struct slice user,
                  uint64_t now_ms);
/* Created again. */
void deleted_forget(struct delivery *delivery, struct slice user);
bool deleted_has(const struct delivery *delivery, struct slice user);
void deleted_tick(struct delivery *delivery, uint64_t now_ms);

#endif
