#include "base/memory.h"

#include <stdint.h>

#include "base/compiler.h"
#include "unit.h"

enum { CHUNK = 16 * 1024, MANY = 2000 };

static bool is_zeroed(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

/* Dirty blocks of many sizes, to be given out again. */
static void make_dirt(void)
{
    for (size_t size = 1; size < 200; size += 13) {
        char *block = memory_new(size);

        memset(block, 'x', size);
        memory_free(&block);
    }
}

static void test_new(void)
{
    char *block;
    uint64_t *array;

    make_dirt();
    for (size_t size = 0; size < 200; size++) {
        block = memory_new(size);
        CU_ASSERT_TRUE(is_zeroed(block, size));
        memory_free(&block);
        CU_ASSERT_PTR_NULL(block);
    }
    make_dirt();
    array = memory_new_array(9, sizeof(*array));
    CU_ASSERT_TRUE(is_zeroed((const char *)array, 9 * sizeof(*array)));
    memory_free(&array);
    array = memory_new_array(0, sizeof(*array));
    CU_ASSERT_PTR_NOT_NULL(array);
    memory_free(&array);
    memory_free(&array); /* NULL is allowed */
}

static void test_resize(void)
{
    char *block = memory_resize(NULL, 3);

    memcpy(block, "abc", 3);
    block = memory_resize(block, 5000);
    CU_ASSERT_EQUAL(memcmp(block, "abc", 3), 0);
    block = memory_resize(block, 2);
    CU_ASSERT_EQUAL(memcmp(block, "ab", 2), 0);
    block = memory_resize(block, 0);
    CU_ASSERT_PTR_NOT_NULL(block);
    memory_free(&block);
}

static void test_copy_text(void)
{
    const char text[] = "one\0two";
    char *copy = memory_copy_text((struct slice){text, 7});

    CU_ASSERT_EQUAL(memcmp(copy, text, 8), 0); /* with a NUL */
    memory_free(&copy);
    copy = memory_copy_text((struct slice){text, 2});
    CU_ASSERT_STRING_EQUAL(copy, "on");
    memory_free(&copy);
    copy = memory_copy_text(SLICE(""));
    CU_ASSERT_STRING_EQUAL(copy, "");
    memory_free(&copy);
    CU_ASSERT_PTR_NULL(memory_copy_text(SLICE_NONE));
}

/* Arena. */

static size_t size_of(size_t i)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 3000, CHUNK - 1};

    return sizes[i % ARRAY_SIZE(sizes)];
}

/* What was given out stays as it is, aligned for anything. */
static void test_arena(void)
{
    struct arena arena;
    char *blocks[MANY];

    arena_init(&arena);
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = arena_alloc(&arena, size_of(i));
        CU_ASSERT_EQUAL((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i % 251), size_of(i));
    }
    for (size_t i = 0; i < MANY; i++) {
        for (size_t n = 0; n < size_of(i); n++) {
            if (blocks[i][n] != (char)(i % 251)) {
                CU_FAIL("written over");
                break;
            }
        }
    }
    arena_deinit(&arena);
}

static void test_arena_big(void)
{
    static const size_t sizes[] = {CHUNK, CHUNK + 1, 10 * CHUNK, 1000 * CHUNK};
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *small = arena_alloc(&arena, 8);
        char *big = arena_alloc(&arena, sizes[i]);

        memset(small, 's', 8);
        memset(big, 'b', sizes[i]);
        CU_ASSERT_EQUAL(small[7], 's');
        if (i % 2)
            arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void test_arena_copy(void)
{
    struct arena arena;
    char text[] = "one";
    struct slice copy;

    arena_init(&arena);
    copy = arena_copy(&arena, slice_of(text));
    memset(text, 'x', 3);
    ASSERT_SLICE(copy, "one");
    CU_ASSERT_EQUAL(copy.data[3], '\0');
    copy = arena_copy(&arena, SLICE(""));
    CU_ASSERT_TRUE(slice_is_set(copy));
    CU_ASSERT_EQUAL(copy.size, 0);
    CU_ASSERT_FALSE(slice_is_set(arena_copy(&arena, SLICE_NONE)));
    arena_deinit(&arena);
}

/* What is needed again and again is had once. */
static void test_arena_reset(void)
{
    struct arena arena;
    void *first;

    arena_init(&arena);
    arena_reset(&arena); /* nothing yet */
    first = arena_alloc(&arena, 100);
    for (int i = 0; i < 10; i++) {
        arena_reset(&arena);
        CU_ASSERT_PTR_EQUAL(arena_alloc(&arena, 100), first);
    }
    for (int i = 0; i < 10; i++)
        arena_alloc(&arena, CHUNK / 2 + 1);
    arena_reset(&arena);
    memset(arena_alloc(&arena, CHUNK), 'x', CHUNK);
    arena_deinit(&arena);
    CU_ASSERT_PTR_NULL(arena.chunks);
    arena_alloc(&arena, 1); /* as new */
    arena_deinit(&arena);
    arena_deinit(&arena);
}

static const struct unit_case cases[] = {
    {"new", test_new},
    {"resize", test_resize},
    {"copies of text", test_copy_text},
    {"arena", test_arena},
    {"arena, big", test_arena_big},
    {"arena, copies", test_arena_copy},
    {"arena, reset", test_arena_reset},
};

int main(void)
{
    return unit_run("memory", cases, ARRAY_SIZE(cases));
}
