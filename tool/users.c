#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/memory.h"
#include "password.h"
#include "tool.h"

/* user add, passwd, del: one request, one answer.  Nobody is asked to type a
 * password in vain: before that we look whether there is such an account. */
struct one_user {
    const char *jid;
    const char *password_file;
    bool is_looking;
};

enum { REQUEST_SET = 1, REQUEST_LOOK };

static void parse_one(struct tool *tool, int argc, char **argv)
{
    struct one_user *one = memory_new(sizeof(*one));
    bool wants_password = tool->command != &command_user_del;

    tool->state = one;
    for (int i = 0; i < argc; i++) {
        if (wants_password && !strcmp(argv[i], "--password-file") &&
            i + 1 < argc)
            one->password_file = argv[++i];
        else if (!strncmp(argv[i], "--", 2) || one->jid)
            tool_usage(tool->command, "unexpected argument \"%s\"", argv[i]);
        else
            one->jid = argv[i];
    }
    if (!one->jid)
        tool_usage(tool->command, "a JID is missing");
}

static void account_event_init(struct tool *tool, struct event *event,
                               enum event_type type, const char *account,
                               uint64_t request)
{
    event_init(event, type);
    event->to = slice_of(account);
    event->node = tool_node(tool);
    event->request = request;
}

static void set_password(struct tool *tool)
{
    const struct one_user *one = tool->state;
    char *account = tool_account(tool, one->jid);
    char *password = password_read(one->password_file, account);
    struct buffer keys = BUFFER_EMPTY;
    struct event event;

    tool->began_ms = clock_now_ms(); /* typing takes its time */
    password_derive(slice_of(password), &keys);
    password_wipe(&password);
    account_event_init(tool, &event, EVENT_ACCOUNT_SET, account, REQUEST_SET);
    event.subtype =
        tool->command == &command_user_add ? SLICE("create") : SLICE("replace");
    event.keys = buffer_slice(&keys);
    output_to_user(&tool->output, SERVICE_ROSTER, event.to, &event);
    tool_publish(tool);
    buffer_deinit(&keys);
    memory_free(&account);
}

static void look(struct tool *tool)
{
    struct one_user *one = tool->state;
    char *account = tool_account(tool, one->jid);
    struct event event;

    one->is_looking = true;
    account_event_init(tool, &event, EVENT_AUTH_KEYS_ASK, account,
                       REQUEST_LOOK);
    event.mechanism = SLICE("SCRAM-SHA-256");
    output_to_user(&tool->output, SERVICE_ROSTER, event.to, &event);
    tool_publish(tool);
    memory_free(&account);
}

static void begin_set(struct tool *tool)
{
    const struct one_user *one = tool->state;

    if (one->password_file)
        set_password(tool);
    else
        look(tool);
}

static void begin_delete(struct tool *tool)
{
    const struct one_user *one = tool->state;
    char *account = tool_account(tool, one->jid);
    struct event event;

    account_event_init(tool, &event, EVENT_ACCOUNT_DELETE, account,
                       REQUEST_SET);
    output_to_user(&tool->output, SERVICE_ROSTER, event.to, &event);
    tool_publish(tool);
    memory_free(&account);
}

static const char *explain(struct slice condition)
{
    if (slice_is(condition, "conflict"))
        return "exists already";
    if (slice_is(condition, "item-not-found"))
        return "there is no such account";
    return "refused";
}

static void refuse(struct tool *tool, struct slice condition)
{
    const struct one_user *one = tool->state;
    char *account = tool_account(tool, one->jid);

    fprintf(stderr, "oceanctl: %s: %s\n", account, explain(condition));
    memory_free(&account);
    tool_finish(tool, TOOL_EXIT_REFUSED);
}

static void looked(struct tool *tool, bool exists)
{
    struct one_user *one = tool->state;
    bool may_exist = tool->command != &command_user_add;

    one->is_looking = false;
    if (exists == may_exist)
        set_password(tool);
    else
        refuse(tool, exists ? SLICE("conflict") : SLICE("item-not-found"));
}

static void done(struct tool *tool, const struct event *event)
{
    const struct one_user *one = tool->state;
    char *account;

    if (slice_is_set(event->condition)) {
        refuse(tool, event->condition);
        return;
    }
    account = tool_account(tool, one->jid);
    printf("%s: %s\n", account,
           tool->command == &command_user_add   ? "created"
           : tool->command == &command_user_del ? "deleted"
                                                : "password changed");
    memory_free(&account);
    tool_finish(tool, TOOL_EXIT_DONE);
}

static void on_answer(struct tool *tool, const struct event *event)
{
    const struct one_user *one = tool->state;

    if (event->type == EVENT_ACCOUNT_ANSWER && event->request == REQUEST_SET)
        done(tool, event);
    else if (event->type == EVENT_AUTH_KEYS && one->is_looking)
        looked(tool, !slice_is_set(event->condition));
}

const struct tool_command command_user_add = {
    .name = "user add",
    .arguments = "JID [--password-file FILE]",
    .help = "create an account; the password is asked for (- = standard "
            "input)",
    .parse = parse_one,
    .begin = begin_set,
    .event = on_answer,
    .timeout_ms = 30000,
};

const struct tool_command command_user_passwd = {
    .name = "user passwd",
    .arguments = "JID [--password-file FILE]",
    .help = "change a password",
    .parse = parse_one,
    .begin = begin_set,
    .event = on_answer,
    .timeout_ms = 30000,
};

const struct tool_command command_user_del = {
    .name = "user del",
    .arguments = "JID",
    .help = "delete an account with its roster and stored messages",
    .parse = parse_one,
    .begin = begin_delete,
    .event = on_answer,
    .timeout_ms = 30000,
};

/* user list */

struct listing {
    unsigned answered; /* partitions */
    size_t count;
};

static void begin_list(struct tool *tool)
{
    struct event event;

    tool->state = memory_new(sizeof(struct listing));
    for (unsigned p = 0; p < tool_partitions(tool); p++) {
        event_init(&event, EVENT_ACCOUNT_LIST_ASK);
        event.partition = p;
        event.node = tool_node(tool);
        event.request = p + 1;
        output_to_partition(&tool->output, SERVICE_ROSTER, p, &event);
    }
    tool_publish(tool);
}

static void on_list(struct tool *tool, const struct event *event)
{
    struct listing *listing = tool->state;
    struct event_list list;
    struct slice name;

    if (event->type != EVENT_ACCOUNT_LIST)
        return;
    event_list_open(&list, event->names);
    for (; event_list_next(&list, &name); listing->count++)
        printf("%.*s\n", SLICE_FORMAT(name));
    if (event->has_more || ++listing->answered < tool_partitions(tool))
        return;
    if (!listing->count)
        fprintf(stderr, "no accounts\n");
    tool_finish(tool, TOOL_EXIT_DONE);
}

const struct tool_command command_user_list = {
    .name = "user list",
    .arguments = "",
    .help = "print every account, one per line, in no order",
    .parse = tool_parse_none,
    .begin = begin_list,
    .event = on_list,
    .timeout_ms = 60000,
};
