/* A line of the log: whole, in one piece, and nothing of a peer's but text. */
#include "base/log.h"
#include "unit.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOM = 8192 };

#define TIME "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "

static void write_it(const char *text)
{
    log_info("%s", text);
}

/* As if stderr was its stream. */
static void write_to_journal(const char *text)
{
    struct stat status;
    char stream[64];

    CU_ASSERT_EQUAL_FATAL(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init("delivery", "delivery.1-0abc");
    write_it(text);
}

/* What `run` writes to stderr. */
static void capture(void (*run)(const char *text), const char *text, char *out)
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    size_t size;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    dup2(fileno(file), STDERR_FILENO);
    run(text);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    size = fread(out, 1, ROOM - 1, file);
    out[size] = '\0';
    fclose(file);
}

static bool matches(const char *line, const char *pattern)
{
    regex_t regex;
    bool matched;

    CU_ASSERT_EQUAL_FATAL(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB),
                          0);
    matched = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return matched;
}

static void says_when_who_and_what(void)
{
    char line[ROOM];

    unsetenv("JOURNAL_STREAM");
    log_init("delivery", "delivery.1-0abc");
    capture(write_it, "ready", line);
    CU_ASSERT_TRUE(matches(
        line, "^" TIME "INFO delivery\\[delivery\\.1-0abc\\] ready\n$"));
}

static void leaves_the_time_to_the_journal(void)
{
    char line[ROOM];

    capture(write_to_journal, "ready", line);
    CU_ASSERT_STRING_EQUAL(line, "INFO delivery[delivery.1-0abc] ready\n");
    setenv("JOURNAL_STREAM", "8:1234", 1); /* not what stderr is */
    log_init("delivery", "delivery.1-0abc");
    capture(write_it, "ready", line);
    CU_ASSERT_TRUE(matches(line, "^" TIME "INFO"));
    unsetenv("JOURNAL_STREAM");
}

static void cuts_a_long_line_but_ends_it(void)
{
    char line[ROOM];
    char text[ROOM / 2];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    capture(write_it, text, line);
    CU_ASSERT_TRUE(strlen(line) < sizeof(text));
    CU_ASSERT_TRUE(matches(line, "xxx\n$"));
}

static void levels_below_are_silent(void)
{
    char line[ROOM];

    log_set_level(LOG_LEVEL_WARNING);
    capture(write_it, "ready", line);
    CU_ASSERT_STRING_EQUAL(line, "");
    log_set_level(LOG_LEVEL_INFO);
}

static void levels_have_names(void)
{
    enum log_level level = LOG_LEVEL_ERROR;

    CU_ASSERT_TRUE(log_level_parse(SLICE("debug"), &level));
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
    CU_ASSERT_FALSE(log_level_parse(SLICE("loud"), &level));
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
}

static void text_of_a_peer_is_escaped_and_cut(void)
{
    char out[16];

    CU_ASSERT_STRING_EQUAL(log_printable(SLICE("a\nb\x1b\\"), out, sizeof(out)),
                           "a\\x0ab\\x1b\\x5c");
    CU_ASSERT_STRING_EQUAL(
        log_printable(SLICE("0123456789abcdefgh"), out, sizeof(out)),
        "0123456789abcde");
}

static const struct unit_case cases[] = {
    {"says when, who and what", says_when_who_and_what},
    {"leaves the time to the journal", leaves_the_time_to_the_journal},
    {"cuts a long line, but ends it", cuts_a_long_line_but_ends_it},
    {"levels below are silent", levels_below_are_silent},
    {"levels have names", levels_have_names},
    {"text of a peer is escaped and cut", text_of_a_peer_is_escaped_and_cut},
};

int main(void)
{
    return unit_run("log", cases, ARRAY_SIZE(cases));
}
