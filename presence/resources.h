/*
 * Users and their resources.  A user with no resource, no open question to the
 * roster, is forgotten, contacts and all.
 */
#ifndef PRESENCE_RESOURCES_H
#define PRESENCE_RESOURCES_H

#include <stdint.h>
#include <sys/queue.h>

#include "cluster/event.h"

#include "contacts.h"

struct presence;

/* Which event a thing follows from; enough for event_follow. */
struct cause {
    uint64_t origin, sequence, path, trace;
};

struct resource {
    struct resource *next;
    TAILQ_ENTRY(resource) dirty_link;
    struct user *user;
    uint64_t session;
    char *node;
    struct slice full; /* owned, as are the four below */
    struct slice payload, lang, extra;
    int64_t priority;
    struct cause cause;  /* of the last change; origin 0: from a snapshot */
    uint64_t touched_ms; /* last event of this session, monotonic */
    bool is_available;   /* false: to be removed when that is broadcast */
    bool is_announced;   /* contacts may have seen it available */
    bool is_initial;     /* next broadcast is an initial presence */
    bool is_gone;        /* ended without the client saying so */
    bool is_dirty;
    bool is_stale; /* of a frontend that has not reported it (yet) */
};

TAILQ_HEAD(resource_list, resource);

struct user {
    struct resource *resources;
    struct contacts contacts;
    uint64_t asked; /* last contacts.ask not answered yet, or 0 */
    uint64_t asked_ms;
    char **waiting; /* full JIDs of probers */
    size_t waiting_count;
    struct slice bare; /* in `text` */
    char text[];
};

/*
 * A session that ended lately.  The end reaches us by more than one way (the
 * client, delivery, a snapshot), and repeats of older changes may come after
 * it.
 */
struct ended {
    TAILQ_ENTRY(ended) link;
    uint64_t session;
    uint64_t at_ms;
    bool is_gone;
    struct cause cause;
};

TAILQ_HEAD(ended_list, ended);

enum { ENDED_KEPT_MS = 60000 };

struct user *user_find(const struct presence *presence, struct slice jid);
struct user *user_get(struct presence *presence, struct slice jid);
/* Frees *user if nothing keeps it. */
void user_maybe_forget(struct presence *presence, struct user **user);
void user_destroy(struct user **user);

struct resource *resource_find(const struct user *user, uint64_t session);
struct resource *resource_add(struct user *user, const struct event *update);
/* Notes the end; frees. */
void resource_remove(struct presence *presence, struct resource **resource);
/* Payload, language, extra attributes, priority. */
void resource_set(struct resource *resource, const struct event *update);
bool resource_says(const struct resource *resource, const struct event *update);
void resource_mark_dirty(struct presence *presence, struct resource *resource);

struct cause cause_of(const struct event *event);
bool cause_is_repeat(const struct cause *last, const struct event *event);
void cause_follow(struct event *event, enum event_type type,
                  const struct cause *cause);

struct ended *ended_find(const struct presence *presence, uint64_t session);
void ended_forget(struct presence *presence, uint64_t session);
/* Those that ended before. */
void ended_expire(struct presence *presence, uint64_t before_ms);

#endif
