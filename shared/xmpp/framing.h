/*
 * Cuts a client's byte stream (RFC 6120 4) into its units with a few bytes of
 * state per connection and no buffer of its own: the caller keeps what is
 * unfinished and presents it again together with what has come since; bytes
 * already scanned are not scanned twice.  Refuses early what XMPP forbids
 * (RFC 6120 11.1): DTDs, processing instructions, comments; also depth and
 * size.  Whether a unit is well-formed XML is stanza_parse's to say.
 */
#ifndef XMPP_FRAMING_H
#define XMPP_FRAMING_H

#include <stdint.h>

#include "xmpp/stream_error.h"

enum { FRAMING_DEPTH_MAX = 64, FRAMING_ATTRIBUTES_MAX = 64 };

enum framing_unit {
    FRAMING_NEED_MORE,    /* the unit is not complete yet */
    FRAMING_WHITESPACE,   /* keep-alive between stanzas */
    FRAMING_STREAM_OPEN,  /* XML declaration (optional) + <stream:stream ...> */
    FRAMING_ELEMENT,      /* one complete child of the stream */
    FRAMING_STREAM_CLOSE, /* </stream:stream> */
    FRAMING_ERROR,        /* see error_out; the stream is over */
};

struct framing {
    uint32_t scanned; /* bytes of the unit under way already looked at */
    uint32_t max_unit_bytes;
    uint32_t mark;       /* where the entity or CDATA section began */
    uint16_t attributes; /* of the tag under way */
    uint8_t depth;
    uint8_t state; /* enum in framing.c */
    uint8_t quote;
    bool is_open; /* the stream header has been seen */
};

/* Expects a (new) stream header next; used after STARTTLS and SASL too. */
void framing_init(struct framing *framing, uint32_t max_unit_bytes);
/* Looks at `bytes`, which begins with the unit under way, and says what its
 * first *size_out bytes are.  With FRAMING_NEED_MORE nothing is consumed. */
enum framing_unit framing_next(struct framing *framing, struct slice bytes,
                               size_t *size_out, enum stream_error *error_out);

#endif
