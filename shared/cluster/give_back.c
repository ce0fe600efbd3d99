#include "cluster/give_back.h"

#include "cluster/reply.h"
#include "xmpp/jid.h"

static void route_again(const struct event *stanza, struct slice node,
                        struct output *output)
{
    struct event event;

    event_copy_as(&event, EVENT_STANZA_ROUTE, stanza);
    if (stanza->kind == STANZA_MESSAGE) {
        event_address_bare(&event);
        event_delay(&event);
    }
    event.node = node;
    if (!slice_is_set(node))
        event.session = 0;
    event.by = SLICE_NONE;
    event.epoch = 0;
    event.audience = AUDIENCE_RULES;
    event.condition = SLICE("returned");
    output_to_user(output, SERVICE_DELIVERY, event.to, &event);
}

/* A message that somebody would miss; an answer, if it is for one session. */
static bool is_routed_again(const struct event *stanza)
{
    if (stanza->kind == STANZA_MESSAGE)
        return stanza->is_durable;
    return stanza->kind == STANZA_IQ &&
           slice_is_set(jid_text_resource(stanza->to));
}

void give_back(const struct event *deliver, struct slice node,
               struct output *output)
{
    if (!slice_is_set(deliver->to))
        return;
    if (event_is_request(deliver))
        reply_error(deliver, "service-unavailable", output);
    else if (is_routed_again(deliver))
        route_again(deliver, node, output);
}

void fence_answer(const struct event *fence, struct slice node,
                  const char *condition, struct output *output)
{
    struct event event;

    if (!fence->request || !slice_is_set(fence->to))
        return;
    event_init(&event, EVENT_SESSION_FENCED);
    event.from = fence->to;
    event.session = fence->session;
    event.request = fence->request;
    event.node = node;
    event.condition = slice_of(condition);
    output_to_user(output, SERVICE_DELIVERY, event.from, &event);
}

/* Those in custody are in the archive. */
static void unacked_back(const struct event *unacked, struct output *output)
{
    struct event deliver;

    if (slice_is(unacked->condition, "custody"))
        return;
    event_copy_as(&deliver, EVENT_STANZA_DELIVER, unacked);
    give_back(&deliver, SLICE_NONE, output);
}

static void transfer_back(const struct event *transfer, struct output *output)
{
    struct event fence = *transfer;

    fence.to = transfer->from;
    fence_answer(&fence, SLICE_NONE, "item-not-found", output);
}

void give_back_inbox(const struct event *event, struct output *output)
{
    if (event->type == EVENT_STANZA_DELIVER)
        give_back(event, SLICE_NONE, output);
    else if (event->type == EVENT_SESSION_UNACKED)
        unacked_back(event, output);
    else if (event->type == EVENT_SESSION_TRANSFER)
        transfer_back(event, output);
    else if (event->type == EVENT_SESSION_KICK ||
             event->type == EVENT_SESSION_MOVE ||
             event->type == EVENT_SESSION_FENCE)
        fence_answer(event, SLICE_NONE, "item-not-found", output);
}
