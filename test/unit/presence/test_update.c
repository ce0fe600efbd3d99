#include "fixture.h"

#define A " {<show>a</show>}"
#define B " {<show>b</show>}"
#define C " {<show>c</show>}"

static void send(uint64_t session, const char *full, const char *subtype,
                 const char *payload)
{
    struct event event = fixture_update(session, full, subtype, payload);

    fixture_send(&event);
}

static void handle(uint64_t session, const char *full, const char *subtype,
                   const char *payload)
{
    struct event event = fixture_update(session, full, subtype, payload);

    fixture_handle(&event);
}

static void test_initial(void)
{
    fixture_open();
    send(1, ANN "/a", NULL, "<show>a</show>");
    EXPECT(&output, "roster contacts.ask #1 " ANN " <" ANN "/a" A);
    send(1, ANN "/a", NULL, "<show>a</show>");
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    EXPECT(&output, ROUTE(ANN "/a", FROM, A), ROUTE(ANN "/a", BOTH, A),
           ROUTE(ANN "/a", ANN, A), PROBE(ANN "/a", TO), PROBE(ANN "/a", BOTH));
    fixture_close();
}

/* The fields of an update come back from the roster and go out unchanged. */
static void test_fields(void)
{
    struct event event = fixture_update(1, ANN "/a", NULL, "<show>a</show>");
    struct buffer body = BUFFER_EMPTY;
    struct event seen;

    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:x='urn:x'");
    event.priority = -3;
    event.is_first = true;
    fixture_open();
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &seen));
    CU_ASSERT_EQUAL(seen.type, EVENT_CONTACTS_ASK);
    ASSERT_SLICE(seen.to, ANN);
    ASSERT_SLICE(seen.from, ANN "/a");
    CU_ASSERT_TRUE(seen.is_first);
    CU_ASSERT_EQUAL(seen.priority, -3);
    CU_ASSERT_NOT_EQUAL(seen.request, 0);
    fixture_answer_asks();
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &seen));
    ASSERT_SLICE(seen.lang, "eo");
    ASSERT_SLICE(seen.extra, " xmlns:x='urn:x'");
    ASSERT_SLICE(seen.payload, "<show>a</show>");
    CU_ASSERT_EQUAL(seen.origin, event.origin);
    CU_ASSERT_EQUAL(seen.sequence, event.sequence);
    CU_ASSERT_FALSE(seen.is_durable);
    buffer_deinit(&body);
    fixture_close();
}

static void test_change(void)
{
    fixture_open_available();
    send(1, ANN "/a", NULL, "<show>b</show>");
    EXPECT(&output, ROUTE(ANN "/a", FROM, B), ROUTE(ANN "/a", BOTH, B),
           ROUTE(ANN "/a", ANN, B));
    fixture_close();
}

static void test_second_resource(void)
{
    fixture_open_available();
    send(2, ANN "/b", NULL, "<show>b</show>");
    EXPECT(&output, ROUTE(ANN "/b", FROM, B), ROUTE(ANN "/b", BOTH, B),
           ROUTE(ANN "/b", ANN, B), PROBE(ANN "/b", TO), PROBE(ANN "/b", BOTH),
           ROUTE_FULL(ANN "/a", ANN "/b", A));
    fixture_close();
}

/* RFC 6121 3.1.3: the roster, though the contacts are known, has requests for
 * each resource that becomes available; a change of it is no such moment. */
static void test_each_asks_the_roster(void)
{
    struct event first = fixture_update(2, ANN "/b", NULL, "<show>b</show>");

    fixture_open_available();
    first.is_first = true;
    fixture_send(&first);
    EXPECT(&output, "roster contacts.ask #2 " ANN " <" ANN "/b" B);
    fixture_send(&first);
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    output_clear(&output);
    send(2, ANN "/b", NULL, "<show>c</show>");
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_CONTACTS_ASK), 0);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    fixture_close();
}

static void test_unavailable(void)
{
    struct event gone =
        fixture_update(1, ANN "/a", "unavailable", "<status>bye</status>");

    fixture_open_available();
    gone.sequence = ++fixture_sequence;
    fixture_send(&gone);
    EXPECT(&output, ROUTE_GONE(ANN "/a", FROM) " {<status>bye</status>}",
           ROUTE_GONE(ANN "/a", BOTH) " {<status>bye</status>}",
           ROUTE_GONE(ANN "/a", ANN) " {<status>bye</status>}",
           ROUTE_FULL_GONE(ANN "/a", ANN "/a") " {<status>bye</status>}");
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_send(&gone);
    EXPECT_NOTHING(&output);
    /* Once more: it comes online like the first time. */
    send(1, ANN "/a", NULL, "<show>a</show>");
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_PRESENCE_PROBE), 2);
    fixture_close();
}

/* Its session ended; delivery, which tells so, knows of no farewell. */
static void test_gone(void)
{
    struct event gone = fixture_update(1, ANN "/a", "unavailable", "");

    fixture_open_available();
    gone.sequence = 1; /* whatever event made delivery end it */
    gone.condition = SLICE("gone");
    fixture_send(&gone);
    EXPECT(&output, ROUTE_GONE(ANN "/a", FROM), ROUTE_GONE(ANN "/a", BOTH),
           ROUTE_GONE(ANN "/a", ANN));
    fixture_send(&gone);
    EXPECT_NOTHING(&output);
    send(1, ANN "/a", NULL, ""); /* older than the end, on a longer way */
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    EXPECT_NOTHING(&output);
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_close();
}

/* A former owner may have told the contacts that it is available. */
static void test_unavailable_of_unknown(void)
{
    fixture_open();
    send(1, ANN "/a", "unavailable", "");
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    EXPECT(&output, ROUTE_GONE(ANN "/a", FROM), ROUTE_GONE(ANN "/a", BOTH),
           ROUTE_GONE(ANN "/a", ANN), ROUTE_FULL_GONE(ANN "/a", ANN "/a"));
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    fixture_close();
}

static void test_coalescing(void)
{
    fixture_open_available();
    handle(1, ANN "/a", NULL, "<show>b</show>");
    handle(2, ANN "/b", NULL, "<show>b</show>");
    handle(1, ANN "/a", NULL, "<show>c</show>");
    EXPECT_NOTHING(&output);
    fixture_end_batch();
    EXPECT(&output, ROUTE(ANN "/a", FROM, C), ROUTE(ANN "/a", BOTH, C),
           ROUTE(ANN "/a", ANN, C), ROUTE(ANN "/b", FROM, B),
           ROUTE(ANN "/b", BOTH, B), ROUTE(ANN "/b", ANN, B),
           PROBE(ANN "/b", TO), PROBE(ANN "/b", BOTH),
           ROUTE_FULL(ANN "/a", ANN "/b", C));
    fixture_end_batch();
    EXPECT_NOTHING(&output);
    /* Initial presence and a change: the change, with the probes. */
    handle(3, ANN "/c", NULL, "<show>a</show>");
    handle(3, ANN "/c", NULL, "<show>c</show>");
    fixture_end_batch();
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_PRESENCE_PROBE), 2);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3 + 2);
    output_clear(&output);
    /* Unavailable for a moment: initial again. */
    handle(3, ANN "/c", "unavailable", "");
    handle(3, ANN "/c", NULL, "<show>c</show>");
    fixture_end_batch();
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_PRESENCE_PROBE), 2);
    output_clear(&output);
    /* Available for a moment: nobody has seen it. */
    handle(4, ANN "/d", NULL, "");
    handle(4, ANN "/d", "unavailable", "");
    fixture_end_batch();
    EXPECT_NOTHING(&output);
    /* A change and the end: the end. */
    handle(3, ANN "/c", NULL, "<show>a</show>");
    handle(3, ANN "/c", "unavailable", "");
    fixture_end_batch();
    EXPECT(&output, ROUTE_GONE(ANN "/c", FROM), ROUTE_GONE(ANN "/c", BOTH),
           ROUTE_GONE(ANN "/c", ANN), ROUTE_FULL_GONE(ANN "/c", ANN "/c"));
    fixture_close();
}

/* The n-th contacts.ask of the output, answered. */
static void answer_ask(const struct output *asked, size_t n)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer list = BUFFER_EMPTY;
    struct event event;

    CU_ASSERT_TRUE_FATAL(outputs_event(asked, n, &body, &event));
    CU_ASSERT_EQUAL_FATAL(event.type, EVENT_CONTACTS_ASK);
    event = fixture_answer(&event, &list);
    fixture_send(&event);
    buffer_deinit(&body);
    buffer_deinit(&list);
}

/* While one change is on its way to the roster, all later ones follow it. */
static void test_order_while_asking(void)
{
    struct output asked;

    fixture_open();
    send(1, ANN "/a", NULL, "<show>a</show>");
    send(1, ANN "/a", "unavailable", "");
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_CONTACTS_ASK), 2);
    asked = output;
    outputs_init(&output);
    answer_ask(&asked, 0);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    output_clear(&output);
    answer_ask(&asked, 0); /* the roster crashed and repeats itself */
    EXPECT_NOTHING(&output);
    send(2, ANN "/b", NULL, "<show>b</show>"); /* the second one still is */
    EXPECT(&output, "roster contacts.ask #2 " ANN " <" ANN "/b" B);
    send(2, ANN "/b", NULL, "<show>b</show>");
    output_deinit(&asked);
    asked = output;
    outputs_init(&output);
    answer_ask(&asked, 0);
    output_clear(&output);
    send(2, ANN "/b", NULL, "<show>c</show>"); /* that was the last one */
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_CONTACTS_ASK), 0);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    output_deinit(&asked);
    fixture_close();
}

/* What a former owner asked comes to the new one. */
static void test_answer_to_former_owner(void)
{
    struct event ask = fixture_update(1, ANN "/a", NULL, "<show>a</show>");
    struct buffer list = BUFFER_EMPTY;
    struct event answer;

    ask.to = SLICE(ANN);
    ask.request = 5;
    answer = fixture_answer(&ask, &list);
    fixture_open();
    fixture_send(&answer);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_ROUTE), 3);
    output_clear(&output);
    fixture_send(&answer);
    EXPECT_NOTHING(&output);
    buffer_deinit(&list);
    fixture_close();
}

static void test_repeats(void)
{
    struct event event;

    fixture_open_available();
    event = fixture_update(1, ANN "/a", NULL, "<show>b</show>");
    fixture_send(&event);
    CU_ASSERT_EQUAL(output.count, 3);
    output_clear(&output);
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"initial presence", test_initial},
        {"fields", test_fields},
        {"a change", test_change},
        {"a second resource", test_second_resource},
        {"each asks the roster", test_each_asks_the_roster},
        {"unavailable, and again", test_unavailable},
        {"gone", test_gone},
        {"unavailable of an unknown one", test_unavailable_of_unknown},
        {"coalescing", test_coalescing},
        {"order while asking", test_order_while_asking},
        {"an answer to a former owner", test_answer_to_former_owner},
        {"repeats", test_repeats},
    };

    return unit_run("presence update", cases, ARRAY_SIZE(cases));
}
