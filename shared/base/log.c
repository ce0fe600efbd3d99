#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const level_labels[] = {"ERROR", "WARNING", "INFO", "DEBUG"};

static const char *log_daemon = "ocean";
static const char *log_node = "-";
static enum log_level log_level = LOG_LEVEL_INFO;
static bool log_has_time = true;

/* JOURNAL_STREAM names the stream it was made for: systemd.exec(5). */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char ours[64];
    struct stat status;

    if (!stream || fstat(STDERR_FILENO, &status) < 0)
        return false;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return !strcmp(stream, ours);
}

void log_init(const char *daemon, const char *node)
{
    log_daemon = daemon;
    log_node = node;
    log_has_time = !is_journal();
}

void log_set_level(enum log_level level)
{
    log_level = level;
}

bool log_is_enabled(enum log_level level)
{
    return level <= log_level;
}

bool log_level_parse(struct slice text, enum log_level *level_out)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (slice_is(text, level_names[i])) {
            *level_out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static int write_head(char *line, size_t room, enum log_level level)
{
    char stamp[CLOCK_STAMP_SIZE] = "";

    if (log_has_time)
        clock_format_stamp(clock_unix_ms(), stamp);
    return snprintf(line, room, "%s%s%s %s[%s] ", stamp, *stamp ? " " : "",
                    level_labels[level], log_daemon, log_node);
}

/* One write per line, so that lines of several threads do not mix. */
static void write_line(enum log_level level, const char *format,
                       va_list arguments) PRINTF_LIKE(2, 0);

static void write_line(enum log_level level, const char *format,
                       va_list arguments)
{
    char line[LINE_MAX_BYTES];
    int size = write_head(line, sizeof(line), level);
    size_t used = size < 0 ? 0 : (size_t)size;

    if (used < sizeof(line) - 1) {
        size =
            vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
        used += size < 0 ? 0 : (size_t)size;
    }
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used++] = '\n';
    while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
        continue;
}

void log_write(enum log_level level, const char *format, ...)
{
    int saved_errno = errno;
    va_list arguments;

    if (!log_is_enabled(level))
        return;
    va_start(arguments, format);
    write_line(level, format, arguments);
    va_end(arguments);
    errno = saved_errno;
}

void log_fatal(int exit_code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(LOG_LEVEL_ERROR, format, arguments);
    va_end(arguments);
    exit(exit_code);
}

const char *log_printable(struct slice text, char *out, size_t room)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '\\';

        if (used + (is_plain ? 1 : 4) >= room)
            break;
        if (is_plain) {
            out[used++] = (char)byte;
            continue;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = digits[byte >> 4];
        out[used++] = digits[byte & 15];
    }
    out[used] = '\0';
    return out;
}

void log_bug(const char *condition, const char *file, int line)
{
    log_write(LOG_LEVEL_ERROR, "bug: %s at %s:%d", condition, file, line);
    abort();
}
