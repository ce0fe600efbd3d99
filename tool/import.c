#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/worker.h"
#include "password.h"
#include "tool.h"

enum { WINDOW = 512, LINE_BYTES = 8 * 1024, SILENCE_MS = 30000 };

/* Lines are read, keys derived on worker threads, requests sent and answered,
 * with at most WINDOW of them between reading and answer. */
struct import {
    FILE *file;
    struct worker_pool *workers;
    struct tool *tool;
    uint64_t line; /* last one read */
    size_t under_way;
    size_t created, failed;
    uint64_t heard_ms;
    bool is_read;
};

struct import_job {
    struct import *import;
    uint64_t line;
    char *account;
    char *password;
    struct buffer keys;
};

static void run_job(void *argument)
{
    struct import_job *job = argument;

    password_derive(slice_of(job->password), &job->keys);
}

static void job_destroy(void *argument)
{
    struct import_job *job = argument;

    password_wipe(&job->password);
    memory_free(&job->account);
    buffer_deinit(&job->keys);
    memory_free(&job);
}

static void done_job(void *argument)
{
    struct import_job *job = argument;
    struct tool *tool = job->import->tool;
    struct event event;

    event_init(&event, EVENT_ACCOUNT_SET);
    event.to = slice_of(job->account);
    event.node = tool_node(tool);
    event.request = job->line;
    event.subtype = SLICE("create");
    event.keys = buffer_slice(&job->keys);
    output_to_user(&tool->output, SERVICE_ROSTER, event.to, &event);
    tool_publish(tool);
    job_destroy(job);
}

static void complain(struct import *import, uint64_t line, const char *what)
{
    fprintf(stderr, "oceanctl: line %lu: %s\n", (unsigned long)line, what);
    import->failed++;
}

static void submit(struct import *import, char *account, char *password)
{
    struct import_job *job = memory_new(sizeof(*job));

    job->import = import;
    job->line = import->line;
    job->account = account;
    job->password = password;
    import->under_way++;
    if (!worker_submit(import->workers, run_job, done_job, job))
        job_destroy(job);
}

static char *prepare_password(const char *text, struct buffer *why_out)
{
    const char *error = NULL;
    char *password = password_prepare(text, &error);

    if (!password)
        buffer_appendf(why_out, "the password %s", error);
    return password;
}

static void take_line(struct import *import, char *line)
{
    char *tab = strchr(line, '\t');
    struct buffer why = BUFFER_EMPTY;
    char *account;
    char *password = NULL;

    import->line++;
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line)
        return;
    if (!tab || !tab[1]) {
        complain(import, import->line, "expected JID, tab, password");
        return;
    }
    account = tool_account_parse(
        import->tool, (struct slice){line, (size_t)(tab - line)}, &why);
    if (account)
        password = prepare_password(tab + 1, &why);
    if (password) {
        submit(import, account, password);
        return;
    }
    complain(import, import->line, why.data);
    buffer_deinit(&why);
    memory_free(&account);
}

static void finish(struct import *import)
{
    struct tool *tool = import->tool;

    printf("%zu created, %zu failed\n", import->created, import->failed);
    worker_pool_destroy(&import->workers, job_destroy);
    fclose(import->file);
    tool_finish(tool, import->failed ? TOOL_EXIT_REFUSED : TOOL_EXIT_DONE);
}

/* A password cut short would be a wrong one. */
static bool skip_long(struct import *import, const char *line)
{
    size_t size = strlen(line);
    int byte = 0;

    if (size < LINE_BYTES - 1 || line[size - 1] == '\n')
        return false;
    while (byte != '\n' && byte != EOF)
        byte = getc(import->file);
    complain(import, ++import->line, "too long");
    return true;
}

static void read_more(struct import *import)
{
    static char line[LINE_BYTES];

    while (!import->is_read && import->under_way < WINDOW) {
        if (!fgets(line, sizeof(line), import->file))
            import->is_read = true;
        else if (!skip_long(import, line))
            take_line(import, line);
    }
    explicit_bzero(line, sizeof(line));
    if (import->is_read && !import->under_way && import->workers)
        finish(import);
}

static void parse(struct tool *tool, int argc, char **argv)
{
    struct import *import;

    if (argc != 1)
        tool_usage(tool->command, "expected a file name (- = standard input)");
    import = memory_new(sizeof(*import));
    import->file = strcmp(argv[0], "-") != 0 ? fopen(argv[0], "re") : stdin;
    if (!import->file) {
        fprintf(stderr, "oceanctl: cannot read %s\n", argv[0]);
        exit(EX_NOINPUT);
    }
    import->tool = tool;
    tool->state = import;
}

static void begin(struct tool *tool)
{
    struct import *import = tool->state;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    import->workers = worker_pool_create(
        daemon_loop(tool->daemon), processors > 1 ? (size_t)processors : 1, 0);
    import->heard_ms = clock_now_ms();
    read_more(import);
}

static void on_answer(struct tool *tool, const struct event *event)
{
    struct import *import = tool->state;

    if (event->type != EVENT_ACCOUNT_ANSWER || !import->workers)
        return;
    import->heard_ms = clock_now_ms();
    import->under_way--;
    if (slice_is(event->condition, "conflict"))
        complain(import, event->request, "exists already");
    else if (slice_is_set(event->condition))
        complain(import, event->request, "refused");
    else
        import->created++;
    read_more(import);
}

static void on_tick(struct tool *tool)
{
    struct import *import = tool->state;

    if (!import->workers || worker_pending(import->workers) ||
        clock_now_ms() - import->heard_ms < SILENCE_MS)
        return;
    fprintf(stderr, "oceanctl: no answer from the roster service\n");
    tool_finish(tool, TOOL_EXIT_TIMEOUT);
}

const struct tool_command command_user_import = {
    .name = "user import",
    .arguments = "FILE",
    .help = "create accounts: a line each with JID, tab, password (- = "
            "standard input)",
    .parse = parse,
    .begin = begin,
    .event = on_answer,
    .tick = on_tick,
};
