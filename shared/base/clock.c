#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_now_ms(void)
{
    return now_ms(CLOCK_MONOTONIC);
}

uint64_t clock_unix_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

void clock_format_stamp(uint64_t unix_ms, char *out)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    char date[CLOCK_STAMP_SIZE];

    gmtime_r(&seconds, &utc);
    if (!strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc))
        date[0] = '\0';
    snprintf(out, CLOCK_STAMP_SIZE, "%.26s.%03uZ", date,
             (unsigned)(unix_ms % 1000));
}
