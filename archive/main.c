#include "archive.h"
#include "base/memory.h"

#define AT(member) offsetof(struct archive_config, member)

static const struct option options[] = {
    STORE_OPTIONS(struct archive_config, "messages"),
    {.name = "max_offline",
     .kind = OPTION_NUMBER,
     .offset = AT(max_offline),
     .value = "1000",
     .help = "messages kept for one user, then they bounce; 0: no limit"},
    {.name = "page",
     .kind = OPTION_NUMBER,
     .offset = AT(page),
     .value = "200",
     .min = 1,
     .max = 10000,
     .help = "messages replayed at once"},
};

static void *archive_open(const void *config, const char *domain,
                          unsigned partition, struct store_error *error_out)
{
    struct archive *archive = memory_new(sizeof(*archive));

    (void)domain;
    archive->config = config;
    archive->store =
        store_open(archive->config->store, partition,
                   archive->config->synchronous == STORE_FULL, error_out);
    if (!archive->store)
        memory_free(&archive);
    return archive;
}

static void archive_close(void *state)
{
    struct archive *archive = state;

    store_close(&archive->store);
    memory_free(&archive);
}

static bool archive_begin(void *state)
{
    struct archive *archive = state;

    archive->is_fenced = false;
    return store_begin(archive->store);
}

static bool archive_rollback(void *state, bool *has_changed_out)
{
    struct archive *archive = state;

    return store_rollback(archive->store, has_changed_out);
}

static bool archive_commit(void *state)
{
    struct archive *archive = state;

    return store_commit(archive->store);
}

static const char *archive_refusal(const void *state)
{
    const struct archive *archive = state;

    return store_refusal(archive->store);
}

int main(int argc, char **argv)
{
    const struct service_spec spec = {
        .service = SERVICE_ARCHIVE,
        .options = {options, ARRAY_SIZE(options)},
        .config_size = sizeof(struct archive_config),
        .handlers = archive_handlers,
        .handler_count = archive_handler_count,
        .open = archive_open,
        .close = archive_close,
        .begin = archive_begin,
        .rollback = archive_rollback,
        .commit = archive_commit,
        .refusal = archive_refusal,
    };

    return service_main(&spec, argc, argv);
}
