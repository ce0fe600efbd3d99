/* Subscription states: RFC 6121 appendix A as tables. */
#ifndef ROSTER_SUBSCRIPTION_H
#define ROSTER_SUBSCRIPTION_H

#include "base/slice.h"

/* A.1; Out: we have asked, In: the contact has asked. */
enum subscription_state {
    SUBSCRIPTION_NONE,
    SUBSCRIPTION_NONE_OUT,
    SUBSCRIPTION_NONE_IN,
    SUBSCRIPTION_NONE_OUT_IN,
    SUBSCRIPTION_TO,
    SUBSCRIPTION_TO_IN,
    SUBSCRIPTION_FROM,
    SUBSCRIPTION_FROM_OUT,
    SUBSCRIPTION_BOTH,
    SUBSCRIPTION_STATE_COUNT,
};

enum subscription_verb {
    VERB_SUBSCRIBE,
    VERB_UNSUBSCRIBE,
    VERB_SUBSCRIBED,
    VERB_UNSUBSCRIBED,
    VERB_COUNT, /* none of these */
};

struct subscription_step {
    enum subscription_state next;
    bool passes; /* routed to the contact, or delivered to the user */
};

enum subscription_verb subscription_verb_of(struct slice presence_type);
/* The user sends (A.2); the contact sends (A.3). */
struct subscription_step subscription_outbound(enum subscription_state state,
                                               enum subscription_verb verb);
struct subscription_step subscription_inbound(enum subscription_state state,
                                              enum subscription_verb verb);

/* What a roster shows: "none", "to", "from", "both"; ask='subscribe'. */
const char *subscription_name(enum subscription_state state);
bool subscription_has_ask(enum subscription_state state);
/* The contact waits for our answer. */
bool subscription_is_pending_in(enum subscription_state state);
bool subscription_has_to(enum subscription_state state);
bool subscription_has_from(enum subscription_state state);

#endif
