/*
 * The token of a session that may be resumed (XEP-0198 5, `previd`): its id and
 * a MAC over id and user.  The key is derived from the broker password, which
 * all frontends share and nobody else knows; no other secret has to be handed
 * out.
 */
#ifndef FRONTEND_TOKEN_H
#define FRONTEND_TOKEN_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

enum { TOKEN_BYTES = 64 }; /* with its NUL */

const char *token_write(const char *secret, struct slice user, uint64_t id,
                        char *out);
/* False: not made by token_write with the same secret and user. */
bool token_read(const char *secret, struct slice user, struct slice token,
                uint64_t *id_out) WARN_UNUSED;

#endif
