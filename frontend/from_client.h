/*
 * What a bound client sends: checked and stamped once (DESIGN 8), then an
 * event to the service it concerns, or an error back (RFC 6120 8, RFC 6121).
 */
#ifndef FRONTEND_FROM_CLIENT_H
#define FRONTEND_FROM_CLIENT_H

#include "session.h"
#include "stream.h"
#include "xmpp/jid.h"

enum stream_verdict from_client(struct connection *connection,
                                const struct stanza *stanza);

/* For from_client.c, iq.c and presence.c. */

enum addressee {
    TO_NOBODY,  /* no `to` */
    TO_ACCOUNT, /* the sender's own bare JID */
    TO_DOMAIN,  /* the server */
    TO_USER,    /* anybody else here, or a full JID of one's own */
    TO_REMOTE,  /* another domain */
};

struct inbound {
    struct frontend *frontend;
    struct session *session;
    const struct stanza *stanza;
    enum addressee addressee;
    struct slice to; /* prepared; SLICE_NONE: TO_NOBODY */
};

enum stream_verdict from_client_iq(const struct inbound *inbound);
enum stream_verdict from_client_presence(const struct inbound *inbound);

/* The event of that stanza, with everything but its destination. */
void inbound_event_init(struct event *event, enum event_type type,
                        const struct inbound *inbound);
/* To delivery.pp(to) as stanza.route, or STREAM_PARK. */
enum stream_verdict inbound_route(const struct inbound *inbound,
                                  struct slice to, const struct event *event);
/* Any service's partition of the sender, or STREAM_PARK. */
enum stream_verdict inbound_send(const struct inbound *inbound,
                                 enum service_id service,
                                 const struct event *event);
/* Answers with type='error', never an error with an error. */
enum stream_verdict inbound_refuse(const struct inbound *inbound,
                                   const char *condition);
/* Answers an IQ with an empty result. */
enum stream_verdict inbound_confirm(const struct inbound *inbound);

#endif
