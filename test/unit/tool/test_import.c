#include "fixture.h"

#define COMMAND command_user_import

enum { WINDOW = 512, LINE_MAX_BYTES = 8 * 1024 - 2, WAIT_MS = 20000 };

static const struct daemon_spec spec = {.kind = "oceanctl",
                                        .service = SERVICE_NONE};
static struct tool fixture_tool;
static struct catch printed;

/* The command at its beginning, with that file. */
static void open_import(struct slice content)
{
    char *daemon_argv[] = {(char[]){"oceanctl"}, (char[]){"--log-level"},
                           (char[]){"error"}, NULL};
    char *argv[] = {NULL, NULL};

    folder_open(&fixture_folder);
    memset(&fixture_tool, 0, sizeof(fixture_tool));
    fixture_is_finished = false;
    fixture_tool.command = &COMMAND;
    fixture_tool.daemon = daemon_start(&spec, &fixture_tool, 3, daemon_argv);
    daemon_output_init(fixture_tool.daemon, &fixture_tool.output);
    argv[0] = memory_copy_text(slice_of(fixture_file("accounts", content)));
    COMMAND.parse(&fixture_tool, 1, argv);
    memory_free(&argv[0]);
    catch_begin(&printed);
    COMMAND.begin(&fixture_tool);
}

/* Exactly these lines were printed. */
static void close_import(const char *expected)
{
    struct buffer text = BUFFER_EMPTY;

    catch_end(&printed, &text);
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&text), slice_of(expected)));
    if (!slice_equal(buffer_slice(&text), slice_of(expected)))
        printf("\n    printed: %.*s\n", SLICE_FORMAT(buffer_slice(&text)));
    buffer_deinit(&text);
    output_deinit(&fixture_tool.output);
    memory_free(&fixture_tool.state);
    daemon_stop(&fixture_tool.daemon);
    folder_close(&fixture_folder);
}

static void on_time(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    (void)argument;
}

/* Runs until so many requests are out; false: too slow. */
static bool wait_for_requests(size_t count)
{
    struct event_base *loop = daemon_loop(fixture_tool.daemon);
    struct timeval second = {1, 0};
    struct event *ticks = event_new(loop, -1, EV_PERSIST, on_time, NULL);

    event_add(ticks, &second); /* the loop never runs dry */
    for (int i = 0; i < WAIT_MS && fixture_tool.output.count < count; i++)
        event_base_loop(loop, EVLOOP_ONCE);
    event_free(ticks);
    return fixture_tool.output.count == count;
}

static void answer(uint64_t line, const char *condition)
{
    struct event event;

    event_init(&event, EVENT_ACCOUNT_ANSWER);
    event.request = line;
    event.condition = slice_of(condition);
    COMMAND.event(&fixture_tool, &event);
}

/* The n-th request's line and account. */
static uint64_t request(size_t n, const char *account)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    uint64_t line;

    CU_ASSERT_TRUE_FATAL(outputs_event(&fixture_tool.output, n, &body, &event));
    line = event.request;
    ASSERT_SLICE(event.to, account);
    ASSERT_SLICE(event.subtype, "create");
    ASSERT_SLICE(event.node, "ctl");
    buffer_deinit(&body);
    return line;
}

static void check_finished(int exit_status)
{
    CU_ASSERT_TRUE(fixture_is_finished);
    CU_ASSERT_EQUAL(fixture_tool.exit_status, exit_status);
}

/* Lines that make a request. */
static void test_good_lines(void)
{
    static const struct {
        const char *content, *account;
        uint64_t line;
    } table[] = {
        {"ann@x\tsecret\n", "ann@x", 1},
        {"ann@x\tsecret", "ann@x", 1},
        {"ann@x\tsecret\r\n", "ann@x", 1},
        {"\n\r\nann@x\tsecret\n\n", "ann@x", 3},
        {"ANN@X\tsecret\n", "ann@x", 1},
        {"ann@x\t \n", "ann@x", 1},
        {"ann@x\t\xe2\x85\xa8\n", "ann@x", 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        open_import(slice_of(table[i].content));
        CU_ASSERT_TRUE(wait_for_requests(1));
        CU_ASSERT_FALSE(fixture_is_finished);
        CU_ASSERT_EQUAL(request(0, table[i].account), table[i].line);
        answer(table[i].line, NULL);
        check_finished(TOOL_EXIT_DONE);
        close_import("1 created, 0 failed\n");
    }
}

#define EXPECTED_TAB "expected JID, tab, password\n"
#define PROHIBITED "the password has a prohibited character (RFC 4013 2.3)\n"
#define NO_ACCOUNT "not an account's JID here\n"

static void test_bad_lines(void)
{
    static const struct {
        const char *content, *printed;
    } table[] = {
        {"ann@x\n", "line 1: " EXPECTED_TAB},
        {"ann@x secret\n", "line 1: " EXPECTED_TAB},
        {"ann@x\t\n", "line 1: " EXPECTED_TAB},
        {"\nann@x\t\r\n", "line 2: " EXPECTED_TAB},
        {"ann@x\t", "line 1: " EXPECTED_TAB},
        {"ann@x\ta\tb\n", "line 1: " PROHIBITED},
        {"\tsecret\n", "line 1: " NO_ACCOUNT},
        {"ann\tsecret\n", "line 1: " NO_ACCOUNT},
        {"ann@y\tsecret\n", "line 1: " NO_ACCOUNT},
        {"ann@x/pc\tsecret\n", "line 1: " NO_ACCOUNT},
        {"a b@x\tsecret\n", "line 1: " NO_ACCOUNT},
        {"\xff@x\tsecret\n", "line 1: " NO_ACCOUNT},
    };

    char expected[200];

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        open_import(slice_of(table[i].content));
        check_finished(TOOL_EXIT_REFUSED);
        CU_ASSERT_EQUAL(fixture_tool.output.count, 0);
        snprintf(expected, sizeof(expected),
                 "oceanctl: %s0 created, 1 failed\n", table[i].printed);
        close_import(expected);
    }
}

static void test_empty_files(void)
{
    static const char *const contents[] = {"", "\n", "\r\n\r\n"};

    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        open_import(slice_of(contents[i]));
        check_finished(TOOL_EXIT_DONE);
        close_import("0 created, 0 failed\n");
    }
}

/* What cannot be read whole is refused, and the next line is the next line. */
static void test_long_lines(void)
{
    struct buffer content = BUFFER_EMPTY;
    char *line = memory_new(LINE_MAX_BYTES + 2);

    memset(line, 'a', LINE_MAX_BYTES + 1);
    memcpy(line, "ann@x\t", 6);
    buffer_appendf(&content, "%s\n", line);
    line[LINE_MAX_BYTES] = '\0';
    buffer_appendf(&content, "%s\n", line);
    open_import(buffer_slice(&content));
    CU_ASSERT_TRUE(wait_for_requests(1));
    CU_ASSERT_EQUAL(request(0, "ann@x"), 2);
    answer(2, NULL);
    check_finished(TOOL_EXIT_REFUSED);
    close_import("oceanctl: line 1: too long\n1 created, 1 failed\n");
    memory_free(&line);
    buffer_deinit(&content);
}

static void test_answers(void)
{
    open_import(SLICE("1@x\ta\n2@x\tb\nbad\n3@x\tc\n"));
    CU_ASSERT_TRUE(wait_for_requests(3));
    answer(1, "conflict");
    answer(4, NULL);
    CU_ASSERT_FALSE(fixture_is_finished);
    answer(2, "bad-request");
    check_finished(TOOL_EXIT_REFUSED);
    answer(2, NULL); /* too late */
    close_import("oceanctl: line 3: " EXPECTED_TAB
                 "oceanctl: line 1: exists already\n"
                 "oceanctl: line 2: refused\n1 created, 3 failed\n");
}

/* No more than a window is under way. */
static void test_window(void)
{
    struct buffer content = BUFFER_EMPTY;

    for (unsigned i = 1; i <= WINDOW + 2; i++)
        buffer_appendf(&content, "%u@x\tsecret\n", i);
    open_import(buffer_slice(&content));
    CU_ASSERT_TRUE(wait_for_requests(WINDOW));
    answer(1, NULL);
    CU_ASSERT_TRUE(wait_for_requests(WINDOW + 1));
    answer(2, NULL);
    CU_ASSERT_TRUE(wait_for_requests(WINDOW + 2));
    for (uint64_t line = 3; line <= WINDOW + 2; line++)
        answer(line, NULL);
    check_finished(TOOL_EXIT_DONE);
    close_import("514 created, 0 failed\n");
    buffer_deinit(&content);
}

static void parse(void *argument)
{
    char **argv = argument;
    int argc = 0;

    while (argv[argc])
        argc++;
    COMMAND.parse(&fixture_tool, argc, argv);
}

static void test_arguments(void)
{
    char *none[] = {NULL};
    char *two[] = {(char[]){"a"}, (char[]){"b"}, NULL};
    char *missing[] = {(char[]){"none/such"}, NULL};
    char *standard[] = {(char[]){"-"}, NULL};

    folder_open(&fixture_folder);
    fixture_tool.command = &COMMAND;
    CU_ASSERT_EQUAL(fixture_exit_status(parse, none), EX_USAGE);
    CU_ASSERT_EQUAL(fixture_exit_status(parse, two), EX_USAGE);
    CU_ASSERT_EQUAL(fixture_exit_status(parse, missing), EX_NOINPUT);
    CU_ASSERT_EQUAL(fixture_exit_status(parse, standard), 0);
    folder_close(&fixture_folder);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"good lines", test_good_lines},   {"bad lines", test_bad_lines},
        {"empty files", test_empty_files}, {"long lines", test_long_lines},
        {"answers", test_answers},         {"window", test_window},
        {"arguments", test_arguments},
    };

    return unit_run("tool import", cases, ARRAY_SIZE(cases));
}
