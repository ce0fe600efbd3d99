#include "unit.h"

#include <stdio.h>

#include "base/log.h"
#include "cluster/member.h"

enum { GRACE = 5, PARTITIONS = 64 };

struct seen {
    unsigned joined, left, left_in_order, changed;
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

static const struct member_hooks hooks = {on_joined, on_left, on_changed};

static void hear(struct members *members, const char *node, const char *kind,
                 const char *state, const char *shares)
{
    static uint64_t turn;
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = 1;
    event.node = slice_of(node);
    event.service = slice_of(kind);
    event.state = slice_of(state);
    event.shares = slice_of(shares);
    event.partitions = PARTITIONS;
    event.mark = ++turn;
    members_heard(members, &event);
}

static void silence_counts_only_while_own_announcements_return(void)
{
    struct seen seen = {0};
    struct members *members = members_create("me", GRACE, &hooks, &seen);

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
    struct members *members = members_create("me", GRACE, &hooks, &seen);

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
    struct members *members = members_create("me", GRACE, &hooks, &seen);

    hear(members, "other", "delivery", "starting", "--");
    hear(members, "other", "delivery", "starting", "--");
    CU_ASSERT_EQUAL(seen.changed, 0);
    hear(members, "other", "delivery", "up", "--");
    hear(members, "other", "delivery", "up", "s-");
    hear(members, "other", "delivery", "up", "so");
    hear(members, "other", "delivery", "up", "so");
    CU_ASSERT_EQUAL(seen.changed, 3);
    members_destroy(&members);
}

static void the_walk_is_sorted_and_complete(void)
{
    struct seen seen = {0};
    struct members *members = members_create("me", GRACE, &hooks, &seen);
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

/* Partitions per instance; returns how many have moved since `owners`. */
static unsigned count_shares(struct members *members, unsigned *shares,
                             char owners[PARTITIONS][NAME_MAX_BYTES])
{
    unsigned moved = 0;

    for (unsigned p = 0; p < PARTITIONS; p++) {
        const struct member *ranked[2];
        size_t count = members_rank(members, SERVICE_DELIVERY, p, ranked, 2);

        BUG_ON(count != 2);
        CU_ASSERT_PTR_NOT_EQUAL(ranked[0], ranked[1]);
        shares[ranked[0]->node[1] - '0']++;
        moved += strcmp(owners[p], ranked[0]->node) != 0;
        snprintf(owners[p], NAME_MAX_BYTES, "%s", ranked[0]->node);
    }
    return moved;
}

static void ranking_is_even_and_moves_little(void)
{
    struct seen seen = {0};
    struct members *members = members_create("me", GRACE, &hooks, &seen);
    static char owners[PARTITIONS][NAME_MAX_BYTES];
    unsigned shares[10] = {0};
    unsigned moved;

    hear(members, "d0", "delivery", "up", "");
    hear(members, "d1", "delivery", "up", "");
    hear(members, "p5", "presence", "up", "");
    hear(members, "d6", "delivery", "starting", "");
    count_shares(members, shares, owners);
    CU_ASSERT_EQUAL(shares[0] + shares[1], PARTITIONS);
    CU_ASSERT_TRUE(shares[0] > 16 && shares[1] > 16);
    hear(members, "d2", "delivery", "up", "");
    memset(shares, 0, sizeof(shares));
    moved = count_shares(members, shares, owners);
    CU_ASSERT_EQUAL(moved, shares[2]); /* nothing moves among the others */
    CU_ASSERT_TRUE(shares[2] > 8 && shares[2] < 40);
    members_destroy(&members);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"silence counts only while own announcements return",
         silence_counts_only_while_own_announcements_return},
        {"leaving is told at once", leaving_is_told_at_once},
        {"only real changes are told", only_real_changes_are_told},
        {"the walk is sorted and complete", the_walk_is_sorted_and_complete},
        {"ranking is even and moves little", ranking_is_even_and_moves_little},
    };

    log_set_level(LOG_LEVEL_ERROR);
    return unit_run("member", cases, ARRAY_SIZE(cases));
}
