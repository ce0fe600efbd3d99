#include "subscription.h"

#include "base/compiler.h"
#include "base/log.h"

#define NONE SUBSCRIPTION_NONE
#define NONE_OUT SUBSCRIPTION_NONE_OUT
#define NONE_IN SUBSCRIPTION_NONE_IN
#define NONE_OUT_IN SUBSCRIPTION_NONE_OUT_IN
#define TO SUBSCRIPTION_TO
#define TO_IN SUBSCRIPTION_TO_IN
#define FROM SUBSCRIPTION_FROM
#define FROM_OUT SUBSCRIPTION_FROM_OUT
#define BOTH SUBSCRIPTION_BOTH

typedef struct subscription_step step_table[VERB_COUNT]
                                           [SUBSCRIPTION_STATE_COUNT];

/* Columns: None, None+Out, None+In, None+Out+In, To, To+In, From, From+Out,
 * Both.  `true`: the stanza is routed (A.2) or delivered (A.3). */
static const step_table outbound = {
    [VERB_SUBSCRIBE] = {{NONE_OUT, true},
                        {NONE_OUT, true},
                        {NONE_OUT_IN, true},
                        {NONE_OUT_IN, true},
                        {TO, true},
                        {TO_IN, true},
                        {FROM_OUT, true},
                        {FROM_OUT, true},
                        {BOTH, true}},
    [VERB_UNSUBSCRIBE] = {{NONE, true},
                          {NONE, true},
                          {NONE_IN, true},
                          {NONE_IN, true},
                          {NONE, true},
                          {NONE_IN, true},
                          {FROM, true},
                          {FROM, true},
                          {FROM, true}},
    [VERB_SUBSCRIBED] = {{NONE, false},
                         {NONE_OUT, false},
                         {FROM, true},
                         {FROM_OUT, true},
                         {TO, false},
                         {BOTH, true},
                         {FROM, false},
                         {FROM_OUT, false},
                         {BOTH, false}},
    [VERB_UNSUBSCRIBED] = {{NONE, false},
                           {NONE_OUT, false},
                           {NONE, true},
                           {NONE_OUT, true},
                           {TO, false},
                           {TO, true},
                           {NONE, true},
                           {NONE_OUT, true},
                           {TO, true}},
};

static const step_table inbound = {
    [VERB_SUBSCRIBE] = {{NONE_IN, true},
                        {NONE_OUT_IN, true},
                        {NONE_IN, false},
                        {NONE_OUT_IN, false},
                        {TO_IN, true},
                        {TO_IN, false},
                        {FROM, false},
                        {FROM_OUT, false},
                        {BOTH, false}},
    [VERB_UNSUBSCRIBE] = {{NONE, false},
                          {NONE_OUT, false},
                          {NONE, true},
                          {NONE_OUT, true},
                          {TO, false},
                          {TO, true},
                          {NONE, true},
                          {NONE_OUT, true},
                          {TO, true}},
    [VERB_SUBSCRIBED] = {{NONE, false},
                         {TO, true},
                         {NONE_IN, false},
                         {TO_IN, true},
                         {TO, false},
                         {TO_IN, false},
                         {FROM, false},
                         {BOTH, true},
                         {BOTH, false}},
    [VERB_UNSUBSCRIBED] = {{NONE, false},
                           {NONE, true},
                           {NONE_IN, false},
                           {NONE_IN, true},
                           {NONE, true},
                           {NONE_IN, true},
                           {FROM, false},
                           {FROM, true},
                           {FROM, true}},
};

enum subscription_verb subscription_verb_of(struct slice presence_type)
{
    static const char *const names[] = {"subscribe", "unsubscribe",
                                        "subscribed", "unsubscribed"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (slice_is(presence_type, names[i]))
            return (enum subscription_verb)i;
    }
    return VERB_COUNT;
}

static struct subscription_step look_up(const step_table table,
                                        enum subscription_state state,
                                        enum subscription_verb verb)
{
    BUG_ON(state >= SUBSCRIPTION_STATE_COUNT || verb >= VERB_COUNT);
    return table[verb][state];
}

struct subscription_step subscription_outbound(enum subscription_state state,
                                               enum subscription_verb verb)
{
    return look_up(outbound, state, verb);
}

struct subscription_step subscription_inbound(enum subscription_state state,
                                              enum subscription_verb verb)
{
    return look_up(inbound, state, verb);
}

bool subscription_has_to(enum subscription_state state)
{
    return state == TO || state == TO_IN || state == BOTH;
}

bool subscription_has_from(enum subscription_state state)
{
    return state == FROM || state == FROM_OUT || state == BOTH;
}

bool subscription_has_ask(enum subscription_state state)
{
    return state == NONE_OUT || state == NONE_OUT_IN || state == FROM_OUT;
}

bool subscription_is_pending_in(enum subscription_state state)
{
    return state == NONE_IN || state == NONE_OUT_IN || state == TO_IN;
}

const char *subscription_name(enum subscription_state state)
{
    if (state == BOTH)
        return "both";
    if (subscription_has_to(state))
        return "to";
    return subscription_has_from(state) ? "from" : "none";
}
