/*
 * A small read-only tree over a payload for services that look inside (roster,
 * disco), and escaping for what they write.
 */
#ifndef XMPP_XML_H
#define XMPP_XML_H

#include "base/buffer.h"
#include "base/memory.h"

struct xml_attribute {
    struct slice name, value; /* without prefix; unescaped */
    struct xml_attribute *next;
};

struct xml_element {
    struct slice name, ns;
    struct slice text; /* all character data directly inside, joined */
    struct xml_attribute *attributes;
    struct xml_element *children; /* first child element */
    struct xml_element *next;     /* next sibling element */
};

/*
 * Parses a sequence of elements (a stanza's payload); the tree lives in
 * `arena`.  `extra` is the stanza's extra attributes (prefix declarations).
 * NULL: not well-formed.  An empty payload gives an element "" with no
 * children; the elements are the children of the one returned.
 */
struct xml_element *xml_parse(struct arena *arena, struct slice payload,
                              struct slice extra);
/* First child of that name and namespace (ns NULL = any), or NULL. */
struct xml_element *xml_child(const struct xml_element *element,
                              const char *name, const char *ns);
/* SLICE_NONE when there is none. */
struct slice xml_attribute(const struct xml_element *element, const char *name);
/* Appends with & < > ' " escaped. */
void xml_escape(struct buffer *out, struct slice text);
/* " name='value'", escaped; nothing when the value is absent. */
void xml_write_attribute(struct buffer *out, const char *name,
                         struct slice value);

#endif
