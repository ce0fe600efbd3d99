/*
 * A command of oceanctl without a cluster: what it publishes stays in
 * its output, what it prints is caught.
 */
#ifndef UNIT_TOOL_FIXTURE_H
#define UNIT_TOOL_FIXTURE_H

#include "../../../tool/password.h"
#include "../../../tool/tool.h"
#include "catch.h"
#include "folder.h"
#include "outputs.h"
#include "xmpp/jid.h"

#include <event2/event.h>

#include <stdarg.h>
#include <sys/wait.h>
#include <sysexits.h>

static struct folder fixture_folder;
static bool fixture_is_finished;

/* What tool/ takes from oceanctl.c. */

void tool_usage(const struct tool_command *command, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    exit(EX_USAGE);
}

void tool_parse_none(struct tool *tool, int argc, char **argv)
{
    (void)tool;
    (void)argc;
    (void)argv;
}

void tool_finish(struct tool *tool, int exit_status)
{
    tool->exit_status = exit_status;
    fixture_is_finished = true;
}

void tool_publish(struct tool *tool)
{
    (void)tool;
}

struct slice tool_node(const struct tool *tool)
{
    (void)tool;
    return SLICE("ctl");
}

unsigned tool_partitions(const struct tool *tool)
{
    return tool->output.partitions;
}

/* An account is in the domain "x". */
char *tool_account_parse(const struct tool *tool, struct slice text,
                         struct buffer *why_out)
{
    struct jid jid;
    const char *error;

    (void)tool;
    if (!jid_parse(text, &jid, &error) || !jid.local_size ||
        jid.size != jid.bare_size ||
        !slice_is(jid_text_domain(jid_bare(&jid)), "x")) {
        buffer_append_text(why_out, "not an account's JID here");
        return NULL;
    }
    return memory_copy_text(jid_bare(&jid));
}

char *tool_account(const struct tool *tool, const char *text)
{
    struct buffer why = BUFFER_EMPTY;
    char *account = tool_account_parse(tool, slice_of(text), &why);

    if (!account)
        exit(EX_USAGE);
    return account;
}

uint64_t tool_number(const struct tool_command *command, const char *text)
{
    if (!text)
        tool_usage(command, "expected a positive number");
    return strtoul(text, NULL, 10);
}

static inline const char *fixture_file(const char *name, struct slice content)
{
    static char path[FOLDER_PATH_BYTES];
    FILE *file = fopen(folder_path(&fixture_folder, "", name, path), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(content.data, 1, content.size, file), content.size);
    fclose(file);
    return path;
}

/* Runs what may exit in a process of its own.  Returns its exit status, 0 if it
 * came back, -1 for a crash. */
static inline int fixture_exit_status(void (*run)(void *argument),
                                      void *argument)
{
    struct buffer printed = BUFFER_EMPTY;
    struct catch catch;
    int status = -1;
    pid_t child;

    catch_begin(&catch);
    child = fork();
    if (child == 0) {
        run(argument);
        _exit(EXIT_SUCCESS);
    }
    waitpid(child, &status, 0);
    catch_end(&catch, &printed);
    buffer_deinit(&printed);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
