#include "base/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "unit.h"

struct settings {
    char *name;
    char *secret;
    uint64_t number;
    uint64_t wait_ms;
    uint64_t size;
    int colour;
};

#define AT(member) offsetof(struct settings, member)

static const char *const colours[] = {"red", "green", NULL};

static bool is_short(const char *text, struct buffer *why_out)
{
    if (strlen(text) > 5)
        buffer_append_text(why_out, "expected five letters");
    return why_out->size == 0;
}

/* The default is not asked. */
static const struct option options[] = {
    {.name = "name",
     .kind = OPTION_TEXT,
     .offset = AT(name),
     .value = "nobody",
     .check = is_short,
     .help = "a name"},
    {.name = "secret",
     .kind = OPTION_TEXT,
     .offset = AT(secret),
     .value = "",
     .flags = OPTION_SECRET,
     .help = "a secret"},
    {.name = "number",
     .kind = OPTION_NUMBER,
     .offset = AT(number),
     .value = "7",
     .min = 1,
     .max = 100,
     .flags = OPTION_RELOADABLE,
     .help = "a number"},
    {.name = "wait",
     .kind = OPTION_DURATION,
     .offset = AT(wait_ms),
     .value = "2s",
     .min = 10,
     .max = 60000,
     .help = "a time"},
    {.name = "size",
     .kind = OPTION_BYTES,
     .offset = AT(size),
     .value = "64K",
     .min = 1,
     .max = 1 << 30,
     .help = "a size"},
    {.name = "colour",
     .kind = OPTION_CHOICE,
     .offset = AT(colour),
     .value = "red",
     .choices = colours,
     .help = "a colour"},
};

static const struct option_table tables[] = {{options, ARRAY_SIZE(options)}};
static struct settings settings;
static void *const configs[] = {&settings};
static struct buffer error;
static char path[] = "ocean-test-config.XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static bool load(const char *text, int argc, char **argv)
{
    write_file(text);
    config_free(tables, configs, 1);
    memset(&settings, 0, sizeof(settings));
    buffer_clear(&error);
    return config_load(tables, configs, 1, path, argc, argv, &error);
}

static bool load_text(const char *text)
{
    char program[] = "test";
    char *argv[] = {program, NULL};

    return load(text, 1, argv);
}

static void test_values(void)
{
    CU_ASSERT_TRUE(load_text(""));
    CU_ASSERT_STRING_EQUAL(settings.name, "nobody");
    CU_ASSERT_EQUAL(settings.number, 7);
    CU_ASSERT_EQUAL(settings.wait_ms, 2000);
    CU_ASSERT_EQUAL(settings.size, 64 * 1024);
    CU_ASSERT_EQUAL(settings.colour, 0);
    CU_ASSERT_TRUE(load_text("name = \"ocean\";\nnumber = 100;\n"
                             "wait = \"150ms\";\nsize = \"1M\";\n"
                             "colour = \"green\";\n"));
    CU_ASSERT_STRING_EQUAL(settings.name, "ocean");
    CU_ASSERT_EQUAL(settings.number, 100);
    CU_ASSERT_EQUAL(settings.wait_ms, 150);
    CU_ASSERT_EQUAL(settings.size, 1024 * 1024);
    CU_ASSERT_EQUAL(settings.colour, 1);
}

/* Each says where, and what it is about. */
static void test_bad_files(void)
{
    static const struct {
        const char *text, *line, *about;
    } bad[] = {
        {"\nnumber = 0;", ":2", "number"},
        {"number = 101;", ":1", "number"},
        {"number = \"many\";", ":1", "number"},
        {"\n\nwait = \"soon\";", ":3", "wait"},
        {"wait = \"2h\";", ":1", "wait"},
        {"size = \"big\";", ":1", "size"},
        {"name = [ 5 ];", ":1", "name"},
        {"\nname = \"sixsix\";", ":2: name", "expected five letters"},
        {"colour = \"blue\";", ":1", "red"},
        {"# a remark\nnmae = \"x\";", ":2", "nmae"},
        {"number = ;", ":1", ""},
        {"number = 1;\nnumber = 2;", ":2", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        bool is_loaded = load_text(bad[i].text);

        buffer_append_byte(&error, '\0');
        if (is_loaded || !strstr(error.data, path) ||
            !strstr(error.data, bad[i].line) ||
            !strstr(error.data, bad[i].about)) {
            printf("\n    %s: %s", bad[i].text, error.data);
            CU_FAIL("the error does not say it");
        }
        CU_ASSERT_PTR_NULL(strchr(error.data, '\n'));
    }
}

/* What stands there and what should, but nothing that may be a secret. */
static void test_syntax(void)
{
    static const struct {
        const char *text, *line;
        const char *shown; /* NULL: not to be shown */
    } bad[] = {
        {"name = \"a\";\n  number = ;\n", ":2: ", " in `number = ;`: expected"},
        {"name = ocean;", ":1: ", " in `name = ocean;`: expected"},
        {"name ocean;", ":1: ", " in `name ocean;`"},
        {"name = \"a;\ncolour = \"red\";", ":2: ", "further down"},
        {"secret = s3cret;", ":1: ", NULL},
        {"secret =\ns3cret;", ":2: ", NULL},
        {"secrte = s3cret;", ":1: ", NULL},
        {"name = \"a\"; secret = s3cret;", ":1: ", NULL},
        {"number = 1;\nnumber = 2;", ":2: ", " in `number = 2;`"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT_FALSE(load_text(bad[i].text));
        CU_ASSERT_EQUAL(strncmp(error.data, path, strlen(path)), 0);
        if (!strstr(error.data, bad[i].line) || strstr(error.data, "s3cret") ||
            (bad[i].shown && !strstr(error.data, bad[i].shown))) {
            printf("\n    %s: %s", bad[i].text, error.data);
            CU_FAIL("the error does not say it");
        }
    }
    CU_ASSERT_PTR_NULL(strstr(error.data, "expected")); /* of a duplicate */
}

/* Command line over environment over file. */
static void test_sources(void)
{
    char program[] = "test", option[] = "--number", value[] = "9";
    char *argv[] = {program, option, value, NULL};

    CU_ASSERT_EQUAL(setenv("OCEAN_NUMBER", "8", 1), 0);
    CU_ASSERT_TRUE(load("number = 5;", 1, argv));
    CU_ASSERT_EQUAL(settings.number, 8);
    CU_ASSERT_TRUE(load("number = 5;", 3, argv));
    CU_ASSERT_EQUAL(settings.number, 9);
    CU_ASSERT_EQUAL(setenv("OCEAN_NUMBER", "x", 1), 0);
    CU_ASSERT_FALSE(load("", 1, argv));
    buffer_append_byte(&error, '\0');
    CU_ASSERT_PTR_NOT_NULL(strstr(error.data, "OCEAN_NUMBER"));
    CU_ASSERT_EQUAL(unsetenv("OCEAN_NUMBER"), 0);
}

/* Of "number": the strongest source of those that have it. */
static void test_where(void)
{
    char program[] = "test", option[] = "--wait", value[] = "1s";
    char number[] = "--number", nine[] = "9";
    char *other[] = {program, option, value, NULL};
    char *argv[] = {program, number, nine, NULL};
    struct buffer where = BUFFER_EMPTY;

    write_file("colour = \"red\";");
    config_where("number", path, other, &where);
    CU_ASSERT_STRING_EQUAL(where.data, "number");
    buffer_clear(&where);
    config_where("number", NULL, other, &where);
    CU_ASSERT_STRING_EQUAL(where.data, "number");
    buffer_clear(&where);
    write_file("colour = \"red\";\nnumber = 5;");
    config_where("number", path, other, &where);
    CU_ASSERT_EQUAL(strncmp(where.data, path, strlen(path)), 0);
    CU_ASSERT_STRING_EQUAL(where.data + strlen(path), ":2: number");
    buffer_clear(&where);
    CU_ASSERT_EQUAL(setenv("OCEAN_NUMBER", "8", 1), 0);
    config_where("number", path, other, &where);
    CU_ASSERT_STRING_EQUAL(where.data, "OCEAN_NUMBER");
    buffer_clear(&where);
    config_where("number", path, argv, &where);
    CU_ASSERT_STRING_EQUAL(where.data, "--number");
    CU_ASSERT_EQUAL(unsetenv("OCEAN_NUMBER"), 0);
    buffer_deinit(&where);
}

static void test_bad_arguments(void)
{
    static const char *const bad[][2] = {{"--no-such", "1"},
                                         {"number", "1"},
                                         {"--number", NULL},
                                         {"--number", "1000"},
                                         {"--secret", "x"}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char program[] = "test", option[32], value[32];
        char *argv[] = {program, option, value, NULL};

        snprintf(option, sizeof(option), "%s", bad[i][0]);
        snprintf(value, sizeof(value), "%s", bad[i][1] ? bad[i][1] : "");
        if (!bad[i][1])
            argv[2] = NULL;
        CU_ASSERT_FALSE(load("", bad[i][1] ? 3 : 2, argv));
        CU_ASSERT_TRUE(error.size > 0);
    }
}

/* Only what may change does; an error changes nothing. */
static void test_reload(void)
{
    CU_ASSERT_TRUE(load_text("number = 5; name = \"one\";"));
    write_file("number = 6; name = \"two\";");
    CU_ASSERT_TRUE(config_reload(tables, configs, 1, path, &error));
    CU_ASSERT_EQUAL(settings.number, 6);
    CU_ASSERT_STRING_EQUAL(settings.name, "one");
    write_file("number = 7; colour = \"blue\";");
    CU_ASSERT_FALSE(config_reload(tables, configs, 1, path, &error));
    CU_ASSERT_EQUAL(settings.number, 6);
}

static char strays[256];

static void on_stray(const char *variable)
{
    snprintf(strays + strlen(strays), sizeof(strays) - strlen(strays), "%s ",
             variable);
}

static void test_strays(void)
{
    static const char *const others[] = {"port", NULL};
    static const char *const variables[] = {"OCEAN_NUMBER", "OCEAN_PORT",
                                            "OCEAN_PORTS",  "OCEAN_POR",
                                            "OCEAN_port",   "OCEANIC"};

    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        CU_ASSERT_EQUAL(setenv(variables[i], "1", 1), 0);
    config_find_strays(tables, 1, others, on_stray);
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        CU_ASSERT_EQUAL(unsetenv(variables[i]), 0);
    CU_ASSERT_STRING_EQUAL(strays, "OCEAN_PORTS OCEAN_POR OCEAN_port ");
}

static const struct unit_case cases[] = {
    {"values", test_values}, {"bad files", test_bad_files},
    {"syntax", test_syntax}, {"sources", test_sources},
    {"where", test_where},   {"bad arguments", test_bad_arguments},
    {"reload", test_reload}, {"strays", test_strays},
};

int main(void)
{
    int fd = mkstemp(path);
    int status;

    if (fd < 0)
        abort();
    close(fd);
    status = unit_run("config", cases, ARRAY_SIZE(cases));
    config_free(tables, configs, 1);
    buffer_deinit(&error);
    unlink(path);
    return status;
}
