#include "presence.h"

#include "base/clock.h"
#include "base/memory.h"
#include "xmpp/jid.h"

/* Users. */

struct user *user_find(const struct presence *presence, struct slice jid)
{
    return map_find(presence->users, jid_text_bare(jid));
}

struct user *user_get(struct presence *presence, struct slice jid)
{
    struct slice bare = jid_text_bare(jid);
    struct user *user = map_find(presence->users, bare);

    if (user)
        return user;
    user = memory_new(sizeof(*user) + bare.size);
    memcpy(user->text, bare.data, bare.size);
    user->bare = (struct slice){user->text, bare.size};
    map_put(presence->users, bare, user);
    return user;
}

static void slice_free(struct slice *slice)
{
    char *data;

    memcpy(&data, &slice->data, sizeof(data)); /* it is ours */
    memory_free(&data);
    *slice = SLICE_NONE;
}

static struct slice slice_copy(struct slice slice)
{
    return (struct slice){memory_copy_text(slice), slice.size};
}

static void resource_destroy(struct resource **resource)
{
    memory_free(&(*resource)->node);
    slice_free(&(*resource)->full);
    slice_free(&(*resource)->payload);
    slice_free(&(*resource)->lang);
    slice_free(&(*resource)->extra);
    memory_free(resource);
}

void user_destroy(struct user **user)
{
    while ((*user)->resources) {
        struct resource *resource = (*user)->resources;

        (*user)->resources = resource->next;
        resource_destroy(&resource);
    }
    for (size_t i = 0; i < (*user)->waiting_count; i++)
        memory_free(&(*user)->waiting[i]);
    memory_free(&(*user)->waiting);
    contacts_deinit(&(*user)->contacts);
    memory_free(user);
}

void user_maybe_forget(struct presence *presence, struct user **user)
{
    if ((*user)->resources || (*user)->asked)
        return;
    map_remove(presence->users, (*user)->bare);
    user_destroy(user);
}

/* Resources. */

struct resource *resource_find(const struct user *user, uint64_t session)
{
    struct resource *resource = user->resources;

    while (resource && resource->session != session)
        resource = resource->next;
    return resource;
}

struct resource *resource_add(struct user *user, const struct event *update)
{
    struct resource *resource = memory_new(sizeof(*resource));

    resource->user = user;
    resource->session = update->session;
    resource->node = memory_copy_text(update->node);
    resource->full = slice_copy(update->from);
    resource->next = user->resources;
    user->resources = resource;
    return resource;
}

static void ended_note(struct presence *presence,
                       const struct resource *resource)
{
    struct ended *ended;

    ended_forget(presence, resource->session);
    ended = memory_new(sizeof(*ended));
    ended->session = resource->session;
    ended->at_ms = clock_now_ms();
    ended->is_gone = resource->is_gone;
    ended->cause = resource->cause;
    map_put(presence->ended, map_key_u64(&ended->session), ended);
    TAILQ_INSERT_TAIL(&presence->ended_age, ended, link);
}

void resource_remove(struct presence *presence, struct resource **resource)
{
    struct resource **link = &(*resource)->user->resources;

    ended_note(presence, *resource);
    if ((*resource)->is_dirty)
        TAILQ_REMOVE(&presence->dirty, *resource, dirty_link);
    while (*link != *resource)
        link = &(*link)->next;
    *link = (*resource)->next;
    resource_destroy(resource);
}

static void replace(struct slice *slice, struct slice value)
{
    slice_free(slice);
    *slice = slice_copy(value);
}

void resource_set(struct resource *resource, const struct event *update)
{
    replace(&resource->payload, update->payload);
    replace(&resource->lang, update->lang);
    replace(&resource->extra, update->extra);
    resource->priority = update->priority;
}

bool resource_says(const struct resource *resource, const struct event *update)
{
    return slice_equal(resource->payload, update->payload) &&
           slice_equal(resource->lang, update->lang) &&
           slice_equal(resource->extra, update->extra) &&
           resource->priority == update->priority;
}

void resource_mark_dirty(struct presence *presence, struct resource *resource)
{
    if (resource->is_dirty)
        return;
    resource->is_dirty = true;
    TAILQ_INSERT_TAIL(&presence->dirty, resource, dirty_link);
}

/* Causes. */

struct cause cause_of(const struct event *event)
{
    return (struct cause){event->origin, event->sequence, event->path,
                          event->trace};
}

/* Numbers of one origin rise; nothing is known about different origins. */
bool cause_is_repeat(const struct cause *last, const struct event *event)
{
    return last->origin && last->origin == event->origin &&
           event->sequence <= last->sequence;
}

void cause_follow(struct event *event, enum event_type type,
                  const struct cause *cause)
{
    struct event source;

    event_init(&source, type);
    source.origin = cause->origin;
    source.sequence = cause->sequence;
    source.path = cause->path;
    source.trace = cause->trace;
    event_follow(event, type, &source);
}

/* Sessions that have ended. */

struct ended *ended_find(const struct presence *presence, uint64_t session)
{
    return map_find(presence->ended, map_key_u64(&session));
}

void ended_forget(struct presence *presence, uint64_t session)
{
    struct ended *ended = map_remove(presence->ended, map_key_u64(&session));

    if (!ended)
        return;
    TAILQ_REMOVE(&presence->ended_age, ended, link);
    memory_free(&ended);
}

void ended_expire(struct presence *presence, uint64_t before_ms)
{
    struct ended *ended;

    while ((ended = TAILQ_FIRST(&presence->ended_age)) &&
           ended->at_ms < before_ms)
        ended_forget(presence, ended->session);
}
