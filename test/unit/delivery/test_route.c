#include "../../../delivery/route.h"

#include "fixture.h"
#include "xmpp/namespaces.h"

/*
 * Every kind and type of stanza, to every form of address, with every set of
 * sessions, against RFC 6121 8.5 written down once more.  Expected: S nothing,
 * E service-unavailable, O to the archive, else the sessions that get it.
 */
enum world {
    WORLD_NONE,
    WORLD_CONNECTED,
    WORLD_NEGATIVE,
    WORLD_ONE,
    WORLD_MANY,
    WORLD_COUNT
};

static const struct {
    uint64_t id;
    const char *resource;
    bool is_available;
    int64_t priority;
    enum world since; /* the first world that has it */
} sessions[] = {
    {5, "u", false, 0, WORLD_CONNECTED}, {4, "n", true, -1, WORLD_NEGATIVE},
    {3, "c", true, 1, WORLD_ONE},        {2, "b", true, 7, WORLD_MANY},
    {1, "a", true, 7, WORLD_MANY},
};

static const struct {
    enum stanza_kind kind;
    const char *type;
    const char *bare[WORLD_COUNT];
    bool matched;
    const char *unmatched[WORLD_COUNT];
} expected[] = {
    {STANZA_MESSAGE,
     "chat",
     {"O", "O", "O", "3", "12"},
     true,
     {"O", "O", "O", "3", "12"}},
    {STANZA_MESSAGE,
     "normal",
     {"O", "O", "O", "3", "12"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_MESSAGE,
     NULL,
     {"O", "O", "O", "3", "12"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_MESSAGE,
     "unheard-of",
     {"O", "O", "O", "3", "12"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_MESSAGE,
     "groupchat",
     {"E", "E", "E", "E", "E"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_MESSAGE,
     "headline",
     {"S", "S", "S", "3", "123"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_MESSAGE,
     "error",
     {"S", "S", "S", "S", "S"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_IQ,
     "get",
     {"E", "E", "E", "E", "E"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_IQ,
     "set",
     {"E", "E", "E", "E", "E"},
     true,
     {"E", "E", "E", "E", "E"}},
    {STANZA_IQ,
     "result",
     {"S", "S", "S", "S", "S"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_IQ,
     "error",
     {"S", "S", "S", "S", "S"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     NULL,
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "unavailable",
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "subscribe",
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "subscribed",
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "unsubscribe",
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "unsubscribed",
     {"S", "S", "4", "34", "1234"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "error",
     {"S", "S", "S", "S", "S"},
     true,
     {"S", "S", "S", "S", "S"}},
    {STANZA_PRESENCE,
     "probe",
     {"S", "S", "S", "S", "S"},
     false,
     {"S", "S", "S", "S", "S"}},
};

static void open_world(enum world world)
{
    fixture_open();
    for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
        if (sessions[i].since <= world)
            fixture_add(sessions[i].id, sessions[i].resource,
                        sessions[i].is_available, sessions[i].priority);
    }
}

/* In the letters of `expected`; deliveries in the order of session numbers. */
static void describe(char *out, size_t room)
{
    struct buffer body = BUFFER_EMPTY;
    bool gets[10] = {false};
    const char *letter = "";
    size_t size = 0;

    for (const struct output_item *item = output.first; item;
         item = item->next) {
        struct event event = outputs_decode(item, &body);

        if (event.type == EVENT_STANZA_DELIVER && event.session < 10)
            gets[event.session] = true;
        else if (event.type == EVENT_ARCHIVE_STORE)
            letter = "O";
        else if (slice_is(event.subtype, "error") &&
                 slice_is(event.to, AMY "/pc"))
            letter = "E";
        else
            letter = "?";
    }
    for (unsigned i = 0; i < 10; i++) {
        if (gets[i] && size + 2 < room)
            out[size++] = (char)('0' + i);
    }
    snprintf(out + size, room - size, "%s",
             output.count || *letter ? letter : "S");
    output_clear(&output);
    buffer_deinit(&body);
}

static void check(size_t row, enum world world, const char *to,
                  const char *expectation)
{
    struct event stanza = fixture_message(expected[row].type, to);
    char actual[32];

    stanza.kind = expected[row].kind;
    open_world(world);
    fixture_send(&stanza);
    describe(actual, sizeof(actual));
    if (strcmp(actual, expectation) != 0)
        printf("\n    %s/%s to %s, world %d: expected %s, got %s\n",
               stanza_kind_name(stanza.kind),
               expected[row].type ? expected[row].type : "-", to, (int)world,
               expectation, actual);
    CU_ASSERT_STRING_EQUAL(actual, expectation);
    fixture_close();
}

static void check_resources(size_t row, enum world world)
{
    for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
        bool is_there = sessions[i].since <= world;
        char to[64], id[2] = {(char)('0' + sessions[i].id), '\0'};

        snprintf(to, sizeof(to), BOB "/%s", sessions[i].resource);
        if (is_there)
            check(row, world, to, expected[row].matched ? id : "S");
        else
            check(row, world, to, expected[row].unmatched[world]);
    }
}

static void test_rules(void)
{
    for (size_t row = 0; row < ARRAY_SIZE(expected); row++) {
        for (enum world world = 0; world < WORLD_COUNT; world++) {
            check(row, world, BOB, expected[row].bare[world]);
            check(row, world, BOB "/elsewhere", expected[row].unmatched[world]);
            check_resources(row, world);
        }
    }
}

static void test_delivered_is_unchanged(void)
{
    struct event message = fixture_message("chat", BOB "/c");
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    message.lang = SLICE("eo");
    message.extra = SLICE(" xmlns:x='urn:x'");
    message.node = SLICE("f9");
    message.session = 900; /* of the sender */
    message.trace = 4;
    open_world(WORLD_ONE);
    fixture_send(&message);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_STANZA_DELIVER);
    CU_ASSERT_EQUAL(event.session, 3);
    CU_ASSERT_EQUAL(event.origin, message.origin);
    CU_ASSERT_EQUAL(event.sequence, message.sequence);
    CU_ASSERT_EQUAL(event.trace, 4);
    CU_ASSERT_EQUAL(event.stamp, 0);
    CU_ASSERT_TRUE(event.is_durable);
    CU_ASSERT_FALSE(slice_is_set(event.node));
    ASSERT_SLICE(event.to, BOB "/c");
    ASSERT_SLICE(event.from, AMY "/pc");
    ASSERT_SLICE(event.id, "m1");
    ASSERT_SLICE(event.lang, "eo");
    ASSERT_SLICE(event.extra, " xmlns:x='urn:x'");
    ASSERT_SLICE(event.payload, "<body>hi</body>");
    buffer_deinit(&body);
    fixture_close();
}

static void test_stored_is_unchanged(void)
{
    struct event message = fixture_message("chat", BOB "/c");
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    uint64_t mark;

    message.node = SLICE("f9");
    message.session = 900;
    message.lang = SLICE("eo");
    open_world(WORLD_NONE);
    fixture_send(&message);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_ARCHIVE_STORE);
    ASSERT_SLICE(event.to, BOB);
    ASSERT_SLICE(event.from, AMY "/pc");
    ASSERT_SLICE(event.lang, "eo");
    ASSERT_SLICE(event.payload, "<body>hi</body>");
    CU_ASSERT_EQUAL(event.session, 0);
    CU_ASSERT_EQUAL(event.origin, message.origin);
    CU_ASSERT_NOT_EQUAL(event.stamp, 0); /* now: of an older frontend */
    mark = event.mark;
    output_clear(&output);
    message.received = 122;
    fixture_send(&message);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.stamp, 122);
    output_clear(&output);
    message.stamp = 123;
    fixture_send(&message);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.stamp, 123);
    CU_ASSERT_TRUE(event.mark > mark);
    buffer_deinit(&body);
    fixture_close();
}

/* A session that is gone had it: the error comes from its address. */
static void test_bounce_of_what_came_back(void)
{
    struct event message = fixture_message("groupchat", BOB);

    message.resource = SLICE("c");
    message.condition = SLICE("returned");
    open_world(WORLD_NONE);
    fixture_send(&message);
    EXPECT(
        &output,
        "delivery stanza.route message/error " AMY "/pc <" BOB
        "/c {<error type='cancel'><service-unavailable xmlns='" NS_STANZA_ERRORS
        "'/></error>}");
    fixture_close();
}

static void test_chat_states_are_not_stored(void)
{
    struct event message = fixture_message("chat", BOB);

    message.is_durable = false;
    open_world(WORLD_NONE);
    fixture_send(&message);
    EXPECT_NOTHING(&output);
    fixture_close();
    open_world(WORLD_ONE);
    fixture_send(&message);
    EXPECT(&output, "inbox:f1 stanza.deliver #3 message/chat " BOB " <" AMY
                    "/pc {<body>hi</body>}");
    fixture_close();
}

static void test_audiences(void)
{
    struct event event = fixture_message(NULL, BOB);

    event.kind = STANZA_IQ;
    event.subtype = SLICE("set");
    event.from = SLICE(BOB);
    event.payload = SLICE("");
    event.audience = AUDIENCE_INTERESTED;
    event.deadline = 1; /* of the request that it follows from: no matter */
    open_world(WORLD_MANY);
    fixture_get(5)->is_interested = true;
    fixture_get(1)->is_interested = true;
    fixture_send(&event);
    EXPECT(&output, "inbox:f1 stanza.deliver #1 iq/set " BOB "/a <" BOB,
           "inbox:f1 stanza.deliver #5 iq/set " BOB "/u <" BOB);
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE_NONE;
    event.from = SLICE(AMY "/pc");
    event.audience = AUDIENCE_AVAILABLE;
    fixture_send(&event);
    CU_ASSERT_EQUAL(output.count, 4);
    output_clear(&output);
    event.audience = AUDIENCE_ALL;
    fixture_send(&event);
    CU_ASSERT_EQUAL(output.count, 5);
    fixture_close();
}

static void test_late_iq(void)
{
    struct event iq = fixture_message("get", BOB "/c");
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    iq.kind = STANZA_IQ;
    iq.deadline = 1000;
    open_world(WORLD_ONE);
    fixture_send(&iq);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_EQUAL(event.type, EVENT_STANZA_ROUTE);
    ASSERT_SLICE(event.subtype, "error");
    ASSERT_SLICE(event.id, "m1");
    ASSERT_SLICE(event.to, AMY "/pc");
    ASSERT_SLICE(event.from, BOB "/c");
    CU_ASSERT_PTR_NOT_NULL(memmem(event.payload.data, event.payload.size,
                                  "<remote-server-timeout", 22));
    output_clear(&output);
    iq.subtype = SLICE("result"); /* an answer is welcome at any time */
    fixture_send(&iq);
    EXPECT(&output, "inbox:f1 stanza.deliver #3 iq/result " BOB "/c <" AMY
                    "/pc {<body>hi</body>}");
    iq.subtype = SLICE("get");
    iq.deadline = UINT64_MAX;
    fixture_send(&iq);
    CU_ASSERT_EQUAL(outputs_count(&output, EVENT_STANZA_DELIVER), 1);
    buffer_deinit(&body);
    fixture_close();
}

static void test_foreign_domain(void)
{
    struct event message = fixture_message("chat", "eve@elsewhere.net");
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    open_world(WORLD_NONE);
    fixture_send(&message);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &event));
    CU_ASSERT_PTR_NOT_NULL(memmem(event.payload.data, event.payload.size,
                                  "<remote-server-not-found", 24));
    output_clear(&output);
    message.kind = STANZA_PRESENCE;
    message.subtype = SLICE_NONE;
    fixture_send(&message);
    EXPECT_NOTHING(&output);
    buffer_deinit(&body);
    fixture_close();
}

/* A frontend that did not know the session gives the message back. */
static void test_returned(void)
{
    struct event message = fixture_message("normal", BOB);

    message.condition = SLICE("returned");
    message.session = 1;
    message.node = SLICE("f1");
    message.stamp = 5;
    open_world(WORLD_MANY);
    fixture_send(&message);
    EXPECT(&output,
           "presence presence.update #1/unavailable " BOB " <" BOB "/a !gone",
           "inbox:f1 stanza.deliver #2 message/normal " BOB " <" AMY
           "/pc !returned {<body>hi</body>}");
    CU_ASSERT_FALSE(fixture_has(1));
    fixture_close();
    open_world(WORLD_NONE);
    fixture_add(1, "a", true, 0);
    message.to = SLICE(BOB "/a"); /* gone, and addressed in full */
    fixture_send(&message);
    EXPECT(&output,
           "presence presence.update #1/unavailable " BOB " <" BOB "/a !gone",
           "archive archive.store/normal " BOB " <" AMY
           "/pc !returned {<body>hi</body>}");
    CU_ASSERT_PTR_NULL(user_find(delivery, SLICE(BOB)));
    fixture_close();
}

/* Who is told that it could not be kept is told by whom he had addressed. */
static void test_address_of_a_stored_message(void)
{
    static const struct {
        const char *to, *given_back_of, *resource;
    } rows[] = {
        {BOB, NULL, NULL},
        {BOB "/gone", NULL, "gone"},
        {BOB, "gone", "gone"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event message = fixture_message("chat", rows[i].to);
        struct buffer body = BUFFER_EMPTY;
        struct event stored;

        message.resource = slice_of(rows[i].given_back_of);
        open_world(WORLD_NONE);
        fixture_send(&message);
        CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &stored));
        CU_ASSERT_EQUAL(stored.type, EVENT_ARCHIVE_STORE);
        ASSERT_SLICE(stored.to, BOB);
        CU_ASSERT_TRUE(
            slice_equal(stored.resource, slice_of(rows[i].resource)));
        buffer_deinit(&body);
        fixture_close();
    }
}

static void test_other_elements_are_rejected(void)
{
    struct event event = fixture_message(NULL, BOB);

    event.kind = STANZA_OTHER;
    fixture_open();
    CU_ASSERT_EQUAL(fixture_handle(&event), REJECT);
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"RFC 6121 section 8, exhaustively", test_rules},
        {"what is delivered is unchanged", test_delivered_is_unchanged},
        {"what is stored is unchanged", test_stored_is_unchanged},
        {"bounce of what came back", test_bounce_of_what_came_back},
        {"chat states are not stored", test_chat_states_are_not_stored},
        {"audiences", test_audiences},
        {"an IQ past its deadline", test_late_iq},
        {"foreign domains", test_foreign_domain},
        {"returned messages go elsewhere", test_returned},
        {"address of a stored message", test_address_of_a_stored_message},
        {"what is no stanza is rejected", test_other_elements_are_rejected},
    };

    return unit_run("delivery route", cases, ARRAY_SIZE(cases));
}
