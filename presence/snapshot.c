#include "snapshot.h"

#include "base/clock.h"
#include "base/memory.h"
#include "broadcast.h"
#include "update.h"

static bool is_fresh(const struct resource *resource)
{
    return resource->touched_ms &&
           clock_now_ms() - resource->touched_ms < SNAPSHOT_RACE_MS;
}

void snapshot_begin(void *state, struct slice node)
{
    struct presence *presence = state;
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next(presence->users, &position, &bare, &value)) {
        struct user *user = value;

        for (struct resource *resource = user->resources; resource;
             resource = resource->next)
            resource->is_stale =
                slice_is(node, resource->node) && !is_fresh(resource);
    }
}

static void accept(struct presence *presence, const struct event *report,
                   struct output *output)
{
    struct event update;

    ended_forget(presence, report->session);
    event_copy_as(&update, EVENT_PRESENCE_UPDATE, report);
    update.kind = STANZA_PRESENCE;
    update.condition = SLICE_NONE;
    update.is_first = false;
    update_accept(presence, &update, output);
}

static void add_announced(struct presence *presence, const struct event *report)
{
    struct resource *resource =
        resource_add(user_get(presence, report->from), report);

    resource_set(resource, report);
    resource->is_available = true;
    resource->is_announced = true;
}

static void report_missing(struct presence *presence,
                           const struct event *report, struct output *output)
{
    if (ended_find(presence, report->session))
        accept(presence, report, output);
    else
        add_announced(presence, report);
}

/*
 * Contacts have been told, or will be when its event comes through the queue;
 * except when they have been told that it is gone, or when the event was lost
 * with a broker: then the frontend has reported before, without it.
 */
static void report_unknown(struct presence *presence,
                           const struct event *report, struct output *output)
{
    if (map_find(presence->nodes, report->node))
        accept(presence, report, output);
    else
        report_missing(presence, report, output);
}

static void set_node(struct resource *resource, struct slice node)
{
    if (slice_is(node, resource->node))
        return;
    memory_free(&resource->node);
    resource->node = memory_copy_text(node);
}

static void report_known(struct presence *presence, struct resource *resource,
                         const struct event *report, struct output *output)
{
    resource->is_stale = false;
    set_node(resource, report->node);
    if (!is_fresh(resource) && !resource_says(resource, report))
        accept(presence, report, output);
}

void snapshot_session(void *state, const struct event *report,
                      struct output *output)
{
    struct presence *presence = state;
    struct user *user = user_find(presence, report->from);
    struct resource *resource =
        user ? resource_find(user, report->session) : NULL;

    if (!report->is_available)
        return;
    if (resource)
        report_known(presence, resource, report, output);
    else
        report_unknown(presence, report, output);
}

/* On its way neither frontend has reported it. */
void snapshot_moved(struct presence *presence, const struct event *moved,
                    struct output *output)
{
    struct user *user = user_find(presence, moved->from);
    struct resource *resource =
        user ? resource_find(user, moved->session) : NULL;

    if (resource) {
        set_node(resource, moved->node);
        resource->touched_ms = clock_now_ms();
    } else if (moved->is_available) {
        report_missing(presence, moved, output);
    }
}

/* Ends the resources of that node; `only_stale`: those it did not report. */
static void sweep(struct presence *presence, struct slice node, bool only_stale,
                  struct output *output)
{
    size_t position = 0;
    struct slice bare;
    void *value;

    while (map_next(presence->users, &position, &bare, &value)) {
        const struct user *user = value;

        for (const struct resource *resource = user->resources; resource;
             resource = resource->next) {
            if (slice_is(node, resource->node) &&
                (resource->is_stale || !only_stale))
                update_gone(presence, resource, output);
        }
    }
    broadcast_dirty(presence, output);
}

void snapshot_end(void *state, struct slice node, struct output *output)
{
    struct presence *presence = state;

    sweep(presence, node, true, output);
    map_put(presence->nodes, node, presence);
}

void snapshot_node_gone(void *state, struct slice node, struct output *output)
{
    struct presence *presence = state;

    map_remove(presence->nodes, node);
    sweep(presence, node, false, output);
}
