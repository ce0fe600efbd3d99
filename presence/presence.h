/*
 * Presence: what each available resource last said, and who may see it.  The
 * state of one partition; resources are rebuilt from the frontends' snapshots,
 * contacts come from the roster when they are needed first.
 *   resources.c  users, their resources, sessions that have just ended
 *   contacts.c   who may see a user, whom the user may see
 *   update.c     a change of presence on its way to the dirty list
 *   broadcast.c  what follows from it
 *   snapshot.c   what frontends report, and frontends that are gone
 *   handlers.c   the events
 */
#ifndef PRESENCE_PRESENCE_H
#define PRESENCE_PRESENCE_H

#include <stdint.h>

#include "base/map.h"
#include "cluster/service.h"

#include "resources.h"

struct presence_config {
    uint64_t waiting_max; /* probes kept per user while contacts are asked */
};

struct presence {
    const struct presence_config *config;
    struct map *users;           /* bare JID -> struct user */
    struct map *ended;           /* session -> struct ended */
    struct ended_list ended_age; /* oldest first */
    struct map *nodes;           /* frontends that have reported before */
    struct resource_list dirty;  /* changed in this batch, in order */
    uint64_t request;            /* of the last contacts.ask */
};

struct presence *presence_create(const struct presence_config *config);
void presence_destroy(struct presence **presence);

extern const struct service_handler presence_handlers[];
extern const size_t presence_handler_count;

#endif
