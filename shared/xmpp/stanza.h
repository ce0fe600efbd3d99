/*
 * A stanza as Ocean carries it: the opening tag taken apart into the envelope,
 * the children as the bytes the client wrote.  The payload is never rewritten
 * on its way (RFC 6120 8; DESIGN "every payload passes through intact").
 */
#ifndef XMPP_STANZA_H
#define XMPP_STANZA_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "xmpp/stream_error.h"

enum stanza_kind {
    STANZA_MESSAGE,
    STANZA_PRESENCE,
    STANZA_IQ,
    STANZA_OTHER, /* any other child of the stream: SASL, STARTTLS, XEP-0198 */
};

/* All slices are unescaped attribute values or raw bytes; they live as long as
 * the bytes parsed and the parser's next call. */
struct stanza {
    enum stanza_kind kind;
    struct slice name; /* local name */
    struct slice ns;   /* its namespace */
    struct slice type; /* RFC 6120 8.1.4; absent if the client gave none */
    struct slice id;
    struct slice to;    /* as given, not prepared */
    struct slice from;  /* as given: what a client claims is not believed */
    struct slice lang;  /* xml:lang */
    struct slice extra; /* raw bytes of other attributes, with a leading space;
                           includes prefix declarations the payload needs */
    struct slice payload;    /* raw bytes between the tags; empty if none */
    struct slice child_name; /* first child element */
    struct slice child_ns;   /* its namespace: what an IQ is routed by */
    struct slice text;       /* character data directly inside (SASL) */
    bool has_body;           /* message with <body/> */
    bool is_chat_state_only; /* message with nothing but XEP-0085 */
    int priority;            /* presence: RFC 6121 4.7.2.3, else 0 */
    unsigned child_count;
};

/*
 * One parser per thread: pooled libxml2 contexts.  A parser is not tied to a
 * connection.
 */
struct stanza_parser;

struct stanza_parser *stanza_parser_create(void);
void stanza_parser_destroy(struct stanza_parser **parser);

/*
 * `bytes` is one FRAMING_ELEMENT.  `declarations` are the prefix declarations
 * of the stream header (" xmlns:a='b'", may be empty).  On failure returns the
 * stream error of RFC 6120 4.9.3 to send: not-well-formed, restricted-xml
 * (undefined entities ...), bad-namespace-prefix, invalid-namespace,
 * unsupported-encoding (not UTF-8), policy-violation (too deep), bad-format.
 */
enum stream_error stanza_parse(struct stanza_parser *parser, struct slice bytes,
                               struct slice declarations,
                               struct stanza *stanza_out) WARN_UNUSED;

/* Bytes of a header's prefix declarations: every stanza of the stream takes
 * them along, so they bound by how much it grows. */
enum { STREAM_DECLARATIONS_MAX = 1024 };

struct stream_header {
    struct slice to, from, version, lang, ns, id;
    struct slice declarations; /* extra prefixes, raw */
};

/* `bytes` is one FRAMING_STREAM_OPEN.  On failure returns the stream error, as
 * stanza_parse; policy-violation: more than STREAM_DECLARATIONS_MAX. */
enum stream_error
stanza_parse_header(struct stanza_parser *parser, struct slice bytes,
                    struct stream_header *header_out) WARN_UNUSED;

/* The attributes of a stanza to write; absent slices are left out. */
struct stanza_head {
    enum stanza_kind kind;
    struct slice type, id, from, to, lang, extra;
};

/* Appends <kind from='' to='' ...>payload</kind>, values escaped. */
void stanza_write(struct buffer *out, const struct stanza_head *head,
                  struct slice payload);
const char *stanza_kind_name(enum stanza_kind kind);
/* "message", "presence", "iq"; anything else: STANZA_OTHER. */
enum stanza_kind stanza_kind_of(struct slice name);

/*
 * Appends an <error/> child for `condition` (RFC 6120 8.3.3, e.g.
 * "service-unavailable") with the error type the RFC gives it.
 */
void stanza_write_error(struct buffer *out, const char *condition);

#endif
