/*
 * The skeleton of a tier-3 daemon.  A service gives a name, an option table
 * and a table {event type, handler}; the skeleton owns everything else:
 * configuration, broker, membership, partitions, epochs, snapshots, batches,
 * acknowledgement, dead letters.
 *
 * One state per partition owned.  A service without a store runs its hooks on
 * the loop; one with `begin`/`commit` runs all of them on one store thread, a
 * transaction per batch of events.  Hooks never wait for anybody.
 */
#ifndef CLUSTER_SERVICE_H
#define CLUSTER_SERVICE_H

#include "base/config.h"
#include "base/store.h"
#include "cluster/output.h"

enum handled {
    HANDLED,
    REJECT, /* to `dead`, with *reason_out (static text) */
};

typedef enum handled (*service_handler_fn)(void *state,
                                           const struct event *event,
                                           struct output *output,
                                           const char **reason_out);

struct service_handler {
    enum event_type type;
    service_handler_fn handle;
};

struct service_spec {
    enum service_id service;
    struct option_table options; /* of its own */
    size_t config_size;          /* of the struct they fill */
    const struct service_handler *handlers;
    size_t handler_count;
    const char *const *serves; /* NULL-terminated: "iq:jabber:iq:roster";
                                  may be NULL */

    bool adopts_inboxes; /* of frontends that are gone: adopt.h */

    /* State of a partition just taken over, before any event of it.  NULL: it
     * cannot be had (error_out): tried again every second, or, if what is there
     * is of a newer version, left to another instance. */
    void *(*open)(const void *config, const char *domain, unsigned partition,
                  struct store_error *error_out);
    /* The partition was handed over, lost, or the daemon stops. */
    void (*close)(void *state);

    /* With a store: around the handlers of a batch, which run twice when they
     * have output: rolled back first, committed when it is confirmed.  From
     * the same state they must put out the same.  False: nothing is
     * acknowledged, the batch is tried again after a second. */
    bool (*begin)(void *state);
    bool (*rollback)(void *state, bool *has_changed_out);
    bool (*commit)(void *state);
    /* After one of these was false: why, when what an event says cannot be
     * stored (valid until the next begin); NULL: the store's fault.  The
     * events of the batch are then handled one by one, and the one that fails
     * alone goes to `dead`. */
    const char *(*refusal)(const void *state);

    /* Without a store, all may be NULL.  Sessions of the partition that a
     * frontend reports when it is taken over or after any reconnection; they
     * *replace* what is known of that node: begin, session ..., end. */
    void (*snapshot_begin)(void *state, struct slice node);
    void (*snapshot_session)(void *state, const struct event *session,
                             struct output *output);
    void (*snapshot_end)(void *state, struct slice node, struct output *output);
    /* All snapshots are in: asks others what else must be known (answers come
     * to `node`).  Called until it returns true, but the first event is not
     * kept waiting for longer than a second. */
    bool (*prepare)(void *state, struct slice node, struct output *output);
    /* An answer to that. */
    void (*prepared)(void *state, const struct event *answer);
    /* A frontend has been given up: its sessions are over. */
    void (*node_gone)(void *state, struct slice node, struct output *output);
    /* The same, but it has never reported to this owner: there are sessions
     * nobody knows of, and an inbox that is still to be drained. */
    void (*orphaned)(void *state, struct slice node, struct output *output);
    /* Handlers of the same AMQP message have run: send what was coalesced. */
    void (*batch_end)(void *state, struct output *output);
    /* Every second, on an owned partition. */
    void (*tick)(void *state, uint64_t now_ms, struct output *output);
};

/* A whole main(): returns the exit status. */
int service_main(const struct service_spec *spec, int argc, char **argv);

#endif
