#include "roster.h"

/* RFC 6120 8.3.1: from and to change places. */
static void answer(const struct event *request, const char *type,
                   struct slice payload, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_STANZA_DELIVER, request);
    event.session = request->session;
    event.kind = request->kind;
    event.subtype = slice_of(type);
    event.id = request->id;
    event.from = request->to;
    event.to = request->from;
    if (payload.size)
        event.payload = payload;
    output_to_inbox(output, request->node, &event);
}

void answer_result(const struct event *request, struct slice payload,
                   struct output *output)
{
    answer(request, "result", payload, output);
}

void answer_error(const struct event *request, const char *condition,
                  struct output *output)
{
    struct buffer payload = BUFFER_EMPTY;

    stanza_write_error(&payload, condition);
    answer(request, "error", buffer_slice(&payload), output);
    buffer_deinit(&payload);
}
