#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "deleted.h"
#include "ended.h"
#include "orphans.h"
#include "route.h"
#include "session_copy.h"

struct delivery *delivery_create(const struct delivery_config *config,
                                 const char *domain, unsigned partition)
{
    struct delivery *delivery = memory_new(sizeof(*delivery));

    delivery->config = config;
    delivery->domain = memory_copy_text(slice_of(domain));
    delivery->partition = partition;
    delivery->users = map_create();
    delivery->orphans = map_create();
    delivery->deleted = map_create();
    delivery->ended = ended_create();
    TAILQ_INIT(&delivery->replay_wanted);
    TAILQ_INIT(&delivery->replay_asked);
    TAILQ_INIT(&delivery->fences);
    /* An answer to a former owner's question never looks like one to ours. */
    delivery->request = clock_unix_ms() << 20;
    delivery->mark = delivery->request;
    return delivery;
}

void delivery_destroy(struct delivery **delivery)
{
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next((*delivery)->users, &position, &bare, &value)) {
        struct user *user = value;

        user_destroy(*delivery, &user);
    }
    map_destroy(&(*delivery)->users);
    map_destroy(&(*delivery)->orphans);
    map_destroy_all(&(*delivery)->deleted);
    ended_destroy(&(*delivery)->ended);
    memory_free(&(*delivery)->domain);
    memory_free(delivery);
}

static enum handled on_stanza_route(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    if (event->kind == STANZA_OTHER) {
        *reason_out = "not a stanza";
        return REJECT;
    }
    route_stanza(state, event, output);
    return HANDLED;
}

/* Binding. */

static void send_bound(const struct event *bind, const struct session *session,
                       const char *condition, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_SESSION_BOUND, bind);
    event.session = bind->session;
    event.request = bind->request;
    event.to = session ? session->full : bind->to;
    event.resource = session ? session->resource : bind->resource;
    event.condition = slice_of(condition);
    output_to_inbox(output, bind->node, &event);
}

/* RFC 6120 7.7.2.2, case 1: the newer session wins. */
static void add_session(struct delivery *delivery, struct user *user,
                        const struct event *bind, struct output *output)
{
    struct session *other = session_find_resource(user, bind->resource);
    struct session *session;

    if (other)
        session_kick(delivery, user, &other, "conflict", bind, output);
    if (user->session_count >= delivery->config->max_resources) {
        send_bound(bind, NULL, "resource-constraint", output);
        return;
    }
    session = session_add(user, bind->session, bind->node, bind->resource);
    session->stamp = clock_unix_ms();
    session->touched_ms = clock_now_ms();
    orphans_fence(delivery, user, session, output);
    send_bound(bind, session, NULL, output);
}

/* The same session again gets the same answer. */
static void bind_session(struct delivery *delivery, const struct event *bind,
                         struct output *output)
{
    struct user *user = user_get(delivery, bind->to);
    const struct session *session = session_find(user, bind->session);

    if (session)
        send_bound(bind, session, NULL, output);
    else
        add_session(delivery, user, bind, output);
}

static enum handled on_session_bind(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    (void)reason_out;
    if (deleted_has(state, event->to))
        send_bound(event, NULL, "not-authorized", output);
    else
        bind_session(state, event, output);
    return HANDLED;
}

/* XEP-0198 5, asked for by the frontend where the client is now. */
static enum handled on_session_resume(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    struct user *user = user_find(state, event->to);
    struct session *session = session_find(user, event->session);

    (void)reason_out;
    if (session)
        fence_move(state, user, session, event, output);
    else
        fence_refuse(state, event, output);
    return HANDLED;
}

static enum handled on_session_fenced(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    (void)reason_out;
    fence_returned(state, event, output);
    return HANDLED;
}

/* Presence. */

static void pass_on(const struct event *presence, struct output *output)
{
    struct event event;

    event_copy_as(&event, EVENT_PRESENCE_UPDATE, presence);
    output_to_user(output, SERVICE_PRESENCE, presence->from, &event);
}

/* What the queue says is newer than a snapshot on its way. */
static void touch(struct session *session)
{
    session->touched_ms = clock_now_ms();
    session->is_stale = false;
}

static void note_presence(struct delivery *delivery, struct user *user,
                          struct session *session, const struct event *presence)
{
    bool was_eligible = session_is_eligible(session);

    session->is_available = !slice_is(presence->subtype, "unavailable");
    session->priority = presence->priority;
    if (!session->is_available) /* its frontend has told them (RFC 6121 4.5) */
        map_destroy(&session->directed);
    touch(session);
    if (session_is_eligible(session) && !was_eligible)
        replay_start(delivery, user, session);
    else if (!session_is_eligible(session) && was_eligible)
        replay_session_away(user, session->id);
}

/* Of a session that is over only the end is of interest: contacts may have
 * seen it. */
static enum handled on_session_presence(void *state, const struct event *event,
                                        struct output *output,
                                        const char **reason_out)
{
    struct delivery *delivery = state;
    struct user *user = user_find(delivery, event->from);
    struct session *session = session_find(user, event->session);

    (void)reason_out;
    if (session)
        note_presence(delivery, user, session, event);
    if (session || slice_is(event->subtype, "unavailable"))
        pass_on(event, output);
    return HANDLED;
}

static enum handled on_session_directed(void *state, const struct event *event,
                                        struct output *output,
                                        const char **reason_out)
{
    struct user *user = user_find(state, event->from);
    struct session *session = session_find(user, event->session);

    (void)output;
    (void)reason_out;
    if (!session)
        return HANDLED;
    directed_note(&session->directed, event->to,
                  !slice_is(event->subtype, "unavailable"));
    touch(session);
    return HANDLED;
}

static enum handled on_session_interested(void *state,
                                          const struct event *event,
                                          struct output *output,
                                          const char **reason_out)
{
    struct user *user = user_find(state, event->from);
    struct session *session = session_find(user, event->session);

    (void)output;
    (void)reason_out;
    if (session)
        session->is_interested = true;
    return HANDLED;
}

/* Closing. */

static enum handled on_session_close(void *state, const struct event *event,
                                     struct output *output,
                                     const char **reason_out)
{
    struct delivery *delivery = state;
    struct user *user = user_find(delivery, event->from);
    struct session *session = session_find(user, event->session);

    (void)reason_out;
    if (event->count)
        ended_note(delivery->ended, event->session, event->count);
    if (!session) {
        session_tell_gone(event->session, event->node, event->from, event,
                          output);
        return HANDLED;
    }
    if (slice_is(event->node, session->node)) /* else it has moved on */
        session_lose(delivery, user, &session, event, output);
    user_maybe_forget(delivery, &user);
    return HANDLED;
}

/* Accounts. */

/* RFC 6120 4.9.3.12. */
static void end_sessions(struct delivery *delivery, const struct event *deleted,
                         struct output *output)
{
    struct user *user = user_find(delivery, deleted->to);

    if (!user)
        return;
    while (user->sessions) {
        struct session *session = user->sessions;

        session_kick(delivery, user, &session, "not-authorized", deleted,
                     output);
    }
    user_maybe_forget(delivery, &user);
}

static enum handled on_account_changed(void *state, const struct event *event,
                                       struct output *output,
                                       const char **reason_out)
{
    (void)reason_out;
    log_write(slice_is(event->subtype, "created") ? LOG_LEVEL_DEBUG
                                                  : LOG_LEVEL_INFO,
              "account %.*s: %.*s", SLICE_FORMAT(event->to),
              SLICE_FORMAT(event->subtype));
    if (!slice_is(event->subtype, "deleted")) {
        deleted_forget(state, event->to);
        return HANDLED;
    }
    deleted_note(state, event->to, clock_now_ms());
    end_sessions(state, event, output);
    return HANDLED;
}

/* Replaying. */

static enum handled on_archive_replayed(void *state, const struct event *event,
                                        struct output *output,
                                        const char **reason_out)
{
    struct user *user = user_find(state, event->to);

    (void)reason_out;
    if (!user)
        return HANDLED;
    replay_answered(state, user, event, output);
    user_maybe_forget(state, &user);
    return HANDLED;
}

const struct service_handler delivery_handlers[] = {
    {EVENT_STANZA_ROUTE, on_stanza_route},
    {EVENT_SESSION_BIND, on_session_bind},
    {EVENT_SESSION_RESUME, on_session_resume},
    {EVENT_SESSION_FENCED, on_session_fenced},
    {EVENT_SESSION_PRESENCE, on_session_presence},
    {EVENT_SESSION_DIRECTED, on_session_directed},
    {EVENT_SESSION_INTERESTED, on_session_interested},
    {EVENT_SESSION_CLOSE, on_session_close},
    {EVENT_ACCOUNT_CHANGED, on_account_changed},
    {EVENT_ARCHIVE_REPLAYED, on_archive_replayed},
};

const size_t delivery_handler_count = ARRAY_SIZE(delivery_handlers);
