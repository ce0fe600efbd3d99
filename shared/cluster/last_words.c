#include "cluster/last_words.h"

#include <event2/event.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cluster/bus.h"
#include "cluster/daemon_options.h"

static const char asked_by[] = "--last-words";

enum { WAIT_MS = 5000, STEP_MS = 10, STACK_BYTES = 64 * 1024, SIGNALS = 5 };

static const int crash_signals[SIGNALS] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE,
                                           SIGILL};

/* What one process tells its copy, through a pipe. */
struct last_words {
    int signal;
    enum service_id service;
    unsigned partition;
    enum event_type type; /* EVENT_TYPE_COUNT: between two events */
    size_t event;
    size_t count;
    uint64_t digests[HAND_MAX];
    char node[NAME_MAX_BYTES];
};

struct hand {
    const struct slice *bodies; /* NULL: nothing */
    size_t count;
    size_t event;
    unsigned partition;
    enum event_type type;
};

static _Thread_local struct hand hand;
/* A stack that has overflowed cannot run a handler. */
static _Thread_local _Alignas(16) char stack[STACK_BYTES];
static _Thread_local bool has_stack;

static struct sigaction former[SIGNALS];
static struct last_words words;
static atomic_flag is_speaking = ATOMIC_FLAG_INIT;
static char **copy_arguments;

/* What is in hand. */

/* A sanitizer brings a stack of its own, and would free ours. */
static void use_stack(void)
{
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    stack_t present;

    if (has_stack)
        return;
    has_stack = true;
    if (sigaltstack(NULL, &present) == 0 && (present.ss_flags & SS_DISABLE))
        sigaltstack(&alternate, NULL);
}

void last_words_hold(unsigned partition, const struct slice *bodies,
                     size_t count, size_t event)
{
    use_stack();
    BUG_ON(count > HAND_MAX);
    hand = (struct hand){bodies, count, event, partition, EVENT_TYPE_COUNT};
}

void last_words_handle(enum event_type type)
{
    hand.type = type;
}

void last_words_release(void)
{
    hand.bodies = NULL;
}

static uint64_t digest(struct slice body)
{
    return XXH64(body.size ? body.data : "", body.size, 0);
}

static void digest_text(uint64_t number, char *out)
{
    snprintf(out, CRASH_TEXT_BYTES, "%016lx", (unsigned long)number);
}

const char *last_words_digest(struct slice body, char *out)
{
    digest_text(digest(body), out);
    return out;
}

/* Crashing.  Everything here is safe in a signal handler. */

static void fill_words(int number)
{
    words.signal = number;
    words.partition = hand.partition;
    words.type = hand.type;
    words.event = hand.event;
    words.count = hand.count;
    for (size_t i = 0; i < hand.count; i++)
        words.digests[i] = digest(hand.bodies[i]);
}

NO_RETURN static void become_copy(int from)
{
    sigset_t none;

    sigemptyset(&none);
    dup2(from, STDIN_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", copy_arguments);
    _exit(EXIT_FAILURE);
}

static void wait_for(pid_t child)
{
    for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
        if (waitpid(child, NULL, WNOHANG) != 0)
            return;
        poll(NULL, 0, STEP_MS);
    }
    kill(child, SIGKILL);
}

static void say(void)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) < 0)
        return;
    if (write(ends[1], &words, sizeof(words)) != sizeof(words))
        return;
    child = _Fork();
    if (child == 0)
        become_copy(ends[0]);
    if (child > 0)
        wait_for(child);
}

static bool is_our_fault(const siginfo_t *info)
{
    return info->si_code > 0 ||
           (info->si_code == SI_TKILL && info->si_pid == getpid());
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(crash_signals[i], &former[i], NULL);
    if (hand.bodies && is_our_fault(info) &&
        !atomic_flag_test_and_set(&is_speaking)) {
        fill_words(number);
        say();
    }
    if (info->si_code <= 0)
        raise(number); /* else the fault is met again */
}

/* Start. */

void last_words_prepare(int argc, char **argv)
{
    memory_free(&copy_arguments);
    copy_arguments =
        memory_new_array((size_t)argc + 2, sizeof(*copy_arguments));
    copy_arguments[0] = argv[0];
    copy_arguments[1] = (char *)(uintptr_t)asked_by;
    for (int i = 1; i < argc; i++)
        copy_arguments[i + 1] = argv[i];
}

void last_words_enable(enum service_id service, const char *node)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    words.service = service;
    snprintf(words.node, sizeof(words.node), "%s", node);
    action.sa_sigaction = on_crash;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(crash_signals[i], &action, &former[i]);
}

/* The copy. */

bool last_words_are_asked(int argc, char **argv)
{
    return argc > 1 && !strcmp(argv[1], asked_by);
}

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name ? name : "?";
}

static void encode(const struct last_words *said, struct buffer *out)
{
    char texts[HAND_MAX][CRASH_TEXT_BYTES];
    struct slice names[HAND_MAX];
    struct buffer list = BUFFER_EMPTY;
    struct event event;

    for (size_t i = 0; i < said->count; i++) {
        digest_text(said->digests[i], texts[i]);
        names[i] = slice_of(texts[i]);
    }
    event_list_write(&list, names, said->count);
    event_init(&event, EVENT_CRASH_NOTE);
    event.node = slice_of(said->node);
    event.partition = said->partition;
    event.names = buffer_slice(&list);
    event.count = said->event;
    event.stamp = clock_unix_ms();
    event.condition = slice_of(signal_name(said->signal));
    if (said->type < EVENT_TYPE_COUNT)
        event.subtype = slice_of(event_type_name(said->type));
    event_encode(out, &event);
    buffer_deinit(&list);
}

static void on_settled(void *argument)
{
    event_base_loopbreak(argument);
}

/* Until it is confirmed; who has started us knows when to give up. */
static void publish(const struct last_words *said,
                    const struct bus_config *config)
{
    static const struct bus_hooks hooks;
    struct event_base *loop = event_base_new();
    struct bus *bus = bus_create(loop, config, &hooks, NULL);
    struct bus_receipt *receipt = bus_receipt_create(bus, on_settled, loop);
    struct buffer note = BUFFER_EMPTY;

    encode(said, &note);
    bus_publish(bus_destination(bus, service_exchange(said->service),
                                SLICE(KEY_CRASHED), BUS_CORE),
                buffer_slice(&note), true, receipt);
    bus_receipt_seal(receipt);
    event_base_dispatch(loop);
    log_error("%s.%02u: SIG%s with %zu messages in hand, noted (event %zu, %s)",
              service_name(said->service), said->partition,
              signal_name(said->signal), said->count, said->event,
              event_type_name(said->type));
    buffer_deinit(&note);
    bus_destroy(&bus);
    event_base_free(loop);
}

int last_words_main(const char *kind, const struct option_table *options,
                    void *config, int argc, char **argv)
{
    struct daemon_common common = {0};
    struct option_table tables[] = {daemon_common_options, *options};
    void *configs[] = {&common, config};
    struct bus_config bus_config;
    struct last_words said;
    char name[NAME_MAX_BYTES + 16];
    char *file;

    signal(SIGPIPE, SIG_IGN);
    alarm(2 * WAIT_MS / 1000); /* whoever waits for us */
    log_init(kind, "last words");
    log_set_level(LOG_LEVEL_ERROR);
    if (read(STDIN_FILENO, &said, sizeof(said)) != sizeof(said) ||
        said.service >= SERVICE_COUNT || said.count > HAND_MAX)
        return EXIT_FAILURE;
    file = daemon_load(kind, tables, configs, ARRAY_SIZE(tables), argc, argv);
    daemon_check_common(&common, file, argv);
    log_init(kind, said.node);
    snprintf(name, sizeof(name), "%s last words", said.node);
    daemon_bus_config(&common, kind, name, &bus_config);
    publish(&said, &bus_config);
    config_free(tables, configs, ARRAY_SIZE(tables));
    memory_free(&file);
    return EXIT_SUCCESS;
}
