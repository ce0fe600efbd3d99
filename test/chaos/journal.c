#include "journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static FILE *file;

uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void journal_open(const char *path)
{
    file = fopen(path, "we");
    if (!file) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

void journal_write(unsigned client, const char *format, ...)
{
    va_list arguments;

    fprintf(file, "%" PRIu64 " %u ", now_us(), client);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    putc('\n', file);
}

void journal_flush(void)
{
    if (fflush(file) || ferror(file)) {
        perror("journal");
        exit(EXIT_FAILURE);
    }
}

void journal_close(void)
{
    journal_flush();
    fclose(file);
    file = NULL;
}
