#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "base/log.h"
#include "cluster/names.h"
#include "tool.h"

#define VHOST "ocean"
#define MESSAGES_BYTES_MAX (256 * 1024 * 1024)
#define CRASHED_MAX 1000
#define CRASHED_MS (24 * 60 * 60 * 1000)

/* A broker user with what it may configure, write and read.  A publish needs
 * write on the exchange; a binding write on the queue and read on the
 * exchange; consuming read on the queue. */
struct broker_user {
    const char *name;
    const char *configure, *write, *read;
};

#define NODE "node\\..*"
#define MEETING "ocean\\.(cluster|node)"

static const struct broker_user users[] = {
    {"frontend", "^(frontend\\..*|" NODE ")$",
     "^(frontend\\..*|" NODE "|" MEETING
     "|ocean\\.(delivery|roster|presence|archive|frontend|dead))$",
     "^(frontend\\..*|" NODE "|" MEETING "|ocean\\.frontend)$"},
    {"delivery", "^(frontend\\..*|" NODE ")$",
     "^(" NODE "|" MEETING
     "|ocean\\.(delivery|presence|roster|archive|frontend|dead))$",
     "^(delivery\\..*|frontend\\..*|" NODE "|" MEETING ")$"},
    {"presence", "^" NODE "$",
     "^(" NODE "|" MEETING "|ocean\\.(delivery|presence|roster|dead))$",
     "^(presence\\..*|" NODE "|" MEETING ")$"},
    {"roster", "^" NODE "$",
     "^(" NODE "|" MEETING
     "|ocean\\.(delivery|presence|roster|archive|frontend|dead))$",
     "^(roster\\..*|" NODE "|" MEETING ")$"},
    {"archive", "^" NODE "$",
     "^(" NODE "|" MEETING "|ocean\\.(delivery|archive|frontend|dead))$",
     "^(archive\\..*|" NODE "|" MEETING ")$"},
    {"tool", "^(" NODE "|tap\\..*)$",
     "^(" NODE "|tap\\..*|" MEETING
     "|ocean\\.(delivery|presence|roster|archive|frontend))$",
     "^.*$"},
};

struct settings {
    unsigned partitions;
    const char *queue_type;
    const char *secrets; /* directory with a file per user */
};

static struct settings settings = {PARTITIONS_DEFAULT, "classic", NULL};

static void read_secret(const char *user, char *out, size_t room)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", settings.secrets, user);
    file = fopen(path, "re");
    if (!file || !fgets(out, (int)room, file)) {
        fprintf(stderr, "oceanctl: cannot read a password from %s\n", path);
        exit(EX_NOINPUT);
    }
    fclose(file);
    out[strcspn(out, "\r\n")] = '\0';
}

/* RabbitMQ: base64(salt, SHA-256(salt, password)), 4 bytes of salt. */
static json_t *password_hash(const char *user)
{
    unsigned char salted[4 + 256];
    unsigned char hash[4 + EVP_MAX_MD_SIZE];
    unsigned char text[128];
    unsigned size = 0;
    size_t password_size;

    read_secret(user, (char *)salted + 4, sizeof(salted) - 4);
    password_size = strlen((char *)salted + 4);
    BUG_ON(getrandom(salted, 4, 0) != 4);
    memcpy(hash, salted, 4);
    BUG_ON(EVP_Digest(salted, 4 + password_size, hash + 4, &size, EVP_sha256(),
                      NULL) != 1);
    EVP_EncodeBlock(text, hash, (int)(4 + size));
    explicit_bzero(salted, sizeof(salted));
    return json_string((const char *)text);
}

static void add_user(json_t *list, const char *name, const char *secret,
                     const char *tags)
{
    json_array_append_new(
        list, json_pack("{s:s, s:o, s:s, s:s}", "name", name, "password_hash",
                        password_hash(secret), "hashing_algorithm",
                        "rabbit_password_hashing_sha256", "tags", tags));
}

static void add_permission(json_t *list, const char *name,
                           const char *configure, const char *write,
                           const char *read)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", name,
                                    "vhost", VHOST, "configure", configure,
                                    "write", write, "read", read));
}

static void add_users(json_t *root)
{
    json_t *list = json_array();
    json_t *permissions = json_array();
    char name[64];

    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        snprintf(name, sizeof(name), "ocean-%s", users[i].name);
        add_user(list, name, users[i].name, "");
        add_permission(permissions, name, users[i].configure, users[i].write,
                       users[i].read);
    }
    add_user(list, "admin", "admin", "administrator");
    add_permission(permissions, "admin", ".*", ".*", ".*");
    json_object_set_new(root, "users", list);
    json_object_set_new(root, "permissions", permissions);
}

static void add_exchange(json_t *list, const char *name, const char *type)
{
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:{}}", "name", name,
                        "vhost", VHOST, "type", type, "durable", 1,
                        "auto_delete", 0, "internal", 0, "arguments"));
}

static void add_exchanges(json_t *root)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < SERVICE_COUNT; i++)
        add_exchange(list, service_exchange((enum service_id)i), "direct");
    add_exchange(list, EXCHANGE_FRONTEND, "direct");
    add_exchange(list, EXCHANGE_NODE, "direct");
    add_exchange(list, EXCHANGE_CLUSTER, "fanout");
    add_exchange(list, EXCHANGE_DEAD, "fanout");
    json_object_set_new(root, "exchanges", list);
}

static void add_binding(json_t *list, const char *exchange, const char *queue,
                        const char *key)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "source",
                                    exchange, "vhost", VHOST, "destination",
                                    queue, "destination_type", "queue",
                                    "routing_key", key, "arguments"));
}

static void add_queue(json_t *list, const char *name, json_t *arguments)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:b, s:b, s:o}", "name", name,
                                    "vhost", VHOST, "durable", 1, "auto_delete",
                                    0, "arguments", arguments));
}

static json_t *core_arguments(void)
{
    json_t *arguments =
        json_pack("{s:b, s:s, s:i, s:s}", "x-single-active-consumer", 1,
                  "x-queue-type", settings.queue_type, "x-max-length-bytes",
                  MESSAGES_BYTES_MAX, "x-overflow", "reject-publish");

    if (!strcmp(settings.queue_type, "quorum"))
        json_object_set_new(arguments, "x-delivery-limit",
                            json_integer(1000000));
    return arguments;
}

/* Notes of crashes: few, and of no use when they are old. */
static json_t *crashed_arguments(void)
{
    json_t *arguments =
        json_pack("{s:b, s:s, s:i, s:i}", "x-single-active-consumer", 1,
                  "x-queue-type", settings.queue_type, "x-max-length",
                  CRASHED_MAX, "x-message-ttl", CRASHED_MS);

    if (!strcmp(settings.queue_type, "quorum"))
        json_object_set_new(arguments, "x-delivery-limit",
                            json_integer(1000000));
    return arguments;
}

static void add_queues(json_t *root)
{
    json_t *queues = json_array();
    json_t *bindings = json_array();
    char queue[NAME_MAX_BYTES];
    char key[NAME_MAX_BYTES];

    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        for (unsigned p = 0; p < settings.partitions; p++) {
            enum service_id service = (enum service_id)i;

            partition_queue(service, p, queue);
            add_queue(queues, queue, core_arguments());
            add_binding(bindings, service_exchange(service), queue,
                        partition_key(p, key));
        }
        add_queue(queues, crashed_queue((enum service_id)i, queue),
                  crashed_arguments());
        add_binding(bindings, service_exchange((enum service_id)i), queue,
                    KEY_CRASHED);
    }
    add_queue(queues, QUEUE_DEAD,
              json_pack("{s:s}", "x-queue-type", settings.queue_type));
    add_binding(bindings, EXCHANGE_DEAD, QUEUE_DEAD, "");
    json_object_set_new(root, "queues", queues);
    json_object_set_new(root, "bindings", bindings);
}

static void take_option(const char *option, const char *value)
{
    if (!strcmp(option, "--partitions")) {
        settings.partitions =
            (unsigned)tool_number(&command_definitions, value);
        if (settings.partitions > PARTITIONS_MAX)
            tool_usage(&command_definitions, "--partitions: at most 64");
    } else if (!strcmp(option, "--queue-type")) {
        if (strcmp(value, "classic") != 0 && strcmp(value, "quorum") != 0)
            tool_usage(&command_definitions,
                       "--queue-type: expected classic or quorum");
        settings.queue_type = value;
    } else if (!strcmp(option, "--secrets")) {
        settings.secrets = value;
    } else {
        tool_usage(&command_definitions, "unknown option \"%s\"", option);
    }
}

static void print_definitions(struct tool *tool, int argc, char **argv)
{
    json_t *root = json_object();

    (void)tool;
    for (int i = 0; i < argc; i += 2) {
        if (i + 1 >= argc)
            tool_usage(&command_definitions, "%s: expected a value after it",
                       argv[i]);
        take_option(argv[i], argv[i + 1]);
    }
    if (!settings.secrets)
        tool_usage(&command_definitions, "--secrets is missing");
    json_object_set_new(root, "vhosts", json_pack("[{s:s}]", "name", VHOST));
    add_users(root);
    add_exchanges(root);
    add_queues(root);
    BUG_ON(json_dumpf(root, stdout, JSON_INDENT(1)) != 0);
    putchar('\n');
    json_decref(root);
}

const struct tool_command command_definitions = {
    .name = "definitions",
    .arguments = "--secrets DIR [--partitions N] [--queue-type T]",
    .help = "print RabbitMQ's definitions: users (passwords from files in "
            "DIR), exchanges, queues",
    .parse = print_definitions,
};
