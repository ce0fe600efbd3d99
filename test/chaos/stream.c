#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "journal.h"
#include "ledger.h"
#include "xml.h"

#define NS_SM "urn:xmpp:sm:3"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"

enum { PRESENCE_EVERY_US = 10 * 1000 * 1000 };

struct element {
    const char *data;
    size_t size;
};

void stream_open(struct client *client)
{
    bytes_appendf(&client->output,
                  "<?xml version='1.0'?><stream:stream to='localhost' "
                  "version='1.0' xmlns='jabber:client' "
                  "xmlns:stream='http://etherx.jabber.org/streams'>");
}

static bool is(const struct element *element, const char *name)
{
    return xml_is(element->data, element->size, name);
}

static bool attribute(const struct element *element, const char *name,
                      char *value_out, size_t size)
{
    return xml_attribute(element->data, element->size, name, value_out, size);
}

static bool count_of(const struct element *element, uint32_t *count_out)
{
    char text[16];

    if (!attribute(element, "h", text, sizeof(text)))
        return false;
    *count_out = (uint32_t)strtoul(text, NULL, 10);
    return true;
}

/* Logging in. */

static void write_base64(struct bytes *out, const unsigned char *data,
                         size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;
        char text[4];

        group |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
        group |= i + 2 < size ? data[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++)
            text[k] = digits[group >> (18 - 6 * k) & 63];
        if (i + 1 >= size)
            text[2] = '=';
        if (i + 2 >= size)
            text[3] = '=';
        bytes_append(out, text, sizeof(text));
    }
}

static void authenticate(struct client *client)
{
    unsigned char plain[128];
    int size = snprintf((char *)plain, sizeof(plain), "%cc%u%csecret-c%u", 0,
                        client->index, 0, client->index);

    bytes_appendf(&client->output,
                  "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>");
    write_base64(&client->output, plain, (size_t)size);
    bytes_appendf(&client->output, "</auth>");
    client_enter(client, CLIENT_AUTHENTICATING);
}

static void bind_resource(struct client *client)
{
    bytes_appendf(&client->output,
                  "<iq type='set' id='bind'><bind xmlns='" NS_BIND
                  "'><resource>chaos</resource></bind></iq>");
    client_enter(client, CLIENT_BINDING);
}

static void resume(struct client *client)
{
    struct session *session = &client->session;

    bytes_append(&client->output, "<resume xmlns='" NS_SM "' previd='",
                 strlen("<resume xmlns='" NS_SM "' previd='"));
    bytes_append(&client->output, session->id, strlen(session->id));
    bytes_appendf(&client->output, "' h='%" PRIu32 "'/>", session->received);
    journal_write(client->index, "resume %u %u %" PRIu32, session->incarnation,
                  client->frontend, session->received);
    client_enter(client, CLIENT_RESUMING);
}

static void on_features(struct client *client)
{
    if (client->state == CLIENT_OPENING)
        authenticate(client);
    else if (client->session.is_open && client->session.id[0])
        resume(client);
    else
        bind_resource(client);
}

static void on_success(struct client *client)
{
    stream_open(client);
    client_enter(client, CLIENT_REOPENING);
}

static void come_online(struct client *client, uint64_t now)
{
    client->failures = 0;
    client->request_us = 0;
    client->last_request_us = now;
    client->presence_us = now + fleet_random(PRESENCE_EVERY_US);
    client_enter(client, CLIENT_ONLINE);
}

static void begin_chat(struct client *client)
{
    come_online(client, now_us());
    session_send(client, (struct unacked){.kind = STANZA_PRESENCE});
    session_send(client, (struct unacked){.kind = STANZA_ROSTER_GET});
}

static void on_bound(struct client *client, const struct element *element)
{
    char type[16] = "";

    attribute(element, "type", type, sizeof(type));
    if (strcmp(type, "result")) {
        client_lost(client, "bind-refused");
        return;
    }
    session_begin(client);
    if (fleet.is_plain) {
        journal_write(client->index, "enabled %u plain",
                      client->session.incarnation);
        begin_chat(client);
        return;
    }
    bytes_appendf(&client->output, "<enable xmlns='" NS_SM "' resume='true'/>");
    client_enter(client, CLIENT_ENABLING);
}

static void on_enabled(struct client *client, const struct element *element)
{
    struct session *session = &client->session;

    attribute(element, "id", session->id, sizeof(session->id));
    session->received = 0;
    journal_write(client->index, "enabled %u %s", session->incarnation,
                  session->id[0] ? "id" : "noid");
    begin_chat(client);
}

static void on_resumed(struct client *client, const struct element *element)
{
    struct session *session = &client->session;
    uint32_t handled;

    if (!count_of(element, &handled)) {
        client_lost(client, "resumed-without-h");
        return;
    }
    journal_write(client->index, "resumed %u %u %" PRIu32, session->incarnation,
                  client->frontend, handled);
    if (!session_acknowledged(client, handled)) {
        client_lost(client, "h-too-high");
        return;
    }
    come_online(client, now_us());
    session_send_again(client);
}

static void on_resume_failed(struct client *client,
                             const struct element *element)
{
    struct session *session = &client->session;
    char condition[64] = "-";
    char count[16] = "-";
    uint32_t handled;

    xml_first_child(element->data, element->size, condition, sizeof(condition));
    attribute(element, "h", count, sizeof(count));
    journal_write(client->index, "resume-failed %u %u %s %s",
                  session->incarnation, client->frontend, count, condition);
    if (count_of(element, &handled))
        session_acknowledged(client, handled);
    session_end(client);
    bind_resource(client);
}

/* Stanzas. */

static void on_error_message(struct client *client,
                             const struct element *element)
{
    char id[64];
    unsigned to;
    unsigned number;

    if (!attribute(element, "id", id, sizeof(id)) ||
        sscanf(id, "m-%u-%u", &to, &number) != 2)
        return;
    journal_write(client->index, "bounced %u %u", to, number);
    ledger_bounced(client->index, to, number);
}

static void on_message(struct client *client, const struct element *element)
{
    char body[128];
    char type[16] = "";
    unsigned from;
    unsigned to;
    unsigned number;

    attribute(element, "type", type, sizeof(type));
    if (!strcmp(type, "error")) {
        on_error_message(client, element);
        return;
    }
    if (!xml_text_of(element->data, element->size, "body", body,
                     sizeof(body)) ||
        sscanf(body, "chaos %u %u %u ", &from, &to, &number) != 3 ||
        to != client->index) {
        journal_write(client->index, "violation a message that is not ours");
        return;
    }
    journal_write(client->index, "received %u %u %u %s %s", from, number,
                  client->session.incarnation,
                  xml_contains(element->data, element->size, "<delay ")
                      ? "delayed"
                      : "direct",
                  ledger_received(from, to, number) ? "first" : "again");
}

static bool on_stanza(struct client *client, const struct element *element)
{
    if (is(element, "iq") && client->state == CLIENT_BINDING) {
        on_bound(client, element);
        return true;
    }
    if (!is(element, "message") && !is(element, "presence") &&
        !is(element, "iq"))
        return false;
    client->session.received++;
    if (is(element, "message"))
        on_message(client, element);
    return true;
}

static void on_answer(struct client *client, const struct element *element)
{
    uint32_t handled;

    if (!count_of(element, &handled)) {
        client_lost(client, "a-without-h");
        return;
    }
    journal_write(client->index, "answer %u %" PRIu32,
                  client->session.incarnation, handled);
    client->request_us = 0;
    if (!session_acknowledged(client, handled))
        client_lost(client, "h-too-high");
}

/* Elements. */

static void on_failed(struct client *client, const struct element *element)
{
    if (client->state == CLIENT_RESUMING)
        on_resume_failed(client, element);
    else
        client_lost(client, "enable-failed");
}

static void on_element(struct client *client, const struct element *element)
{
    bool is_bound = client->state >= CLIENT_ENABLING;

    if (on_stanza(client, element))
        return;
    if (is(element, "r") && client->state == CLIENT_ONLINE) {
        if (!client->is_silent)
            session_acknowledge(client);
    } else if (is(element, "a") && is_bound)
        on_answer(client, element);
    else if (is(element, "stream:features"))
        on_features(client);
    else if (is(element, "success"))
        on_success(client);
    else if (is(element, "enabled"))
        on_enabled(client, element);
    else if (is(element, "resumed"))
        on_resumed(client, element);
    else if (is(element, "failed"))
        on_failed(client, element);
    else if (is(element, "failure"))
        client_lost(client, "sasl-failure");
    else if (is(element, "stream:error"))
        xml_first_child(element->data, element->size, client->error,
                        sizeof(client->error));
}

static void on_end(struct client *client)
{
    char how[80];

    snprintf(how, sizeof(how), "error:%s", client->error);
    if (client->error[0])
        client_lost(client, how);
    else
        client_lost(client,
                    client->state == CLIENT_CLOSING ? "clean" : "closed");
}

void stream_on_input(struct client *client)
{
    size_t done = 0;

    while (client->fd >= 0) {
        struct element element = {.data = client->input.data + done};
        enum xml_kind kind =
            xml_next(element.data, client->input.size - done, &element.size);

        if (kind == XML_MORE)
            break;
        done += element.size;
        if (kind == XML_ELEMENT)
            on_element(client, &element);
        else if (kind == XML_END)
            on_end(client);
        else if (kind == XML_BAD)
            client_lost(client, "bad-xml");
    }
    if (client->fd >= 0)
        bytes_take(&client->input, done);
}
