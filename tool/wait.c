#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "tool.h"

/* wait: until every partition has an owner and so many frontends are up; of a
 * service that a number is given for, until that many share its partitions. */

struct wait {
    uint64_t frontends;
    uint64_t instances[SERVICE_COUNT]; /* 0: any */
};

static uint64_t count_up(const struct members *members, const char *kind)
{
    const struct member *member = NULL;
    uint64_t count = 0;

    while ((member = members_next(members, member)))
        count += !strcmp(member->kind, kind) && member->state == MEMBER_UP;
    return count;
}

static bool owns(const struct member *member, unsigned partition)
{
    return strlen(member->shares) > partition &&
           member->shares[partition] == 'o';
}

static const struct member *owner_of(const struct members *members,
                                     enum service_id service,
                                     unsigned partition)
{
    const struct member *member = NULL;

    while ((member = members_next(members, member))) {
        if (member->service == service && owns(member, partition))
            return member;
    }
    return NULL;
}

/* `expected`: who should own it, or NULL when anybody may. */
static bool partition_is_missing(const struct tool *tool,
                                 enum service_id service, unsigned partition,
                                 const struct member *expected,
                                 struct buffer *what_out)
{
    const struct members *members = daemon_members(tool->daemon);
    char queue[NAME_MAX_BYTES];

    if (!owner_of(members, service, partition))
        buffer_appendf(what_out, "%s has no owner",
                       partition_queue(service, partition, queue));
    else if (expected && !owns(expected, partition))
        buffer_appendf(what_out, "%s has not moved to its new owner yet",
                       partition_queue(service, partition, queue));
    return what_out->size > 0;
}

static bool partitions_are_missing(const struct tool *tool,
                                   enum service_id service, bool is_shared,
                                   struct buffer *what_out)
{
    struct member_share shares[PARTITIONS_MAX];
    bool is_missing = false;

    members_share(daemon_members(tool->daemon), service, tool_partitions(tool),
                  shares);
    for (unsigned p = 0; !is_missing && p < tool_partitions(tool); p++)
        is_missing = partition_is_missing(
            tool, service, p, is_shared ? shares[p].owner : NULL, what_out);
    return is_missing;
}

static bool service_is_missing(const struct tool *tool, enum service_id service,
                               struct buffer *what_out)
{
    const struct wait *wait = tool->state;
    const char *name = service_name(service);
    uint64_t wanted = wait->instances[service];
    uint64_t count = count_up(daemon_members(tool->daemon), name);

    if (!wanted || count == wanted)
        return partitions_are_missing(tool, service, wanted > 0, what_out);
    buffer_appendf(what_out, "instances of %s that are up: %lu instead of %lu",
                   name, (unsigned long)count, (unsigned long)wanted);
    return true;
}

/* The first thing that is not yet as it should be. */
static bool is_missing(const struct tool *tool, struct buffer *what_out)
{
    const struct wait *wait = tool->state;
    uint64_t frontends = count_up(daemon_members(tool->daemon), "frontend");
    bool is_it = frontends < wait->frontends;

    if (is_it)
        buffer_appendf(what_out, "%lu of %lu frontends are up",
                       (unsigned long)frontends,
                       (unsigned long)wait->frontends);
    for (unsigned s = 0; !is_it && s < SERVICE_COUNT; s++)
        is_it = service_is_missing(tool, (enum service_id)s, what_out);
    return is_it;
}

static void check(struct tool *tool)
{
    struct buffer what = BUFFER_EMPTY;

    if (!is_missing(tool, &what))
        tool_finish(tool, TOOL_EXIT_DONE);
    buffer_deinit(&what);
}

static void explain(struct tool *tool)
{
    struct buffer what = BUFFER_EMPTY;

    if (is_missing(tool, &what))
        fprintf(stderr, "oceanctl: waited %lu s, but %s\n",
                (unsigned long)(tool->timeout_ms / 1000), what.data);
    buffer_deinit(&what);
}

static void parse(struct tool *tool, int argc, char **argv)
{
    struct wait *wait = memory_new(sizeof(*wait));

    tool->state = wait;
    wait->frontends = 1;
    for (int i = 0; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        const char *name = !strncmp(argv[i], "--", 2) ? argv[i] + 2 : "";
        enum service_id service = service_find(slice_of(name));

        if (!strcmp(name, "frontends"))
            wait->frontends = tool_number(tool->command, value);
        else if (!strcmp(name, "timeout"))
            tool->timeout_ms = tool_number(tool->command, value) * 1000;
        else if (service != SERVICE_NONE)
            wait->instances[service] = tool_number(tool->command, value);
        else
            tool_usage(tool->command, "unknown option \"%s\"", argv[i]);
    }
}

const struct tool_command command_wait = {
    .name = "wait",
    .arguments = "[--frontends N] [--SERVICE N ...] [--timeout SECONDS]",
    .help = "return when every partition has an owner, N frontends are up and "
            "N of a service share its partitions",
    .parse = parse,
    .begin = check,
    .tick = check,
    .late = explain,
    .timeout_ms = 60000,
};
