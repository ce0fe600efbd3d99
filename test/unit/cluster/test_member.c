#include "catch.h"

#include <stdio.h>

#include "base/log.h"
#include "cluster/member.h"

enum { GRACE = 5, PARTITIONS = 64 };

#define DOMAIN "localhost"

struct seen {
    unsigned joined, left, left_in_order, changed, strangers;
    char last[NAME_MAX_BYTES];
};

static void on_joined(void *owner, const struct member *member)
{
    struct seen *seen = owner;

    seen->joined++;
    snprintf(seen->last, sizeof(seen->last), "%s", member->node);
}

static void on_left(void *owner, const struct member *member, bool in_order)
{
    struct seen *seen = owner;

    seen->left++;
    seen->left_in_order += in_order;
    snprintf(seen->last, sizeof(seen->last), "%s", member->node);
}

static void on_changed(void *owner, const struct member *member)
{
    struct seen *seen = owner;

    (void)member;
    seen->changed++;
}

static void on_stranger(void *owner, const struct member *member)
{
    struct seen *seen = owner;

    seen->strangers++;
    snprintf(seen->last, sizeof(seen->last), "%s", member->node);
}

static const struct member_hooks hooks = {on_joined, on_left, on_changed,
                                          on_stranger};

static void announcement_init(struct event *event, const char *node,
                              const char *kind, const char *state,
                              const char *shares)
{
    static uint64_t turn;

    event_init(event, EVENT_MEMBER_ANNOUNCE);
    event->origin = 1;
    event->node = slice_of(node);
    event->service = slice_of(kind);
    event->state = slice_of(state);
    event->shares = slice_of(shares);
    event->partitions = PARTITIONS;
    event->mark = ++turn;
}

static void hear_declining(struct members *members, const char *node,
                           const char *kind, const char *state,
                           const char *shares, const char *declined)
{
    struct event event;

    announcement_init(&event, node, kind, state, shares);
    event.declined = slice_of(declined);
    members_heard(members, &event);
}

static void hear_of_domain(struct members *members, const char *domain,
                           const char *node, const char *state,
                           const char *shares)
{
    struct event event;

    announcement_init(&event, node, "delivery", state, shares);
    event.domain = slice_of(domain);
    members_heard(members, &event);
}

static void hear(struct members *members, const char *node, const char *kind,
                 const char *state, const char *shares)
{
    hear_declining(members, node, kind, state, shares, NULL);
}

static void silence_counts_only_while_own_announcements_return(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);

    hear(members, "other", "delivery", "up", "--");
    CU_ASSERT_EQUAL(seen.joined, 1);
    CU_ASSERT_FALSE(members_is_fresh(members));
    for (int i = 0; i < 100; i++) /* nothing of ours comes back: frozen */
        hear(members, "third", "presence", "up", "--");
    CU_ASSERT_PTR_NOT_NULL(members_find(members, SLICE("other")));
    for (int i = 0; i < GRACE; i++)
        hear(members, "me", "delivery", "up", "--");
    CU_ASSERT_EQUAL(seen.left, 0);
    CU_ASSERT_TRUE(members_is_fresh(members));
    hear(members, "third", "presence", "up", "--");
    hear(members, "me", "delivery", "up", "--");
    CU_ASSERT_EQUAL(seen.left, 1);
    CU_ASSERT_EQUAL(seen.left_in_order, 0);
    CU_ASSERT_STRING_EQUAL(seen.last, "other");
    CU_ASSERT_PTR_NOT_NULL(members_find(members, SLICE("third")));
    members_destroy(&members);
}

static void leaving_is_told_at_once(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);

    hear(members, "other", "delivery", "up", "--");
    hear(members, "other", "delivery", "leaving", "--");
    CU_ASSERT_EQUAL(seen.left_in_order, 1);
    hear(members, "other", "delivery", "leaving", "--");
    CU_ASSERT_EQUAL(seen.left, 1);
    CU_ASSERT_EQUAL(seen.joined, 1);
    CU_ASSERT_PTR_NULL(members_find(members, SLICE("other")));
    members_destroy(&members);
}

static void only_real_changes_are_told(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);

    hear(members, "other", "delivery", "starting", "--");
    hear(members, "other", "delivery", "starting", "--");
    CU_ASSERT_EQUAL(seen.changed, 0);
    hear(members, "other", "delivery", "up", "--");
    hear(members, "other", "delivery", "up", "s-");
    hear(members, "other", "delivery", "up", "so");
    hear(members, "other", "delivery", "up", "so");
    CU_ASSERT_EQUAL(seen.changed, 3);
    hear_declining(members, "other", "delivery", "up", "so", "");
    CU_ASSERT_EQUAL(seen.changed, 3);
    hear_declining(members, "other", "delivery", "up", "-o", "x-");
    hear_declining(members, "other", "delivery", "up", "-o", "x-");
    hear_declining(members, "other", "delivery", "up", "-o", "-x");
    CU_ASSERT_EQUAL(seen.changed, 5);
    members_destroy(&members);
}

static void the_walk_is_sorted_and_complete(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    static const char *const nodes[] = {"b", "a", "ab", "c", "aa"};
    static const char *const sorted[] = {"a", "aa", "ab", "b", "c"};
    const struct member *member = NULL;
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        hear(members, nodes[i], "frontend", "up", "");
    while ((member = members_next(members, member)) &&
           count < ARRAY_SIZE(sorted))
        CU_ASSERT_STRING_EQUAL(member->node, sorted[count++]);
    CU_ASSERT_EQUAL(count, ARRAY_SIZE(sorted));
    CU_ASSERT_PTR_NULL(member);
    members_destroy(&members);
}

/* Into `owned`, by the digit in the name; returns how many have moved since
 * `owners`. */
static unsigned share(struct members *members, unsigned *owned,
                      char owners[PARTITIONS][NAME_MAX_BYTES])
{
    struct member_share shares[PARTITIONS];
    unsigned moved = 0;

    memset(owned, 0, 10 * sizeof(*owned));
    members_share(members, SERVICE_DELIVERY, PARTITIONS, shares);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(shares[i].owner);
        CU_ASSERT_PTR_NOT_EQUAL(shares[i].owner, shares[i].standby);
        owned[shares[i].owner->node[1] - '0']++;
        moved += strcmp(owners[i], shares[i].owner->node) != 0;
        snprintf(owners[i], NAME_MAX_BYTES, "%s", shares[i].owner->node);
    }
    return moved;
}

static void nobody_owns_more_than_its_part(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    static char owners[PARTITIONS][NAME_MAX_BYTES];
    unsigned owned[10];
    unsigned moved;

    hear(members, "d1", "delivery", "up", "");
    hear(members, "d0", "delivery", "up", "");
    hear(members, "p5", "presence", "up", "");
    hear(members, "d6", "delivery", "starting", "");
    share(members, owned, owners);
    CU_ASSERT_TRUE(owned[0] == 32 && owned[1] == 32);
    hear(members, "d2", "delivery", "up", "");
    moved = share(members, owned, owners);
    CU_ASSERT_TRUE(owned[0] <= 22 && owned[1] <= 22 && owned[2] <= 22);
    CU_ASSERT_TRUE(moved >= owned[2] && moved <= owned[2] + 6);
    hear(members, "d2", "delivery", "leaving", "");
    share(members, owned, owners);
    CU_ASSERT_TRUE(owned[0] == 32 && owned[1] == 32);
    members_destroy(&members);
}

/* So the broker, which gives it to him, has already done what is to be done. */
static void a_standby_owns_when_the_owner_dies(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    struct member_share before[PARTITIONS];
    struct member_share after[PARTITIONS];
    const struct member *heirs[PARTITIONS] = {0};
    unsigned inherited = 0;

    hear(members, "d0", "delivery", "up", "");
    members_share(members, SERVICE_DELIVERY, PARTITIONS, before);
    CU_ASSERT_PTR_NULL(before[0].standby);
    for (char node[] = "d1"; node[1] < '4'; node[1]++)
        hear(members, node, "delivery", "up", "");
    members_share(members, SERVICE_DELIVERY, PARTITIONS, before);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        if (!strcmp(before[i].owner->node, "d3"))
            heirs[i] = before[i].standby;
    }
    hear(members, "d3", "delivery", "leaving", "");
    members_share(members, SERVICE_DELIVERY, PARTITIONS, after);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        CU_ASSERT_TRUE(!heirs[i] || heirs[i] == after[i].owner);
        inherited += heirs[i] != NULL;
    }
    CU_ASSERT_EQUAL(inherited, PARTITIONS / 4);
    members_destroy(&members);
}

/* The first half of the partitions. */
static const char first_half[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/* Neither as owner nor as standby, and the others have the same parts of it. */
static void who_declines_a_partition_is_not_given_it(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    struct member_share shares[PARTITIONS];
    const struct member *old;
    unsigned owned[10] = {0};

    for (char node[] = "d0"; node[1] < '3'; node[1]++)
        hear(members, node, "delivery", "up", "");
    hear_declining(members, "d1", "delivery", "up", "", first_half);
    old = members_find(members, SLICE("d1"));
    members_share(members, SERVICE_DELIVERY, PARTITIONS, shares);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        bool is_declined = i < strlen(first_half);

        CU_ASSERT_EQUAL(member_declines(old, i), is_declined);
        CU_ASSERT_PTR_NOT_NULL_FATAL(shares[i].owner);
        CU_ASSERT_PTR_NOT_NULL_FATAL(shares[i].standby);
        CU_ASSERT_PTR_NOT_EQUAL(shares[i].owner, shares[i].standby);
        CU_ASSERT_FALSE(is_declined && shares[i].owner == old);
        CU_ASSERT_FALSE(is_declined && shares[i].standby == old);
        owned[shares[i].owner->node[1] - '0']++;
    }
    CU_ASSERT_TRUE(owned[0] <= 22 && owned[1] <= 22 && owned[2] <= 22);
    members_destroy(&members);
}

/* More than its part, if there is nobody else for it; or nobody at all. */
static void what_others_decline_goes_to_who_has_the_least(void)
{
    static char all[PARTITIONS + 1];
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    struct member_share shares[PARTITIONS];
    static char owners[PARTITIONS][NAME_MAX_BYTES];
    unsigned owned[10];

    memset(all, 'x', PARTITIONS);
    hear(members, "d0", "delivery", "up", "");
    hear(members, "d1", "delivery", "up", "");
    hear_declining(members, "d2", "delivery", "up", "", all);
    share(members, owned, owners);
    CU_ASSERT_TRUE(owned[0] == 32 && owned[1] == 32);
    hear_declining(members, "d1", "delivery", "up", "", first_half);
    share(members, owned, owners);
    CU_ASSERT_EQUAL(owned[0] + owned[1], PARTITIONS);
    CU_ASSERT_TRUE(owned[0] >= 32);
    hear_declining(members, "d0", "delivery", "up", "", all);
    members_share(members, SERVICE_DELIVERY, PARTITIONS, shares);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        CU_ASSERT_EQUAL(shares[i].owner == NULL, i < strlen(first_half));
        CU_ASSERT_PTR_NULL(shares[i].standby);
    }
    members_destroy(&members);
}

static void a_stranger_does_not_count(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);
    const struct member *member = NULL;
    struct member_share shares[PARTITIONS];
    struct buffer log = BUFFER_EMPTY;
    struct catch caught;

    catch_begin(&caught);
    hear_of_domain(members, "other", "d0", "starting", "--");
    hear_of_domain(members, "other", "d0", "up", "oo");
    hear_of_domain(members, DOMAIN, "d1", "up", "--");
    catch_end(&caught, &log);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(log.data, "member d0: its domain is other, ours localhost"));
    CU_ASSERT_EQUAL(strchr(log.data, '\n') - log.data, (long)log.size - 1);
    buffer_deinit(&log);
    CU_ASSERT_EQUAL(seen.strangers, 1);
    CU_ASSERT_EQUAL(seen.joined, 1);
    CU_ASSERT_EQUAL(seen.changed, 0);
    CU_ASSERT_PTR_NULL(members_find(members, SLICE("d0")));
    member = members_next(members, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(member);
    CU_ASSERT_STRING_EQUAL(member->node, "d1");
    CU_ASSERT_PTR_NULL(members_next(members, member));
    members_share(members, SERVICE_DELIVERY, PARTITIONS, shares);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        CU_ASSERT_PTR_EQUAL(shares[i].owner, member);
        CU_ASSERT_PTR_NULL(shares[i].standby);
        CU_ASSERT_PTR_EQUAL(members_first(members, SERVICE_DELIVERY, i),
                            member);
    }
    members_destroy(&members);
}

/* Members, and what is logged of them from now on. */
static struct members *watch(struct seen *seen, struct catch *caught)
{
    catch_begin(caught);
    return members_create("me", DOMAIN, GRACE, &hooks, seen);
}

static void a_stranger_goes_unnoticed(void)
{
    struct seen seen = {0};
    struct buffer log = BUFFER_EMPTY;
    struct catch caught;
    struct members *members = watch(&seen, &caught);

    hear_of_domain(members, "other", "d0", "up", "");
    hear_of_domain(members, "other", "d1", "up", "");
    hear_of_domain(members, "other", "d1", "leaving", "");
    for (int i = 0; i <= GRACE; i++)
        hear(members, "me", "delivery", "up", "");
    CU_ASSERT_EQUAL(seen.left, 0);
    hear_of_domain(members, "other", "d0", "up", ""); /* it had been given up */
    CU_ASSERT_EQUAL(seen.strangers, 3);
    catch_end(&caught, &log);
    buffer_deinit(&log);
    members_destroy(&members);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    while ((text = strstr(text, what))) {
        count++;
        text += strlen(what);
    }
    return count;
}

static void one_that_is_started_again_is_one_line(void)
{
    struct seen seen = {0};
    struct buffer log = BUFFER_EMPTY;
    struct catch caught;
    struct members *members = watch(&seen, &caught);

    hear_of_domain(members, "other", "delivery.2-aaaa", "up", "");
    hear_of_domain(members, "other", "delivery.2-bbbb", "up", "");
    hear_of_domain(members, "other", "delivery.3-cccc", "up", "");
    catch_end(&caught, &log);
    buffer_append_byte(&log, '\0');
    CU_ASSERT_EQUAL(count_of(log.data, "its domain is"), 2);
    CU_ASSERT_PTR_NULL(strstr(log.data, "delivery.2-bbbb"));
    CU_ASSERT_EQUAL(seen.strangers, 3); /* each has to hear of us */
    buffer_deinit(&log);
    members_destroy(&members);
}

/* It is of a version that did not have the field. */
static void who_does_not_say_its_domain_is_no_stranger(void)
{
    struct seen seen = {0};
    struct members *members =
        members_create("me", DOMAIN, GRACE, &hooks, &seen);

    hear_of_domain(members, NULL, "d0", "up", "");
    CU_ASSERT_EQUAL(seen.strangers, 0);
    CU_ASSERT_PTR_NOT_NULL(members_find(members, SLICE("d0")));
    members_destroy(&members);
}

static void the_first_is_the_same_for_everybody(void)
{
    struct seen seen = {0};
    struct members *one = members_create("me", DOMAIN, GRACE, &hooks, &seen);
    struct members *other = members_create("you", DOMAIN, GRACE, &hooks, &seen);

    CU_ASSERT_PTR_NULL(members_first(one, SERVICE_DELIVERY, 7));
    hear(one, "d0", "delivery", "up", "");
    hear(one, "d1", "delivery", "up", "");
    hear(other, "d1", "delivery", "up", "");
    hear(other, "d0", "delivery", "up", "");
    for (unsigned i = 0; i < PARTITIONS; i++)
        CU_ASSERT_STRING_EQUAL(members_first(one, SERVICE_DELIVERY, i)->node,
                               members_first(other, SERVICE_DELIVERY, i)->node);
    members_destroy(&one);
    members_destroy(&other);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"silence counts only while own announcements return",
         silence_counts_only_while_own_announcements_return},
        {"leaving is told at once", leaving_is_told_at_once},
        {"only real changes are told", only_real_changes_are_told},
        {"the walk is sorted and complete", the_walk_is_sorted_and_complete},
        {"nobody owns more than its part", nobody_owns_more_than_its_part},
        {"a standby owns when the owner dies",
         a_standby_owns_when_the_owner_dies},
        {"who declines a partition is not given it",
         who_declines_a_partition_is_not_given_it},
        {"what others decline goes to who has the least",
         what_others_decline_goes_to_who_has_the_least},
        {"a stranger does not count", a_stranger_does_not_count},
        {"a stranger goes unnoticed", a_stranger_goes_unnoticed},
        {"one that is started again is one line",
         one_that_is_started_again_is_one_line},
        {"who does not say its domain is no stranger",
         who_does_not_say_its_domain_is_no_stranger},
        {"the first is the same for everybody",
         the_first_is_the_same_for_everybody},
    };

    log_set_level(LOG_LEVEL_ERROR);
    return unit_run("member", cases, ARRAY_SIZE(cases));
}
