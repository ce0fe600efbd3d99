/*
 * A borrowed run of bytes: a pointer and a length, never owned, not
 * NUL-terminated.  SLICE_NONE (data == NULL) means "absent", which differs
 * from present and empty.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf: "%.*s", SLICE_FORMAT(slice) */
#define SLICE_FORMAT(slice) (int)(slice).size, (slice).data ? (slice).data : ""

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_is_set(struct slice slice)
{
    return slice.data != NULL;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || !memcmp(a.data, b.data, a.size));
}

/* Equal to a C string; an absent slice equals nothing. */
static inline bool slice_is(struct slice slice, const char *text)
{
    return slice.data && slice.size == strlen(text) &&
           !memcmp(slice.data, text, slice.size);
}

static inline bool slice_starts_with(struct slice slice, const char *prefix)
{
    size_t size = strlen(prefix);

    return slice.data && slice.size >= size &&
           !memcmp(slice.data, prefix, size);
}

#endif
