#include "base/clock.h"
#include "base/memory.h"
#include "broadcast.h"
#include "snapshot.h"
#include "update.h"
#include "xmpp/jid.h"

struct presence *presence_create(const struct presence_config *config)
{
    struct presence *presence = memory_new(sizeof(*presence));

    presence->config = config;
    presence->users = map_create();
    presence->ended = map_create();
    presence->nodes = map_create();
    TAILQ_INIT(&presence->ended_age);
    TAILQ_INIT(&presence->dirty);
    /* Answers to a former owner's questions never look like ours. */
    presence->request = clock_unix_ms() << 20;
    return presence;
}

void presence_destroy(struct presence **presence)
{
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next((*presence)->users, &position, &bare, &value)) {
        struct user *user = value;

        user_destroy(&user);
    }
    ended_expire(*presence, UINT64_MAX);
    map_destroy(&(*presence)->users);
    map_destroy(&(*presence)->ended);
    map_destroy(&(*presence)->nodes);
    memory_free(presence);
}

static enum handled on_presence_update(void *state, const struct event *event,
                                       struct output *output,
                                       const char **reason_out)
{
    (void)reason_out;
    if (slice_is(event->condition, "moved"))
        snapshot_moved(state, event, output);
    else
        update_accept(state, event, output);
    return HANDLED;
}

static enum handled on_contacts_list(void *state, const struct event *event,
                                     struct output *output,
                                     const char **reason_out)
{
    (void)reason_out;
    update_contacts_heard(state, event, output);
    return HANDLED;
}

/* Probes. */

static bool is_waiting(const struct user *user, struct slice prober)
{
    for (size_t i = 0; i < user->waiting_count; i++) {
        if (slice_is(prober, user->waiting[i]))
            return true;
    }
    return false;
}

static void wait_for_contacts(struct presence *presence, struct user *user,
                              struct slice prober, struct output *output)
{
    if (!is_waiting(user, prober) &&
        user->waiting_count < presence->config->waiting_max) {
        user->waiting = memory_resize(
            user->waiting, (user->waiting_count + 1) * sizeof(*user->waiting));
        user->waiting[user->waiting_count++] = memory_copy_text(prober);
    }
    update_ask_contacts(presence, user, output);
}

static enum handled on_presence_probe(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    struct user *user = user_find(state, event->to);

    (void)reason_out;
    if (!user || !user->resources)
        return HANDLED;
    if (user->contacts.is_known)
        broadcast_to_prober(user, event->from, output);
    else
        wait_for_contacts(state, user, event->from, output);
    return HANDLED;
}

/* RFC 6121 3.1.6, 3.2.3, 3.3.3.  While the contacts are not known (the list is
 * under way and has the change in it), whatever it was before is possible. */
static enum handled on_contact_changed(void *state, const struct event *event,
                                       struct output *output,
                                       const char **reason_out)
{
    struct user *user = user_find(state, event->to);
    enum subscription now = subscription_parse(event->subscription);
    enum subscription was;
    bool is_known;

    (void)reason_out;
    if (!user)
        return HANDLED;
    is_known = user->contacts.is_known;
    was = contacts_find(&user->contacts, event->contact);
    if (is_known)
        contacts_set(&user->contacts, event->contact, now);
    if (!is_known || subscription_is_from(now) != subscription_is_from(was))
        broadcast_to_contact(user, event->contact, subscription_is_from(now),
                             output);
    if (subscription_is_to(now) && !subscription_is_to(was))
        broadcast_probes(user, event->contact, output);
    return HANDLED;
}

const struct service_handler presence_handlers[] = {
    {EVENT_PRESENCE_UPDATE, on_presence_update},
    {EVENT_PRESENCE_PROBE, on_presence_probe},
    {EVENT_CONTACTS_LIST, on_contacts_list},
    {EVENT_CONTACT_CHANGED, on_contact_changed},
};

const size_t presence_handler_count = ARRAY_SIZE(presence_handlers);
