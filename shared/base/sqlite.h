/*
 * What every SQLite store needs: opening with the right pragmas, migrating,
 * transactions, statements prepared once.  Used from one thread.  A failing
 * statement marks the transaction as failed, and sqlite_commit then rolls it
 * back: callers need not check each one.
 */
#ifndef BASE_SQLITE_H
#define BASE_SQLITE_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

enum { SQLITE_STATEMENTS_MAX = 48 };

struct sqlite {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQLITE_STATEMENTS_MAX];
    bool has_failed;     /* in this transaction */
    const char *refusal; /* see sqlite_refusal */
    int changes;         /* before it */
};

/* Of an option: "sqlite:DIR", a directory that is there and can be written.
 * False: why_out says what was expected. */
bool sqlite_check_url(const char *url, struct buffer *why_out) WARN_UNUSED;

/*
 * Makes the file if need be, WAL mode; `is_full`: a commit
 * survives power loss, else only the process's death.  `migrations[i]` brings
 * schema version i to i + 1.  False: error_out says why (static text or valid
 * until the thread's next call).
 */
bool sqlite_open(struct sqlite *sqlite, const char *path, bool is_full,
                 const char *const *migrations, int migration_count,
                 const char **error_out) WARN_UNUSED;
void sqlite_close(struct sqlite *sqlite);

/* False: the store is not to be had now. */
bool sqlite_begin(struct sqlite *sqlite) WARN_UNUSED;
bool sqlite_commit(struct sqlite *sqlite) WARN_UNUSED;
/* Undoes the transaction.  False: a statement of it had failed. */
bool sqlite_rollback(struct sqlite *sqlite, bool *has_changed_out) WARN_UNUSED;

/* After a transaction that has failed: why, when what it was given cannot be
 * stored and trying again is no use (static text); NULL: the store's fault. */
const char *sqlite_refusal(const struct sqlite *sqlite);

/* The statement kept under `index`, prepared from `sql` on first use, reset and
 * with nothing bound. */
sqlite3_stmt *sqlite_statement(struct sqlite *sqlite, unsigned index,
                               const char *sql);
/* The bytes must live until the statement is reset. */
void sqlite_bind_slice(sqlite3_stmt *statement, int position,
                       struct slice text);
void sqlite_bind_bytes(sqlite3_stmt *statement, int position,
                       struct slice bytes);
void sqlite_bind_u64(sqlite3_stmt *statement, int position, uint64_t number);
/* True: a row.  False: the end, or a failure, which is remembered. */
bool sqlite_step(struct sqlite *sqlite, sqlite3_stmt *statement);
/* Steps to the end. */
void sqlite_run(struct sqlite *sqlite, sqlite3_stmt *statement);
/* Valid until the next step. */
struct slice sqlite_column(sqlite3_stmt *statement, int column);
uint64_t sqlite_column_u64(sqlite3_stmt *statement, int column);

/*
 * Fence against a former owner that thaws (DESIGN 2, epochs): the table
 * `ownership(epoch)` holds the highest epoch that has written.  Marks the
 * transaction as failed when ours is lower.  Uses the statements `index` and
 * `index` + 1.
 */
#define SQLITE_OWNERSHIP_SCHEMA                                                \
    "CREATE TABLE ownership (epoch INTEGER NOT NULL);"                         \
    "INSERT INTO ownership VALUES (0);"
void sqlite_fence(struct sqlite *sqlite, unsigned index, uint64_t epoch);

/* "sqlite:DIR" to "DIR/<name>.07.db" in out (4096 bytes); false: no such URL.
 */
bool sqlite_path(const char *url, const char *name, unsigned partition,
                 char *out) WARN_UNUSED;

#endif
