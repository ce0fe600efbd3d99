#include "base/log.h"
#include "roster.h"
#include "xmpp/jid.h"

/* The other half is the contact's roster partition. */
static void send_arrive(const struct event *cause, struct slice user,
                        struct slice contact, const char *type,
                        const struct event *stanza, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_SUBSCRIPTION_ARRIVE, cause);
    event.kind = STANZA_PRESENCE;
    event.from = user;
    event.to = contact;
    event.subtype = slice_of(type);
    if (stanza) {
        event.id = stanza->id;
        event.lang = stanza->lang;
        event.extra = stanza->extra;
        event.payload = stanza->payload;
    }
    output_to_user(output, SERVICE_ROSTER, contact, &event);
}

void requests_cancel(const struct event *cause, struct slice user,
                     const struct store_item *item, struct output *output)
{
    if (subscription_has_to(item->state) || subscription_has_ask(item->state))
        send_arrive(cause, user, item->jid, "unsubscribe", NULL, output);
    if (subscription_has_from(item->state) ||
        subscription_is_pending_in(item->state))
        send_arrive(cause, user, item->jid, "unsubscribed", NULL, output);
}

static bool is_visible_change(enum subscription_state before,
                              enum subscription_state after)
{
    return strcmp(subscription_name(before), subscription_name(after)) != 0 ||
           subscription_has_ask(before) != subscription_has_ask(after);
}

/* Saves an item in its new state and tells whom it concerns. */
static void change_state(struct roster *roster, const struct event *cause,
                         struct slice user, struct store_item *item,
                         enum subscription_state next, struct output *output)
{
    enum subscription_state before = item->state;

    item->state = next;
    if (!subscription_is_pending_in(next))
        item->request = (struct store_request){.payload = SLICE_NONE};
    if (!item->is_listed && next == SUBSCRIPTION_NONE)
        store_remove_item(roster->store, user, item->jid);
    else
        store_set_item(roster->store, user, item);
    if (item->is_listed && is_visible_change(before, next))
        push_item(cause, user, item, NULL, output);
    if (strcmp(subscription_name(before), subscription_name(next)) != 0)
        push_contact(cause, user, item->jid, subscription_name(next), output);
}

static const char *verb_name(enum subscription_verb verb)
{
    static const char *const names[] = {"subscribe", "unsubscribe",
                                        "subscribed", "unsubscribed"};

    return names[verb];
}

/* RFC 6121 3.1.2, 3.1.5: the contact is in the roster from then on. */
static bool is_listing(enum subscription_verb verb)
{
    return verb == VERB_SUBSCRIBE || verb == VERB_SUBSCRIBED;
}

/* An event that does not say who asked is refused without a word. */
static void refuse(const struct event *request, const char *condition,
                   struct output *output)
{
    if (request->session && slice_is_set(request->node))
        answer_error(request, condition, output);
}

/* NULL, or the condition of the error that the session gets. */
static const char *send_to_contact(struct roster *roster,
                                   const struct event *request,
                                   enum subscription_verb verb,
                                   struct output *output)
{
    struct slice user = jid_text_bare(request->from);
    struct store_item item;
    struct subscription_step step;

    if (!store_has_account(roster->store, user))
        return "item-not-found";
    store_find_item(roster->store, &roster->arena, user, request->to, &item);
    step = subscription_outbound(item.state, verb);
    if (!step.passes)
        return NULL;
    if (!item.is_listed && is_listing(verb)) {
        if (items_are_full(roster, user))
            return "not-acceptable";
        item.is_listed = true;
    }
    if (step.next != item.state)
        change_state(roster, request, user, &item, step.next, output);
    send_arrive(request, user, request->to, verb_name(verb), request, output);
    return NULL;
}

/* RFC 6121 3.1.2, 3.1.5, 3.2.1, 3.3.2: the user's own half. */
enum handled on_subscription_request(void *state, const struct event *event,
                                     struct output *output,
                                     const char **reason_out)
{
    enum subscription_verb verb = subscription_verb_of(event->subtype);
    const char *problem;

    if (verb == VERB_COUNT) {
        *reason_out = "not a subscription";
        return REJECT;
    }
    roster_fence(state, output);
    if (slice_equal(jid_text_bare(event->from), event->to))
        return HANDLED;
    problem = send_to_contact(state, event, verb, output);
    if (problem)
        refuse(event, problem, output);
    return HANDLED;
}

/* The stanza itself, to the user's available resources. */
static void deliver(const struct event *arrive, struct slice to,
                    enum audience audience, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_STANZA_ROUTE, arrive);
    event.kind = STANZA_PRESENCE;
    event.subtype = arrive->subtype;
    event.id = arrive->id;
    event.lang = arrive->lang;
    event.extra = arrive->extra;
    event.payload = arrive->payload;
    event.from = arrive->from;
    event.to = to;
    event.audience = audience;
    event.is_durable = true;
    output_to_user(output, SERVICE_DELIVERY, to, &event);
}

/* RFC 6121 3.1.3: who is subscribed already is told so again. */
static void answer_again(const struct event *event, enum subscription_verb verb,
                         enum subscription_state state, struct output *output)
{
    if (verb == VERB_SUBSCRIBE && subscription_has_from(state))
        send_arrive(event, event->to, event->from, "subscribed", NULL, output);
}

/* The oldest requests go, so that nobody new is kept out by those who came
 * before; two for one that comes, where there are more than the limit says.
 * Contacts in the roster are no strangers. */
static void limit_strangers(struct roster *roster, const struct event *arrive,
                            struct output *output)
{
    uint64_t limit = roster->config->max_requests;
    uint64_t count = store_count_items(roster->store, arrive->to, false);
    struct store_item oldest;

    for (int i = 0; i < 2 && count >= limit; i++, count--) {
        if (!store_find_oldest_request(roster->store, &roster->arena,
                                       arrive->to, &oldest))
            return;
        store_remove_item(roster->store, arrive->to, oldest.jid);
        requests_cancel(arrive, arrive->to, &oldest, output);
    }
}

static void keep_request(struct roster *roster, const struct event *arrive,
                         struct store_item *item, struct output *output)
{
    if (!item->is_listed)
        limit_strangers(roster, arrive, output);
    item->request = (struct store_request){
        .payload = slice_is_set(arrive->payload) ? arrive->payload : SLICE(""),
        .id = arrive->id,
        .lang = arrive->lang,
        .extra = arrive->extra,
        .number = store_last_request(roster->store, arrive->to) + 1,
    };
}

/* RFC 6121 3.1.3, 3.1.6, 3.2.2, 3.3.3: the contact's half. */
enum handled on_subscription_arrive(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    struct roster *roster = state;
    enum subscription_verb verb = subscription_verb_of(event->subtype);
    struct store_item item;
    struct subscription_step step;

    if (verb == VERB_COUNT) {
        *reason_out = "not a subscription";
        return REJECT;
    }
    roster_fence(roster, output);
    if (!store_has_account(roster->store, event->to))
        return HANDLED;
    store_find_item(roster->store, &roster->arena, event->to, event->from,
                    &item);
    step = subscription_inbound(item.state, verb);
    if (!step.passes) {
        answer_again(event, verb, item.state, output);
        return HANDLED;
    }
    if (verb == VERB_SUBSCRIBE)
        keep_request(roster, event, &item, output);
    deliver(event, event->to, AUDIENCE_AVAILABLE, output);
    change_state(roster, event, event->to, &item, step.next, output);
    return HANDLED;
}

/* Contacts, for the presence service. */

struct listing {
    const struct event *ask;
    struct output *output;
    struct arena *arena;
    struct slice *texts;
    size_t count, room;
    bool wants_requests;
};

/* RFC 6121 3.1.3: to each resource that becomes available, until the user
 * answers. */
static void send_request(const struct listing *listing,
                         const struct store_item *item)
{
    struct event event;

    event_follow(&event, EVENT_STANZA_ROUTE, listing->ask);
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE("subscribe");
    event.from = item->jid;
    event.to = listing->ask->from;
    event.id = item->request.id;
    event.lang = item->request.lang;
    event.extra = item->request.extra;
    event.payload = item->request.payload;
    event.is_durable = true;
    output_to_user(listing->output, SERVICE_DELIVERY, event.to, &event);
}

static void take_item(void *argument, const struct store_item *item)
{
    struct listing *listing = argument;

    if (listing->wants_requests && subscription_is_pending_in(item->state))
        send_request(listing, item);
    if (!subscription_has_to(item->state) &&
        !subscription_has_from(item->state))
        return; /* presence has nothing to do with it */
    if (listing->count + 2 > listing->room) {
        listing->room = listing->room ? 2 * listing->room : 64;
        listing->texts = memory_resize(listing->texts,
                                       listing->room * sizeof(*listing->texts));
    }
    listing->texts[listing->count++] = item->jid;
    listing->texts[listing->count++] = slice_of(subscription_name(item->state));
}

enum handled on_contacts_ask(void *state, const struct event *event,
                             struct output *output, const char **reason_out)
{
    struct roster *roster = state;
    struct listing listing = {
        .ask = event,
        .output = output,
        .arena = &roster->arena,
        .wants_requests =
            event->session && event->is_first && slice_is_set(event->from),
    };
    struct buffer contacts = BUFFER_EMPTY;
    struct event answer;

    (void)reason_out;
    store_each_item(roster->store, &roster->arena, event->to, take_item,
                    &listing);
    event_list_write(&contacts, listing.texts, listing.count);
    event_copy_as(&answer, EVENT_CONTACTS_LIST, event);
    answer.contacts = buffer_slice(&contacts);
    output_to_user(output, SERVICE_PRESENCE, event->to, &answer);
    buffer_deinit(&contacts);
    memory_free(&listing.texts);
    return HANDLED;
}
