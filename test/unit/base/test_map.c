#include "base/map.h"

#include <stdio.h>

#include "base/compiler.h"
#include "unit.h"

enum { MANY = 5000 };

static char values[MANY];

static struct slice key_of(unsigned number, char *text, size_t room)
{
    snprintf(text, room, "key %u", number);
    return slice_of(text);
}

static void put(struct map *map, unsigned number)
{
    char text[32];

    map_put(map, key_of(number, text, sizeof(text)), &values[number]);
}

static void *find(const struct map *map, unsigned number)
{
    char text[32];

    return map_find(map, key_of(number, text, sizeof(text)));
}

static void *take(struct map *map, unsigned number)
{
    char text[32];

    return map_remove(map, key_of(number, text, sizeof(text)));
}

static void test_find(void)
{
    struct map *map = map_create();

    CU_ASSERT_PTR_NULL(find(map, 1));
    for (unsigned i = 0; i < MANY; i++)
        put(map, i);
    CU_ASSERT_EQUAL(map_count(map), MANY);
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_PTR_EQUAL(find(map, i), &values[i]);
    map_put(map, SLICE("key 7"), &values[8]);
    CU_ASSERT_PTR_EQUAL(find(map, 7), &values[8]);
    CU_ASSERT_EQUAL(map_count(map), MANY);
    map_destroy(&map);
    CU_ASSERT_PTR_NULL(map);
}

/* Many come and go: what stays is found, what went is not. */
static void test_remove(void)
{
    struct map *map = map_create();

    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < MANY; i++)
            put(map, i);
        for (unsigned i = round % 2; i < MANY; i += 2)
            CU_ASSERT_PTR_EQUAL(take(map, i), &values[i]);
        for (unsigned i = 0; i < MANY; i++)
            CU_ASSERT_EQUAL(find(map, i) != NULL, i % 2 != round % 2);
    }
    CU_ASSERT_PTR_NULL(take(map, 1));
    CU_ASSERT_EQUAL(map_count(map), MANY / 2);
    map_destroy(&map);
}

/* The one that was just given out may be removed. */
static void test_walk(void)
{
    struct map *map = map_create();
    size_t position = 0;
    size_t seen = 0;
    struct slice key;
    void *value;

    for (unsigned i = 0; i < MANY; i++)
        put(map, i);
    while (map_next(map, &position, &key, &value)) {
        CU_ASSERT_PTR_EQUAL(map_find(map, key), value);
        CU_ASSERT_PTR_EQUAL(map_remove(map, key), value);
        seen++;
    }
    CU_ASSERT_EQUAL(seen, MANY);
    CU_ASSERT_EQUAL(map_count(map), 0);
    map_destroy(&map);
}

static const struct unit_case cases[] = {
    {"find", test_find},
    {"remove", test_remove},
    {"walk", test_walk},
};

int main(void)
{
    return unit_run("map", cases, ARRAY_SIZE(cases));
}
