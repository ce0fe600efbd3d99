#include "cluster/reply.h"

#include "xmpp/jid.h"

/* A message that waited has lost the resourcepart (event_address_bare). */
static struct slice address(const struct event *cause, struct buffer *room)
{
    if (!slice_is_set(cause->resource) ||
        slice_is_set(jid_text_resource(cause->to)))
        return cause->to;
    buffer_append(room, cause->to);
    buffer_append_byte(room, '/');
    buffer_append(room, cause->resource);
    return buffer_slice(room);
}

static void reply(const struct event *cause, const char *subtype,
                  struct slice payload, struct output *output)
{
    struct buffer room = BUFFER_EMPTY;
    struct event event;

    event_follow(&event, EVENT_STANZA_ROUTE, cause);
    event.kind = cause->kind;
    event.subtype = slice_of(subtype);
    event.id = cause->id;
    event.to = cause->from;
    event.from = address(cause, &room);
    event.payload = payload;
    event.is_durable = cause->is_durable;
    output_to_user(output, SERVICE_DELIVERY, event.to, &event);
    buffer_deinit(&room);
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
    return event_is_request(cause) || (cause->kind == STANZA_MESSAGE &&
                                       !slice_is(cause->subtype, "error"));
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
