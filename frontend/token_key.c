#include "token.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/log.h"

enum { ITERATIONS = 600 * 1000 };

void token_key_derive(const char *secret, struct slice domain,
                      struct token_key *key_out)
{
    struct buffer salt = BUFFER_EMPTY;

    buffer_appendf(&salt, "ocean resume %.*s", SLICE_FORMAT(domain));
    BUG_ON(PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret),
                             (const unsigned char *)salt.data, (int)salt.size,
                             ITERATIONS, EVP_sha256(), sizeof(key_out->bytes),
                             key_out->bytes) != 1);
    buffer_deinit(&salt);
}
