/*
 * Where a process can be told to die, for tests.  With OCEAN_CRASH=point:n in
 * its environment it kills itself (SIGKILL) the n-th time it passes that point;
 * with OCEAN_POISON=how:text it does `how` (abort, segv, kill, stop) when a
 * handler gets an event whose payload contains the text.
 *
 * Compiled in with -DOCEAN_CRASH_POINTS only (make VARIANT=chaos).  Any other
 * build refuses to start with one of these variables set, so that nobody
 * believes to have tested something.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include "base/slice.h"

/* X(enumerator, name) */
#define CRASH_POINTS(X)                                                        \
    X(RECEIVED, "received")         /* a message is here, nothing done */      \
    X(HANDLED, "handled")           /* the handlers have run */                \
    X(STORED_FIRST, "stored-first") /* the first run is rolled back */         \
    X(PUBLISHED, "published")       /* sent to the broker, unconfirmed */      \
    X(CONFIRMED, "confirmed")       /* nothing committed or acknowledged */    \
    X(COMMITTED, "committed")       /* not acknowledged */                     \
    X(ACKNOWLEDGED, "acknowledged") /* the acknowledgement is sent */          \
    X(TAKING, "taking")             /* taking over, no event handled yet */    \
    X(LEAVING, "leaving")           /* about to hand a partition over */       \
    X(HANDING_OVER, "handing-over") /* a session: published, unconfirmed */    \
    X(HANDED_OVER, "handed-over")   /* confirmed, not forgotten here */        \
    X(ARRIVED, "arrived")           /* it is here, and nobody knows */

#define CRASH_ENUMERATOR(enumerator, name) CRASH_##enumerator,

enum crash_point { CRASH_POINTS(CRASH_ENUMERATOR) CRASH_POINT_COUNT };

/* Reads the variables; exits with 78 when they are wrong, or not for us. */
void crash_init(void);

#ifdef OCEAN_CRASH_POINTS
#define CRASH_POINT(enumerator) crash_pass(CRASH_##enumerator)
#define CRASH_POISON(payload) crash_taste(payload)
void crash_pass(enum crash_point point);
void crash_taste(struct slice payload);
#else
#define CRASH_POINT(enumerator) ((void)0)
#define CRASH_POISON(payload) ((void)0)
#endif

#endif
