/*
 * The loop's file descriptors, timers and end-of-turn work, over libevent.
 * Callbacks come on the loop.  A watch or timer may be destroyed in its own
 * callback.
 */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct watch;
struct loop_timer;

typedef void (*watch_fn)(void *argument);

/* Nothing is watched until asked for.  The descriptor stays the caller's. */
struct watch *watch_create(struct event_base *loop, int fd,
                           watch_fn on_readable, watch_fn on_writable,
                           void *argument);
void watch_readable(struct watch *watch, bool is_wanted);
void watch_writable(struct watch *watch, bool is_wanted);
void watch_destroy(struct watch **watch);

struct loop_timer *loop_timer_create(struct event_base *loop, watch_fn on_due,
                                     void *argument);
/* Once, after that long; again replaces.  0: at the end of the loop's turn. */
void loop_timer_start(struct loop_timer *timer, uint64_t after_ms);
/* Again and again. */
void loop_timer_repeat(struct loop_timer *timer, uint64_t every_ms);
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer **timer);

#endif
