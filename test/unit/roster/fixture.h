/*
 * A roster partition in a folder of its own, with ann's account, and events to
 * hand to it.
 */
#ifndef UNIT_ROSTER_FIXTURE_H
#define UNIT_ROSTER_FIXTURE_H

#include "../../../roster/roster.h"
#include "base/log.h"
#include "folder.h"
#include "outputs.h"
#include "xmpp/namespaces.h"

#define ANN "ann@x"
#define CONTACT "con@x"
#define CLIENT ANN "/pc"
/* What a session of ann asks the roster for. */
#define ITEM_OPEN "<query xmlns='" NS_ROSTER "'><item jid='"
#define ITEM_CLOSE "</item></query>"

static struct folder fixture_folder;
static char fixture_url[FOLDER_PATH_BYTES];
static struct roster_config fixture_config = {
    .store = fixture_url, .synchronous = 1, .max_items = 5, .max_requests = 3};
static struct roster *roster;
static struct output output;
static uint64_t fixture_sequence;

/* A new owner of the same partition, one epoch later. */
static inline void fixture_reopen(void)
{
    struct store_error error;

    if (roster)
        roster_close(roster);
    roster = roster_open(&fixture_config, "x", 3, &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(roster);
    output.epoch++;
}

static inline void fixture_open(void)
{
    folder_open(&fixture_folder);
    snprintf(fixture_url, sizeof(fixture_url), "sqlite:%s",
             fixture_folder.path);
    outputs_init(&output);
    output.service = SERVICE_ROSTER;
    roster = NULL;
    fixture_reopen();
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    store_add_account(roster->store, SLICE(ANN));
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
}

static inline void fixture_close(void)
{
    roster_close(roster);
    output_deinit(&output);
    folder_close(&fixture_folder);
}

static inline enum handled fixture_handle(const struct event *event)
{
    const char *reason = NULL;
    enum handled handled = REJECT;
    bool is_known = false;

    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    for (size_t i = 0; i < roster_handler_count; i++) {
        if (roster_handlers[i].type != event->type)
            continue;
        handled = roster_handlers[i].handle(roster, event, &output, &reason);
        is_known = true;
    }
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    CU_ASSERT_TRUE(is_known);
    CU_ASSERT_TRUE(handled == HANDLED || reason);
    return handled;
}

/* An event in a transaction of its own. */
static inline void fixture_send(const struct event *event)
{
    CU_ASSERT_EQUAL(fixture_handle(event), HANDLED);
}

static inline struct event fixture_event(enum event_type type)
{
    struct event event;

    event_init(&event, type);
    event.origin = 9;
    event.sequence = ++fixture_sequence;
    return event;
}

static inline struct event fixture_subscription(enum event_type type,
                                                const char *from,
                                                const char *to,
                                                const char *verb)
{
    struct event event = fixture_event(type);

    event.kind = STANZA_PRESENCE;
    event.from = slice_of(from);
    event.to = slice_of(to);
    event.subtype = slice_of(verb);
    return event;
}

/* A presence from ann's client. */
static inline struct event fixture_request(const char *to, const char *verb)
{
    return fixture_subscription(EVENT_SUBSCRIPTION_REQUEST, CLIENT, to, verb);
}

/* A presence to ann from the contact's half. */
static inline struct event fixture_arrive(const char *from, const char *verb)
{
    return fixture_subscription(EVENT_SUBSCRIPTION_ARRIVE, from, ANN, verb);
}

static inline struct event fixture_iq(const char *type, const char *payload)
{
    struct event event = fixture_event(EVENT_IQ_REQUEST);

    event.kind = STANZA_IQ;
    event.subtype = slice_of(type);
    event.id = SLICE("r1");
    event.from = SLICE(CLIENT);
    event.node = SLICE("f1");
    event.session = 7;
    event.payload = slice_of(payload);
    event.child = SLICE("query");
    event.ns = SLICE(NS_ROSTER);
    return event;
}

static inline void fixture_set(const char *payload)
{
    struct event event = fixture_iq("set", payload);

    fixture_send(&event);
}

/* As earlier events would have left it. */
static inline void fixture_put(const char *jid, enum subscription_state state,
                               bool is_listed)
{
    struct store_item item = {
        .jid = slice_of(jid), .state = state, .is_listed = is_listed};

    if (subscription_is_pending_in(state))
        item.request.payload = SLICE("<status>please</status>");
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    store_set_item(roster->store, SLICE(ANN), &item);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
}

/* Its texts live until the next event. */
static inline bool fixture_get(const char *jid, struct store_item *item_out)
{
    bool is_there;

    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    is_there = store_find_item(roster->store, &roster->arena, SLICE(ANN),
                               slice_of(jid), item_out);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    return is_there;
}

static inline bool fixture_has_account(const char *user)
{
    bool is_there;

    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    is_there = store_has_account(roster->store, slice_of(user));
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    return is_there;
}

#endif
