#include "base/sqlite.h"

#include "base/config.h"
#include "folder.h"

enum { PUT = SQLITE_FIRST_STATEMENT, COUNT, GET, BROKEN };

enum { PARTITION = 7 };

static const char *const versions[] = {
    SQLITE_OWNERSHIP_SCHEMA
    "CREATE TABLE thing (number INTEGER PRIMARY KEY, text TEXT);",
    "ALTER TABLE thing ADD COLUMN bytes BLOB;"
    "UPDATE thing SET text = text || '!';",
};

static struct folder folder;
static char url[FOLDER_PATH_BYTES];
static struct store *store;

static struct store *open_schema(const char *const *migrations, int version,
                                 struct store_error *error_out)
{
    struct sqlite_schema schema = {"thing", migrations, version};

    return sqlite_open(&schema, url, PARTITION, false, error_out);
}

static void reopen(int version)
{
    struct store_error error;

    store_close(&store);
    store = open_schema(versions, version, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(store);
}

static void open_file(void)
{
    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    reopen(2);
}

static void close_file(void)
{
    store_close(&store);
    folder_close(&folder);
}

static void begin(void)
{
    CU_ASSERT_TRUE_FATAL(store_begin(store));
}

static void put(uint64_t number, struct slice text, struct slice bytes)
{
    sqlite3_stmt *statement =
        sqlite_statement(store, PUT,
                         "INSERT INTO thing (number, text, bytes)"
                         " VALUES (?1, ?2, ?3)");

    sqlite_bind_u64(statement, 1, number);
    sqlite_bind_slice(statement, 2, text);
    sqlite_bind_bytes(statement, 3, bytes);
    sqlite_run(store, statement);
}

static uint64_t count(void)
{
    return sqlite_number(
        store, sqlite_statement(store, COUNT, "SELECT count(*) FROM thing"));
}

/* Opening. */

static void test_path(void)
{
    char file[FOLDER_PATH_BYTES];

    open_file();
    CU_ASSERT_EQUAL(access(folder_path(&folder, "", "thing.07.db", file), F_OK),
                    0);
    close_file();
}

static void test_no_url(void)
{
    static const char *const rows[] = {"sqlite:", "sqlit:/x", "SQLITE:/x", "/x",
                                       ""};
    static const struct sqlite_schema schema = {"thing", versions, 2};
    char long_url[4096 + sizeof("sqlite:")] = "sqlite:";
    struct store_error error;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CU_ASSERT_PTR_NULL(sqlite_open(&schema, rows[i], 0, false, &error));
        CU_ASSERT_STRING_EQUAL(error.reason, "store: expected sqlite:DIR");
    }
    memset(long_url + 7, 'x', 4096 - sizeof("/thing.00.db") + 1);
    CU_ASSERT_PTR_NULL(sqlite_open(&schema, long_url, 0, false, &error));
    CU_ASSERT_STRING_EQUAL(error.reason, "store: expected sqlite:DIR");
}

/* Each migration once, in order, whatever the version found. */
static void test_migrations(void)
{
    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    reopen(1);
    begin();
    sqlite_run(store,
               sqlite_statement(store, PUT,
                                "INSERT INTO thing (text) VALUES ('one')"));
    CU_ASSERT_TRUE(store_commit(store));
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        sqlite3_stmt *get;

        reopen(2);
        get = sqlite_statement(store, GET, "SELECT text, bytes FROM thing");
        CU_ASSERT_TRUE_FATAL(sqlite_step(store, get));
        ASSERT_SLICE(sqlite_column(get, 0), "one!");
        CU_ASSERT_FALSE(slice_is_set(sqlite_column(get, 1)));
    }
    close_file();
}

/* Says which file, what was found and what is known. */
static void test_newer(void)
{
    struct store_error error;
    char expected[FOLDER_PATH_BYTES + 80];
    char file[FOLDER_PATH_BYTES];

    open_file();
    store_close(&store);
    CU_ASSERT_PTR_NULL(open_schema(versions, 1, &error));
    CU_ASSERT_TRUE(error.is_newer);
    snprintf(expected, sizeof(expected),
             "%s has schema version 2, this program knows up to 1",
             folder_path(&folder, "", "thing.07.db", file));
    CU_ASSERT_STRING_EQUAL(error.reason, expected);
    reopen(2); /* as it was */
    close_file();
}

/* One that fails leaves the file as it was. */
static void test_broken_migration(void)
{
    const char *broken[] = {versions[0], versions[1],
                            "CREATE TABLE more (a); NONSENSE;"};
    const char *right[] = {versions[0], versions[1], "CREATE TABLE more (b);"};
    struct store_error error;

    open_file();
    CU_ASSERT_PTR_NULL(open_schema(broken, 3, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "cannot be migrated"));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "NONSENSE"));
    store_close(&store);
    store = open_schema(right, 3, &error);
    CU_ASSERT_PTR_NOT_NULL(store);
    close_file();
}

/* A mistyped folder is an error, not an empty store. */
static void test_folders_are_not_made(void)
{
    char inner[FOLDER_PATH_BYTES];
    struct store_error error;

    folder_open(&folder);
    folder_path(&folder, "", "one", inner);
    folder_path(&folder, "sqlite:", "one", url);
    CU_ASSERT_PTR_NULL(open_schema(versions, 2, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, inner));
    CU_ASSERT_FALSE(error.is_newer); /* another time it may go */
    CU_ASSERT_NOT_EQUAL(access(inner, F_OK), 0);
    folder_close(&folder);
}

static void check_url(const char *text, const char *expected)
{
    struct buffer why = BUFFER_EMPTY;

    CU_ASSERT_EQUAL(store_check(text, &why), expected == NULL);
    buffer_append_byte(&why, '\0');
    CU_ASSERT_STRING_EQUAL(why.data, expected ? expected : "");
    buffer_deinit(&why);
}

static void test_url(void)
{
    open_file();
    check_url("mysql:x", "expected sqlite:DIR, got \"mysql:x\"");
    check_url("sqlite:", "expected sqlite:DIR, got \"sqlite:\"");
    check_url("sqlite:/no/such/folder",
              "expected a directory to write to, \"/no/such/folder\": "
              "No such file or directory");
    check_url("sqlite:/dev/null",
              "expected a directory, \"/dev/null\" is none");
    check_url(url, NULL);
    close_file();
}

struct config {
    char *store;
    int synchronous;
};

static void test_options(void)
{
    static const struct option options[] = {
        STORE_OPTIONS(struct config, "things")};
    static const struct option_table table = {options, ARRAY_SIZE(options)};
    char *normal[] = {(char[]){"x"}, (char[]){"--synchronous"},
                      (char[]){"normal"}};
    struct config config = {0};
    struct config *configs = &config;
    struct buffer error = BUFFER_EMPTY;

    CU_ASSERT_TRUE(
        config_load(&table, (void **)&configs, 1, NULL, 1, normal, &error));
    CU_ASSERT_STRING_EQUAL(config.store, "sqlite:./run/store");
    CU_ASSERT_EQUAL(config.synchronous, STORE_FULL);
    config_free(&table, (void **)&configs, 1);
    CU_ASSERT_TRUE(
        config_load(&table, (void **)&configs, 1, NULL, 3, normal, &error));
    CU_ASSERT_EQUAL(config.synchronous, STORE_NORMAL);
    config_free(&table, (void **)&configs, 1);
    buffer_deinit(&error);
}

/* Transactions. */

static void test_commit(void)
{
    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_TRUE(store_commit(store));
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
    CU_ASSERT_TRUE(store_rollback(store, &has_changed));
    CU_ASSERT_FALSE(has_changed);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_EQUAL(count(), 1);
    CU_ASSERT_TRUE(store_rollback(store, &has_changed));
    CU_ASSERT_TRUE(has_changed);
    CU_ASSERT_EQUAL(count(), 0);
    begin(); /* what was undone is not counted */
    CU_ASSERT_TRUE(store_rollback(store, &has_changed));
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
    CU_ASSERT_FALSE(store_commit(store));
    CU_ASSERT_EQUAL(count(), 0);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(store_rollback(store, &has_changed));
    CU_ASSERT_TRUE(has_changed);
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_TRUE(store_commit(store));
    CU_ASSERT_EQUAL(count(), 1);
    close_file();
}

/* Is it what was given, or the store?  The first failure says. */
static void test_refusal(void)
{
    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_PTR_NULL(store_refusal(store));
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(store_commit(store));
    CU_ASSERT_PTR_NOT_NULL_FATAL(store_refusal(store));
    CU_ASSERT_STRING_EQUAL(store_refusal(store),
                           "UNIQUE constraint failed: thing.number");
    begin();
    CU_ASSERT_PTR_NULL(store_refusal(store));
    CU_ASSERT_FALSE(sqlite_step(
        store, sqlite_statement(store, BROKEN, "SELECT x FROM nowhere")));
    put(1, SLICE("a"), SLICE_NONE);
    put(1, SLICE("b"), SLICE_NONE);
    CU_ASSERT_FALSE(store_commit(store));
    CU_ASSERT_PTR_NULL(store_refusal(store));
    close_file();
}

/* A statement that cannot be prepared is one that fails. */
static void test_bad_statement(void)
{
    sqlite3_stmt *statement;

    open_file();
    begin();
    statement = sqlite_statement(store, BROKEN, "SELECT nothing FROM nowhere");
    CU_ASSERT_PTR_NULL(statement);
    sqlite_bind_u64(statement, 1, 1);
    CU_ASSERT_FALSE(sqlite_step(store, statement));
    CU_ASSERT_FALSE(store_commit(store));
    begin();
    CU_ASSERT_TRUE(store_commit(store));
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
    CU_ASSERT_TRUE(store_commit(store));
    get = sqlite_statement(store, GET,
                           "SELECT number, text, bytes FROM thing"
                           " WHERE number = ?1");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        sqlite3_reset(get);
        sqlite_bind_u64(get, 1, numbers[i]);
        CU_ASSERT_TRUE_FATAL(sqlite_step(store, get));
        CU_ASSERT_EQUAL(sqlite_column_u64(get, 0), numbers[i]);
        CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 1), texts[i]));
        CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 2), texts[i]));
        CU_ASSERT_EQUAL(slice_is_set(sqlite_column(get, 1)),
                        slice_is_set(texts[i]));
    }
    sqlite3_reset(get);
    sqlite_bind_u64(get, 1, 77);
    CU_ASSERT_TRUE_FATAL(sqlite_step(store, get));
    CU_ASSERT_TRUE(slice_equal(sqlite_column(get, 2), //
                               (struct slice){"a\0b", 3}));
    close_file();
}

static void test_number(void)
{
    open_file();
    begin();
    put(1, SLICE("a"), SLICE_NONE);
    CU_ASSERT_EQUAL(count(), 1);
    CU_ASSERT_EQUAL(
        sqlite_number(store, sqlite_statement(
                                 store, GET,
                                 "SELECT number FROM thing WHERE number = 2")),
        0);
    CU_ASSERT_TRUE(store_commit(store)); /* no row is no failure */
    close_file();
}

/* Prepared once; nothing of its last use is left. */
static void test_statement_reused(void)
{
    static const char sql[] = "SELECT ?1, ?2 UNION ALL SELECT 3, 4";
    sqlite3_stmt *first;

    open_file();
    first = sqlite_statement(store, GET, sql);
    sqlite_bind_slice(first, 1, SLICE("a"));
    sqlite_bind_u64(first, 2, 9);
    CU_ASSERT_TRUE(sqlite_step(store, first));
    CU_ASSERT_PTR_EQUAL(sqlite_statement(store, GET, sql), first);
    CU_ASSERT_TRUE(sqlite_step(store, first));
    CU_ASSERT_FALSE(slice_is_set(sqlite_column(first, 0)));
    CU_ASSERT_FALSE(slice_is_set(sqlite_column(first, 1)));
    CU_ASSERT_TRUE(sqlite_step(store, first));
    CU_ASSERT_FALSE(sqlite_step(store, first));
    close_file();
}

/* Owners. */

/* In a transaction of its own; did it come about? */
static bool write_as(uint64_t epoch)
{
    begin();
    store_fence(store, epoch);
    put(epoch, SLICE("x"), SLICE_NONE);
    return store_commit(store);
}

static void test_fence(void)
{
    bool has_changed;

    open_file();
    CU_ASSERT_TRUE(write_as(5));
    CU_ASSERT_TRUE(write_as(7));
    CU_ASSERT_FALSE(write_as(6));
    CU_ASSERT_EQUAL(count(), 2);
    reopen(2);
    CU_ASSERT_FALSE(write_as(6));
    begin(); /* the owner, who only reads, writes nothing */
    store_fence(store, 7);
    CU_ASSERT_TRUE(store_rollback(store, &has_changed));
    CU_ASSERT_FALSE(has_changed);
    CU_ASSERT_TRUE(write_as(8));
    close_file();
}

static const struct unit_case cases[] = {
    {"path", test_path},
    {"no url", test_no_url},
    {"migrations", test_migrations},
    {"a newer schema", test_newer},
    {"a broken migration", test_broken_migration},
    {"folders are not made", test_folders_are_not_made},
    {"url", test_url},
    {"options", test_options},
    {"commit", test_commit},
    {"rollback", test_rollback},
    {"a failed statement", test_failed},
    {"what was given is refused", test_refusal},
    {"a bad statement", test_bad_statement},
    {"values", test_values},
    {"a number", test_number},
    {"a statement used again", test_statement_reused},
    {"fence", test_fence},
};

int main(void)
{
    return unit_run("sqlite", cases, ARRAY_SIZE(cases));
}
