/* Opening a store: of an earlier version, of a later one, and what is none. */
#include "base/sqlite.h"
#include "database.h"
#include "storing.h"

static const char *store_path(char *path)
{
    return folder_path(&folder, "", "roster.03.db", path);
}

static void execute(const char *sql)
{
    char path[FOLDER_PATH_BYTES];

    database_execute(store_path(path), sql);
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

static void test_newer_schema_is_refused(void)
{
    char path[FOLDER_PATH_BYTES];
    char version[64];

    open_store();
    store_add_account(store, SLICE(ANN));
    commit();
    store_close(&store);
    snprintf(version, sizeof(version), "PRAGMA user_version = %d",
             database_ask(store_path(path), "PRAGMA user_version"));
    execute("PRAGMA user_version = 1000");
    CU_ASSERT_TRUE(refusal(url).is_newer);
    execute(version);
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

/* Everything is there but what may have lost a declaration of its prefix. */
static void test_version_1(void)
{
    struct store_item item;

    open_folder();
    execute(version_1);
    open_store_there();
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
    open_folder();
    execute("CREATE TABLE item (a)");
    CU_ASSERT_PTR_NOT_NULL(strstr(refusal(url).reason, "cannot be migrated"));
    execute("CREATE TABLE account (a)"); /* none came into being */
    execute("DROP TABLE account; DROP TABLE item");
    open_store_there(); /* an empty file is migrated */
    store_add_account(store, SLICE(ANN));
    close_store();
}

static void test_no_database(void)
{
    char path[FOLDER_PATH_BYTES];
    FILE *file;

    open_folder();
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
        {"URLs", test_urls},
        {"a newer schema is refused", test_newer_schema_is_refused},
        {"a file of version 1", test_version_1},
        {"migration is whole", test_migration_is_whole},
        {"no database", test_no_database},
    };

    return unit_run("roster migration", cases, ARRAY_SIZE(cases));
}
