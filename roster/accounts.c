#include "base/log.h"
#include "roster.h"
#include "xmpp/jid.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum {
    NAMES_PER_LIST = 500,
    FAKE_ITERATIONS = 4096, /* what oceanctl uses */
    SALT_BYTES = 16,
    KEY_ROOM = EVP_MAX_MD_SIZE,
    MECHANISM_FIELDS = 5,
    TEXT_MAX = 512,
};

/* Keys for a login. */

/* HMAC-SHA-256(secret, what | mechanism | user). */
static struct slice fake_bytes(struct roster *roster, const char *what,
                               const struct event *ask, size_t size)
{
    struct slice secret = store_secret(roster->store, &roster->arena);
    struct buffer text = BUFFER_EMPTY;
    unsigned char *mac = arena_alloc(&roster->arena, KEY_ROOM);
    unsigned length = 0;

    buffer_appendf(&text, "%s|%.*s|%.*s", what, SLICE_FORMAT(ask->mechanism),
                   SLICE_FORMAT(ask->to));
    BUG_ON(!HMAC(EVP_sha256(), secret.data, (int)secret.size,
                 (const unsigned char *)text.data, text.size, mac, &length));
    buffer_deinit(&text);
    return (struct slice){(const char *)mac, size};
}

/* For an account that does not exist: always the same, never right, so that
 * nobody learns which accounts exist. */
static void fake_keys(struct roster *roster, const struct event *ask,
                      struct store_keys *keys)
{
    size_t size = slice_is(ask->mechanism, "SCRAM-SHA-1") ? 20 : 32;

    keys->salt = fake_bytes(roster, "salt", ask, SALT_BYTES);
    keys->stored_key = fake_bytes(roster, "stored", ask, size);
    keys->server_key = fake_bytes(roster, "server", ask, size);
    keys->iterations = FAKE_ITERATIONS;
}

enum handled on_auth_keys_ask(void *state, const struct event *event,
                              struct output *output, const char **reason_out)
{
    struct roster *roster = state;
    struct store_keys keys;
    struct event answer;

    (void)reason_out;
    event_follow(&answer, EVENT_AUTH_KEYS, event);
    if (!store_find_keys(roster->store, &roster->arena, event->to,
                         event->mechanism, &keys)) {
        fake_keys(roster, event, &keys);
        answer.condition = SLICE("item-not-found");
    }
    answer.request = event->request;
    answer.mechanism = event->mechanism;
    answer.salt = keys.salt;
    answer.iterations = keys.iterations;
    answer.stored_key = keys.stored_key;
    answer.server_key = keys.server_key;
    output_to_node(output, event->node, &answer);
    return HANDLED;
}

enum handled on_login_failed(void *state, const struct event *event,
                             struct output *output, const char **reason_out)
{
    char user[256];
    char address[64];

    (void)state;
    (void)output;
    (void)reason_out;
    log_info("account %s: login failed count=%lu address=%s",
             log_printable(event->to, user, sizeof(user)),
             (unsigned long)event->count,
             log_printable(event->address, address, sizeof(address)));
    return HANDLED;
}

/* What oceanctl asks. */

static void answer(const struct event *request, const char *condition,
                   struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_ACCOUNT_ANSWER, request);
    event.request = request->request;
    event.condition = slice_of(condition);
    output_to_node(output, request->node, &event);
}

static void tell(const struct event *cause, enum service_id service,
                 const char *what, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_ACCOUNT_CHANGED, cause);
    event.to = cause->to;
    event.subtype = slice_of(what);
    output_to_user(output, service, cause->to, &event);
}

static bool decode_base64(struct arena *arena, struct slice text,
                          struct slice *bytes_out)
{
    unsigned char *bytes;
    int size;

    if (text.size == 0 || text.size > TEXT_MAX || text.size % 4)
        return false;
    bytes = arena_alloc(arena, text.size);
    size = EVP_DecodeBlock(bytes, (const unsigned char *)text.data,
                           (int)text.size);
    if (size < 0)
        return false;
    for (size_t i = text.size; i > 0 && text.data[i - 1] == '='; i--)
        size--;
    *bytes_out = (struct slice){(const char *)bytes, (size_t)size};
    return true;
}

/* Takes the fields of one mechanism off the list. */
static bool read_keys(struct arena *arena, struct event_list *list,
                      struct slice *mechanism_out, struct store_keys *keys)
{
    struct slice fields[MECHANISM_FIELDS];

    for (size_t i = 0; i < MECHANISM_FIELDS; i++) {
        if (!event_list_next(list, &fields[i]))
            return false;
    }
    *mechanism_out = fields[0];
    keys->iterations = strtoul(arena_copy(arena, fields[1]).data, NULL, 10);
    return keys->iterations > 0 &&
           decode_base64(arena, fields[2], &keys->salt) &&
           decode_base64(arena, fields[3], &keys->stored_key) &&
           decode_base64(arena, fields[4], &keys->server_key);
}

/* Checked whole before anything is written. */
static bool write_keys(struct roster *roster, const struct event *event,
                       bool is_dry_run)
{
    struct event_list list;
    struct store_keys keys;
    struct slice mechanism;
    size_t mechanisms = 0;

    event_list_open(&list, event->keys);
    while (list.remaining) {
        if (!read_keys(&roster->arena, &list, &mechanism, &keys))
            return false;
        mechanisms++;
        if (!is_dry_run)
            store_set_keys(roster->store, event->to, mechanism, &keys);
    }
    return mechanisms > 0;
}

/* Exactly the keys of this request?  Their salts are fresh: it is repeated. */
static bool has_keys(struct roster *roster, const struct event *event)
{
    struct event_list list;
    struct store_keys keys;
    struct store_keys stored;
    struct slice mechanism;

    event_list_open(&list, event->keys);
    while (list.remaining) {
        if (!read_keys(&roster->arena, &list, &mechanism, &keys) ||
            !store_find_keys(roster->store, &roster->arena, event->to,
                             mechanism, &stored) ||
            !slice_equal(keys.salt, stored.salt) ||
            !slice_equal(keys.stored_key, stored.stored_key))
            return false;
    }
    return true;
}

static bool is_account_name(const struct roster *roster, struct slice name)
{
    return slice_is_set(jid_text_local(name)) &&
           !slice_is_set(jid_text_resource(name)) &&
           slice_is(jid_text_domain(name), roster->domain);
}

static const char *set_account(struct roster *roster, const struct event *event,
                               struct output *output)
{
    bool is_there = store_has_account(roster->store, event->to);
    bool is_create = slice_is(event->subtype, "create");

    if (!is_account_name(roster, event->to) || !write_keys(roster, event, true))
        return "bad-request";
    if (is_create && is_there && !has_keys(roster, event))
        return "conflict";
    if (!is_create && !is_there)
        return "item-not-found";
    store_add_account(roster->store, event->to);
    write_keys(roster, event, false);
    tell(event, SERVICE_DELIVERY, is_create ? "created" : "changed", output);
    if (is_create)
        tell(event, SERVICE_ARCHIVE, "created", output);
    return NULL;
}

enum handled on_account_set(void *state, const struct event *event,
                            struct output *output, const char **reason_out)
{
    struct roster *roster = state;

    (void)reason_out;
    roster_fence(roster, output);
    answer(event, set_account(roster, event, output), output);
    return HANDLED;
}

struct farewell {
    const struct event *cause;
    struct output *output;
};

static void leave_contact(void *argument, const struct store_item *item)
{
    struct farewell *farewell = argument;

    requests_cancel(farewell->cause, farewell->cause->to, item,
                    farewell->output);
}

/* Repeated too: whoever owned the partition may have ended between writing and
 * telling. */
enum handled on_account_delete(void *state, const struct event *event,
                               struct output *output, const char **reason_out)
{
    struct roster *roster = state;
    struct farewell farewell = {event, output};
    bool is_there;

    (void)reason_out;
    roster_fence(roster, output);
    is_there = store_has_account(roster->store, event->to);
    store_each_item(roster->store, &roster->arena, event->to, leave_contact,
                    &farewell);
    store_remove_account(roster->store, event->to);
    tell(event, SERVICE_DELIVERY, "deleted", output);
    tell(event, SERVICE_ARCHIVE, "deleted", output);
    answer(event, is_there ? NULL : "item-not-found", output);
    return HANDLED;
}

struct name_list {
    const struct event *ask;
    struct output *output;
    struct arena *arena;
    struct slice names[NAMES_PER_LIST];
    size_t count;
};

static void send_names(struct name_list *list, bool has_more)
{
    struct buffer names = BUFFER_EMPTY;
    struct event event;

    event_list_write(&names, list->names, list->count);
    event_follow(&event, EVENT_ACCOUNT_LIST, list->ask);
    event.request = list->ask->request;
    event.names = buffer_slice(&names);
    event.has_more = has_more;
    output_to_node(list->output, list->ask->node, &event);
    buffer_deinit(&names);
    list->count = 0;
}

static void take_name(void *argument, struct slice name)
{
    struct name_list *list = argument;

    if (list->count == NAMES_PER_LIST)
        send_names(list, true);
    list->names[list->count++] = arena_copy(list->arena, name);
}

enum handled on_account_list_ask(void *state, const struct event *event,
                                 struct output *output, const char **reason_out)
{
    struct roster *roster = state;
    struct name_list list = {
        .ask = event, .output = output, .arena = &roster->arena};

    (void)reason_out;
    store_each_account(roster->store, take_name, &list);
    send_names(&list, false);
    return HANDLED;
}
