/* A build without crash points must not start with one asked for. */
#include "base/crash.h"
#include "base/log.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* How crash_init ends a process with that variable: -1 by a signal. */
static int exit_status(const char *variable, const char *value)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        setenv(variable, value, 1);
        crash_init();
        _exit(EXIT_SUCCESS);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void without_variables_nothing_happens(void)
{
    unsetenv("OCEAN_CRASH");
    unsetenv("OCEAN_POISON");
    crash_init();
    CRASH_POINT(RECEIVED);
    CRASH_POISON(SLICE("text"));
}

#ifdef OCEAN_CRASH_POINTS

static void what_is_wrong_stops_the_start(void)
{
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "nowhere:1"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "received"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "received:0"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "received:1x"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_POISON", "abort"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_POISON", "abort:"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_POISON", "smile:text"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "stored-first:2"), EXIT_SUCCESS);
    CU_ASSERT_EQUAL(exit_status("OCEAN_POISON", "segv:text"), EXIT_SUCCESS);
}

#else

static void what_is_wrong_stops_the_start(void)
{
    CU_ASSERT_EQUAL(exit_status("OCEAN_CRASH", "received:1"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_POISON", "abort:text"), EX_CONFIG);
    CU_ASSERT_EQUAL(exit_status("OCEAN_OTHER", "received:1"), EXIT_SUCCESS);
}

#endif

int main(void)
{
    static const struct unit_case cases[] = {
        {"without variables nothing happens",
         without_variables_nothing_happens},
        {"what is wrong stops the start", what_is_wrong_stops_the_start},
    };

    return unit_run("crash", cases, ARRAY_SIZE(cases));
}
