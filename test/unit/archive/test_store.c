#include "fixture.h"

#define EVE "eve@x"

static struct store *store;

static void open_store(void)
{
    fixture_open();
    fixture_begin();
    store = archive.store;
}

static void reopen(void)
{
    fixture_commit();
    fixture_reopen();
    fixture_begin();
    store = archive.store;
}

static void close_store(void)
{
    fixture_commit();
    fixture_close();
}

static struct event put(const char *to, const char *payload)
{
    struct event event = fixture_message(to, payload);

    store_put(store, &event);
    return event;
}

/* What store_each gives: "payload,payload," and the last row. */
struct page {
    struct buffer payloads;
    uint64_t last_row;
    bool is_rising;
};

static void take_row(void *argument, uint64_t row, struct slice raw)
{
    struct page *page = argument;
    struct event event;
    const char *error;

    CU_ASSERT_TRUE_FATAL(event_decode(raw, &event, &error));
    buffer_append(&page->payloads, event.payload);
    buffer_append_byte(&page->payloads, ',');
    page->is_rising &= row > page->last_row;
    page->last_row = row;
}

/* Are the user's first messages these?  Returns the last one's row. */
static uint64_t check_page(const char *user, uint64_t limit, bool has_more,
                           const char *expected)
{
    struct page page = {.is_rising = true};

    CU_ASSERT_EQUAL(
        store_each(store, slice_of(user), 1, limit, take_row, &page), has_more);
    ASSERT_SLICE(buffer_slice(&page.payloads), expected);
    CU_ASSERT_TRUE(page.is_rising);
    buffer_deinit(&page.payloads);
    return page.last_row;
}

static void test_accounts(void)
{
    open_store();
    CU_ASSERT_TRUE(store_has_account(store, SLICE(BOB)));
    CU_ASSERT_FALSE(store_has_account(store, SLICE(EVE)));
    store_add_account(store, SLICE(EVE));
    store_add_account(store, SLICE(EVE));
    reopen();
    CU_ASSERT_TRUE(store_has_account(store, SLICE(EVE)));
    store_remove_account(store, SLICE(EVE));
    store_remove_account(store, SLICE(EVE));
    CU_ASSERT_FALSE(store_has_account(store, SLICE(EVE)));
    CU_ASSERT_TRUE(store_has_account(store, SLICE(BOB)));
    close_store();
}

static void test_pages(void)
{
    uint64_t row;

    open_store();
    check_page(BOB, 2, false, "");
    put(BOB, "1");
    put(EVE, "other");
    put(BOB, "2");
    check_page(BOB, 2, false, "1,2,");
    put(BOB, "3");
    row = check_page(BOB, 2, true, "1,2,");
    reopen();
    store_delete_until(store, SLICE(BOB), 1, 0, INT64_MAX);
    check_page(BOB, 10, false, "1,2,3,");
    store_delete_until(store, SLICE(BOB), 1, row, INT64_MAX);
    store_delete_until(store, SLICE(BOB), 1, row, INT64_MAX);
    check_page(BOB, 2, false, "3,");
    check_page(EVE, 2, false, "other,");
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 1);
    CU_ASSERT_TRUE(store_has_messages(store, SLICE(BOB)));
    store_delete_until(store, SLICE(BOB), 1, UINT64_MAX >> 1, INT64_MAX);
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 0);
    CU_ASSERT_FALSE(store_has_messages(store, SLICE(BOB)));
    close_store();
}

/* A row number names one message for ever: deleting up to it later must not
 * take a newer one along. */
static void test_rows_are_not_used_again(void)
{
    uint64_t row;

    open_store();
    put(BOB, "1");
    row = check_page(BOB, 2, false, "1,");
    store_delete_until(store, SLICE(BOB), 1, row, INT64_MAX);
    reopen();
    put(BOB, "2");
    CU_ASSERT_TRUE(check_page(BOB, 2, false, "2,") > row);
    close_store();
}

static void compare_event(void *argument, uint64_t row, struct slice raw)
{
    const struct event *put_in = argument;
    struct buffer expected = BUFFER_EMPTY;

    (void)row;
    event_encode(&expected, put_in);
    CU_ASSERT_TRUE(slice_equal(raw, buffer_slice(&expected)));
    buffer_deinit(&expected);
}

static void test_events_are_kept_whole(void)
{
    struct event event = fixture_message(BOB, "<body>\xc3\xb6 '\"</body>");

    open_store();
    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:p='q'");
    event.mark = 7;
    store_put(store, &event);
    reopen();
    CU_ASSERT_FALSE(store_each(store, SLICE(BOB), 1, 1, compare_event, &event));
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 1);
    close_store();
}

/* An event is known by origin, sequence and user, delivered or not. */
static void test_known_events(void)
{
    struct event event;
    struct event other;

    open_store();
    event = put(BOB, "1");
    CU_ASSERT_TRUE(store_knows(store, &event));
    other = event;
    other.origin++;
    CU_ASSERT_FALSE(store_knows(store, &other));
    other = event;
    other.sequence++;
    CU_ASSERT_FALSE(store_knows(store, &other));
    other = event;
    other.to = SLICE(EVE);
    CU_ASSERT_FALSE(store_knows(store, &other));
    store_delete_until(store, SLICE(BOB), 1, UINT64_MAX >> 1, INT64_MAX);
    store_purge(store);
    reopen();
    CU_ASSERT_TRUE(store_knows(store, &event));
    close_store();
}

/* One that is still there is known whatever way it comes; one that was
 * delivered only if it comes the same way: given back, it is a new one. */
static void test_known_ways(void)
{
    struct event event;
    struct event other;

    open_store();
    event = put(BOB, "1");
    other = event;
    other.path = event.path + 1;
    CU_ASSERT_TRUE(store_knows(store, &other));
    store_delete_until(store, SLICE(BOB), 1, UINT64_MAX >> 1, INT64_MAX);
    CU_ASSERT_TRUE(store_knows(store, &event));
    CU_ASSERT_FALSE(store_knows(store, &other));
    store_put(store, &other);
    CU_ASSERT_TRUE(store_knows(store, &other));
    check_page(BOB, 2, false, "1,");
    close_store();
}

static void test_drop(void)
{
    struct event event;
    struct event other;

    open_store();
    event = put(BOB, "1");
    put(BOB, "2");
    other = event;
    other.sequence += 100;
    store_drop(store, &other);
    other = event;
    other.origin++;
    store_drop(store, &other);
    other = event;
    other.to = SLICE(EVE);
    store_drop(store, &other);
    check_page(BOB, 9, false, "1,2,");
    other = event;
    other.path++; /* the id counts, not the way */
    CU_ASSERT_FALSE(store_has_dropped(store, &other));
    store_drop(store, &other);
    check_page(BOB, 9, false, "2,");
    CU_ASSERT_TRUE(store_knows(store, &event));
    CU_ASSERT_TRUE(store_knows(store, &other));
    store_drop(store, &event);
    reopen();
    check_page(BOB, 9, false, "2,");
    CU_ASSERT_TRUE(store_has_dropped(store, &event));
    close_store();
}

/* Stored is not dropped; a dropped id is known to its user, there or not. */
static void test_dropped(void)
{
    struct event event = fixture_message(BOB, "1");
    struct event other;

    open_store();
    store_put(store, &event);
    CU_ASSERT_FALSE(store_has_dropped(store, &event));
    store_drop(store, &event);
    event = fixture_message(BOB, "2"); /* never seen */
    store_drop(store, &event);
    CU_ASSERT_TRUE(store_has_dropped(store, &event));
    CU_ASSERT_TRUE(store_knows(store, &event));
    other = event;
    other.to = SLICE(EVE);
    CU_ASSERT_FALSE(store_has_dropped(store, &other));
    CU_ASSERT_FALSE(store_knows(store, &other));
    other = event;
    other.origin++;
    CU_ASSERT_FALSE(store_has_dropped(store, &other));
    other = event;
    other.sequence++;
    CU_ASSERT_FALSE(store_has_dropped(store, &other));
    close_store();
}

/* Rows in custody of session 1: neither given to it nor deleted for it. */
static void test_custody(void)
{
    struct event event;
    struct event new_one = fixture_message(BOB, "3");
    uint64_t row;

    open_store();
    event = put(BOB, "1");
    put(BOB, "2");
    event.session = 1;
    store_take_custody(store, &event);
    new_one.session = 1;
    store_take_custody(store, &new_one);
    CU_ASSERT_TRUE(store_knows(store, &new_one));
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 3);
    reopen();
    row = check_page(BOB, 9, false, "2,");
    check_page(BOB, 1, false, "2,"); /* there is no more for it */
    store_delete_until(store, SLICE(BOB), 1, row + 9, INT64_MAX);
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 2);
    CU_ASSERT_TRUE(store_has_messages(store, SLICE(BOB)));
    event.session = new_one.session = 2; /* of another session from now on */
    store_take_custody(store, &event);
    store_take_custody(store, &new_one);
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 2);
    row = check_page(BOB, 9, false, "1,3,");
    store_delete_until(store, SLICE(BOB), 1, row, INT64_MAX);
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 0);
    close_store();
}

static void test_big_identities(void)
{
    struct event event = fixture_message(BOB, "1");

    open_store();
    event.origin = UINT64_MAX;
    event.sequence = UINT64_MAX - 1;
    CU_ASSERT_FALSE(store_knows(store, &event));
    store_put(store, &event);
    CU_ASSERT_TRUE(store_knows(store, &event));
    close_store();
}

static void test_old_events_are_purged(void)
{
    struct event before;
    struct event after;

    open_store();
    before = put(BOB, "1");
    fixture_commit();
    fixture_execute("UPDATE seen SET at = at - 2 * 3600 - 10");
    fixture_begin();
    after = put(BOB, "2");
    store_purge(store);
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 2);
    CU_ASSERT_TRUE(store_knows(store, &before)); /* it is still there */
    store_delete_until(store, SLICE(BOB), 1, UINT64_C(2) << 20, INT64_MAX);
    CU_ASSERT_FALSE(store_knows(store, &before));
    CU_ASSERT_TRUE(store_knows(store, &after));
    close_store();
}

static void test_deleted_account(void)
{
    open_store();
    store_set_mark(store, SLICE(BOB), 5);
    put(BOB, "1");
    put(EVE, "2");
    store_remove_account(store, SLICE(BOB));
    store_add_account(store, SLICE(BOB));
    check_page(BOB, 2, false, "");
    check_page(EVE, 2, false, "2,");
    CU_ASSERT_EQUAL(store_mark(store, SLICE(BOB)), 0);
    close_store();
}

static void test_marks(void)
{
    open_store();
    CU_ASSERT_EQUAL(store_mark(store, SLICE(BOB)), 0);
    CU_ASSERT_EQUAL(store_mark(store, SLICE(EVE)), 0);
    store_set_mark(store, SLICE(BOB), 5);
    store_set_mark(store, SLICE(EVE), 6); /* no account */
    reopen();
    CU_ASSERT_EQUAL(store_mark(store, SLICE(BOB)), 5);
    CU_ASSERT_EQUAL(store_mark(store, SLICE(EVE)), 0);
    close_store();
}

static void join_name(void *argument, struct slice node)
{
    buffer_append(argument, node);
    buffer_append_byte(argument, ',');
}

static bool inboxes_are(const char *expected)
{
    struct buffer names = BUFFER_EMPTY;
    bool is_same;

    store_each_inbox(store, join_name, &names);
    is_same = slice_equal(buffer_slice(&names), slice_of(expected));
    buffer_deinit(&names);
    return is_same;
}

static void test_inboxes(void)
{
    open_store();
    CU_ASSERT_TRUE(inboxes_are(""));
    store_add_inbox(store, SLICE("f1"));
    store_add_inbox(store, SLICE("f2"));
    store_add_inbox(store, SLICE("f1"));
    reopen();
    CU_ASSERT_TRUE(inboxes_are("f1,f2,"));
    store_remove_inbox(store, SLICE("f1"));
    store_remove_inbox(store, SLICE("f1"));
    CU_ASSERT_TRUE(inboxes_are("f2,"));
    close_store();
}

static void test_fence(void)
{
    struct store_error error;
    struct store *former;
    struct event event = fixture_message(BOB, "1");

    open_store();
    store_fence(store, 7);
    fixture_commit();
    former = store_open(fixture_url, 3, false, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(former);
    CU_ASSERT_TRUE_FATAL(store_begin(former));
    store_fence(former, 6);
    store_put(former, &event);
    CU_ASSERT_FALSE(store_commit(former));
    store_close(&former);
    fixture_begin();
    CU_ASSERT_EQUAL(store_count(store, SLICE(BOB)), 0);
    close_store();
}

static void test_refused(void)
{
    struct store_error error;

    CU_ASSERT_PTR_NULL(store_open("file:x", 3, false, &error));
    CU_ASSERT_STRING_EQUAL(error.reason, "store: expected sqlite:DIR");
    CU_ASSERT_FALSE(error.is_newer);
    fixture_open();
    store_close(&archive.store);
    fixture_execute("PRAGMA user_version = 1000");
    CU_ASSERT_PTR_NULL(store_open(fixture_url, 3, false, &error));
    CU_ASSERT_TRUE(error.is_newer);
    fixture_execute("PRAGMA user_version = 4");
    fixture_reopen();
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"accounts", test_accounts},
        {"pages", test_pages},
        {"rows are not used again", test_rows_are_not_used_again},
        {"events are kept whole", test_events_are_kept_whole},
        {"known events", test_known_events},
        {"known ways", test_known_ways},
        {"drop", test_drop},
        {"dropped", test_dropped},
        {"custody", test_custody},
        {"big identities", test_big_identities},
        {"old events are purged", test_old_events_are_purged},
        {"a deleted account", test_deleted_account},
        {"marks", test_marks},
        {"inboxes", test_inboxes},
        {"fence", test_fence},
        {"what is refused", test_refused},
    };

    return unit_run("archive store", cases, ARRAY_SIZE(cases));
}
