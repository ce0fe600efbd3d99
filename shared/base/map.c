#include "base/map.h"

#include <stdint.h>
#include <xxhash.h>

#include "base/memory.h"

enum { ROOM_MIN = 16 };

struct entry {
    char *key; /* NULL: free */
    void *value;
    uint32_t key_size;
    uint32_t hash;
};

/*
 * Linear probing; room is a power of two.  A removed entry leaves a grave, so
 * that nothing moves and iteration stays valid; graves go when the map is
 * rebuilt, at the latest when three quarters of the room are used.
 */
struct map {
    struct entry *entries;
    size_t room;
    size_t count;
    size_t used; /* entries and graves */
};

static char grave[1];

struct map *map_create(void)
{
    return memory_new(sizeof(struct map));
}

static uint32_t hash_of(struct slice key)
{
    return (uint32_t)XXH3_64bits(key.size ? key.data : "", key.size);
}

static bool entry_is(const struct entry *entry, struct slice key, uint32_t hash)
{
    return entry->key != grave && entry->hash == hash &&
           entry->key_size == key.size &&
           (!key.size || !memcmp(entry->key, key.data, key.size));
}

/* Where the key is, or the free place where it belongs. */
static size_t slot_of(const struct map *map, struct slice key, uint32_t hash)
{
    size_t slot = hash & (map->room - 1);

    while (map->entries[slot].key && !entry_is(&map->entries[slot], key, hash))
        slot = (slot + 1) & (map->room - 1);
    return slot;
}

static void map_rebuild(struct map *map)
{
    struct entry *old = map->entries;
    size_t old_room = map->room;

    if (!old_room)
        map->room = ROOM_MIN;
    else if (2 * map->count >= old_room)
        map->room = 2 * old_room;
    map->entries = memory_new_array(map->room, sizeof(*map->entries));
    map->used = map->count;
    for (size_t i = 0; i < old_room; i++) {
        struct slice key = {old[i].key, old[i].key_size};

        if (old[i].key && old[i].key != grave)
            map->entries[slot_of(map, key, old[i].hash)] = old[i];
    }
    memory_free(&old);
}

void *map_put(struct map *map, struct slice key, void *value)
{
    uint32_t hash = hash_of(key);
    struct entry *entry;
    void *former;

    if (4 * (map->used + 1) > 3 * map->room)
        map_rebuild(map);
    entry = &map->entries[slot_of(map, key, hash)];
    former = entry->value;
    entry->value = value;
    if (entry->key)
        return former;
    entry->key =
        memory_copy_text((struct slice){key.size ? key.data : "", key.size});
    entry->key_size = (uint32_t)key.size;
    entry->hash = hash;
    map->count++;
    map->used++;
    return NULL;
}

void *map_find(const struct map *map, struct slice key)
{
    if (!map->count)
        return NULL;
    return map->entries[slot_of(map, key, hash_of(key))].value;
}

void *map_remove(struct map *map, struct slice key)
{
    size_t slot;
    void *value;

    if (!map->count)
        return NULL;
    slot = slot_of(map, key, hash_of(key));
    if (!map->entries[slot].key)
        return NULL;
    value = map->entries[slot].value;
    memory_free(&map->entries[slot].key);
    map->entries[slot] = (struct entry){grave, NULL, 0, 0};
    map->count--;
    return value;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

bool map_next(const struct map *map, size_t *position, struct slice *key_out,
              void **value_out)
{
    while (*position < map->room) {
        const struct entry *entry = &map->entries[(*position)++];

        if (!entry->key || entry->key == grave)
            continue;
        *key_out = (struct slice){entry->key, entry->key_size};
        *value_out = entry->value;
        return true;
    }
    return false;
}

void map_destroy(struct map **map)
{
    if (!*map)
        return;
    for (size_t i = 0; i < (*map)->room; i++) {
        if ((*map)->entries[i].key != grave)
            memory_free(&(*map)->entries[i].key);
    }
    memory_free(&(*map)->entries);
    memory_free(map);
}

void map_destroy_all(struct map **map)
{
    size_t position = 0;
    struct slice key;
    void *value;

    while (map_next(*map, &position, &key, &value))
        memory_free(&value);
    map_destroy(map);
}
