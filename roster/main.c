#include "base/memory.h"
#include "roster.h"

static const char *const synchronous[] = {"full", "normal", NULL};

#define AT(member) offsetof(struct roster_config, member)

static const struct option options[] = {
    {.name = "store",
     .kind = OPTION_TEXT,
     .offset = AT(store),
     .value = "sqlite:./run/store",
     .help = "where accounts and rosters are kept: sqlite:DIR, a file per "
             "partition"},
    {.name = "synchronous",
     .kind = OPTION_CHOICE,
     .offset = AT(synchronous),
     .value = "full",
     .choices = synchronous,
     .help = "full: a commit survives power loss; normal: it may not"},
    {.name = "max_items",
     .kind = OPTION_NUMBER,
     .offset = AT(max_items),
     .value = "1000",
     .min = 1,
     .max = 1000000,
     .help = "contacts in one roster"},
};

static const struct service_handler handlers[] = {
    {EVENT_AUTH_KEYS_ASK, on_auth_keys_ask},
    {EVENT_LOGIN_FAILED, on_login_failed},
    {EVENT_ACCOUNT_SET, on_account_set},
    {EVENT_ACCOUNT_DELETE, on_account_delete},
    {EVENT_ACCOUNT_LIST_ASK, on_account_list_ask},
    {EVENT_IQ_REQUEST, on_iq_request},
    {EVENT_SUBSCRIPTION_REQUEST, on_subscription_request},
    {EVENT_SUBSCRIPTION_ARRIVE, on_subscription_arrive},
    {EVENT_CONTACTS_ASK, on_contacts_ask},
};

void roster_fence(struct roster *roster, const struct output *output)
{
    if (!roster->is_fenced)
        store_fence(roster->store, output->epoch);
    roster->is_fenced = true;
}

static void *roster_open(const void *config, const char *domain,
                         unsigned partition, const char **error_out)
{
    struct roster *roster = memory_new(sizeof(*roster));

    roster->config = config;
    roster->domain = memory_copy_text(slice_of(domain));
    arena_init(&roster->arena);
    roster->store = store_open(roster->config->store, partition,
                               roster->config->synchronous == 0, error_out);
    if (roster->store)
        return roster;
    memory_free(&roster->domain);
    memory_free(&roster);
    return NULL;
}

static void roster_close(void *state)
{
    struct roster *roster = state;

    store_close(&roster->store);
    arena_deinit(&roster->arena);
    memory_free(&roster->domain);
    memory_free(&roster);
}

static bool roster_begin(void *state)
{
    struct roster *roster = state;

    arena_reset(&roster->arena);
    roster->is_fenced = false;
    return store_begin(roster->store);
}

static bool roster_commit(void *state)
{
    struct roster *roster = state;

    return store_commit(roster->store);
}

int main(int argc, char **argv)
{
    static const char *const serves[] = {"iq:jabber:iq:roster", NULL};
    const struct service_spec spec = {
        .service = SERVICE_ROSTER,
        .options = {options, ARRAY_SIZE(options)},
        .config_size = sizeof(struct roster_config),
        .handlers = handlers,
        .handler_count = ARRAY_SIZE(handlers),
        .serves = serves,
        .open = roster_open,
        .close = roster_close,
        .begin = roster_begin,
        .commit = roster_commit,
    };

    return service_main(&spec, argc, argv);
}
