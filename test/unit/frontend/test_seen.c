#include "../../../frontend/seen.h"

#include "base/compiler.h"
#include "base/memory.h"
#include "unit.h"

static struct seen *seen;

static bool is_repeat(enum stanza_kind kind, uint64_t origin, uint64_t path,
                      uint64_t sequence)
{
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.kind = kind;
    event.origin = origin;
    event.path = path;
    event.sequence = sequence;
    return seen_is_repeat(&seen, &event);
}

static void test_one_way(void)
{
    for (int kind = STANZA_MESSAGE; kind <= STANZA_IQ; kind += 1) {
        enum stanza_kind stanza = (enum stanza_kind)kind;

        CU_ASSERT_FALSE(is_repeat(stanza, 1, 5, 10));
        CU_ASSERT_TRUE(is_repeat(stanza, 1, 5, 10));
        CU_ASSERT_TRUE(is_repeat(stanza, 1, 5, 9));
        CU_ASSERT_FALSE(is_repeat(stanza, 1, 5, 11));
        CU_ASSERT_FALSE(is_repeat(stanza, 2, 5, 10)); /* another origin */
        CU_ASSERT_TRUE(is_repeat(stanza, 2, 5, 10));
        seen_destroy(&seen);
    }
}

/* A message that took another way the second time. */
static void test_two_ways(void)
{
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 1, 5, 10));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 1, 6, 10));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 1, 6, 12));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 1, 5, 12));
    /* An older one that took a longer way is none. */
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 1, 7, 8));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 1, 7, 8));
    seen_destroy(&seen);
    /* Result and push of one roster change are two stanzas. */
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 1, 5, 10));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 1, 6, 10));
    seen_destroy(&seen);
}

/* Somebody who writes to himself gets the message, or its bounce. */
static void test_error(void)
{
    struct event event;

    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 1, 5, 10));
    event_init(&event, EVENT_STANZA_DELIVER);
    event.kind = STANZA_MESSAGE;
    event.subtype = SLICE("error");
    event.origin = 1;
    event.path = 6;
    event.sequence = 10;
    CU_ASSERT_FALSE(seen_is_repeat(&seen, &event));
    CU_ASSERT_TRUE(seen_is_repeat(&seen, &event));
    seen_destroy(&seen);
}

/* Whatever has been given out last, up to SEEN_IDS_MAX, is known. */
static void test_many_ids(void)
{
    for (uint64_t i = 1; i <= 2 * SEEN_IDS_MAX; i++)
        CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 0, i));
    for (uint64_t i = SEEN_IDS_MAX + 1; i <= 2 * SEEN_IDS_MAX; i++)
        CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 3, 1, i));
    seen_destroy(&seen);
}

/* The path not used for longest makes room. */
static void test_many_paths(void)
{
    for (uint64_t origin = 1; origin <= SEEN_PATHS_MAX; origin++)
        CU_ASSERT_FALSE(is_repeat(STANZA_IQ, origin, 0, 7));
    for (uint64_t origin = 1; origin <= SEEN_PATHS_MAX; origin++)
        CU_ASSERT_TRUE(is_repeat(STANZA_IQ, origin, 0, 7));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 1, 0, 8));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 100, 0, 7));
    CU_ASSERT_TRUE(is_repeat(STANZA_IQ, 1, 0, 8));
    CU_ASSERT_TRUE(is_repeat(STANZA_IQ, 3, 0, 7));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 2, 0, 7)); /* forgotten */
    seen_destroy(&seen);
}

/* Moving. */

static void move(void)
{
    struct buffer bytes = BUFFER_EMPTY;

    seen_write(seen, &bytes);
    seen_destroy(&seen);
    seen = seen_read(buffer_slice(&bytes));
    buffer_deinit(&bytes);
}

static void test_move_nothing(void)
{
    struct buffer bytes = BUFFER_EMPTY;

    seen_write(NULL, &bytes);
    CU_ASSERT_EQUAL(bytes.size, 0);
    CU_ASSERT_PTR_NULL(seen_read(SLICE_NONE));
    CU_ASSERT_PTR_NULL(seen_read(SLICE("")));
    buffer_deinit(&bytes);
}

static void test_move(void)
{
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, UINT64_MAX, 5, UINT64_MAX - 9));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 2, 5, 10));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 5, 10));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 5, 12));
    move();
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, UINT64_MAX, 5, UINT64_MAX - 9));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, UINT64_MAX, 6, UINT64_MAX - 9));
    CU_ASSERT_TRUE(is_repeat(STANZA_IQ, 2, 5, 10));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 3, 6, 10));
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 3, 7, 12));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 8, 11)); /* took longer */
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 5, 13));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 2, 5, 11));
    seen_destroy(&seen);
}

/* The form that EVENTS.md gives. */
static void test_bytes(void)
{
    static const char expected[] = "\x01\0\0\0\0\0\0\0"
                                   "\x03\0\0\0\0\0\0\0"
                                   "\x05\0\0\0\0\0\0\0"
                                   "\x0a\0\0\0\0\0\0\0";
    struct buffer bytes = BUFFER_EMPTY;

    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 3, 5, 10));
    seen_write(seen, &bytes);
    CU_ASSERT_TRUE(
        slice_equal(buffer_slice(&bytes), (struct slice){expected, 32}));
    seen_destroy(&seen);
    buffer_clear(&bytes);
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 5, 10));
    seen_write(seen, &bytes);
    CU_ASSERT_EQUAL(bytes.size, 40); /* and an id */
    seen_destroy(&seen);
    buffer_deinit(&bytes);
}

/* Rings that have gone round: the last ones are there, the oldest is the next
 * to go. */
static void test_move_many_ids(void)
{
    enum { LAST = 3 * SEEN_IDS_MAX + 5, FIRST_KEPT = LAST - SEEN_IDS_MAX + 1 };

    for (uint64_t i = 1; i <= LAST; i++)
        CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 0, i));
    move();
    move(); /* and once more */
    for (uint64_t i = FIRST_KEPT; i <= LAST; i++)
        CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 3, 1, i));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 2, FIRST_KEPT - 1));
    CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 3, 4, FIRST_KEPT)); /* gone */
    CU_ASSERT_TRUE(is_repeat(STANZA_MESSAGE, 3, 5, LAST));
    seen_destroy(&seen);
}

static void test_move_many_paths(void)
{
    for (uint64_t origin = 1; origin <= SEEN_PATHS_MAX; origin++)
        CU_ASSERT_FALSE(is_repeat(STANZA_IQ, origin, 0, 7));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 1, 0, 8)); /* the newest now */
    move();
    for (uint64_t origin = 2; origin <= SEEN_PATHS_MAX; origin++)
        CU_ASSERT_TRUE(is_repeat(STANZA_IQ, origin, 0, 7));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 100, 0, 7)); /* in the place of 2 */
    CU_ASSERT_TRUE(is_repeat(STANZA_IQ, 1, 0, 8));
    CU_ASSERT_TRUE(is_repeat(STANZA_IQ, 3, 0, 7));
    CU_ASSERT_FALSE(is_repeat(STANZA_IQ, 2, 0, 7));
    seen_destroy(&seen);
}

/* Whatever is read can be used, and written again. */
static void use(void)
{
    struct buffer bytes = BUFFER_EMPTY;

    for (uint64_t i = 1; i <= 100; i++)
        CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, 1000 + i, i, i));
    seen_write(seen, &bytes);
    CU_ASSERT_TRUE(bytes.size > 0);
    buffer_deinit(&bytes);
    seen_destroy(&seen);
}

static void test_hostile_bytes(void)
{
    struct buffer bytes = BUFFER_EMPTY;
    char *copy;

    for (uint64_t i = 1; i <= 20; i++)
        CU_ASSERT_FALSE(is_repeat(STANZA_MESSAGE, i, 0, i));
    seen_write(seen, &bytes);
    seen_destroy(&seen);
    for (size_t size = 0; size <= bytes.size; size++) { /* cut short */
        copy = memory_new(size); /* so that reading beyond is noticed */
        memcpy(copy, bytes.data, size);
        seen = seen_read((struct slice){copy, size});
        CU_ASSERT_EQUAL(seen == NULL, size < 8);
        use();
        memory_free(&copy);
    }
    for (size_t i = 0; i < bytes.size; i++) { /* turned over */
        bytes.data[i] = (char)~bytes.data[i];
        seen = seen_read(buffer_slice(&bytes));
        CU_ASSERT_EQUAL(seen == NULL, i < 8);
        use();
        bytes.data[i] = (char)~bytes.data[i];
    }
    buffer_deinit(&bytes);
}

static void test_hostile_sizes(void)
{
    static const unsigned char counts[] = {0, 1, 31, 32, 33, 255};
    struct buffer bytes = BUFFER_EMPTY;

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        buffer_clear(&bytes);
        for (size_t n = 0; n < 8 * 4 * SEEN_IDS_MAX; n++)
            buffer_append_byte(&bytes, 0);
        bytes.data[0] = (char)counts[i];
        seen = seen_read(buffer_slice(&bytes));
        CU_ASSERT_EQUAL(seen == NULL, counts[i] > SEEN_PATHS_MAX);
        use();
    }
    buffer_deinit(&bytes);
}

static const struct unit_case cases[] = {
    {"one way", test_one_way},
    {"two ways", test_two_ways},
    {"error", test_error},
    {"many ids", test_many_ids},
    {"many paths", test_many_paths},
    {"nothing moves", test_move_nothing},
    {"moved", test_move},
    {"bytes", test_bytes},
    {"many ids moved", test_move_many_ids},
    {"many paths moved", test_move_many_paths},
    {"hostile bytes", test_hostile_bytes},
    {"hostile sizes", test_hostile_sizes},
};

int main(void)
{
    return unit_run("seen", cases, ARRAY_SIZE(cases));
}
