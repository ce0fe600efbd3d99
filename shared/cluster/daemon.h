/*
 * What every daemon has: arguments, configuration, log, signals, the loop, the
 * broker, its node name and queue, announcements, and the members' view.
 * SIGTERM and SIGINT drain and stop; SIGHUP reloads what is reloadable.
 */
#ifndef CLUSTER_DAEMON_H
#define CLUSTER_DAEMON_H

#include "base/config.h"
#include "cluster/bus.h"
#include "cluster/event.h"
#include "cluster/member.h"
#include "cluster/output.h"

struct daemon;

enum queue_type { QUEUE_TYPE_CLASSIC, QUEUE_TYPE_QUORUM };

/* Their names, by enum queue_type; NULL-terminated. */
extern const char *const daemon_queue_types[];

/* Options every daemon has; read with daemon_common. */
struct daemon_common {
    char *broker_host;
    uint64_t broker_port;
    char *broker_user;
    char *broker_password;
    char *broker_password_file;
    char *broker_vhost;
    char *domain;   /* the XMPP domain served, prepared */
    char *instance; /* names this instance; default "1" */
    uint64_t partitions;
    int queue_type; /* enum queue_type */
    int log_level;  /* enum log_level */
    uint64_t grace_seconds;
    uint64_t calm_ms;
    uint64_t batch_events; /* limits of one AMQP message */
    uint64_t batch_bytes;
    uint64_t prefetch;       /* AMQP messages per partition */
    uint64_t pressure_bytes; /* waiting for one destination */
};

struct daemon_spec {
    const char *kind; /* "frontend", "delivery" ... */
    enum service_id service;
    struct option_table options;
    void *config; /* filled; owned by the caller; texts freed by
                     daemon_stop */
    /* At start, before anything is connected, may be NULL: are the files good
     * that options name?  What it reads it may keep.  The option that is not,
     * and why_out; NULL: all is well. */
    const char *(*check)(void *owner, struct buffer *why_out);
    const char *const *serves;
    /* An event in our node queue that the daemon itself does not consume
     * (announcements).  May be NULL. */
    void (*node_event)(void *owner, const struct event *event);
    struct bus_hooks bus; /* any may be NULL */
    struct member_hooks members;
    /* SIGTERM: stop taking work; call daemon_finish when all is done.  NULL:
     * finish at once. */
    void (*drain)(void *owner);
    void (*reloaded)(void *owner);
    /* Every second. */
    void (*tick)(void *owner, uint64_t now_ms);
    /* Letters for our announcement (member.h): fills shares and declined
     * (PARTITIONS_MAX + 1 bytes each) with NUL-terminated texts.  May be
     * NULL. */
    void (*describe)(void *owner, char *shares, char *declined);
};

/* Exits on a bad configuration or --help.  Nothing is connected yet: hooks are
 * called from daemon_run only. */
struct daemon *daemon_start(const struct daemon_spec *spec, void *owner,
                            int argc, char **argv);
/* Until drained; SIGTERM twice stops at once. */
void daemon_run(struct daemon *daemon);
void daemon_finish(struct daemon *daemon);
void daemon_stop(struct daemon **daemon);

struct event_base *daemon_loop(const struct daemon *daemon);
struct bus *daemon_bus(const struct daemon *daemon);
struct members *daemon_members(const struct daemon *daemon);
const struct daemon_common *daemon_common(const struct daemon *daemon);
/* "<kind>.<instance>-<4 hex>", new at every start. */
const char *daemon_node(const struct daemon *daemon);
uint64_t daemon_boot(const struct daemon *daemon);
bool daemon_is_draining(const struct daemon *daemon);
/* What our announcement says from now on; announces at once. */
void daemon_set_state(struct daemon *daemon, enum member_state state);
void daemon_set_address(struct daemon *daemon, const char *address);
void daemon_announce(struct daemon *daemon);
/* An output that begins chains of its own (SERVICE_NONE publisher): fill it
 * with output_to_*, then daemon_publish publishes and clears it.  `receipt`
 * may be NULL. */
void daemon_output_init(struct daemon *daemon, struct output *output);
void daemon_publish(struct daemon *daemon, struct output *output,
                    struct bus_receipt *receipt);
/* For the skeleton of services: publishes the items of that phase from *next
 * on and leaves *next at the first of another phase, or NULL. */
void daemon_publish_items(struct daemon *daemon,
                          const struct output_item **next, unsigned phase,
                          struct bus_receipt *receipt);
/* The destination of a partition, for pressure. */
struct bus_destination *daemon_partition(struct daemon *daemon,
                                         enum service_id service,
                                         unsigned partition);

#endif
