/*
 * The clients' journal: one line per event, appended,
 *
 *     MICROSECONDS CLIENT EVENT ARGUMENT...
 *
 * with the time of CLOCK_MONOTONIC, which test/chaos/run uses too.  Whatever
 * the checker is to judge must be here; docs/CHAOS.md lists the events.
 */
#ifndef CHAOS_JOURNAL_H
#define CHAOS_JOURNAL_H

#include <stdint.h>

/* Exits when the file cannot be made or written. */
void journal_open(const char *path);
void journal_write(unsigned client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* To the file: at the end of every turn of the loop. */
void journal_flush(void);
void journal_close(void);

uint64_t now_us(void);

#endif
