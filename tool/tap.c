#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tool.h"

/* Copies of what passes: an exclusive queue of our own, bound where the tapped
 * one is.  Nothing is taken from anybody. */
struct tap {
    const char *what;
    enum event_type type; /* EVENT_TYPE_COUNT: any */
    uint64_t count;       /* 0: no limit */
    uint64_t seconds;
    uint64_t seen;
    unsigned queues, started;
    bool with_payload;
};

static void parse(struct tool *tool, int argc, char **argv)
{
    struct tap *tap = memory_new(sizeof(*tap));

    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "--payload")) {
            tap->with_payload = true;
            continue;
        }
        if (!strcmp(argv[i], "--count"))
            tap->count = tool_number(tool->command, value);
        else if (!strcmp(argv[i], "--seconds"))
            tap->seconds = tool_number(tool->command, value);
        else if (!strncmp(argv[i], "--", 2) || tap->what)
            tool_usage(tool->command, "unexpected argument \"%s\"", argv[i]);
        else
            tap->what = argv[i--];
        i++;
    }
    if (!tap->what)
        tool_usage(tool->command, "expected a queue or an event type");
    tap->type = event_type_find(slice_of(tap->what));
    tool->state = tap;
}

static void show(struct tool *tool, const struct event *event)
{
    struct tap *tap = tool->state;
    struct buffer line = BUFFER_EMPTY;

    if (event->type == EVENT_PARTITION_PROBE &&
        tap->type != EVENT_PARTITION_PROBE)
        return;
    if (tap->type != EVENT_TYPE_COUNT && tap->type != event->type)
        return;
    event_describe(&line, event, tap->with_payload);
    puts(line.data);
    fflush(stdout);
    buffer_deinit(&line);
    if (++tap->seen == tap->count)
        tool_finish(tool, TOOL_EXIT_DONE);
}

static void on_message(void *argument, struct bus_message *message)
{
    struct tool *tool = argument;
    struct tap *tap = tool->state;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error;
    enum event_read read = event_batch_open(&batch, message->body, &error);

    while ((read == EVENT_READ_OK || read == EVENT_READ_BAD) &&
           (!tap->count || tap->seen < tap->count)) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            show(tool, &event);
        else if (read == EVENT_READ_BAD)
            printf("(cannot be read: %s)\n", error);
    }
}

static void on_started(void *argument)
{
    struct tool *tool = argument;
    struct tap *tap = tool->state;

    if (++tap->started != tap->queues) /* it starts again after a break */
        return;
    if (tap->type == EVENT_TYPE_COUNT)
        fprintf(stderr, "oceanctl: listening to %s\n", tap->what);
    else
        fprintf(stderr, "oceanctl: listening to %u queues for %s\n",
                tap->queues, tap->what);
}

static void open_tap(struct tool *tool, const char *exchange, const char *key)
{
    struct tap *tap = tool->state;
    char queue[NAME_MAX_BYTES];
    struct bus_subscribe subscribe = {
        .queue = queue,
        .declare = BUS_DECLARE_TAP,
        .exchange = exchange,
        .key = key,
        .consumer_tag = daemon_node(tool->daemon),
        .no_ack = true,
        .received = on_message,
        .started = on_started,
        .argument = tool,
    };

    snprintf(queue, sizeof(queue), "tap.%s.%u", daemon_node(tool->daemon),
             tap->queues++);
    bus_subscribe(daemon_bus(tool->daemon), &subscribe);
}

static void tap_services(struct tool *tool)
{
    char key[NAME_MAX_BYTES];

    for (unsigned s = 0; s < SERVICE_COUNT; s++) {
        for (unsigned p = 0; p < tool_partitions(tool); p++)
            open_tap(tool, service_exchange((enum service_id)s),
                     partition_key(p, key));
    }
}

static void tap_frontends(struct tool *tool)
{
    const struct member *member = NULL;

    while ((member = members_next(daemon_members(tool->daemon), member))) {
        if (!strcmp(member->kind, "frontend"))
            open_tap(tool, EXCHANGE_FRONTEND, member->node);
    }
}

static bool is_partition(const struct tool *tool, const char *text)
{
    char key[NAME_MAX_BYTES];
    unsigned p = 0;

    while (p < tool_partitions(tool) &&
           strcmp(partition_key(p, key), text) != 0)
        p++;
    return p < tool_partitions(tool);
}

/* "delivery.03", "frontend.<node>" */
static bool tap_queue(struct tool *tool, struct slice name)
{
    const char *dot = memchr(name.data, '.', name.size);
    struct slice kind;
    enum service_id service;

    if (!dot)
        return false;
    kind = (struct slice){name.data, (size_t)(dot - name.data)};
    service = service_find(kind);
    if (service != SERVICE_NONE && is_partition(tool, dot + 1))
        open_tap(tool, service_exchange(service), dot + 1);
    else if (slice_is(kind, "frontend"))
        open_tap(tool, EXCHANGE_FRONTEND, dot + 1);
    else
        return false;
    return true;
}

static void begin(struct tool *tool)
{
    struct tap *tap = tool->state;

    if (tap->type != EVENT_TYPE_COUNT) {
        tap_services(tool);
        tap_frontends(tool);
    } else if (!tap_queue(tool, slice_of(tap->what))) {
        fprintf(stderr,
                "oceanctl: expected a queue like delivery.00 (to %02u) or an "
                "event type like stanza.route, got \"%s\"\n",
                tool_partitions(tool) - 1, tap->what);
        tool_finish(tool, TOOL_EXIT_REFUSED);
    }
}

static void on_tick(struct tool *tool)
{
    const struct tap *tap = tool->state;

    if (tap->seconds && clock_now_ms() - tool->began_ms >= tap->seconds * 1000)
        tool_finish(tool, TOOL_EXIT_DONE);
}

const struct tool_command command_tap = {
    .name = "tap",
    .arguments = "QUEUE|TYPE [--payload] [--count N] [--seconds N]",
    .help = "print events as they pass a queue, or all of a type, without "
            "taking them",
    .parse = parse,
    .begin = begin,
    .tick = on_tick,
};
