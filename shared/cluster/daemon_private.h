/*
 * Inside what every daemon has.
 *   daemon.c              start, announcements, hooks, stop
 *   daemon_options.c      the options of every daemon
 *   daemon_environment.c  what else may stand in the environment
 *   daemon_signals.c      SIGTERM and SIGINT drain, SIGHUP reloads
 *   daemon_output.c       where what is put out goes
 */
#ifndef CLUSTER_DAEMON_PRIVATE_H
#define CLUSTER_DAEMON_PRIVATE_H

#include "cluster/daemon.h"

enum { DAEMON_SIGNALS = 3 };

struct daemon {
    const struct daemon_spec *spec;
    void *owner;
    struct daemon_common common;
    struct option_table tables[2];
    void *configs[2];
    char *config_file;
    struct event_base *loop;
    struct event *tick;
    struct event *signals[DAEMON_SIGNALS];
    struct bus *bus;
    struct bus_subscription *node_queue;
    struct members *members;
    char node[NAME_MAX_BYTES];
    uint64_t boot;
    uint64_t sequence;
    uint64_t turn; /* of announcing, one a second while connected */
    enum member_state state;
    char address[NAME_MAX_BYTES];
    bool is_draining;
    struct bus_destination *partitions[SERVICE_COUNT][PARTITIONS_MAX];
};

/* daemon_environment.c: warns of OCEAN_* variables that are nobody's. */
void daemon_check_environment(const struct daemon *daemon);

/* daemon_signals.c */
void daemon_signals_init(struct daemon *daemon);
void daemon_signals_deinit(struct daemon *daemon);

#endif
