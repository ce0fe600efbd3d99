#include "base/clock.h"
#include "base/log.h"
#include "fixture.h"

#define A " {<show>a</show>}"
#define B " {<show>b</show>}"

static void report(uint64_t session, const char *node, const char *full,
                   const char *payload)
{
    struct event event = fixture_update(session, full, NULL, payload);

    event.type = EVENT_SNAPSHOT_SESSION;
    event.node = slice_of(node);
    event.is_available = payload != NULL;
    snapshot_session(presence, &event, &output);
}

static void send(uint64_t session, const char *full, const char *subtype,
                 const char *payload)
{
    struct event event = fixture_update(session, full, subtype, payload);

    fixture_send(&event);
}

static bool has(uint64_t session)
{
    struct user *user = user_find(presence, SLICE(ANN));

    return user && resource_find(user, session);
}

/* One that is there. */
static struct resource *get(uint64_t session)
{
    struct user *user = user_find(presence, SLICE(ANN));
    struct resource *resource = user ? resource_find(user, session) : NULL;

    BUG_ON(!resource);
    return resource;
}

/* As if its last event was long ago. */
static void let_age(uint64_t session)
{
    get(session)->touched_ms = 1;
}

static void open_taken_over(void)
{
    fixture_open();
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", "<show>a</show>");
    report(2, "f1", ANN "/b", NULL);
    snapshot_end(presence, SLICE("f1"), &output);
}

/* Nothing has changed for anybody. */
static void test_taking_over(void)
{
    open_taken_over();
    fixture_end_batch();
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(has(1));
    CU_ASSERT_FALSE(has(2));
    /* The next change is told, with the old resource known. */
    send(2, ANN "/b", NULL, "<show>b</show>");
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    EXPECT(&output, ROUTE(ANN "/b", FROM, B), ROUTE(ANN "/b", BOTH, B),
           ROUTE(ANN "/b", ANN, B), PROBE(ANN "/b", TO), PROBE(ANN "/b", BOTH),
           ROUTE_FULL(ANN "/a", ANN "/b", A));
    fixture_close();
}

/* The snapshot is ahead of the queue: what is in the queue was not told. */
static void test_update_in_the_queue(void)
{
    struct event event = fixture_update(1, ANN "/a", NULL, "<show>a</show>");

    event.is_first = true;
    open_taken_over();
    fixture_send(&event);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_PRESENCE_PROBE), 2);
    fixture_close();
}

static void test_end_after_taking_over(void)
{
    open_taken_over();
    send(1, ANN "/a", "unavailable", "");
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 4);
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_close();
}

static void test_replacing(void)
{
    fixture_open_available();
    send(2, ANN "/b", NULL, "<show>b</show>");
    output_clear(&output);
    let_age(1);
    let_age(2);
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", "<show>a</show>"); /* unchanged */
    snapshot_end(presence, SLICE("f1"), &output);
    EXPECT(&output, ROUTE_GONE(ANN "/b", FROM), ROUTE_GONE(ANN "/b", BOTH),
           ROUTE_GONE(ANN "/b", ANN));
    let_age(1);
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", "<show>b</show>"); /* its event was lost */
    snapshot_end(presence, SLICE("f1"), &output);
    EXPECT(&output, ROUTE(ANN "/a", FROM, B), ROUTE(ANN "/a", BOTH, B),
           ROUTE(ANN "/a", ANN, B));
    let_age(1);
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", NULL);
    snapshot_end(presence, SLICE("f1"), &output);
    CU_ASSERT_EQUAL(output.count, 3);
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_close();
}

/* Snapshot and queue overtake each other: what was handled just now stays. */
static void test_race(void)
{
    fixture_open_available();
    snapshot_begin(presence, SLICE("f1"));
    snapshot_end(presence, SLICE("f1"), &output);
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", "<show>older</show>");
    snapshot_end(presence, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    CU_ASSERT_TRUE(has(1));
    fixture_close();
}

/* A frontend that reports again has lost an event if we do not know of it. */
static void test_appearing(void)
{
    open_taken_over();
    snapshot_begin(presence, SLICE("f1"));
    report(1, "f1", ANN "/a", "<show>a</show>");
    report(3, "f1", ANN "/c", "<show>b</show>");
    snapshot_end(presence, SLICE("f1"), &output);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 4);
    fixture_close();
}

static void test_node_gone(void)
{
    struct event told = fixture_update(1, ANN "/a", "unavailable", "");

    fixture_open_available();
    snapshot_node_gone(presence, SLICE("f2"), &output);
    EXPECT_NOTHING(&output);
    snapshot_node_gone(presence, SLICE("f1"), &output);
    EXPECT(&output, ROUTE_GONE(ANN "/a", FROM), ROUTE_GONE(ANN "/a", BOTH),
           ROUTE_GONE(ANN "/a", ANN));
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    /* Delivery says so as well. */
    told.condition = SLICE("gone");
    fixture_send(&told);
    snapshot_node_gone(presence, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_node_gone_before_contacts(void)
{
    open_taken_over();
    snapshot_node_gone(presence, SLICE("f1"), &output);
    EXPECT(&output,
           "roster contacts.ask #1/unavailable " ANN " <" ANN "/a !gone");
    fixture_close();
    open_taken_over();
    snapshot_node_gone(presence, SLICE("f1"), &output);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_close();
}

/* Given up too early; it comes back under another name. */
static void test_node_returns(void)
{
    fixture_open_available();
    snapshot_node_gone(presence, SLICE("f1"), &output);
    output_clear(&output);
    snapshot_begin(presence, SLICE("f2"));
    report(1, "f2", ANN "/a", "<show>a</show>");
    snapshot_end(presence, SLICE("f2"), &output);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    CU_ASSERT_STRING_EQUAL(get(1)->node, "f2");
    fixture_close();
}

static void test_memory_of_ends_expires(void)
{
    fixture_open_available();
    snapshot_node_gone(presence, SLICE("f1"), &output);
    ended_expire(presence, clock_now_ms() - 1000);
    CU_ASSERT_PTR_NOT_NULL(ended_find(presence, 1));
    ended_expire(presence, clock_now_ms() + 1000);
    CU_ASSERT_PTR_NULL(ended_find(presence, 1));
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"taking over", test_taking_over},
        {"an update in the queue", test_update_in_the_queue},
        {"an end after taking over", test_end_after_taking_over},
        {"a snapshot replaces", test_replacing},
        {"but not what happened just now", test_race},
        {"one appears", test_appearing},
        {"a frontend is gone", test_node_gone},
        {"gone before contacts are known", test_node_gone_before_contacts},
        {"a frontend returns", test_node_returns},
        {"the memory of ends expires", test_memory_of_ends_expires},
    };

    return unit_run("presence snapshot", cases, ARRAY_SIZE(cases));
}
