#include "base/clock.h"
#include "base/memory.h"
#include "base/sqlite.h"
#include "store.h"

enum {
    SEEN_SECONDS = 2 * 60 * 60,
    PURGED_PER_TRANSACTION = 5000,
};

/* In the place of a session that has it in custody. */
enum custody {
    CUSTODY_NONE, /* it waits: nobody was given it */
    CUSTODY_LEFT, /* some session was given it; whichever, it has lost it */
};

/*
 * Messages are ordered by `place`: their row times PLACE_GAP, so what comes is
 * behind all that is there.  What a session has been given, and the archive
 * takes custody of or gets back, is older than what still waits: it goes into
 * the gap before that.
 */
#define PLACE_GAP "1048576"
#define LAST_ROW                                                               \
    "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence"                       \
    " WHERE name = 'message')"
#define NEXT_ROW "(" LAST_ROW " + 1)"

/* In the place of a path: the client has acknowledged it. */
#define PATH_DROPPED UINT64_MAX

enum statement {
    ADD_ACCOUNT = SQLITE_FIRST_STATEMENT,
    REMOVE_ACCOUNT,
    REMOVE_MESSAGES,
    HAS_ACCOUNT,
    SEEN,
    SET_SEEN,
    PURGE_SEEN,
    DROP,
    HAS_DROPPED,
    SET_CUSTODY,
    SPARE,
    COUNT_ROW,
    COUNT,
    HAS_MESSAGES,
    PUT,
    PUT_BEFORE,
    DELETE_UNTIL,
    NEWEST,
    EACH,
    SET_MARK,
    MARK,
    ADD_INBOX,
    REMOVE_INBOX,
    EACH_INBOX,
};

static const char *const migrations[] = {
    SQLITE_OWNERSHIP_SCHEMA
    "CREATE TABLE account (user TEXT PRIMARY KEY, mark INTEGER NOT NULL"
    " DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE message (row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user TEXT NOT NULL, event BLOB NOT NULL);"
    "CREATE INDEX message_user ON message (user, row);"
    "CREATE TABLE seen (row INTEGER PRIMARY KEY, origin INTEGER NOT NULL,"
    " sequence INTEGER NOT NULL, user TEXT NOT NULL, at INTEGER NOT NULL,"
    " path INTEGER NOT NULL, message INTEGER NOT NULL,"
    " UNIQUE (origin, sequence, user, path));"
    "CREATE TABLE inbox (node TEXT PRIMARY KEY) WITHOUT ROWID;",
    "ALTER TABLE message ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN behind INTEGER NOT NULL DEFAULT 0;"
    "UPDATE message SET origin = seen.origin, sequence = seen.sequence"
    " FROM seen WHERE seen.message = message.row;"
    "ALTER TABLE message ADD COLUMN custody INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "UPDATE message SET place = row << 20;"
    "DROP INDEX message_user;"
    "CREATE INDEX message_place ON message (user, place);"
    "CREATE INDEX message_id ON message (origin, sequence);"
    "CREATE INDEX message_behind ON message (user) WHERE behind;"
    "ALTER TABLE seen DROP COLUMN message;",
    /* Who loses a session gets thousands back; each looks for what waits. */
    "CREATE INDEX message_waits ON message (user, place) WHERE custody = 0;",
    "DROP INDEX message_behind;"
    "ALTER TABLE message DROP COLUMN behind;",
};

struct store *store_open(const char *url, unsigned partition, bool is_full,
                         struct store_error *error_out)
{
    static const struct sqlite_schema schema = {"archive", migrations,
                                                ARRAY_SIZE(migrations)};

    return sqlite_open(&schema, url, partition, is_full, error_out);
}

/* One statement whose first parameter is a text. */
static sqlite3_stmt *with_text(struct store *store, enum statement index,
                               const char *sql, struct slice text)
{
    sqlite3_stmt *statement = sqlite_statement(store, index, sql);

    sqlite_bind_slice(statement, 1, text);
    return statement;
}

/* ... whose first three are whose message it is, and its id. */
static sqlite3_stmt *with_id(struct store *store, enum statement index,
                             const char *sql, const struct event *event)
{
    sqlite3_stmt *statement = with_text(store, index, sql, event->to);

    sqlite_bind_u64(statement, 2, event->origin);
    sqlite_bind_u64(statement, 3, event->sequence);
    return statement;
}

void store_add_account(struct store *store, struct slice user)
{
    sqlite_run(store,
               with_text(store, ADD_ACCOUNT,
                         "INSERT OR IGNORE INTO account (user) VALUES (?1)",
                         user));
}

void store_remove_account(struct store *store, struct slice user)
{
    sqlite_run(store, with_text(store, REMOVE_ACCOUNT,
                                "DELETE FROM account WHERE user = ?1", user));
    sqlite_run(store, with_text(store, REMOVE_MESSAGES,
                                "DELETE FROM message WHERE user = ?1", user));
}

bool store_has_account(struct store *store, struct slice user)
{
    return sqlite_number(store,
                         with_text(store, HAS_ACCOUNT,
                                   "SELECT 1 FROM account WHERE user = ?1",
                                   user)) != 0;
}

bool store_knows(struct store *store, const struct event *event)
{
    sqlite3_stmt *seen =
        with_id(store, SEEN,
                "SELECT 1 FROM seen WHERE origin = ?2 AND sequence = ?3 AND"
                " user = ?1 AND path IN (?4, ?5) UNION ALL"
                " SELECT 1 FROM message WHERE origin = ?2 AND sequence = ?3"
                " AND user = ?1",
                event);

    sqlite_bind_u64(seen, 4, event->path);
    sqlite_bind_u64(seen, 5, PATH_DROPPED);
    return sqlite_number(store, seen) != 0;
}

static void note(struct store *store, const struct event *event, uint64_t path)
{
    sqlite3_stmt *seen = with_id(store, SET_SEEN,
                                 "INSERT OR IGNORE INTO seen"
                                 " (user, origin, sequence, path, at)"
                                 " VALUES (?1, ?2, ?3, ?4, ?5)",
                                 event);

    sqlite_bind_u64(seen, 4, path);
    sqlite_bind_u64(seen, 5, clock_unix_ms() / 1000);
    sqlite_run(store, seen);
}

void store_drop(struct store *store, const struct event *event)
{
    sqlite_run(store,
               with_id(store, DROP,
                       "DELETE FROM message WHERE user = ?1 AND origin = ?2"
                       " AND sequence = ?3",
                       event));
    note(store, event, PATH_DROPPED);
}

bool store_has_dropped(struct store *store, const struct event *event)
{
    sqlite3_stmt *seen =
        with_id(store, HAS_DROPPED,
                "SELECT 1 FROM seen WHERE origin = ?2 AND sequence = ?3 AND"
                " user = ?1 AND path = ?4",
                event);

    sqlite_bind_u64(seen, 4, PATH_DROPPED);
    return sqlite_number(store, seen) != 0;
}

void store_purge(struct store *store)
{
    sqlite3_stmt *purge = sqlite_statement(
        store, PURGE_SEEN,
        "DELETE FROM seen WHERE row IN (SELECT row FROM"
        " (SELECT row, at FROM seen ORDER BY row LIMIT ?1) WHERE at < ?2)");

    sqlite_bind_u64(purge, 1, PURGED_PER_TRANSACTION);
    sqlite_bind_u64(purge, 2, clock_unix_ms() / 1000 - SEEN_SECONDS);
    sqlite_run(store, purge);
}

uint64_t store_count(struct store *store, struct slice user)
{
    return sqlite_number(
        store, with_text(store, COUNT,
                         "SELECT count(*) FROM message WHERE user = ?1", user));
}

bool store_has_messages(struct store *store, struct slice user)
{
    return sqlite_number(
               store, with_text(store, HAS_MESSAGES,
                                "SELECT 1 FROM message WHERE user = ?1 LIMIT 1",
                                user)) != 0;
}

static void put_message(struct store *store, sqlite3_stmt *put,
                        const struct event *event, uint64_t custody)
{
    struct buffer encoded = BUFFER_EMPTY;

    event_encode(&encoded, event);
    sqlite_bind_bytes(put, 4, buffer_slice(&encoded));
    sqlite_bind_u64(put, 5, custody);
    sqlite_run(store, put);
    buffer_deinit(&encoded);
    note(store, event, event->path);
}

void store_put(struct store *store, const struct event *event)
{
    put_message(store,
                with_id(store, PUT,
                        "INSERT INTO message"
                        " (user, origin, sequence, event, custody, place)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, " NEXT_ROW " * " PLACE_GAP
                        ")",
                        event),
                event, CUSTODY_NONE);
}

static sqlite3_stmt *put_before_what_waits(struct store *store,
                                           const struct event *event)
{
    return with_id(
        store, PUT_BEFORE,
        "INSERT INTO message"
        " (user, origin, sequence, event, custody, place)"
        " WITH waits AS (SELECT min(place) AS place FROM message"
        " WHERE user = ?1 AND custody = 0)"
        " SELECT ?1, ?2, ?3, ?4, ?5, CASE WHEN waits.place IS NULL"
        " THEN " NEXT_ROW " * " PLACE_GAP " ELSE max(waits.place - " PLACE_GAP
        " + 1, (SELECT"
        " coalesce(max(place), 0) + 1 FROM message WHERE user = ?1 AND"
        " place < waits.place)) END FROM waits",
        event);
}

void store_put_back(struct store *store, const struct event *event)
{
    put_message(store, put_before_what_waits(store, event), event,
                CUSTODY_LEFT);
}

/* An update of rows, AUTOINCREMENT's count of them included; false: no row. */
static bool renumber(struct store *store, sqlite3_stmt *update)
{
    sqlite_run(store, update);
    if (sqlite3_changes(store->handle) == 0)
        return false;
    sqlite_run(store, sqlite_statement(store, COUNT_ROW,
                                       "UPDATE sqlite_sequence SET seq ="
                                       " seq + 1 WHERE name = 'message'"));
    return true;
}

void store_spare(struct store *store, const struct event *event)
{
    renumber(store,
             with_id(store, SPARE,
                     "UPDATE message SET row = " NEXT_ROW
                     " WHERE user = ?1 AND origin = ?2 AND sequence = ?3",
                     event));
}

void store_take_custody(struct store *store, const struct event *event)
{
    sqlite3_stmt *set =
        with_id(store, SET_CUSTODY,
                "UPDATE message SET custody = ?4, row = " NEXT_ROW
                " WHERE user = ?1 AND origin = ?2 AND sequence = ?3",
                event);

    sqlite_bind_u64(set, 4, event->session);
    if (!renumber(store, set))
        put_message(store, put_before_what_waits(store, event), event,
                    event->session);
}

void store_delete_until(struct store *store, struct slice user,
                        uint64_t session, uint64_t place, uint64_t newest)
{
    sqlite3_stmt *delete_until =
        with_text(store, DELETE_UNTIL,
                  "DELETE FROM message WHERE user = ?1 AND place <= ?2 AND"
                  " custody <> ?3 AND row <= ?4",
                  user);

    sqlite_bind_u64(delete_until, 2, place);
    sqlite_bind_u64(delete_until, 3, session);
    sqlite_bind_u64(delete_until, 4, newest);
    sqlite_run(store, delete_until);
}

uint64_t store_newest(struct store *store)
{
    return sqlite_number(store,
                         sqlite_statement(store, NEWEST, "SELECT " LAST_ROW));
}

bool store_each(struct store *store, struct slice user, uint64_t session,
                uint64_t limit, store_row_fn take, void *argument)
{
    sqlite3_stmt *each =
        with_text(store, EACH,
                  "SELECT place, event FROM message WHERE user = ?1 AND"
                  " custody <> ?3 ORDER BY place LIMIT ?2",
                  user);
    bool has_more = false;

    sqlite_bind_u64(each, 2, limit + 1);
    sqlite_bind_u64(each, 3, session);
    while (!has_more && sqlite_step(store, each)) {
        if (limit-- == 0)
            has_more = true;
        else
            take(argument, sqlite_column_u64(each, 0), sqlite_column(each, 1));
    }
    sqlite3_reset(each);
    return has_more;
}

void store_set_mark(struct store *store, struct slice user, uint64_t mark)
{
    sqlite3_stmt *set = with_text(
        store, SET_MARK, "UPDATE account SET mark = ?2 WHERE user = ?1", user);

    sqlite_bind_u64(set, 2, mark);
    sqlite_run(store, set);
}

uint64_t store_mark(struct store *store, struct slice user)
{
    return sqlite_number(
        store, with_text(store, MARK,
                         "SELECT mark FROM account WHERE user = ?1", user));
}

void store_add_inbox(struct store *store, struct slice node)
{
    sqlite_run(store,
               with_text(store, ADD_INBOX,
                         "INSERT OR IGNORE INTO inbox VALUES (?1)", node));
}

void store_remove_inbox(struct store *store, struct slice node)
{
    sqlite_run(store, with_text(store, REMOVE_INBOX,
                                "DELETE FROM inbox WHERE node = ?1", node));
}

void store_each_inbox(struct store *store, store_inbox_fn take, void *argument)
{
    sqlite3_stmt *each =
        sqlite_statement(store, EACH_INBOX, "SELECT node FROM inbox");

    while (sqlite_step(store, each))
        take(argument, sqlite_column(each, 0));
    sqlite3_reset(each);
}
