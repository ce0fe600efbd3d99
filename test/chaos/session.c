#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"
#include "journal.h"
#include "ledger.h"

#define NS_SM "urn:xmpp:sm:3"

void session_begin(struct client *client)
{
    struct session *session = &client->session;

    session->incarnation++;
    session->is_open = true;
    session->id[0] = '\0';
    session->received = 0;
    session->acknowledged = 0;
    journal_write(client->index, "bound %u %u", session->incarnation,
                  client->frontend);
}

static struct unacked take_first(struct session *session)
{
    struct unacked unacked = session->unacked[session->first];

    session->first = (session->first + 1) % session->capacity;
    session->count--;
    return unacked;
}

void session_end(struct client *client)
{
    struct session *session = &client->session;

    while (session->count) {
        struct unacked unacked = take_first(session);

        if (unacked.kind == STANZA_MESSAGE)
            journal_write(client->index, "doubt %u %" PRIu32, unacked.to,
                          unacked.number);
    }
    session->is_open = false;
    session->id[0] = '\0';
}

static void write_stanza(struct client *client, const struct unacked *stanza)
{
    switch (stanza->kind) {
    case STANZA_MESSAGE:
        bytes_appendf(
            &client->output,
            "<message to='c%u@localhost' type='chat' id='m-%u-%" PRIu32
            "'><body>chaos %u %u %" PRIu32 " %" PRIu64 "</body></message>",
            stanza->to, stanza->to, stanza->number, client->index, stanza->to,
            stanza->number, stanza->due_us);
        break;
    case STANZA_PRESENCE:
        bytes_appendf(&client->output,
                      "<presence><status>%" PRIu32 "</status></presence>",
                      stanza->number);
        break;
    case STANZA_UNAVAILABLE:
        bytes_appendf(&client->output, "<presence type='unavailable'/>");
        break;
    case STANZA_ROSTER_GET:
        bytes_appendf(&client->output,
                      "<iq type='get' id='roster'>"
                      "<query xmlns='jabber:iq:roster'/></iq>");
        break;
    default:
        abort();
    }
    client->unrequested++;
}

static void make_room(struct session *session)
{
    size_t capacity = session->capacity ? 2 * session->capacity : 64;
    struct unacked *unacked = grow(NULL, capacity * sizeof(*unacked));

    for (size_t i = 0; i < session->count; i++)
        unacked[i] = session->unacked[(session->first + i) % session->capacity];
    free(session->unacked);
    session->unacked = unacked;
    session->first = 0;
    session->capacity = capacity;
}

static void remember(struct session *session, const struct unacked *stanza)
{
    if (session->count == session->capacity)
        make_room(session);
    session->unacked[(session->first + session->count) % session->capacity] =
        *stanza;
    session->count++;
}

static void acknowledged(struct client *client, const struct unacked *stanza)
{
    if (stanza->kind != STANZA_MESSAGE)
        return;
    journal_write(client->index, "acked %u %" PRIu32, stanza->to,
                  stanza->number);
    ledger_acknowledged(client->index, stanza->to, stanza->number);
}

/* Nobody acknowledges what a plain client sends; that it arrives is certain
 * only while nothing fails. */
void session_send(struct client *client, struct unacked stanza)
{
    if (!fleet.is_plain)
        remember(&client->session, &stanza);
    if (stanza.kind == STANZA_MESSAGE)
        journal_write(client->index, "sent %u %" PRIu32 " %" PRIu64, stanza.to,
                      stanza.number, now_us() - stanza.due_us);
    write_stanza(client, &stanza);
    if (fleet.is_plain)
        acknowledged(client, &stanza);
}

bool session_acknowledged(struct client *client, uint32_t handled)
{
    struct session *session = &client->session;
    uint32_t newly = handled - session->acknowledged;

    if (newly > session->count) {
        journal_write(client->index,
                      "violation h=%" PRIu32 " after %" PRIu32
                      " with %zu unacknowledged",
                      handled, session->acknowledged, session->count);
        return false;
    }
    session->acknowledged = handled;
    while (newly--) {
        struct unacked unacked = take_first(session);

        acknowledged(client, &unacked);
    }
    return true;
}

void session_send_again(struct client *client)
{
    struct session *session = &client->session;

    for (size_t i = 0; i < session->count; i++) {
        const struct unacked *unacked =
            &session->unacked[(session->first + i) % session->capacity];

        if (unacked->kind == STANZA_MESSAGE)
            journal_write(client->index, "resent %u %" PRIu32, unacked->to,
                          unacked->number);
        write_stanza(client, unacked);
    }
}

void session_acknowledge(struct client *client)
{
    struct session *session = &client->session;

    bytes_appendf(&client->output, "<a xmlns='" NS_SM "' h='%" PRIu32 "'/>",
                  session->received);
    journal_write(client->index, "a %u %" PRIu32, session->incarnation,
                  session->received);
}

void session_request(struct client *client, uint64_t now)
{
    bytes_appendf(&client->output, "<r xmlns='" NS_SM "'/>");
    journal_write(client->index, "r %u", client->session.incarnation);
    client->request_us = client->last_request_us = now;
    client->unrequested = 0;
}

void session_free(struct session *session)
{
    free(session->unacked);
}
