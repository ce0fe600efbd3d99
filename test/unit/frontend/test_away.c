/* XEP-0198 5: a client goes away, and does not come back. */
#include "moving.h"

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
        EXPECT_LINE(rows[i].is_resumable ? "(nothing)" : CLOSED);
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
    EXPECT_LINE(CLOSED);
    fixture_close();
}

/* Who says goodbye does not come back. */
static void test_goodbye(void)
{
    struct client client;

    open_enabled(&client);
    client_send(&client, "</stream:stream>");
    EXPECT_TEXT(&client, "</stream:stream>");
    CU_ASSERT_FALSE(is_here(client.session));
    EXPECT_LINE(CLOSED);
    client_close(&client);
    fixture_close();
}

/* Away. */

/* Its stanzas are kept, and their messages held until the archive has them. */
static void test_away(void)
{
    struct client client;
    size_t acked;

    open_away(&client);
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

    open_away(&client);
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
    EXPECT_LINE(CLOSED);
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

/* The time of a tick is when it began; it may detach sessions itself. */
static void test_detached_by_the_tick(void)
{
    struct client client;
    uint64_t began_ms = clock_now_ms() - 1;

    open_away(&client);
    sessions_tick(frontend, began_ms);
    CU_ASSERT_TRUE(is_detached(client.session));
    EXPECT_NOTHING_PUBLISHED();
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
    EXPECT_LINE(CLOSED);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static const struct unit_case cases[] = {
    {"enable", test_enable},
    {"no resumption", test_no_resumption},
    {"goodbye", test_goodbye},
    {"away", test_away},
    {"away for too long", test_away_for_too_long},
    {"detached by the tick", test_detached_by_the_tick},
    {"too much while away", test_too_much},
};

int main(void)
{
    return unit_run("away", cases, ARRAY_SIZE(cases));
}
