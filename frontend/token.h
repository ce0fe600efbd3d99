/*
 * The token of a session that may be resumed (XEP-0198 5, `previd`): its id and
 * a MAC over id and user.  Its key comes from a secret that all frontends share
 * and nobody else knows.  Every client sees tokens and can try secrets on them:
 * the derivation is slow, but only a long random secret is safe.
 */
#ifndef FRONTEND_TOKEN_H
#define FRONTEND_TOKEN_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

enum {
    TOKEN_BYTES = 64,      /* with its NUL */
    TOKEN_SECRET_MIN = 16, /* a shorter one is warned of */
};

struct token_key {
    unsigned char bytes[32];
};

/* PBKDF2 (RFC 8018 5.2) with the domain as salt: takes some 100 ms. */
void token_key_derive(const char *secret, struct slice domain,
                      struct token_key *key_out);

/* Returns `out`, of TOKEN_BYTES. */
const char *token_write(const struct token_key *key, struct slice user,
                        uint64_t id, char *out);
/* False: not made by token_write with the same key and user. */
bool token_read(const struct token_key *key, struct slice user,
                struct slice token, uint64_t *id_out) WARN_UNUSED;

#endif
