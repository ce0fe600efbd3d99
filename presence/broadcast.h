/* What others are told: RFC 6121 section 4. */
#ifndef PRESENCE_BROADCAST_H
#define PRESENCE_BROADCAST_H

#include "presence.h"

/* All that changed in this batch: one broadcast per resource. */
void broadcast_dirty(struct presence *presence, struct output *output);
/* The user's present presence to a contact, or that there is none (any
 * more). */
void broadcast_to_contact(const struct user *user, struct slice contact,
                          bool is_visible, struct output *output);
/* Asks for the contact's presence, for each resource of the user. */
void broadcast_probes(const struct user *user, struct slice contact,
                      struct output *output);
/* RFC 6121 4.3.2, for a prober who may see the user. */
void broadcast_to_prober(const struct user *user, struct slice prober,
                         struct output *output);
/* Those whose probes came before the contacts. */
void broadcast_to_waiting(struct user *user, struct output *output);

#endif
