#include "roster.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

#include <stdio.h>

static void write_groups(struct buffer *out, struct slice groups)
{
    struct event_list list;
    struct slice group;

    event_list_open(&list, groups);
    while (event_list_next(&list, &group)) {
        buffer_append_text(out, "<group>");
        xml_escape(out, group);
        buffer_append_text(out, "</group>");
    }
}

void push_write_item(struct buffer *out, const struct store_item *item,
                     const char *subscription)
{
    if (!subscription)
        subscription = subscription_name(item->state);
    buffer_append_text(out, "<item");
    xml_write_attribute(out, "jid", item->jid);
    xml_write_attribute(out, "name", item->name);
    buffer_appendf(out, " subscription='%s'", subscription);
    if (subscription_has_ask(item->state) &&
        strcmp(subscription, "remove") != 0)
        buffer_append_text(out, " ask='subscribe'");
    buffer_append_byte(out, '>');
    write_groups(out, item->groups);
    buffer_append_text(out, "</item>");
}

void push_item(const struct event *cause, struct slice user,
               const struct store_item *item, const char *subscription,
               struct output *output)
{
    struct buffer payload = BUFFER_EMPTY;
    struct event event;
    char id[64];

    buffer_append_text(&payload, "<query xmlns='" NS_ROSTER "'>");
    push_write_item(&payload, item, subscription);
    buffer_append_text(&payload, "</query>");
    snprintf(id, sizeof(id), "push-%lx-%lx", (unsigned long)cause->origin,
             (unsigned long)cause->sequence);
    event_follow(&event, EVENT_STANZA_ROUTE, cause);
    event.deadline = 0;
    event.kind = STANZA_IQ;
    event.subtype = SLICE("set");
    event.id = slice_of(id);
    event.from = user;
    event.to = user;
    event.audience = AUDIENCE_INTERESTED;
    event.payload = buffer_slice(&payload);
    event.child = SLICE("query");
    event.ns = SLICE(NS_ROSTER);
    event.is_durable = true;
    output_to_user(output, SERVICE_DELIVERY, user, &event);
    buffer_deinit(&payload);
}

void push_contact(const struct event *cause, struct slice user,
                  struct slice contact, const char *subscription,
                  struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_CONTACT_CHANGED, cause);
    event.to = user;
    event.contact = contact;
    event.subscription = slice_of(subscription);
    output_to_user(output, SERVICE_PRESENCE, user, &event);
}
