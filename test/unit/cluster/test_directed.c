#include "cluster/directed.h"

#include "outputs.h"

static struct map *directed;

static void note(const char *to, bool is_available)
{
    directed_note(&directed, slice_of(to), is_available);
}

static bool has(const char *to)
{
    return directed_has(directed, slice_of(to));
}

static void test_noting(void)
{
    CU_ASSERT_FALSE(has("a@x"));
    note("a@x", false);
    CU_ASSERT_PTR_NULL(directed);
    note("a@x", true);
    note("a@x", true);
    note("a@x/pc", true);
    CU_ASSERT_TRUE(has("a@x"));
    CU_ASSERT_EQUAL(map_count(directed), 2);
    note("a@x", false);
    CU_ASSERT_FALSE(has("a@x"));
    CU_ASSERT_TRUE(has("a@x/pc"));
    note("a@x/pc", false);
    CU_ASSERT_PTR_NULL(directed);
}

static void fill(int count)
{
    char jid[32];

    for (int i = 0; i < count; i++) {
        snprintf(jid, sizeof(jid), "u%d@x", i);
        note(jid, true);
    }
}

static void test_limit(void)
{
    CU_ASSERT_TRUE(directed_has_room(directed, SLICE("more@x")));
    fill(DIRECTED_MAX - 1);
    CU_ASSERT_TRUE(directed_has_room(directed, SLICE("more@x")));
    fill(DIRECTED_MAX);
    CU_ASSERT_FALSE(directed_has_room(directed, SLICE("more@x")));
    CU_ASSERT_TRUE(directed_has_room(directed, SLICE("u5@x")));
    note("more@x", true);
    CU_ASSERT_FALSE(has("more@x"));
    note("u5@x", true);
    note("u5@x", false);
    note("more@x", true);
    CU_ASSERT_TRUE(has("more@x"));
    CU_ASSERT_EQUAL(map_count(directed), DIRECTED_MAX);
    map_destroy(&directed);
}

/* However few they are. */
static void test_limit_of_bytes(void)
{
    char jid[3001];

    memset(jid, 'x', sizeof(jid) - 1);
    jid[sizeof(jid) - 1] = '\0';
    for (char first = 'a'; first < 'u'; first++) {
        jid[0] = first;
        note(jid, true);
    }
    CU_ASSERT_EQUAL(map_count(directed), DIRECTED_MAX_BYTES / 3000);
    note("short@x", true);
    CU_ASSERT_TRUE(has("short@x"));
    map_destroy(&directed);
}

static void test_names(void)
{
    struct map *copy = NULL;
    struct buffer names = BUFFER_EMPTY;

    CU_ASSERT_FALSE(slice_is_set(directed_write(directed, &names)));
    fill(DIRECTED_MAX);
    directed_note(&copy, SLICE("old@x"), true);
    directed_read(&copy, directed_write(directed, &names));
    CU_ASSERT_EQUAL(map_count(copy), DIRECTED_MAX);
    CU_ASSERT_TRUE(directed_has(copy, SLICE("u0@x")));
    CU_ASSERT_FALSE(directed_has(copy, SLICE("old@x")));
    note("u7@x", false);
    buffer_clear(&names);
    directed_remove(&copy, directed_write(directed, &names));
    CU_ASSERT_EQUAL(map_count(copy), 1);
    CU_ASSERT_TRUE(directed_has(copy, SLICE("u7@x")));
    directed_remove(&copy, SLICE_NONE);
    CU_ASSERT_EQUAL(map_count(copy), 1);
    directed_read(&copy, SLICE_NONE);
    CU_ASSERT_PTR_NULL(copy);
    map_destroy(&directed);
    buffer_deinit(&names);
}

static void test_end(void)
{
    struct output output;
    struct event unavailable;

    outputs_init(&output);
    event_init(&unavailable, EVENT_STANZA_ROUTE);
    unavailable.kind = STANZA_PRESENCE;
    unavailable.subtype = SLICE("unavailable");
    unavailable.from = SLICE("bob@x/pc");
    directed_end(&directed, &unavailable, &output);
    EXPECT_NOTHING(&output);
    note("a@x", true);
    note("room@x/bob", true);
    directed_end(&directed, &unavailable, &output);
    CU_ASSERT_PTR_NULL(directed);
    EXPECT(&output, "delivery stanza.route presence/unavailable a@x <bob@x/pc",
           "delivery stanza.route presence/unavailable room@x/bob <bob@x/pc");
    output_deinit(&output);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"noting", test_noting},
        {"the limit", test_limit},
        {"the limit of bytes", test_limit_of_bytes},
        {"as names of an event", test_names},
        {"the end", test_end},
    };

    return unit_run("directed presence", cases, ARRAY_SIZE(cases));
}
