#include "fixture.h"

static void test_errors_before_login(void)
{
    static const struct {
        const char *sent, *condition;
    } cases[] = {
        {"<stream:stream to='elsewhere' version='1.0' xmlns='jabber:client' "
         "xmlns:stream='" NS_STREAMS "'>",
         "host-unknown"},
        {"<stream:stream version='1.0' xmlns='jabber:client' "
         "xmlns:stream='" NS_STREAMS "'>",
         "host-unknown"},
        {"<stream:stream to='localhost' version='0.9' xmlns='jabber:client' "
         "xmlns:stream='" NS_STREAMS "'>",
         "unsupported-version"},
        {"<stream:stream to='localhost' xmlns='jabber:client' "
         "xmlns:stream='" NS_STREAMS "'>",
         "unsupported-version"},
        {"<stream:stream to='localhost' version='1.0' xmlns='jabber:server' "
         "xmlns:stream='" NS_STREAMS "'>",
         "invalid-namespace"},
        {"<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
         "xmlns:stream='urn:x'>",
         "invalid-namespace"},
        {HEADER "<message/>", "not-authorized"},
        {HEADER "<iq/>", "not-authorized"},
        {HEADER "<odd xmlns='urn:x'/>", "unsupported-stanza-type"},
        {HEADER "<a></b>", "not-well-formed"},
        {HEADER "<!-- -->", "restricted-xml"},
        {HEADER "<a>&odd;</a>", "restricted-xml"},
        {HEADER "<x:a/>", "bad-namespace-prefix"},
        {HEADER "text", "bad-format"},
    };

    fixture_open(fixture_plain);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct client client;

        client_open(&client);
        client_send(&client, cases[i].sent);
        EXPECT_TEXT(&client, "<?xml version='1.0'?><stream:stream ");
        EXPECT_TEXT(&client, " from='localhost'");
        EXPECT_TEXT(&client, "<stream:error><");
        CU_ASSERT_TRUE(client_gets(&client, cases[i].condition));
        EXPECT_TEXT(&client, "</stream:stream>");
        client_receive(&client);
        CU_ASSERT_TRUE(client.is_ended);
        client_close(&client);
    }
    CU_ASSERT_EQUAL(frontend->connection_count, 0);
    fixture_close();
}

static void test_features(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER);
    EXPECT_TEXT(&client, "<stream:features><mechanisms xmlns='" NS_SASL
                         "'><mechanism>SCRAM-SHA-256</mechanism><mechanism>"
                         "SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>"
                         "</mechanisms></stream:features>");
    client_send(&client, AUTH_PLAIN(PLAIN_ALICE));
    answer_keys("secret");
    EXPECT_TEXT(&client, "<success xmlns='" NS_SASL "'/>");
    client_send(&client, HEADER);
    EXPECT_TEXT(&client, "<stream:features><bind xmlns='" NS_BIND
                         "'/><session xmlns='" NS_SESSION
                         "'><optional/></session><sm xmlns='" NS_SM
                         "'/></stream:features>");
    client_close(&client);
    fixture_close();
}

/* In pieces of every size, units come together just the same. */
static void test_pieces(void)
{
    static const char text[] = HEADER AUTH_PLAIN(PLAIN_ALICE);
    struct client client;

    fixture_open(fixture_plain);
    for (size_t piece = 1; piece < 40; piece += 7) {
        client_open(&client);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            char part[64];

            snprintf(part, sizeof(part), "%.*s", (int)piece, text + at);
            client_send(&client, part);
        }
        answer_keys("secret");
        EXPECT_TEXT(&client, "<success xmlns='" NS_SASL "'/>");
        client_close(&client);
    }
    fixture_close();
}

static void test_end(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    client_send(&client, " \n </stream:stream>");
    EXPECT_TEXT(&client, "</stream:stream>");
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_PTR_NULL(client_session(&client));
    client_close(&client);
    CU_ASSERT_EQUAL(frontend->connection_count, 0);

    client_login(&client, "desk");
    client_close(&client);
    EXPECT_LINE("delivery session.close <alice@localhost/desk");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_EQUAL(frontend->connection_count, 0);
    fixture_close();
}

static struct connection *only_connection(void)
{
    return TAILQ_FIRST(&frontend->connections);
}

static void test_login_timeout(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER);
    EXPECT_TEXT(&client, "</stream:features>");
    stream_tick(only_connection(), only_connection()->login_deadline_ms - 1);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    stream_tick(only_connection(), only_connection()->login_deadline_ms);
    EXPECT_TEXT(&client, "<connection-timeout xmlns='" NS_STREAM_ERRORS "'/>");
    client_close(&client);
    fixture_close();
}

static void test_keep_alive(void)
{
    struct client client;
    struct connection *connection;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    connection = only_connection();
    stream_tick(connection, connection->active_ms + 299999);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    stream_tick(connection, connection->active_ms + 300000);
    client_receive(&client);
    CU_ASSERT_STRING_EQUAL(client.got, " ");
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"errors before login", test_errors_before_login},
    {"features", test_features},
    {"pieces", test_pieces},
    {"end", test_end},
    {"login timeout", test_login_timeout},
    {"keep-alive", test_keep_alive},
};

int main(void)
{
    return unit_run("stream", cases, ARRAY_SIZE(cases));
}
