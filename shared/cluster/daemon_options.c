#include "cluster/daemon_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"
#include "xmpp/jid.h"

static const char *const log_levels[] = {"error", "warning", "info", "debug",
                                         NULL};

const char *const daemon_queue_types[] = {"classic", "quorum", NULL};

#define AT(member) offsetof(struct daemon_common, member)

static const struct option common_options[] = {
    {.name = "broker_host",
     .kind = OPTION_TEXT,
     .offset = AT(broker_host),
     .value = "127.0.0.1",
     .help = "RabbitMQ's host name or address"},
    {.name = "broker_port",
     .kind = OPTION_NUMBER,
     .offset = AT(broker_port),
     .value = "5672",
     .min = 1,
     .max = 65535,
     .help = "RabbitMQ's AMQP port"},
    {.name = "broker_user",
     .kind = OPTION_TEXT,
     .offset = AT(broker_user),
     .value = "",
     .help = "AMQP user; default ocean-<daemon>"},
    {.name = "broker_password",
     .kind = OPTION_TEXT,
     .offset = AT(broker_password),
     .value = "",
     .flags = OPTION_SECRET,
     .help = "AMQP password (file or environment only)"},
    {.name = "broker_password_file",
     .kind = OPTION_TEXT,
     .offset = AT(broker_password_file),
     .value = "",
     .help = "file whose first line is the AMQP password"},
    {.name = "broker_vhost",
     .kind = OPTION_TEXT,
     .offset = AT(broker_vhost),
     .value = "ocean",
     .help = "AMQP virtual host"},
    {.name = "domain",
     .kind = OPTION_TEXT,
     .offset = AT(domain),
     .value = "localhost",
     .help = "XMPP domain served"},
    {.name = "instance",
     .kind = OPTION_TEXT,
     .offset = AT(instance),
     .value = "1",
     .help = "name of this instance, shown in the broker and in logs"},
    {.name = "partitions",
     .kind = OPTION_NUMBER,
     .offset = AT(partitions),
     .value = "8",
     .min = 1,
     .max = PARTITIONS_MAX,
     .help = "partitions per service; one number for the whole cluster"},
    {.name = "queue_type",
     .kind = OPTION_CHOICE,
     .offset = AT(queue_type),
     .value = "classic",
     .choices = daemon_queue_types,
     .help = "type of the queues: classic or quorum"},
    {.name = "log_level",
     .kind = OPTION_CHOICE,
     .offset = AT(log_level),
     .value = "info",
     .choices = log_levels,
     .flags = OPTION_RELOADABLE,
     .help = "error, warning, info or debug"},
    {.name = "grace_seconds",
     .kind = OPTION_NUMBER,
     .offset = AT(grace_seconds),
     .value = "5",
     .min = 2,
     .max = 300,
     .help = "silence after which a member is given up"},
    {.name = "calm_ms",
     .kind = OPTION_NUMBER,
     .offset = AT(calm_ms),
     .value = "3000",
     .min = 0,
     .max = 600000,
     .help = "milliseconds without a membership change before a partition "
             "moves"},
    {.name = "batch_events",
     .kind = OPTION_NUMBER,
     .offset = AT(batch_events),
     .value = "256",
     .min = 1,
     .max = 4096,
     .help = "events in one AMQP message at most (quorum queues: 64)"},
    {.name = "batch_bytes",
     .kind = OPTION_BYTES,
     .offset = AT(batch_bytes),
     .value = "64K",
     .min = 1024,
     .max = 1024 * 1024,
     .help = "bytes in one AMQP message at most (quorum queues: 32K)"},
    {.name = "prefetch",
     .kind = OPTION_NUMBER,
     .offset = AT(prefetch),
     .value = "64",
     .min = 1,
     .max = 1000,
     .help = "AMQP messages of one queue in hand at most"},
    {.name = "pressure_bytes",
     .kind = OPTION_BYTES,
     .offset = AT(pressure_bytes),
     .value = "4M",
     .min = 64 * 1024,
     .max = 1024 * 1024 * 1024,
     .help = "bytes waiting for one queue at which its producers stop"},
};

const struct option_table daemon_common_options = {common_options,
                                                   ARRAY_SIZE(common_options)};

NO_RETURN static void print_help(const char *kind,
                                 const struct option_table *tables,
                                 size_t table_count)
{
    struct buffer text = BUFFER_EMPTY;

    config_describe(tables, table_count, &text);
    printf("ocean-%s %s\n\nUsage: ocean-%s [--config FILE] [--option value "
           "...]\n\nEvery option can stand in the file (name = value;) or in "
           "the environment (OCEAN_NAME).\n\n%s",
           kind, OCEAN_VERSION, kind, text.data);
    buffer_deinit(&text);
    exit(EXIT_SUCCESS);
}

/* Takes "--config FILE" out of the arguments. */
static char *take_config_file(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        char *file;

        if (strcmp(argv[i], "--config") != 0)
            continue;
        if (i + 1 >= *argc)
            log_fatal(EX_USAGE, "--config: expected a file name");
        file = memory_copy_text(slice_of(argv[i + 1]));
        memmove(argv + i, argv + i + 2,
                (size_t)(*argc - i - 1) * sizeof(*argv));
        *argc -= 2;
        return file;
    }
    return NULL;
}

char *daemon_load(const char *kind, const struct option_table *tables,
                  void *const *configs, size_t table_count, int argc,
                  char **argv)
{
    struct buffer error = BUFFER_EMPTY;
    char *file;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help"))
            print_help(kind, tables, table_count);
        if (!strcmp(argv[i], "--version")) {
            printf("ocean-%s %s\n", kind, OCEAN_VERSION);
            exit(EXIT_SUCCESS);
        }
    }
    file = take_config_file(&argc, argv);
    if (!config_load(tables, configs, table_count, file, argc, argv, &error))
        log_fatal(EX_CONFIG, "%s", error.data);
    return file;
}

/* Where the options of a daemon come from. */
struct source {
    const char *file;
    char **argv;
};

NO_RETURN static void refuse(const struct source *source, const char *option,
                             const char *format, ...) PRINTF_LIKE(3, 4);

static void refuse(const struct source *source, const char *option,
                   const char *format, ...)
{
    struct buffer where = BUFFER_EMPTY;
    char why[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    config_where(option, source->file, source->argv, &where);
    log_fatal(EX_CONFIG, "%s: %s", where.data, why);
}

static void read_password(struct daemon_common *common,
                          const struct source *source)
{
    char line[512];
    FILE *file;

    if (!*common->broker_password_file || *common->broker_password)
        return;
    file = fopen(common->broker_password_file, "re");
    if (!file)
        refuse(source, "broker_password_file", "cannot read \"%s\": %s",
               common->broker_password_file, strerror(errno));
    if (!fgets(line, sizeof(line), file))
        refuse(source, "broker_password_file",
               "expected the password in the first line of \"%s\"",
               common->broker_password_file);
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    memory_free(&common->broker_password);
    common->broker_password = memory_copy_text(slice_of(line));
    explicit_bzero(line, sizeof(line));
}

void daemon_check_common(struct daemon_common *common, const char *file,
                         char **argv)
{
    const struct source source = {file, argv};
    struct jid domain;
    const char *error = NULL;

    if (!jid_parse(slice_of(common->domain), &domain, &error) ||
        domain.local_size || domain.size != domain.bare_size)
        refuse(&source, "domain", "expected a domain name, got \"%s\"%s%s",
               common->domain, error ? ": " : "", error ? error : "");
    memory_free(&common->domain);
    common->domain = memory_copy_text(jid_full(&domain));
    if (!*common->instance || strlen(common->instance) > 32 ||
        strspn(common->instance, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
            strlen(common->instance))
        refuse(&source, "instance",
               "expected up to 32 of a-z 0-9 - _, got \"%s\"",
               common->instance);
    read_password(common, &source);
}

void daemon_check_own(const struct daemon_spec *spec, void *owner,
                      const char *file, char **argv)
{
    const struct source source = {file, argv};
    struct buffer why = BUFFER_EMPTY;
    const char *option = spec->check ? spec->check(owner, &why) : NULL;

    if (option)
        refuse(&source, option, "%s", why.data);
}

void daemon_bus_config(const struct daemon_common *common, const char *kind,
                       const char *node, struct bus_config *config_out)
{
    static char user[64];
    bool is_quorum = common->queue_type == QUEUE_TYPE_QUORUM;

    snprintf(user, sizeof(user), "ocean-%s", kind);
    *config_out = (struct bus_config){
        .host = common->broker_host,
        .port = (unsigned)common->broker_port,
        .user = *common->broker_user ? common->broker_user : user,
        .password = common->broker_password,
        .vhost = common->broker_vhost,
        .name = node,
        .heartbeat_seconds = 5,
        .has_quorum_queues = is_quorum,
        .batch_events = common->batch_events,
        .batch_bytes = common->batch_bytes,
        .pressure_high_bytes = common->pressure_bytes,
        .pressure_low_bytes = common->pressure_bytes / 2,
    };
    if (is_quorum && config_out->batch_events > 64)
        config_out->batch_events = 64;
    if (is_quorum && config_out->batch_bytes > 32 * 1024)
        config_out->batch_bytes = 32 * 1024;
}
