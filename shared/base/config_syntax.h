/* What to tell of a configuration file that libconfig cannot parse. */
#ifndef BASE_CONFIG_SYNTAX_H
#define BASE_CONFIG_SYNTAX_H

#include <libconfig.h>

#include "base/config.h"

/* `config` has just failed to read a file.  Appends one line: where, the text
 * that stands there, unless that may hold a secret, and what was expected. */
void config_syntax_explain(const config_t *config,
                           const struct option_table *tables,
                           size_t table_count, struct buffer *out);

#endif
