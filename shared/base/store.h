/*
 * What the store of every service has in common: its options, transactions,
 * the fence between owners.  Each service's store.h adds what is kept.  One
 * store per partition, used from one thread; made by its store_open and owned
 * by the caller.  A failing statement marks the transaction as failed, and
 * store_commit then rolls it back: callers need not check each one.
 */
#ifndef BASE_STORE_H
#define BASE_STORE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"

struct store;

/* Why a store cannot be opened. */
struct store_error {
    const char *reason; /* static text or valid until the thread's next call */
    bool is_newer;      /* a newer version of the program has migrated it: this
                           one cannot read it, however often it tries */
};

/* Values of the option "synchronous". */
enum store_synchronous { STORE_FULL, STORE_NORMAL };

extern const char *const store_synchronous[];

/* The options of a daemon with a store, for members of its config struct
 * `char *store` and `int synchronous`; `what` it keeps there. */
#define STORE_OPTIONS(config, what)                                            \
    {.name = "store",                                                          \
     .kind = OPTION_TEXT,                                                      \
     .offset = offsetof(config, store),                                        \
     .value = "sqlite:./run/store",                                            \
     .check = store_check,                                                     \
     .help = "where " what " are kept: sqlite:DIR, a file per partition"},     \
    {                                                                          \
        .name = "synchronous", .kind = OPTION_CHOICE,                          \
        .offset = offsetof(config, synchronous), .value = "full",              \
        .choices = store_synchronous,                                          \
        .help = "full: a commit survives power loss; normal: it may not"       \
    }

/* Of the option "store": "sqlite:DIR", a directory that is there and can be
 * written.  False: why_out says what was expected. */
bool store_check(const char *url, struct buffer *why_out) WARN_UNUSED;

/* Sets *store to NULL; it may be NULL. */
void store_close(struct store **store);

/* False: the store is not to be had now. */
bool store_begin(struct store *store) WARN_UNUSED;
/* False: nothing of this transaction happened. */
bool store_commit(struct store *store) WARN_UNUSED;
/* Undoes the transaction; did it change anything?  False: a statement of it
 * had failed. */
bool store_rollback(struct store *store, bool *has_changed_out) WARN_UNUSED;
/* After a transaction that has failed: why, when what it was given cannot be
 * stored and trying again is no use: which constraint, of which table, without
 * any value.  Valid until the next store_begin.  NULL: the store's fault. */
const char *store_refusal(const struct store *store);

/*
 * Fence against a former owner that thaws (DESIGN 2, epochs): we write as the
 * owner of that epoch.  Marks the transaction as failed when a later one has
 * written.
 */
void store_fence(struct store *store, uint64_t epoch);

#endif
