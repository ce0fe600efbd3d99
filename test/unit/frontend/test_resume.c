/* XEP-0198 5: sessions whose client comes back, here or from elsewhere. */
#include "../../../frontend/resume.h"

#include "../../../frontend/acks.h"
#include "../../../frontend/arrival.h"
#include "../../../frontend/seen.h"
#include "base/clock.h"
#include "fixture.h"

#define SM(name) "<" name " xmlns='" NS_SM "'/>"
#define ANSWER(h) "<a xmlns='" NS_SM "' h='" h "'/>"
#define ENABLE(resume) "<enable xmlns='" NS_SM "' resume='" resume "'/>"
#define FAILED(condition)                                                      \
    "<failed xmlns='" NS_SM "'><" condition " xmlns='" NS_STANZA_ERRORS        \
    "'/></failed>"
#define STREAM_ERROR(condition)                                                \
    "<stream:error><" condition " xmlns='" NS_STREAM_ERRORS                    \
    "'/></stream:error></stream:stream>"
#define DESK "alice@localhost/desk"
#define PC "bob@localhost/pc"
#define OTHER_NODE "frontend.2-beef"
/* The body of message n is "mn". */
#define GIVEN_BACK(body)                                                       \
    "delivery stanza.route message alice@localhost <" PC                       \
    " !returned durable {<body>" body "</body>}"
#define CUSTODY(body)                                                          \
    "archive archive.store message alice@localhost <" PC                       \
    " !custody durable {<body>" body "</body>}"
#define UNACKED(body)                                                          \
    "frontend session.unacked message alice@localhost <" PC                    \
    " durable {<body>" body "</body>}"

enum { ELSEWHERE = 4242, FENCE = 31 };

/* Going away and coming back. */

static char token[TOKEN_BYTES];

static void confirm(void)
{
    fake_bus_confirm(bus);
    pump();
}

static void note_token(const char *user, uint64_t id)
{
    token_write(daemon_common(frontend->daemon)->broker_password,
                slice_of(user), id, token);
}

/* Bound as alice/desk and resumable. */
static void client_enable(struct client *client)
{
    client_login(client, "desk");
    client_send(client, ENABLE("true"));
    EXPECT_TEXT(client, "<enabled ");
    EXPECT_TEXT(client, "/>");
    resume_token(client_session(client), token);
    confirm();
}

/* Its connection is gone; the session may live on. */
static void client_break(struct client *client)
{
    client_close(client);
}

/* A new connection of alice, up to where <resume/> may be sent. */
static void client_return(struct client *client)
{
    ignore_published();
    client_open(client);
    client_authenticate(client);
    client_send(client, HEADER);
    EXPECT_TEXT(client, "</stream:features>");
    ignore_published();
}

static void client_resume(struct client *client, const char *handled)
{
    char text[512];

    snprintf(text, sizeof(text),
             "<resume xmlns='" NS_SM "' previd='%s' h='%s'/>", token, handled);
    client_send(client, text);
}

/* Exactly "<resumed/>" with that h, and then these bodies. */
static bool client_is_resumed(struct client *client, const char *handled,
                              const char *bodies)
{
    char text[512];
    char body[64];
    bool is_right;

    snprintf(text, sizeof(text),
             "<resumed xmlns='" NS_SM "' previd='%s' h='%s'/>", token, handled);
    is_right = client_gets(client, text);
    for (; *bodies; bodies += 2) {
        snprintf(body, sizeof(body), "<body>%.2s</body>", bodies);
        is_right &= client_gets(client, body);
        is_right &= client_gets(client, "</message>");
    }
    return is_right;
}

static void client_bind_instead(struct client *client)
{
    client_send(client, "<iq type='set' id='b'><bind xmlns='" NS_BIND
                        "'><resource>other</resource></bind></iq>");
    answer_bind(client, NULL);
    EXPECT_TEXT(client, "<jid>alice@localhost/other</jid>");
}

static struct event message(enum event_type type, uint64_t session, unsigned n)
{
    static char bodies[8][32];
    struct event event;

    snprintf(bodies[n % 8], sizeof(bodies[0]), "<body>m%u</body>", n);
    event_init(&event, type);
    event.origin = 77;
    event.sequence = n;
    event.path = 3;
    event.session = session;
    event.kind = STANZA_MESSAGE;
    event.to = SLICE("alice@localhost");
    event.from = SLICE(PC);
    event.payload = slice_of(bodies[n % 8]);
    event.is_durable = true;
    return event;
}

static void deliver(uint64_t session, unsigned n)
{
    struct event event = message(EVENT_STANZA_DELIVER, session, n);

    send_event(inbox_queue_, &event);
}

static void deliver_ping(uint64_t session)
{
    struct event event = message(EVENT_STANZA_DELIVER, session, 9);

    event.kind = STANZA_IQ;
    event.subtype = SLICE("get");
    event.id = SLICE("p");
    event.is_durable = false;
    event.to = SLICE(DESK);
    event.payload = SLICE("<ping/>");
    send_event(inbox_queue_, &event);
}

/* What delivery orders; the answer to it carries FENCE. */
static void order(enum event_type type, uint64_t session, const char *node,
                  const char *condition)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = 1;
    event.to = SLICE(DESK);
    event.session = session;
    event.request = FENCE;
    event.node = slice_of(node);
    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

static void tick(uint64_t later_ms)
{
    sessions_tick(frontend, clock_now_ms() + later_ms);
    pump();
}

static bool is_here(uint64_t id)
{
    return session_find(frontend, id) != NULL;
}

static bool is_detached(uint64_t id)
{
    const struct session *session = session_find(frontend, id);

    return session && !session->connection;
}

/* Enabling. */

static void test_enable(void)
{
    static const struct {
        const char *resume;
        bool is_resumable;
    } rows[] = {
        {"true", true}, {"1", true}, {"false", false},
        {"0", false},   {"", false},
    };
    struct client client;
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fixture_open(fixture_plain);
        client_login(&client, "desk");
        snprintf(text, sizeof(text), "<enable xmlns='" NS_SM "' resume='%s'/>",
                 rows[i].resume);
        client_send(&client, text);
        snprintf(text, sizeof(text),
                 "<enabled xmlns='" NS_SM "' id='%s' resume='true' max='300'/>",
                 resume_token(client_session(&client), token));
        EXPECT_TEXT(&client, rows[i].is_resumable ? text : SM("enabled"));
        client_break(&client);
        CU_ASSERT_EQUAL(is_detached(client.session), rows[i].is_resumable);
        EXPECT_LINE(rows[i].is_resumable ? "(nothing)"
                                         : "delivery session.close <" DESK);
        fixture_close();
    }
}

static void test_no_resumption(void)
{
    static const char *const options[] = {"--tls", "off", "--resume-timeout",
                                          "0s", NULL};
    struct client client;

    fixture_open(options);
    client_login(&client, "desk");
    client_send(&client, ENABLE("true"));
    EXPECT_TEXT(&client, SM("enabled"));
    client_break(&client);
    CU_ASSERT_FALSE(is_here(client.session));
    EXPECT_LINE("delivery session.close <" DESK);
    fixture_close();
}

/* Who says goodbye does not come back. */
static void test_goodbye(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client, "</stream:stream>");
    EXPECT_TEXT(&client, "</stream:stream>");
    CU_ASSERT_FALSE(is_here(client.session));
    EXPECT_LINE("delivery session.close <" DESK);
    client_close(&client);
    fixture_close();
}

/* Away. */

/* Its stanzas are kept, and their messages held until the archive has them. */
static void test_away(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(is_detached(client.session));
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 1);
    confirm();
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    tick(0);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* What the archive does not have is given back. */
static void test_away_for_too_long(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    deliver(client.session, 1);
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 2);
    deliver_ping(client.session);
    CU_ASSERT_TRUE(is_detached(client.session));
    tick(frontend->config.resume_timeout);
    CU_ASSERT_FALSE(is_here(client.session));
    EXPECT_LINE("delivery session.close <" DESK);
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_LINE("delivery stanza.route iq/error " PC " <" DESK
                " {<error type='cancel'><service-unavailable xmlns='" //
                NS_STANZA_ERRORS "'/></error>}");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    client_return(&client);
    client_resume(&client, "0"); /* too late: perhaps it is elsewhere */
    EXPECT_LINE("delivery session.resume alice@localhost");
    client_close(&client);
    fixture_close();
}

static void test_too_much(void)
{
    static const char *const options[] = {"--tls", "off", "--max-unacked", "10",
                                          NULL};
    struct client client;

    fixture_open(options);
    client_enable(&client);
    client_break(&client);
    for (unsigned n = 1; n <= 11; n++)
        deliver(client.session, n);
    tick(0);
    CU_ASSERT_FALSE(is_here(client.session));
    for (unsigned n = 1; n <= 11; n++)
        CU_ASSERT_PTR_NOT_NULL(strstr(next_line(), "!custody"));
    EXPECT_LINE("delivery session.close <" DESK);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Back, here. */

static void test_resumed(void)
{
    struct client client;
    struct client again;
    size_t acked;

    fixture_open(fixture_plain);
    client_enable(&client);
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 1);
    deliver(client.session, 2);
    EXPECT_TEXT(&client, "m2</body></message>");
    client_break(&client);
    deliver(client.session, 3);
    client_return(&again);
    confirm();
    client_resume(&again, "1");
    CU_ASSERT_TRUE(client_is_resumed(&again, "0", "m2m3"));
    EXPECT_TEXT(&again, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&again));
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    again.session = client.session;
    CU_ASSERT_PTR_NOT_NULL(client_session(&again)->connection);
    /* It is the same session: repeats are dropped, counting goes on. */
    deliver(client.session, 2);
    CU_ASSERT_TRUE(client_is_quiet(&again));
    client_send(&again, ANSWER("3"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    client_send(&again, "<message to='bob@localhost'><body>x</body></message>");
    EXPECT_LINE("delivery stanza.route message bob@localhost <" DESK
                " durable {<body>x</body>}");
    confirm();
    client_send(&again, SM("r"));
    EXPECT_TEXT(&again, ANSWER("1"));
    client_close(&again);
    fixture_close();
}

/* h is what is confirmed: until all is, the answer waits. */
static void test_resumed_when_confirmed(void)
{
    struct client client;
    struct client again;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>"
                "<message to='bob@localhost'><body>y</body></message>");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    CU_ASSERT_TRUE(client_is_quiet(&again));
    deliver(client.session, 1); /* while it is waiting */
    CU_ASSERT_TRUE(client_is_quiet(&again));
    confirm();
    CU_ASSERT_TRUE(client_is_resumed(&again, "2", "m1"));
    EXPECT_TEXT(&again, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&again));
    client_close(&again);
    fixture_close();
}

/* A stanza is handled when it was read, not only when it was confirmed. */
static void test_sent_while_waiting(void)
{
    struct client client;
    struct client again;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    client_send(&again, "<message to='bob@localhost'><body>y</body></message>");
    EXPECT_NOTHING_PUBLISHED(); /* nor taken for one of no session */
    confirm();
    CU_ASSERT_TRUE(client_is_resumed(&again, "1", ""));
    EXPECT_LINE("delivery stanza.route message bob@localhost <" DESK
                " durable {<body>y</body>}");
    client_close(&again);
    fixture_close();
}

/* A connection that is dead without having said so. */
static void test_old_connection_open(void)
{
    struct client client;
    struct client again;

    fixture_open(fixture_plain);
    client_enable(&client);
    deliver(client.session, 1);
    EXPECT_TEXT(&client, SM("r"));
    client_return(&again);
    confirm();
    client_resume(&again, "0");
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    CU_ASSERT_TRUE(client_is_resumed(&again, "0", "m1"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    CU_ASSERT_TRUE(is_here(client.session));
    CU_ASSERT_FALSE(is_detached(client.session));
    client_close(&again);
    CU_ASSERT_TRUE(is_detached(client.session));
    fixture_close();
}

/* Of two that wait for one session the later gets it. */
static void test_two_wait(void)
{
    struct client client;
    struct client second;
    struct client third;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    client_return(&second);
    client_return(&third);
    confirm();
    note_token("alice@localhost", ELSEWHERE);
    client_resume(&second, "0");
    client_resume(&third, "0");
    EXPECT_TEXT(&second, FAILED("item-not-found"));
    CU_ASSERT_TRUE(client_is_quiet(&third));
    client_close(&second);
    CU_ASSERT_TRUE(resume_is_awaited(frontend, ELSEWHERE));
    client_close(&third);
    fixture_close();
}

/* Refused. */

static void test_bad_requests(void)
{
    static const struct {
        const char *user; /* whose token; NULL: garbage */
        const char *attributes;
        const char *condition;
    } rows[] = {
        {"alice@localhost", "h='0'", NULL},
        {"bob@localhost", "h='0'", "item-not-found"},
        {"alice@localhos", "h='0'", "item-not-found"},
        {NULL, "h='0'", "item-not-found"},
        {"alice@localhost", "", "bad-request"},
        {"alice@localhost", "h=''", "bad-request"},
        {"alice@localhost", "h='-1'", "bad-request"},
        {"alice@localhost", "h='4294967296'", "bad-request"},
        {NULL, "", "bad-request"},
    };
    struct client client;
    struct client again;
    char text[512];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fixture_open(fixture_plain);
        client_enable(&client);
        client_break(&client);
        client_return(&again);
        confirm();
        if (rows[i].user)
            note_token(rows[i].user, client.session);
        else
            snprintf(token, sizeof(token), "garbage");
        snprintf(text, sizeof(text),
                 "<resume xmlns='" NS_SM "' previd='%s' %s/>", token,
                 rows[i].attributes);
        client_send(&again, text);
        if (rows[i].condition) {
            snprintf(text, sizeof(text),
                     "<failed xmlns='" NS_SM "'><%s xmlns='" NS_STANZA_ERRORS
                     "'/></failed>",
                     rows[i].condition);
            EXPECT_TEXT(&again, text);
            CU_ASSERT_TRUE(is_detached(client.session));
            client_bind_instead(&again);
        } else {
            CU_ASSERT_TRUE(client_is_resumed(&again, "0", ""));
        }
        client_close(&again);
        fixture_close();
    }
}

static void test_without_token(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_return(&client);
    client_send(&client, "<resume xmlns='" NS_SM "' h='0'/>");
    EXPECT_TEXT(&client, FAILED("item-not-found"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

static void test_bound_already(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_resume(&client, "0");
    EXPECT_TEXT(&client, FAILED("unexpected-request"));
    CU_ASSERT_FALSE(is_detached(client.session));
    client_close(&client);
    fixture_close();
}

/* More, or fewer, than can be: its count is of no use. */
static void test_bad_count(void)
{
    static const char *const counts[] = {"3", "0"};
    struct client client;
    struct client again;

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        fixture_open(fixture_plain);
        client_enable(&client);
        deliver(client.session, 1);
        deliver(client.session, 2);
        client_send(&client, ANSWER("1"));
        client_break(&client);
        client_return(&again);
        confirm();
        client_resume(&again, counts[i]);
        EXPECT_TEXT(&again, "<undefined-condition ");
        EXPECT_TEXT(&again, "<handled-count-too-high ");
        CU_ASSERT_FALSE(is_here(client.session));
        EXPECT_LINE("delivery session.close <" DESK);
        EXPECT_LINE(GIVEN_BACK("m2"));
        EXPECT_NOTHING_PUBLISHED();
        client_close(&again);
        fixture_close();
    }
}

/* Back, from elsewhere. */

/* alice asks for the session ELSEWHERE; returns the request's number. */
static uint64_t ask_elsewhere(struct client *client, const char *handled)
{
    const char *exchange = NULL;
    const struct event *ask;

    client_return(client);
    confirm();
    note_token("alice@localhost", ELSEWHERE);
    client_resume(client, handled);
    ask = next_published(&exchange);
    CU_ASSERT_STRING_EQUAL(exchange, "ocean.delivery");
    CU_ASSERT_EQUAL_FATAL(ask->type, EVENT_SESSION_RESUME);
    CU_ASSERT_EQUAL(ask->session, ELSEWHERE);
    ASSERT_SLICE(ask->to, "alice@localhost");
    ASSERT_SLICE(ask->node, daemon_node(frontend->daemon));
    CU_ASSERT_NOT_EQUAL(ask->request, 0);
    return ask->request;
}

static void send_refused(uint64_t request)
{
    struct event event;

    event_init(&event, EVENT_SESSION_RESUMED);
    event.origin = 9;
    event.sequence = 1;
    event.session = ELSEWHERE;
    event.request = request;
    event.condition = SLICE("item-not-found");
    send_event(inbox_queue_, &event);
}

static void test_refused(void)
{
    struct client client;
    uint64_t request;

    fixture_open(fixture_plain);
    request = ask_elsewhere(&client, "0");
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_refused(request + 1); /* another question */
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_refused(request);
    EXPECT_TEXT(&client, FAILED("item-not-found"));
    send_refused(request);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_bind_instead(&client);
    client_close(&client);
    fixture_close();
}

static void test_timed_out(void)
{
    struct client client;
    struct connection *connection;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "0");
    connection = TAILQ_FIRST(&frontend->connections);
    stream_tick(connection, connection->answer_deadline_ms - 1);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    stream_tick(connection, connection->answer_deadline_ms);
    EXPECT_TEXT(&client, FAILED("item-not-found"));
    CU_ASSERT_FALSE(resume_is_awaited(frontend, ELSEWHERE));
    client_bind_instead(&client);
    client_close(&client);
    fixture_close();
}

/* Stanzas that came before a session that does not come are not lost. */
static void test_refused_with_early_stanzas(void)
{
    struct client client;
    uint64_t request;

    fixture_open(fixture_plain);
    request = ask_elsewhere(&client, "0");
    deliver(ELSEWHERE, 1);
    deliver_ping(ELSEWHERE);
    EXPECT_NOTHING_PUBLISHED();
    send_refused(request);
    EXPECT_LINE(GIVEN_BACK("m1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(next_line(), "stanza.route iq/error " PC));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Arriving. */

static void send_unacked(unsigned n, const char *condition)
{
    struct event event = message(EVENT_SESSION_UNACKED, ELSEWHERE, n);

    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

/* alice/desk, available; 3 stanzas came from the client, 7 were acknowledged,
 * messages up to `given` were given out. */
static void send_transfer(unsigned given)
{
    struct slice directed = SLICE("carol@localhost/x");
    struct seen *seen = NULL;
    struct buffer names = BUFFER_EMPTY;
    struct buffer window = BUFFER_EMPTY;
    struct event event;

    for (unsigned n = 1; n <= given; n++) {
        struct event old = message(EVENT_STANZA_DELIVER, ELSEWHERE, n);

        CU_ASSERT_FALSE(seen_is_repeat(&seen, &old));
    }
    seen_write(seen, &window);
    seen_destroy(&seen);
    event_list_write(&names, &directed, 1);
    event_init(&event, EVENT_SESSION_TRANSFER);
    event.origin = 8;
    event.sequence = 1;
    event.from = SLICE(DESK);
    event.session = ELSEWHERE;
    event.request = FENCE;
    event.count = 3;
    event.mark = 7;
    event.node = SLICE(OTHER_NODE);
    event.resource = SLICE("desk");
    event.kind = STANZA_PRESENCE;
    event.payload = SLICE("<show>away</show>");
    event.is_available = true;
    event.is_interested = true;
    event.priority = 5;
    event.stamp = 1700000000000;
    event.names = buffer_slice(&names);
    if (window.size)
        event.window = buffer_slice(&window);
    send_event(inbox_queue_, &event);
    buffer_deinit(&names);
    buffer_deinit(&window);
}

#define REPORTED                                                               \
    "delivery session.fenced presence <" DESK " !moved {<show>away</show>}"

static void check_report(void)
{
    const char *exchange = NULL;
    const struct event *fenced = next_published(&exchange);

    CU_ASSERT_EQUAL(fenced->type, EVENT_SESSION_FENCED);
    CU_ASSERT_EQUAL(fenced->request, FENCE);
    CU_ASSERT_EQUAL(fenced->session, ELSEWHERE);
    CU_ASSERT_EQUAL(fenced->priority, 5);
    CU_ASSERT_EQUAL(fenced->stamp, 1700000000000);
    CU_ASSERT_TRUE(fenced->is_available);
    CU_ASSERT_TRUE(fenced->is_interested);
    ASSERT_SLICE(fenced->from, DESK);
    ASSERT_SLICE(fenced->resource, "desk");
    ASSERT_SLICE(fenced->node, daemon_node(frontend->daemon));
    ASSERT_SLICE(fenced->condition, "moved");
    ASSERT_SLICE(fenced->payload, "<show>away</show>");
}

static void test_arrival(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "8");
    acked = fake_bus_acked(inbox_queue_);
    deliver(ELSEWHERE, 3); /* early: does not overtake */
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_transfer(2);
    check_report();
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m2m3"));
    EXPECT_TEXT(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 3); /* not m2 */
    client_send(&client, ANSWER("10"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    /* Counting goes on. */
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    confirm();
    client_send(&client, SM("r"));
    EXPECT_TEXT(&client, ANSWER("4"));
    ignore_published();
    /* Who was sent directed presence is told of the end. */
    client_send(&client, "</stream:stream>");
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE("delivery session.close <" DESK);
    client_close(&client);
    fixture_close();
}

/* What the client has been given before, there or early here, it is not given
 * again. */
static void test_arrival_repeats(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "9");
    deliver(ELSEWHERE, 2); /* given back there, and routed again */
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", ""));
    CU_ASSERT_FALSE(is_here(ELSEWHERE)); /* it said 9, and 7 were sent */
    client_close(&client);
    fixture_close();

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 2);
    deliver(ELSEWHERE, 3);
    send_transfer(2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m3"));
    EXPECT_TEXT(&client, SM("r"));
    for (unsigned n = 1; n <= 3; n++)
        deliver(ELSEWHERE, n);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    deliver(ELSEWHERE, 4);
    EXPECT_TEXT(&client, "<body>m4</body>");
    client_close(&client);
    fixture_close();
}

static void test_arrival_twice(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_TEXT(&client, SM("r"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_send(&client, ANSWER("8"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_close(&client);
    fixture_close();
}

/* The broker hands out again what the client has not acknowledged: the new
 * messages are held in place of the former, and let go like those. */
static void test_arrival_redelivered(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    send_unacked(3, "custody");
    send_transfer(3);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1m2m3"));
    confirm();
    ignore_published();
    fake_bus_reset(inbox_queue_, "connection lost");
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, NULL);
    send_unacked(2, NULL);
    send_unacked(3, "custody");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 1);
    CU_ASSERT_FALSE(arrival_expects(frontend, ELSEWHERE));
    client_send(&client, ANSWER("8"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    send_unacked(1, NULL); /* once more, too late */
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 3);
    client_send(&client, ANSWER("10"));
    EXPECT_LINE("archive archive.drop alice@localhost");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* In custody: not again, and taken out when the client has it. */
static void test_arrival_in_custody(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, "custody");
    send_transfer(1);
    check_report();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_TEXT(&client, SM("r"));
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, ANSWER("8"));
    EXPECT_LINE("archive archive.drop alice@localhost");
    client_close(&client);
    fixture_close();
}

/* Its client is not there, or not any more: it may still come. */
static void test_arrival_unawaited(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    client_close(&client);
    confirm();
    acked = fake_bus_acked(inbox_queue_);
    send_unacked(1, NULL);
    send_transfer(1);
    check_report();
    CU_ASSERT_TRUE(is_detached(ELSEWHERE));
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    client_return(&client);
    client_resume(&client, "7");
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    tick(frontend->config.resume_timeout + 1000);
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE("delivery session.close <" DESK);
    EXPECT_NOTHING_PUBLISHED(); /* the archive has it */
    fixture_close();
}

/* Kicked on its way: what is here of it is kept for it; if nothing is, what
 * came early goes back before the answer. */
static void test_kicked_on_its_way(void)
{
    struct client client;

    fixture_open(fixture_plain);
    ask_elsewhere(&client, "7");
    deliver(ELSEWHERE, 5);
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_LINE(GIVEN_BACK("m5"));
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    send_unacked(1, NULL);
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    send_transfer(1);
    EXPECT_LINE(REPORTED);
    CU_ASSERT_TRUE(client_is_resumed(&client, "3", "m1"));
    order(EVENT_SESSION_KICK, ELSEWHERE, NULL, "conflict");
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE("delivery stanza.route presence/unavailable carol@localhost/x "
                "<" DESK);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    client_close(&client);
    fixture_close();
}

/* What is not complete at the end. */
static void test_arrival_at_exit(void)
{
    fixture_open(fixture_plain);
    send_unacked(1, NULL);
    deliver(ELSEWHERE, 2);
    fixture_close();
}

/* Leaving. */

static void test_move(void)
{
    struct client client;
    const char *exchange = NULL;
    const struct event *transfer;
    struct event_list names;
    struct slice name;
    struct seen *seen;
    struct event old;
    size_t acked;

    fixture_open(fixture_plain);
    client_enable(&client);
    acked = fake_bus_acked(inbox_queue_);
    client_send(&client, "<presence to='carol@localhost/x'/>");
    deliver(client.session, 1);
    deliver(client.session, 2);
    client_send(&client, ANSWER("1"));
    confirm();
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    ignore_published();
    client_break(&client);
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_NOTHING_PUBLISHED(); /* not before all of it is confirmed */
    confirm();
    EXPECT_LINE(UNACKED("m2"));
    transfer = next_published(&exchange);
    CU_ASSERT_EQUAL_FATAL(transfer->type, EVENT_SESSION_TRANSFER);
    CU_ASSERT_STRING_EQUAL(exchange, "ocean.frontend");
    CU_ASSERT_EQUAL(transfer->session, client.session);
    CU_ASSERT_EQUAL(transfer->request, FENCE);
    CU_ASSERT_EQUAL(transfer->count, 2);
    CU_ASSERT_EQUAL(transfer->mark, 1);
    CU_ASSERT_FALSE(transfer->is_available);
    ASSERT_SLICE(transfer->from, DESK);
    ASSERT_SLICE(transfer->resource, "desk");
    event_list_open(&names, transfer->names);
    CU_ASSERT_TRUE_FATAL(event_list_next(&names, &name));
    ASSERT_SLICE(name, "carol@localhost/x");
    CU_ASSERT_FALSE(event_list_next(&names, &name));
    seen = seen_read(transfer->window);
    old = message(EVENT_STANZA_DELIVER, 1, 2);
    CU_ASSERT_TRUE(seen_is_repeat(&seen, &old));
    seen_destroy(&seen);
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_STRING_EQUAL(
        fake_bus_published(bus, fake_bus_count(bus) - 1)->key.data, OTHER_NODE);
    CU_ASSERT_TRUE(is_here(client.session));
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2); /* m1, move */
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    EXPECT_NOTHING_PUBLISHED(); /* delivery knows where it is */
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    fixture_close();
}

/* The client has come back elsewhere, and this connection does not know. */
static void test_move_from_open_connection(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    client_close(&client);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void test_move_in_custody(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    deliver(client.session, 1);
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    confirm();
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_LINE("frontend session.unacked message alice@localhost <" PC
                " !custody durable {<body>m1</body>}");
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    fixture_close(); /* not confirmed */
}

/* Comes too late to go along. */
static void test_stanza_while_moving(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    deliver(client.session, 1);
    EXPECT_LINE(GIVEN_BACK("m1"));
    tick(frontend->config.resume_timeout); /* it does not end here */
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(is_here(client.session));
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    fixture_close();
}

static void test_move_refused(void)
{
    struct client client;
    char self[NAME_MAX_BYTES];

    fixture_open(fixture_plain);
    client_login(&client, "desk"); /* not resumable */
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_send(&client, ENABLE("true"));
    EXPECT_TEXT(&client, "resume='true'");
    snprintf(self, sizeof(self), "%s", daemon_node(frontend->daemon));
    order(EVENT_SESSION_MOVE, client.session, self, NULL);
    EXPECT_LINE("delivery session.fenced/unavailable <" DESK " !moved");
    CU_ASSERT_FALSE(is_detached(client.session));
    client_close(&client);
    fixture_close();
}

/* Where it was to go is nobody any more. */
static void test_unroutable(void)
{
    struct client client;
    size_t acked;
    size_t first;

    fixture_open(fixture_plain);
    client_enable(&client);
    acked = fake_bus_acked(inbox_queue_);
    client_break(&client);
    deliver(client.session, 1);
    tick(0);
    confirm();
    deliver(client.session, 2);
    ignore_published();
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    first = published;
    EXPECT_LINE("frontend session.unacked message alice@localhost <" PC
                " !custody durable {<body>m1</body>}");
    EXPECT_LINE(UNACKED("m2"));
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    for (size_t i = first; i < first + 3; i++)
        fake_bus_return(bus, i);
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2); /* m1, move */
    confirm();
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 3);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Fences. */

static void test_kick(void)
{
    struct client client;
    size_t acked;

    fixture_open(fixture_plain);
    client_enable(&client);
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 1);
    EXPECT_TEXT(&client, SM("r"));
    order(EVENT_SESSION_KICK, client.session, NULL, "conflict");
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE(GIVEN_BACK("m1")); /* then the answer: all is back */
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(is_here(client.session));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    order(EVENT_SESSION_KICK, client.session, NULL, "conflict");
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    client_close(&client);
    fixture_close();
}

static void test_kick_detached(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_break(&client);
    deliver(client.session, 1);
    order(EVENT_SESSION_KICK, client.session, NULL, "conflict");
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void test_kick_plain(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    order(EVENT_SESSION_KICK, client.session, NULL, "conflict");
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Its client waits here until what it sent is confirmed. */
static void test_kick_while_waiting(void)
{
    struct client client;
    struct client again;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    order(EVENT_SESSION_KICK, client.session, NULL, "conflict");
    EXPECT_TEXT(&again, FAILED("item-not-found"));
    EXPECT_LINE("delivery session.fenced <" DESK " !ended");
    confirm();
    client_bind_instead(&again);
    client_close(&again);
    fixture_close();
}

/* The same, and it goes elsewhere: it need not wait for a time-out. */
static void test_move_while_waiting(void)
{
    struct client client;
    struct client again;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client,
                "<message to='bob@localhost'><body>x</body></message>");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    order(EVENT_SESSION_MOVE, client.session, OTHER_NODE, NULL);
    EXPECT_TEXT(&again, FAILED("item-not-found"));
    confirm();
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    client_bind_instead(&again);
    client_close(&again);
    fixture_close();
}

static void test_fence(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_enable(&client);
    order(EVENT_SESSION_FENCE, client.session, NULL, NULL);
    EXPECT_LINE("delivery session.fenced <" DESK " !here");
    order(EVENT_SESSION_FENCE, ELSEWHERE, NULL, NULL);
    EXPECT_LINE("delivery session.fenced <" DESK " !here");
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"enable", test_enable},
    {"no resumption", test_no_resumption},
    {"goodbye", test_goodbye},
    {"away", test_away},
    {"away for too long", test_away_for_too_long},
    {"too much while away", test_too_much},
    {"resumed", test_resumed},
    {"resumed when confirmed", test_resumed_when_confirmed},
    {"sent while waiting", test_sent_while_waiting},
    {"the old connection is open", test_old_connection_open},
    {"two wait", test_two_wait},
    {"bad requests", test_bad_requests},
    {"without a token", test_without_token},
    {"bound already", test_bound_already},
    {"a bad count", test_bad_count},
    {"refused", test_refused},
    {"timed out", test_timed_out},
    {"refused with early stanzas", test_refused_with_early_stanzas},
    {"arrival", test_arrival},
    {"arrival, repeats", test_arrival_repeats},
    {"arrival, twice", test_arrival_twice},
    {"arrival, handed out again", test_arrival_redelivered},
    {"arrival in custody", test_arrival_in_custody},
    {"arrival unawaited", test_arrival_unawaited},
    {"kicked on its way", test_kicked_on_its_way},
    {"arrival at exit", test_arrival_at_exit},
    {"move", test_move},
    {"move from an open connection", test_move_from_open_connection},
    {"move in custody", test_move_in_custody},
    {"a stanza while moving", test_stanza_while_moving},
    {"move refused", test_move_refused},
    {"unroutable", test_unroutable},
    {"kick", test_kick},
    {"kick detached", test_kick_detached},
    {"kick without acknowledgements", test_kick_plain},
    {"kick while waiting", test_kick_while_waiting},
    {"move while waiting", test_move_while_waiting},
    {"fence", test_fence},
};

int main(void)
{
    return unit_run("resume", cases, ARRAY_SIZE(cases));
}
