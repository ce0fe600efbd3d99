#include "base/watch.h"

#include <event2/event.h>

#include "base/log.h"
#include "base/memory.h"

struct watch {
    struct event *read, *write;
    watch_fn on_readable, on_writable;
    void *argument;
    bool is_reading, is_writing;
};

static void on_event(evutil_socket_t fd, short what, void *argument)
{
    struct watch *watch = argument;

    (void)fd;
    if (what & EV_READ)
        watch->on_readable(watch->argument);
    else
        watch->on_writable(watch->argument);
}

struct watch *watch_create(struct event_base *loop, int fd,
                           watch_fn on_readable, watch_fn on_writable,
                           void *argument)
{
    struct watch *watch = memory_new(sizeof(*watch));

    watch->read = event_new(loop, fd, EV_READ | EV_PERSIST, on_event, watch);
    watch->write = event_new(loop, fd, EV_WRITE | EV_PERSIST, on_event, watch);
    BUG_ON(!watch->read || !watch->write);
    watch->on_readable = on_readable;
    watch->on_writable = on_writable;
    watch->argument = argument;
    return watch;
}

static void want(struct event *event, bool *is_on, bool is_wanted)
{
    if (*is_on == is_wanted)
        return;
    *is_on = is_wanted;
    if (is_wanted)
        event_add(event, NULL);
    else
        event_del(event);
}

void watch_readable(struct watch *watch, bool is_wanted)
{
    want(watch->read, &watch->is_reading, is_wanted);
}

void watch_writable(struct watch *watch, bool is_wanted)
{
    want(watch->write, &watch->is_writing, is_wanted);
}

void watch_destroy(struct watch **watch)
{
    if (!*watch)
        return;
    event_free((*watch)->read);
    event_free((*watch)->write);
    memory_free(watch);
}

struct loop_timer {
    struct event *event;
    watch_fn on_due;
    void *argument;
    uint64_t every_ms;
};

static struct timeval interval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
    struct loop_timer *timer = argument;

    (void)fd;
    (void)what;
    if (timer->every_ms)
        loop_timer_repeat(timer, timer->every_ms);
    timer->on_due(timer->argument);
}

struct loop_timer *loop_timer_create(struct event_base *loop, watch_fn on_due,
                                     void *argument)
{
    struct loop_timer *timer = memory_new(sizeof(*timer));

    timer->event = event_new(loop, -1, 0, on_timer, timer);
    BUG_ON(!timer->event);
    timer->on_due = on_due;
    timer->argument = argument;
    return timer;
}

void loop_timer_start(struct loop_timer *timer, uint64_t after_ms)
{
    struct timeval after = interval(after_ms);

    timer->every_ms = 0;
    if (after_ms)
        event_add(timer->event, &after);
    else
        event_active(timer->event, EV_TIMEOUT, 0);
}

void loop_timer_repeat(struct loop_timer *timer, uint64_t every_ms)
{
    loop_timer_start(timer, every_ms);
    timer->every_ms = every_ms;
}

void loop_timer_cancel(struct loop_timer *timer)
{
    timer->every_ms = 0;
    event_del(timer->event);
}

void loop_timer_destroy(struct loop_timer **timer)
{
    if (!*timer)
        return;
    event_free((*timer)->event);
    memory_free(timer);
}
