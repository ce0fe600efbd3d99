#include "from_client.h"

#include "base/clock.h"
#include "inbox.h"

void inbound_event_init(struct event *event, enum event_type type,
                        const struct inbound *inbound)
{
    const struct stanza *stanza = inbound->stanza;
    const char *default_lang = inbound->session->connection->lang;

    session_event_init(event, type, inbound->session);
    event->to = inbound->to;
    event->kind = stanza->kind;
    event->subtype = stanza->type;
    event->id = stanza->id;
    event->lang =
        slice_is_set(stanza->lang) ? stanza->lang : slice_of(default_lang);
    event->extra = stanza->extra.size ? stanza->extra : SLICE_NONE;
    event->payload = stanza->payload.size ? stanza->payload : SLICE_NONE;
    event->child = stanza->child_name;
    event->ns = stanza->child_ns;
}

enum stream_verdict inbound_route(const struct inbound *inbound,
                                  struct slice to, const struct event *event)
{
    struct frontend *frontend = inbound->frontend;

    if (frontend_is_pressed(frontend, SERVICE_DELIVERY, to))
        return STREAM_PARK;
    output_to_user(&frontend->output, SERVICE_DELIVERY, to, event);
    return STREAM_TAKEN;
}

enum stream_verdict inbound_send(const struct inbound *inbound,
                                 enum service_id service,
                                 const struct event *event)
{
    struct frontend *frontend = inbound->frontend;
    struct slice user = session_bare(inbound->session);

    if (frontend_is_pressed(frontend, service, user))
        return STREAM_PARK;
    output_to_user(&frontend->output, service, user, event);
    return STREAM_TAKEN;
}

/* RFC 6120 8.3.1: from and to change places. */
static void answer(const struct inbound *inbound, struct slice type,
                   struct slice payload)
{
    const struct stanza *stanza = inbound->stanza;
    struct event event;

    session_event_init(&event, EVENT_STANZA_DELIVER, inbound->session);
    event.kind = stanza->kind;
    event.subtype = type;
    event.id = stanza->id;
    event.from = slice_is_set(inbound->to) ? inbound->to : stanza->to;
    event.to = session_full(inbound->session);
    event.payload = payload;
    to_client_give(inbound->session, &event, NULL);
}

enum stream_verdict inbound_refuse(const struct inbound *inbound,
                                   const char *condition)
{
    const struct stanza *stanza = inbound->stanza;
    struct buffer error = BUFFER_EMPTY;

    if (slice_is(stanza->type, "error") ||
        (stanza->kind == STANZA_IQ && slice_is(stanza->type, "result")))
        return STREAM_TAKEN;
    stanza_write_error(&error, condition);
    answer(inbound, SLICE("error"), buffer_slice(&error));
    buffer_deinit(&error);
    return STREAM_TAKEN;
}

enum stream_verdict inbound_confirm(const struct inbound *inbound)
{
    answer(inbound, SLICE("result"), SLICE(""));
    return STREAM_TAKEN;
}

/* Addresses. */

static enum addressee find_addressee(const struct inbound *inbound,
                                     const struct jid *to)
{
    struct slice domain = frontend_domain(inbound->frontend);
    struct slice full = jid_full(to);

    if (slice_equal(full, domain))
        return TO_DOMAIN;
    if (slice_equal(full, session_bare(inbound->session)))
        return TO_ACCOUNT;
    return slice_equal(jid_text_domain(full), domain) ? TO_USER : TO_REMOTE;
}

/* RFC 6120 8.1.2.1: a client may give its own full or bare JID only. */
static bool is_from_right(const struct inbound *inbound)
{
    struct slice from = inbound->stanza->from;
    struct jid jid;
    const char *why;

    if (!slice_is_set(from) ||
        slice_equal(from, session_full(inbound->session)))
        return true;
    return jid_parse(from, &jid, &why) &&
           (slice_equal(jid_full(&jid), session_full(inbound->session)) ||
            slice_equal(jid_full(&jid), session_bare(inbound->session)));
}

/* Messages. */

/* RFC 6121 5.2.2: what is not known is normal. */
static struct slice message_type(struct slice type)
{
    static const char *const types[] = {"normal", "chat", "groupchat",
                                        "headline", "error"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (slice_is(type, types[i]))
            return type;
    }
    return slice_is_set(type) ? SLICE("normal") : SLICE_NONE;
}

/* Must outlive the broker: what somebody would miss. */
static bool is_content(const struct stanza *stanza)
{
    return stanza->child_count > 0 && !stanza->is_chat_state_only &&
           !slice_is(stanza->type, "error");
}

static enum stream_verdict from_client_message(const struct inbound *inbound)
{
    struct event event;

    if (inbound->addressee == TO_REMOTE)
        return inbound_refuse(inbound, "remote-server-not-found");
    inbound_event_init(&event, EVENT_STANZA_ROUTE, inbound);
    event.subtype = message_type(inbound->stanza->type);
    event.is_durable = is_content(inbound->stanza);
    event.received = clock_unix_ms();
    if (inbound->addressee == TO_NOBODY) /* RFC 6120 10.3.1 */
        event.to = session_bare(inbound->session);
    return inbound_route(inbound, event.to, &event);
}

/* All. */

static enum stream_verdict dispatch(const struct inbound *inbound)
{
    if (inbound->stanza->kind == STANZA_MESSAGE)
        return from_client_message(inbound);
    if (inbound->stanza->kind == STANZA_PRESENCE)
        return from_client_presence(inbound);
    return from_client_iq(inbound);
}

enum stream_verdict from_client(struct connection *connection,
                                const struct stanza *stanza)
{
    struct inbound inbound = {.frontend = connection->frontend,
                              .session = connection->session,
                              .stanza = stanza,
                              .addressee = TO_NOBODY};
    struct jid to;
    const char *why;

    if (!is_from_right(&inbound)) {
        stream_fail(connection, STREAM_ERROR_INVALID_FROM, "invalid-from");
        return STREAM_TAKEN;
    }
    if (slice_is_set(stanza->to)) {
        if (!jid_parse(stanza->to, &to, &why))
            return inbound_refuse(&inbound, "jid-malformed");
        inbound.addressee = find_addressee(&inbound, &to);
        inbound.to = jid_full(&to);
    }
    return dispatch(&inbound);
}
