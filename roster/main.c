#include "roster.h"

#define AT(member) offsetof(struct roster_config, member)

static const struct option options[] = {
    STORE_OPTIONS(struct roster_config, "accounts and rosters"),
    {.name = "max_items",
     .kind = OPTION_NUMBER,
     .offset = AT(max_items),
     .value = "1000",
     .min = 1,
     .max = 1000000,
     .help = "contacts in one roster"},
    {.name = "max_requests",
     .kind = OPTION_NUMBER,
     .offset = AT(max_requests),
     .value = "100",
     .min = 1,
     .max = 1000000,
     .help = "strangers' subscription requests kept for one user; one more "
             "refuses the oldest"},
};

int main(int argc, char **argv)
{
    static const char *const serves[] = {"iq:jabber:iq:roster", NULL};
    const struct service_spec spec = {
        .service = SERVICE_ROSTER,
        .options = {options, ARRAY_SIZE(options)},
        .config_size = sizeof(struct roster_config),
        .handlers = roster_handlers,
        .handler_count = roster_handler_count,
        .serves = serves,
        .open = roster_open,
        .close = roster_close,
        .begin = roster_begin,
        .rollback = roster_rollback,
        .commit = roster_commit,
        .refusal = roster_refusal,
    };

    return service_main(&spec, argc, argv);
}
