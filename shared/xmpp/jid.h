/*
 * JIDs (RFC 6122): parsed and prepared (nodeprep, nameprep, resourceprep) once
 * at the edge; everything behind works on the prepared text with the slice
 * functions below.
 */
#ifndef XMPP_JID_H
#define XMPP_JID_H

#include "base/compiler.h"
#include "base/slice.h"

enum {
    JID_PART_MAX = 1023, /* bytes, RFC 6122 2.1 */
    JID_TEXT_MAX = 3 * JID_PART_MAX + 2,
};

struct jid {
    size_t local_size; /* 0: no localpart */
    size_t bare_size;  /* of localpart@domain */
    size_t size;       /* of the whole text; > bare_size: has a resource */
    char text[JID_TEXT_MAX + 1];
};

/* False: `text` is not a JID (error_out: why, static text) -> jid-malformed. */
bool jid_parse(struct slice text, struct jid *jid_out,
               const char **error_out) WARN_UNUSED;
/* A resourcepart alone, prepared into `out` (JID_PART_MAX + 1 bytes). */
bool jid_prepare_resource(struct slice text, char *out,
                          size_t *size_out) WARN_UNUSED;
/* A localpart alone (SASL user names). */
bool jid_prepare_local(struct slice text, char *out,
                       size_t *size_out) WARN_UNUSED;

struct slice jid_full(const struct jid *jid);
struct slice jid_bare(const struct jid *jid);

/* On prepared text: parts of a JID; SLICE_NONE when it has no such part. */
struct slice jid_text_bare(struct slice jid);
struct slice jid_text_local(struct slice jid);
struct slice jid_text_domain(struct slice jid);
struct slice jid_text_resource(struct slice jid);

#endif
