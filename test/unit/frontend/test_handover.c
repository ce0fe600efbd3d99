#include "../../../frontend/handover.h"

#include "../../../frontend/seen.h"
#include "moving.h"

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

    open_enabled(&client);
    acked = fake_bus_acked(inbox_queue_);
    client_send(&client, "<presence to='carol@localhost/x'/>");
    deliver(client.session, 1);
    deliver(client.session, 2);
    client_send(&client, ANSWER("1"));
    confirm();
    client_say(&client, "x");
    ignore_published();
    client_break(&client);
    order_move(client.session);
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
    order_move(client.session);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 4);
    EXPECT_NOTHING_PUBLISHED(); /* delivery knows where it is */
    fixture_close();
}

/* Each stanza says of which move it is, and its place. */
static void test_positions(void)
{
    struct client client;
    const char *exchange = NULL;

    open_away(&client);
    for (unsigned n = 1; n <= 3; n++)
        deliver(client.session, n);
    order_move(client.session);
    for (unsigned n = 0; n < 3; n++) {
        const struct event *unacked = next_published(&exchange);

        CU_ASSERT_EQUAL(unacked->type, EVENT_SESSION_UNACKED);
        CU_ASSERT_EQUAL(unacked->session, client.session);
        CU_ASSERT_EQUAL(unacked->request, FENCE);
        CU_ASSERT_EQUAL(unacked->mark, n);
        CU_ASSERT_EQUAL(unacked->sequence, n + 1);
        CU_ASSERT_EQUAL(unacked->epoch, 0);
        CU_ASSERT_FALSE(slice_is_set(unacked->by));
    }
    EXPECT_LINE(TRANSFERRED);
    fixture_close();
}

/* What may not be deleted there without its client's word. */
static void test_move_from_archive(void)
{
    struct client client;
    struct event event;

    open_away(&client);
    event = message(EVENT_STANZA_DELIVER, client.session, 1);
    event.by = SLICE("archive.03");
    event.epoch = 5;
    send_event(inbox_queue_, &event);
    order_move(client.session);
    EXPECT_LINE("frontend session.unacked message alice@localhost <" PC
                " !stored durable {<body>m1</body>}");
    EXPECT_LINE(TRANSFERRED);
    fixture_close();
}

/* The client has come back elsewhere, and this connection does not know. */
static void test_move_from_open_connection(void)
{
    struct client client;

    open_enabled(&client);
    order_move(client.session);
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE(TRANSFERRED);
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    client_close(&client);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void test_move_in_custody(void)
{
    struct client client;

    open_away(&client);
    deliver(client.session, 1);
    tick(0);
    EXPECT_LINE(CUSTODY("m1"));
    confirm();
    order_move(client.session);
    EXPECT_LINE("frontend session.unacked message alice@localhost <" PC
                " !custody durable {<body>m1</body>}");
    EXPECT_LINE(TRANSFERRED);
    fixture_close(); /* not confirmed */
}

/* Sent without "custody": who gets it would not take it out of the archive,
 * from where it would come again. */
static void test_no_custody_once_sent(void)
{
    struct client client;
    size_t acked;

    open_away(&client);
    deliver(client.session, 1);
    ignore_published();
    acked = fake_bus_acked(inbox_queue_);
    order_move(client.session);
    EXPECT_LINE(UNACKED("m1"));
    EXPECT_LINE(TRANSFERRED);
    tick(60000);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2); /* m1, move */
    fixture_close();
}

/* Not sent yet: it goes along. */
static void test_stanza_in_time(void)
{
    struct client client;

    open_enabled(&client);
    client_say(&client, "x");
    client_break(&client);
    ignore_published();
    order_move(client.session);
    deliver(client.session, 1);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    EXPECT_LINE(UNACKED("m1"));
    EXPECT_LINE(TRANSFERRED);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Asked for elsewhere before anything was sent: the later move counts. */
static void test_second_move_in_time(void)
{
    struct client client;
    const char *exchange = NULL;
    const struct event *transfer;

    open_enabled(&client);
    client_say(&client, "x");
    client_break(&client);
    ignore_published();
    order_move(client.session);
    order_as(FENCE + 1, EVENT_SESSION_MOVE, client.session, "frontend.3-cafe",
             NULL);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    transfer = next_published(&exchange);
    CU_ASSERT_EQUAL(transfer->type, EVENT_SESSION_TRANSFER);
    CU_ASSERT_EQUAL(transfer->request, FENCE + 1);
    CU_ASSERT_STRING_EQUAL(
        fake_bus_published(bus, fake_bus_count(bus) - 1)->key.data,
        "frontend.3-cafe");
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Sent, or even gone for a while: another move comes too late.  The answer to
 * this one comes from where the session is. */
static void test_second_move_late(void)
{
    struct client client;

    open_away(&client);
    order_move(client.session);
    EXPECT_LINE(TRANSFERRED);
    order_as(FENCE + 1, EVENT_SESSION_MOVE, client.session, "frontend.3-cafe",
             NULL);
    check_fenced(FENCE + 1, "handed-over");
    order_move(client.session);
    EXPECT_NOTHING_PUBLISHED();
    confirm();
    CU_ASSERT_FALSE(is_here(client.session));
    order_move(client.session);
    EXPECT_NOTHING_PUBLISHED();
    handovers_tick(frontend, clock_now_ms() + 50000);
    order_as(FENCE + 2, EVENT_SESSION_MOVE, client.session, "frontend.3-cafe",
             NULL);
    check_fenced(FENCE + 2, "handed-over");
    handovers_tick(frontend, clock_now_ms() + 61000);
    order_as(FENCE + 3, EVENT_SESSION_MOVE, client.session, "frontend.3-cafe",
             NULL);
    check_fenced(FENCE + 3, "item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* Comes too late to go along. */
static void test_stanza_while_moving(void)
{
    struct client client;

    open_away(&client);
    order_move(client.session);
    EXPECT_LINE(TRANSFERRED);
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
    order_move(client.session);
    EXPECT_LINE(FENCED("item-not-found"));
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

    open_enabled(&client);
    acked = fake_bus_acked(inbox_queue_);
    client_break(&client);
    deliver(client.session, 1);
    tick(0);
    confirm();
    deliver(client.session, 2);
    ignore_published();
    order_move(client.session);
    first = published;
    EXPECT_LINE("frontend session.unacked message alice@localhost <" PC
                " !custody durable {<body>m1</body>}");
    EXPECT_LINE(UNACKED("m2"));
    EXPECT_LINE(TRANSFERRED);
    for (size_t i = first; i < first + 3; i++)
        fake_bus_return(bus, i);
    EXPECT_LINE(GIVEN_BACK("m2"));
    EXPECT_LINE(FENCED("item-not-found"));
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

    open_enabled(&client);
    acked = fake_bus_acked(inbox_queue_);
    deliver(client.session, 1);
    EXPECT_TEXT(&client, SM("r"));
    order_kick(client.session);
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE(GIVEN_BACK("m1")); /* then the answer: all is back */
    EXPECT_LINE(FENCED("ended"));
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(is_here(client.session));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(inbox_queue_), acked + 2);
    order_kick(client.session);
    EXPECT_LINE(FENCED("item-not-found"));
    client_close(&client);
    fixture_close();
}

static void test_kick_detached(void)
{
    struct client client;

    open_away(&client);
    deliver(client.session, 1);
    order_kick(client.session);
    EXPECT_LINE(GIVEN_BACK("m1"));
    EXPECT_LINE(FENCED("ended"));
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

static void test_kick_plain(void)
{
    struct client client;

    fixture_open(fixture_plain);
    client_login(&client, "desk");
    order_kick(client.session);
    EXPECT_TEXT(&client, STREAM_ERROR("conflict"));
    EXPECT_LINE(FENCED("ended"));
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Its client waits here until what it sent is confirmed. */
static void test_kick_while_waiting(void)
{
    struct client client;
    struct client again;

    open_enabled(&client);
    client_say(&client, "x");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    order_kick(client.session);
    EXPECT_TEXT(&again, FAILED("item-not-found"));
    EXPECT_LINE(FENCED("ended"));
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

    open_enabled(&client);
    client_say(&client, "x");
    client_break(&client);
    client_return(&again);
    client_resume(&again, "0");
    order_move(client.session);
    EXPECT_TEXT(&again, FAILED("item-not-found"));
    confirm();
    EXPECT_LINE(TRANSFERRED);
    client_bind_instead(&again);
    client_close(&again);
    fixture_close();
}

static void test_fence(void)
{
    struct client client;

    open_enabled(&client);
    order(EVENT_SESSION_FENCE, client.session, NULL, NULL);
    EXPECT_LINE(FENCED("here"));
    order(EVENT_SESSION_FENCE, ELSEWHERE, NULL, NULL);
    EXPECT_LINE(FENCED("here"));
    CU_ASSERT_TRUE(client_is_quiet(&client));
    client_close(&client);
    fixture_close();
}

static const struct unit_case cases[] = {
    {"move", test_move},
    {"positions", test_positions},
    {"move from the archive", test_move_from_archive},
    {"move from an open connection", test_move_from_open_connection},
    {"move in custody", test_move_in_custody},
    {"no custody once it is sent", test_no_custody_once_sent},
    {"a stanza in time", test_stanza_in_time},
    {"a second move in time", test_second_move_in_time},
    {"a second move, late", test_second_move_late},
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
    return unit_run("handover", cases, ARRAY_SIZE(cases));
}
