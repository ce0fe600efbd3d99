#include "cluster/give_back.h"

#include "base/clock.h"
#include "xmpp/jid.h"

static void route_again(const struct event *message, struct slice node,
                        struct output *output)
{
    struct event event;

    event_copy_as(&event, EVENT_STANZA_ROUTE, message);
    event.to = jid_text_bare(message->to);
    event.node = node;
    if (!slice_is_set(node))
        event.session = 0;
    event.by = SLICE_NONE;
    event.epoch = 0;
    event.audience = AUDIENCE_RULES;
    event.condition = SLICE("returned");
    if (!event.stamp)
        event.stamp = clock_unix_ms();
    output_to_user(output, SERVICE_DELIVERY, event.to, &event);
}

static void refuse(const struct event *request, struct output *output)
{
    struct buffer error = BUFFER_EMPTY;
    struct event event;

    event_follow(&event, EVENT_STANZA_ROUTE, request);
    event.kind = STANZA_IQ;
    event.subtype = SLICE("error");
    event.id = request->id;
    event.from = request->to;
    event.to = request->from;
    stanza_write_error(&error, "service-unavailable");
    event.payload = buffer_slice(&error);
    output_to_user(output, SERVICE_DELIVERY, event.to, &event);
    buffer_deinit(&error);
}

void give_back(const struct event *deliver, struct slice node,
               struct output *output)
{
    bool is_request =
        slice_is(deliver->subtype, "get") || slice_is(deliver->subtype, "set");

    if (!slice_is_set(deliver->to))
        return;
    if (deliver->kind == STANZA_MESSAGE && deliver->is_durable)
        route_again(deliver, node, output);
    else if (deliver->kind == STANZA_IQ && is_request &&
             slice_is_set(deliver->from))
        refuse(deliver, output);
}
