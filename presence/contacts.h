/* A user's contacts as far as presence is concerned: not those with
 * subscription "none". */
#ifndef PRESENCE_CONTACTS_H
#define PRESENCE_CONTACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum subscription {
    SUBSCRIPTION_NONE = 0,
    SUBSCRIPTION_TO = 1,   /* the user sees the contact */
    SUBSCRIPTION_FROM = 2, /* the contact sees the user */
    SUBSCRIPTION_BOTH = 3,
};

struct contact {
    char *jid;
    enum subscription subscription;
};

struct contacts {
    struct contact *list;
    size_t count;
    bool is_known;
};

enum subscription subscription_parse(struct slice text);
bool subscription_is_to(enum subscription subscription);
bool subscription_is_from(enum subscription subscription);

/* From a list of jid, subscription, jid, subscription ... (event.h). */
void contacts_load(struct contacts *contacts, struct slice list);
enum subscription contacts_find(const struct contacts *contacts,
                                struct slice jid);
void contacts_set(struct contacts *contacts, struct slice jid,
                  enum subscription subscription);
void contacts_deinit(struct contacts *contacts);

#endif
