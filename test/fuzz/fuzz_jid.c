#include "xmpp/jid.h"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* A prepared JID is a JID, and the same one. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct jid jid, again;
    const char *error;

    if (!jid_parse((struct slice){(const char *)data, size}, &jid, &error))
        return 0;
    BUG_ON(!jid_parse(jid_full(&jid), &again, &error));
    BUG_ON(!slice_equal(jid_full(&jid), jid_full(&again)));
    BUG_ON(!slice_equal(jid_bare(&jid), jid_text_bare(jid_full(&again))));
    return 0;
}
