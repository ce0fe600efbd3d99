#include "../../../frontend/unacked.h"

#include "base/clock.h"
#include "fixture.h"

#define CUSTODY(body)                                                          \
    "archive archive.store message alice@localhost <bob@localhost/pc "         \
    "!custody durable {" body "}"
#define GIVEN_BACK(body)                                                       \
    "delivery stanza.route message alice@localhost <bob@localhost/pc "         \
    "!returned durable {" body "}"
#define RECEIVED_MS 1700000000001

static struct client client;
static struct session *session;
static struct unacked_queue queue;

static void open_queue(void)
{
    fixture_open(fixture_plain);
    client_login(&client, "desk");
    session = client_session(&client);
    unacked_init(&queue);
}

static void close_queue(void)
{
    unacked_clear(&queue);
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_EQUAL(queue.bytes, 0);
    client_close(&client);
    fixture_close();
}

/* Receipts of inbox messages. */

static void on_settled(void *argument)
{
    bool *is_settled = argument;

    *is_settled = true;
}

/* Sealed: settled as soon as nobody holds it. */
static struct bus_receipt *receipt_for(bool *is_settled)
{
    *is_settled = false;
    return bus_receipt_create(bus, on_settled, is_settled);
}

/* All that is published is confirmed. */
static bool is_free(const bool *is_settled)
{
    fake_bus_confirm(bus);
    return *is_settled;
}

static struct event stanza(enum stanza_kind kind, const char *subtype,
                           uint64_t sequence, const char *payload)
{
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.origin = 77;
    event.sequence = sequence;
    event.session = 5;
    event.kind = kind;
    event.subtype = slice_of(subtype);
    event.id = SLICE("i1");
    event.to = SLICE("alice@localhost/desk");
    event.from = SLICE("bob@localhost/pc");
    event.payload = slice_of(payload);
    event.is_durable = kind == STANZA_MESSAGE;
    event.received = RECEIVED_MS;
    return event;
}

/* A message that is missed; `is_settled` (may be NULL): of its receipt. */
static struct event add(uint64_t sequence, const char *payload,
                        bool *is_settled)
{
    struct event event = stanza(STANZA_MESSAGE, NULL, sequence, payload);
    struct bus_receipt *receipt = is_settled ? receipt_for(is_settled) : NULL;

    unacked_add(&queue, &event, receipt, false);
    if (receipt)
        bus_receipt_seal(receipt);
    return event;
}

/* Adding. */

static void test_what_is_held(void)
{
    static const struct {
        enum stanza_kind kind;
        const char *subtype;
        const char *condition;
        bool is_durable;
        bool is_held; /* the inbox's message */
    } rows[] = {
        {STANZA_MESSAGE, NULL, NULL, true, true},
        {STANZA_MESSAGE, "chat", NULL, true, true},
        {STANZA_MESSAGE, NULL, NULL, false, false}, /* a chat state */
        {STANZA_MESSAGE, NULL, "custody", true, false},
        {STANZA_IQ, "get", NULL, false, true},
        {STANZA_IQ, "set", NULL, false, true},
        {STANZA_IQ, "result", NULL, false, false},
        {STANZA_IQ, "error", NULL, false, false},
        {STANZA_PRESENCE, NULL, NULL, false, false},
        {STANZA_PRESENCE, "unavailable", NULL, false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = stanza(rows[i].kind, rows[i].subtype, 1, "x");
        bool is_missed = rows[i].is_held || rows[i].condition;
        bool is_settled;

        event.is_durable = rows[i].is_durable;
        event.condition = slice_of(rows[i].condition);
        for (int is_kept = 0; is_kept <= 1; is_kept++) {
            struct bus_receipt *receipt;

            open_queue();
            receipt = receipt_for(&is_settled);
            unacked_add(&queue, &event, receipt, is_kept);
            bus_receipt_seal(receipt);
            CU_ASSERT_EQUAL(queue.count, 1);
            CU_ASSERT_EQUAL(queue.bytes > 0, is_kept || is_missed);
            CU_ASSERT_EQUAL(is_free(&is_settled), !rows[i].is_held);
            unacked_acknowledged(&queue, session);
            CU_ASSERT_TRUE(is_free(&is_settled));
            close_queue();
        }
    }
}

/* Made here, or of no use to keep: it only counts. */
static void test_only_counted(void)
{
    bool is_settled;
    struct bus_receipt *receipt;

    open_queue();
    receipt = receipt_for(&is_settled);
    unacked_add(&queue, NULL, receipt, true);
    bus_receipt_seal(receipt);
    unacked_add(&queue, NULL, NULL, true);
    add(1, "a", NULL);
    CU_ASSERT_EQUAL(queue.count, 3);
    CU_ASSERT_TRUE(is_free(&is_settled));
    unacked_acknowledged(&queue, session);
    unacked_acknowledged(&queue, session);
    CU_ASSERT_TRUE(queue.bytes > 0);
    unacked_acknowledged(&queue, session);
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_EQUAL(queue.bytes, 0);
    EXPECT_NOTHING_PUBLISHED();
    close_queue();
}

/* The oldest first; one message may have brought several. */
static void test_acknowledged(void)
{
    struct event event = stanza(STANZA_MESSAGE, NULL, 2, "b");
    bool is_first_settled;
    bool is_settled;
    struct bus_receipt *receipt;

    open_queue();
    add(1, "a", &is_first_settled);
    receipt = receipt_for(&is_settled);
    unacked_add(&queue, &event, receipt, false);
    unacked_add(&queue, &event, receipt, false);
    bus_receipt_seal(receipt);
    unacked_acknowledged(&queue, session);
    CU_ASSERT_TRUE(is_free(&is_first_settled));
    unacked_acknowledged(&queue, session);
    CU_ASSERT_FALSE(is_free(&is_settled));
    unacked_acknowledged(&queue, session);
    CU_ASSERT_TRUE(is_free(&is_settled));
    EXPECT_NOTHING_PUBLISHED();
    close_queue();
}

/* It came again: the message that it came with is held in place of the first.
 */
static void test_again(void)
{
    struct event event;
    bool is_first_settled;
    bool is_settled;
    struct bus_receipt *receipt;

    open_queue();
    event = add(1, "a", &is_first_settled);
    receipt = receipt_for(&is_settled);
    event.sequence = 9;
    unacked_again(&queue, &event, receipt); /* not one of these */
    event.sequence = 1;
    event.origin = 9;
    unacked_again(&queue, &event, receipt);
    bus_receipt_seal(receipt);
    CU_ASSERT_TRUE(is_free(&is_settled));
    CU_ASSERT_FALSE(is_free(&is_first_settled));
    event.origin = 77;
    receipt = receipt_for(&is_settled);
    unacked_again(&queue, &event, receipt);
    bus_receipt_seal(receipt);
    CU_ASSERT_TRUE(is_free(&is_first_settled));
    CU_ASSERT_FALSE(is_free(&is_settled));
    CU_ASSERT_EQUAL(queue.count, 1);
    unacked_acknowledged(&queue, session);
    CU_ASSERT_TRUE(is_free(&is_settled));
    close_queue();
}

/* Custody. */

static void test_release(void)
{
    struct event ping = stanza(STANZA_IQ, "get", 2, "<ping/>");
    uint64_t now_ms;
    bool is_settled;
    bool is_ping_settled;
    struct bus_receipt *receipt;

    open_queue();
    add(1, "a", &is_settled);
    receipt = receipt_for(&is_ping_settled);
    unacked_add(&queue, &ping, receipt, false);
    bus_receipt_seal(receipt);
    now_ms = clock_now_ms();
    unacked_release(&queue, session, now_ms, 60000);
    EXPECT_NOTHING_PUBLISHED();
    unacked_release(&queue, session, now_ms + 60000, 60000);
    EXPECT_LINE(CUSTODY("a"));
    EXPECT_NOTHING_PUBLISHED(); /* the request is not worth that */
    CU_ASSERT_FALSE(is_settled);
    CU_ASSERT_TRUE(is_free(&is_settled));
    CU_ASSERT_TRUE(is_ping_settled);
    unacked_release(&queue, session, now_ms + 70000, 0);
    EXPECT_NOTHING_PUBLISHED(); /* once */
    CU_ASSERT_EQUAL(queue.count, 2);
    unacked_acknowledged(&queue, session);
    EXPECT_LINE("archive archive.drop alice@localhost");
    unacked_acknowledged(&queue, session);
    EXPECT_NOTHING_PUBLISHED();
    close_queue();
}

/* What the archive stores is the message, by its id. */
static void test_custody_event(void)
{
    const char *exchange = NULL;
    const struct event *store;
    bool is_settled;

    open_queue();
    add(8, "a", &is_settled);
    unacked_release(&queue, session, clock_now_ms(), 0);
    store = next_published(&exchange);
    CU_ASSERT_EQUAL(store->type, EVENT_ARCHIVE_STORE);
    CU_ASSERT_EQUAL(store->origin, 77);
    CU_ASSERT_EQUAL(store->sequence, 8);
    CU_ASSERT_EQUAL(store->session, session->id); /* for whom it is kept */
    CU_ASSERT_EQUAL(store->mark, 0);
    CU_ASSERT_EQUAL(store->stamp, RECEIVED_MS);
    ASSERT_SLICE(store->to, "alice@localhost");
    unacked_acknowledged(&queue, session);
    store = next_published(&exchange);
    CU_ASSERT_EQUAL(store->type, EVENT_ARCHIVE_DROP);
    CU_ASSERT_EQUAL(store->origin, 77);
    CU_ASSERT_EQUAL(store->sequence, 8);
    close_queue();
}

/* It came again: the archive has it already, and keeps it. */
static void test_custody_lasts(void)
{
    struct event event;
    bool is_settled;
    struct bus_receipt *receipt;

    open_queue();
    event = add(1, "a", &is_settled);
    unacked_release(&queue, session, clock_now_ms(), 0);
    EXPECT_LINE(CUSTODY("a"));
    CU_ASSERT_TRUE(is_free(&is_settled));
    receipt = receipt_for(&is_settled);
    unacked_again(&queue, &event, receipt);
    bus_receipt_seal(receipt);
    CU_ASSERT_TRUE(is_free(&is_settled));
    unacked_release(&queue, session, clock_now_ms(), 0);
    EXPECT_NOTHING_PUBLISHED();
    unacked_acknowledged(&queue, session);
    EXPECT_LINE("archive archive.drop alice@localhost");
    close_queue();
}

/* What comes from the archive is deleted there by nobody but its client, even
 * if nobody has custody of it; and it may be taken into custody, like any. */
static void test_from_archive(void)
{
    static const struct {
        const char *by, *condition;
        bool is_dropped;
    } rows[] = {
        {"archive.03", NULL, true},    {NULL, "stored", true},
        {"delivery.03", NULL, false},  {NULL, NULL, false},
        {"archivist.03", NULL, false},
    };

    const char *exchange = NULL;
    const struct event *drop;
    bool is_settled;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = stanza(STANZA_MESSAGE, NULL, 3, "a");
        struct bus_receipt *receipt;

        event.by = slice_of(rows[i].by);
        event.condition = slice_of(rows[i].condition);
        open_queue();
        receipt = receipt_for(&is_settled);
        unacked_add(&queue, &event, receipt, true);
        unacked_add(&queue, &event, receipt, true);
        bus_receipt_seal(receipt);
        CU_ASSERT_FALSE(is_free(&is_settled)); /* held all the same */
        unacked_acknowledged(&queue, session);
        if (rows[i].is_dropped) {
            drop = next_published(&exchange);
            CU_ASSERT_EQUAL(drop->type, EVENT_ARCHIVE_DROP);
            CU_ASSERT_EQUAL(drop->origin, 77);
            CU_ASSERT_EQUAL(drop->sequence, 3);
        }
        EXPECT_NOTHING_PUBLISHED();
        unacked_release(&queue, session, clock_now_ms(), 0);
        EXPECT_LINE(CUSTODY("a"));
        unacked_acknowledged(&queue, session);
        EXPECT_LINE("archive archive.drop alice@localhost");
        CU_ASSERT_TRUE(is_free(&is_settled));
        close_queue();
    }
}

/* The end. */

static void test_give_back(void)
{
    struct event ping = stanza(STANZA_IQ, "get", 3, "<ping/>");
    struct event presence = stanza(STANZA_PRESENCE, NULL, 4, "");
    bool is_settled;

    open_queue();
    add(1, "a", NULL); /* no message holds it: nothing to take custody of */
    add(2, "b", &is_settled);
    unacked_release(&queue, session, clock_now_ms(), 0);
    EXPECT_LINE(CUSTODY("b"));
    CU_ASSERT_TRUE(is_free(&is_settled));
    unacked_add(&queue, &ping, NULL, true);
    unacked_add(&queue, &presence, NULL, true);
    add(5, "c", &is_settled);
    unacked_give_back(&queue, frontend);
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_EQUAL(queue.bytes, 0);
    EXPECT_LINE(GIVEN_BACK("a"));
    EXPECT_LINE("delivery stanza.route iq/error bob@localhost/pc "
                "<alice@localhost/desk {<error type='cancel'>"
                "<service-unavailable xmlns='" NS_STANZA_ERRORS "'/></error>}");
    EXPECT_LINE(GIVEN_BACK("c"));
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(is_settled); /* not before it is confirmed */
    CU_ASSERT_TRUE(is_free(&is_settled));
    close_queue();
}

static void test_clear(void)
{
    bool is_settled;

    open_queue();
    add(1, "a", &is_settled);
    unacked_clear(&queue);
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_EQUAL(queue.bytes, 0);
    CU_ASSERT_TRUE(is_free(&is_settled));
    EXPECT_NOTHING_PUBLISHED();
    close_queue();
}

static void test_move(void)
{
    struct unacked_queue other;
    bool is_settled;
    size_t bytes;

    open_queue();
    unacked_init(&other);
    add(1, "a", NULL);
    unacked_move(&other, &queue);
    bytes = other.bytes;
    CU_ASSERT_EQUAL(queue.count, 0);
    CU_ASSERT_EQUAL(queue.bytes, 0);
    CU_ASSERT_EQUAL(other.count, 1);
    CU_ASSERT_TRUE(bytes > 0);
    add(2, "b", &is_settled);
    add(3, "c", NULL);
    unacked_move(&queue, &other); /* to the end */
    unacked_move(&queue, &other);
    CU_ASSERT_EQUAL(queue.count, 3);
    CU_ASSERT_TRUE(queue.bytes > bytes);
    unacked_acknowledged(&queue, session);
    CU_ASSERT_TRUE(is_free(&is_settled));
    unacked_give_back(&queue, frontend);
    EXPECT_LINE(GIVEN_BACK("c"));
    EXPECT_LINE(GIVEN_BACK("a"));
    EXPECT_NOTHING_PUBLISHED();
    close_queue();
}

static void describe(void *argument, const struct event *event,
                     struct bus_receipt *receipt)
{
    buffer_appendf(argument, "%.*s", SLICE_FORMAT(event->payload));
    if (slice_is_set(event->condition))
        buffer_appendf(argument, "!%.*s", SLICE_FORMAT(event->condition));
    buffer_append_text(argument, receipt ? "+ " : " ");
}

static void test_each(void)
{
    struct event event = stanza(STANZA_PRESENCE, NULL, 3, "p");
    struct buffer all = BUFFER_EMPTY;
    bool is_settled;

    open_queue();
    add(1, "a", &is_settled);
    unacked_release(&queue, session, clock_now_ms(), 0);
    event.condition = SLICE("gone"); /* nobody else's business */
    unacked_add(&queue, &event, NULL, false);
    unacked_add(&queue, &event, NULL, true);
    unacked_add(&queue, NULL, NULL, true);
    event = stanza(STANZA_MESSAGE, NULL, 4, "c");
    event.condition = SLICE("custody"); /* as it was where it comes from */
    unacked_add(&queue, &event, NULL, true);
    event.condition = SLICE("stored");
    unacked_add(&queue, &event, NULL, true);
    add(5, "b", NULL);
    add(6, "d", &is_settled);
    unacked_each(&queue, describe, &all);
    ASSERT_SLICE(buffer_slice(&all), "a!custody p c!custody c!stored b d+ ");
    buffer_deinit(&all);
    close_queue();
}

static const struct unit_case cases[] = {
    {"what is held", test_what_is_held},
    {"only counted", test_only_counted},
    {"acknowledged", test_acknowledged},
    {"again", test_again},
    {"release", test_release},
    {"what the archive gets", test_custody_event},
    {"custody lasts", test_custody_lasts},
    {"from the archive", test_from_archive},
    {"give back", test_give_back},
    {"clear", test_clear},
    {"move", test_move},
    {"each", test_each},
};

int main(void)
{
    return unit_run("unacked", cases, ARRAY_SIZE(cases));
}
