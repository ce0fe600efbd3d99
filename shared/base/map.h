/*
 * Hash map from bytes to pointers (xxhash, open addressing).  The map copies
 * keys; values belong to the caller.  Removing while iterating is allowed for
 * the entry just returned.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map;

struct map *map_create(void);
/* Returns the former value of that key, or NULL. */
void *map_put(struct map *map, struct slice key, void *value);
void *map_find(const struct map *map, struct slice key);
/* Returns the value taken out, or NULL. */
void *map_remove(struct map *map, struct slice key);
size_t map_count(const struct map *map);
/* Iteration: *position starts at 0; false at the end. */
bool map_next(const struct map *map, size_t *position, struct slice *key_out,
              void **value_out);
void map_destroy(struct map **map);
/* With its values, which are memory_new's. */
void map_destroy_all(struct map **map);

/* The same for 64-bit keys. */
static inline struct slice map_key_u64(const unsigned long *key)
{
    return (struct slice){(const char *)key, sizeof(*key)};
}

#endif
