#include "fixture.h"

#define EVE "eve@x"
#define BOUNCE(user)                                                           \
    "delivery stanza.route message/error " AMY " <" user                       \
    " {<error type='cancel'><service-unavailable"                              \
    " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>}"
#define REPLAY(payload)                                                        \
    "inbox:f1 stanza.deliver #7 message/chat " BOB " <" AMY " {" payload "}"
#define REPLAYED "delivery archive.replayed #7 " BOB

static void store_message(const char *to, const char *payload)
{
    struct event event = fixture_message(to, payload);

    fixture_send(&event);
}

/* Everything up to row `until` has arrived; what comes next? */
static void replay(uint64_t until)
{
    struct event event = fixture_event(EVENT_ARCHIVE_REPLAY);

    event.to = SLICE(BOB);
    event.session = 7;
    event.node = SLICE("f1");
    event.request = 3;
    event.count = until;
    fixture_send(&event);
}

/* The last event put out: "replayed". */
static struct event replayed(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    CU_ASSERT_TRUE_FATAL(
        outputs_event(&output, output.count - 1, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_ARCHIVE_REPLAYED);
    CU_ASSERT_EQUAL(event.session, 7);
    CU_ASSERT_EQUAL(event.request, 3);
    ASSERT_SLICE(event.node, "f1");
    buffer_deinit(&body);
    return event;
}

static void change_account(const char *user, const char *what)
{
    struct event event = fixture_event(EVENT_ACCOUNT_CHANGED);

    event.to = slice_of(user);
    event.subtype = slice_of(what);
    fixture_send(&event);
}

/* Storing and replaying. */

static void test_in_order(void)
{
    uint64_t until;

    fixture_open();
    store_message(BOB, "1");
    store_message(BOB, "2");
    EXPECT_NOTHING(&output);
    replay(0);
    until = replayed().count;
    CU_ASSERT_FALSE(replayed().has_more);
    EXPECT(&output, REPLAY("1"), REPLAY("2"), REPLAYED);
    store_message(BOB, "3"); /* came while the page was under way */
    replay(until);
    EXPECT(&output, REPLAY("3"), REPLAYED);
    fixture_close();
}

static void test_pages(void)
{
    uint64_t until;

    fixture_open();
    store_message(BOB, "1");
    store_message(BOB, "2");
    store_message(BOB, "3");
    store_message(BOB, "4"); /* one more than a page holds */
    fixture_reopen();
    replay(0);
    until = replayed().count;
    CU_ASSERT_TRUE(replayed().has_more);
    EXPECT(&output, REPLAY("1"), REPLAY("2"), REPLAY("3"), REPLAYED);
    replay(until);
    until = replayed().count;
    CU_ASSERT_FALSE(replayed().has_more);
    EXPECT(&output, REPLAY("4"), REPLAYED);
    replay(until);
    CU_ASSERT_EQUAL(replayed().count, 0);
    EXPECT(&output, REPLAYED);
    fixture_close();
}

/* Until delivery says that a page has arrived, it can be had again. */
static void test_asked_again(void)
{
    uint64_t until;

    fixture_open();
    store_message(BOB, "1");
    replay(0);
    until = replayed().count;
    output_clear(&output);
    replay(0);
    CU_ASSERT_EQUAL(replayed().count, until);
    EXPECT(&output, REPLAY("1"), REPLAYED);
    replay(until);
    EXPECT(&output, REPLAYED);
    replay(until);
    EXPECT(&output, REPLAYED);
    fixture_close();
}

/* A replayed message is the one that was stored: the receiver knows it by its
 * identity, and shows when it was sent. */
static void test_what_is_replayed(void)
{
    struct event event = fixture_message(BOB, "<body>hi</body>");
    struct buffer body = BUFFER_EMPTY;
    struct event deliver;

    fixture_open();
    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:p='q'");
    event.mark = 12;
    fixture_send(&event);
    replay(0);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &deliver));
    CU_ASSERT_EQUAL(deliver.origin, event.origin);
    CU_ASSERT_EQUAL(deliver.sequence, event.sequence);
    CU_ASSERT_EQUAL(deliver.stamp, STAMP);
    CU_ASSERT_EQUAL(deliver.mark, 0);
    CU_ASSERT_TRUE(deliver.is_durable);
    ASSERT_SLICE(deliver.id, "m1");
    ASSERT_SLICE(deliver.lang, "eo");
    ASSERT_SLICE(deliver.extra, " xmlns:p='q'");
    CU_ASSERT_EQUAL(replayed().mark, 12);
    buffer_deinit(&body);
    fixture_close();
}

/* "Replayed" waits until the broker has the page. */
static void test_barrier(void)
{
    fixture_open();
    store_message(BOB, "1");
    replay(0);
    CU_ASSERT_EQUAL(output.first->phase, 0);
    CU_ASSERT_EQUAL(output.first->next->phase, 1);
    fixture_close();
}

static void test_repeats(void)
{
    struct event event = fixture_message(BOB, "1");
    uint64_t until;

    fixture_open();
    fixture_send(&event);
    fixture_send(&event);
    replay(0);
    until = replayed().count;
    EXPECT(&output, REPLAY("1"), REPLAYED);
    replay(until);
    output_clear(&output);
    fixture_reopen();
    fixture_send(&event); /* delivered by now */
    replay(0);
    EXPECT(&output, REPLAYED);
    fixture_close();
}

/* A repeat's mark counts all the same: delivery waits for it. */
static void test_mark_of_a_repeat(void)
{
    struct event event = fixture_message(BOB, "1");

    fixture_open();
    event.mark = 4;
    fixture_send(&event);
    event.mark = 5;
    fixture_send(&event);
    replay(0);
    CU_ASSERT_EQUAL(replayed().mark, 5);
    EXPECT(&output, REPLAY("1"), REPLAYED);
    fixture_close();
}

/* What is not stored. */

static void test_unknown_account(void)
{
    struct event event = fixture_message(EVE, "1");

    fixture_open();
    fixture_send(&event);
    EXPECT(&output, BOUNCE(EVE));
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(EVE)), 0);
    event.subtype = SLICE("error"); /* RFC 6120 8.3.1 */
    fixture_send(&event);
    event.subtype = SLICE("chat");
    event.from = SLICE_NONE;
    fixture_send(&event);
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_bounce(void)
{
    struct event event = fixture_message(EVE, "1");
    struct buffer body = BUFFER_EMPTY;
    struct event error;

    fixture_open();
    event.resource = SLICE("pc");
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &error));
    ASSERT_SLICE(error.id, "m1");
    ASSERT_SLICE(error.to, AMY); /* a full JID */
    ASSERT_SLICE(error.from, EVE "/pc");
    CU_ASSERT_TRUE(error.is_durable);
    CU_ASSERT_EQUAL(error.origin, event.origin);
    CU_ASSERT_EQUAL(error.sequence, event.sequence);
    EXPECT(&output, BOUNCE(EVE "/pc"));
    event.is_durable = false;
    event.sequence++;
    fixture_send(&event);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &error));
    CU_ASSERT_FALSE(error.is_durable);
    buffer_deinit(&body);
    fixture_close();
}

static void test_limit(void)
{
    struct event late;

    fixture_open();
    for (size_t i = 0; i < MAX_OFFLINE; i++)
        store_message(BOB, "1");
    EXPECT_NOTHING(&output);
    store_message(BOB, "2");
    EXPECT(&output, BOUNCE(BOB));
    late = fixture_message(BOB, "3"); /* behind a page under way */
    late.session = 7;
    fixture_send(&late);
    EXPECT_NOTHING(&output);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), MAX_OFFLINE + 1);
    fixture_config.max_offline = 0;
    store_message(BOB, "4");
    EXPECT_NOTHING(&output);
    fixture_close();
}

static void test_accounts(void)
{
    fixture_open();
    change_account(EVE, "created");
    change_account(EVE, "created");
    store_message(EVE, "1");
    EXPECT_NOTHING(&output);
    change_account(EVE, "deleted");
    change_account(EVE, "deleted");
    store_message(EVE, "2");
    EXPECT(&output, BOUNCE(EVE));
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(EVE)), 0);
    store_message(BOB, "3");
    change_account(BOB, "deleted");
    change_account(BOB, "created");
    replay(0);
    EXPECT(&output, REPLAYED);
    fixture_close();
}

/* One that cannot be read is passed over, and does not stay. */
static void test_unreadable_message(void)
{
    uint64_t until;

    fixture_open();
    store_message(BOB, "1");
    store_message(BOB, "2");
    fixture_execute("UPDATE message SET event = x'80' WHERE row = 2");
    replay(0);
    until = replayed().count;
    EXPECT(&output, REPLAY("1"), REPLAYED);
    replay(until);
    CU_ASSERT_EQUAL(store_count(archive.store, SLICE(BOB)), 0);
    fixture_close();
}

/* Lists. */

static void send_list(enum event_type type, const char *const *names,
                      size_t count)
{
    struct event event = fixture_event(type);
    struct buffer list = BUFFER_EMPTY;
    struct slice items[4];

    for (size_t i = 0; i < count; i++)
        items[i] = slice_of(names[i]);
    event_list_write(&list, items, count);
    event.names = buffer_slice(&list);
    event.node = SLICE("d1");
    event.request = 3;
    event.partition = 6;
    fixture_send(&event);
    buffer_deinit(&list);
}

/* Is the n-th event put out such an answer, with "a,b," as names? */
static void check_list(size_t n, enum event_type type, const char *expected,
                       bool has_more)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer names = BUFFER_EMPTY;
    struct event event;
    struct event_list list;
    struct slice name;

    CU_ASSERT_TRUE_FATAL(outputs_event(&output, n, &body, &event));
    CU_ASSERT_EQUAL(event.type, type);
    CU_ASSERT_EQUAL(event.request, 3);
    CU_ASSERT_EQUAL(event.partition, 6);
    CU_ASSERT_EQUAL(event.has_more, has_more);
    event_list_open(&list, event.names);
    while (event_list_next(&list, &name)) {
        buffer_append(&names, name);
        buffer_append_byte(&names, ',');
    }
    if (expected)
        ASSERT_SLICE(buffer_slice(&names), expected);
    buffer_deinit(&body);
    buffer_deinit(&names);
}

static void test_pending(void)
{
    static const char *const asked[] = {EVE, BOB, "amy@x"};

    fixture_open();
    send_list(EVENT_ARCHIVE_PENDING_ASK, asked, ARRAY_SIZE(asked));
    check_list(0, EVENT_ARCHIVE_PENDING, "", false);
    output_clear(&output);
    store_message(BOB, "1");
    send_list(EVENT_ARCHIVE_PENDING_ASK, asked, ARRAY_SIZE(asked));
    check_list(0, EVENT_ARCHIVE_PENDING, BOB ",", false);
    EXPECT(&output, "node:d1 archive.pending");
    fixture_close();
}

static void change_inbox(enum event_type type, const char *node)
{
    struct event event = fixture_event(type);

    event.node = slice_of(node);
    fixture_send(&event);
}

static void test_inboxes(void)
{
    fixture_open();
    send_list(EVENT_INBOX_LIST_ASK, NULL, 0);
    check_list(0, EVENT_INBOX_LIST, "", false);
    output_clear(&output);
    change_inbox(EVENT_INBOX_REGISTER, "f1");
    change_inbox(EVENT_INBOX_REGISTER, "f1");
    change_inbox(EVENT_INBOX_REGISTER, "f2");
    change_inbox(EVENT_INBOX_REGISTER, "f3");
    change_inbox(EVENT_INBOX_STRIKE, "f2");
    change_inbox(EVENT_INBOX_STRIKE, "f2");
    EXPECT_NOTHING(&output);
    send_list(EVENT_INBOX_LIST_ASK, NULL, 0);
    check_list(0, EVENT_INBOX_LIST, "f1,f3,", false);
    EXPECT(&output, "node:d1 inbox.list");
    fixture_close();
}

static void test_many_inboxes(void)
{
    fixture_open();
    fixture_begin();
    for (unsigned i = 0; i <= EVENT_NAMES_MAX; i++) {
        char node[16];

        snprintf(node, sizeof(node), "f%03u", i);
        store_add_inbox(archive.store, slice_of(node));
    }
    fixture_commit();
    send_list(EVENT_INBOX_LIST_ASK, NULL, 0);
    CU_ASSERT_EQUAL(output.count, 2);
    check_list(0, EVENT_INBOX_LIST, NULL, true);
    check_list(1, EVENT_INBOX_LIST, "f500,", false);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"in order", test_in_order},
        {"pages", test_pages},
        {"asked again", test_asked_again},
        {"what is replayed", test_what_is_replayed},
        {"barrier", test_barrier},
        {"repeats", test_repeats},
        {"the mark of a repeat", test_mark_of_a_repeat},
        {"an unknown account", test_unknown_account},
        {"a bounce", test_bounce},
        {"limit", test_limit},
        {"accounts", test_accounts},
        {"an unreadable message", test_unreadable_message},
        {"pending", test_pending},
        {"inboxes", test_inboxes},
        {"many inboxes", test_many_inboxes},
    };

    return unit_run("archive handlers", cases, ARRAY_SIZE(cases));
}
