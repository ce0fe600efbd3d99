/*
 * Walks over the attributes of a tag as raw bytes, where the unescaped values
 * a parser gives do not serve.  Safe on anything; right on well-formed tags.
 */
#ifndef XMPP_TAG_H
#define XMPP_TAG_H

#include "base/slice.h"

struct tag_attribute {
    struct slice raw;   /* name='value' */
    struct slice name;  /* with its prefix */
    struct slice value; /* between the quotes, not unescaped */
};

bool tag_is_space(char byte);
/* `bytes` begins with a tag: what follows the element's name. */
struct slice tag_after_name(struct slice bytes);
/* Takes the next attribute off `rest`; false when there is none: *rest then
 * begins with what ends the tag ('>', '/', '?') or is no attribute. */
bool tag_next_attribute(struct slice *rest, struct tag_attribute *out);

#endif
