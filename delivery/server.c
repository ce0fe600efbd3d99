#include "server.h"

#include "base/memory.h"
#include "cluster/reply.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

/* XEP-0030; what the four services, which are fixed, offer together. */
static const char *const features[] = {
    NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_ROSTER, "msgoffline",
};

static const char *const account_features[] = {NS_DISCO_INFO, NS_DISCO_ITEMS,
                                               NS_PING};

static void write_features(struct buffer *out, const char *const *names,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, "<feature");
        xml_write_attribute(out, "var", slice_of(names[i]));
        buffer_append_text(out, "/>");
    }
}

static void write_server_info(struct buffer *out)
{
    buffer_append_text(out, "<query xmlns='" NS_DISCO_INFO "'>"
                            "<identity category='server' type='im' "
                            "name='Ocean'/>");
    write_features(out, features, ARRAY_SIZE(features));
    buffer_append_text(out, "</query>");
}

static void write_account_info(struct buffer *out)
{
    buffer_append_text(out, "<query xmlns='" NS_DISCO_INFO "'>"
                            "<identity category='account' "
                            "type='registered'/>");
    write_features(out, account_features, ARRAY_SIZE(account_features));
    buffer_append_text(out, "</query>");
}

static void write_no_items(struct buffer *out)
{
    buffer_append_text(out, "<query xmlns='" NS_DISCO_ITEMS "'/>");
}

static void write_nothing(struct buffer *out)
{
    (void)out;
}

struct query {
    const char *ns;
    const char *child;
    void (*write_for_server)(struct buffer *out);
    void (*write_for_account)(struct buffer *out);
    bool has_nodes; /* XEP-0030 3.2: an unknown node is item-not-found */
};

static const struct query queries[] = {
    {NS_DISCO_INFO, "query", write_server_info, write_account_info, true},
    {NS_DISCO_ITEMS, "query", write_no_items, write_no_items, true},
    {NS_PING, "ping", write_nothing, write_nothing, false},
};

static const struct query *find_query(const struct event *stanza)
{
    if (stanza->kind != STANZA_IQ || !slice_is(stanza->subtype, "get"))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        if (slice_is(stanza->ns, queries[i].ns) &&
            slice_is(stanza->child, queries[i].child))
            return &queries[i];
    }
    return NULL;
}

static bool asks_for_node(const struct event *stanza)
{
    struct arena arena;
    struct xml_element *root;
    bool asks;

    arena_init(&arena);
    root = xml_parse(&arena, stanza->payload, stanza->extra);
    asks = root && root->children &&
           slice_is_set(xml_attribute(root->children, "node"));
    arena_deinit(&arena);
    return asks;
}

static void answer(const struct event *stanza, const struct query *query,
                   void (*write)(struct buffer *out), struct output *output)
{
    struct buffer payload = BUFFER_EMPTY;

    if (query->has_nodes && asks_for_node(stanza)) {
        reply_error(stanza, "item-not-found", output);
        return;
    }
    write(&payload);
    reply_result(stanza, payload.size ? buffer_slice(&payload) : SLICE(""),
                 output);
    buffer_deinit(&payload);
}

void server_answer(const struct event *stanza, struct output *output)
{
    const struct query *query = find_query(stanza);

    if (query)
        answer(stanza, query, query->write_for_server, output);
    else if (!slice_is(stanza->subtype, "headline"))
        reply_error(stanza, "service-unavailable", output);
}

/*
 * Only to the account itself: to others any answer would tell whether the
 * account exists (RFC 6121 8.5.1, 8.5.2.1.3).
 */
void server_answer_for_account(const struct event *stanza,
                               struct output *output)
{
    const struct query *query = find_query(stanza);

    if (query && slice_equal(jid_text_bare(stanza->from), stanza->to))
        answer(stanza, query, query->write_for_account, output);
    else
        reply_error(stanza, "service-unavailable", output);
}
