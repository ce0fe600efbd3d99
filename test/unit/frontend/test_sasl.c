#include "fixture.h"

#include <gsasl.h>

/* libgsasl's client, whose messages it wraps. */
struct scram {
    Gsasl *gsasl;
    Gsasl_session *session;
};

static void scram_open(struct scram *scram, const char *mechanism,
                       const char *password)
{
    CU_ASSERT_EQUAL_FATAL(gsasl_init(&scram->gsasl), GSASL_OK);
    CU_ASSERT_EQUAL_FATAL(
        gsasl_client_start(scram->gsasl, mechanism, &scram->session), GSASL_OK);
    gsasl_property_set(scram->session, GSASL_AUTHID, "alice");
    gsasl_property_set(scram->session, GSASL_PASSWORD, password);
}

static void scram_close(struct scram *scram)
{
    gsasl_finish(scram->session);
    gsasl_done(scram->gsasl);
}

/* The next message, base64, in an element; `given` is the server's. */
static int scram_send(struct scram *scram, struct client *client,
                      const char *given, const char *before, const char *after)
{
    struct buffer text = BUFFER_EMPTY;
    char *message = NULL;
    int result = gsasl_step64(scram->session, given, &message);

    buffer_appendf(&text, "%s%s%s", before, message ? message : "", after);
    client_send(client, text.data);
    buffer_deinit(&text);
    gsasl_free(message);
    return result;
}

/* Text of the element just received, up to the next tag. */
static char *take_text(struct client *client)
{
    static char text[4096];

    CU_ASSERT_TRUE_FATAL(client_gets(client, ">"));
    snprintf(text, sizeof(text), "%.*s", (int)strcspn(client->got, "<"),
             client->got);
    return text;
}

static void begin_scram(struct scram *scram, struct client *client,
                        const char *mechanism, const char *password)
{
    char before[128];

    scram_open(scram, mechanism, password);
    snprintf(before, sizeof(before),
             "<auth xmlns='" NS_SASL "' mechanism='%s'>", mechanism);
    scram_send(scram, client, NULL, before, "</auth>");
    answer_keys("secret");
    EXPECT_TEXT(client, "<challenge xmlns='" NS_SASL "'");
    scram_send(scram, client, take_text(client),
               "<response xmlns='" NS_SASL "'>", "</response>");
}

static void test_scram(void)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};

    fixture_open(fixture_plain);
    for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
        struct client client;
        struct scram scram;
        char *message = NULL;

        client_open(&client);
        client_send(&client, HEADER);
        begin_scram(&scram, &client, mechanisms[i], "secret");
        EXPECT_TEXT(&client, "<success xmlns='" NS_SASL "'");
        /* The server's proof satisfies the client. */
        CU_ASSERT_EQUAL(
            gsasl_step64(scram.session, take_text(&client), &message),
            GSASL_OK);
        gsasl_free(message);
        scram_close(&scram);
        client_close(&client);
    }
    fixture_close();
}

static void test_wrong_password(void)
{
    struct client client;
    struct scram scram;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER);
    begin_scram(&scram, &client, "SCRAM-SHA-256", "wrong");
    scram_close(&scram);
    EXPECT_TEXT(&client, "<failure xmlns='" NS_SASL "'><not-authorized/>");
    client_send(&client, AUTH_PLAIN("AGFsaWNlAHdyb25n"));
    answer_keys("secret");
    EXPECT_TEXT(&client, "<not-authorized/>");
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, AUTH_PLAIN("AGFsaWNlAHdyb25n"));
    answer_keys("secret");
    EXPECT_TEXT(&client, "<not-authorized/>");
    EXPECT_TEXT(&client, "<policy-violation xmlns='" NS_STREAM_ERRORS "'/>");
    EXPECT_LINE("roster login.failed alice@localhost");
    client_close(&client);
    fixture_close();
}

static const struct {
    const char *sent, *condition;
} failures[] = {
    {"<auth xmlns='" NS_SASL "' mechanism='ODD'>=</auth>", "invalid-mechanism"},
    {"<auth xmlns='" NS_SASL "'>=</auth>", "invalid-mechanism"},
    {AUTH_PLAIN("%%%"), "incorrect-encoding"},
    {AUTH_PLAIN("bm8gc2VwYXJhdG9ycw=="), "malformed-request"},
    {AUTH_PLAIN("="), "malformed-request"},
    {"<auth xmlns='" NS_SASL "' mechanism='SCRAM-SHA-1'>cj14</auth>",
     "malformed-request"},
    {"<response xmlns='" NS_SASL "'>cj14</response>", "malformed-request"},
    {"<abort xmlns='" NS_SASL "'/>", "aborted"},
};

static void fail_once(struct client *client, size_t i)
{
    char expected[128];

    client_send(client, failures[i].sent);
    snprintf(expected, sizeof(expected),
             "<failure xmlns='" NS_SASL "'><%s/></failure>",
             failures[i].condition);
    CU_ASSERT_TRUE(client_gets(client, expected));
}

static void test_failures(void)
{
    static const char *const options[] = {"--tls", "off", "--login-attempts",
                                          "9", NULL};
    struct client client;

    fixture_open(options);
    client_open(&client);
    client_send(&client, HEADER);
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        fail_once(&client, i);
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, AUTH_PLAIN(PLAIN_ALICE)); /* it may go on */
    answer_keys("secret");
    EXPECT_TEXT(&client, "<success");
    client_close(&client);
    fixture_close();
}

/* Of whatever kind. */
static void test_too_many_failures(void)
{
    fixture_open(fixture_plain);
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        struct client client;

        client_open(&client);
        client_send(&client, HEADER);
        for (int attempt = 0; attempt < 3; attempt++)
            fail_once(&client, i);
        EXPECT_TEXT(&client,
                    "<policy-violation xmlns='" NS_STREAM_ERRORS "'/>");
        client_close(&client);
    }
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* The password is asked for; somebody else's name as authzid is refused. */
static void test_plain(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client,
                HEADER "<auth xmlns='" NS_SASL "' mechanism='PLAIN'/>");
    EXPECT_TEXT(&client, "<challenge xmlns='" NS_SASL "'/>");
    /* bob@localhost NUL alice NUL secret */
    client_send(&client, "<response xmlns='" NS_SASL
                         "'>Ym9iQGxvY2FsaG9zdABhbGljZQBzZWNyZXQ=</response>");
    answer_keys("secret");
    EXPECT_TEXT(&client, "<invalid-authzid/>");
    /* ALICE@localhost NUL alice NUL secret */
    client_send(&client,
                AUTH_PLAIN("QUxJQ0VAbG9jYWxob3N0AGFsaWNlAHNlY3JldA=="));
    answer_keys("secret");
    EXPECT_TEXT(&client, "<success");
    client_close(&client);
    fixture_close();
}

/* RFC 4616 2: PLAIN's password is compared as SASLprep makes it. */
static void test_prepared(void)
{
    static const char *const same[] = {
        AUTH_PLAIN("AGFsaWNlAElY"),     /* IX */
        AUTH_PLAIN("AGFsaWNlAOKFqA=="), /* U+2168 */
        AUTH_PLAIN("AGFsaWNlAEnCrVg="), /* I U+00AD X */
    };

    fixture_open(fixture_plain);
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        struct client client;

        client_open(&client);
        client_send(&client, HEADER);
        client_send(&client, same[i]);
        answer_keys("IX");
        EXPECT_TEXT(&client, "<success");
        client_close(&client);
    }
    fixture_close();
}

/* What cannot be prepared is nobody's password. */
static void test_unprepared(void)
{
    static const char *const none[] = {
        AUTH_PLAIN("AGFsaWNlAAc="),     /* U+0007: prohibited */
        AUTH_PLAIN("AGFsaWNlANinMQ=="), /* U+0627 1: two directions */
    };
    struct client client;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER);
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        client_send(&client, none[i]);
        EXPECT_TEXT(&client, "<not-authorized/></failure>");
    }
    client_send(&client, AUTH_PLAIN(PLAIN_ALICE)); /* it may go on */
    answer_keys("secret");
    EXPECT_TEXT(&client, "<success");
    client_close(&client);
    fixture_close();
}

static void test_no_answer(void)
{
    struct client client;
    struct connection *connection;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER AUTH_PLAIN(PLAIN_ALICE));
    EXPECT_TEXT(&client, "</stream:features>");
    connection = TAILQ_FIRST(&frontend->connections);
    CU_ASSERT_TRUE(connection->is_waiting);
    stream_tick(connection, connection->answer_deadline_ms - 1);
    CU_ASSERT_TRUE(client_is_quiet(&client));
    stream_tick(connection, connection->answer_deadline_ms);
    EXPECT_TEXT(&client, "<temporary-auth-failure/></failure>");
    CU_ASSERT_EQUAL(connection->failed_attempts, 0);
    answer_keys("secret"); /* too late */
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_send(&client, AUTH_PLAIN(PLAIN_ALICE));
    answer_keys("secret");
    EXPECT_TEXT(&client, "<success");
    client_close(&client);
    fixture_close();
}

/* Before the answer comes the client leaves. */
static void test_gone_while_asking(void)
{
    struct client client;
    struct connection *connection;

    fixture_open(fixture_plain);
    client_open(&client);
    client_send(&client, HEADER AUTH_PLAIN(PLAIN_ALICE));
    client_receive(&client);
    connection = TAILQ_FIRST(&frontend->connections);
    stream_lost(connection, "test");
    loop_timer_start(frontend->end_of_turn, 0);
    client_close(&client);
    CU_ASSERT_EQUAL(frontend->connection_count, 0);
    CU_ASSERT_EQUAL(map_count(frontend->requests), 0);
    answer_keys("secret");
    fixture_close();
}

static const struct unit_case cases[] = {
    {"SCRAM", test_scram},
    {"wrong password", test_wrong_password},
    {"failures", test_failures},
    {"too many failures", test_too_many_failures},
    {"PLAIN", test_plain},
    {"PLAIN, prepared", test_prepared},
    {"PLAIN, not to be prepared", test_unprepared},
    {"no answer", test_no_answer},
    {"gone while asking", test_gone_while_asking},
};

int main(void)
{
    return unit_run("sasl", cases, ARRAY_SIZE(cases));
}
