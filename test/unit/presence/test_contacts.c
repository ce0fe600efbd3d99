#include "fixture.h"

#define A " {<show>a</show>}"
#define B " {<show>b</show>}"

static void send_probe(const char *prober)
{
    struct event event = fixture_event(EVENT_PRESENCE_PROBE);

    event.from = slice_of(prober);
    event.to = SLICE(ANN);
    fixture_send(&event);
}

static void send_changed(const char *contact, const char *subscription)
{
    struct event event = fixture_event(EVENT_CONTACT_CHANGED);

    event.to = SLICE(ANN);
    event.contact = slice_of(contact);
    event.subscription = slice_of(subscription);
    fixture_send(&event);
}

static void test_probes(void)
{
    static const struct {
        const char *prober;
        bool may_see;
    } table[] = {
        {NONE "/p", false}, {TO "/p", false},   {FROM "/p", true},
        {BOTH "/p", true},  {"eve@x/p", false},
    };
    struct event second = fixture_update(2, ANN "/b", NULL, "<show>b</show>");

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        send_probe(table[i].prober); /* nobody is there */
    EXPECT_NOTHING(&output);
    fixture_close();
    fixture_open_available();
    second.sequence = ++fixture_sequence;
    fixture_send(&second);
    output_clear(&output);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        send_probe(table[i].prober);
        CU_ASSERT_EQUAL(output.count, table[i].may_see ? 2 : 0);
        output_clear(&output);
    }
    send_probe(FROM "/p");
    EXPECT(&output, ROUTE_FULL(ANN "/b", FROM "/p", B),
           ROUTE_FULL(ANN "/a", FROM "/p", A));
    fixture_close();
}

/* Every subscription to every other: what the contact is told, whether it is
 * asked. */
static void test_changes(void)
{
    static const char *const states[] = {"none", "to", "from", "both",
                                         "remove"};

    for (size_t was = 0; was < ARRAY_SIZE(states); was++) {
        for (size_t now = 0; now < ARRAY_SIZE(states); now++) {
            bool saw = was == 2 || was == 3, sees = now == 2 || now == 3;
            bool asked = was == 1 || was == 3, asks = now == 1 || now == 3;
            size_t expected = 0;

            fixture_open_available();
            send_changed("new@x", states[was]);
            output_clear(&output);
            send_changed("new@x", states[now]);
            expected += saw != sees;
            expected += asks && !asked;
            CU_ASSERT_EQUAL(output.count, expected);
            CU_ASSERT_EQUAL(outputs_count(&output, EVENT_PRESENCE_PROBE),
                            asks && !asked);
            output_clear(&output);
            send_changed("new@x", states[now]); /* repeated */
            EXPECT_NOTHING(&output);
            send_probe("new@x/p");
            CU_ASSERT_EQUAL(output.count, sees);
            fixture_close();
        }
    }
}

static void test_what_is_told(void)
{
    fixture_open_available();
    send_changed("new@x", "both");
    EXPECT(&output, ROUTE(ANN "/a", "new@x", A), PROBE(ANN "/a", "new@x"));
    send_changed("new@x", "remove");
    EXPECT(&output, ROUTE_GONE(ANN "/a", "new@x"));
    send_changed(BOTH, "to");
    EXPECT(&output, ROUTE_GONE(ANN "/a", BOTH));
    send_changed("new@x", "none");
    EXPECT_NOTHING(&output);
    fixture_close();
    fixture_open();
    send_changed("new@x", "both"); /* ann is not there */
    EXPECT_NOTHING(&output);
    fixture_close();
}

/* A contact that loses sight in the batch in which the resource ends. */
static void test_change_before_the_end_is_told(void)
{
    struct event gone;
    struct event changed = fixture_event(EVENT_CONTACT_CHANGED);

    changed.to = SLICE(ANN);
    changed.contact = SLICE(BOTH);
    changed.subscription = SLICE("none");
    fixture_open_available();
    gone = fixture_update(1, ANN "/a", "unavailable", "");
    fixture_handle(&gone);
    fixture_handle(&changed);
    fixture_end_batch();
    EXPECT(&output, ROUTE_GONE(ANN "/a", BOTH), ROUTE_GONE(ANN "/a", FROM),
           ROUTE_GONE(ANN "/a", ANN), ROUTE_FULL_GONE(ANN "/a", ANN "/a"));
    fixture_close();
}

static void open_with_snapshot(void)
{
    struct event report = fixture_update(1, ANN "/a", NULL, "<show>a</show>");

    report.type = EVENT_SNAPSHOT_SESSION;
    report.is_available = true;
    fixture_open();
    snapshot_begin(presence, SLICE("f1"));
    snapshot_session(presence, &report, &output);
    snapshot_end(presence, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
}

static void test_probes_before_contacts(void)
{
    open_with_snapshot();
    send_probe(FROM "/p");
    EXPECT(&output, "roster contacts.ask " ANN);
    send_probe(FROM "/p");
    EXPECT_NOTHING(&output);
    fixture_close();
    open_with_snapshot();
    send_probe(FROM "/p");
    send_probe(FROM "/p");
    send_probe("eve@x/p");
    send_probe(BOTH "/p"); /* one more than is kept */
    CU_ASSERT_EQUAL(fixture_answer_asks(), 1);
    EXPECT(&output, ROUTE_FULL(ANN "/a", FROM "/p", A));
    send_probe(BOTH "/p");
    EXPECT(&output, ROUTE_FULL(ANN "/a", BOTH "/p", A));
    fixture_close();
}

/* The answer to such a question after ann has gone, or to a former owner. */
static void test_contacts_only_answer(void)
{
    struct event ask = fixture_event(EVENT_CONTACTS_ASK);
    struct buffer list = BUFFER_EMPTY;
    struct event answer;

    ask.to = SLICE(ANN);
    answer = fixture_answer(&ask, &list);
    fixture_open();
    fixture_send(&answer);
    EXPECT_NOTHING(&output);
    CU_ASSERT_PTR_NULL(user_find(presence, SLICE(ANN)));
    buffer_deinit(&list);
    fixture_close();
}

static void test_change_before_contacts(void)
{
    open_with_snapshot();
    send_changed("new@x", "both");
    EXPECT(&output, ROUTE(ANN "/a", "new@x", A), PROBE(ANN "/a", "new@x"));
    send_changed("new@x", "none");
    EXPECT(&output, ROUTE_GONE(ANN "/a", "new@x"));
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"probes", test_probes},
        {"changes of subscription", test_changes},
        {"what the contact is told", test_what_is_told},
        {"a change before the end is told", test_change_before_the_end_is_told},
        {"probes before contacts", test_probes_before_contacts},
        {"an answer with contacts only", test_contacts_only_answer},
        {"a change before contacts", test_change_before_contacts},
    };

    return unit_run("presence contacts", cases, ARRAY_SIZE(cases));
}
