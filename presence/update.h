/*
 * A change of one resource's presence.  It waits for the user's contacts by
 * travelling to the roster and back (contacts.ask, contacts.list), not here.
 * So does each by which a resource becomes available, contacts known or not:
 * the roster has requests for it (RFC 6121 3.1.3).  While one is on that way
 * all later ones of that user follow it, so order holds.
 */
#ifndef PRESENCE_UPDATE_H
#define PRESENCE_UPDATE_H

#include "presence.h"

/* A presence.update, or what amounts to one: applied, or sent to the roster. */
void update_accept(struct presence *presence, const struct event *update,
                   struct output *output);
/* The session ended without a word: of a frontend that is gone, or not
 * reported any more. */
void update_gone(struct presence *presence, const struct resource *resource,
                 struct output *output);
/* To the dirty list; contacts are known. */
void update_apply(struct presence *presence, struct user *user,
                  const struct event *update);
/* Asks for the contacts alone, unless an answer is under way. */
void update_ask_contacts(struct presence *presence, struct user *user,
                         struct output *output);
/* contacts.list; also of questions that a former owner asked. */
void update_contacts_heard(struct presence *presence, const struct event *list,
                           struct output *output);

#endif
