#include "base/sqlite.h"
#include "store.h"

enum statement {
    SECRET = SQLITE_FIRST_STATEMENT,
    HAS_ACCOUNT,
    ADD_ACCOUNT,
    REMOVE_ACCOUNT,
    SET_KEYS,
    FIND_KEYS,
    EACH_ACCOUNT,
    FIND_ITEM,
    SET_ITEM,
    REMOVE_ITEM,
    COUNT_ITEMS,
    LAST_REQUEST,
    OLDEST_REQUEST,
    EACH_ITEM,
};

static const char *const migrations[] = {
    SQLITE_OWNERSHIP_SCHEMA
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
    " PRIMARY KEY (user, jid)) WITHOUT ROWID;",
    /* Version 1 kept the payload alone: prefixes may be declared outside of
     * it, and a client that is given an unbound one ends its stream. */
    "UPDATE item SET request = x'' WHERE instr(request, x'3a');"
    "ALTER TABLE item ADD COLUMN request_id TEXT;"
    "ALTER TABLE item ADD COLUMN request_lang TEXT;"
    "ALTER TABLE item ADD COLUMN request_extra BLOB;",
    "ALTER TABLE item ADD COLUMN request_number INTEGER NOT NULL DEFAULT 0;",
};

struct store *store_open(const char *url, unsigned partition, bool is_full,
                         struct store_error *error_out)
{
    static const struct sqlite_schema schema = {"roster", migrations,
                                                ARRAY_SIZE(migrations)};

    return sqlite_open(&schema, url, partition, is_full, error_out);
}

/* A statement whose first parameters are texts. */
static sqlite3_stmt *with_texts(struct store *store, enum statement index,
                                const char *sql, struct slice first,
                                struct slice second)
{
    sqlite3_stmt *statement = sqlite_statement(store, index, sql);

    sqlite_bind_slice(statement, 1, first);
    if (second.data)
        sqlite_bind_slice(statement, 2, second);
    return statement;
}

struct slice store_secret(struct store *store, struct arena *arena)
{
    sqlite3_stmt *statement =
        sqlite_statement(store, SECRET, "SELECT bytes FROM secret");
    struct slice secret = SLICE("");

    if (sqlite_step(store, statement))
        secret = arena_copy(arena, sqlite_column(statement, 0));
    sqlite3_reset(statement);
    return secret;
}

/* Accounts. */

bool store_has_account(struct store *store, struct slice user)
{
    return sqlite_number(store,
                         with_texts(store, HAS_ACCOUNT,
                                    "SELECT 1 FROM account WHERE user = ?1",
                                    user, SLICE_NONE)) != 0;
}

void store_add_account(struct store *store, struct slice user)
{
    sqlite_run(store, with_texts(store, ADD_ACCOUNT,
                                 "INSERT OR IGNORE INTO account VALUES (?1)",
                                 user, SLICE_NONE));
}

void store_remove_account(struct store *store, struct slice user)
{
    sqlite_run(store, with_texts(store, REMOVE_ACCOUNT,
                                 "DELETE FROM account WHERE user = ?1", user,
                                 SLICE_NONE));
}

void store_set_keys(struct store *store, struct slice user,
                    struct slice mechanism, const struct store_keys *keys)
{
    sqlite3_stmt *set = with_texts(
        store, SET_KEYS,
        "INSERT OR REPLACE INTO scram VALUES (?1, ?2, ?3, ?4, ?5, ?6)", user,
        mechanism);

    sqlite_bind_u64(set, 3, keys->iterations);
    sqlite_bind_bytes(set, 4, keys->salt);
    sqlite_bind_bytes(set, 5, keys->stored_key);
    sqlite_bind_bytes(set, 6, keys->server_key);
    sqlite_run(store, set);
}

bool store_find_keys(struct store *store, struct arena *arena,
                     struct slice user, struct slice mechanism,
                     struct store_keys *keys_out)
{
    sqlite3_stmt *find =
        with_texts(store, FIND_KEYS,
                   "SELECT iterations, salt, stored_key, server_key FROM scram"
                   " WHERE user = ?1 AND mechanism = ?2",
                   user, mechanism);
    bool is_there = sqlite_step(store, find);

    if (is_there) {
        keys_out->iterations = sqlite_column_u64(find, 0);
        keys_out->salt = arena_copy(arena, sqlite_column(find, 1));
        keys_out->stored_key = arena_copy(arena, sqlite_column(find, 2));
        keys_out->server_key = arena_copy(arena, sqlite_column(find, 3));
    }
    sqlite3_reset(find);
    return is_there;
}

void store_each_account(struct store *store, store_name_fn take, void *argument)
{
    sqlite3_stmt *each =
        sqlite_statement(store, EACH_ACCOUNT, "SELECT user FROM account");

    while (sqlite_step(store, each))
        take(argument, sqlite_column(each, 0));
    sqlite3_reset(each);
}

/* Items. */

#define ITEM_COLUMNS                                                           \
    "jid, name, groups, state, listed, request, request_id, request_lang,"     \
    " request_extra, request_number"

static void read_item(struct arena *arena, sqlite3_stmt *row,
                      struct store_item *item)
{
    item->jid = arena_copy(arena, sqlite_column(row, 0));
    item->name = arena_copy(arena, sqlite_column(row, 1));
    item->groups = arena_copy(arena, sqlite_column(row, 2));
    item->state = (enum subscription_state)sqlite_column_u64(row, 3);
    item->is_listed = sqlite_column_u64(row, 4) != 0;
    item->request.payload = arena_copy(arena, sqlite_column(row, 5));
    item->request.id = arena_copy(arena, sqlite_column(row, 6));
    item->request.lang = arena_copy(arena, sqlite_column(row, 7));
    item->request.extra = arena_copy(arena, sqlite_column(row, 8));
    item->request.number = sqlite_column_u64(row, 9);
}

static bool one_item(struct store *store, struct arena *arena,
                     sqlite3_stmt *find, struct store_item *item_out)
{
    bool is_there = sqlite_step(store, find);

    if (is_there)
        read_item(arena, find, item_out);
    sqlite3_reset(find);
    return is_there;
}

bool store_find_item(struct store *store, struct arena *arena,
                     struct slice user, struct slice jid,
                     struct store_item *item_out)
{
    *item_out = (struct store_item){.jid = jid};
    return one_item(store, arena,
                    with_texts(store, FIND_ITEM,
                               "SELECT " ITEM_COLUMNS
                               " FROM item WHERE user = ?1 AND jid = ?2",
                               user, jid),
                    item_out);
}

void store_set_item(struct store *store, struct slice user,
                    const struct store_item *item)
{
    sqlite3_stmt *set =
        with_texts(store, SET_ITEM,
                   "INSERT OR REPLACE INTO item (user, " ITEM_COLUMNS
                   ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                   user, item->jid);

    sqlite_bind_slice(set, 3, item->name);
    sqlite_bind_bytes(set, 4, item->groups);
    sqlite_bind_u64(set, 5, item->state);
    sqlite_bind_u64(set, 6, item->is_listed);
    sqlite_bind_bytes(set, 7, item->request.payload);
    sqlite_bind_slice(set, 8, item->request.id);
    sqlite_bind_slice(set, 9, item->request.lang);
    sqlite_bind_bytes(set, 10, item->request.extra);
    sqlite_bind_u64(set, 11, item->request.number);
    sqlite_run(store, set);
}

void store_remove_item(struct store *store, struct slice user, struct slice jid)
{
    sqlite_run(store,
               with_texts(store, REMOVE_ITEM,
                          "DELETE FROM item WHERE user = ?1 AND jid = ?2", user,
                          jid));
}

uint64_t store_count_items(struct store *store, struct slice user,
                           bool is_listed)
{
    sqlite3_stmt *count = with_texts(store, COUNT_ITEMS,
                                     "SELECT count(*) FROM item"
                                     " WHERE user = ?1 AND listed = ?2",
                                     user, SLICE_NONE);

    sqlite_bind_u64(count, 2, is_listed);
    return sqlite_number(store, count);
}

uint64_t store_last_request(struct store *store, struct slice user)
{
    return sqlite_number(store,
                         with_texts(store, LAST_REQUEST,
                                    "SELECT max(request_number) FROM item"
                                    " WHERE user = ?1",
                                    user, SLICE_NONE));
}

bool store_find_oldest_request(struct store *store, struct arena *arena,
                               struct slice user, struct store_item *item_out)
{
    return one_item(store, arena,
                    with_texts(store, OLDEST_REQUEST,
                               "SELECT " ITEM_COLUMNS
                               " FROM item WHERE user = ?1 AND listed = 0"
                               " ORDER BY request_number, jid LIMIT 1",
                               user, SLICE_NONE),
                    item_out);
}

void store_each_item(struct store *store, struct arena *arena,
                     struct slice user, store_item_fn take, void *argument)
{
    sqlite3_stmt *each = with_texts(
        store, EACH_ITEM, "SELECT " ITEM_COLUMNS " FROM item WHERE user = ?1",
        user, SLICE_NONE);

    while (sqlite_step(store, each)) {
        struct store_item item;

        read_item(arena, each, &item);
        take(argument, &item);
    }
    sqlite3_reset(each);
}
