#include "xmpp/stanza.h"

#include "base/log.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

void stanza_write(struct buffer *out, const struct stanza_head *head,
                  struct slice payload)
{
    const char *name = stanza_kind_name(head->kind);

    buffer_append_byte(out, '<');
    buffer_append_text(out, name);
    xml_write_attribute(out, "from", head->from);
    xml_write_attribute(out, "to", head->to);
    xml_write_attribute(out, "type", head->type);
    xml_write_attribute(out, "id", head->id);
    xml_write_attribute(out, "xml:lang", head->lang);
    buffer_append(out, head->extra);
    if (payload.size == 0) {
        buffer_append(out, SLICE("/>"));
        return;
    }
    buffer_append_byte(out, '>');
    buffer_append(out, payload);
    buffer_append(out, SLICE("</"));
    buffer_append_text(out, name);
    buffer_append_byte(out, '>');
}

/* RFC 6120 8.3.3; where it allows several types, the first it names. */
static const struct {
    const char *condition, *type;
} errors[] = {
    {"bad-request", "modify"},
    {"conflict", "cancel"},
    {"feature-not-implemented", "cancel"},
    {"forbidden", "auth"},
    {"gone", "cancel"},
    {"internal-server-error", "cancel"},
    {"item-not-found", "cancel"},
    {"jid-malformed", "modify"},
    {"not-acceptable", "modify"},
    {"not-allowed", "cancel"},
    {"not-authorized", "auth"},
    {"policy-violation", "modify"},
    {"recipient-unavailable", "wait"},
    {"redirect", "modify"},
    {"registration-required", "auth"},
    {"remote-server-not-found", "cancel"},
    {"remote-server-timeout", "wait"},
    {"resource-constraint", "wait"},
    {"service-unavailable", "cancel"},
    {"subscription-required", "auth"},
    {"undefined-condition", "cancel"},
    {"unexpected-request", "wait"},
};

void stanza_write_error(struct buffer *out, const char *condition)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(errors) &&
           strcmp(errors[i].condition, condition) != 0)
        i++;
    BUG_ON(i == ARRAY_SIZE(errors));
    buffer_appendf(
        out, "<error type='%s'><%s xmlns='" NS_STANZA_ERRORS "'/></error>",
        errors[i].type, condition);
}
