/* A store of an earlier version, with messages in it. */
#include "base/sqlite.h"
#include "fixture.h"

#define EVE "eve@x"

/* Version 1 as it was; never to be changed. */
static const char version_1[] = SQLITE_OWNERSHIP_SCHEMA
    "CREATE TABLE account (user TEXT PRIMARY KEY, mark INTEGER NOT NULL"
    " DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE message (row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user TEXT NOT NULL, event BLOB NOT NULL);"
    "CREATE INDEX message_user ON message (user, row);"
    "CREATE TABLE seen (row INTEGER PRIMARY KEY, origin INTEGER NOT NULL,"
    " sequence INTEGER NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL,"
    " path INTEGER NOT NULL, message INTEGER NOT NULL,"
    " UNIQUE (origin, sequence, user, path));"
    "CREATE TABLE inbox (node TEXT PRIMARY KEY) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "INSERT INTO account VALUES ('" BOB "', 41);"
    "INSERT INTO inbox VALUES ('f1');"
    "UPDATE ownership SET epoch = 4;";

static int ask(const char *sql)
{
    char path[FOLDER_PATH_BYTES];

    return database_ask(fixture_path(path), sql);
}

static void put_old_message(const struct event *event)
{
    char path[FOLDER_PATH_BYTES];
    sqlite3 *file = database_open(fixture_path(path));
    sqlite3_stmt *statement;
    struct buffer encoded = BUFFER_EMPTY;

    event_encode(&encoded, event);
    CU_ASSERT_EQUAL_FATAL(
        sqlite3_prepare_v2(file,
                           "INSERT INTO message (user, event) VALUES (?1, ?2)",
                           -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_text(statement, 1, event->to.data, (int)event->to.size,
                      SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, encoded.data, (int)encoded.size,
                      SQLITE_STATIC);
    CU_ASSERT_EQUAL(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(file);
    buffer_deinit(&encoded);
}

/* As version 1 stored it.  `is_seen`: not purged yet. */
static void put_old(const struct event *event, bool is_seen)
{
    char sql[256];

    put_old_message(event);
    snprintf(sql, sizeof(sql),
             "INSERT INTO seen (origin, sequence, user, at, path, message)"
             " SELECT %ld, %ld, '%.*s', unixepoch(), %ld, max(row)"
             " FROM message",
             (long)event->origin, (long)event->sequence,
             SLICE_FORMAT(event->to), (long)event->path);
    if (is_seen)
        fixture_execute(sql);
}

static void take_payload(void *argument, uint64_t row, struct slice raw)
{
    struct event event;
    const char *error;

    (void)row;
    CU_ASSERT_TRUE_FATAL(event_decode(raw, &event, &error));
    buffer_append(argument, event.payload);
    buffer_append_byte(argument, ' ');
}

static void check_messages(const char *expected)
{
    struct buffer payloads = BUFFER_EMPTY;

    store_each(archive.store, SLICE(BOB), 7, 100, take_payload, &payloads);
    ASSERT_SLICE(buffer_slice(&payloads), expected);
    buffer_deinit(&payloads);
}

static struct event first, second, third, delivered, of_eve;

/* Opened by today's version, in a transaction. */
static void open_migrated(void)
{
    fixture_open();
    store_close(&archive.store);
    fixture_execute("DROP TABLE account; DROP TABLE message; DROP TABLE seen;"
                    "DROP TABLE inbox; DROP TABLE ownership;");
    fixture_execute(version_1);
    first = fixture_message(BOB, "1");
    first.origin = UINT64_MAX - 7; /* as a boot id may be */
    first.path = 7;
    second = fixture_message(BOB, "2");
    third = fixture_message(BOB, "3");
    delivered = fixture_message(BOB, "delivered");
    of_eve = first;
    of_eve.to = SLICE(EVE);
    put_old(&first, true);
    put_old(&delivered, true);
    put_old(&second, false);
    put_old(&of_eve, true);
    put_old(&third, true);
    fixture_execute("DELETE FROM message WHERE row = 2");
    fixture_reopen();
    fixture_begin();
}

static void close_migrated(void)
{
    fixture_commit();
    fixture_close();
}

static void test_kept(void)
{
    open_migrated();
    check_messages("1 2 3 ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(EVE)), 1);
    CU_ASSERT_TRUE(store_has_account(archive.store, SLICE(BOB)));
    CU_ASSERT_EQUAL(store_mark(archive.store, SLICE(BOB)), 41);
    CU_ASSERT_EQUAL(ask("SELECT count(*) FROM inbox WHERE node = 'f1'"), 1);
    CU_ASSERT_EQUAL(ask("SELECT epoch FROM ownership"), 4);
    CU_ASSERT_EQUAL(ask("PRAGMA user_version"), 4);
    close_migrated();
}

/* What was stored is known by its id, and what was delivered by its way. */
static void test_known(void)
{
    open_migrated();
    CU_ASSERT_TRUE(store_knows(archive.store, &first));
    CU_ASSERT_TRUE(store_knows(archive.store, &third));
    CU_ASSERT_TRUE(store_knows(archive.store, &delivered));
    first.path++;
    delivered.path++;
    CU_ASSERT_TRUE(store_knows(archive.store, &first));
    CU_ASSERT_FALSE(store_knows(archive.store, &delivered));
    CU_ASSERT_FALSE(store_knows(archive.store, &second)); /* purged then */
    close_migrated();
}

static void test_dropped(void)
{
    open_migrated();
    store_drop(archive.store, &first);
    store_drop(archive.store, &delivered);
    store_drop(archive.store, &second); /* its id is not known: it stays */
    check_messages("2 3 ");
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(EVE)), 1);
    close_migrated();
}

/* New rows come after the old ones. */
static void test_goes_on(void)
{
    struct event next;

    open_migrated();
    next = fixture_message(BOB, "n");
    store_put(archive.store, &next);
    check_messages("1 2 3 n ");
    store_delete_until(archive.store, SLICE(BOB), 1, UINT64_C(5) << 20,
                       INT64_MAX);
    check_messages("n ");
    close_migrated();
}

/* Up to version 3 what had been stored during a fence was marked: its place
 * is behind what is given back, without that. */
static void test_behind(void)
{
    open_migrated();
    fixture_commit();
    fixture_execute(
        "ALTER TABLE message ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;"
        "CREATE INDEX message_behind ON message (user) WHERE behind;"
        "UPDATE message SET behind = 1 WHERE row = 3;"
        "PRAGMA user_version = 3;");
    fixture_reopen();
    fixture_begin();
    check_messages("1 2 3 ");
    first = fixture_message(BOB, "r");
    store_put_back(archive.store, &first);
    check_messages("r 1 2 3 ");
    close_migrated();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"what was stored is kept", test_kept},
        {"what was known is known", test_known},
        {"dropped by id", test_dropped},
        {"it goes on", test_goes_on},
        {"behind a fence", test_behind},
    };

    return unit_run("archive migration", cases, ARRAY_SIZE(cases));
}
