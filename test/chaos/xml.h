/*
 * As much of XML as a stream of a server needs that writes neither comments
 * nor CDATA: cutting it into the children of <stream:stream>.
 */
#ifndef CHAOS_XML_H
#define CHAOS_XML_H

#include <stdbool.h>
#include <stddef.h>

enum xml_kind {
    XML_MORE,    /* not all of it is there */
    XML_HEADER,  /* the opening of the stream, or a declaration */
    XML_ELEMENT, /* a whole child */
    XML_END,     /* the closing of the stream */
    XML_SPACE,
    XML_BAD,
};

/* What the first bytes are, and how many. */
enum xml_kind xml_next(const char *data, size_t size, size_t *length_out);

/* `element` is the bytes of one element. */
bool xml_is(const char *element, size_t size, const char *name);
/* The value of an attribute of its opening tag; false: it has none, or it
 * does not fit. */
bool xml_attribute(const char *element, size_t size, const char *name,
                   char *value_out, size_t value_size);
bool xml_contains(const char *element, size_t size, const char *text);
/* The text of the first <name> in it. */
bool xml_text_of(const char *element, size_t size, const char *name,
                 char *text_out, size_t text_size);
/* The name of its first child. */
bool xml_first_child(const char *element, size_t size, char *name_out,
                     size_t name_size);

#endif
