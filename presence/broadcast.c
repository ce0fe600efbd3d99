#include "broadcast.h"

#include "base/memory.h"
#include "xmpp/jid.h"

static void send_presence(const struct resource *resource, struct slice to,
                          bool is_available, struct output *output)
{
    struct event event;

    cause_follow(&event, EVENT_STANZA_ROUTE, &resource->cause);
    event.kind = STANZA_PRESENCE;
    event.from = resource->full;
    event.to = to;
    event.payload = SLICE("");
    if (!is_available)
        event.subtype = SLICE("unavailable");
    if (is_available == resource->is_available) {
        event.payload = resource->payload;
        event.lang = resource->lang;
        event.extra = resource->extra;
    }
    if (!slice_is_set(jid_text_resource(to)))
        event.audience = AUDIENCE_AVAILABLE;
    output_to_user(output, SERVICE_DELIVERY, to, &event);
}

/* RFC 6121 4.2.2, 4.4.2, 4.5.2: to contacts and to the user's own resources. */
static void send_to_all(const struct resource *resource, struct output *output)
{
    const struct user *user = resource->user;

    for (size_t i = 0; i < user->contacts.count; i++) {
        if (subscription_is_from(user->contacts.list[i].subscription))
            send_presence(resource, slice_of(user->contacts.list[i].jid),
                          resource->is_available, output);
    }
    send_presence(resource, user->bare, resource->is_available, output);
}

static void send_probe(const struct resource *resource, struct slice contact,
                       struct output *output)
{
    struct event event;

    cause_follow(&event, EVENT_PRESENCE_PROBE, &resource->cause);
    event.from = resource->full;
    event.to = contact;
    output_to_user(output, SERVICE_PRESENCE, contact, &event);
}

static bool is_visible(const struct resource *resource)
{
    return resource->is_available && resource->is_announced;
}

/* RFC 6121 4.2.2: what the contacts and the other resources of the user say. */
static void send_initial(const struct resource *resource, struct output *output)
{
    const struct user *user = resource->user;

    for (size_t i = 0; i < user->contacts.count; i++) {
        if (subscription_is_to(user->contacts.list[i].subscription))
            send_probe(resource, slice_of(user->contacts.list[i].jid), output);
    }
    for (const struct resource *other = user->resources; other;
         other = other->next) {
        if (other != resource && is_visible(other))
            send_presence(other, resource->full, true, output);
    }
}

static void send_available(struct resource *resource, struct output *output)
{
    send_to_all(resource, output);
    if (resource->is_initial)
        send_initial(resource, output);
    resource->is_initial = false;
    resource->is_announced = true;
}

/* RFC 6121 4.5.2: also to the resource itself, if it is still connected. */
static void send_unavailable(struct presence *presence,
                             struct resource *resource, struct output *output)
{
    if (resource->is_announced) {
        send_to_all(resource, output);
        if (!resource->is_gone)
            send_presence(resource, resource->full, false, output);
    }
    resource_remove(presence, &resource);
}

void broadcast_dirty(struct presence *presence, struct output *output)
{
    struct resource *resource;

    while ((resource = TAILQ_FIRST(&presence->dirty))) {
        struct user *user = resource->user;

        TAILQ_REMOVE(&presence->dirty, resource, dirty_link);
        resource->is_dirty = false;
        if (resource->is_available)
            send_available(resource, output);
        else
            send_unavailable(presence, resource, output);
        user_maybe_forget(presence, &user);
    }
}

void broadcast_to_contact(const struct user *user, struct slice contact,
                          bool is_visible_now, struct output *output)
{
    for (const struct resource *resource = user->resources; resource;
         resource = resource->next) {
        if (is_visible(resource) || (resource->is_announced && !is_visible_now))
            send_presence(resource, contact, is_visible_now, output);
    }
}

void broadcast_probes(const struct user *user, struct slice contact,
                      struct output *output)
{
    for (const struct resource *resource = user->resources; resource;
         resource = resource->next) {
        if (is_visible(resource))
            send_probe(resource, contact, output);
    }
}

void broadcast_to_prober(const struct user *user, struct slice prober,
                         struct output *output)
{
    enum subscription subscription =
        contacts_find(&user->contacts, jid_text_bare(prober));

    if (!subscription_is_from(subscription))
        return;
    for (const struct resource *resource = user->resources; resource;
         resource = resource->next) {
        if (is_visible(resource))
            send_presence(resource, prober, true, output);
    }
}

void broadcast_to_waiting(struct user *user, struct output *output)
{
    for (size_t i = 0; i < user->waiting_count; i++) {
        broadcast_to_prober(user, slice_of(user->waiting[i]), output);
        memory_free(&user->waiting[i]);
    }
    memory_free(&user->waiting);
    user->waiting_count = 0;
}
