/*
 * Stores in SQLite: opening with the right pragmas, migrating, statements
 * prepared once.  Implements base/store.h; a service's store_sqlite.c adds the
 * SQL of what it keeps.
 */
#ifndef BASE_SQLITE_H
#define BASE_SQLITE_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/store.h"

/* A service numbers its statements from the first; those before it are the
 * fence's. */
enum {
    SQLITE_FIRST_STATEMENT = 2,
    SQLITE_STATEMENTS_MAX = 48,
    SQLITE_REFUSAL_BYTES = 256,
};

struct store {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQLITE_STATEMENTS_MAX];
    bool has_failed;                    /* in this transaction */
    char refusal[SQLITE_REFUSAL_BYTES]; /* see store_refusal; empty: none */
    int changes;                        /* before it */
};

struct sqlite_schema {
    const char *name;              /* of the files: DIR/<name>.07.db */
    const char *const *migrations; /* [i] brings version i to i + 1 */
    int version;                   /* how many they are */
};

/* Begins every first migration: store_fence needs it. */
#define SQLITE_OWNERSHIP_SCHEMA                                                \
    "CREATE TABLE ownership (epoch INTEGER NOT NULL);"                         \
    "INSERT INTO ownership VALUES (0);"

/*
 * Makes the file if need be, WAL mode; `is_full`: a commit survives power loss,
 * else only the process's death.  NULL: error_out says why.
 */
struct store *sqlite_open(const struct sqlite_schema *schema, const char *url,
                          unsigned partition, bool is_full,
                          struct store_error *error_out) WARN_UNUSED;

/* The statement kept under `index`, prepared from `sql` on first use, reset and
 * with nothing bound. */
sqlite3_stmt *sqlite_statement(struct store *store, unsigned index,
                               const char *sql);
/* The bytes must live until the statement is reset. */
void sqlite_bind_slice(sqlite3_stmt *statement, int position,
                       struct slice text);
void sqlite_bind_bytes(sqlite3_stmt *statement, int position,
                       struct slice bytes);
void sqlite_bind_u64(sqlite3_stmt *statement, int position, uint64_t number);
/* True: a row.  False: the end, or a failure, which is remembered. */
bool sqlite_step(struct store *store, sqlite3_stmt *statement);
/* Steps to the end. */
void sqlite_run(struct store *store, sqlite3_stmt *statement);
/* Valid until the next step. */
struct slice sqlite_column(sqlite3_stmt *statement, int column);
uint64_t sqlite_column_u64(sqlite3_stmt *statement, int column);
/* The one number it selects, 0 if there is no row. */
uint64_t sqlite_number(struct store *store, sqlite3_stmt *statement);

#endif
