#include "../../../frontend/seen.h"

#include "base/compiler.h"
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

static const struct unit_case cases[] = {
    {"one way", test_one_way},       {"two ways", test_two_ways},
    {"error", test_error},           {"many ids", test_many_ids},
    {"many paths", test_many_paths},
};

int main(void)
{
    return unit_run("seen", cases, ARRAY_SIZE(cases));
}
