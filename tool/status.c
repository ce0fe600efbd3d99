#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tool.h"

static bool is_frontend(const struct member *member)
{
    return !strcmp(member->kind, "frontend");
}

/* status */

struct queue_line {
    struct tool *tool;
    char name[NAME_MAX_BYTES];
};

static size_t queues_asked;
static size_t queues_answered;

/* Its shares, with an x for what it declines. */
static const char *letters_of(const struct member *member,
                              char out[PARTITIONS_MAX + 1])
{
    snprintf(out, PARTITIONS_MAX + 1, "%s", member->shares);
    for (unsigned i = 0; out[i]; i++) {
        if (member_declines(member, i))
            out[i] = 'x';
    }
    return out;
}

static void print_members(const struct tool *tool)
{
    char letters[PARTITIONS_MAX + 1];
    static const char *const states[] = {"starting", "up", "draining",
                                         "leaving"};
    const struct member *member = NULL;

    printf("%-28s %-10s %-9s %s\n", "MEMBER", "KIND", "STATE", "PARTITIONS");
    while ((member = members_next(daemon_members(tool->daemon), member))) {
        if (!member->is_self)
            printf("%-28s %-10s %-9s %s\n", member->node, member->kind,
                   states[member->state], letters_of(member, letters));
    }
    printf("(a letter per partition: o owner, s standby, - neither, x too old "
           "for it)\n\n");
}

static void on_inspected(void *argument, bool exists, uint64_t messages,
                         uint64_t consumers)
{
    struct queue_line *line = argument;
    struct tool *tool = line->tool;

    if (!exists)
        printf("%-28s missing\n", line->name);
    else if (messages || !consumers)
        printf("%-28s %8lu %10lu\n", line->name, (unsigned long)messages,
               (unsigned long)consumers);
    memory_free(&line);
    if (++queues_answered < queues_asked)
        return;
    printf("(%zu queues; those with a consumer and nothing ready are not "
           "shown)\n",
           queues_asked);
    tool_finish(tool, TOOL_EXIT_DONE);
}

static void inspect(struct tool *tool, const char *queue)
{
    struct queue_line *line = memory_new(sizeof(*line));

    line->tool = tool;
    snprintf(line->name, sizeof(line->name), "%s", queue);
    queues_asked++;
    bus_inspect(daemon_bus(tool->daemon), queue, on_inspected, line);
}

static void begin_status(struct tool *tool)
{
    const struct member *member = NULL;
    char queue[NAME_MAX_BYTES];

    print_members(tool);
    printf("%-28s %8s %10s\n", "QUEUE", "READY", "CONSUMERS");
    for (unsigned s = 0; s < SERVICE_COUNT; s++) {
        for (unsigned p = 0; p < tool_partitions(tool); p++)
            inspect(tool, partition_queue((enum service_id)s, p, queue));
    }
    while ((member = members_next(daemon_members(tool->daemon), member))) {
        if (is_frontend(member))
            inspect(tool, inbox_queue(slice_of(member->node), queue));
    }
    inspect(tool, QUEUE_DEAD);
}

const struct tool_command command_status = {
    .name = "status",
    .arguments = "",
    .help = "members, partitions and their owners, queues that wait",
    .parse = tool_parse_none,
    .begin = begin_status,
    .timeout_ms = 15000,
};

/* sessions */

static size_t frontends_asked;
static size_t frontends_answered;
static size_t sessions_seen;

static void begin_sessions(struct tool *tool)
{
    const struct member *member = NULL;
    struct event event;

    while ((member = members_next(daemon_members(tool->daemon), member))) {
        if (!is_frontend(member))
            continue;
        event_init(&event, EVENT_SNAPSHOT_ASK);
        event.service = SLICE("oceanctl");
        event.partition = 0xffff;
        event.node = tool_node(tool);
        event.request = ++frontends_asked;
        output_to_node(&tool->output, slice_of(member->node), &event);
    }
    tool_publish(tool);
    if (!frontends_asked) {
        fprintf(stderr, "oceanctl: no frontend is up\n");
        tool_finish(tool, TOOL_EXIT_REFUSED);
    }
}

static void on_session(struct tool *tool, const struct event *event)
{
    char since[CLOCK_STAMP_SIZE];

    if (event->type == EVENT_SNAPSHOT_SESSION) {
        sessions_seen++;
        clock_format_stamp(event->stamp, since);
        printf("%.*s %s %.*s %.*s since %s\n", SLICE_FORMAT(event->from),
               event->is_available ? "available" : "connected",
               SLICE_FORMAT(event->node), SLICE_FORMAT(event->address), since);
    } else if (event->type == EVENT_SNAPSHOT_END &&
               ++frontends_answered == frontends_asked) {
        if (!sessions_seen)
            fprintf(stderr, "no sessions\n");
        tool_finish(tool, TOOL_EXIT_DONE);
    }
}

const struct tool_command command_sessions = {
    .name = "sessions",
    .arguments = "",
    .help = "who is connected, where, from which address, since when",
    .parse = tool_parse_none,
    .begin = begin_sessions,
    .event = on_session,
    .timeout_ms = 30000,
};
