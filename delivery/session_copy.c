#include "session_copy.h"

#include "base/memory.h"
#include "xmpp/jid.h"

struct user *user_find(const struct delivery *delivery, struct slice jid)
{
    return map_find(delivery->users, jid_text_bare(jid));
}

struct user *user_get(struct delivery *delivery, struct slice jid)
{
    struct slice bare = jid_text_bare(jid);
    struct user *user = map_find(delivery->users, bare);

    if (user)
        return user;
    user = memory_new(sizeof(*user) + bare.size);
    memcpy(user->text, bare.data, bare.size);
    user->bare = (struct slice){user->text, bare.size};
    map_put(delivery->users, bare, user);
    return user;
}

static void session_destroy(struct session **session)
{
    map_destroy(&(*session)->directed);
    memory_free(&(*session)->node);
    memory_free(session);
}

void user_destroy(struct delivery *delivery, struct user **user)
{
    fences_drop(delivery, *user);
    while ((*user)->sessions) {
        struct session *session = (*user)->sessions;

        (*user)->sessions = session->next;
        session_destroy(&session);
    }
    memory_free(user);
}

void user_maybe_forget(struct delivery *delivery, struct user **user)
{
    if ((*user)->sessions || (*user)->fences || replay_is_owed(*user))
        return;
    replay_stop(delivery, *user);
    map_remove(delivery->users, (*user)->bare);
    user_destroy(delivery, user);
}

struct session *session_find(const struct user *user, uint64_t id)
{
    struct session *session = user ? user->sessions : NULL;

    while (session && session->id != id)
        session = session->next;
    return session;
}

struct session *session_find_resource(const struct user *user,
                                      struct slice resource)
{
    struct session *session = user->sessions;

    while (session && !slice_equal(session->resource, resource))
        session = session->next;
    return session;
}

struct session *session_add(struct user *user, uint64_t id, struct slice node,
                            struct slice resource)
{
    size_t bare_size = user->bare.size;
    size_t size = bare_size + 1 + resource.size;
    struct session *session = memory_new(sizeof(*session) + size);

    memcpy(session->text, user->bare.data, bare_size);
    session->text[bare_size] = '/';
    memcpy(session->text + bare_size + 1, resource.data, resource.size);
    session->full = (struct slice){session->text, size};
    session->resource =
        (struct slice){session->text + bare_size + 1, resource.size};
    session->id = id;
    session->node = memory_copy_text(node);
    session->next = user->sessions;
    user->sessions = session;
    user->session_count++;
    return session;
}

void session_set_node(struct session *session, struct slice node)
{
    if (slice_is(node, session->node))
        return;
    memory_free(&session->node);
    session->node = memory_copy_text(node);
}

bool session_is_eligible(const struct session *session)
{
    return session->is_available && session->priority >= 0;
}

struct session *session_best(const struct user *user)
{
    struct session *best = NULL;

    for (struct session *session = user->sessions; session;
         session = session->next) {
        if (session_is_eligible(session) &&
            (!best || session->priority > best->priority))
            best = session;
    }
    return best;
}

static void follow_or_init(struct event *event, enum event_type type,
                           const struct event *cause)
{
    if (cause)
        event_follow(event, type, cause);
    else
        event_init(event, type);
}

void session_tell_gone(uint64_t id, struct slice node, struct slice full,
                       const struct event *cause, struct output *output)
{
    struct event event;

    follow_or_init(&event, EVENT_PRESENCE_UPDATE, cause);
    event.to = jid_text_bare(full);
    event.from = full;
    event.session = id;
    event.node = node;
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE("unavailable");
    event.condition = SLICE("gone");
    event.payload = SLICE("");
    output_to_user(output, SERVICE_PRESENCE, full, &event);
}

static void session_unlink(struct user *user, struct session *session)
{
    struct session **link = &user->sessions;

    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    user->session_count--;
}

void session_end(struct delivery *delivery, struct user *user,
                 struct session **session, const struct event *cause,
                 struct output *output)
{
    uint64_t id = (*session)->id;

    session_unlink(user, *session);
    if ((*session)->is_available)
        session_tell_gone(id, slice_of((*session)->node), (*session)->full,
                          cause, output);
    session_destroy(session);
    replay_session_lost(delivery, user, id);
}

void session_end_directed(struct session *session, struct output *output)
{
    struct event event;

    event_init(&event, EVENT_STANZA_ROUTE);
    event.from = session->full;
    event.kind = STANZA_PRESENCE;
    event.subtype = SLICE("unavailable");
    directed_end(&session->directed, &event, output);
}

/* Somebody else gets what this one got, or this one got nothing. */
static bool is_made_up_for(const struct user *user,
                           const struct session *session)
{
    const struct session *other = user->sessions;

    while (other && (other == session || !session_is_eligible(other) ||
                     (session_is_eligible(session) &&
                      other->priority < session->priority)))
        other = other->next;
    return other != NULL;
}

static void kick_unfenced(const struct session *session, const char *condition,
                          const struct event *cause, struct output *output)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event;

    follow_or_init(&event, EVENT_SESSION_KICK, cause);
    event.session = session->id;
    event.to = session->full;
    event.condition = slice_of(condition);
    event.names = directed_write(session->directed, &names);
    output_to_inbox(output, slice_of(session->node), &event);
    buffer_deinit(&names);
}

void session_order_end(struct delivery *delivery, struct user *user,
                       const struct session *session, const char *condition,
                       const struct event *cause, struct output *output)
{
    if (is_made_up_for(user, session))
        kick_unfenced(session, condition, cause, output);
    else
        fence_kick(delivery, user, session, condition, output);
}

void session_kick(struct delivery *delivery, struct user *user,
                  struct session **session, const char *condition,
                  const struct event *cause, struct output *output)
{
    session_order_end(delivery, user, *session, condition, cause, output);
    session_end_directed(*session, output);
    session_end(delivery, user, session, cause, output);
}

void session_lose(struct delivery *delivery, struct user *user,
                  struct session **session, const struct event *cause,
                  struct output *output)
{
    if (!is_made_up_for(user, *session))
        fence_gone(delivery, user, *session, output);
    session_end(delivery, user, session, cause, output);
}
