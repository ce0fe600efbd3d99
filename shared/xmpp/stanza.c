#include "xmpp/stanza.h"

#include "base/log.h"

static const char *const kind_names[] = {
    [STANZA_MESSAGE] = "message",
    [STANZA_PRESENCE] = "presence",
    [STANZA_IQ] = "iq",
};

const char *stanza_kind_name(enum stanza_kind kind)
{
    BUG_ON((unsigned)kind >= ARRAY_SIZE(kind_names));
    return kind_names[kind];
}

enum stanza_kind stanza_kind_of(struct slice name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (slice_is(name, kind_names[i]))
            return (enum stanza_kind)i;
    }
    return STANZA_OTHER;
}
