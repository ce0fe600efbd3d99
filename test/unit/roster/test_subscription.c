#include "fixture.h"

/* RFC 6121 A.1, and how a roster shows each (A.1, 2.1.2). */
static const struct {
    const char *name;
    enum subscription_state state;
    const char *shown;
    bool has_ask, has_request, may_see, may_be_seen;
} states[] = {
    {"None", SUBSCRIPTION_NONE, "none", false, false, false, false},
    {"None + Pending Out", SUBSCRIPTION_NONE_OUT, "none", true, false, false,
     false},
    {"None + Pending In", SUBSCRIPTION_NONE_IN, "none", false, true, false,
     false},
    {"None + Pending Out+In", SUBSCRIPTION_NONE_OUT_IN, "none", true, true,
     false, false},
    {"To", SUBSCRIPTION_TO, "to", false, false, true, false},
    {"To + Pending In", SUBSCRIPTION_TO_IN, "to", false, true, true, false},
    {"From", SUBSCRIPTION_FROM, "from", false, false, false, true},
    {"From + Pending Out", SUBSCRIPTION_FROM_OUT, "from", true, false, false,
     true},
    {"Both", SUBSCRIPTION_BOTH, "both", false, false, true, true},
};

enum { STATES = ARRAY_SIZE(states) };

/* Routed (A.2) or delivered (A.3), and the new state: NULL: no state change. */
struct row {
    bool passes;
    const char *next;
};

/* A table of the RFC has a row per state, in the order of A.1. */
struct rfc_table {
    const char *verb;
    struct row rows[STATES];
};

static const struct rfc_table outbound[] = {
    /* A.2.1 */
    {"subscribe",
     {{true, "None + Pending Out"},
      {true, NULL},
      {true, "None + Pending Out+In"},
      {true, NULL},
      {true, NULL},
      {true, NULL},
      {true, "From + Pending Out"},
      {true, NULL},
      {true, NULL}}},
    /* A.2.2 */
    {"unsubscribe",
     {{true, NULL},
      {true, "None"},
      {true, NULL},
      {true, "None + Pending In"},
      {true, "None"},
      {true, "None + Pending In"},
      {true, NULL},
      {true, "From"},
      {true, "From"}}},
    /* A.2.3, without pre-approval */
    {"subscribed",
     {{false, NULL},
      {false, NULL},
      {true, "From"},
      {true, "From + Pending Out"},
      {false, NULL},
      {true, "Both"},
      {false, NULL},
      {false, NULL},
      {false, NULL}}},
    /* A.2.4 */
    {"unsubscribed",
     {{false, NULL},
      {false, NULL},
      {true, "None"},
      {true, "None + Pending Out"},
      {false, NULL},
      {true, "To"},
      {true, "None"},
      {true, "None + Pending Out"},
      {true, "To"}}},
};

static const struct rfc_table inbound[] = {
    /* A.3.1; those subscribed already are answered "subscribed" (3.1.3) */
    {"subscribe",
     {{true, "None + Pending In"},
      {true, "None + Pending Out+In"},
      {false, NULL},
      {false, NULL},
      {true, "To + Pending In"},
      {false, NULL},
      {false, NULL},
      {false, NULL},
      {false, NULL}}},
    /* A.3.2 */
    {"unsubscribe",
     {{false, NULL},
      {false, NULL},
      {true, "None"},
      {true, "None + Pending Out"},
      {false, NULL},
      {true, "To"},
      {true, "None"},
      {true, "None + Pending Out"},
      {true, "To"}}},
    /* A.3.3 */
    {"subscribed",
     {{false, NULL},
      {true, "To"},
      {false, NULL},
      {true, "To + Pending In"},
      {false, NULL},
      {false, NULL},
      {false, NULL},
      {true, "Both"},
      {false, NULL}}},
    /* A.3.4 */
    {"unsubscribed",
     {{false, NULL},
      {true, "None"},
      {false, NULL},
      {true, "None + Pending In"},
      {true, "None"},
      {true, "None + Pending In"},
      {false, NULL},
      {true, "From"},
      {true, "From"}}},
};

static size_t state_named(const char *name, size_t unchanged)
{
    if (!name)
        return unchanged;
    for (size_t i = 0; i < STATES; i++) {
        if (!strcmp(states[i].name, name))
            return i;
    }
    CU_FAIL_FATAL("no such state");
    return unchanged;
}

/* One row of one table. */
struct trial {
    const char *verb;
    bool is_outbound;
    bool passes;
    size_t before, after;
};

typedef void (*trial_fn)(const struct trial *trial);

static void for_each_row(const struct rfc_table *tables, bool is_outbound,
                         trial_fn try)
{
    for (size_t t = 0; t < VERB_COUNT; t++) {
        for (size_t s = 0; s < STATES; s++) {
            const struct row *row = &tables[t].rows[s];
            struct trial trial = {tables[t].verb, is_outbound, row->passes, s,
                                  state_named(row->next, s)};

            try(&trial);
        }
    }
}

static void for_each_trial(trial_fn try)
{
    for_each_row(outbound, true, try);
    for_each_row(inbound, false, try);
}

static void explain(const struct trial *trial)
{
    printf("\n    %s \"%s\" in state \"%s\"\n",
           trial->is_outbound ? "outbound" : "inbound", trial->verb,
           states[trial->before].name);
}

static void check(const struct trial *trial, bool is_right)
{
    if (!is_right)
        explain(trial);
    CU_ASSERT_TRUE(is_right);
}

/* The tables alone. */

static void try_tables(const struct trial *trial)
{
    enum subscription_verb verb = subscription_verb_of(slice_of(trial->verb));
    enum subscription_state before = states[trial->before].state;
    struct subscription_step step;

    CU_ASSERT_NOT_EQUAL_FATAL(verb, VERB_COUNT);
    step = trial->is_outbound ? subscription_outbound(before, verb)
                              : subscription_inbound(before, verb);
    check(trial, step.passes == trial->passes);
    check(trial, step.next == states[trial->after].state);
}

static void test_tables(void)
{
    for_each_trial(try_tables);
}

static void test_what_states_mean(void)
{
    CU_ASSERT_EQUAL(STATES, SUBSCRIPTION_STATE_COUNT);
    for (size_t i = 0; i < STATES; i++) {
        enum subscription_state state = states[i].state;

        CU_ASSERT_STRING_EQUAL(subscription_name(state), states[i].shown);
        CU_ASSERT_EQUAL(subscription_has_ask(state), states[i].has_ask);
        CU_ASSERT_EQUAL(subscription_is_pending_in(state),
                        states[i].has_request);
        CU_ASSERT_EQUAL(subscription_has_to(state), states[i].may_see);
        CU_ASSERT_EQUAL(subscription_has_from(state), states[i].may_be_seen);
    }
}

static void test_verbs(void)
{
    static const char *const others[] = {"", "unavailable", "probe",
                                         "Subscribe", "subscribes"};

    CU_ASSERT_EQUAL(subscription_verb_of(SLICE("subscribe")), VERB_SUBSCRIBE);
    CU_ASSERT_EQUAL(subscription_verb_of(SLICE("unsubscribe")),
                    VERB_UNSUBSCRIBE);
    CU_ASSERT_EQUAL(subscription_verb_of(SLICE("subscribed")), VERB_SUBSCRIBED);
    CU_ASSERT_EQUAL(subscription_verb_of(SLICE("unsubscribed")),
                    VERB_UNSUBSCRIBED);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        CU_ASSERT_EQUAL(subscription_verb_of(slice_of(others[i])), VERB_COUNT);
    CU_ASSERT_EQUAL(subscription_verb_of(SLICE_NONE), VERB_COUNT);
}

/* The handlers, with a contact in the roster or not in it. */

static bool is_listed;

static size_t count_stanzas(enum stanza_kind kind)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    size_t count = 0;

    for (size_t i = 0; outputs_event(&output, i, &body, &event); i++)
        count += event.type == EVENT_STANZA_ROUTE && event.kind == kind;
    buffer_deinit(&body);
    return count;
}

/* The type of the stanza to the contact's half, "" when there is none. */
static void find_arrive(char *out, size_t size)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    *out = '\0';
    for (size_t i = 0; outputs_event(&output, i, &body, &event); i++) {
        if (event.type == EVENT_SUBSCRIPTION_ARRIVE)
            snprintf(out, size, "%.*s", SLICE_FORMAT(event.subtype));
    }
    buffer_deinit(&body);
}

/* What goes to the contact's half: the stanza itself, or RFC 6121 3.1.3. */
static const char *expected_arrive(const struct trial *trial)
{
    if (trial->is_outbound)
        return trial->passes ? trial->verb : "";
    return !strcmp(trial->verb, "subscribe") &&
                   states[trial->before].may_be_seen
               ? "subscribed"
               : "";
}

static bool joins_roster(const struct trial *trial)
{
    return trial->is_outbound && trial->passes &&
           (!strcmp(trial->verb, "subscribe") ||
            !strcmp(trial->verb, "subscribed"));
}

/* A push shows `subscription` and `ask`; it follows a change of them. */
static bool expects_push(const struct trial *trial)
{
    bool is_change =
        strcmp(states[trial->before].shown, states[trial->after].shown) != 0 ||
        states[trial->before].has_ask != states[trial->after].has_ask;

    return is_change && (is_listed || joins_roster(trial));
}

static void check_outputs(const struct trial *trial)
{
    bool is_delivered = !trial->is_outbound && trial->passes;
    bool is_told =
        strcmp(states[trial->before].shown, states[trial->after].shown) != 0;
    char arrive[32];
    size_t expected;

    find_arrive(arrive, sizeof(arrive));
    check(trial, !strcmp(arrive, expected_arrive(trial)));
    check(trial, count_stanzas(STANZA_PRESENCE) == is_delivered);
    check(trial, count_stanzas(STANZA_IQ) == expects_push(trial));
    check(trial, outputs_count(&output, EVENT_CONTACT_CHANGED) == is_told);
    expected = (size_t)(arrive[0] != '\0') + is_delivered + is_told;
    check(trial, output.count == expected + expects_push(trial));
}

static void check_item(const struct trial *trial)
{
    struct store_item item;
    bool is_there = fixture_get(CONTACT, &item);

    check(trial, item.state == states[trial->after].state);
    check(trial, is_there == (is_listed || joins_roster(trial) ||
                              states[trial->after].state != SUBSCRIPTION_NONE));
    check(trial, item.is_listed == (is_listed || joins_roster(trial)));
    check(trial, slice_is_set(item.request.payload) ==
                     states[trial->after].has_request);
}

static void try_handlers(const struct trial *trial)
{
    struct event event = trial->is_outbound
                             ? fixture_request(CONTACT, trial->verb)
                             : fixture_arrive(CONTACT, trial->verb);

    /* Only these can be without the user's having done something. */
    if (!is_listed && trial->before != SUBSCRIPTION_NONE &&
        trial->before != SUBSCRIPTION_NONE_IN)
        return;
    if (is_listed || trial->before != SUBSCRIPTION_NONE)
        fixture_put(CONTACT, states[trial->before].state, is_listed);
    fixture_send(&event);
    check_outputs(trial);
    check_item(trial);
    output_clear(&output);
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    store_remove_item(roster->store, SLICE(ANN), SLICE(CONTACT));
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
}

static void test_contact_in_the_roster(void)
{
    fixture_open();
    is_listed = true;
    for_each_trial(try_handlers);
    fixture_close();
}

static void test_contact_not_in_the_roster(void)
{
    fixture_open();
    is_listed = false;
    for_each_trial(try_handlers);
    fixture_close();
}

/* The same event a second time changes nothing and tells nobody of a change.
 */
static void try_repeats(const struct trial *trial)
{
    struct event event = trial->is_outbound
                             ? fixture_request(CONTACT, trial->verb)
                             : fixture_arrive(CONTACT, trial->verb);
    struct store_item item;

    fixture_put(CONTACT, states[trial->before].state, true);
    fixture_send(&event);
    output_clear(&output);
    fixture_send(&event);
    check(trial, count_stanzas(STANZA_IQ) == 0);
    check(trial, count_stanzas(STANZA_PRESENCE) == 0);
    check(trial, outputs_count(&output, EVENT_CONTACT_CHANGED) == 0);
    check(trial, output.count <= 1);
    fixture_get(CONTACT, &item);
    check(trial, item.state == states[trial->after].state);
    output_clear(&output);
}

static void test_repeats(void)
{
    fixture_open();
    for_each_trial(try_repeats);
    fixture_close();
}

/*
 * Two users in one partition, each with a half: any sequence of what one sends
 * ends in states that fit together, whatever states they began in that fit.
 */
#define OTHER CONTACT

static const struct {
    size_t ann, other;
} fitting[] = {{0, 0}, {1, 2}, {2, 1}, {3, 3}, {4, 6},
               {5, 7}, {6, 4}, {7, 5}, {8, 8}};

static void open_two(size_t pair)
{
    struct store_item item = {.jid = SLICE(ANN), .is_listed = true};

    fixture_open();
    fixture_put(OTHER, states[fitting[pair].ann].state, true);
    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    store_add_account(roster->store, SLICE(OTHER));
    item.state = states[fitting[pair].other].state;
    store_set_item(roster->store, SLICE(OTHER), &item);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
}

/* Hands every stanza for another half over, until there is none. */
static size_t settle(void)
{
    struct output sent = output;
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    size_t count = 0;

    outputs_init(&output);
    output.service = SERVICE_ROSTER;
    output.epoch = sent.epoch;
    for (size_t i = 0; outputs_event(&sent, i, &body, &event); i++) {
        if (event.type != EVENT_SUBSCRIPTION_ARRIVE)
            continue;
        fixture_send(&event);
        count++;
    }
    output_deinit(&sent);
    buffer_deinit(&body);
    return count;
}

static bool do_fit(void)
{
    struct store_item ours;
    struct store_item theirs;

    CU_ASSERT_TRUE_FATAL(roster_begin(roster));
    store_find_item(roster->store, &roster->arena, SLICE(ANN), SLICE(OTHER),
                    &ours);
    store_find_item(roster->store, &roster->arena, SLICE(OTHER), SLICE(ANN),
                    &theirs);
    CU_ASSERT_TRUE_FATAL(roster_commit(roster));
    for (size_t i = 0; i < ARRAY_SIZE(fitting); i++) {
        if (ours.state == states[fitting[i].ann].state)
            return theirs.state == states[fitting[i].other].state;
    }
    return false;
}

static void test_halves_fit(void)
{
    for (size_t pair = 0; pair < ARRAY_SIZE(fitting); pair++) {
        for (size_t verb = 0; verb < ARRAY_SIZE(outbound); verb++) {
            struct event event = fixture_request(OTHER, outbound[verb].verb);
            size_t rounds = 0;

            open_two(pair);
            CU_ASSERT_TRUE(do_fit());
            fixture_send(&event);
            while (settle())
                rounds++;
            CU_ASSERT_TRUE(rounds <= 2);
            CU_ASSERT_TRUE(do_fit());
            fixture_close();
        }
    }
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"tables", test_tables},
        {"what states mean", test_what_states_mean},
        {"verbs", test_verbs},
        {"a contact in the roster", test_contact_in_the_roster},
        {"a contact not in the roster", test_contact_not_in_the_roster},
        {"repeats", test_repeats},
        {"the halves fit", test_halves_fit},
    };

    return unit_run("roster subscription", cases, ARRAY_SIZE(cases));
}
