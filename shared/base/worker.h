/*
 * Work that would block the loop (key derivation, database transactions), run
 * on threads of its own.  With one thread jobs run in the order submitted.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct worker_pool;

/* Runs on a worker thread. */
typedef void (*worker_run_fn)(void *job);
/* Runs on the loop when the job has run. */
typedef void (*worker_done_fn)(void *job);

/* `capacity` bounds jobs submitted and not yet done (0 = unbounded). */
struct worker_pool *worker_pool_create(struct event_base *loop, size_t threads,
                                       size_t capacity);
/* False when the pool is full; the job is then still the caller's. */
bool worker_submit(struct worker_pool *pool, worker_run_fn run,
                   worker_done_fn done, void *job) WARN_UNUSED;
size_t worker_pending(const struct worker_pool *pool);
/* Waits for the jobs under way.  Those not begun get `discard` instead of run
 * and done; NULL: they are run and done first, and must not submit others. */
void worker_pool_destroy(struct worker_pool **pool, worker_done_fn discard);

#endif
