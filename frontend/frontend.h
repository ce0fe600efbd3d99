/*
 * A frontend: holds the clients' connections, encrypts, frames, authenticates,
 * binds and forwards.  Whatever may change next week is a service.
 *
 *   listener.c     accepting
 *   connection.c   one socket: bytes in, bytes out, limits
 *   tls.c          OpenSSL
 *   peer.c         is the client's host still there?
 *   stream.c       the states of an XMPP stream; features.c, bind.c
 *   sasl.c         SASL exchanges; keys.c: PLAIN's key derivation
 *   login.c        how an exchange goes on or ends
 *   session.c      sessions: table, dedupe window, directed presence
 *   acks.c         XEP-0198: what each side has of what the other sent;
 *   received.c     what the client has sent, and may forget
 *   unacked.c      what the client does not have yet
 *   ended.c        what is left of sessions that are over
 *   resume.c       a client comes back for its session; token.c,
 *                  token_key.c
 *   handover.c     a session goes to another frontend
 *   arrival.c      a session comes from another frontend
 *   from_client.c  stanza -> event; iq.c, presence.c
 *   inbox.c        what services send here; to_client.c: event -> client
 *   snapshot.c     what services ask after
 *   drain.c        the orderly end
 */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include <sys/queue.h>

#include "base/map.h"
#include "base/watch.h"
#include "base/worker.h"
#include "cluster/daemon.h"
#include "token.h"
#include "xmpp/stanza.h"

struct connection;
struct inbox;
struct sasl_context;
struct snapshot;
struct tls_context;

enum tls_mode { TLS_REQUIRED, TLS_OPTIONAL, TLS_OFF };

struct frontend_config {
    char *listen;
    uint64_t port;
    int tls; /* enum tls_mode */
    char *certificate;
    char *private_key;
    uint64_t login_timeout; /* durations in ms */
    uint64_t login_attempts;
    uint64_t auth_timeout;
    uint64_t bind_timeout;
    uint64_t iq_timeout;
    uint64_t keepalive;
    uint64_t peer_timeout;
    uint64_t max_connections; /* 0: as the limit of open files allows */
    uint64_t bytes_per_second;
    uint64_t max_stanza_bytes;
    uint64_t max_stanza_bytes_unauthenticated;
    uint64_t max_output_bytes;
    uint64_t max_unacked; /* stanzas */
    uint64_t max_unacked_bytes;
    uint64_t ack_timeout;
    uint64_t resume_timeout; /* 0: no resumption */
    uint64_t resume_wait;
    char *token_secret; /* empty: the broker password */
    uint64_t key_threads;
    uint64_t key_queue;
};

TAILQ_HEAD(connection_list, connection);

enum { SCRATCH_BYTES = 64 * 1024 };

struct frontend {
    struct frontend_config config;
    struct daemon *daemon;
    struct slice domain;
    struct stanza_parser *parser;
    struct tls_context *tls; /* NULL: off */
    struct sasl_context *sasl;
    struct worker_pool *key_workers;
    /* Sockets. */
    int listener;
    struct watch *accepting;
    uint64_t max_connections;
    uint64_t connection_count;
    struct connection_list connections;
    struct connection_list dirty;  /* with output to flush this turn */
    struct connection_list doomed; /* ending at the end of the turn */
    struct loop_timer *end_of_turn;
    char scratch[SCRATCH_BYTES];
    /* Sessions, and what is asked for. */
    struct map *sessions; /* id -> struct session */
    LIST_HEAD(session_list, session) detached;
    struct token_key token_key;
    struct map *resuming;  /* session id -> connection that awaits it */
    struct map *arrivals;  /* session id -> struct arrival */
    struct map *sent_away; /* session id -> struct sent_away */
    LIST_HEAD(handover_list, handover) handovers; /* under way, ... */
    unsigned handed_over;                         /* ... and done */
    LIST_HEAD(mark_list, mark) marks;     /* received.c: not yet confirmed */
    STAILQ_HEAD(ended_list, ended) ended; /* to be given back */
    uint64_t custody_ms;                  /* when all was taken last */
    struct map *requests;                 /* number -> struct connection */
    uint64_t last_request;
    uint64_t logins; /* since memory was given back last */
    uint64_t last_login_ms;
    /* Broker. */
    struct inbox *inbox;
    struct output output;    /* of what is being handled */
    struct map *iq_services; /* IQ namespace -> one of service_ids */
    enum service_id service_ids[SERVICE_COUNT];
    bool pressed[SERVICE_COUNT][PARTITIONS_MAX];
    unsigned pressed_count;
    bool has_relief; /* connections may go on at the end of the turn */
    struct snapshot *snapshots; /* under way, oldest first */
    struct loop_timer *snapshot_timer;
    struct loop_timer *drain_timer;
    uint64_t drain_deadline_ms;
    uint64_t drain_busy_ms; /* when something was under way last */
    uint64_t drain_since_ms;
};

/* frontend.c */
extern const struct daemon_spec frontend_spec; /* but options, config */
void frontend_init(struct frontend *frontend, struct daemon *daemon);
void frontend_deinit(struct frontend *frontend);

/* Publishes what has been put into frontend->output. */
void frontend_publish(struct frontend *frontend);
/* A number for a question whose answer is for that connection. */
uint64_t frontend_request(struct frontend *frontend,
                          struct connection *connection);
/* The connection that asked, once; NULL if it is gone. */
struct connection *frontend_answered(struct frontend *frontend,
                                     uint64_t request);
/* True while the queue of that user's partition takes no more. */
bool frontend_is_pressed(const struct frontend *frontend,
                         enum service_id service, struct slice user);
/* SERVICE_NONE: nobody has ever served it. */
enum service_id frontend_iq_service(const struct frontend *frontend,
                                    struct slice ns);
struct slice frontend_domain(const struct frontend *frontend);

/* options.c */
extern const struct option_table frontend_options;

/* listener.c */
/* Binds at start; exits with one clear line when that cannot be done. */
void listener_open(struct frontend *frontend);
/* Begins to accept, once the inbox is registered and if there is room. */
void listener_start(struct frontend *frontend);
void listener_stop(struct frontend *frontend);

/* snapshot.c */
void snapshot_asked(struct frontend *frontend, const struct event *ask);
void snapshot_step(void *argument);
void snapshots_drop(struct frontend *frontend);

#endif
