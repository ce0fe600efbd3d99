#include "cluster/reply.h"

static void reply(const struct event *cause, const char *subtype,
                  struct slice payload, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_STANZA_ROUTE, cause);
    event.kind = cause->kind;
    event.subtype = slice_of(subtype);
    event.id = cause->id;
    event.to = cause->from;
    event.from = cause->to;
    event.payload = payload;
    event.is_durable = cause->is_durable;
    output_to_user(output, SERVICE_DELIVERY, event.to, &event);
}

void reply_result(const struct event *request, struct slice payload,
                  struct output *output)
{
    reply(request, "result", payload, output);
}

/* RFC 6120 8.2.3, 8.3.1: never answers an answer. */
static bool may_be_answered(const struct event *cause)
{
    if (!slice_is_set(cause->from))
        return false;
    if (cause->kind == STANZA_IQ)
        return slice_is(cause->subtype, "get") ||
               slice_is(cause->subtype, "set");
    return cause->kind == STANZA_MESSAGE && !slice_is(cause->subtype, "error");
}

void reply_error(const struct event *cause, const char *condition,
                 struct output *output)
{
    struct buffer payload = BUFFER_EMPTY;

    if (!may_be_answered(cause))
        return;
    stanza_write_error(&payload, condition);
    reply(cause, "error", buffer_slice(&payload), output);
    buffer_deinit(&payload);
}
