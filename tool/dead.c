#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "tool.h"

/*
 * The queue of dead letters.  A command consumes as much of it as it must, from
 * its head, and acknowledges only what is dropped, or published again and
 * confirmed; when the channel is closed all the rest is back in its place.  So
 * nothing is lost whenever oceanctl dies, though an event may then both be
 * retried and still be dead.
 */

enum { PREFETCH_MAX = 65535 }; /* more: the broker sends all it has */

struct dead {
    uint64_t wanted; /* counted from 1; 0: all */
    bool with_payload;
    uint64_t total; /* letters when we began */
    uint64_t seen;
    uint64_t done; /* of those that the command is about */
    uint64_t kept;
    size_t pending; /* published, unconfirmed */
    struct bus_subscription *subscription;
    int exit_status;
    void (*act)(struct tool *tool, struct bus_message *message);
};

/* A letter on its way back to where it came from. */
struct retry {
    struct tool *tool;
    struct bus_message *message;
};

static uint64_t last_wanted(const struct dead *dead)
{
    return dead->wanted ? dead->wanted : dead->total;
}

static void close_queue(struct tool *tool)
{
    struct dead *dead = tool->state;

    if (dead->subscription && !dead->pending && dead->seen >= last_wanted(dead))
        bus_unsubscribe(&dead->subscription);
}

/* Reading a letter. */

/* Its only event; false: what is in there is none (error_out). */
static bool open_letter(const struct bus_message *message, struct event *event,
                        struct slice *raw_out, const char **error_out)
{
    struct event_batch batch;
    enum event_read read = event_batch_open(&batch, message->body, error_out);

    *raw_out = SLICE_NONE;
    if (read == EVENT_READ_OK)
        read = event_batch_next(&batch, event, raw_out, error_out);
    return read == EVENT_READ_OK;
}

static void print_age(uint64_t stamp)
{
    uint64_t now = clock_unix_ms() / 1000;
    uint64_t age = now > stamp ? now - stamp : 0;

    if (!stamp)
        printf("%8s", "?");
    else if (age < 600)
        printf("%7" PRIu64 "s", age);
    else if (age < 36000)
        printf("%7" PRIu64 "m", age / 60);
    else
        printf("%7" PRIu64 "h", age / 3600);
}

static void print_text(const char *label, struct slice text)
{
    char printable[256];

    if (slice_is_set(text))
        printf("%s%s", label,
               log_printable(text, printable, sizeof(printable)));
}

static void list_letter(struct tool *tool, struct bus_message *message)
{
    const struct dead *dead = tool->state;
    struct event event;
    struct slice raw;
    const char *error;

    printf("%5" PRIu64, dead->seen);
    print_age(message->stamp);
    print_text(" ", message->dead_queue);
    print_text(" \"", message->dead_reason);
    if (open_letter(message, &event, &raw, &error)) {
        printf("\" %s", event_type_name(event.type));
        print_text(" from=", event.from);
        print_text(" to=", event.to);
    } else {
        printf("\" (cannot be read: %s)", error);
    }
    putchar('\n');
}

static void show_letter(struct tool *tool, struct bus_message *message)
{
    const struct dead *dead = tool->state;
    struct buffer line = BUFFER_EMPTY;
    char stamp[CLOCK_STAMP_SIZE] = "?";
    struct event event;
    struct slice raw;
    const char *error;

    if (message->stamp)
        clock_format_stamp(message->stamp * 1000, stamp);
    print_text("queue   ", message->dead_queue);
    print_text("\nreason  ", message->dead_reason);
    printf("\nsince   %s\n", stamp);
    if (open_letter(message, &event, &raw, &error)) {
        event_describe(&line, &event, dead->with_payload);
        printf("event   %s\n", line.data);
    } else {
        printf("event   cannot be read: %s (%zu bytes)\n", error,
               message->body.size);
    }
    buffer_deinit(&line);
}

/* Taking one out. */

static void take_out(struct tool *tool, struct bus_message *message)
{
    struct dead *dead = tool->state;

    dead->done++;
    tool->began_ms = clock_now_ms(); /* the time-out is for standing still */
    if (dead->subscription)
        bus_ack(dead->subscription, message);
}

static void on_confirmed(void *argument)
{
    struct retry *retry = argument;
    struct tool *tool = retry->tool;
    struct dead *dead = tool->state;

    dead->pending--;
    take_out(tool, retry->message);
    memory_free(&retry);
    close_queue(tool);
}

/* "delivery.03", "frontend.<node>"; NULL: no queue of ours.  Core: an inbox
 * that is gone must not swallow what is published to it. */
static struct bus_destination *destination_of(struct tool *tool,
                                              struct slice queue)
{
    const char *dot = queue.size ? memchr(queue.data, '.', queue.size) : NULL;
    struct slice kind, key;
    enum service_id service;
    const char *exchange;

    if (!dot)
        return NULL;
    kind = (struct slice){queue.data, (size_t)(dot - queue.data)};
    key = (struct slice){dot + 1, queue.size - kind.size - 1};
    service = service_find(kind);
    if (service != SERVICE_NONE)
        exchange = service_exchange(service);
    else if (slice_is(kind, "frontend"))
        exchange = EXCHANGE_FRONTEND;
    else
        return NULL;
    return bus_destination(daemon_bus(tool->daemon), exchange, key, BUS_CORE);
}

static void keep_letter(struct tool *tool, const char *why)
{
    struct dead *dead = tool->state;

    fprintf(stderr, "oceanctl: %" PRIu64 " stays: %s\n", dead->seen, why);
    dead->kept++;
    dead->exit_status = TOOL_EXIT_REFUSED;
}

/* Events behind it have passed meanwhile: by its old path it would be taken
 * for a repeat, by its epoch for one of a former owner.  By its id it is still
 * known if it comes twice. */
static void go_another_way(const struct tool *tool, struct event *event,
                           struct buffer *out)
{
    event->path ^= daemon_boot(tool->daemon);
    event->by = SLICE_NONE;
    event->epoch = 0;
    event_encode(out, event);
}

static void retry_letter(struct tool *tool, struct bus_message *message)
{
    struct dead *dead = tool->state;
    struct bus_destination *destination =
        destination_of(tool, message->dead_queue);
    struct bus_receipt *receipt;
    struct retry *retry;
    struct buffer encoded = BUFFER_EMPTY;
    struct event event;
    struct slice raw;
    const char *error;
    bool is_good;

    is_good = open_letter(message, &event, &raw, &error);
    if (!destination || !slice_is_set(raw)) {
        keep_letter(tool, destination ? "it is no event and can only be dropped"
                                      : "where it came from is not known");
        return;
    }
    /* A bad event may be good for whoever consumes now. */
    if (is_good)
        go_another_way(tool, &event, &encoded);
    else
        buffer_append(&encoded, raw);
    retry = memory_new(sizeof(*retry));
    retry->tool = tool;
    retry->message = message;
    receipt = bus_receipt_create(daemon_bus(tool->daemon), on_confirmed, retry);
    dead->pending++;
    bus_publish(destination, buffer_slice(&encoded), true, receipt);
    bus_receipt_seal(receipt);
    buffer_deinit(&encoded);
}

/* Consuming. */

static void on_received(void *argument, struct bus_message *message)
{
    struct tool *tool = argument;
    struct dead *dead = tool->state;

    if (dead->seen >= last_wanted(dead))
        return;
    dead->seen++;
    if (!dead->wanted || dead->seen == dead->wanted)
        dead->act(tool, message);
    close_queue(tool);
}

static void on_reset(void *argument, const char *reason)
{
    struct tool *tool = argument;

    fprintf(stderr, "oceanctl: the queue was lost, nothing is: %s\n", reason);
    tool_finish(tool, TOOL_EXIT_TIMEOUT);
}

static void on_closed(void *argument)
{
    struct tool *tool = argument;
    const struct dead *dead = tool->state;

    if (dead->act == retry_letter)
        printf("%" PRIu64 " retried, %" PRIu64 " kept\n", dead->done,
               dead->kept);
    tool_finish(tool, dead->exit_status);
}

static void consume(struct tool *tool)
{
    struct dead *dead = tool->state;
    uint64_t window = last_wanted(dead);
    struct bus_subscribe subscribe = {
        .queue = QUEUE_DEAD,
        .declare = BUS_DECLARE_PASSIVE,
        .consumer_tag = daemon_node(tool->daemon),
        .prefetch = window > PREFETCH_MAX ? 0 : (unsigned)window,
        .received = on_received,
        .reset = on_reset,
        .closed = on_closed,
        .argument = tool,
    };

    dead->subscription = bus_subscribe(daemon_bus(tool->daemon), &subscribe);
}

static void refuse(struct tool *tool, int exit_status, const char *why)
{
    fprintf(stderr, "oceanctl: %s\n", why);
    tool_finish(tool, exit_status);
}

static void on_inspected(void *argument, bool exists, uint64_t messages,
                         uint64_t consumers)
{
    struct tool *tool = argument;
    struct dead *dead = tool->state;

    dead->total = messages;
    if (!exists) {
        refuse(tool, TOOL_EXIT_REFUSED, "there is no queue \"" QUEUE_DEAD "\"");
    } else if (consumers) { /* it would have some of the letters */
        refuse(tool, TOOL_EXIT_TIMEOUT,
               "somebody else reads the queue just now, try again");
    } else if (dead->wanted > messages) {
        fprintf(stderr,
                "oceanctl: there is no %" PRIu64 ": %" PRIu64
                " events are dead\n",
                dead->wanted, messages);
        tool_finish(tool, TOOL_EXIT_REFUSED);
    } else if (!messages) {
        printf("nothing is dead\n");
        tool_finish(tool, TOOL_EXIT_DONE);
    } else {
        consume(tool);
    }
}

static void begin(struct tool *tool)
{
    bus_inspect(daemon_bus(tool->daemon), QUEUE_DEAD, on_inspected, tool);
}

/* The commands. */

static struct dead *dead_new(struct tool *tool,
                             void (*act)(struct tool *tool,
                                         struct bus_message *message))
{
    struct dead *dead = memory_new(sizeof(*dead));

    dead->act = act;
    tool->state = dead;
    return dead;
}

static void parse_list(struct tool *tool, int argc, char **argv)
{
    tool_parse_none(tool, argc, argv);
    dead_new(tool, list_letter);
}

static void parse_show(struct tool *tool, int argc, char **argv)
{
    struct dead *dead = dead_new(tool, show_letter);

    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--payload"))
            dead->with_payload = true;
        else if (dead->wanted)
            tool_usage(tool->command, "unexpected argument \"%s\"", argv[i]);
        else
            dead->wanted = tool_number(tool->command, argv[i]);
    }
    if (!dead->wanted)
        tool_usage(tool->command, "expected a number of `dead list`");
}

/* N or "all" */
static void parse_which(struct tool *tool, int argc, char **argv)
{
    struct dead *dead = tool->state;

    if (argc != 1)
        tool_usage(tool->command, "expected a number of `dead list`, or all");
    if (strcmp(argv[0], "all") != 0)
        dead->wanted = tool_number(tool->command, argv[0]);
}

static void parse_retry(struct tool *tool, int argc, char **argv)
{
    dead_new(tool, retry_letter);
    parse_which(tool, argc, argv);
}

static void parse_drop(struct tool *tool, int argc, char **argv)
{
    dead_new(tool, take_out);
    parse_which(tool, argc, argv);
}

const struct tool_command command_dead_list = {
    .name = "dead list",
    .arguments = "",
    .help = "events that could not be handled: number, age, queue, reason",
    .parse = parse_list,
    .begin = begin,
    .timeout_ms = 30000,
};

const struct tool_command command_dead_show = {
    .name = "dead show",
    .arguments = "N [--payload]",
    .help = "one of them with all its fields",
    .parse = parse_show,
    .begin = begin,
    .timeout_ms = 30000,
};

const struct tool_command command_dead_retry = {
    .name = "dead retry",
    .arguments = "N|all",
    .help = "send them again to the queue they came from",
    .parse = parse_retry,
    .begin = begin,
    .timeout_ms = 30000,
};

const struct tool_command command_dead_drop = {
    .name = "dead drop",
    .arguments = "N|all",
    .help = "throw them away",
    .parse = parse_drop,
    .begin = begin,
    .timeout_ms = 30000,
};
