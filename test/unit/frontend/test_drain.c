/* The orderly end: sessions go to other frontends. */
#include "../../../frontend/drain.h"

#include "../../../frontend/acks.h"
#include "base/clock.h"
#include "fixture.h"

#include <signal.h>

#define ENABLE "<enable xmlns='" NS_SM "' resume='true'/>"
#define SHUTDOWN                                                               \
    "<stream:error><system-shutdown xmlns='" NS_STREAM_ERRORS                  \
    "'/></stream:error></stream:stream>"
#define DESK "alice@localhost/desk"
#define OTHER_NODE "frontend.2-beef"

enum { ELSEWHERE = 4242 };

static void announce(const char *node, const char *kind, const char *state)
{
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = 5;
    event.node = slice_of(node);
    event.service = slice_of(kind);
    event.state = slice_of(state);
    event.partitions = daemon_common(frontend->daemon)->partitions;
    event.mark = 1;
    send_event(node_queue_, &event);
}

static void open_frontend(bool has_other)
{
    fixture_open(fixture_plain);
    if (has_other)
        announce(OTHER_NODE, "frontend", "up");
    ignore_published();
}

static void client_enable(struct client *client)
{
    client_login(client, "desk");
    client_send(client, ENABLE);
    EXPECT_TEXT(client, "resume='true' max='300'/>");
}

static void stop(void)
{
    ignore_published();
    raise(SIGTERM);
    pump();
    CU_ASSERT_TRUE_FATAL(daemon_is_draining(frontend->daemon));
}

/* The next thing published offers that session to the other frontend. */
static void check_offer(uint64_t session)
{
    const char *exchange = NULL;
    const struct event *offer = next_published(&exchange);

    CU_ASSERT_STRING_EQUAL(exchange, "ocean.delivery");
    CU_ASSERT_EQUAL(offer->type, EVENT_SESSION_RESUME);
    CU_ASSERT_EQUAL(offer->session, session);
    CU_ASSERT_EQUAL(offer->request, 0); /* nobody waits there */
    ASSERT_SLICE(offer->to, "alice@localhost");
    ASSERT_SLICE(offer->node, OTHER_NODE);
}

static void send_move(uint64_t session)
{
    struct event move;

    event_init(&move, EVENT_SESSION_MOVE);
    move.origin = 9;
    move.sequence = 1;
    move.to = SLICE(DESK);
    move.session = session;
    move.request = 31;
    move.node = SLICE(OTHER_NODE);
    send_event(inbox_queue_, &move);
}

static void test_offered(void)
{
    struct client client;

    open_frontend(true);
    client_enable(&client);
    stop();
    EXPECT_TEXT(&client, SHUTDOWN);
    check_offer(client.session);
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_PTR_NOT_NULL(client_session(&client));
    send_move(client.session);
    EXPECT_LINE("frontend session.transfer/unavailable <" DESK);
    fake_bus_confirm(bus);
    CU_ASSERT_PTR_NULL(client_session(&client));
    CU_ASSERT_EQUAL(frontend->handed_over, 1);
    EXPECT_NOTHING_PUBLISHED();
    client_close(&client);
    fixture_close();
}

/* Those whose client is away, too. */
static void test_detached(void)
{
    struct client client;

    open_frontend(true);
    client_enable(&client);
    client_close(&client);
    stop();
    check_offer(client.session);
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* It has been ordered elsewhere already. */
static void test_moving(void)
{
    struct client client;

    open_frontend(true);
    client_enable(&client);
    client_close(&client);
    send_move(client.session);
    stop();
    EXPECT_NOTHING_PUBLISHED();
    fixture_close();
}

/* It comes here while we are stopping: on to the next. */
static void test_arrival(void)
{
    struct event transfer;

    open_frontend(true);
    stop();
    event_init(&transfer, EVENT_SESSION_TRANSFER);
    transfer.origin = 8;
    transfer.sequence = 1;
    transfer.from = SLICE(DESK);
    transfer.session = ELSEWHERE;
    transfer.request = 31;
    transfer.kind = STANZA_PRESENCE;
    transfer.subtype = SLICE("unavailable");
    send_event(inbox_queue_, &transfer);
    EXPECT_LINE("delivery session.fenced/unavailable <" DESK " !moved");
    check_offer(ELSEWHERE);
    fixture_close();
}

static bool has_stopped(uint64_t limit_ms)
{
    uint64_t deadline_ms = clock_now_ms() + limit_ms;

    while (clock_now_ms() < deadline_ms) {
        event_base_loop(fixture_loop(), EVLOOP_ONCE);
        if (event_base_got_exit(fixture_loop()))
            return true;
    }
    return false;
}

/* The broker confirms everything. */
static bool leaves_within(uint64_t limit_ms)
{
    uint64_t deadline_ms = clock_now_ms() + limit_ms;

    while (clock_now_ms() < deadline_ms && !fake_bus_is_leaving(inbox_queue_)) {
        fake_bus_confirm(bus);
        event_base_loop(fixture_loop(), EVLOOP_ONCE);
    }
    return fake_bus_is_leaving(inbox_queue_);
}

static void order(enum event_type type, uint64_t request, const char *condition)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = request;
    event.to = SLICE(DESK);
    event.session = ELSEWHERE;
    event.request = request;
    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

/* One is on its way here: until delivery says that it does not come, who is
 * waiting for what was ordered of it meanwhile waits for us. */
static void test_does_not_arrive(void)
{
    open_frontend(true);
    order(EVENT_SESSION_EXPECT, 0, NULL);
    order(EVENT_SESSION_KICK, 32, "conflict");
    stop();
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_FALSE(leaves_within(600));
    EXPECT_NOTHING_PUBLISHED();
    order(EVENT_SESSION_RESUMED, 0, "item-not-found");
    EXPECT_LINE("delivery session.fenced <" DESK " !item-not-found");
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_TRUE(leaves_within(20000));
    fixture_close();
}

static void test_not_resumable(void)
{
    struct client client;

    open_frontend(true);
    client_login(&client, "desk");
    stop();
    EXPECT_TEXT(&client, SHUTDOWN);
    EXPECT_LINE("delivery session.close <" DESK);
    EXPECT_NOTHING_PUBLISHED();
    CU_ASSERT_PTR_NULL(client_session(&client));
    client_close(&client);
    fixture_close();
}

/* Nobody to hand it to: it ends, with its client there or away. */
static void test_nobody(void)
{
    static const struct {
        const char *node, *kind, *state;
    } rows[] = {
        {OTHER_NODE, "frontend", "starting"},
        {OTHER_NODE, "frontend", "draining"},
        {"delivery.1-beef", "delivery", "up"},
    };
    struct client client;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int is_away = 0; is_away <= 1; is_away++) {
            open_frontend(false);
            announce(rows[i].node, rows[i].kind, rows[i].state);
            announce(daemon_node(frontend->daemon), "frontend", "up");
            client_enable(&client);
            if (is_away)
                client_close(&client);
            stop();
            EXPECT_LINE("delivery session.close <" DESK);
            EXPECT_NOTHING_PUBLISHED();
            CU_ASSERT_PTR_NULL(client_session(&client));
            if (!is_away) {
                EXPECT_TEXT(&client, SHUTDOWN);
                client_close(&client);
            }
            fixture_close();
        }
    }
}

/* Who has asked for a snapshot still waits for its end. */
static void test_snapshot(void)
{
    enum { SESSIONS = 2000 }; /* several turns */

    size_t reported = 0;
    const char *exchange = NULL;
    const struct event *event;
    struct event ask;
    char full[64];

    open_frontend(true);
    for (uint64_t id = 1; id <= SESSIONS; id++) {
        snprintf(full, sizeof(full), "alice@localhost/%u", (unsigned)id);
        session_create_detached(frontend, id, slice_of(full));
    }
    event_init(&ask, EVENT_SNAPSHOT_ASK);
    ask.origin = 5;
    ask.service = SLICE("oceanctl");
    ask.partition = 0xffff;
    ask.node = SLICE("oceanctl.1-beef");
    ask.request = 3;
    send_event(node_queue_, &ask);
    CU_ASSERT_PTR_NOT_NULL(frontend->snapshots);
    raise(SIGTERM);
    for (int i = 0; i < 1000 && frontend->snapshots; i++) {
        poll(NULL, 0, 1);
        pump();
    }
    CU_ASSERT_PTR_NULL(frontend->snapshots);
    CU_ASSERT_TRUE(daemon_is_draining(frontend->daemon));
    do {
        event = next_published(&exchange);
        reported += event->type == EVENT_SNAPSHOT_SESSION;
    } while (event->type != EVENT_SNAPSHOT_END);
    CU_ASSERT_EQUAL(event->count, SESSIONS);
    CU_ASSERT_EQUAL(reported, SESSIONS);
    fixture_close();
}

/* Before login, and in the middle of it. */
static void test_not_logged_in(void)
{
    struct client first;
    struct client second;

    open_frontend(true);
    client_open(&first);
    client_open(&second);
    client_authenticate(&second);
    client_ask_bind(&second, "desk");
    stop();
    EXPECT_TEXT(&first, SHUTDOWN);
    EXPECT_TEXT(&second, SHUTDOWN);
    EXPECT_LINE("delivery session.close <" DESK); /* it may have been bound */
    EXPECT_NOTHING_PUBLISHED();
    client_close(&first);
    client_close(&second);
    fixture_close();
}

/* No broker: what is unconfirmed is waited for, nothing else. */
static void test_broker_away(void)
{
    struct client client;

    open_frontend(false);
    client_login(&client, "desk");
    ignore_published();
    fake_bus_disconnect(bus, "lost");
    raise(SIGTERM);
    pump();
    CU_ASSERT_TRUE(daemon_is_draining(frontend->daemon));
    client_close(&client);
    CU_ASSERT_FALSE(has_stopped(100)); /* session.close is not confirmed */
    fake_bus_confirm(bus);
    CU_ASSERT_TRUE(has_stopped(5000));
    fixture_close();
}

static const struct unit_case cases[] = {
    {"offered", test_offered},
    {"detached", test_detached},
    {"moving", test_moving},
    {"arrival", test_arrival},
    {"does not arrive", test_does_not_arrive},
    {"not resumable", test_not_resumable},
    {"nobody to hand it to", test_nobody},
    {"a snapshot under way", test_snapshot},
    {"not logged in", test_not_logged_in},
    {"the broker is away", test_broker_away},
};

int main(void)
{
    return unit_run("drain", cases, ARRAY_SIZE(cases));
}
