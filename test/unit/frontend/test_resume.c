/* XEP-0198 5: a client comes back for its session. */
#include "moving.h"

/* Back, here. */

static void test_resumed(void)
{
    struct client client;
    struct client again;
    size_t acked;

    open_enabled(&client);
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 1);
    deliver(client.session, 2);
    EXPECT_TEXT(&client, "m2</body></message>");
    client_break(&client);
    deliver(client.session, 3);
    client_return(&again);
    confirm();
    client_resume(&again, "1");
    CU_ASSERT_TRUE(client_is_resumed_only(&again, "0", "m2m3"));
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
    client_say(&again, "x");
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

    open_enabled(&client);
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
    CU_ASSERT_TRUE(client_is_resumed_only(&again, "2", "m1"));
    client_close(&again);
    fixture_close();
}

/* A stanza is handled when it was read, not only when it was confirmed. */
static void test_sent_while_waiting(void)
{
    struct client client;
    struct client again;

    open_enabled(&client);
    client_say(&client, "x");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    client_say(&again, "y");
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

    open_enabled(&client);
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

    open_away(&client);
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

/* A client that takes its output slowly is not waited for without end, unless
 * it is what it has missed: nobody else could get rid of that. */

enum { BIG_BYTES = 8000, BIG_COUNT = 50 };

static void deliver_big(uint64_t session)
{
    static char payload[BIG_BYTES];
    static unsigned n = 100;
    struct event event = message(EVENT_STANZA_DELIVER, session, n++);

    memset(payload, ' ', sizeof(payload));
    event.payload = (struct slice){payload, sizeof(payload)};
    send_event(inbox_queue_, &event);
}

/* Little is on its way, the rest waits here. */
static void narrow(const struct client *client)
{
    const struct connection *connection = TAILQ_FIRST(&frontend->connections);
    int bytes = 4096;

    setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void test_slow(void)
{
    static const char *const options[] = {"--tls", "off", "--max-output-bytes",
                                          "64K", NULL};
    struct client client;
    struct client again;
    const struct connection *connection;

    fixture_open(options);
    client_enable(&client);
    client_break(&client);
    for (int i = 0; i < BIG_COUNT; i++)
        deliver_big(client.session);
    client_return(&again);
    confirm();
    narrow(&again);
    client_resume(&again, "0");
    connection = TAILQ_FIRST(&frontend->connections);
    CU_ASSERT_TRUE(connection->output.size >
                   2 * frontend->config.max_output_bytes);
    CU_ASSERT_FALSE(is_detached(client.session));
    for (int i = 0; i < BIG_COUNT; i++)
        EXPECT_TEXT(&again, "</message>");
    EXPECT_TEXT(&again, SM("r"));
    pump();
    CU_ASSERT_EQUAL(connection->output.size, 0);
    for (int i = 0; i < BIG_COUNT; i++) /* as much again, and no excuse */
        deliver_big(client.session);
    CU_ASSERT_TRUE(is_detached(client.session));
    client_close(&again);
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
        open_away(&client);
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

    open_enabled(&client);
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
        open_enabled(&client);
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
        EXPECT_LINE(CLOSED);
        EXPECT_LINE(GIVEN_BACK("m2"));
        EXPECT_NOTHING_PUBLISHED();
        client_close(&again);
        fixture_close();
    }
}

/* Back, from elsewhere. */

static void test_refused(void)
{
    struct client client;
    uint64_t request;

    fixture_open(fixture_plain);
    request = ask_elsewhere(&client, "0");
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_failed(request + 1, 0); /* another question */
    CU_ASSERT_TRUE(client_is_quiet(&client));
    send_failed(request, 0);
    EXPECT_TEXT(&client, FAILED("item-not-found"));
    send_failed(request, 0);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_bind_instead(&client);
    client_close(&client);
    fixture_close();
}

/* Delivery knows how it ended. */
static void test_refused_with_count(void)
{
    struct client client;

    fixture_open(fixture_plain);
    send_failed_after(12, ask_elsewhere(&client, "0"), 0);
    EXPECT_TEXT(&client, FAILED_AFTER("12"));
    client_close(&client);
    fixture_close();
}

/* What delivery is told at the end: all that was handled, if nothing is on its
 * way any more. */
static void check_told_count(bool is_confirmed, uint64_t expected)
{
    struct client client;
    const struct event *event;
    const char *exchange;

    fixture_open(fixture_plain);
    client_enable(&client);
    client_send(&client,
                "<message to='bob@localhost'><body>1</body></message>");
    if (is_confirmed)
        confirm();
    client_break(&client);
    tick(frontend->config.resume_timeout);
    while ((event = next_published(&exchange)) &&
           event->type != EVENT_SESSION_CLOSE)
        ;
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(event->count, expected);
    client_close(&client);
    fixture_close();
}

static void test_told_count(void)
{
    check_told_count(true, 1);
    check_told_count(false, 0);
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
    send_failed(request, 0);
    EXPECT_LINE(GIVEN_BACK("m1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(next_line(), "stanza.route iq/error " PC));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* The token's key. */

static void check_key(const char *token_secret, const char *expected)
{
    struct token_key key;

    CU_ASSERT_EQUAL(setenv("OCEAN_BROKER_PASSWORD", "of the broker", 1), 0);
    CU_ASSERT_EQUAL(setenv("OCEAN_TOKEN_SECRET", token_secret, 1), 0);
    fixture_open(fixture_plain);
    token_key_derive(expected, SLICE("localhost"), &key);
    CU_ASSERT_EQUAL(memcmp(&frontend->token_key, &key, sizeof(key)), 0);
    fixture_close();
    CU_ASSERT_EQUAL(unsetenv("OCEAN_BROKER_PASSWORD"), 0);
    CU_ASSERT_EQUAL(unsetenv("OCEAN_TOKEN_SECRET"), 0);
}

static void test_token_secret(void)
{
    check_key("", "of the broker");
    check_key("of the tokens", "of the tokens");
}

static const struct unit_case cases[] = {
    {"resumed", test_resumed},
    {"resumed when confirmed", test_resumed_when_confirmed},
    {"sent while waiting", test_sent_while_waiting},
    {"the old connection is open", test_old_connection_open},
    {"two wait", test_two_wait},
    {"slow", test_slow},
    {"bad requests", test_bad_requests},
    {"without a token", test_without_token},
    {"bound already", test_bound_already},
    {"a bad count", test_bad_count},
    {"refused", test_refused},
    {"refused with a count", test_refused_with_count},
    {"told the count", test_told_count},
    {"timed out", test_timed_out},
    {"refused with early stanzas", test_refused_with_early_stanzas},
    {"token secret", test_token_secret},
};

int main(void)
{
    return unit_run("resume", cases, ARRAY_SIZE(cases));
}
