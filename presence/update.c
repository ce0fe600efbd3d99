#include "update.h"

#include "base/clock.h"
#include "broadcast.h"
#include "xmpp/jid.h"

enum { ASK_AGAIN_MS = 10000 };

static bool is_unavailable(const struct event *update)
{
    return slice_is(update->subtype, "unavailable");
}

/* Ended without the client saying so; always true of a session. */
static bool is_gone(const struct event *update)
{
    return slice_is(update->condition, "gone");
}

/* A session that is gone does not come back, unless a snapshot says so. */
static bool is_repeat_of_ended(const struct ended *ended,
                               const struct event *update)
{
    return ended->is_gone || is_unavailable(update) ||
           cause_is_repeat(&ended->cause, update);
}

/* That end was told already; spares the way to the roster and back. */
static bool is_told(const struct presence *presence, const struct event *update)
{
    const struct user *user = user_find(presence, update->from);

    if (user && (user->asked || resource_find(user, update->session)))
        return false;
    return is_unavailable(update) && ended_find(presence, update->session);
}

static struct resource *add(struct presence *presence, struct user *user,
                            const struct event *update)
{
    const struct ended *ended = ended_find(presence, update->session);
    struct resource *resource;

    if (ended && is_repeat_of_ended(ended, update))
        return NULL;
    ended_forget(presence, update->session);
    resource = resource_add(user, update);
    /* Not known here, but who owned the partition before may have told. */
    resource->is_announced = is_unavailable(update);
    return resource;
}

void update_apply(struct presence *presence, struct user *user,
                  const struct event *update)
{
    struct resource *resource = resource_find(user, update->session);

    if (!resource)
        resource = add(presence, user, update);
    else if (!is_gone(update) && cause_is_repeat(&resource->cause, update))
        return;
    if (!resource)
        return;
    resource_set(resource, update);
    resource->cause = cause_of(update);
    resource->touched_ms = clock_now_ms();
    resource->is_initial |= update->is_first || !resource->is_available;
    resource->is_available = !is_unavailable(update);
    resource->is_gone = is_gone(update);
    resource->is_stale = false;
    resource_mark_dirty(presence, resource);
}

static void ask(struct presence *presence, struct user *user,
                const struct event *update, struct output *output)
{
    struct event event;

    user->asked = ++presence->request;
    user->asked_ms = clock_now_ms();
    event_copy_as(&event, EVENT_CONTACTS_ASK, update);
    event.to = user->bare;
    event.request = user->asked;
    output_to_user(output, SERVICE_ROSTER, user->bare, &event);
}

void update_accept(struct presence *presence, const struct event *update,
                   struct output *output)
{
    struct user *user;

    if (is_told(presence, update))
        return;
    user = user_get(presence, update->from);
    if (user->contacts.is_known && !user->asked && !update->is_first)
        update_apply(presence, user, update);
    else
        ask(presence, user, update, output);
    user_maybe_forget(presence, &user);
}

void update_gone(struct presence *presence, const struct resource *resource,
                 struct output *output)
{
    struct event update;

    event_init(&update, EVENT_PRESENCE_UPDATE);
    update.to = resource->user->bare;
    update.from = resource->full;
    update.session = resource->session;
    update.node = slice_of(resource->node);
    update.kind = STANZA_PRESENCE;
    update.subtype = SLICE("unavailable");
    update.condition = SLICE("gone");
    update.payload = SLICE("");
    update_accept(presence, &update, output);
}

/* Without a session: no change of presence travels with it. */
void update_ask_contacts(struct presence *presence, struct user *user,
                         struct output *output)
{
    struct event question;

    if (user->asked && clock_now_ms() - user->asked_ms < ASK_AGAIN_MS)
        return;
    event_init(&question, EVENT_CONTACTS_ASK);
    ask(presence, user, &question, output);
}

void update_contacts_heard(struct presence *presence, const struct event *list,
                           struct output *output)
{
    bool is_update = list->session != 0;
    struct user *user = is_update ? user_get(presence, list->to)
                                  : user_find(presence, list->to);

    if (!user)
        return;
    contacts_load(&user->contacts, list->contacts);
    if (user->asked == list->request)
        user->asked = 0;
    if (is_update)
        update_apply(presence, user, list);
    broadcast_to_waiting(user, output);
    user_maybe_forget(presence, &user);
}
