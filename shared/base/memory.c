#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"

enum { ARENA_CHUNK_BYTES = 16 * 1024, ALIGNMENT = 16 };

static void *checked(void *block)
{
    BUG_ON(!block); /* out of memory: nothing sensible is left to do */
    return block;
}

void *memory_new(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *memory_new_array(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *memory_resize(void *block, size_t size)
{
    return checked(realloc(block, size ? size : 1));
}

char *memory_copy_text(struct slice text)
{
    char *copy;

    if (!text.data)
        return NULL;
    copy = checked(malloc(text.size + 1));
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

void memory_release(void *block)
{
    free(block);
}

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, room;
    _Alignas(ALIGNMENT) char bytes[];
};

void arena_init(struct arena *arena)
{
    arena->chunks = NULL;
}

static struct arena_chunk *chunk_add(struct arena *arena, size_t size)
{
    size_t room = size > ARENA_CHUNK_BYTES ? size : ARENA_CHUNK_BYTES;
    struct arena_chunk *chunk = checked(malloc(sizeof(*chunk) + room));

    chunk->used = 0;
    chunk->room = room;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    void *block;

    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!chunk || chunk->room - chunk->used < size)
        chunk = chunk_add(arena, size);
    block = chunk->bytes + chunk->used;
    chunk->used += size;
    return block;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy;

    if (!bytes.data)
        return SLICE_NONE;
    copy = arena_alloc(arena, bytes.size + 1);
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return (struct slice){copy, bytes.size};
}

static void chunks_free(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = arena->chunks;

    if (!kept)
        return;
    chunks_free(kept->next);
    kept->next = NULL;
    kept->used = 0;
    if (kept->room > ARENA_CHUNK_BYTES)
        arena_deinit(arena);
}

void arena_deinit(struct arena *arena)
{
    chunks_free(arena->chunks);
    arena->chunks = NULL;
}
