#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"

static const char point_variable[] = "OCEAN_CRASH";
static const char poison_variable[] = "OCEAN_POISON";

#ifdef OCEAN_CRASH_POINTS

#define CRASH_NAME(enumerator, name) [CRASH_##enumerator] = (name),

static const char *const point_names[] = {CRASH_POINTS(CRASH_NAME)};

struct poison {
    const char *name;
    int signal;
};

static const struct poison poisons[] = {
    {"abort", SIGABRT},
    {"segv", SIGSEGV},
    {"kill", SIGKILL},
    {"stop", SIGSTOP},
};

static enum crash_point armed = CRASH_POINT_COUNT;
static atomic_ulong left; /* passes; points are passed on several threads */
static int poison_signal; /* 0: none */
static const char *poison_text;

/* "name:rest"; SLICE_NONE without a colon. */
static struct slice name_before(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon ? (struct slice){text, (size_t)(colon - text)} : SLICE_NONE;
}

static void arm(const char *text)
{
    struct slice name = name_before(text);
    char *end = NULL;
    unsigned long passes = 0;

    for (size_t i = 0; i < ARRAY_SIZE(point_names); i++) {
        if (slice_is(name, point_names[i]))
            armed = (enum crash_point)i;
    }
    if (slice_is_set(name))
        passes = strtoul(name.data + name.size + 1, &end, 10);
    if (armed == CRASH_POINT_COUNT || !passes || *end)
        log_fatal(EX_CONFIG,
                  "%s: expected a crash point (shared/base/crash.h) and a "
                  "number, like received:3, got \"%s\"",
                  point_variable, text);
    atomic_store(&left, passes);
}

static void poison(const char *text)
{
    struct slice name = name_before(text);

    for (size_t i = 0; i < ARRAY_SIZE(poisons); i++) {
        if (slice_is(name, poisons[i].name))
            poison_signal = poisons[i].signal;
    }
    if (!poison_signal || !name.data[name.size + 1])
        log_fatal(EX_CONFIG,
                  "%s: expected abort, segv, kill or stop, a colon and a text, "
                  "got \"%s\"",
                  poison_variable, text);
    poison_text = name.data + name.size + 1;
}

void crash_init(void)
{
    const char *point = getenv(point_variable);
    const char *taste = getenv(poison_variable);

    if (point)
        arm(point);
    if (taste)
        poison(taste);
}

void crash_pass(enum crash_point point)
{
    if (point != armed || atomic_fetch_sub(&left, 1) != 1)
        return;
    log_error("crash point \"%s\": SIGKILL", point_names[point]);
    raise(SIGKILL);
}

void crash_taste(struct slice payload)
{
    if (!poison_signal || !payload.size ||
        !memmem(payload.data, payload.size, poison_text, strlen(poison_text)))
        return;
    log_error("poison: signal %d", poison_signal);
    raise(poison_signal);
}

#else

static void refuse(const char *variable)
{
    if (getenv(variable))
        log_fatal(EX_CONFIG,
                  "%s is set, but this is not a test build (make "
                  "VARIANT=chaos)",
                  variable);
}

void crash_init(void)
{
    refuse(point_variable);
    refuse(poison_variable);
}

#endif
