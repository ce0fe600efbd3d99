#include "base/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1}, {"K", 1024}, {"M", 1024 * 1024}, {"G", 1024 * 1024 * 1024}};
static const struct unit time_units[] = {
    {"ms", 1}, {"", 1000}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit plain_units[] = {{"", 1}};

static void *value_at(const struct option *option, void *config)
{
    return (char *)config + option->offset;
}

static bool expected(struct buffer *why_out, const struct option *option,
                     const char *what, const char *text)
{
    if (option->flags & OPTION_SECRET)
        text = "...";
    buffer_appendf(why_out, "expected %s, got \"%s\"", what, text);
    return false;
}

static bool parse_number(const char *text, const struct unit *units,
                         size_t unit_count, uint64_t *number_out)
{
    char *end;
    unsigned long long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno)
        return false;
    for (size_t i = 0; i < unit_count; i++) {
        if (!strcmp(end, units[i].suffix) &&
            number <= UINT64_MAX / units[i].factor) {
            *number_out = number * units[i].factor;
            return true;
        }
    }
    return false;
}

static bool set_number(const struct option *option, void *config,
                       const char *text, struct buffer *why_out)
{
    uint64_t number = 0;
    bool is_number;
    const char *what;

    switch (option->kind) {
    case OPTION_BYTES:
        what = "a size like 256K";
        is_number =
            parse_number(text, byte_units, ARRAY_SIZE(byte_units), &number);
        break;
    case OPTION_DURATION:
        what = "a time like 30s or 500ms";
        is_number =
            parse_number(text, time_units, ARRAY_SIZE(time_units), &number);
        break;
    case OPTION_NUMBER:
    case OPTION_TEXT:
    case OPTION_BOOLEAN:
    case OPTION_CHOICE:
    default:
        what = "a whole number";
        is_number =
            parse_number(text, plain_units, ARRAY_SIZE(plain_units), &number);
        break;
    }
    if (!is_number)
        return expected(why_out, option, what, text);
    if (option->max && (number < option->min || number > option->max)) {
        buffer_appendf(why_out,
                       "expected %" PRIu64 " to %" PRIu64 ", got \"%s\"",
                       option->min, option->max, text);
        return false;
    }
    *(uint64_t *)value_at(option, config) = number;
    return true;
}

static bool set_boolean(const struct option *option, void *config,
                        const char *text, struct buffer *why_out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *(bool *)value_at(option, config) = !strcmp(text, yes[i]);
            return true;
        }
    }
    return expected(why_out, option, "true or false", text);
}

static bool set_choice(const struct option *option, void *config,
                       const char *text, struct buffer *why_out)
{
    buffer_append_text(why_out, "expected one of ");
    for (int i = 0; option->choices[i]; i++) {
        if (!strcmp(option->choices[i], text)) {
            *(int *)value_at(option, config) = i;
            buffer_clear(why_out);
            return true;
        }
        buffer_appendf(why_out, "%s%s", i ? ", " : "", option->choices[i]);
    }
    buffer_appendf(why_out, "; got \"%s\"", text);
    return false;
}

static bool set_text(const struct option *option, void *config,
                     const char *text)
{
    char **value = value_at(option, config);

    memory_free(value);
    *value = memory_copy_text(slice_of(text));
    return true;
}

bool config_value_set(const struct option *option, void *config,
                      const char *text, struct buffer *why_out)
{
    switch (option->kind) {
    case OPTION_TEXT:
        return set_text(option, config, text);
    case OPTION_BOOLEAN:
        return set_boolean(option, config, text, why_out);
    case OPTION_CHOICE:
        return set_choice(option, config, text, why_out);
    case OPTION_NUMBER:
    case OPTION_BYTES:
    case OPTION_DURATION:
        break;
    }
    return set_number(option, config, text, why_out);
}

bool config_value_is_set(const struct option *option, const void *config)
{
    const char *const *text =
        (const void *)((const char *)config + option->offset);

    return option->kind != OPTION_TEXT || (*text && **text);
}

void config_value_free(const struct option *option, void *config)
{
    char **text = value_at(option, config);

    if (option->kind == OPTION_TEXT)
        memory_free(text);
}

size_t config_value_extent(const struct option_table *table)
{
    size_t extent = 1;

    for (size_t i = 0; i < table->count; i++) {
        if (table->options[i].offset + sizeof(uint64_t) > extent)
            extent = table->options[i].offset + sizeof(uint64_t);
    }
    return extent;
}
