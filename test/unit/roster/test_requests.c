#include "fixture.h"

#define PLEASE " {<status>please</status>}"

/* The n-th event put out; its texts live in `body`. */
static struct event get_output(size_t n, struct buffer *body)
{
    struct event event;

    CU_ASSERT_TRUE_FATAL(outputs_event(&output, n, body, &event));
    return event;
}

static void test_what_is_sent(void)
{
    struct event event = fixture_request(CONTACT, "subscribe");
    struct buffer body = BUFFER_EMPTY;
    struct event arrive;

    fixture_open();
    event.id = SLICE("s1");
    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:p='q'");
    event.payload = SLICE("<p:a/>");
    fixture_send(&event);
    arrive = get_output(1, &body);
    ASSERT_SLICE(arrive.id, "s1");
    ASSERT_SLICE(arrive.lang, "eo");
    ASSERT_SLICE(arrive.extra, " xmlns:p='q'");
    buffer_deinit(&body);
    EXPECT(&output,
           "delivery stanza.route iq/set " ANN " <" ANN " @interested {"
           "<query xmlns='" NS_ROSTER "'><item jid='" CONTACT
           "' subscription='none' ask='subscribe'></item></query>}",
           "roster subscription.arrive/subscribe " CONTACT " <" ANN
           " {<p:a/>}");
    fixture_close();
}

static void test_what_is_delivered(void)
{
    struct event event = fixture_arrive(CONTACT, "subscribe");
    struct buffer body = BUFFER_EMPTY;
    struct event delivered;

    fixture_open();
    event.id = SLICE("s1");
    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:p='q'");
    event.payload = SLICE("<p:a/>");
    fixture_send(&event);
    delivered = get_output(0, &body);
    ASSERT_SLICE(delivered.id, "s1");
    ASSERT_SLICE(delivered.lang, "eo");
    ASSERT_SLICE(delivered.extra, " xmlns:p='q'");
    CU_ASSERT_TRUE(delivered.is_durable);
    buffer_deinit(&body);
    EXPECT(&output, "delivery stanza.route presence/subscribe " ANN " <" CONTACT
                    " @available {<p:a/>}");
    fixture_close();
}

/* What presence hears: who may see whom from now on. */
static void test_changes(void)
{
    static const struct {
        enum subscription_state before;
        const char *verb, *subscription;
    } table[] = {
        {SUBSCRIPTION_NONE_OUT, "subscribed", "to"},
        {SUBSCRIPTION_FROM_OUT, "subscribed", "both"},
        {SUBSCRIPTION_BOTH, "unsubscribe", "to"},
        {SUBSCRIPTION_BOTH, "unsubscribed", "from"},
        {SUBSCRIPTION_TO, "unsubscribed", "none"},
    };
    struct buffer body = BUFFER_EMPTY;

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct event event = fixture_arrive(CONTACT, table[i].verb);
        struct event changed;

        fixture_put(CONTACT, table[i].before, true);
        fixture_send(&event);
        changed = get_output(2, &body); /* after the stanza and the push */
        CU_ASSERT_EQUAL(changed.type, EVENT_CONTACT_CHANGED);
        ASSERT_SLICE(changed.to, ANN);
        ASSERT_SLICE(changed.contact, CONTACT);
        ASSERT_SLICE(changed.subscription, table[i].subscription);
        output_clear(&output);
    }
    buffer_deinit(&body);
    fixture_close();
}

static void test_approval_lists_the_contact(void)
{
    struct event event = fixture_request(CONTACT, "subscribed");

    fixture_open();
    fixture_put(CONTACT, SUBSCRIPTION_NONE_IN, false);
    fixture_send(&event);
    EXPECT(&output,
           "delivery stanza.route iq/set " ANN " <" ANN " @interested {"
           "<query xmlns='" NS_ROSTER "'><item jid='" CONTACT
           "' subscription='from'></item></query>}",
           "presence contact.changed " ANN,
           "roster subscription.arrive/subscribed " CONTACT " <" ANN);
    fixture_close();
}

static void test_nobody_concerned(void)
{
    static const enum event_type types[] = {EVENT_SUBSCRIPTION_REQUEST,
                                            EVENT_SUBSCRIPTION_ARRIVE};

    static const char *const verbs[] = {"subscribe", "unsubscribe",
                                        "subscribed", "unsubscribed"};

    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        struct event event = fixture_request(ANN, verbs[i]); /* herself */

        fixture_send(&event);
        event = fixture_subscription(types[0], "eve@x/pc", CONTACT, verbs[i]);
        fixture_send(&event);
        event = fixture_subscription(types[1], CONTACT, "eve@x", verbs[i]);
        fixture_send(&event);
    }
    EXPECT_NOTHING(&output);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct event event =
            fixture_subscription(types[i], ANN, ANN, "unavailable");

        CU_ASSERT_EQUAL(fixture_handle(&event), REJECT);
    }
    fixture_close();
}

#define REFUSED(client, error)                                                 \
    "inbox:f1 stanza.deliver #7 presence/error " client " <" CONTACT           \
    " {<error type='" error " xmlns='" NS_STANZA_ERRORS "'/></error>}"

/* The session is still there, the account is not. */
static void test_no_account(void)
{
    struct event event = fixture_subscription(EVENT_SUBSCRIPTION_REQUEST,
                                              "eve@x/pc", CONTACT, "subscribe");

    fixture_open();
    event.session = 7;
    event.node = SLICE("f1");
    fixture_send(&event);
    EXPECT(&output, REFUSED("eve@x/pc", "cancel'><item-not-found"));
    fixture_close();
}

/* Limits. */

static void fill_roster(void)
{
    char jid[16];

    for (uint64_t i = 0; i < fixture_config.max_items; i++) {
        snprintf(jid, sizeof(jid), "%u@x", (unsigned)i);
        fixture_put(jid, SUBSCRIPTION_NONE, true);
    }
}

static void send_request(const char *to, const char *verb)
{
    struct event event = fixture_request(to, verb);

    event.session = 7;
    event.node = SLICE("f1");
    fixture_send(&event);
}

static void test_full_roster(void)
{
    static const char *const verbs[] = {"subscribe", "subscribed"};
    struct store_item item;

    fixture_open();
    fill_roster();
    fixture_put(CONTACT, SUBSCRIPTION_NONE_IN, false); /* counts apart */
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        send_request(CONTACT, verbs[i]);
        EXPECT(&output, REFUSED(CLIENT, "modify'><not-acceptable"));
        CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
        CU_ASSERT_FALSE(item.is_listed);
    }
    send_request("0@x", "subscribe"); /* one that is there */
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_SUBSCRIPTION_ARRIVE), 1);
    output_clear(&output);
    send_request(CONTACT, "unsubscribed"); /* lists nobody */
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_SUBSCRIPTION_ARRIVE), 1);
    fixture_close();
}

static void ask_ann(const char *from)
{
    struct event event = fixture_arrive(from, "subscribe");

    fixture_send(&event);
}

/* One more than is kept: who asked first is refused; contacts are not. */
static void test_strangers(void)
{
    struct store_item item;

    fixture_open();
    fixture_put(CONTACT, SUBSCRIPTION_NONE_OUT, true);
    ask_ann(CONTACT);
    ask_ann("3@x");
    ask_ann("2@x");
    ask_ann("1@x");
    ask_ann("3@x"); /* again; it stays where it was */
    output_clear(&output);
    ask_ann("4@x");
    EXPECT(&output, "roster subscription.arrive/unsubscribed 3@x <" ANN,
           "delivery stanza.route presence/subscribe " ANN " <4@x @available");
    CU_ASSERT_FALSE(fixture_get("3@x", &item));
    CU_ASSERT_TRUE(fixture_get("4@x", &item));
    CU_ASSERT_TRUE(fixture_get(CONTACT, &item));
    CU_ASSERT_EQUAL(item.state, SUBSCRIPTION_NONE_OUT_IN);
    fixture_close();
}

/* There are many of a time when the limit was higher: they go by and by. */
static void test_lower_limit(void)
{
    struct store_item item;

    fixture_open();
    ask_ann("1@x");
    ask_ann("2@x");
    ask_ann("3@x");
    fixture_config.max_requests = 1;
    output_clear(&output);
    ask_ann("4@x");
    EXPECT(&output, "roster subscription.arrive/unsubscribed 1@x <" ANN,
           "roster subscription.arrive/unsubscribed 2@x <" ANN,
           "delivery stanza.route presence/subscribe " ANN " <4@x @available");
    CU_ASSERT_TRUE(fixture_get("3@x", &item));
    output_clear(&output);
    ask_ann("5@x");
    EXPECT(&output, "roster subscription.arrive/unsubscribed 3@x <" ANN,
           "roster subscription.arrive/unsubscribed 4@x <" ANN,
           "delivery stanza.route presence/subscribe " ANN " <5@x @available");
    fixture_config.max_requests = 3;
    fixture_close();
}

/* Contacts for presence. */

static struct event ask(bool is_first)
{
    struct event event = fixture_event(EVENT_CONTACTS_ASK);

    event.to = SLICE(ANN);
    event.from = SLICE(CLIENT);
    event.session = 7;
    event.node = SLICE("f1");
    event.is_first = is_first;
    return event;
}

/* "a b " of the list in the last event put out. */
static bool contacts_are(const char *expected)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer text = BUFFER_EMPTY;
    struct event event = get_output(output.count - 1, &body);
    struct event_list list;
    struct slice item;
    bool is_same;

    event_list_open(&list, event.contacts);
    while (event_list_next(&list, &item)) {
        buffer_append(&text, item);
        buffer_append_byte(&text, ' ');
    }
    is_same = slice_equal(buffer_slice(&text), slice_of(expected));
    buffer_deinit(&text);
    buffer_deinit(&body);
    return is_same;
}

static void test_contacts(void)
{
    struct event event = ask(false);

    fixture_open();
    fixture_send(&event);
    CU_ASSERT_TRUE(contacts_are(""));
    output_clear(&output);
    fixture_put("1@x", SUBSCRIPTION_NONE_OUT, true);
    fixture_put("2@x", SUBSCRIPTION_TO_IN, true);
    fixture_put("3@x", SUBSCRIPTION_FROM, true);
    fixture_put("4@x", SUBSCRIPTION_BOTH, true);
    fixture_send(&event);
    CU_ASSERT_TRUE(contacts_are("2@x to 3@x from 4@x both "));
    EXPECT(&output, "presence contacts.list #7 " ANN " <" CLIENT);
    fixture_close();
}

static void test_many_contacts(void)
{
    struct event event = ask(false);
    struct buffer body = BUFFER_EMPTY;
    struct event_list list;
    struct slice item;
    size_t count = 0;

    fixture_open();
    for (unsigned i = 0; i < 200; i++) {
        char jid[16];

        snprintf(jid, sizeof(jid), "%u@x", i);
        fixture_put(jid, SUBSCRIPTION_TO, true);
    }
    fixture_send(&event);
    event = get_output(0, &body);
    event_list_open(&list, event.contacts);
    while (event_list_next(&list, &item))
        count++;
    CU_ASSERT_EQUAL(count, 400);
    buffer_deinit(&body);
    fixture_close();
}

/* RFC 6121 3.1.3: unanswered requests, with every initial presence. */
static void test_requests_at_login(void)
{
    struct event event = ask(true);
    struct event other = ask(false);
    struct event answer = fixture_request("1@x", "unsubscribed");

    fixture_open();
    fixture_put("1@x", SUBSCRIPTION_NONE_IN, false);
    fixture_put("2@x", SUBSCRIPTION_TO_IN, true);
    fixture_put("3@x", SUBSCRIPTION_BOTH, true);
    fixture_send(&event);
    EXPECT(&output,
           "delivery stanza.route presence/subscribe " CLIENT " <1@x" PLEASE,
           "delivery stanza.route presence/subscribe " CLIENT " <2@x" PLEASE,
           "presence contacts.list #7 " ANN " <" CLIENT);
    fixture_send(&other);
    EXPECT(&output, "presence contacts.list #7 " ANN " <" CLIENT);
    fixture_send(&answer);
    output_clear(&output);
    fixture_send(&event);
    EXPECT(&output,
           "delivery stanza.route presence/subscribe " CLIENT " <2@x" PLEASE,
           "presence contacts.list #7 " ANN " <" CLIENT);
    fixture_close();
}

/* The complete stanza; its payload needs what its tag declares. */
static void test_request_survives(void)
{
    struct event request = fixture_arrive(CONTACT, "subscribe");
    struct event event = ask(true);
    struct buffer body = BUFFER_EMPTY;

    fixture_open();
    request.id = SLICE("s1");
    request.lang = SLICE("eo");
    request.extra = SLICE(" xmlns:p='q'");
    request.payload = SLICE("<p:a/>");
    fixture_send(&request);
    output_clear(&output);
    fixture_reopen();
    fixture_send(&event);
    event = get_output(0, &body);
    ASSERT_SLICE(event.id, "s1");
    ASSERT_SLICE(event.lang, "eo");
    ASSERT_SLICE(event.extra, " xmlns:p='q'");
    buffer_deinit(&body);
    EXPECT(&output,
           "delivery stanza.route presence/subscribe " CLIENT " <" CONTACT
           " {<p:a/>}",
           "presence contacts.list #7 " ANN " <" CLIENT);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"what is sent", test_what_is_sent},
        {"what is delivered", test_what_is_delivered},
        {"changes", test_changes},
        {"an approval lists the contact", test_approval_lists_the_contact},
        {"nobody concerned", test_nobody_concerned},
        {"no account", test_no_account},
        {"a full roster", test_full_roster},
        {"strangers", test_strangers},
        {"a lower limit", test_lower_limit},
        {"contacts", test_contacts},
        {"many contacts", test_many_contacts},
        {"requests at login", test_requests_at_login},
        {"a request survives", test_request_survives},
    };

    return unit_run("roster requests", cases, ARRAY_SIZE(cases));
}
