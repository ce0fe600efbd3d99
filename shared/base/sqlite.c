#include "base/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

enum { BUSY_MS = 5000, PATH_BYTES = 4096 };

enum { FENCE, FENCE_SET };

const char *const store_synchronous[] = {
    [STORE_FULL] = "full", [STORE_NORMAL] = "normal", NULL};

static _Thread_local char error_text[PATH_BYTES + 128];

/* NULL: not of that form. */
static const char *folder_of(const char *url)
{
    return strncmp(url, "sqlite:", 7) == 0 && url[7] ? url + 7 : NULL;
}

/* A directory is not made: a mistyped one would look like an empty store. */
bool store_check(const char *url, struct buffer *why_out)
{
    const char *folder = folder_of(url);
    struct stat status;

    if (!folder)
        buffer_appendf(why_out, "expected sqlite:DIR, got \"%s\"", url);
    else if (stat(folder, &status) == 0 && !S_ISDIR(status.st_mode))
        buffer_appendf(why_out, "expected a directory, \"%s\" is none", folder);
    else if (access(folder, W_OK | X_OK) != 0)
        buffer_appendf(why_out, "expected a directory to write to, \"%s\": %s",
                       folder, strerror(errno));
    return why_out->size == 0;
}

/* "sqlite:DIR" to "DIR/<name>.07.db"; false: no such URL, or too long. */
static bool make_path(const char *url, const char *name, unsigned partition,
                      char out[PATH_BYTES])
{
    const char *folder = folder_of(url);

    return folder && snprintf(out, PATH_BYTES, "%s/%s.%02u.db", folder, name,
                              partition) < PATH_BYTES;
}

static bool complain(struct store *store, const char *what,
                     struct store_error *error_out)
{
    snprintf(error_text, sizeof(error_text), "%s: %s", what,
             store->handle ? sqlite3_errmsg(store->handle) : strerror(errno));
    *error_out = (struct store_error){.reason = error_text};
    return false;
}

static bool complain_newer(const struct store *store, int found, int known,
                           struct store_error *error_out)
{
    snprintf(error_text, sizeof(error_text),
             "%s has schema version %d, this program knows up to %d",
             sqlite3_db_filename(store->handle, "main"), found, known);
    *error_out = (struct store_error){.reason = error_text, .is_newer = true};
    return false;
}

static bool execute(struct store *store, const char *sql)
{
    return sqlite3_exec(store->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int schema_version(struct store *store)
{
    sqlite3_stmt *statement;
    int version = -1;

    if (sqlite3_prepare_v2(store->handle, "PRAGMA user_version", -1, &statement,
                           NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static bool migrate(struct store *store, const struct sqlite_schema *schema,
                    struct store_error *error_out)
{
    int version;
    char pragma[64];

    if (!execute(store, "BEGIN IMMEDIATE"))
        return complain(store, "cannot be locked", error_out);
    version = schema_version(store);
    if (version > schema->version)
        return complain_newer(store, version, schema->version, error_out);
    for (; version < schema->version; version++) {
        if (version < 0 || !execute(store, schema->migrations[version]))
            return complain(store, "cannot be migrated", error_out);
    }
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version);
    if (!execute(store, pragma) || !execute(store, "COMMIT"))
        return complain(store, "cannot be migrated", error_out);
    return true;
}

static bool open_file(struct store *store, const char *path, bool is_full,
                      struct store_error *error_out)
{
    if (sqlite3_open_v2(path, &store->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return complain(store, path, error_out);
    sqlite3_busy_timeout(store->handle, BUSY_MS);
    if (!execute(store, "PRAGMA journal_mode = WAL") ||
        !execute(store, is_full ? "PRAGMA synchronous = FULL"
                                : "PRAGMA synchronous = NORMAL") ||
        !execute(store, "PRAGMA foreign_keys = ON"))
        return complain(store, path, error_out);
    return true;
}

struct store *sqlite_open(const struct sqlite_schema *schema, const char *url,
                          unsigned partition, bool is_full,
                          struct store_error *error_out)
{
    char path[PATH_BYTES];
    struct store *store;

    if (!make_path(url, schema->name, partition, path)) {
        *error_out =
            (struct store_error){.reason = "store: expected sqlite:DIR"};
        return NULL;
    }
    store = memory_new(sizeof(*store));
    if (!open_file(store, path, is_full, error_out) ||
        !migrate(store, schema, error_out))
        store_close(&store);
    return store;
}

void store_close(struct store **store)
{
    if (!*store)
        return;
    for (unsigned i = 0; i < SQLITE_STATEMENTS_MAX; i++)
        sqlite3_finalize((*store)->statements[i]);
    sqlite3_close((*store)->handle);
    memory_free(store);
}

bool store_begin(struct store *store)
{
    store->has_failed = false;
    store->refusal[0] = '\0';
    store->changes = sqlite3_total_changes(store->handle);
    if (execute(store, "BEGIN IMMEDIATE"))
        return true;
    log_error("store: %s", sqlite3_errmsg(store->handle));
    return false;
}

static void reset_statements(struct store *store)
{
    for (unsigned i = 0; i < SQLITE_STATEMENTS_MAX; i++) {
        if (store->statements[i])
            sqlite3_reset(store->statements[i]);
    }
}

bool store_rollback(struct store *store, bool *has_changed_out)
{
    *has_changed_out = sqlite3_total_changes(store->handle) != store->changes;
    reset_statements(store);
    if (!execute(store, "ROLLBACK")) {
        log_error("store: %s", sqlite3_errmsg(store->handle));
        return false;
    }
    return !store->has_failed;
}

bool store_commit(struct store *store)
{
    reset_statements(store);
    if (!store->has_failed && execute(store, "COMMIT"))
        return true;
    log_error("store: transaction rolled back: %s",
              sqlite3_errmsg(store->handle));
    if (!execute(store, "ROLLBACK"))
        log_error("store: %s", sqlite3_errmsg(store->handle));
    return false;
}

const char *store_refusal(const struct store *store)
{
    return store->refusal[0] ? store->refusal : NULL;
}

sqlite3_stmt *sqlite_statement(struct store *store, unsigned index,
                               const char *sql)
{
    sqlite3_stmt **statement = &store->statements[index];

    BUG_ON(index >= SQLITE_STATEMENTS_MAX);
    if (!*statement &&
        sqlite3_prepare_v3(store->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL) != SQLITE_OK) {
        log_error("store: %s in: %s", sqlite3_errmsg(store->handle), sql);
        store->has_failed = true;
        return NULL;
    }
    sqlite3_reset(*statement);
    sqlite3_clear_bindings(*statement);
    return *statement;
}

void sqlite_bind_slice(sqlite3_stmt *statement, int position, struct slice text)
{
    sqlite3_bind_text(statement, position, text.data, (int)text.size,
                      SQLITE_STATIC);
}

void sqlite_bind_bytes(sqlite3_stmt *statement, int position,
                       struct slice bytes)
{
    sqlite3_bind_blob(statement, position, bytes.data, (int)bytes.size,
                      SQLITE_STATIC);
}

void sqlite_bind_u64(sqlite3_stmt *statement, int position, uint64_t number)
{
    sqlite3_bind_int64(statement, position, (sqlite3_int64)number);
}

/* Not the store's fault, but of what it was given? */
static bool is_refusal(int result)
{
    return result == SQLITE_CONSTRAINT || result == SQLITE_TOOBIG ||
           result == SQLITE_MISMATCH;
}

/* Of several failures the first one counts. */
static void note_failure(struct store *store, int result)
{
    if (!store->has_failed && is_refusal(result))
        snprintf(store->refusal, sizeof(store->refusal), "%s",
                 sqlite3_errmsg(store->handle));
    store->has_failed = true;
}

bool sqlite_step(struct store *store, sqlite3_stmt *statement)
{
    int result = statement ? sqlite3_step(statement) : SQLITE_MISUSE;

    if (result == SQLITE_ROW)
        return true;
    if (result != SQLITE_DONE) {
        note_failure(store, result);
        if (statement)
            log_error("store: %s", sqlite3_errmsg(store->handle));
    }
    return false;
}

void sqlite_run(struct store *store, sqlite3_stmt *statement)
{
    while (sqlite_step(store, statement))
        continue;
    sqlite3_reset(statement);
}

struct slice sqlite_column(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);

    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return SLICE_NONE;
    return (struct slice){data ? data : "", size};
}

uint64_t sqlite_column_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

uint64_t sqlite_number(struct store *store, sqlite3_stmt *statement)
{
    uint64_t number =
        sqlite_step(store, statement) ? sqlite_column_u64(statement, 0) : 0;

    sqlite3_reset(statement);
    return number;
}

/* Only a new epoch is written: reading alone must cost no write. */
void store_fence(struct store *store, uint64_t epoch)
{
    sqlite3_stmt *statement =
        sqlite_statement(store, FENCE, "SELECT epoch FROM ownership");
    uint64_t latest = sqlite_step(store, statement)
                          ? sqlite_column_u64(statement, 0)
                          : UINT64_MAX;

    sqlite3_reset(statement);
    if (latest == epoch)
        return;
    if (latest < epoch) {
        statement = sqlite_statement(store, FENCE_SET,
                                     "UPDATE ownership SET epoch = ?1");
        sqlite_bind_u64(statement, 1, epoch);
        sqlite_run(store, statement);
        return;
    }
    log_error("store: a later owner of this partition has written; we are not "
              "its owner any more");
    store->has_failed = true;
}
