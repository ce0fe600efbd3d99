#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/watch.h"
#include "tool.h"
#include "xmpp/jid.h"

enum {
    LISTEN_MS = 700,    /* everybody answers a newcomer's announcement */
    PATIENCE_MS = 1000, /* then we say that there is no broker yet */
};

static const struct tool_command *const commands[] = {
    &command_user_add,  &command_user_del,    &command_user_passwd,
    &command_user_list, &command_user_import, &command_sessions,
    &command_status,    &command_wait,        &command_tap,
    &command_dead_list, &command_dead_show,   &command_dead_retry,
    &command_dead_drop, &command_definitions,
};

static void print_command(FILE *out, const char *before,
                          const struct tool_command *command)
{
    fprintf(out, "%s%s%s%s\n", before, command->name,
            *command->arguments ? " " : "", command->arguments);
}

static void print_commands(FILE *out)
{
    fprintf(out, "Usage: oceanctl [--run-dir DIR | --config FILE] COMMAND\n\n"
                 "  --run-dir DIR   of a cluster started by deploy/cluster "
                 "(default ./run)\n"
                 "  --config FILE   how to reach the broker\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        print_command(out, "  ", commands[i]);
        fprintf(out, "      %s\n", commands[i]->help);
    }
}

void tool_usage(const struct tool_command *command, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "oceanctl: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    if (command)
        print_command(stderr, "Usage: oceanctl ", command);
    else
        fprintf(stderr, "oceanctl --help lists the commands\n");
    exit(EX_USAGE);
}

void tool_parse_none(struct tool *tool, int argc, char **argv)
{
    if (argc)
        tool_usage(tool->command, "takes no arguments, got \"%s\"", argv[0]);
}

void tool_finish(struct tool *tool, int exit_status)
{
    tool->exit_status = exit_status;
    tool->is_over = true;
    daemon_set_state(tool->daemon, MEMBER_LEAVING);
    fflush(stdout);
    daemon_finish(tool->daemon);
}

void tool_publish(struct tool *tool)
{
    daemon_publish(tool->daemon, &tool->output, NULL);
}

struct slice tool_node(const struct tool *tool)
{
    return slice_of(daemon_node(tool->daemon));
}

unsigned tool_partitions(const struct tool *tool)
{
    return (unsigned)daemon_common(tool->daemon)->partitions;
}

uint64_t tool_number(const struct tool_command *command, const char *text)
{
    char *end;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;

    if (!number || *end)
        tool_usage(command, "expected a positive number, got \"%s\"",
                   text ? text : "");
    return number;
}

char *tool_account_parse(const struct tool *tool, struct slice text,
                         struct buffer *why_out)
{
    const char *domain = daemon_common(tool->daemon)->domain;
    struct jid jid;
    const char *error;

    if (!jid_parse(text, &jid, &error) || !jid.local_size ||
        jid.size != jid.bare_size)
        buffer_appendf(why_out, "not an account's JID, like alice@%s", domain);
    else if (!slice_is(jid_text_domain(jid_bare(&jid)), domain))
        buffer_appendf(why_out, "not of %s, the domain of this cluster",
                       domain);
    else
        return memory_copy_text(jid_bare(&jid));
    return NULL;
}

char *tool_account(const struct tool *tool, const char *text)
{
    struct buffer why = BUFFER_EMPTY;
    char *account = tool_account_parse(tool, slice_of(text), &why);

    if (!account) {
        fprintf(stderr, "oceanctl: %s: %s\n", text, why.data);
        exit(EX_USAGE);
    }
    return account;
}

/* The command line. */

static bool begins_with_word(const struct tool_command *command,
                             const char *word)
{
    size_t size = strlen(word);

    return !strncmp(command->name, word, size) && command->name[size] == ' ';
}

/* A word that some commands begin with. */
static bool is_family(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (begins_with_word(commands[i], word))
            return true;
    }
    return false;
}

static void print_family(const char *word)
{
    fprintf(stderr, "Expected one of\n");
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (begins_with_word(commands[i], word))
            print_command(stderr, "  ", commands[i]);
    }
}

NO_RETURN static void unknown_command(int argc, char **argv)
{
    if (argc == 1 && is_family(argv[0]))
        fprintf(stderr, "oceanctl: \"%s\" alone is no command\n", argv[0]);
    else
        fprintf(stderr, "oceanctl: unknown command \"%s%s%s\"\n", argv[0],
                argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    if (is_family(argv[0]))
        print_family(argv[0]);
    else
        fprintf(stderr, "oceanctl --help lists the commands\n");
    exit(EX_USAGE);
}

/* Exits if there is no such command. */
static const struct tool_command *match(int *argc, char ***argv)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct buffer name = BUFFER_EMPTY;
        int words = strchr(commands[i]->name, ' ') ? 2 : 1;
        bool is_it;

        if (*argc < words)
            continue;
        buffer_append_text(&name, (*argv)[0]);
        if (words == 2)
            buffer_appendf(&name, " %s", (*argv)[1]);
        is_it = !strcmp(name.data, commands[i]->name);
        buffer_deinit(&name);
        if (is_it) {
            *argc -= words;
            *argv += words;
            return commands[i];
        }
    }
    unknown_command(*argc, *argv);
}

/* Options before the command; returns the configuration file. */
static char *take_global_options(int *argc, char ***argv)
{
    struct buffer file = BUFFER_EMPTY;

    while (*argc > 0 && !strncmp(**argv, "--", 2)) {
        const char *option = **argv;

        if (!strcmp(option, "--help")) {
            print_commands(stdout);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(option, "--run-dir") != 0 && strcmp(option, "--config") != 0)
            tool_usage(NULL, "unknown option %s before the command", option);
        if (*argc < 2)
            tool_usage(NULL, "%s: expected a value after it", option);
        buffer_clear(&file);
        buffer_append_text(&file, (*argv)[1]);
        if (!strcmp(option, "--run-dir"))
            buffer_append_text(&file, "/oceanctl.conf");
        *argc -= 2;
        *argv += 2;
    }
    if (!file.data)
        buffer_append_text(&file, "run/oceanctl.conf");
    return file.data;
}

/* Life as a daemon. */

static void on_event(void *owner, const struct event *event)
{
    struct tool *tool = owner;

    if (tool->has_begun && tool->command->event)
        tool->command->event(tool, event);
}

static void give_up(struct tool *tool)
{
    const struct daemon_common *common = daemon_common(tool->daemon);
    unsigned long seconds = tool->timeout_ms / 1000;

    if (!bus_is_connected(daemon_bus(tool->daemon)))
        fprintf(stderr,
                "oceanctl: no connection to the broker at %s:%lu in %lu s\n",
                common->broker_host, (unsigned long)common->broker_port,
                seconds);
    else if (tool->has_begun && tool->command->late)
        tool->command->late(tool);
    else
        fprintf(stderr, "oceanctl: no answer from the cluster in %lu s\n",
                seconds);
    tool_finish(tool, TOOL_EXIT_TIMEOUT);
}

/* Not of `wait`, which is there for that. */
static void say_we_wait(struct tool *tool)
{
    const struct daemon_common *common = daemon_common(tool->daemon);

    if (tool->has_said || tool->command == &command_wait)
        return;
    tool->has_said = true;
    fprintf(stderr, "oceanctl: waiting for the broker at %s:%lu\n",
            common->broker_host, (unsigned long)common->broker_port);
}

static void step(void *argument)
{
    struct tool *tool = argument;
    uint64_t now = clock_now_ms();

    if (tool->is_over)
        return;
    if (tool->timeout_ms && now - tool->began_ms >= tool->timeout_ms) {
        give_up(tool);
        return;
    }
    if (now - tool->began_ms >= PATIENCE_MS &&
        !bus_is_connected(daemon_bus(tool->daemon)))
        say_we_wait(tool);
    if (!tool->has_begun && members_is_fresh(daemon_members(tool->daemon)) &&
        now - tool->began_ms >= LISTEN_MS) {
        tool->has_begun = true;
        tool->command->begin(tool);
    } else if (tool->has_begun && tool->command->tick) {
        tool->command->tick(tool);
    }
}

static void on_refused(void *owner, const char *what, const char *reason)
{
    struct tool *tool = owner;

    if (tool->is_over)
        return; /* said already, of the other connection */
    fprintf(stderr, "oceanctl: the broker refuses %s: %s\n", what, reason);
    tool_finish(tool, EX_NOPERM);
}

static void run(struct tool *tool)
{
    static const struct daemon_spec spec = {
        .kind = KIND_TOOL,
        .service = SERVICE_NONE,
        .node_event = on_event,
        .bus = {.refused = on_refused},
    };
    char *argv[] = {(char *)(uintptr_t) "oceanctl",
                    (char *)(uintptr_t) "--config",
                    tool->config_file,
                    (char *)(uintptr_t) "--log-level",
                    (char *)(uintptr_t) "error",
                    NULL};
    struct loop_timer *steps;

    if (access(tool->config_file, R_OK) != 0) {
        fprintf(stderr,
                "oceanctl: cannot read %s: name a running cluster with "
                "--run-dir DIR or --config FILE\n",
                tool->config_file);
        exit(EX_CONFIG);
    }
    tool->daemon = daemon_start(&spec, tool, 5, argv);
    tool->began_ms = clock_now_ms();
    daemon_output_init(tool->daemon, &tool->output);
    steps = loop_timer_create(daemon_loop(tool->daemon), step, tool);
    loop_timer_repeat(steps, 50);
    daemon_run(tool->daemon);
    loop_timer_destroy(&steps);
    output_deinit(&tool->output);
    daemon_stop(&tool->daemon);
}

int main(int argc, char **argv)
{
    struct tool tool = {0};

    argc--;
    argv++;
    log_set_level(LOG_LEVEL_ERROR);
    tool.config_file = take_global_options(&argc, &argv);
    if (argc == 0)
        tool_usage(NULL, "a command is missing");
    tool.command = match(&argc, &argv);
    if (argc == 1 && !strcmp(argv[0], "--help")) {
        print_command(stdout, "Usage: oceanctl ", tool.command);
        printf("%s\n", tool.command->help);
        return EXIT_SUCCESS;
    }
    tool.timeout_ms = tool.command->timeout_ms;
    tool.command->parse(&tool, argc, argv);
    if (tool.command->begin)
        run(&tool);
    memory_free(&tool.state);
    memory_free(&tool.config_file);
    return tool.exit_status;
}
