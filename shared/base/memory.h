/*
 * Allocation that never returns NULL: a process without memory logs one line
 * and aborts, so that no caller carries an unreachable branch.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/slice.h"

/* Zeroed. */
void *memory_new(size_t size);
/* `count` elements of `size` bytes, zeroed; aborts on overflow. */
void *memory_new_array(size_t count, size_t size);
void *memory_resize(void *block, size_t size);
/* The caller owns the copy; NUL-terminated.  NULL for SLICE_NONE. */
char *memory_copy_text(struct slice text);
/* Frees *pointer_at and sets it to NULL; NULL is allowed. */
#define memory_free(pointer_at)                                                \
    do {                                                                       \
        memory_release(*(pointer_at));                                         \
        *(pointer_at) = NULL;                                                  \
    } while (0)
void memory_release(void *block);

/*
 * Arena: allocations that die together (everything decoded from one AMQP
 * message).  Addresses stay valid until arena_reset or arena_deinit.
 */
struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;
};

void arena_init(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);
struct slice arena_copy(struct arena *arena, struct slice bytes);
void arena_reset(struct arena *arena); /* keeps one chunk for reuse */
void arena_deinit(struct arena *arena);

#endif
