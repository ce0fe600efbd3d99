#include "cluster/give_back.h"

#include "base/memory.h"
#include "outputs.h"

#define BOB "bob@x"
#define PC "bob@x/pc"
#define AMY "amy@x/home"
#define REFUSED                                                                \
    "delivery stanza.route iq/error " AMY " <" PC                              \
    " {<error type='cancel'><service-unavailable "                             \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>}"
#define ROUTED(session)                                                        \
    "delivery stanza.route" session " message/chat " BOB " <" AMY              \
    " !returned {hi}"

#define ROUTED_ANSWER(subtype)                                                 \
    "delivery stanza.route iq/" subtype " " PC " <" AMY " !returned {hi}"

static struct output output;

/* As a frontend or whoever drains an inbox has it. */
static void open_output(void)
{
    outputs_init(&output);
    output.service = SERVICE_NONE;
}

static struct event stanza(enum event_type type, enum stanza_kind kind,
                           const char *subtype)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = 4;
    event.path = 1244;
    event.by = SLICE("delivery.03");
    event.epoch = 12;
    event.session = 7;
    event.kind = kind;
    event.subtype = slice_of(subtype);
    event.to = SLICE(PC);
    event.from = SLICE(AMY);
    event.id = SLICE("i1");
    event.payload = SLICE("hi");
    event.is_durable = kind == STANZA_MESSAGE;
    return event;
}

/* Stanzas. */

static void test_what_is_given_back(void)
{
    static const struct {
        enum stanza_kind kind;
        const char *subtype;
        bool is_durable;
        const char *line; /* NULL: dropped */
    } rows[] = {
        {STANZA_MESSAGE, "chat", true, ROUTED("")},
        {STANZA_MESSAGE, "chat", false, NULL},
        {STANZA_IQ, "get", false, REFUSED},
        {STANZA_IQ, "set", false, REFUSED},
        {STANZA_IQ, "result", false, ROUTED_ANSWER("result")},
        {STANZA_IQ, "error", false, ROUTED_ANSWER("error")},
        {STANZA_PRESENCE, NULL, false, NULL},
        {STANZA_PRESENCE, "unavailable", false, NULL},
        {STANZA_PRESENCE, "subscribe", false, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event =
            stanza(EVENT_STANZA_DELIVER, rows[i].kind, rows[i].subtype);

        event.is_durable = rows[i].is_durable;
        open_output();
        give_back(&event, SLICE_NONE, &output);
        CU_ASSERT_TRUE(
            outputs_are(&output, &rows[i].line, rows[i].line != NULL));
        event.to = SLICE_NONE;
        give_back(&event, SLICE_NONE, &output); /* to nobody */
        EXPECT_NOTHING(&output);
        output_deinit(&output);
    }
}

/* The same message: its id, how it came, when it was sent. */
static void test_message(void)
{
    struct event event = stanza(EVENT_STANZA_DELIVER, STANZA_MESSAGE, "chat");
    struct buffer body = BUFFER_EMPTY;
    struct event route;

    open_output();
    event.stamp = 1700000000000;
    event.lang = SLICE("eo");
    event.extra = SLICE(" xmlns:p='q'");
    event.condition = SLICE("custody");
    event.audience = AUDIENCE_ALL;
    give_back(&event, SLICE("f1"), &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &route));
    CU_ASSERT_EQUAL(route.origin, 9);
    CU_ASSERT_EQUAL(route.sequence, 4);
    CU_ASSERT_EQUAL(route.path, 1244);
    CU_ASSERT_EQUAL(route.epoch, 0);
    CU_ASSERT_FALSE(slice_is_set(route.by));
    CU_ASSERT_EQUAL(route.stamp, 1700000000000);
    CU_ASSERT_TRUE(route.is_durable);
    ASSERT_SLICE(route.id, "i1");
    ASSERT_SLICE(route.lang, "eo");
    ASSERT_SLICE(route.extra, " xmlns:p='q'");
    ASSERT_SLICE(route.node, "f1"); /* does not have the session */
    ASSERT_SLICE(route.resource, "pc");
    CU_ASSERT_TRUE(output.first->is_durable);
    EXPECT(&output, ROUTED(" #7"));
    event.stamp = 0;
    event.received = 1700000000001;
    give_back(&event, SLICE_NONE, &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &route));
    CU_ASSERT_EQUAL(route.stamp, 1700000000001);
    CU_ASSERT_EQUAL(route.session, 0);
    CU_ASSERT_FALSE(slice_is_set(route.node));
    buffer_deinit(&body);
    output_deinit(&output);
}

/* Its session may be elsewhere by now.  It is no news of long ago. */
static void test_answer(void)
{
    struct event event = stanza(EVENT_STANZA_DELIVER, STANZA_IQ, "result");
    struct buffer body = BUFFER_EMPTY;
    struct event route;

    open_output();
    give_back(&event, SLICE("f1"), &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &route));
    CU_ASSERT_EQUAL(route.origin, 9);
    CU_ASSERT_EQUAL(route.sequence, 4);
    CU_ASSERT_EQUAL(route.session, 7);
    CU_ASSERT_EQUAL(route.stamp, 0);
    CU_ASSERT_EQUAL(route.epoch, 0);
    CU_ASSERT_FALSE(slice_is_set(route.by));
    ASSERT_SLICE(route.id, "i1");
    ASSERT_SLICE(route.node, "f1");
    output_clear(&output);
    event.to = SLICE(BOB); /* of no session: whose would it be? */
    give_back(&event, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    buffer_deinit(&body);
    output_deinit(&output);
}

static void test_request(void)
{
    struct event event = stanza(EVENT_STANZA_DELIVER, STANZA_IQ, "get");
    struct buffer body = BUFFER_EMPTY;
    struct event error;

    open_output();
    give_back(&event, SLICE("f1"), &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &error));
    CU_ASSERT_EQUAL(error.origin, 9);
    CU_ASSERT_EQUAL(error.sequence, 4);
    CU_ASSERT_EQUAL(error.session, 0);
    ASSERT_SLICE(error.id, "i1");
    EXPECT(&output, REFUSED);
    event.from = SLICE_NONE; /* of the server itself */
    give_back(&event, SLICE("f1"), &output);
    EXPECT_NOTHING(&output);
    buffer_deinit(&body);
    output_deinit(&output);
}

/* Fences. */

static struct event fence(enum event_type type)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = 4;
    event.to = SLICE(PC);
    event.session = 7;
    event.request = 31;
    event.node = SLICE("f2");
    event.condition = SLICE("conflict");
    return event;
}

static void test_fence_answer(void)
{
    struct event event = fence(EVENT_SESSION_KICK);
    struct buffer body = BUFFER_EMPTY;
    struct event fenced;

    open_output();
    fence_answer(&event, SLICE("f1"), "ended", &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &fenced));
    CU_ASSERT_EQUAL(fenced.request, 31);
    ASSERT_SLICE(fenced.node, "f1");
    CU_ASSERT_TRUE(output.first->is_durable);
    EXPECT(&output, "delivery session.fenced #7 <" PC " !ended");
    event.request = 0; /* nobody waits */
    fence_answer(&event, SLICE("f1"), "ended", &output);
    event = fence(EVENT_SESSION_KICK);
    event.to = SLICE_NONE; /* nor is it known for whom */
    fence_answer(&event, SLICE("f1"), "ended", &output);
    EXPECT_NOTHING(&output);
    buffer_deinit(&body);
    output_deinit(&output);
}

/* Inboxes. */

static void test_inbox_fences(void)
{
    static const struct {
        enum event_type type;
        bool is_answered;
    } rows[] = {
        {EVENT_SESSION_KICK, true},     {EVENT_SESSION_MOVE, true},
        {EVENT_SESSION_FENCE, true},    {EVENT_SESSION_BOUND, false},
        {EVENT_SESSION_RESUMED, false}, {EVENT_SESSION_EXPECT, false},
    };

    static const char *const line =
        "delivery session.fenced #7 <" PC " !item-not-found";
    struct buffer body = BUFFER_EMPTY;
    struct event fenced;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = fence(rows[i].type);

        open_output();
        give_back_inbox(&event, &output);
        if (outputs_event(&output, 0, &body, &fenced)) {
            CU_ASSERT_EQUAL(fenced.request, 31);
            CU_ASSERT_FALSE(slice_is_set(fenced.node)); /* it is nowhere */
        }
        CU_ASSERT_TRUE(outputs_are(&output, &line, rows[i].is_answered));
        output_deinit(&output);
    }
    buffer_deinit(&body);
}

static void test_inbox_stanzas(void)
{
    struct event event = stanza(EVENT_STANZA_DELIVER, STANZA_MESSAGE, "chat");

    open_output();
    give_back_inbox(&event, &output);
    EXPECT(&output, ROUTED(""));
    event = stanza(EVENT_STANZA_DELIVER, STANZA_IQ, "get");
    give_back_inbox(&event, &output);
    EXPECT(&output, REFUSED);
    event = stanza(EVENT_STANZA_DELIVER, STANZA_IQ, "error");
    give_back_inbox(&event, &output);
    EXPECT(&output, ROUTED_ANSWER("error"));
    output_deinit(&output);
}

/* On the way from one frontend to another. */
static void test_inbox_handover(void)
{
    struct event event = stanza(EVENT_SESSION_UNACKED, STANZA_MESSAGE, "chat");
    struct buffer body = BUFFER_EMPTY;
    struct event fenced;

    open_output();
    give_back_inbox(&event, &output);
    EXPECT(&output, ROUTED(""));
    event.condition = SLICE("stored"); /* the archive knows it by its id */
    give_back_inbox(&event, &output);
    EXPECT(&output, ROUTED(""));
    event.condition = SLICE("custody"); /* the archive has it */
    give_back_inbox(&event, &output);
    EXPECT_NOTHING(&output);
    event = stanza(EVENT_SESSION_UNACKED, STANZA_IQ, "result");
    give_back_inbox(&event, &output);
    EXPECT(&output, ROUTED_ANSWER("result"));
    event = stanza(EVENT_SESSION_UNACKED, STANZA_IQ, "get");
    give_back_inbox(&event, &output);
    EXPECT(&output, REFUSED);
    event = stanza(EVENT_SESSION_UNACKED, STANZA_PRESENCE, NULL);
    give_back_inbox(&event, &output);
    EXPECT_NOTHING(&output);
    event_init(&event, EVENT_SESSION_TRANSFER);
    event.from = SLICE(PC);
    event.session = 7;
    event.request = 31;
    event.node = SLICE("f1");
    give_back_inbox(&event, &output);
    CU_ASSERT_TRUE_FATAL(outputs_event(&output, 0, &body, &fenced));
    CU_ASSERT_EQUAL(fenced.request, 31);
    EXPECT(&output, "delivery session.fenced #7 <" PC " !item-not-found");
    buffer_deinit(&body);
    output_deinit(&output);
}

static const struct unit_case cases[] = {
    {"what is given back", test_what_is_given_back},
    {"a message", test_message},
    {"an answer", test_answer},
    {"a request", test_request},
    {"a fence is answered", test_fence_answer},
    {"fences in an inbox", test_inbox_fences},
    {"stanzas in an inbox", test_inbox_stanzas},
    {"handed over into an inbox", test_inbox_handover},
};

int main(void)
{
    return unit_run("give back", cases, ARRAY_SIZE(cases));
}
