/* Clients that go away and come back, and orders of delivery's. */
#ifndef UNIT_FRONTEND_MOVING_H
#define UNIT_FRONTEND_MOVING_H

#include "../../../frontend/resume.h"

#include "../../../frontend/acks.h"
#include "base/clock.h"
#include "fixture.h"

#define SM(name) "<" name " xmlns='" NS_SM "'/>"
#define ANSWER(h) "<a xmlns='" NS_SM "' h='" h "'/>"
#define ENABLE(resume) "<enable xmlns='" NS_SM "' resume='" resume "'/>"
#define FAILED(condition)                                                      \
    "<failed xmlns='" NS_SM "'><" condition " xmlns='" NS_STANZA_ERRORS        \
    "'/></failed>"
/* Its session has ended; so much of what it sent had been handled. */
#define FAILED_AFTER(h)                                                        \
    "<failed xmlns='" NS_SM "' h='" h                                          \
    "'><item-not-found xmlns='" NS_STANZA_ERRORS "'/></failed>"
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
#define TRANSFERRED "frontend session.transfer/unavailable <" DESK
#define CLOSED "delivery session.close <" DESK
#define FENCED(condition) "delivery session.fenced <" DESK " !" condition
#define UNACKED(body)                                                          \
    "frontend session.unacked message alice@localhost <" PC                    \
    " durable {<body>" body "</body>}"

enum { ELSEWHERE = 4242, FENCE = 31 };

/* Going away and coming back. */

static char token[TOKEN_BYTES];

static inline void confirm(void)
{
    fake_bus_confirm(bus);
    pump();
}

static inline void note_token(const char *user, uint64_t id)
{
    token_write(&frontend->token_key, slice_of(user), id, token);
}

/* Bound as alice/desk and resumable. */
static inline void client_enable(struct client *client)
{
    client_login(client, "desk");
    client_send(client, ENABLE("true"));
    EXPECT_TEXT(client, "<enabled ");
    EXPECT_TEXT(client, "/>");
    resume_token(client_session(client), token);
    confirm();
}

/* Its connection is gone; the session may live on. */
static inline void client_break(struct client *client)
{
    client_close(client);
}

/* alice/desk is here and resumable. */
static inline void open_enabled(struct client *client)
{
    fixture_open(fixture_plain);
    client_enable(client);
}

/* Its client is away. */
static inline void open_away(struct client *client)
{
    open_enabled(client);
    client_break(client);
}

static inline void client_say(struct client *client, const char *body)
{
    char text[256];

    snprintf(text, sizeof(text),
             "<message to='bob@localhost'><body>%s</body></message>", body);
    client_send(client, text);
}

/* A new connection of alice, up to where <resume/> may be sent. */
static inline void client_return(struct client *client)
{
    ignore_published();
    client_open(client);
    client_authenticate(client);
    client_send(client, HEADER);
    EXPECT_TEXT(client, "</stream:features>");
    ignore_published();
}

static inline void client_resume(struct client *client, const char *handled)
{
    char text[512];

    snprintf(text, sizeof(text),
             "<resume xmlns='" NS_SM "' previd='%s' h='%s'/>", token, handled);
    client_send(client, text);
}

/* Exactly "<resumed/>" with that h, and then these bodies. */
static inline bool client_is_resumed(struct client *client, const char *handled,
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

/* The same, then an <r/>, and nothing else. */
static inline bool client_is_resumed_only(struct client *client,
                                          const char *handled,
                                          const char *bodies)
{
    return client_is_resumed(client, handled, bodies) &&
           client_gets(client, SM("r")) && client_is_quiet(client);
}

static inline void client_bind_instead(struct client *client)
{
    client_send(client, "<iq type='set' id='b'><bind xmlns='" NS_BIND
                        "'><resource>other</resource></bind></iq>");
    answer_bind(client, NULL);
    EXPECT_TEXT(client, "<jid>alice@localhost/other</jid>");
}

static inline struct event message(enum event_type type, uint64_t session,
                                   unsigned n)
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

static inline void deliver(uint64_t session, unsigned n)
{
    struct event event = message(EVENT_STANZA_DELIVER, session, n);

    send_event(inbox_queue_, &event);
}

static inline void deliver_ping(uint64_t session)
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

/* What delivery orders; the answer to it carries `number`. */
static inline void order_as(uint64_t number, enum event_type type,
                            uint64_t session, const char *node,
                            const char *condition)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = 1;
    event.to = SLICE(DESK);
    event.session = session;
    event.request = number;
    event.node = slice_of(node);
    event.condition = slice_of(condition);
    send_event(inbox_queue_, &event);
}

static inline void order(enum event_type type, uint64_t session,
                         const char *node, const char *condition)
{
    order_as(FENCE, type, session, node, condition);
}

/* Its client has asked for it at another place. */
static inline void order_move(uint64_t session)
{
    order(EVENT_SESSION_MOVE, session, OTHER_NODE, NULL);
}

static inline void order_kick(uint64_t session)
{
    order(EVENT_SESSION_KICK, session, NULL, "conflict");
}

static inline void expect_session(uint64_t session)
{
    order(EVENT_SESSION_EXPECT, session, NULL, NULL);
}

/* ELSEWHERE does not come: the answer to who asked with `request`, about the
 * move `move`; so many stanzas had been handled, 0: not known. */
static inline void send_failed_after(uint64_t handled, uint64_t request,
                                     uint64_t move)
{
    struct event event;

    event_init(&event, EVENT_SESSION_RESUMED);
    event.origin = 9;
    event.sequence = 1;
    event.session = ELSEWHERE;
    event.request = request;
    event.mark = move;
    event.count = handled;
    event.condition = SLICE("item-not-found");
    send_event(inbox_queue_, &event);
}

static inline void send_failed(uint64_t request, uint64_t move)
{
    send_failed_after(0, request, move);
}

/* The answer to a fence of that number is published next. */
static inline void check_fenced(uint64_t number, const char *condition)
{
    const char *exchange = NULL;
    const struct event *fenced = next_published(&exchange);

    CU_ASSERT_STRING_EQUAL(exchange, "ocean.delivery");
    CU_ASSERT_EQUAL(fenced->type, EVENT_SESSION_FENCED);
    CU_ASSERT_EQUAL(fenced->request, number);
    ASSERT_SLICE(fenced->from, DESK);
    ASSERT_SLICE(fenced->node, daemon_node(frontend->daemon));
    ASSERT_SLICE(fenced->condition, condition);
}

static inline void tick(uint64_t later_ms)
{
    sessions_tick(frontend, clock_now_ms() + later_ms);
    pump();
}

static inline bool is_here(uint64_t id)
{
    return session_find(frontend, id) != NULL;
}

static inline bool is_detached(uint64_t id)
{
    const struct session *session = session_find(frontend, id);

    return session && !session->connection;
}

/* alice asks for the session ELSEWHERE; returns the request's number. */
static inline uint64_t ask_elsewhere(struct client *client, const char *handled)
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

#endif
