/*
 * A daemon's options as one table: name, kind, default, bounds, and where the
 * value goes in the daemon's config struct.  Values come from the defaults,
 * then the libconfig file, then the environment (OCEAN_<NAME>, upper case),
 * then "--name value" on the command line (never for secrets).
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum option_kind {
    OPTION_TEXT,     /* char *, owned by the config struct */
    OPTION_NUMBER,   /* uint64_t */
    OPTION_BOOLEAN,  /* bool */
    OPTION_CHOICE,   /* int: index into `choices` */
    OPTION_BYTES,    /* uint64_t; accepts suffixes K, M, G (powers of 1024) */
    OPTION_DURATION, /* uint64_t milliseconds; accepts ms, s, m, h */
};

enum option_flag {
    OPTION_SECRET = 1,     /* not on the command line; never logged */
    OPTION_RELOADABLE = 2, /* SIGHUP may change it */
    OPTION_REQUIRED = 4,   /* no default: must be given */
};

struct option {
    const char *name; /* lower_case in the file; --lower-case as argument */
    enum option_kind kind;
    size_t offset;     /* of the value in the config struct */
    const char *value; /* default, in the syntax of the file; or NULL */
    uint64_t min, max; /* for the numeric kinds; 0, 0 = any */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE */
    unsigned flags;
    /* Of a text that somebody gave (not of the default); NULL: any will do.
     * False: why_out says what was expected. */
    bool (*check)(const char *text, struct buffer *why_out);
    const char *help; /* one line, with the unit */
};

struct option_table {
    const struct option *options;
    size_t count;
};

/*
 * Fills `config` (zeroed by the caller) from all sources over all `tables`
 * (each with offsets into the struct at the same index of `configs`).
 * `file` may be NULL.  False: error_out holds one line with file, line and
 * what was expected.  Unknown names in the file or on the command line are
 * errors; OCEAN_* names that are not ours may belong to other daemons.
 */
bool config_load(const struct option_table *tables, void *const *configs,
                 size_t table_count, const char *file, int argc, char **argv,
                 struct buffer *error_out) WARN_UNUSED;
/* Reads file and environment again and applies OPTION_RELOADABLE values only;
 * false: nothing was changed. */
bool config_reload(const struct option_table *tables, void *const *configs,
                   size_t table_count, const char *file,
                   struct buffer *error_out) WARN_UNUSED;
/* Where an option that was loaded got its value from: "ocean.conf:12: tls",
 * "OCEAN_TLS", "--tls", or, of a default, its name alone.  `argv` ends with
 * NULL. */
void config_where(const char *option, const char *file, char **argv,
                  struct buffer *out);
/* Calls `found` with the name of each OCEAN_* variable that is no option of
 * `tables` nor in `others` (spelled as options, NULL-terminated). */
void config_find_strays(const struct option_table *tables, size_t table_count,
                        const char *const *others,
                        void (*found)(const char *variable));
/* Frees the texts. */
void config_free(const struct option_table *tables, void *const *configs,
                 size_t table_count);
/* "--help": one line per option. */
void config_describe(const struct option_table *tables, size_t table_count,
                     struct buffer *out);

#endif
