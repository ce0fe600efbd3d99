/*
 * One XMPP client: an account c<index>@localhost with the resource "chaos"
 * that is online whenever it can be.
 *
 * client.c has the connection and what happens at which time, stream.c what is
 * done with the elements of the server, session.c the bookkeeping of XEP-0198.
 */
#ifndef CHAOS_CLIENT_H
#define CHAOS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

/* In order: from ENABLING on, a session is bound to the connection. */
enum client_state {
    CLIENT_OFFLINE,        /* on purpose, until `due_us` */
    CLIENT_WAITING,        /* to connect again, at `due_us` */
    CLIENT_CONNECTING,     /* TCP */
    CLIENT_OPENING,        /* the first stream header is sent */
    CLIENT_AUTHENTICATING, /* SASL is under way */
    CLIENT_REOPENING,      /* the second stream header is sent */
    CLIENT_RESUMING,       /* <resume/> is sent */
    CLIENT_BINDING,        /* the resource is asked for */
    CLIENT_ENABLING,       /* <enable/> is sent */
    CLIENT_ONLINE,
    CLIENT_CLOSING, /* </stream:stream> is sent */
};

enum stanza_kind {
    STANZA_MESSAGE,
    STANZA_PRESENCE,
    STANZA_UNAVAILABLE,
    STANZA_ROSTER_GET,
};

/* A stanza the server has not acknowledged, with what it takes to send it
 * again. */
struct unacked {
    enum stanza_kind kind;
    unsigned to;
    uint32_t number;
    uint64_t due_us; /* of a message: when it should have been sent */
};

struct session {
    unsigned incarnation; /* sessions of this client so far */
    bool is_open;         /* bound, and not known to be over */
    char id[512];         /* empty: cannot be resumed */
    /* Modulo 2^32, as XEP-0198 wants. */
    uint32_t received;     /* our h */
    uint32_t acknowledged; /* the server's h */
    struct unacked *unacked;
    size_t first;
    size_t count;
    size_t capacity;
};

struct client {
    unsigned index;
    bool is_silent; /* sends nothing, and acknowledges nothing */
    enum client_state state;
    int fd;
    bool is_watching_output;
    unsigned frontend; /* the number of its port, from 1 */
    uint64_t due_us;   /* of the state: retry, return, give up */
    unsigned failures; /* in a row */
    struct bytes input;
    struct bytes output;
    char error[64]; /* the stream error that was received */
    struct session session;
    uint64_t request_us;      /* our <r/> awaits its answer since; 0: none */
    uint64_t last_request_us; /* sent */
    unsigned unrequested;     /* stanzas since */
    uint64_t presence_us;     /* when to change it */
    bool is_leaving;          /* wants to close when all is acknowledged */
    uint64_t away_us;         /* and for how long */
};

/* What all clients share. */
struct fleet {
    struct client *clients;
    unsigned count;  /* that chat, the first in `clients` ... */
    unsigned silent; /* ... and behind them these */
    bool is_plain;   /* without XEP-0198 */
    bool has_presence_changes;
    unsigned ports[16];
    unsigned port_count;
    int epoll;
    uint64_t random;
};

extern struct fleet fleet;

/* 0 .. limit - 1 */
uint64_t fleet_random(uint64_t limit);

/* client.c */

void client_init(struct client *client, unsigned index);
void client_free(struct client *client);
/* What epoll says. */
void client_on_event(struct client *client, uint32_t events);
/* What is due by now. */
void client_tick(struct client *client, uint64_t now);
void client_flush(struct client *client);
/* The connection is over; `how` is a word for the journal. */
void client_lost(struct client *client, const char *how);
void client_enter(struct client *client, enum client_state state);

/* False: it cannot just now. */
bool client_may_send(const struct client *client);
void client_send_message(struct client *client, unsigned to, uint64_t due_us);

/* The connection is reset, without a word to the server. */
void client_reset(struct client *client);
/* Closes in order and comes back after so long. */
void client_leave(struct client *client, uint64_t away_us);
/* Online, and everything acknowledged. */
bool client_is_settled(const struct client *client);

/* stream.c */

void stream_open(struct client *client);
/* Handles what is in the input. */
void stream_on_input(struct client *client);

/* session.c */

void session_begin(struct client *client);
/* Over; what is not acknowledged is in doubt. */
void session_end(struct client *client);
/* Sends a stanza and remembers it. */
void session_send(struct client *client, struct unacked stanza);
/* The server's h; false: it acknowledges more than was sent. */
bool session_acknowledged(struct client *client, uint32_t handled);
void session_send_again(struct client *client);
/* <a/>: what we have. */
void session_acknowledge(struct client *client);
void session_request(struct client *client, uint64_t now);
void session_free(struct session *session);

#endif
