#include "fixture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { FIELDS = 10, LONGEST = 1022 };

/* Reading. */

static const struct {
    const char *content, *password;
} readable[] = {
    {"secret", "secret"},     {"secret\n", "secret"},
    {"secret\r\n", "secret"}, {" two words \n", " two words "},
    {"I\xc2\xadX\n", "IX"}, /* RFC 4013 3: what it is prepared to */
    {"\xe2\x85\xa8\n", "IX"}, {"gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f"},
};

static void test_from_file(void)
{
    folder_open(&fixture_folder);
    for (size_t i = 0; i < ARRAY_SIZE(readable); i++) {
        const char *path =
            fixture_file("password", slice_of(readable[i].content));
        char *password = password_read(path, "ann@x");

        CU_ASSERT_STRING_EQUAL(password, readable[i].password);
        password_wipe(&password);
        CU_ASSERT_PTR_NULL(password);
        password_wipe(&password);
    }
    folder_close(&fixture_folder);
}

static void read_password(void *argument)
{
    char *password = password_read(argument, "ann@x");

    password_wipe(&password);
}

/* Standard input is the file `argument`; is the password "secret"? */
static void read_standard_input(void *argument)
{
    char *password;

    if (!freopen(argument, "r", stdin))
        _exit(EX_OSERR);
    password = password_read("-", "ann@x");
    if (strcmp(password, "secret") != 0)
        _exit(EX_SOFTWARE);
    password_wipe(&password);
}

static void read_terminal(void *argument)
{
    if (!freopen(argument, "r", stdin)) /* a file is no terminal */
        _exit(EX_OSERR);
    read_password(NULL);
}

static int status_of(void (*run)(void *), const char *content)
{
    char path[FOLDER_PATH_BYTES];

    fixture_file("password", slice_of(content));
    folder_path(&fixture_folder, "", "password", path);
    return fixture_exit_status(run, path);
}

static void test_standard_input(void)
{
    folder_open(&fixture_folder);
    CU_ASSERT_EQUAL(status_of(read_standard_input, "secret\n"), 0);
    CU_ASSERT_EQUAL(status_of(read_standard_input, "secret\nmore\n"),
                    EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_standard_input, "other"), EX_SOFTWARE);
    CU_ASSERT_EQUAL(status_of(read_standard_input, ""), EX_NOINPUT);
    CU_ASSERT_EQUAL(status_of(read_terminal, "secret\nsecret\n"), EX_NOINPUT);
    folder_close(&fixture_folder);
}

static void test_no_password(void)
{
    char path[FOLDER_PATH_BYTES];

    folder_open(&fixture_folder);
    CU_ASSERT_EQUAL(status_of(read_password, ""), EX_NOINPUT);
    CU_ASSERT_EQUAL(status_of(read_password, "\n"), EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_password, "\r\nsecret"), EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_password, "secret\nmore"), EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_password, "secret\n\n"), EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_password, "secret\rmore\n"), EX_DATAERR);
    folder_path(&fixture_folder, "", "none", path);
    CU_ASSERT_EQUAL(fixture_exit_status(read_password, path), EX_NOINPUT);
    folder_close(&fixture_folder);
}

/* Refused, not cut short. */
static void test_long_password(void)
{
    char content[LONGEST + 3];

    folder_open(&fixture_folder);
    memset(content, 'a', sizeof(content));
    memcpy(content + LONGEST, "\n", 2);
    CU_ASSERT_EQUAL(status_of(read_password, content), 0);
    memcpy(content + LONGEST, "a\n", 3);
    CU_ASSERT_EQUAL(status_of(read_password, content), EX_DATAERR);
    folder_close(&fixture_folder);
}

static void test_unprepared(void)
{
    folder_open(&fixture_folder);
    CU_ASSERT_EQUAL(status_of(read_password, "tab\t"), EX_DATAERR);
    CU_ASSERT_EQUAL(status_of(read_password, "gr\xfc\xdf"), EX_DATAERR);
    folder_close(&fixture_folder);
}

/* Preparing. */

#define PROHIBITED "has a prohibited character (RFC 4013 2.3)"
#define DIRECTIONS "mixes directions of writing (RFC 4013 2.4)"
#define UNASSIGNED "has an unassigned character (RFC 4013 2.5)"
#define NOT_UTF_8 "is not UTF-8"

static void check_prepared(const char *text, const char *expected,
                           const char *error)
{
    const char *why = NULL;
    char *password = password_prepare(text, &why);

    CU_ASSERT_EQUAL(password != NULL, expected != NULL);
    CU_ASSERT_STRING_EQUAL(password ? password : why,
                           expected ? expected : error);
    password_wipe(&password);
}

/* RFC 4013 3. */
static void test_examples(void)
{
    static const struct {
        const char *text, *password, *error;
    } rows[] = {
        {"I\xC2\xADX", "IX", NULL},
        {"user", "user", NULL},
        {"USER", "USER", NULL},
        {"\xC2\xAA", "a", NULL},
        {"\xE2\x85\xA8", "IX", NULL},
        {"\x07", NULL, PROHIBITED},
        {"\xD8\xA7\x31", NULL, DIRECTIONS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_prepared(rows[i].text, rows[i].password, rows[i].error);
}

static void test_ascii_stays(void)
{
    char text[0x7F - ' ' + 1];

    for (int byte = ' '; byte < 0x7F; byte++)
        text[byte - ' '] = (char)byte;
    text[0x7F - ' '] = '\0';
    check_prepared(text, text, NULL);
}

static void test_unassigned(void)
{
    check_prepared("\xC8\xA1", NULL, UNASSIGNED);
}

static void test_nothing_left(void)
{
    check_prepared("", NULL, "is empty");
    check_prepared("\xC2\xAD", NULL, "is empty");
}

static void test_not_utf_8(void)
{
    check_prepared("gr\xFC\xDF", NULL, NOT_UTF_8);
}

static void test_growing(void)
{
    struct buffer text = BUFFER_EMPTY;
    const char *error = NULL;
    char *password;

    for (int i = 0; i < 1000; i++)
        buffer_append_text(&text, "\xEF\xB7\xBA");
    password = password_prepare(text.data, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(password);
    CU_ASSERT_TRUE(strlen(password) > 10 * text.size);
    password_wipe(&password);
    buffer_deinit(&text);
}

/* Keys. */

static struct slice decode(struct slice text, unsigned char *bytes)
{
    int size = EVP_DecodeBlock(bytes, (const unsigned char *)text.data,
                               (int)text.size);

    CU_ASSERT_TRUE_FATAL(size > 0);
    for (size_t i = text.size; text.data[i - 1] == '='; i--)
        size--;
    return (struct slice){(const char *)bytes, (size_t)size};
}

static struct slice mac(const EVP_MD *hash, struct slice key, const char *text,
                        unsigned char *bytes)
{
    unsigned size = 0;

    HMAC(hash, key.data, (int)key.size, (const unsigned char *)text,
         strlen(text), bytes, &size);
    return (struct slice){(const char *)bytes, size};
}

/* RFC 5802 3: StoredKey and ServerKey from password, salt and iterations. */
static void check_keys(const EVP_MD *hash, const char *password,
                       const struct slice *fields)
{
    unsigned char bytes[6][EVP_MAX_MD_SIZE];
    struct slice salt = decode(fields[2], bytes[0]);
    int size = EVP_MD_get_size(hash);
    struct slice salted = {(const char *)bytes[1], (size_t)size};
    struct slice client;
    unsigned stored_size;

    ASSERT_SLICE(fields[1], "4096");
    CU_ASSERT_EQUAL(salt.size, 16);
    PKCS5_PBKDF2_HMAC(password, (int)strlen(password), bytes[0], (int)salt.size,
                      4096, hash, size, bytes[1]);
    client = mac(hash, salted, "Client Key", bytes[2]);
    EVP_Digest(client.data, client.size, bytes[3], &stored_size, hash, NULL);
    CU_ASSERT_TRUE(
        slice_equal(decode(fields[3], bytes[4]),
                    (struct slice){(const char *)bytes[3], stored_size}));
    CU_ASSERT_TRUE(slice_equal(decode(fields[4], bytes[4]),
                               mac(hash, salted, "Server Key", bytes[5])));
}

static void take_fields(const struct buffer *keys, struct slice *fields)
{
    struct event_list list;
    size_t count = 0;

    event_list_open(&list, buffer_slice(keys));
    CU_ASSERT_EQUAL_FATAL(list.remaining, FIELDS);
    while (event_list_next(&list, &fields[count]) && count < FIELDS - 1)
        count++;
}

static void test_keys(void)
{
    struct buffer keys = BUFFER_EMPTY;
    struct slice fields[FIELDS];

    password_derive(SLICE("pencil"), &keys);
    take_fields(&keys, fields);
    ASSERT_SLICE(fields[0], "SCRAM-SHA-256");
    check_keys(EVP_sha256(), "pencil", fields);
    ASSERT_SLICE(fields[5], "SCRAM-SHA-1");
    check_keys(EVP_sha1(), "pencil", fields + 5);
    buffer_deinit(&keys);
}

static void test_salts_are_fresh(void)
{
    struct buffer keys[2] = {BUFFER_EMPTY, BUFFER_EMPTY};
    struct slice fields[2][FIELDS];

    for (size_t i = 0; i < 2; i++) {
        password_derive(SLICE("pencil"), &keys[i]);
        take_fields(&keys[i], fields[i]);
    }
    CU_ASSERT_FALSE(slice_equal(fields[0][2], fields[1][2]));
    CU_ASSERT_FALSE(slice_equal(fields[0][2], fields[0][7]));
    CU_ASSERT_FALSE(slice_equal(fields[0][3], fields[1][3]));
    buffer_deinit(&keys[0]);
    buffer_deinit(&keys[1]);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"from a file", test_from_file},
        {"from standard input", test_standard_input},
        {"no password", test_no_password},
        {"a long password", test_long_password},
        {"not to be prepared", test_unprepared},
        {"examples", test_examples},
        {"ASCII stays", test_ascii_stays},
        {"unassigned", test_unassigned},
        {"nothing left", test_nothing_left},
        {"not UTF-8", test_not_utf_8},
        {"one that grows", test_growing},
        {"keys", test_keys},
        {"salts are fresh", test_salts_are_fresh},
    };

    return unit_run("tool password", cases, ARRAY_SIZE(cases));
}
