#include "contacts.h"

#include "base/memory.h"
#include "cluster/event.h"

enum subscription subscription_parse(struct slice text)
{
    if (slice_is(text, "to"))
        return SUBSCRIPTION_TO;
    if (slice_is(text, "from"))
        return SUBSCRIPTION_FROM;
    if (slice_is(text, "both"))
        return SUBSCRIPTION_BOTH;
    return SUBSCRIPTION_NONE;
}

bool subscription_is_to(enum subscription subscription)
{
    return subscription & SUBSCRIPTION_TO;
}

bool subscription_is_from(enum subscription subscription)
{
    return subscription & SUBSCRIPTION_FROM;
}

static struct contact *find(const struct contacts *contacts, struct slice jid)
{
    for (size_t i = 0; i < contacts->count; i++) {
        if (slice_is(jid, contacts->list[i].jid))
            return &contacts->list[i];
    }
    return NULL;
}

static void append(struct contacts *contacts, struct slice jid,
                   enum subscription subscription)
{
    size_t size = (contacts->count + 1) * sizeof(*contacts->list);

    contacts->list = memory_resize(contacts->list, size);
    contacts->list[contacts->count++] =
        (struct contact){memory_copy_text(jid), subscription};
}

static void clear(struct contacts *contacts)
{
    for (size_t i = 0; i < contacts->count; i++)
        memory_free(&contacts->list[i].jid);
    memory_free(&contacts->list);
    contacts->count = 0;
}

void contacts_load(struct contacts *contacts, struct slice list)
{
    struct event_list items;
    struct slice jid, text;

    clear(contacts);
    contacts->is_known = true;
    if (!slice_is_set(list))
        return;
    event_list_open(&items, list);
    while (event_list_next(&items, &jid) && event_list_next(&items, &text)) {
        enum subscription subscription = subscription_parse(text);

        if (subscription != SUBSCRIPTION_NONE)
            append(contacts, jid, subscription);
    }
}

enum subscription contacts_find(const struct contacts *contacts,
                                struct slice jid)
{
    const struct contact *contact = find(contacts, jid);

    return contact ? contact->subscription : SUBSCRIPTION_NONE;
}

void contacts_set(struct contacts *contacts, struct slice jid,
                  enum subscription subscription)
{
    struct contact *contact = find(contacts, jid);

    if (contact && subscription != SUBSCRIPTION_NONE) {
        contact->subscription = subscription;
    } else if (contact) {
        memory_free(&contact->jid);
        *contact = contacts->list[--contacts->count];
    } else if (subscription != SUBSCRIPTION_NONE) {
        append(contacts, jid, subscription);
    }
}

void contacts_deinit(struct contacts *contacts)
{
    clear(contacts);
    contacts->is_known = false;
}
