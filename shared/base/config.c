#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config_syntax.h"
#include "base/config_value.h"
#include "base/memory.h"

#define PREFIX "OCEAN_" /* of environment variables */

/* All tables of a daemon with the structs they fill. */
struct sources {
    const struct option_table *tables;
    void *const *configs;
    size_t count;
    struct buffer *error;
    bool reloadable_only;
};

struct found {
    const struct option *option;
    void *config;
};

static struct found find_option(const struct sources *sources, const char *name)
{
    for (size_t i = 0; i < sources->count; i++) {
        for (size_t j = 0; j < sources->tables[i].count; j++) {
            const struct option *option = &sources->tables[i].options[j];

            if (!strcmp(option->name, name))
                return (struct found){option, sources->configs[i]};
        }
    }
    return (struct found){NULL, NULL};
}

static bool complain(const struct sources *sources, const char *where,
                     const char *what)
{
    buffer_clear(sources->error);
    buffer_appendf(sources->error, "%s: %s", where, what);
    return false;
}

/* `where` names the source: "ocean.conf:12", "OCEAN_TLS", "--tls". */
static bool set_option(const struct sources *sources, struct found found,
                       const char *where, const char *value)
{
    struct buffer why = BUFFER_EMPTY;
    bool is_set;

    if (sources->reloadable_only && !(found.option->flags & OPTION_RELOADABLE))
        return true;
    is_set = (!found.option->check || value == found.option->value ||
              found.option->check(value, &why)) &&
             config_value_set(found.option, found.config, value, &why);
    if (!is_set)
        complain(sources, where, why.data);
    buffer_deinit(&why);
    return is_set;
}

/* Defaults. */

static bool load_defaults(const struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        for (size_t j = 0; j < sources->tables[i].count; j++) {
            const struct option *option = &sources->tables[i].options[j];
            struct found found = {option, sources->configs[i]};

            if (option->value &&
                !set_option(sources, found, option->name, option->value))
                return false;
        }
    }
    return true;
}

/* The libconfig file. */

static bool setting_text(const config_setting_t *setting, struct buffer *out)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        buffer_appendf(out, "%d", config_setting_get_int(setting));
        return true;
    case CONFIG_TYPE_INT64:
        buffer_appendf(out, "%lld", config_setting_get_int64(setting));
        return true;
    case CONFIG_TYPE_BOOL:
        buffer_append_text(out,
                           config_setting_get_bool(setting) ? "true" : "false");
        return true;
    case CONFIG_TYPE_STRING:
        buffer_append_text(out, config_setting_get_string(setting));
        return true;
    default:
        return false;
    }
}

static void setting_where(const config_setting_t *setting, const char *file,
                          struct buffer *out)
{
    buffer_appendf(out, "%s:%u: %s", file, config_setting_source_line(setting),
                   config_setting_name(setting));
}

static bool load_setting(const struct sources *sources, const char *file,
                         const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    struct found found = find_option(sources, name);
    struct buffer where = BUFFER_EMPTY;
    struct buffer value = BUFFER_EMPTY;
    bool is_loaded;

    setting_where(setting, file, &where);
    if (!found.option)
        is_loaded = complain(sources, where.data, "there is no such option");
    else if (!setting_text(setting, &value))
        is_loaded = complain(sources, where.data, "expected a single value");
    else
        is_loaded = set_option(sources, found, where.data,
                               value.data ? value.data : "");
    buffer_deinit(&where);
    buffer_deinit(&value);
    return is_loaded;
}

static bool read_file(const struct sources *sources, const char *file,
                      config_t *config)
{
    int error;

    errno = 0;
    if (config_read_file(config, file))
        return true;
    error = errno;
    if (config_error_type(config) != CONFIG_ERR_PARSE)
        return complain(sources, file,
                        error ? strerror(error) : "expected a plain file");
    buffer_clear(sources->error);
    config_syntax_explain(config, sources->tables, sources->count,
                          sources->error);
    return false;
}

static bool load_file(const struct sources *sources, const char *file)
{
    config_t config;
    const config_setting_t *root;
    bool is_loaded;

    if (!file)
        return true;
    config_init(&config);
    is_loaded = read_file(sources, file, &config);
    root = config_root_setting(&config);
    for (int i = 0; is_loaded && i < config_setting_length(root); i++)
        is_loaded = load_setting(sources, file,
                                 config_setting_get_elem(root, (unsigned)i));
    config_destroy(&config);
    return is_loaded;
}

/* The environment. */

static void environment_name(const char *option, struct buffer *out)
{
    buffer_clear(out);
    buffer_append_text(out, PREFIX);
    for (; *option; option++)
        buffer_append_byte(out, (char)toupper((unsigned char)*option));
}

static bool load_environment(const struct sources *sources)
{
    struct buffer name = BUFFER_EMPTY;
    bool is_loaded = true;

    for (size_t i = 0; is_loaded && i < sources->count; i++) {
        for (size_t j = 0; is_loaded && j < sources->tables[i].count; j++) {
            struct found found = {&sources->tables[i].options[j],
                                  sources->configs[i]};
            const char *value;

            environment_name(found.option->name, &name);
            value = getenv(name.data);
            if (value)
                is_loaded = set_option(sources, found, name.data, value);
        }
    }
    buffer_deinit(&name);
    return is_loaded;
}

/* `entry`: "OCEAN_NAME=value". */
static bool is_set_by(const char *option, const char *entry)
{
    struct buffer name = BUFFER_EMPTY;
    bool is_it;

    environment_name(option, &name);
    is_it = !strncmp(entry, name.data, name.size) && entry[name.size] == '=';
    buffer_deinit(&name);
    return is_it;
}

static bool is_stray(const struct option_table *tables, size_t table_count,
                     const char *const *others, const char *entry)
{
    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0)
        return false;
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            if (is_set_by(tables[i].options[j].name, entry))
                return false;
        }
    }
    for (; *others; others++) {
        if (is_set_by(*others, entry))
            return false;
    }
    return true;
}

void config_find_strays(const struct option_table *tables, size_t table_count,
                        const char *const *others,
                        void (*found)(const char *variable))
{
    for (char **entry = environ; *entry; entry++) {
        char *name;

        if (!is_stray(tables, table_count, others, *entry))
            continue;
        name = memory_copy_text((struct slice){*entry, strcspn(*entry, "=")});
        found(name);
        memory_free(&name);
    }
}

/* The command line. */

/* "--some-option" to "some_option"; NULL when it is no option. */
static char *argument_name(const char *argument)
{
    char *name;

    if (strncmp(argument, "--", 2) != 0 || !argument[2])
        return NULL;
    name = memory_copy_text(slice_of(argument + 2));
    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : *at;
    return name;
}

static bool load_argument(const struct sources *sources, const char *argument,
                          const char *value)
{
    char *name = argument_name(argument);
    struct found found = {NULL, NULL};
    bool is_loaded;

    if (name)
        found = find_option(sources, name);
    if (!found.option)
        is_loaded = complain(sources, argument,
                             "there is no such option; --help lists them");
    else if (found.option->flags & OPTION_SECRET)
        is_loaded = complain(sources, argument,
                             "a secret belongs in the configuration file or "
                             "the environment");
    else if (!value)
        is_loaded = complain(sources, argument, "expected a value after it");
    else
        is_loaded = set_option(sources, found, argument, value);
    memory_free(&name);
    return is_loaded;
}

static bool load_arguments(const struct sources *sources, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (!load_argument(sources, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            return false;
    }
    return true;
}

static bool check_required(const struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        for (size_t j = 0; j < sources->tables[i].count; j++) {
            const struct option *option = &sources->tables[i].options[j];

            if ((option->flags & OPTION_REQUIRED) &&
                !config_value_is_set(option, sources->configs[i]))
                return complain(sources, option->name,
                                "this option must be given");
        }
    }
    return true;
}

bool config_load(const struct option_table *tables, void *const *configs,
                 size_t table_count, const char *file, int argc, char **argv,
                 struct buffer *error_out)
{
    struct sources sources = {tables, configs, table_count, error_out, false};

    return load_defaults(&sources) && load_file(&sources, file) &&
           load_environment(&sources) && load_arguments(&sources, argc, argv) &&
           check_required(&sources);
}

/* The strongest source that has it, as config_load takes them. */

static bool where_in_arguments(const char *option, char **argv,
                               struct buffer *out)
{
    for (; *argv && !out->size; argv++) {
        char *name = argument_name(*argv);

        if (name && !strcmp(name, option))
            buffer_append_text(out, *argv);
        memory_free(&name);
    }
    return out->size > 0;
}

static bool where_in_environment(const char *option, struct buffer *out)
{
    environment_name(option, out);
    if (getenv(out->data))
        return true;
    buffer_clear(out);
    return false;
}

static void where_in_file(const char *option, const char *file,
                          struct buffer *out)
{
    const config_setting_t *setting = NULL;
    config_t config;

    config_init(&config);
    if (file && config_read_file(&config, file))
        setting = config_lookup(&config, option);
    if (setting)
        setting_where(setting, file, out);
    else
        buffer_append_text(out, option);
    config_destroy(&config);
}

void config_where(const char *option, const char *file, char **argv,
                  struct buffer *out)
{
    if (!where_in_arguments(option, argv, out) &&
        !where_in_environment(option, out))
        where_in_file(option, file, out);
}

/* A dry run into copies first: an error must change nothing. */
bool config_reload(const struct option_table *tables, void *const *configs,
                   size_t table_count, const char *file,
                   struct buffer *error_out)
{
    struct sources sources = {tables, configs, table_count, error_out, true};
    void **copies = memory_new_array(table_count, sizeof(*copies));
    bool is_good;

    for (size_t i = 0; i < table_count; i++)
        copies[i] = memory_new(config_value_extent(&tables[i]));
    sources.configs = copies;
    sources.reloadable_only = false;
    is_good = load_defaults(&sources) && load_file(&sources, file) &&
              load_environment(&sources);
    config_free(tables, copies, table_count);
    for (size_t i = 0; i < table_count; i++)
        memory_free(&copies[i]);
    memory_free(&copies);
    sources.configs = configs;
    sources.reloadable_only = true;
    return is_good && load_file(&sources, file) && load_environment(&sources);
}

void config_free(const struct option_table *tables, void *const *configs,
                 size_t table_count)
{
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++)
            config_value_free(&tables[i].options[j], configs[i]);
    }
}

void config_describe(const struct option_table *tables, size_t table_count,
                     struct buffer *out)
{
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct option *option = &tables[i].options[j];

            buffer_appendf(out, "  %-30s %s", option->name, option->help);
            if (option->value && *option->value)
                buffer_appendf(out, " (default %s)", option->value);
            buffer_append_byte(out, '\n');
        }
    }
}
