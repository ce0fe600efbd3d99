/*
 * oceanctl: a short-lived member of the cluster.  A command is a few hooks over
 * a daemon (cluster/daemon.h): it starts when the broker is connected and the
 * members have been heard, and ends by tool_finish.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include "cluster/daemon.h"

enum tool_exit {
    TOOL_EXIT_DONE = 0,
    TOOL_EXIT_REFUSED = 1,  /* the cluster said no */
    TOOL_EXIT_TIMEOUT = 75, /* EX_TEMPFAIL */
};

struct tool;

struct tool_command {
    const char *name;      /* "user add" */
    const char *arguments; /* for the usage line */
    const char *help;
    /* Takes its own arguments; exits with usage on an error. */
    void (*parse)(struct tool *tool, int argc, char **argv);
    void (*begin)(struct tool *tool);
    void (*event)(struct tool *tool, const struct event *event);
    void (*tick)(struct tool *tool);
    void (*late)(struct tool *tool); /* says what has not come in time */
    uint64_t timeout_ms;             /* 0: until interrupted */
};

struct tool {
    const struct tool_command *command;
    struct daemon *daemon;
    char *config_file;
    void *state; /* of the command */
    uint64_t began_ms, timeout_ms;
    bool has_begun, has_said, is_over;
    int exit_status;
    struct output output;
};

/* Prints what is wrong and how to call it; exits 64. */
NO_RETURN void tool_usage(const struct tool_command *command,
                          const char *format, ...) PRINTF_LIKE(2, 3);
/* For a command that takes no arguments. */
void tool_parse_none(struct tool *tool, int argc, char **argv);
void tool_finish(struct tool *tool, int exit_status);
void tool_publish(struct tool *tool);
/* Node name, for answers. */
struct slice tool_node(const struct tool *tool);
unsigned tool_partitions(const struct tool *tool);
/* A JID of an account in the served domain, prepared; exits 64 if it is not
 * one.  The caller owns it. */
char *tool_account(const struct tool *tool, const char *text);
/* As tool_account; NULL instead of exiting, and why_out says what it is not. */
char *tool_account_parse(const struct tool *tool, struct slice text,
                         struct buffer *why_out);
/* A positive number after an option; exits 64. */
uint64_t tool_number(const struct tool_command *command, const char *text);

extern const struct tool_command command_definitions;
extern const struct tool_command command_user_add;
extern const struct tool_command command_user_del;
extern const struct tool_command command_user_passwd;
extern const struct tool_command command_user_list;
extern const struct tool_command command_user_import;
extern const struct tool_command command_sessions;
extern const struct tool_command command_status;
extern const struct tool_command command_wait;
extern const struct tool_command command_tap;
extern const struct tool_command command_dead_list;
extern const struct tool_command command_dead_show;
extern const struct tool_command command_dead_retry;
extern const struct tool_command command_dead_drop;

#endif
