#ifndef FRONTEND_OPTIONS_H
#define FRONTEND_OPTIONS_H

#include "base/config.h"

/* Of the frontend alone; the rest is in cluster/daemon_options.h. */
extern const struct option_table frontend_options;

#endif
