#include "sasl.h"
#include "stream.h"
#include "xmpp/namespaces.h"

/* RFC 6120 5.3.1 */
static void write_starttls(struct buffer *out, bool is_required)
{
    buffer_append_text(out, is_required ? "<starttls xmlns='" NS_TLS
                                          "'><required/></starttls>"
                                        : "<starttls xmlns='" NS_TLS "'/>");
}

/* RFC 6120 7.3.1, and RFC 3921 3 for clients of that time. */
static void write_bind(struct buffer *out)
{
    buffer_append_text(out,
                       "<bind xmlns='" NS_BIND "'/><session xmlns='" NS_SESSION
                       "'><optional/></session><sm xmlns='" NS_SM "'/>");
}

void features_write(struct connection *connection)
{
    struct frontend *frontend = connection->frontend;
    struct buffer *out = connection_output(connection);
    bool may_start_tls = frontend->tls && !connection->tls;
    bool must_start_tls = may_start_tls && frontend->config.tls == TLS_REQUIRED;

    buffer_append_text(out, "<stream:features>");
    if (connection->user) {
        write_bind(out);
    } else {
        if (may_start_tls)
            write_starttls(out, must_start_tls);
        if (!must_start_tls)
            sasl_write_mechanisms(out, sasl_may_plain(connection));
    }
    buffer_append_text(out, "</stream:features>");
}
