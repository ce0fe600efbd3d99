#include "base/clock.h"
#include "fixture.h"

#define FROM " <alice@localhost/desk"

/* What is published for a stanza, and what the client gets. */
static void test_stanzas(void)
{
    static const struct {
        const char *sent;
        const char *published; /* NULL: nothing */
        const char *answer;    /* NULL: nothing */
    } cases[] = {
        /* Messages. */
        {"<message to='bob@localhost' type='chat' id='1'><body>x</body>"
         "</message>",
         "delivery stanza.route message/chat bob@localhost" FROM
         " durable {<body>x</body>}",
         NULL},
        {"<message to='BOB@localhost/PC'><body>x</body></message>",
         "delivery stanza.route message bob@localhost/PC" FROM
         " durable {<body>x</body>}",
         NULL},
        {"<message><body>x</body></message>",
         "delivery stanza.route message alice@localhost" FROM
         " durable {<body>x</body>}",
         NULL},
        {"<message to='bob@localhost' type='odd'><a xmlns='b'/></message>",
         "delivery stanza.route message/normal bob@localhost" FROM
         " durable {<a xmlns='b'/>}",
         NULL},
        {"<message to='bob@localhost'><active xmlns='" NS_CHAT_STATES
         "'/></message>",
         "delivery stanza.route message bob@localhost" FROM
         " {<active xmlns='" NS_CHAT_STATES "'/>}",
         NULL},
        {"<message to='bob@localhost' type='error'><body>x</body></message>",
         "delivery stanza.route message/error bob@localhost" FROM
         " {<body>x</body>}",
         NULL},
        {"<message to='bob@elsewhere' id='1'/>", NULL,
         "<message from='bob@elsewhere' to='alice@localhost/desk' "
         "type='error' id='1'><error type='cancel'><remote-server-not-found "},
        {"<message to='bob@elsewhere' type='error'/>", NULL, NULL},
        {"<message to='@localhost' id='1'/>", NULL, "<jid-malformed "},
        /* IQ. */
        {"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
         "roster iq.request iq/get" FROM " {<query xmlns='jabber:iq:roster'/>}",
         NULL},
        {"<iq type='set' id='1' to='alice@localhost'><query "
         "xmlns='jabber:iq:roster'/></iq>",
         "roster iq.request iq/set alice@localhost" FROM
         " durable {<query xmlns='jabber:iq:roster'/>}",
         NULL},
        {"<iq type='get' id='1' to='bob@localhost'><query "
         "xmlns='jabber:iq:roster'/></iq>",
         "delivery stanza.route iq/get bob@localhost" FROM
         " {<query xmlns='jabber:iq:roster'/>}",
         NULL},
        {"<iq type='get' id='1' to='localhost'><a xmlns='b'/></iq>",
         "delivery stanza.route iq/get localhost" FROM " {<a xmlns='b'/>}",
         NULL},
        {"<iq type='get' id='1'><a xmlns='b'/></iq>",
         "delivery stanza.route iq/get alice@localhost" FROM
         " {<a xmlns='b'/>}",
         NULL},
        {"<iq type='result' id='1' to='bob@localhost/pc'/>",
         "delivery stanza.route iq/result bob@localhost/pc" FROM, NULL},
        {"<iq type='result' id='1'/>", NULL, NULL},
        {"<iq type='error' id='1' to='localhost'/>", NULL, NULL},
        {"<iq type='get' id='1'><ping xmlns='" NS_PING "'/></iq>", NULL,
         "<iq to='alice@localhost/desk' type='result' id='1'/>"},
        {"<iq type='get' id='1' to='localhost'><ping xmlns='" NS_PING
         "'/></iq>",
         NULL,
         "<iq from='localhost' to='alice@localhost/desk' type='result' "
         "id='1'/>"},
        {"<iq type='set' id='1'><session xmlns='" NS_SESSION "'/></iq>", NULL,
         "<iq to='alice@localhost/desk' type='result' id='1'/>"},
        {"<iq type='get'><a xmlns='b'/></iq>", NULL, "<bad-request "},
        {"<iq id='1'><a xmlns='b'/></iq>", NULL, "<bad-request "},
        {"<iq type='odd' id='1'><a xmlns='b'/></iq>", NULL, "<bad-request "},
        {"<iq type='get' id='1'/>", NULL, "<bad-request "},
        {"<iq type='set' id='1'><a xmlns='b'/><a xmlns='b'/></iq>", NULL,
         "<bad-request "},
        {"<iq type='result' id='1'><a xmlns='b'/><a xmlns='b'/></iq>", NULL,
         NULL},
        {"<iq type='get' id='1' to='elsewhere'><a xmlns='b'/></iq>", NULL,
         "<remote-server-not-found "},
        /* Presence. */
        {"<presence type='subscribe' to='bob@localhost/pc'/>",
         "roster subscription.request/subscribe bob@localhost" FROM, NULL},
        {"<presence type='unsubscribed' to='bob@localhost'/>",
         "roster subscription.request/unsubscribed bob@localhost" FROM, NULL},
        {"<presence type='subscribe' to='bob@elsewhere'/>", NULL,
         "<remote-server-not-found "},
        {"<presence type='subscribe'/>", NULL, "<bad-request "},
        {"<presence type='odd'/>", NULL, "<bad-request "},
        {"<presence type='probe' to='bob@localhost'/>", NULL, "<not-allowed "},
        {"<presence type='error' to='bob@localhost'/>",
         "delivery stanza.route presence/error bob@localhost" FROM, NULL},
        {"<presence type='error'/>", NULL, NULL},
        {"<presence to='bob@elsewhere'/>", NULL, NULL},
        /* Its own address may be given. */
        {"<message from='alice@localhost' to='bob@localhost'/>",
         "delivery stanza.route message bob@localhost" FROM, NULL},
        {"<message from='ALICE@localhost/desk' to='bob@localhost'/>",
         "delivery stanza.route message bob@localhost" FROM, NULL},
    };
    struct client client;
    struct event roster;
    struct buffer serves = BUFFER_EMPTY;
    struct slice served = SLICE("iq:jabber:iq:roster");

    fixture_open(fixture_plain);
    event_init(&roster, EVENT_MEMBER_ANNOUNCE);
    event_list_write(&serves, &served, 1);
    roster.origin = 8;
    roster.node = SLICE("roster.1-0000");
    roster.service = SLICE("roster");
    roster.state = SLICE("up");
    roster.partitions = 8;
    roster.serves = buffer_slice(&serves);
    send_event(node_queue_, &roster);
    buffer_deinit(&serves);
    client_login(&client, "desk");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        client_send(&client, cases[i].sent);
        if (cases[i].published)
            EXPECT_LINE(cases[i].published);
        EXPECT_NOTHING_PUBLISHED();
        if (cases[i].answer)
            CU_ASSERT_TRUE(client_gets(&client, cases[i].answer));
        client_receive(&client);
        CU_ASSERT_TRUE(cases[i].answer || !client.size);
        client.size = 0;
    }
    CU_ASSERT_TRUE(client_session(&client)->is_interested);
    client_close(&client);
    fixture_close();
}

/* Presence and what follows from it at the end. */
static void test_presence(void)
{
    struct client client;
    const char *exchange;
    const struct event *event;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    client_send(&client, "<presence><priority>3</priority></presence>");
    event = next_published(&exchange);
    CU_ASSERT_EQUAL_FATAL(event->type, EVENT_SESSION_PRESENCE);
    CU_ASSERT_EQUAL(event->priority, 3);
    CU_ASSERT_TRUE(event->is_first);
    client_send(&client, "<presence/>");
    event = next_published(&exchange);
    CU_ASSERT_EQUAL_FATAL(event->type, EVENT_SESSION_PRESENCE);
    CU_ASSERT_FALSE(event->is_first);
    client_send(&client, "<presence type='unavailable'/>");
    event = next_published(&exchange);
    CU_ASSERT_FALSE(event->is_first);
    client_send(&client, "<presence/>"); /* available once more */
    event = next_published(&exchange);
    CU_ASSERT_TRUE(event->is_first);

    /* Delivery is told what changes, and that before anybody can hear of it. */
    client_send(&client, "<presence to='room@localhost/a'/>"
                         "<presence to='room@localhost/a'/>");
    EXPECT_LINE("delivery session.directed room@localhost/a" FROM);
    EXPECT_LINE("delivery stanza.route presence room@localhost/a" FROM);
    EXPECT_LINE("delivery stanza.route presence room@localhost/a" FROM);
    client_send(&client, "<presence to='bob@localhost'/>"
                         "<presence to='bob@localhost' type='unavailable'/>"
                         "<presence to='bob@localhost' type='unavailable'/>");
    EXPECT_LINE("delivery session.directed bob@localhost" FROM);
    EXPECT_LINE("delivery stanza.route presence bob@localhost" FROM);
    EXPECT_LINE("delivery session.directed/unavailable bob@localhost" FROM);
    EXPECT_LINE(
        "delivery stanza.route presence/unavailable bob@localhost" FROM);
    EXPECT_LINE(
        "delivery stanza.route presence/unavailable bob@localhost" FROM);
    client_send(&client, "<presence type='unavailable'><status>bye</status>"
                         "</presence>");
    EXPECT_LINE("delivery session.presence presence/unavailable" FROM
                " {<status>bye</status>}");
    EXPECT_LINE(
        "delivery stanza.route presence/unavailable room@localhost/a" FROM
        " {<status>bye</status>}");
    client_send(&client, "<presence to='room@localhost/a'/>");
    EXPECT_LINE("delivery session.directed room@localhost/a" FROM);
    EXPECT_LINE("delivery stanza.route presence room@localhost/a" FROM);
    client_close(&client);
    EXPECT_LINE(
        "delivery stanza.route presence/unavailable room@localhost/a" FROM);
    EXPECT_LINE("delivery session.close" FROM);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Whom nobody could tell of the end is sent nothing. */
static void test_directed_limit(void)
{
    struct client client;
    char jid[32];

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    for (int i = 0; i < DIRECTED_MAX; i++) {
        snprintf(jid, sizeof(jid), "u%d@localhost", i);
        directed_note(&client_session(&client)->directed, slice_of(jid), true);
    }
    client_send(&client, "<presence to='more@localhost'/>");
    EXPECT_TEXT(&client, "<resource-constraint ");
    EXPECT_NOTHING_PUBLISHED();
    client_send(&client, "<presence to='u5@localhost'/>");
    EXPECT_LINE("delivery stanza.route presence u5@localhost" FROM);
    client_send(&client, "<presence to='u5@localhost' type='unavailable'/>"
                         "<presence to='more@localhost'/>");
    EXPECT_LINE("delivery session.directed/unavailable u5@localhost" FROM);
    EXPECT_LINE("delivery stanza.route presence/unavailable u5@localhost" FROM);
    EXPECT_LINE("delivery session.directed more@localhost" FROM);
    EXPECT_LINE("delivery stanza.route presence more@localhost" FROM);
    client_close(&client);
    fixture_close();
}

static void test_envelope(void)
{
    struct client client;
    const char *exchange;
    const struct event *event;
    uint64_t before_ms = clock_unix_ms();

    fixture_open(fixture_plain);
    client_open(&client);
    client_authenticate(&client);
    client_send(
        &client,
        "<stream:stream to='localhost' version='1.0' xml:lang='de' "
        "xmlns='jabber:client' xmlns:a='urn:a' xmlns:stream='" NS_STREAMS
        "'><iq type='set' id='b'><bind xmlns='" NS_BIND
        "'><resource>desk</resource></bind></iq>");
    answer_bind(&client, NULL);
    EXPECT_TEXT(&client, "</bind></iq>");
    client_send(&client, "<message to='bob@localhost' id='x&amp;1' a:b='c'>"
                         "<a:d/></message>");
    event = next_published(&exchange);
    ASSERT_SLICE(event->id, "x&1");
    ASSERT_SLICE(event->lang, "de");
    ASSERT_SLICE(event->extra, " a:b='c' xmlns:a='urn:a'");
    ASSERT_SLICE(event->payload, "<a:d/>");
    CU_ASSERT_EQUAL(event->session, client.session);
    ASSERT_SLICE(event->node, daemon_node(frontend->daemon));
    CU_ASSERT_EQUAL(event->origin, daemon_boot(frontend->daemon));
    CU_ASSERT_TRUE(event->received >= before_ms);
    CU_ASSERT_TRUE(event->received <= clock_unix_ms());
    CU_ASSERT_EQUAL(event->stamp, 0); /* not delayed yet */
    client_send(&client, "<message to='bob@localhost' xml:lang='fr'/>");
    event = next_published(&exchange);
    ASSERT_SLICE(event->lang, "fr");
    client_close(&client);
    fixture_close();
}

static void test_stream_errors(void)
{
    static const struct {
        const char *sent, *condition;
    } cases[] = {
        {"<message from='bob@localhost'/>", "invalid-from"},
        {"<message from='alice@localhost/other'/>", "invalid-from"},
        {"<odd/>", "unsupported-stanza-type"},
        {"<message xmlns='jabber:server'/>", "unsupported-stanza-type"},
        {"<auth xmlns='" NS_SASL "' mechanism='PLAIN'/>",
         "unsupported-stanza-type"},
        {"<message><body>\x01</body></message>", "not-well-formed"},
        {"<message><body>\xff</body></message>", "unsupported-encoding"},
    };

    fixture_open(fixture_plain);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct client client;

        client_login(&client, "desk");
        client_send(&client, cases[i].sent);
        EXPECT_TEXT(&client, "<stream:error><");
        CU_ASSERT_TRUE(client_gets(&client, cases[i].condition));
        EXPECT_LINE("delivery session.close" FROM);
        client_close(&client);
    }
    fixture_close();
}

static const struct unit_case cases[] = {
    {"stanzas", test_stanzas},
    {"presence", test_presence},
    {"directed presence limit", test_directed_limit},
    {"envelope", test_envelope},
    {"stream errors", test_stream_errors},
};

int main(void)
{
    return unit_run("from_client", cases, ARRAY_SIZE(cases));
}
