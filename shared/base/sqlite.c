#include "base/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { BUSY_MS = 5000, PATH_BYTES = 4096 };

static _Thread_local char error_text[512];

static bool complain(struct sqlite *sqlite, const char *what,
                     const char **error_out)
{
    snprintf(error_text, sizeof(error_text), "%s: %s", what,
             sqlite->handle ? sqlite3_errmsg(sqlite->handle) : strerror(errno));
    *error_out = error_text;
    sqlite_close(sqlite);
    return false;
}

static bool execute(struct sqlite *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static int schema_version(struct sqlite *sqlite)
{
    sqlite3_stmt *statement;
    int version = -1;

    if (sqlite3_prepare_v2(sqlite->handle, "PRAGMA user_version", -1,
                           &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static bool migrate(struct sqlite *sqlite, const char *const *migrations,
                    int migration_count, const char **error_out)
{
    int version;
    char pragma[64];

    if (!execute(sqlite, "BEGIN IMMEDIATE"))
        return complain(sqlite, "cannot be locked", error_out);
    version = schema_version(sqlite);
    if (version > migration_count) {
        *error_out = "its schema is newer than this program";
        sqlite_close(sqlite);
        return false;
    }
    for (; version < migration_count; version++) {
        if (version < 0 || !execute(sqlite, migrations[version]))
            return complain(sqlite, "cannot be migrated", error_out);
    }
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version);
    if (!execute(sqlite, pragma) || !execute(sqlite, "COMMIT"))
        return complain(sqlite, "cannot be migrated", error_out);
    return true;
}

bool sqlite_open(struct sqlite *sqlite, const char *path, bool is_full,
                 const char *const *migrations, int migration_count,
                 const char **error_out)
{
    memset(sqlite, 0, sizeof(*sqlite));
    if (sqlite3_open_v2(path, &sqlite->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return complain(sqlite, path, error_out);
    sqlite3_busy_timeout(sqlite->handle, BUSY_MS);
    if (!execute(sqlite, "PRAGMA journal_mode = WAL") ||
        !execute(sqlite, is_full ? "PRAGMA synchronous = FULL"
                                 : "PRAGMA synchronous = NORMAL") ||
        !execute(sqlite, "PRAGMA foreign_keys = ON"))
        return complain(sqlite, path, error_out);
    return migrate(sqlite, migrations, migration_count, error_out);
}

void sqlite_close(struct sqlite *sqlite)
{
    for (unsigned i = 0; i < SQLITE_STATEMENTS_MAX; i++) {
        sqlite3_finalize(sqlite->statements[i]);
        sqlite->statements[i] = NULL;
    }
    sqlite3_close(sqlite->handle);
    sqlite->handle = NULL;
}

bool sqlite_begin(struct sqlite *sqlite)
{
    sqlite->has_failed = false;
    sqlite->refusal = NULL;
    sqlite->changes = sqlite3_total_changes(sqlite->handle);
    if (execute(sqlite, "BEGIN IMMEDIATE"))
        return true;
    log_error("store: %s", sqlite3_errmsg(sqlite->handle));
    return false;
}

static void reset_statements(struct sqlite *sqlite)
{
    for (unsigned i = 0; i < SQLITE_STATEMENTS_MAX; i++) {
        if (sqlite->statements[i])
            sqlite3_reset(sqlite->statements[i]);
    }
}

bool sqlite_rollback(struct sqlite *sqlite, bool *has_changed_out)
{
    *has_changed_out = sqlite3_total_changes(sqlite->handle) != sqlite->changes;
    reset_statements(sqlite);
    if (!execute(sqlite, "ROLLBACK")) {
        log_error("store: %s", sqlite3_errmsg(sqlite->handle));
        return false;
    }
    return !sqlite->has_failed;
}

bool sqlite_commit(struct sqlite *sqlite)
{
    reset_statements(sqlite);
    if (!sqlite->has_failed && execute(sqlite, "COMMIT"))
        return true;
    log_error("store: transaction rolled back: %s",
              sqlite3_errmsg(sqlite->handle));
    if (!execute(sqlite, "ROLLBACK"))
        log_error("store: %s", sqlite3_errmsg(sqlite->handle));
    return false;
}

const char *sqlite_refusal(const struct sqlite *sqlite)
{
    return sqlite->refusal;
}

sqlite3_stmt *sqlite_statement(struct sqlite *sqlite, unsigned index,
                               const char *sql)
{
    sqlite3_stmt **statement = &sqlite->statements[index];

    BUG_ON(index >= SQLITE_STATEMENTS_MAX);
    if (!*statement &&
        sqlite3_prepare_v3(sqlite->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL) != SQLITE_OK) {
        log_error("store: %s in: %s", sqlite3_errmsg(sqlite->handle), sql);
        sqlite->has_failed = true;
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
static void note_failure(struct sqlite *sqlite, int result)
{
    if (!sqlite->has_failed && is_refusal(result))
        sqlite->refusal = sqlite3_errstr(result);
    sqlite->has_failed = true;
}

bool sqlite_step(struct sqlite *sqlite, sqlite3_stmt *statement)
{
    int result = statement ? sqlite3_step(statement) : SQLITE_MISUSE;

    if (result == SQLITE_ROW)
        return true;
    if (result != SQLITE_DONE) {
        note_failure(sqlite, result);
        if (statement)
            log_error("store: %s", sqlite3_errmsg(sqlite->handle));
    }
    return false;
}

void sqlite_run(struct sqlite *sqlite, sqlite3_stmt *statement)
{
    while (sqlite_step(sqlite, statement))
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

/* Only a new epoch is written: reading alone must cost no write. */
void sqlite_fence(struct sqlite *sqlite, unsigned index, uint64_t epoch)
{
    sqlite3_stmt *statement =
        sqlite_statement(sqlite, index, "SELECT epoch FROM ownership");
    uint64_t latest = sqlite_step(sqlite, statement)
                          ? sqlite_column_u64(statement, 0)
                          : UINT64_MAX;

    sqlite3_reset(statement);
    if (latest == epoch)
        return;
    if (latest < epoch) {
        statement = sqlite_statement(sqlite, index + 1,
                                     "UPDATE ownership SET epoch = ?1");
        sqlite_bind_u64(statement, 1, epoch);
        sqlite_run(sqlite, statement);
        return;
    }
    log_error("store: a later owner of this partition has written; we are not "
              "its owner any more");
    sqlite->has_failed = true;
}

/* NULL: not of that form. */
static const char *folder_of(const char *url)
{
    return strncmp(url, "sqlite:", 7) == 0 && url[7] ? url + 7 : NULL;
}

/* A directory is not made: a mistyped one would look like an empty store. */
bool sqlite_check_url(const char *url, struct buffer *why_out)
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

bool sqlite_path(const char *url, const char *name, unsigned partition,
                 char *out)
{
    const char *folder = folder_of(url);

    return folder && snprintf(out, PATH_BYTES, "%s/%s.%02u.db", folder, name,
                              partition) < PATH_BYTES;
}
