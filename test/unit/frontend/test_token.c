#include "../../../frontend/token.h"

#include <stdio.h>

#include "unit.h"

#define SECRET "secret"
#define USER "alice@localhost"
#define ID 0x1092
/* 16 digits of the id, and half of HMAC-SHA-256 of
 * "ocean resume 0000000000001092 alice@localhost". */
#define KNOWN_TOKEN "0000000000001092ab818e1bc99bcb26ebb3f30ef80aa38f"

static bool reads(const char *secret, const char *user, struct slice token,
                  uint64_t *id_out)
{
    return token_read(secret, slice_of(user), token, id_out);
}

static void test_known(void)
{
    char token[TOKEN_BYTES];

    /* Frontends of all versions make the same. */
    CU_ASSERT_STRING_EQUAL(token_write(SECRET, SLICE(USER), ID, token),
                           KNOWN_TOKEN);
}

static void test_round_trip(void)
{
    static const uint64_t ids[] = {0, 1, ID, 0x0123456789abcdef, UINT64_MAX};
    char token[TOKEN_BYTES];
    uint64_t id;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        id = ~ids[i];
        token_write(SECRET, SLICE(USER), ids[i], token);
        CU_ASSERT_TRUE(reads(SECRET, USER, slice_of(token), &id));
        CU_ASSERT_EQUAL(id, ids[i]);
    }
}

static void test_somebody_else(void)
{
    static const struct {
        const char *secret, *user;
    } rows[] = {
        {"Secret", USER},
        {"secret ", USER},
        {"", USER},
        {SECRET, "bob@localhost"},
        {SECRET, "alice@localhos"},
        {SECRET, "alice@localhost/desk"},
        {SECRET, "alice@localhost "},
        {SECRET, ""},
    };

    char token[TOKEN_BYTES];
    uint64_t id;

    token_write(SECRET, SLICE(USER), ID, token);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        CU_ASSERT_FALSE(
            reads(rows[i].secret, rows[i].user, slice_of(token), &id));
}

/* Any other byte anywhere. */
static void test_changed(void)
{
    static const char bytes[] = "0123456789abcdefABCDEFg \xff";
    char token[TOKEN_BYTES];
    uint64_t id;

    token_write(SECRET, SLICE(USER), ID, token);
    for (size_t i = 0; token[i]; i++) {
        char right = token[i];

        for (size_t n = 0; n < sizeof(bytes); n++) { /* and a NUL */
            token[i] = bytes[n];
            CU_ASSERT_EQUAL(reads(SECRET, USER, (struct slice){token, 48}, &id),
                            bytes[n] == right);
        }
        token[i] = right;
    }
}

static void test_size(void)
{
    char token[2 * TOKEN_BYTES] = "";
    uint64_t id;

    token_write(SECRET, SLICE(USER), ID, token);
    CU_ASSERT_EQUAL(strlen(token), 48);
    token[48] = '0';
    for (size_t size = 0; size < sizeof(token); size++)
        CU_ASSERT_EQUAL(reads(SECRET, USER, (struct slice){token, size}, &id),
                        size == 48);
    CU_ASSERT_FALSE(reads(SECRET, USER, SLICE_NONE, &id));
}

static const struct unit_case cases[] = {
    {"known", test_known},
    {"round trip", test_round_trip},
    {"somebody else's", test_somebody_else},
    {"changed", test_changed},
    {"size", test_size},
};

int main(void)
{
    return unit_run("token", cases, ARRAY_SIZE(cases));
}
