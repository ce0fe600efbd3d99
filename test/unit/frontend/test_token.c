#include "../../../frontend/token.h"

#include <stdio.h>

#include "unit.h"

#define SECRET "secret"
#define USER "alice@localhost"
#define ID 0x1092
#define DOMAIN "localhost"
/* PBKDF2-HMAC-SHA-256 of SECRET, salt "ocean resume localhost", 600000. */
#define KNOWN_KEY                                                              \
    "4f8782ecdbc31493728f66cae8da996243bbf4bbdc7b818d7d8c8e32a53d5b3d"
/* 16 digits of the id, and half of HMAC-SHA-256 of
 * "ocean resume 0000000000001092 alice@localhost", ... */
#define KNOWN_TOKEN "0000000000001092eae6d6f0336051cd2a11440f7660495d"
/* ... and the same with SECRET itself as its key. */
#define UNDERIVED_TOKEN "0000000000001092ab818e1bc99bcb26ebb3f30ef80aa38f"

static struct token_key key;

static bool reads(const char *user, struct slice token, uint64_t *id_out)
{
    return token_read(&key, slice_of(user), token, id_out);
}

static void test_key(void)
{
    char hex[2 * sizeof(key.bytes) + 1];

    /* Frontends of all versions make the same. */
    for (size_t i = 0; i < sizeof(key.bytes); i++)
        snprintf(hex + 2 * i, 3, "%02x", key.bytes[i]);
    CU_ASSERT_STRING_EQUAL(hex, KNOWN_KEY);
}

static void test_other_key(void)
{
    static const struct {
        const char *secret, *domain;
    } rows[] = {
        {"Secret", DOMAIN}, {"secret ", DOMAIN},     {"", DOMAIN},
        {SECRET, ""},       {SECRET, "example.com"},
    };

    char token[TOKEN_BYTES];
    uint64_t id;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct token_key other;

        token_key_derive(rows[i].secret, slice_of(rows[i].domain), &other);
        token_write(&other, SLICE(USER), ID, token);
        CU_ASSERT_FALSE(reads(USER, slice_of(token), &id));
    }
}

/* Else whoever has a token could try a million secrets on it in a second. */
static void test_secret_is_no_key(void)
{
    uint64_t id;

    CU_ASSERT_FALSE(reads(USER, SLICE(UNDERIVED_TOKEN), &id));
}

static void test_known(void)
{
    char token[TOKEN_BYTES];

    CU_ASSERT_STRING_EQUAL(token_write(&key, SLICE(USER), ID, token),
                           KNOWN_TOKEN);
}

static void test_round_trip(void)
{
    static const uint64_t ids[] = {0, 1, ID, 0x0123456789abcdef, UINT64_MAX};
    char token[TOKEN_BYTES];
    uint64_t id;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        id = ~ids[i];
        token_write(&key, SLICE(USER), ids[i], token);
        CU_ASSERT_TRUE(reads(USER, slice_of(token), &id));
        CU_ASSERT_EQUAL(id, ids[i]);
    }
}

static void test_somebody_else(void)
{
    static const char *const users[] = {"bob@localhost", "alice@localhos",
                                        "alice@localhost/desk",
                                        "alice@localhost ", ""};
    char token[TOKEN_BYTES];
    uint64_t id;

    token_write(&key, SLICE(USER), ID, token);
    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        CU_ASSERT_FALSE(reads(users[i], slice_of(token), &id));
}

/* Any other byte anywhere. */
static void test_changed(void)
{
    static const char bytes[] = "0123456789abcdefABCDEFg \xff";
    char token[TOKEN_BYTES];
    uint64_t id;

    token_write(&key, SLICE(USER), ID, token);
    for (size_t i = 0; token[i]; i++) {
        char right = token[i];

        for (size_t n = 0; n < sizeof(bytes); n++) { /* and a NUL */
            token[i] = bytes[n];
            CU_ASSERT_EQUAL(reads(USER, (struct slice){token, 48}, &id),
                            bytes[n] == right);
        }
        token[i] = right;
    }
}

static void test_size(void)
{
    char token[2 * TOKEN_BYTES] = "";
    uint64_t id;

    token_write(&key, SLICE(USER), ID, token);
    CU_ASSERT_EQUAL(strlen(token), 48);
    token[48] = '0';
    for (size_t size = 0; size < sizeof(token); size++)
        CU_ASSERT_EQUAL(reads(USER, (struct slice){token, size}, &id),
                        size == 48);
    CU_ASSERT_FALSE(reads(USER, SLICE_NONE, &id));
}

static const struct unit_case cases[] = {
    {"key", test_key},
    {"other keys", test_other_key},
    {"the secret is no key", test_secret_is_no_key},
    {"known", test_known},
    {"round trip", test_round_trip},
    {"somebody else's", test_somebody_else},
    {"changed", test_changed},
    {"size", test_size},
};

int main(void)
{
    token_key_derive(SECRET, SLICE(DOMAIN), &key);
    return unit_run("token", cases, ARRAY_SIZE(cases));
}
