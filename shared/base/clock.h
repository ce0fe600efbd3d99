/* Time in milliseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Monotonic: for intervals and deadlines inside one process. */
uint64_t clock_now_ms(void);
/* Since the Unix epoch: for time stamps that travel. */
uint64_t clock_unix_ms(void);

/* XEP-0082 "2002-09-10T23:08:25.123Z"; `out` holds CLOCK_STAMP_SIZE bytes. */
enum { CLOCK_STAMP_SIZE = 32 };

void clock_format_stamp(uint64_t unix_ms, char *out);

#endif
