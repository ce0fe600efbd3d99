#include "route.h"

#include "base/clock.h"
#include "cluster/reply.h"
#include "server.h"
#include "session_copy.h"
#include "xmpp/jid.h"

enum action {
    DROP,
    BOUNCE,    /* service-unavailable */
    ANSWER,    /* on behalf of the account */
    MATCHED,   /* the one connected resource of that full JID */
    BEST,      /* available resources with the highest priority >= 0; if there
                  are none, to the archive */
    ALL_ABOVE, /* available resources with a priority >= 0 */
    AVAILABLE, /* available resources */
};

struct rule {
    enum stanza_kind kind;
    const char *type;      /* NULL: any other */
    enum action bare;      /* RFC 6121 8.5.2 */
    enum action matched;   /* 8.5.3.1 */
    enum action unmatched; /* 8.5.3.2 */
};

/*
 * RFC 6121 8.5.  Where it leaves a choice between ignoring a stanza and an
 * error (8.5.3.2.1), the sender is told, except for headlines.  An unknown
 * type is a normal message (5.2.2).
 */
static const struct rule rules[] = {
    {STANZA_MESSAGE, "chat", BEST, MATCHED, BEST},
    {STANZA_MESSAGE, "headline", ALL_ABOVE, MATCHED, DROP},
    {STANZA_MESSAGE, "groupchat", BOUNCE, MATCHED, BOUNCE},
    {STANZA_MESSAGE, "error", DROP, MATCHED, DROP},
    {STANZA_MESSAGE, NULL, BEST, MATCHED, BOUNCE},
    {STANZA_IQ, "get", ANSWER, MATCHED, BOUNCE},
    {STANZA_IQ, "set", ANSWER, MATCHED, BOUNCE},
    {STANZA_IQ, NULL, DROP, MATCHED, DROP},
    {STANZA_PRESENCE, "error", DROP, MATCHED, DROP},
    {STANZA_PRESENCE, "probe", DROP, DROP, DROP}, /* presence.probe */
    {STANZA_PRESENCE, NULL, AVAILABLE, MATCHED, DROP},
};

static const struct rule *find_rule(const struct event *stanza)
{
    const struct rule *rule = rules;

    while (rule->kind != stanza->kind ||
           (rule->type && !slice_is(stanza->subtype, rule->type)))
        rule++;
    return rule;
}

static bool is_returned(const struct event *stanza)
{
    return slice_is(stanza->condition, "returned");
}

static void deliver(const struct event *stanza, const struct session *session,
                    struct output *output)
{
    struct event event;

    event_copy_as(&event, EVENT_STANZA_DELIVER, stanza);
    event.session = session->id;
    event.node = SLICE_NONE;
    event.audience = AUDIENCE_RULES;
    if (stanza->kind == STANZA_IQ && stanza->audience == AUDIENCE_INTERESTED)
        event.to = session->full; /* RFC 6121 2.1.6: a push per resource */
    output_to_inbox(output, slice_of(session->node), &event);
}

/* Limits for absent users do not count for one who is being replayed to, or
 * has been here until just now. */
static uint64_t session_present(const struct user *user)
{
    const struct session *best = user ? session_best(user) : NULL;

    if (best && replay_is_under_way(user))
        return best->id;
    return user ? fence_session(user) : 0;
}

/* Chat states are for those who are there (XEP-0160), but they do not
 * overtake what is being replayed. */
static void store(struct delivery *delivery, struct user *user,
                  const struct event *stanza, struct output *output)
{
    const struct session *best = user ? session_best(user) : NULL;
    bool is_replaying = best && replay_is_under_way(user);
    struct event event;

    if (!stanza->is_durable && !is_replaying)
        return;
    event_copy_as(&event, EVENT_ARCHIVE_STORE, stanza);
    event_address_bare(&event);
    event.session = session_present(user);
    event.node = SLICE_NONE;
    event_delay(&event);
    event.mark = replay_stored(delivery, user);
    output_to_user(output, SERVICE_ARCHIVE, event.to, &event);
}

static void deliver_best(struct delivery *delivery, struct user *user,
                         const struct event *stanza, struct output *output)
{
    const struct session *best = user ? session_best(user) : NULL;

    if (!best || replay_is_under_way(user)) {
        store(delivery, user, stanza, output);
        return;
    }
    for (const struct session *session = user->sessions; session;
         session = session->next) {
        if (session_is_eligible(session) && session->priority == best->priority)
            deliver(stanza, session, output);
    }
}

/* Its frontend has no place for the stanza, and would only give it back again:
 * the session is on its way to there. */
static bool has_given_back(const struct session *session,
                           const struct event *stanza)
{
    return is_returned(stanza) && stanza->session == session->id &&
           slice_is(stanza->node, session->node);
}

static bool is_meant(const struct session *session, enum action action,
                     const struct event *stanza)
{
    if (has_given_back(session, stanza))
        return false;
    switch (stanza->audience) {
    case AUDIENCE_AVAILABLE:
        return session->is_available;
    case AUDIENCE_INTERESTED:
        return session->is_interested;
    case AUDIENCE_ALL:
        return true;
    case AUDIENCE_RULES:
        break;
    }
    return action == AVAILABLE ? session->is_available
                               : session_is_eligible(session);
}

static void deliver_all(const struct user *user, const struct event *stanza,
                        enum action action, struct output *output)
{
    for (const struct session *session = user ? user->sessions : NULL; session;
         session = session->next) {
        if (is_meant(session, action, stanza))
            deliver(stanza, session, output);
    }
}

/* A message may not overtake those that are being replayed to its session. */
static void deliver_matched(struct delivery *delivery, struct user *user,
                            const struct session *session,
                            const struct event *stanza, const struct rule *rule,
                            struct output *output)
{
    if (rule->matched == DROP)
        return;
    if (rule->bare == BEST && replay_covers(user, session))
        store(delivery, user, stanza, output);
    else
        deliver(stanza, session, output);
}

/* An answer is never too late: it carries the deadline of its request. */
static bool is_late(const struct event *stanza)
{
    return event_is_request(stanza) && stanza->deadline &&
           clock_unix_ms() > stanza->deadline;
}

static void apply(struct delivery *delivery, struct user *user,
                  enum action action, const struct event *stanza,
                  struct output *output)
{
    switch (action) {
    case DROP:
    case MATCHED: /* done by deliver_matched */
        return;
    case BOUNCE:
        reply_error(stanza, "service-unavailable", output);
        return;
    case ANSWER:
        server_answer_for_account(stanza, output);
        return;
    case BEST:
        deliver_best(delivery, user, stanza, output);
        return;
    case ALL_ABOVE:
    case AVAILABLE:
        deliver_all(user, stanza, action, output);
        return;
    }
}

static void apply_rules(struct delivery *delivery, struct user *user,
                        const struct event *stanza, struct output *output)
{
    struct slice resource = jid_text_resource(stanza->to);
    const struct rule *rule = find_rule(stanza);
    const struct session *session = NULL;

    if (user && slice_is_set(resource))
        session = session_find_resource(user, resource);
    if (session && !has_given_back(session, stanza))
        deliver_matched(delivery, user, session, stanza, rule, output);
    else if (slice_is_set(resource) && !is_returned(stanza))
        apply(delivery, user, rule->unmatched, stanza, output);
    else
        apply(delivery, user, rule->bare, stanza, output);
}

/* The frontend that got the stanza knows no such session: it is over. */
static void end_returned(struct delivery *delivery, struct user **user,
                         const struct event *stanza, struct output *output)
{
    struct session *session;

    if (!*user)
        return;
    session = session_find(*user, stanza->session);
    if (!session || session->is_moving || !has_given_back(session, stanza))
        return;
    session_end(delivery, *user, &session, NULL, output);
    if (!(*user)->sessions)
        user_maybe_forget(delivery, user);
}

void route_stanza(struct delivery *delivery, const struct event *stanza,
                  struct output *output)
{
    struct user *user = user_find(delivery, stanza->to);

    end_returned(delivery, &user, stanza, output);
    if (stanza->audience != AUDIENCE_RULES)
        deliver_all(user, stanza, AVAILABLE, output);
    else if (is_late(stanza))
        reply_error(stanza, "remote-server-timeout", output);
    else if (!user && !slice_is(jid_text_domain(stanza->to), delivery->domain))
        reply_error(stanza, "remote-server-not-found", output);
    else if (!user && !slice_is_set(jid_text_local(stanza->to)))
        server_answer(stanza, output);
    else
        apply_rules(delivery, user, stanza, output);
}
