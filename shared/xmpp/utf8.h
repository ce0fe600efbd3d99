/*
 * Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond
 * U+10FFFF.  libxml2 and libidn are more forgiving than XMPP may be.
 */
#ifndef XMPP_UTF8_H
#define XMPP_UTF8_H

#include "base/slice.h"

bool utf8_is_valid(struct slice text);

#endif
