/*
 * What the two halves of the stanza parser share: stanza_parse.c feeds bytes
 * to libxml2, stanza_reader.c turns what libxml2 reports into a stanza.
 */
#ifndef XMPP_STANZA_READER_H
#define XMPP_STANZA_READER_H

#include "base/memory.h"
#include "xmpp/stanza.h"

#include <libxml/parser.h>

enum phase {
    PHASE_QUIET, /* synthetic tags: nothing is reported */
    PHASE_STANZA,
    PHASE_HEADER,
};

struct stanza_parser {
    xmlParserCtxt *context; /* NULL: to be created at the next call */
    size_t fed;             /* bytes given to it */

    enum phase phase;
    unsigned depth; /* elements open inside the synthetic ones */
    unsigned roots; /* seen at depth 1; a unit has one */
    enum stream_error error;
    struct stanza *stanza;        /* PHASE_STANZA */
    struct stream_header *header; /* PHASE_HEADER */
    bool is_in_priority;
    bool has_other_than_chat_state;

    /* What the last result points into. */
    struct arena values;
    struct buffer text;
    struct buffer extra;

    struct buffer priority; /* text of <priority/> */
};

/* The callbacks for a context whose user data is a stanza_parser. */
void stanza_reader_init(xmlSAXHandler *handler);
/* After the last byte: sets what is only known then. */
void stanza_reader_finish(struct stanza_parser *parser);

#endif
