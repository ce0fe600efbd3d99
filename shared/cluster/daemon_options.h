/* The options every daemon has: reading and checking them at start. */
#ifndef CLUSTER_DAEMON_OPTIONS_H
#define CLUSTER_DAEMON_OPTIONS_H

#include "cluster/daemon.h"

#define OCEAN_VERSION "0.1.0"

extern const struct option_table daemon_common_options;

/* Handles --help, --version and --config FILE, loads all tables; exits on any
 * error.  Returns the configuration file's name (owned by the caller) or
 * NULL. */
char *daemon_load(const char *kind, const struct option_table *tables,
                  void *const *configs, size_t table_count, int argc,
                  char **argv);
/* What a table cannot say; prepares the domain; exits on an error. */
void daemon_check_common(struct daemon_common *common, const char *file,
                         char **argv);
/* What the daemon itself knows of its options (daemon_spec.check); exits if it
 * cannot use one.  `file` and `argv` as daemon_load left them. */
void daemon_check_own(const struct daemon_spec *spec, void *owner,
                      const char *file, char **argv);
/* Borrows the texts of `common` and `node`. */
void daemon_bus_config(const struct daemon_common *common, const char *kind,
                       const char *node, struct bus_config *config_out);

#endif
