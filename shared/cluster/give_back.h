/*
 * What becomes of a stanza that was on its way to a session that is over.
 */
#ifndef CLUSTER_GIVE_BACK_H
#define CLUSTER_GIVE_BACK_H

#include "cluster/output.h"

/*
 * `deliver` is a stanza.deliver that nobody could write out.  A message with
 * content is routed again, to the user's other sessions or the archive, with a
 * stamp (XEP-0203) and its id, so that a session that did get it drops it; a
 * request is refused (RFC 6121 8.5.3.2.3); an answer is routed again, since its
 * session may have moved; the rest is dropped.  `node`: tells
 * delivery that this frontend does not have the session; SLICE_NONE: nothing is
 * said about the session.
 */
void give_back(const struct event *deliver, struct slice node,
               struct output *output);

/* Any event of an inbox that nobody consumes any more: stanzas are given back,
 * fences (docs/ARCHITECTURE.md) are answered. */
void give_back_inbox(const struct event *event, struct output *output);

/*
 * Answers session.kick, session.move or session.fence: what came to that inbox
 * before it has been done.  `condition`: what became of the session.
 */
void fence_answer(const struct event *fence, struct slice node,
                  const char *condition, struct output *output);

#endif
