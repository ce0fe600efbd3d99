/* One option's value: from text into the config struct. */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H

#include "base/config.h"

/* False: why_out says what was expected; the value is unchanged. */
bool config_value_set(const struct option *option, void *config,
                      const char *text, struct buffer *why_out) WARN_UNUSED;
/* A text that is not empty; other kinds always are. */
bool config_value_is_set(const struct option *option, const void *config);
void config_value_free(const struct option *option, void *config);
/* Bytes a struct needs to hold every option of the table. */
size_t config_value_extent(const struct option_table *table);

#endif
