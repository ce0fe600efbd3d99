#include "base/sqlite.h"
#include "cluster/event.h"
#include "folder.h"

#include "../../../roster/store.h"

#define ANN "ann@x"
#define BOB "bob@x"
#define SHA_256 "SCRAM-SHA-256"

enum { PARTITION = 3 };

static struct folder folder;
static char url[FOLDER_PATH_BYTES];
static struct store *store;
static struct arena arena;

static struct store *open_partition(unsigned partition)
{
    struct store_error error;
    struct store *opened = store_open(url, partition, false, &error);

    CU_ASSERT_PTR_NOT_NULL_FATAL(opened);
    return opened;
}

static void begin(void)
{
    CU_ASSERT_TRUE_FATAL(store_begin(store));
}

static void commit(void)
{
    CU_ASSERT_TRUE_FATAL(store_commit(store));
}

static void open_store(void)
{
    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    arena_init(&arena);
    store = open_partition(PARTITION);
    begin();
}

static void reopen(void)
{
    commit();
    store_close(&store);
    CU_ASSERT_PTR_NULL(store);
    store = open_partition(PARTITION);
    begin();
}

static void close_store(void)
{
    commit();
    store_close(&store);
    arena_deinit(&arena);
    folder_close(&folder);
}

/* "a,b," of all accounts. */
static void join_name(void *argument, struct slice name)
{
    struct buffer *names = argument;

    buffer_append(names, name);
    buffer_append_byte(names, ',');
}

static bool accounts_are(const char *expected)
{
    struct buffer names = BUFFER_EMPTY;
    bool is_same;

    store_each_account(store, join_name, &names);
    is_same = slice_equal(buffer_slice(&names), slice_of(expected));
    buffer_deinit(&names);
    return is_same;
}

static void test_accounts(void)
{
    open_store();
    CU_ASSERT_FALSE(store_has_account(store, SLICE(ANN)));
    CU_ASSERT_TRUE(accounts_are(""));
    store_add_account(store, SLICE(BOB));
    store_add_account(store, SLICE(ANN));
    store_add_account(store, SLICE(ANN));
    CU_ASSERT_TRUE(store_has_account(store, SLICE(ANN)));
    CU_ASSERT_FALSE(store_has_account(store, SLICE("an")));
    CU_ASSERT_FALSE(store_has_account(store, SLICE("ANN@x")));
    CU_ASSERT_TRUE(accounts_are(ANN "," BOB ","));
    reopen();
    CU_ASSERT_TRUE(accounts_are(ANN "," BOB ","));
    store_remove_account(store, SLICE(ANN));
    store_remove_account(store, SLICE(ANN));
    CU_ASSERT_TRUE(accounts_are(BOB ","));
    close_store();
}

static struct store_keys keys_of(const char *salt, uint64_t iterations)
{
    return (struct store_keys){.salt = slice_of(salt),
                               .stored_key = SLICE("\0stored\xff"),
                               .server_key = SLICE("server"),
                               .iterations = iterations};
}

static bool has_keys(const char *user, const char *mechanism, const char *salt,
                     uint64_t iterations)
{
    struct store_keys expected = keys_of(salt, iterations);
    struct store_keys keys;

    return store_find_keys(store, &arena, slice_of(user), slice_of(mechanism),
                           &keys) &&
           slice_equal(keys.salt, expected.salt) &&
           slice_equal(keys.stored_key, expected.stored_key) &&
           slice_equal(keys.server_key, expected.server_key) &&
           keys.iterations == iterations;
}

static void test_keys(void)
{
    struct store_keys keys = keys_of("salt", 4096);

    open_store();
    store_add_account(store, SLICE(ANN));
    store_set_keys(store, SLICE(ANN), SLICE(SHA_256), &keys);
    keys = keys_of("other", 5000);
    store_set_keys(store, SLICE(ANN), SLICE("SCRAM-SHA-1"), &keys);
    reopen();
    CU_ASSERT_TRUE(has_keys(ANN, SHA_256, "salt", 4096));
    CU_ASSERT_TRUE(has_keys(ANN, "SCRAM-SHA-1", "other", 5000));
    CU_ASSERT_FALSE(
        store_find_keys(store, &arena, SLICE(ANN), SLICE("PLAIN"), &keys));
    CU_ASSERT_FALSE(
        store_find_keys(store, &arena, SLICE(BOB), SLICE(SHA_256), &keys));
    keys = keys_of("new", 6000);
    store_set_keys(store, SLICE(ANN), SLICE(SHA_256), &keys);
    CU_ASSERT_TRUE(has_keys(ANN, SHA_256, "new", 6000));
    store_remove_account(store, SLICE(ANN));
    store_add_account(store, SLICE(ANN));
    CU_ASSERT_FALSE(
        store_find_keys(store, &arena, SLICE(ANN), SLICE(SHA_256), &keys));
    close_store();
}

/* Keys and items belong to an account. */
static void test_nothing_without_an_account(void)
{
    struct store_item item = {.jid = SLICE(BOB)};
    struct store_keys keys = keys_of("salt", 4096);

    open_store();
    store_set_item(store, SLICE(ANN), &item);
    CU_ASSERT_FALSE(store_commit(store));
    CU_ASSERT_PTR_NOT_NULL(store_refusal(store));
    begin();
    store_set_keys(store, SLICE(ANN), SLICE(SHA_256), &keys);
    CU_ASSERT_FALSE(store_commit(store));
    begin();
    CU_ASSERT_EQUAL(store_count_items(store, SLICE(ANN), true), 0);
    CU_ASSERT_EQUAL(store_count_items(store, SLICE(ANN), false), 0);
    close_store();
}

static void set_item(const char *user, const char *jid,
                     enum subscription_state state)
{
    struct store_item item = {.jid = slice_of(jid), .state = state};

    store_set_item(store, slice_of(user), &item);
}

static bool is_same(struct slice a, struct slice b)
{
    return slice_equal(a, b) && slice_is_set(a) == slice_is_set(b);
}

static bool is_same_item(const struct store_item *a, const struct store_item *b)
{
    return is_same(a->jid, b->jid) && is_same(a->name, b->name) &&
           is_same(a->groups, b->groups) &&
           is_same(a->request.payload, b->request.payload) &&
           is_same(a->request.id, b->request.id) &&
           is_same(a->request.lang, b->request.lang) &&
           is_same(a->request.extra, b->request.extra) &&
           a->request.number == b->request.number && a->state == b->state &&
           a->is_listed == b->is_listed;
}

/* Absent texts stay absent, empty ones empty, bytes as they are. */
static void test_item_fields(void)
{
    static const struct store_item items[] = {
        {.jid = {BOB, sizeof(BOB) - 1}},
        {.jid = {BOB, sizeof(BOB) - 1},
         .name = {"", 0},
         .request.payload = {"", 0},
         .state = SUBSCRIPTION_NONE_IN},
        {.jid = {BOB, sizeof(BOB) - 1},
         .name = {"B\xc3\xb6"
                  "b",
                  4},
         .groups = {"\x92\xa1\0\xa1z", 5},
         .state = SUBSCRIPTION_BOTH,
         .is_listed = true,
         .request = {.payload = {"<p:a>'\";--</p:a>", 16},
                     .id = {"i", 1},
                     .lang = {"eo", 2},
                     .extra = {" xmlns:p='q'", 12},
                     .number = 7}},
    };
    struct store_item found;

    open_store();
    store_add_account(store, SLICE(ANN));
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        store_set_item(store, SLICE(ANN), &items[i]);
        reopen();
        CU_ASSERT_TRUE(
            store_find_item(store, &arena, SLICE(ANN), SLICE(BOB), &found));
        CU_ASSERT_TRUE(is_same_item(&found, &items[i]));
        CU_ASSERT_EQUAL(
            store_count_items(store, SLICE(ANN), items[i].is_listed), 1);
    }
    close_store();
}

static void test_item_states(void)
{
    struct store_item found;

    open_store();
    store_add_account(store, SLICE(ANN));
    for (int state = 0; state < SUBSCRIPTION_STATE_COUNT; state++) {
        set_item(ANN, BOB, (enum subscription_state)state);
        CU_ASSERT_TRUE(
            store_find_item(store, &arena, SLICE(ANN), SLICE(BOB), &found));
        CU_ASSERT_EQUAL((int)found.state, state);
    }
    close_store();
}

static void test_no_item(void)
{
    struct store_item found = {.state = SUBSCRIPTION_BOTH, .is_listed = true};

    open_store();
    CU_ASSERT_FALSE(
        store_find_item(store, &arena, SLICE(ANN), SLICE(BOB), &found));
    ASSERT_SLICE(found.jid, BOB);
    CU_ASSERT_EQUAL(found.state, SUBSCRIPTION_NONE);
    CU_ASSERT_FALSE(found.is_listed);
    CU_ASSERT_FALSE(slice_is_set(found.name));
    close_store();
}

static void join_item(void *argument, const struct store_item *item)
{
    join_name(argument, item->jid);
}

static bool items_are(const char *user, const char *expected)
{
    struct buffer names = BUFFER_EMPTY;
    bool is_same;

    store_each_item(store, &arena, slice_of(user), join_item, &names);
    is_same = slice_equal(buffer_slice(&names), slice_of(expected));
    buffer_deinit(&names);
    return is_same;
}

static void test_items_of_users(void)
{
    open_store();
    store_add_account(store, SLICE(ANN));
    store_add_account(store, SLICE(BOB));
    set_item(ANN, "1@x", SUBSCRIPTION_TO);
    set_item(ANN, "2@x", SUBSCRIPTION_TO);
    set_item(BOB, "1@x", SUBSCRIPTION_TO);
    CU_ASSERT_EQUAL(store_count_items(store, SLICE(ANN), false), 2);
    CU_ASSERT_TRUE(items_are(ANN, "1@x,2@x,"));
    CU_ASSERT_TRUE(items_are("eve@x", ""));
    store_remove_item(store, SLICE(ANN), SLICE("1@x"));
    store_remove_item(store, SLICE(ANN), SLICE("1@x"));
    reopen();
    CU_ASSERT_TRUE(items_are(ANN, "2@x,"));
    CU_ASSERT_TRUE(items_are(BOB, "1@x,"));
    store_remove_account(store, SLICE(BOB));
    store_add_account(store, SLICE(BOB));
    CU_ASSERT_TRUE(items_are(BOB, ""));
    CU_ASSERT_TRUE(items_are(ANN, "2@x,"));
    close_store();
}

static void set_request(const char *jid, uint64_t number, bool is_listed)
{
    struct store_item item = {
        .jid = slice_of(jid),
        .state = SUBSCRIPTION_NONE_IN,
        .is_listed = is_listed,
        .request = {.payload = SLICE(""), .number = number}};

    store_set_item(store, SLICE(ANN), &item);
}

/* Listed contacts are no strangers, but are numbered with them. */
static void test_oldest_request(void)
{
    struct store_item found;

    open_store();
    store_add_account(store, SLICE(ANN));
    CU_ASSERT_EQUAL(store_last_request(store, SLICE(ANN)), 0);
    CU_ASSERT_FALSE(
        store_find_oldest_request(store, &arena, SLICE(ANN), &found));
    set_request("1@x", 3, false);
    set_request("2@x", 2, false);
    set_request("3@x", 1, true);
    set_request("4@x", 4, true);
    CU_ASSERT_EQUAL(store_last_request(store, SLICE(ANN)), 4);
    CU_ASSERT_EQUAL(store_count_items(store, SLICE(ANN), false), 2);
    CU_ASSERT_EQUAL(store_count_items(store, SLICE(ANN), true), 2);
    CU_ASSERT_TRUE(
        store_find_oldest_request(store, &arena, SLICE(ANN), &found));
    ASSERT_SLICE(found.jid, "2@x");
    CU_ASSERT_EQUAL(store_last_request(store, SLICE(BOB)), 0);
    close_store();
}

static void test_secret(void)
{
    struct slice secret;
    struct store *other;

    open_store();
    secret = store_secret(store, &arena);
    CU_ASSERT_EQUAL(secret.size, 32);
    reopen();
    CU_ASSERT_TRUE(slice_equal(store_secret(store, &arena), secret));
    other = open_partition(PARTITION + 1);
    CU_ASSERT_TRUE(store_begin(other));
    CU_ASSERT_FALSE(slice_equal(store_secret(other, &arena), secret));
    CU_ASSERT_TRUE(store_commit(other));
    store_close(&other);
    close_store();
}

/* A former owner that thaws writes nothing. */
static void test_fence(void)
{
    struct store *former;

    open_store();
    store_fence(store, 7);
    commit();
    former = open_partition(PARTITION);
    CU_ASSERT_TRUE_FATAL(store_begin(former));
    store_fence(former, 6);
    store_add_account(former, SLICE(BOB));
    CU_ASSERT_FALSE(store_commit(former));
    store_close(&former);
    begin();
    store_fence(store, 7); /* the same owner again */
    CU_ASSERT_FALSE(store_has_account(store, SLICE(BOB)));
    store_add_account(store, SLICE(ANN));
    reopen();
    CU_ASSERT_TRUE(store_has_account(store, SLICE(ANN)));
    store_fence(store, 8);
    close_store();
}

/* Opening. */

static const char *store_path(char *path)
{
    return folder_path(&folder, "", "roster.03.db", path);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *file;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &file), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(file, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(file);
}

static struct store_error refusal(const char *at)
{
    struct store_error error = {0};
    struct store *opened = store_open(at, PARTITION, false, &error);

    CU_ASSERT_PTR_NULL(opened);
    store_close(&opened);
    return error;
}

static void test_urls(void)
{
    static const char *const bad[] = {"", "sqlite:", "/tmp", "postgres:/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CU_ASSERT_STRING_EQUAL(refusal(bad[i]).reason,
                               "store: expected sqlite:DIR");
}

static int version_of(const char *path)
{
    sqlite3 *file;
    sqlite3_stmt *statement;
    int version;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &file), SQLITE_OK);
    CU_ASSERT_EQUAL_FATAL(
        sqlite3_prepare_v2(file, "PRAGMA user_version", -1, &statement, NULL),
        SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_step(statement), SQLITE_ROW);
    version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(file);
    return version;
}

static void test_newer_schema_is_refused(void)
{
    char path[FOLDER_PATH_BYTES];
    char version[64];

    open_store();
    store_add_account(store, SLICE(ANN));
    commit();
    snprintf(version, sizeof(version), "PRAGMA user_version = %d",
             version_of(store_path(path)));
    store_close(&store);
    execute(store_path(path), "PRAGMA user_version = 1000");
    CU_ASSERT_TRUE(refusal(url).is_newer);
    execute(store_path(path), version);
    store = open_partition(PARTITION);
    begin();
    CU_ASSERT_TRUE(store_has_account(store, SLICE(ANN)));
    close_store();
}

/* Version 1 as it was; never to be changed. */
static const char version_1[] = SQLITE_OWNERSHIP_SCHEMA
    "CREATE TABLE secret (bytes BLOB NOT NULL);"
    "INSERT INTO secret VALUES (randomblob(32));"
    "CREATE TABLE account (user TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE scram (user TEXT NOT NULL REFERENCES account (user)"
    " ON DELETE CASCADE, mechanism TEXT NOT NULL, iterations INTEGER NOT NULL,"
    " salt BLOB NOT NULL, stored_key BLOB NOT NULL, server_key BLOB NOT NULL,"
    " PRIMARY KEY (user, mechanism)) WITHOUT ROWID;"
    "CREATE TABLE item (user TEXT NOT NULL REFERENCES account (user)"
    " ON DELETE CASCADE, jid TEXT NOT NULL, name TEXT, groups BLOB,"
    " state INTEGER NOT NULL, listed INTEGER NOT NULL, request BLOB,"
    " PRIMARY KEY (user, jid)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "INSERT INTO account VALUES ('" ANN "');"
    "INSERT INTO item VALUES ('" ANN "', 'friend@x', 'Fred', NULL, 8, 1, NULL),"
    " ('" ANN "', 'plain@x', NULL, NULL, 2, 0, CAST('<status/>' AS BLOB)),"
    " ('" ANN "', 'prefix@x', NULL, NULL, 2, 0, CAST('<p:a/>' AS BLOB));";

static void open_version_1(void)
{
    char path[FOLDER_PATH_BYTES];

    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    execute(store_path(path), version_1);
    arena_init(&arena);
    store = open_partition(PARTITION);
    begin();
}

/* Everything is there but what may have lost a declaration of its prefix. */
static void test_version_1(void)
{
    struct store_item item;

    open_version_1();
    CU_ASSERT_TRUE(
        store_find_item(store, &arena, SLICE(ANN), SLICE("friend@x"), &item));
    ASSERT_SLICE(item.name, "Fred");
    CU_ASSERT_EQUAL(item.state, SUBSCRIPTION_BOTH);
    CU_ASSERT_FALSE(slice_is_set(item.request.payload));
    CU_ASSERT_TRUE(
        store_find_item(store, &arena, SLICE(ANN), SLICE("plain@x"), &item));
    ASSERT_SLICE(item.request.payload, "<status/>");
    CU_ASSERT_FALSE(slice_is_set(item.request.extra));
    CU_ASSERT_TRUE(
        store_find_item(store, &arena, SLICE(ANN), SLICE("prefix@x"), &item));
    CU_ASSERT_EQUAL(item.state, SUBSCRIPTION_NONE_IN);
    CU_ASSERT_TRUE(slice_is_set(item.request.payload));
    CU_ASSERT_EQUAL(item.request.payload.size, 0);
    close_store();
}

/* A file with tables that are not ours is left as it was. */
static void test_migration_is_whole(void)
{
    char path[FOLDER_PATH_BYTES];

    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    execute(store_path(path), "CREATE TABLE item (a)");
    CU_ASSERT_PTR_NOT_NULL(strstr(refusal(url).reason, "cannot be migrated"));
    execute(path, "CREATE TABLE account (a)"); /* none came into being */
    execute(path, "DROP TABLE account; DROP TABLE item");
    store = open_partition(PARTITION); /* an empty file is migrated */
    arena_init(&arena);
    begin();
    store_add_account(store, SLICE(ANN));
    close_store();
}

static void test_no_database(void)
{
    char path[FOLDER_PATH_BYTES];
    FILE *file;

    folder_open(&folder);
    snprintf(url, sizeof(url), "sqlite:%s", folder.path);
    file = fopen(store_path(path), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", file);
    fclose(file);
    CU_ASSERT_STRING_NOT_EQUAL(refusal(url).reason, "");
    /* a file where the folder should be */
    folder_path(&folder, "sqlite:", "roster.03.db/below", url);
    CU_ASSERT_STRING_NOT_EQUAL(refusal(url).reason, "");
    folder_close(&folder);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"accounts", test_accounts},
        {"keys", test_keys},
        {"nothing without an account", test_nothing_without_an_account},
        {"fields of an item", test_item_fields},
        {"states of an item", test_item_states},
        {"no item", test_no_item},
        {"items of users", test_items_of_users},
        {"the oldest request", test_oldest_request},
        {"secret", test_secret},
        {"fence", test_fence},
        {"URLs", test_urls},
        {"a newer schema is refused", test_newer_schema_is_refused},
        {"a file of version 1", test_version_1},
        {"migration is whole", test_migration_is_whole},
        {"no database", test_no_database},
    };

    return unit_run("roster store", cases, ARRAY_SIZE(cases));
}
