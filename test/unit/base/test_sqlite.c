#include "base/sqlite.h"

#include "folder.h"

enum { PUT, COUNT, GET, BROKEN, FENCE, FENCE_SET };

static const char *const versions[] = {
    SQLITE_OWNERSHIP_SCHEMA
    "CREATE TABLE thing (number INTEGER PRIMARY KEY, text TEXT);",
    "ALTER TABLE thing ADD COLUMN bytes BLOB;"
    "UPDATE thing SET text = text || '!';",
};

static struct folder folder;
static char path[FOLDER_PATH_BYTES];
static struct sqlite sqlite;

static bool open_version(int version, const char **error_out)
{
    return sqlite_open(&sqlite, path, false, versions, version, error_out);
}

static void reopen(int version)
{
    const char *error = NULL;

    CU_ASSERT_TRUE_FATAL(open_version(version, &error));
}

static void open_file(void)
{
    folder_open(&folder);
    folder_path(&folder, "", "a.db", path);
    reopen(2);
}

static void close_file(void)
{
    sqlite_close(&sqlite);
    folder_close(&folder);
}

static void begin(void)
{
    CU_ASSERT_TRUE_FATAL(sqlite_begin(&sqlite));
}

static void put(uint64_t number, struct slice text, struct slice bytes)
{
    sqlite3_stmt *statement =
        sqlite_statement(&sqlite, PUT,
                         "INSERT INTO thing (number, text, bytes)"
                         " VALUES (?1, ?2, ?3)");

    sqlite_bind_u64(statement, 1, number);
    sqlite_bind_slice(statement, 2, text);
    sqlite_bind_bytes(statement, 3, bytes);
    sqlite_run(&sqlite, statement);
}

static uint64_t count(void)
{
    sqlite3_stmt *statement =
        sqlite_statement(&sqlite, COUNT, "SELECT count(*) FROM thing");
    uint64_t number;

    CU_ASSERT_TRUE_FATAL(sqlite_step(&sqlite, statement));
    number = sqlite_column_u64(statement, 0);
    CU_ASSERT_FALSE(sqlite_step(&sqlite, statement));
    return number;
}

/* Opening. */

static void test_path(void)
{
    static const struct {
        const char *url;
        unsigned partition;
        const char *path; /* NULL: refused */
    } rows[] = {
        {"sqlite:/var/lib/x", 7, "/var/lib/x/name.07.db"},
        {"sqlite:run", 63, "run/name.63.db"},
        {"sqlite:", 0, NULL},
        {"sqlit:/x", 0, NULL},
        {"SQLITE:/x", 0, NULL},
        {"/x", 0, NULL},
        {"", 0, NULL},
    };

    enum { ROOM = 4096, LONGEST = ROOM - sizeof("/name.00.db") };

    char out[ROOM];
    char url[ROOM + 8] = "sqlite:";

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool is_good = sqlite_path(rows[i].url, "name", rows[i].partition, out);

        CU_ASSERT_EQUAL(is_good, rows[i].path != NULL);
        if (is_good)
            CU_ASSERT_STRING_EQUAL(out, rows[i].path);
    }
    memset(url + 7, 'x', LONGEST + 1);
    CU_ASSERT_FALSE(sqlite_path(url, "name", 0, out));
    url[7 + LONGEST] = '\0';
    CU_ASSERT_TRUE(sqlite_path(url, "name", 0, out));
    CU_ASSERT_EQUAL(strlen(out), ROOM - 1);
}

/* Each migration once, in order, whatever the version found. */
static void test_migrations(void)
{
    open_file();
    sqlite_close(&sqlite);
    unlink(path);
    reopen(1);
    begin();
    sqlite_run(&sqlite,
               sqlite_statement(&sqlite, PUT,
                                "INSERT INTO thing (text) VALUES ('one')"));
    CU_ASSERT_TRUE(sqlite_commit(&sqlite));
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        sqlite3_stmt *get;

        sqlite_close(&sqlite);
        reopen(2);
        get = sqlite_statement(&sqlite, GET, "SELECT text, bytes FROM thing");
        CU_ASSERT_TRUE_FATAL(sqlite_step(&sqlite, get));
        ASSERT_SLICE(sqlite_column(get, 0), "one!");
        CU_ASSERT_FALSE(slice_is_set(sqlite_column(get, 1)));
    }
    close_file();
}

static void test_newer(void)
{
    const char *error = NULL;

    open_file();
    sqlite_close(&sqlite);
    CU_ASSERT_FALSE(open_version(1, &error));
    CU_ASSERT_STRING_EQUAL(error, "its schema is newer than this program");
    CU_ASSERT_PTR_NULL(sqlite.handle);
    reopen(2); /* as it was */
    close_file();
}

/* One that fails leaves the file as it was. */
static void test_broken_migration(void)
{
    const char *broken[] = {versions[0], versions[1],
                            "CREATE TABLE more (a); NONSENSE;"};
    const char *right[] = {versions[0], versions[1], "CREATE TABLE more (b);"};
    const char *error = NULL;

    open_file();
    sqlite_close(&sqlite);
    CU_ASSERT_FALSE(sqlite_open(&sqlite, path, false, broken, 3, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "cannot be migrated"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "NONSENSE"));
    CU_ASSERT_TRUE(sqlite_open(&sqlite, path, true, right, 3, &error));
    close_file();
}

static void test_not_to_be_had(void)
{
    char inside[FOLDER_PATH_BYTES + 8];
    const char *error = NULL;

    open_file();
    snprintf(inside, sizeof(inside), "%s/b.db", path); /* in a file */
    sqlite_close(&sqlite);
    CU_ASSERT_FALSE(sqlite_open(&sqlite, inside, false, versions, 2, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, inside));
    close_file();
}

/* A mistyped folder is an error, not an empty store. */
static void test_folders_are_not_made(void)
{
    char inner[FOLDER_PATH_BYTES];
    char file[FOLDER_PATH_BYTES + 16];
    const char *error = NULL;

    folder_open(&folder);
    folder_path(&folder, "", "one", inner);
    snprintf(file, sizeof(file), "%s/a.db", inner);
    CU_ASSERT_FALSE(sqlite_open(&sqlite, file, false, versions, 2, &error));
    CU_ASSERT_NOT_EQUAL(access(inner, F_OK), 0);
    folder_close(&folder);
}

static void check_url(const char *url, const char *expected)
{
    struct buffer why = BUFFER_EMPTY;

    CU_ASSERT_EQUAL(sqlite_check_url(url, &why), expected == NULL);
    buffer_append_byte(&why, '\0');
    CU_ASSERT_STRING_EQUAL(why.data, expected ? expected : "");
    buffer_deinit(&why);
}

static void test_url(void)
{
    char url[FOLDER_PATH_BYTES + 16];

    open_file();
    check_url("mysql:x", "expected sqlite:DIR, got \"mysql:x\"");
    check_url("sqlite:", "expected sqlite:DIR, got \"sqlite:\"");
    check_url("sqlite:/no/such/folder",
              "expected a directory to write to, \"/no/such/folder\": "
              "No such file or directory");
    check_url("sqlite:/dev/null",
              "expected a directory, \"/dev/null\" is none");
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    check_url(url, NULL);
    close_file();
}

/* Transactions. */

static void test_commit(void)
{
    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_TRUE(sqlite_commit(&sqlite));
    sqlite_close(&sqlite);
    reopen(2);
    CU_ASSERT_EQUAL(count(), 1);
    close_file();
}

static void test_rollback(void)
{
    bool has_changed;

    open_file();
    begin();
    CU_ASSERT_EQUAL(count(), 0);
    CU_ASSERT_TRUE(sqlite_rollback(&sqlite, &has_changed));
    CU_ASSERT_FALSE(has_changed);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_EQUAL(count(), 1);
    CU_ASSERT_TRUE(sqlite_rollback(&sqlite, &has_changed));
    CU_ASSERT_TRUE(has_changed);
    CU_ASSERT_EQUAL(count(), 0);
    begin(); /* what was undone is not counted */
    CU_ASSERT_TRUE(sqlite_rollback(&sqlite, &has_changed));
    CU_ASSERT_FALSE(has_changed);
    close_file();
}

/* One statement that fails undoes all of them; the next one begins anew. */
static void test_failed(void)
{
    bool has_changed;

    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    put(1, SLICE("b"), SLICE_NONE);
    put(2, SLICE("c"), SLICE_NONE);
    CU_ASSERT_FALSE(sqlite_commit(&sqlite));
    CU_ASSERT_EQUAL(count(), 0);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(sqlite_rollback(&sqlite, &has_changed));
    CU_ASSERT_TRUE(has_changed);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_TRUE(sqlite_commit(&sqlite));
    CU_ASSERT_EQUAL(count(), 1);
    close_file();
}

/* Is it what was given, or the store?  The first failure says. */
static void test_refusal(void)
{
    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_PTR_NULL(sqlite_refusal(&sqlite));
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(sqlite_commit(&sqlite));
    CU_ASSERT_PTR_NOT_NULL_FATAL(sqlite_refusal(&sqlite));
    CU_ASSERT_STRING_EQUAL(sqlite_refusal(&sqlite), "constraint failed");
    begin();
    CU_ASSERT_PTR_NULL(sqlite_refusal(&sqlite));
    CU_ASSERT_FALSE(sqlite_step(
        &sqlite, sqlite_statement(&sqlite, BROKEN, "SELECT x FROM nowhere")));
    put(1, SLICE("a"), SLICE_NONE);
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(sqlite_commit(&sqlite));
    CU_ASSERT_PTR_NULL(sqlite_refusal(&sqlite));
    close_file();
}

/* A statement that cannot be prepared is one that fails. */
static void test_bad_statement(void)
{
    sqlite3_stmt *statement;

    open_file();
    begin();
    statement =
        sqlite_statement(&sqlite, BROKEN, "SELECT nothing FROM nowhere");
    CU_ASSERT_PTR_NULL(statement);
    sqlite_bind_u64(statement, 1, 1);
    CU_ASSERT_FALSE(sqlite_step(&sqlite, statement));
    CU_ASSERT_FALSE(sqlite_commit(&sqlite));
    begin();
    CU_ASSERT_TRUE(sqlite_commit(&sqlite));
    close_file();
}

/* Statements. */

static void test_values(void)
{
    static const uint64_t numbers[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1,
                                       UINT64_MAX};
    static const struct slice texts[] = {
        {"", 0}, {"x", 1}, {"it's \"so\"", 9}, {"\xc3\xb6", 2}, {NULL, 0}};
    sqlite3_stmt *get;

    open_file();
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        put(numbers[i], texts[i], texts[i]);
    put(77, SLICE_NONE, (struct slice){"a\0b", 3});
    CU_ASSERT_TRUE(sqlite_commit(&sqlite));
    get = sqlite_statement(&sqlite, GET,
                           "SELECT number, text, bytes FROM thing"
                           " WHERE number = ?1");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        sqlite3_reset(get);
        sqlite_bind_u64(get, 1, numbers[i]);
        CU_ASSERT_TRUE_FATAL(sqlite_step(&sqlite, get));
        CU_ASSERT_EQUAL(sqlite_column_u64(get, 0), numbers[i]);
        CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 1), texts[i]));
        CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 2), texts[i]));
        CU_ASSERT_EQUAL(slice_is_set(sqlite_column(get, 1)),
                        slice_is_set(texts[i]));
    }
    sqlite3_reset(get);
    sqlite_bind_u64(get, 1, 77);
    CU_ASSERT_TRUE_FATAL(sqlite_step(&sqlite, get));
    CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 2), //
                               (struct slice){"a\0b", 3}));
    close_file();
}

/* Prepared once; nothing of its last use is left. */
static void test_statement_reused(void)
{
    static const char sql[] = "SELECT ?1, ?2 UNION ALL SELECT 3, 4";
    sqlite3_stmt *first;

    open_file();
    first = sqlite_statement(&sqlite, GET, sql);
    sqlite_bind_slice(first, 1, SLICE("a"));
    sqlite_bind_u64(first, 2, 9);
    CU_ASSERT_TRUE(sqlite_step(&sqlite, first));
    CU_ASSERT_PTR_EQUAL(sqlite_statement(&sqlite, GET, sql), first);
    CU_ASSERT_TRUE(sqlite_step(&sqlite, first));
    CU_ASSERT_FALSE(slice_is_set(sqlite_column(first, 0)));
    CU_ASSERT_FALSE(slice_is_set(sqlite_column(first, 1)));
    CU_ASSERT_TRUE(sqlite_step(&sqlite, first));
    CU_ASSERT_FALSE(sqlite_step(&sqlite, first));
    close_file();
}

/* Owners. */

/* In a transaction of its own; did it come about? */
static bool write_as(uint64_t epoch)
{
    begin();
    sqlite_fence(&sqlite, FENCE, epoch);
    put(epoch, SLICE("x"), SLICE_NONE);
    return sqlite_commit(&sqlite);
}

static void test_fence(void)
{
    bool has_changed;

    open_file();
    CU_ASSERT_TRUE(write_as(5));
    CU_ASSERT_TRUE(write_as(7));
    CU_ASSERT_FALSE(write_as(6));
    CU_ASSERT_EQUAL(count(), 2);
    sqlite_close(&sqlite);
    reopen(2);
    CU_ASSERT_FALSE(write_as(6));
    begin(); /* the owner, who only reads, writes nothing */
    sqlite_fence(&sqlite, FENCE, 7);
    CU_ASSERT_TRUE(sqlite_rollback(&sqlite, &has_changed));
    CU_ASSERT_FALSE(has_changed);
    CU_ASSERT_TRUE(write_as(8));
    close_file();
}

static const struct unit_case cases[] = {
    {"path", test_path},
    {"migrations", test_migrations},
    {"a newer schema", test_newer},
    {"a broken migration", test_broken_migration},
    {"not to be had", test_not_to_be_had},
    {"folders are not made", test_folders_are_not_made},
    {"url", test_url},
    {"commit", test_commit},
    {"rollback", test_rollback},
    {"a failed statement", test_failed},
    {"what was given is refused", test_refusal},
    {"a bad statement", test_bad_statement},
    {"values", test_values},
    {"a statement used again", test_statement_reused},
    {"fence", test_fence},
};

int main(void)
{
    return unit_run("sqlite", cases, ARRAY_SIZE(cases));
}
