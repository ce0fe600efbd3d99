/*
 * Reading MessagePack in place.  msgpack-c writes our events, but its reader
 * builds a tree and forgets where the bytes were; we need the bytes, to pass
 * on what we do not know and to bury what we cannot read.
 */
#ifndef CLUSTER_PACK_H
#define CLUSTER_PACK_H

#include <stdint.h>

#include "base/slice.h"

enum pack_kind {
    PACK_NIL,
    PACK_BOOLEAN,
    PACK_UNSIGNED,
    PACK_NEGATIVE,
    PACK_TEXT,
    PACK_BYTES,
    PACK_ARRAY,
    PACK_MAP,
    PACK_OTHER, /* float, extension: skipped over, never wanted */
};

struct pack_token {
    enum pack_kind kind;
    uint64_t number;    /* BOOLEAN, UNSIGNED; ARRAY, MAP: entries */
    int64_t negative;   /* NEGATIVE */
    struct slice bytes; /* TEXT, BYTES */
};

/* Takes one token off *rest (of an array or map only its header).  False: it
 * is truncated or no MessagePack. */
bool pack_next(struct slice *rest, struct pack_token *token_out);
/* Takes one whole value off *rest, however deep. */
bool pack_skip(struct slice *rest);

#endif
