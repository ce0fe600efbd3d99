/*
 * What the roster service keeps: accounts with their SCRAM keys, roster items.
 * One store per partition, used from the store thread between store_begin and
 * store_commit.  No other file knows SQL.
 */
#ifndef ROSTER_STORE_H
#define ROSTER_STORE_H

#include "base/memory.h"
#include "base/store.h"
#include "subscription.h"

#include <stdint.h>

/* Of one account and mechanism (RFC 5802 3); raw bytes. */
struct store_keys {
    struct slice salt, stored_key, server_key;
    uint64_t iterations;
};

/* A subscription request as the contact has sent it (RFC 6121 3.1.3). */
struct store_request {
    struct slice payload;         /* SLICE_NONE: there is no request */
    struct slice id, lang, extra; /* xmpp/stanza.h; SLICE_NONE: none */
    uint64_t number;              /* of one user's, rising */
};

struct store_item {
    struct slice jid;
    struct slice name;   /* SLICE_NONE: none */
    struct slice groups; /* an encoded list (event_list_*), or SLICE_NONE */
    enum subscription_state state;
    bool is_listed;               /* false: only a pending request, not shown */
    struct store_request request; /* pending inbound */
};

/* `url`: "sqlite:DIR".  NULL: error_out says why. */
struct store *store_open(const char *url, unsigned partition, bool is_full,
                         struct store_error *error_out);

/* 32 random bytes made with the store: for keys of accounts that are not. */
struct slice store_secret(struct store *store, struct arena *arena);

bool store_has_account(struct store *store, struct slice user);
void store_add_account(struct store *store, struct slice user);
/* With keys and roster. */
void store_remove_account(struct store *store, struct slice user);
void store_set_keys(struct store *store, struct slice user,
                    struct slice mechanism, const struct store_keys *keys);
/* False: no such account or mechanism. */
bool store_find_keys(struct store *store, struct arena *arena,
                     struct slice user, struct slice mechanism,
                     struct store_keys *keys_out);
typedef void (*store_name_fn)(void *argument, struct slice name);
void store_each_account(struct store *store, store_name_fn take,
                        void *argument);

/* False: there is none; *item_out is then an unlisted one in state none. */
bool store_find_item(struct store *store, struct arena *arena,
                     struct slice user, struct slice jid,
                     struct store_item *item_out);
void store_set_item(struct store *store, struct slice user,
                    const struct store_item *item);
void store_remove_item(struct store *store, struct slice user,
                       struct slice jid);
uint64_t store_count_items(struct store *store, struct slice user,
                           bool is_listed);
/* The highest there is; 0: none. */
uint64_t store_last_request(struct store *store, struct slice user);
/* The unlisted item whose request has the lowest number; false: none. */
bool store_find_oldest_request(struct store *store, struct arena *arena,
                               struct slice user, struct store_item *item_out);
/* Items live in the arena. */
typedef void (*store_item_fn)(void *argument, const struct store_item *item);
void store_each_item(struct store *store, struct arena *arena,
                     struct slice user, store_item_fn take, void *argument);

#endif
