/*
 * One line per event on stderr:
 *   2026-01-31T12:00:00.123Z LEVEL daemon[node] object: text key=value
 * without the time where stderr is the systemd journal, which has its own.
 * error = someone must act, warning = odd but handled, info = life cycle,
 * debug = state changes and message names.  Never stanza bodies, passwords or
 * tokens; text from a peer goes through log_printable.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"
#include "base/slice.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* Strings are borrowed for the life of the process.  Thread-safe after. */
void log_init(const char *daemon, const char *node);
void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);
/* "error", "warning", "info", "debug"; false when it is none of these. */
bool log_level_parse(struct slice text, enum log_level *level_out);

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
    do {                                                                       \
        if (log_is_enabled(LOG_LEVEL_DEBUG))                                   \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                           \
    } while (0)

/* The world does not let us start: logs at error level and exits
 * (sysexits: 64 usage, 69 unavailable, 78 configuration, else 1). */
NO_RETURN void log_fatal(int exit_code, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Copies `text` with everything but printable ASCII escaped as \xNN and cut
 * to fit; `room` is the size of `out`.  Returns out. */
const char *log_printable(struct slice text, char *out, size_t room);

/* Our own bug: prints where and aborts. */
#define BUG_ON(condition)                                                      \
    do {                                                                       \
        if (__builtin_expect(!!(condition), 0))                                \
            log_bug(#condition, __FILE__, __LINE__);                           \
    } while (0)
NO_RETURN void log_bug(const char *condition, const char *file, int line);

#endif
