#include "base/clock.h"
#include "fixture.h"

#define QUERY "<query xmlns='" NS_ROSTER "'"
#define PUSH(items)                                                            \
    "delivery stanza.route iq/set " ANN " <" ANN " @interested {" QUERY        \
    ">" items "</query>}"
#define RESULT "inbox:f1 stanza.deliver #7 iq/result " CLIENT
#define INTERESTED "delivery session.interested #7 <" CLIENT
#define CHANGED "presence contact.changed " ANN
#define ARRIVE(verb) "roster subscription.arrive/" verb " " CONTACT " <" ANN
#define ITEM(rest) QUERY "><item jid='" CONTACT "'" rest "</query>"

/* get */

static void send_get(void)
{
    struct event event = fixture_iq("get", QUERY "/>");

    fixture_send(&event);
}

static void test_get_empty(void)
{
    fixture_open();
    send_get();
    EXPECT(&output, INTERESTED, RESULT " {" QUERY "></query>}");
    fixture_close();
}

static void test_get(void)
{
    fixture_open();
    fixture_put("1@x", SUBSCRIPTION_NONE_OUT, true);
    fixture_put("2@x", SUBSCRIPTION_NONE_IN, false); /* only a request */
    fixture_put("3@x", SUBSCRIPTION_BOTH, true);
    fixture_set(QUERY "><item jid='4@x' name='&lt;4&gt;'><group>a&amp;b"
                      "</group><group>c</group></item></query>");
    output_clear(&output);
    send_get();
    EXPECT(&output, INTERESTED,
           RESULT " {" QUERY ">"
                  "<item jid='1@x' subscription='none' ask='subscribe'></item>"
                  "<item jid='3@x' subscription='both'></item>"
                  "<item jid='4@x' name='&lt;4&gt;' subscription='none'>"
                  "<group>a&amp;b</group><group>c</group></item></query>}");
    fixture_reopen();
    send_get();
    CU_ASSERT_EQUAL(output.count, 2);
    fixture_close();
}

/* The answer goes to the session that asked, under the id it gave. */
static void test_answer(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event = fixture_iq("get", QUERY "/>");
    struct event answer;

    fixture_open();
    event.to = SLICE(ANN);
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 1, &body, &answer));
    ASSERT_SLICE(answer.id, "r1");
    ASSERT_SLICE(answer.from, ANN);
    CU_ASSERT_EQUAL(answer.kind, STANZA_IQ);
    CU_ASSERT_EQUAL(answer.origin, event.origin);
    CU_ASSERT_EQUAL(answer.sequence, event.sequence);
    buffer_deinit(&body);
    fixture_close();
}

/* set */

static void test_add_and_change(void)
{
    fixture_open();
    fixture_set(ITEM("/>"));
    EXPECT(&output, PUSH("<item jid='" CONTACT "' subscription='none'></item>"),
           RESULT);
    fixture_set(ITEM(" name='Con'><group>Friends</group></item>"));
    EXPECT(&output,
           PUSH("<item jid='" CONTACT "' name='Con' subscription='none'>"
                "<group>Friends</group></item>"),
           RESULT);
    fixture_set(ITEM(" name=''/>"));
    EXPECT(&output,
           PUSH("<item jid='" CONTACT "' name='' subscription='none'></item>"),
           RESULT);
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    CU_ASSERT_EQUAL(store_count_items(roster->store, SLICE(ANN), true), 1);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    fixture_close();
}

/* RFC 6121 2.1.2: a client sets neither `subscription` nor `ask`. */
static void test_state_is_kept(void)
{
    struct store_item item;

    fixture_open();
    fixture_put(CONTACT, SUBSCRIPTION_FROM_OUT, true);
    fixture_set(ITEM(" subscription='both' ask='x' name='Con'/>"));
    EXPECT(&output,
           PUSH("<item jid='" CONTACT "' name='Con' subscription='from'"
                " ask='subscribe'></item>"),
           RESULT);
    CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
    CU_ASSERT_EQUAL(item.state, SUBSCRIPTION_FROM_OUT);
    fixture_close();
}

static void test_request_becomes_listed(void)
{
    struct store_item item;

    fixture_open();
    fixture_put(CONTACT, SUBSCRIPTION_NONE_IN, false);
    fixture_set(ITEM("/>"));
    EXPECT(&output, PUSH("<item jid='" CONTACT "' subscription='none'></item>"),
           RESULT);
    CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
    CU_ASSERT_TRUE(item.is_listed);
    CU_ASSERT_EQUAL(item.state, SUBSCRIPTION_NONE_IN);
    CU_ASSERT_TRUE(slice_is_set(item.request.payload));
    fixture_close();
}

static void test_jid_is_prepared(void)
{
    struct store_item item;

    fixture_open();
    fixture_set(QUERY "><item jid='CON@X'/></query>");
    CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
    fixture_close();
}

static void test_repeated_set(void)
{
    struct event event = fixture_iq("set", ITEM(" name='Con'/>"));
    struct buffer first = BUFFER_EMPTY;
    struct buffer second = BUFFER_EMPTY;
    struct event push;

    fixture_open();
    fixture_send(&event);
    outputs_event(&output, 0, &first, &push);
    output_clear(&output);
    fixture_send(&event);
    outputs_event(&output, 0, &second, &push);
    /* Receivers tell by its identity that they have had it. */
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    buffer_deinit(&first);
    buffer_deinit(&second);
    fixture_close();
}

/* RFC 6121 2.5.2: what is cancelled towards the contact. */
static void test_remove(void)
{
    static const struct {
        enum subscription_state state;
        bool unsubscribe, unsubscribed;
    } table[] = {
        {SUBSCRIPTION_NONE, false, false},
        {SUBSCRIPTION_NONE_OUT, true, false},
        {SUBSCRIPTION_NONE_IN, false, true},
        {SUBSCRIPTION_NONE_OUT_IN, true, true},
        {SUBSCRIPTION_TO, true, false},
        {SUBSCRIPTION_TO_IN, true, true},
        {SUBSCRIPTION_FROM, false, true},
        {SUBSCRIPTION_FROM_OUT, true, true},
        {SUBSCRIPTION_BOTH, true, true},
    };
    struct store_item item;

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const char *expected[5];
        size_t count = 0;

        fixture_put(CONTACT, table[i].state, true);
        fixture_set(ITEM(" subscription='remove'/>"));
        if (table[i].unsubscribe)
            expected[count++] = ARRIVE("unsubscribe");
        if (table[i].unsubscribed)
            expected[count++] = ARRIVE("unsubscribed");
        expected[count++] =
            PUSH("<item jid='" CONTACT "' subscription='remove'></item>");
        expected[count++] = CHANGED;
        expected[count++] = RESULT;
        CU_ASSERT_TRUE(outputs_are(&output, expected, count));
        CU_ASSERT_FALSE(fixture_get(CONTACT, &item));
    }
    fixture_close();
}

/* Errors. */

static bool is_refused(const char *condition)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer element = BUFFER_EMPTY;
    struct buffer payload = BUFFER_EMPTY;
    struct event event;
    bool is_error = output.count == 1 &&
                    outputs_event(&output, 0, &body, &event) &&
                    event.type == EVENT_STANZA_DELIVER && event.session == 7 &&
                    slice_is(event.subtype, "error");

    buffer_appendf(&element, "<%s ", condition);
    if (is_error)
        buffer_append(&payload, event.payload);
    is_error = payload.data && strstr(payload.data, element.data);
    buffer_deinit(&body);
    buffer_deinit(&element);
    buffer_deinit(&payload);
    output_clear(&output);
    return is_error;
}

static void check_refused(const char *payload, const char *condition)
{
    bool is_right;

    fixture_set(payload);
    is_right = is_refused(condition);
    if (!is_right)
        printf("\n    expected %s for %.100s\n", condition, payload);
    CU_ASSERT_TRUE(is_right);
}

/* RFC 6121 2.3.3, 2.5.3. */
static void test_wrong_sets(void)
{
    static const struct {
        const char *payload, *condition;
    } table[] = {
        {"", "bad-request"},
        {"<query xmlns='jabber:iq:roster'", "bad-request"},
        {"<query xmlns='other'><item jid='" CONTACT "'/></query>",
         "bad-request"},
        {QUERY "/>", "bad-request"},
        {QUERY "><thing jid='" CONTACT "'/></query>", "bad-request"},
        {QUERY "><item jid='1@x'/><item jid='2@x'/></query>", "bad-request"},
        {QUERY "><item/></query>", "bad-request"},
        {QUERY "><item jid=''/></query>", "bad-request"},
        {QUERY "><item jid='@x'/></query>", "bad-request"},
        {QUERY "><item jid='a b@x'/></query>", "bad-request"},
        {ITEM("><group>a</group><group>a</group></item>"), "bad-request"},
        {ITEM("><group/></item>"), "not-acceptable"},
        {ITEM("><group>a</group><group></group></item>"), "not-acceptable"},
        {QUERY "><item jid='" ANN "'/></query>", "not-allowed"},
        {QUERY "><item jid='" CLIENT "'/></query>", "not-allowed"},
        {ITEM(" subscription='remove'/>"), "item-not-found"},
    };

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        check_refused(table[i].payload, table[i].condition);
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    CU_ASSERT_EQUAL(store_count_items(roster->store, SLICE(ANN), true), 0);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    fixture_close();
}

static void test_request_is_not_removed(void)
{
    struct store_item item;

    fixture_open();
    fixture_put(CONTACT, SUBSCRIPTION_NONE_IN, false);
    check_refused(ITEM(" subscription='remove'/>"), "item-not-found");
    CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
    fixture_close();
}

/* At the limit it is taken, one above it is not. */
static void check_limit(const char *before, const char *repeated,
                        const char *after, size_t limit)
{
    for (size_t count = limit; count <= limit + 1; count++) {
        struct buffer payload = BUFFER_EMPTY;

        buffer_append_text(&payload, before);
        for (size_t i = 0; i < count; i++) {
            if (strlen(repeated) == 1)
                buffer_append_text(&payload, repeated);
            else
                buffer_appendf(&payload, "<%s>%zu</%s>", repeated, i, repeated);
        }
        buffer_append_text(&payload, after);
        if (count > limit) {
            check_refused(payload.data, "not-acceptable");
        } else {
            fixture_set(payload.data);
            CU_ASSERT_EQUAL(output.count, 2);
            output_clear(&output);
        }
        buffer_deinit(&payload);
    }
}

static void test_long_sets(void)
{
    fixture_open();
    check_limit(ITEM_OPEN CONTACT "' name='", "a", "'>" ITEM_CLOSE, 1023);
    check_limit(ITEM_OPEN CONTACT "'><group>", "a", "</group>" ITEM_CLOSE,
                1023);
    check_limit(ITEM_OPEN CONTACT "'>", "group", ITEM_CLOSE, 50);
    fixture_close();
}

static void test_full_roster(void)
{
    char payload[200];

    fixture_open();
    for (unsigned i = 0; i < fixture_config.max_items; i++) {
        snprintf(payload, sizeof(payload), ITEM_OPEN "%u@x'>" ITEM_CLOSE, i);
        fixture_set(payload);
        CU_ASSERT_EQUAL(output.count, 2);
        output_clear(&output);
    }
    check_refused(ITEM("/>"), "not-acceptable");
    fixture_put(CONTACT, SUBSCRIPTION_NONE_IN, false);
    check_refused(ITEM("/>"), "not-acceptable");
    fixture_set(payload); /* one that is there */
    CU_ASSERT_EQUAL(output.count, 2);
    output_clear(&output);
    fixture_set(QUERY "><item jid='0@x' subscription='remove'/></query>");
    output_clear(&output);
    fixture_set(ITEM("/>"));
    CU_ASSERT_EQUAL(output.count, 2);
    fixture_close();
}

/* The session is still there, the account is not. */
static void test_no_account(void)
{
    struct event event = fixture_event(EVENT_ACCOUNT_DELETE);

    fixture_open();
    event.to = SLICE(ANN);
    event.node = SLICE("oceanctl");
    fixture_send(&event);
    output_clear(&output);
    check_refused(ITEM("/>"), "item-not-found");
    check_refused(ITEM(" subscription='remove'/>"), "item-not-found");
    event = fixture_iq("get", QUERY "/>");
    fixture_send(&event);
    CU_ASSERT_TRUE(is_refused("item-not-found"));
    fixture_close();
}

static void test_wrong_requests(void)
{
    struct event event;

    fixture_open();
    event = fixture_iq("set", ITEM("/>"));
    event.to = SLICE(CONTACT);
    fixture_send(&event);
    CU_ASSERT_TRUE(is_refused("forbidden"));
    event = fixture_iq("get", "<vcard xmlns='" NS_ROSTER "'/>");
    event.child = SLICE("vcard");
    fixture_send(&event);
    CU_ASSERT_TRUE(is_refused("bad-request"));
    event = fixture_iq("get", "<query xmlns='other'/>");
    event.ns = SLICE("other");
    fixture_send(&event);
    CU_ASSERT_TRUE(is_refused("bad-request"));
    event = fixture_iq("set", ITEM("/>"));
    event.deadline = clock_unix_ms() - 1;
    fixture_send(&event);
    CU_ASSERT_TRUE(is_refused("remote-server-timeout"));
    event = fixture_iq("set", ITEM("/>"));
    event.deadline = clock_unix_ms() + 60000;
    fixture_send(&event);
    CU_ASSERT_EQUAL(output.count, 2);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"get an empty roster", test_get_empty},
        {"get", test_get},
        {"the answer", test_answer},
        {"add and change", test_add_and_change},
        {"the state is kept", test_state_is_kept},
        {"a request becomes listed", test_request_becomes_listed},
        {"the JID is prepared", test_jid_is_prepared},
        {"a repeated set", test_repeated_set},
        {"remove", test_remove},
        {"wrong sets", test_wrong_sets},
        {"a request is not removed", test_request_is_not_removed},
        {"long sets", test_long_sets},
        {"a full roster", test_full_roster},
        {"no account", test_no_account},
        {"wrong requests", test_wrong_requests},
    };

    return unit_run("roster items", cases, ARRAY_SIZE(cases));
}
