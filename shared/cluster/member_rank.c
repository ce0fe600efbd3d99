#include "base/memory.h"
#include "cluster/member.h"

#include <xxhash.h>

#include <limits.h>
#include <stdlib.h>

struct ranked {
    const struct member *member;
    XXH64_hash_t score;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return strcmp(a->member->node, b->member->node);
}

static bool is_candidate(const struct member *member, enum service_id service)
{
    return member->service == service && member->state == MEMBER_UP;
}

static size_t count_candidates(const struct members *members,
                               enum service_id service)
{
    const struct member *member = NULL;
    size_t count = 0;

    while ((member = members_next(members, member)))
        count += is_candidate(member, service);
    return count;
}

/* All of them, best first; to be freed. */
static struct ranked *rank_all(const struct members *members,
                               enum service_id service, unsigned partition,
                               size_t *count_out)
{
    const struct member *member = NULL;
    struct ranked *all =
        memory_new_array(count_candidates(members, service) + 1, sizeof(*all));
    size_t count = 0;

    while ((member = members_next(members, member))) {
        if (!is_candidate(member, service))
            continue;
        all[count].member = member;
        all[count++].score =
            XXH64(member->node, strlen(member->node), partition);
    }
    qsort(all, count, sizeof(*all), compare_ranked);
    *count_out = count;
    return all;
}

const struct member *members_first(const struct members *members,
                                   enum service_id service, unsigned partition)
{
    size_t count;
    struct ranked *all = rank_all(members, service, partition, &count);
    const struct member *first = count ? all[0].member : NULL;

    memory_free(&all);
    return first;
}

/* Sharing out: the rankings of all partitions, one row each. */

struct table {
    struct ranked **rows;
    unsigned partitions;
    size_t columns;
};

static void table_init(struct table *table, const struct members *members,
                       enum service_id service, unsigned partitions)
{
    table->partitions = partitions;
    table->columns = 0;
    table->rows = memory_new_array(partitions, sizeof(*table->rows));
    for (unsigned i = 0; i < partitions; i++)
        table->rows[i] = rank_all(members, service, i, &table->columns);
}

static void table_deinit(struct table *table)
{
    for (unsigned i = 0; i < table->partitions; i++)
        memory_free(&table->rows[i]);
    memory_free(&table->rows);
}

static unsigned count_owned(const struct member *const *owners, unsigned count,
                            const struct member *member)
{
    unsigned owned = 0;

    for (unsigned i = 0; i < count; i++)
        owned += owners[i] == member;
    return owned;
}

/* The best of that ranking that has not got its share yet.  If all who take the
 * partition have it, because others decline theirs: the one with the least. */
static const struct member *choose(const struct table *table,
                                   const struct member *gone,
                                   const struct member *const *owners,
                                   unsigned partition)
{
    size_t takers = table->columns - (gone ? 1 : 0);
    const struct member *least = NULL;
    unsigned fewest = UINT_MAX;

    for (size_t j = 0; j < table->columns; j++) {
        const struct member *member = table->rows[partition][j].member;
        unsigned owned = count_owned(owners, partition, member);

        if (member == gone || member_declines(member, partition))
            continue;
        if (owned * takers < table->partitions)
            return member;
        if (owned < fewest) {
            fewest = owned;
            least = member;
        }
    }
    return least;
}

/* One partition after the other; as if `gone` (may be NULL) were not there. */
static void share_out(const struct table *table, const struct member *gone,
                      const struct member **owners)
{
    for (unsigned i = 0; i < table->partitions; i++)
        owners[i] = choose(table, gone, owners, i);
}

static void find_standbys(const struct table *table, const struct member *owner,
                          const struct member **scratch,
                          struct member_share *shares)
{
    share_out(table, owner, scratch);
    for (unsigned i = 0; i < table->partitions; i++) {
        if (shares[i].owner == owner)
            shares[i].standby = scratch[i];
    }
}

void members_share(const struct members *members, enum service_id service,
                   unsigned partitions, struct member_share *shares_out)
{
    struct table table;
    const struct member **owners =
        memory_new_array(partitions, sizeof(*owners));

    table_init(&table, members, service, partitions);
    share_out(&table, NULL, owners);
    for (unsigned i = 0; i < partitions; i++)
        shares_out[i] = (struct member_share){owners[i], NULL};
    for (size_t j = 0; j < table.columns; j++)
        find_standbys(&table, table.rows[0][j].member, owners, shares_out);
    table_deinit(&table);
    memory_free(&owners);
}
