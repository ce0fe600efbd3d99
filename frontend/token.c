#include "token.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buffer.h"
#include "base/log.h"

enum { ID_DIGITS = 16, MAC_BYTES = 16 };

static void append_mac(const struct token_key *key, struct slice user,
                       char *token)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    struct buffer message = BUFFER_EMPTY;

    buffer_appendf(&message, "ocean resume %.*s %.*s", ID_DIGITS, token,
                   SLICE_FORMAT(user));
    BUG_ON(!HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes),
                 (const unsigned char *)message.data, message.size, mac, NULL));
    buffer_deinit(&message);
    for (size_t i = 0; i < MAC_BYTES; i++)
        snprintf(token + ID_DIGITS + 2 * i, 3, "%02x", mac[i]);
}

const char *token_write(const struct token_key *key, struct slice user,
                        uint64_t id, char *out)
{
    snprintf(out, TOKEN_BYTES, "%016" PRIx64, id);
    append_mac(key, user, out);
    return out;
}

static bool read_id(struct slice token, uint64_t *id_out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t id = 0;

    if (token.size != ID_DIGITS + 2 * MAC_BYTES)
        return false;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        const char *digit = memchr(digits, token.data[i], sizeof(digits) - 1);

        if (!digit)
            return false;
        id = id << 4 | (uint64_t)(digit - digits);
    }
    *id_out = id;
    return true;
}

bool token_read(const struct token_key *key, struct slice user,
                struct slice token, uint64_t *id_out)
{
    char expected[TOKEN_BYTES];

    if (!read_id(token, id_out))
        return false;
    token_write(key, user, *id_out, expected);
    return CRYPTO_memcmp(expected, token.data, token.size) == 0;
}
