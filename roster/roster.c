#include "roster.h"

#include "base/memory.h"

const struct service_handler roster_handlers[] = {
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

const size_t roster_handler_count = ARRAY_SIZE(roster_handlers);

void roster_fence(struct roster *roster, const struct output *output)
{
    if (!roster->is_fenced)
        store_fence(roster->store, output->epoch);
    roster->is_fenced = true;
}

void *roster_open(const void *config, const char *domain, unsigned partition,
                  struct store_error *error_out)
{
    struct roster *roster = memory_new(sizeof(*roster));

    roster->config = config;
    roster->domain = memory_copy_text(slice_of(domain));
    arena_init(&roster->arena);
    roster->store =
        store_open(roster->config->store, partition,
                   roster->config->synchronous == STORE_FULL, error_out);
    if (roster->store)
        return roster;
    memory_free(&roster->domain);
    memory_free(&roster);
    return NULL;
}

void roster_close(void *state)
{
    struct roster *roster = state;

    store_close(&roster->store);
    arena_deinit(&roster->arena);
    memory_free(&roster->domain);
    memory_free(&roster);
}

bool roster_begin(void *state)
{
    struct roster *roster = state;

    arena_reset(&roster->arena);
    roster->is_fenced = false;
    return store_begin(roster->store);
}

bool roster_rollback(void *state, bool *has_changed_out)
{
    struct roster *roster = state;

    return store_rollback(roster->store, has_changed_out);
}

bool roster_commit(void *state)
{
    struct roster *roster = state;

    return store_commit(roster->store);
}

const char *roster_refusal(const void *state)
{
    const struct roster *roster = state;

    return store_refusal(roster->store);
}
