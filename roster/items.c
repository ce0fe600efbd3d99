#include "base/clock.h"
#include "roster.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/xml.h"

enum { NAME_MAX = 1023, GROUPS_MAX = 50 };

/* get */

static void write_listed(void *argument, const struct store_item *item)
{
    if (item->is_listed)
        push_write_item(argument, item, NULL);
}

/* From now on this session gets pushes: delivery hears of it through the queue
 * that every later push takes (RFC 6121 2.2). */
static void note_interest(const struct event *request, struct output *output)
{
    struct event event;

    event_follow(&event, EVENT_SESSION_INTERESTED, request);
    event.from = request->from;
    event.session = request->session;
    event.node = request->node;
    output_to_user(output, SERVICE_DELIVERY, request->from, &event);
}

static void get_roster(struct roster *roster, const struct event *request,
                       struct slice user, struct output *output)
{
    struct buffer payload = BUFFER_EMPTY;

    note_interest(request, output);
    buffer_append_text(&payload, "<query xmlns='" NS_ROSTER "'>");
    store_each_item(roster->store, &roster->arena, user, write_listed,
                    &payload);
    buffer_append_text(&payload, "</query>");
    answer_result(request, buffer_slice(&payload), output);
    buffer_deinit(&payload);
}

/* set */

/* What a client wants an item to be. */
struct wish {
    struct jid jid;
    struct slice name;
    struct slice groups; /* encoded list */
    bool is_removal;
};

/* RFC 6121 2.3.3: the same group twice: bad-request; an empty or a too long
 * one: not-acceptable. */
static const char *check_groups(const struct slice *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (groups[i].size == 0 || groups[i].size > NAME_MAX)
            return "not-acceptable";
        for (size_t j = 0; j < i; j++) {
            if (slice_equal(groups[i], groups[j]))
                return "bad-request";
        }
    }
    return NULL;
}

static const char *read_groups(struct roster *roster,
                               const struct xml_element *item,
                               struct wish *wish)
{
    struct slice groups[GROUPS_MAX];
    struct buffer encoded = BUFFER_EMPTY;
    size_t count = 0;
    const char *problem;

    for (const struct xml_element *child = item->children; child;
         child = child->next) {
        if (!slice_is(child->name, "group"))
            continue;
        if (count == GROUPS_MAX)
            return "not-acceptable";
        groups[count++] = child->text;
    }
    problem = check_groups(groups, count);
    if (problem || !count)
        return problem;
    event_list_write(&encoded, groups, count);
    wish->groups = arena_copy(&roster->arena, buffer_slice(&encoded));
    buffer_deinit(&encoded);
    return NULL;
}

/* NULL, or the error's condition. */
static const char *read_wish(struct roster *roster, const struct event *request,
                             struct wish *wish)
{
    const struct xml_element *root =
        xml_parse(&roster->arena,
                  slice_is_set(request->payload) ? request->payload : SLICE(""),
                  request->extra);
    const struct xml_element *query =
        root ? xml_child(root, "query", NS_ROSTER) : NULL;
    const struct xml_element *item = query ? query->children : NULL;
    const char *error;

    if (!item || item->next || !slice_is(item->name, "item"))
        return "bad-request";
    if (!jid_parse(xml_attribute(item, "jid"), &wish->jid, &error))
        return "bad-request";
    wish->is_removal = slice_is(xml_attribute(item, "subscription"), "remove");
    wish->name = xml_attribute(item, "name");
    if (wish->name.size > NAME_MAX)
        return "not-acceptable";
    return read_groups(roster, item, wish);
}

static const char *remove_item(struct roster *roster,
                               const struct event *request, struct slice user,
                               const struct wish *wish, struct output *output)
{
    struct store_item item;
    struct slice jid = jid_full(&wish->jid);

    if (!store_find_item(roster->store, &roster->arena, user, jid, &item) ||
        !item.is_listed)
        return "item-not-found";
    store_remove_item(roster->store, user, jid);
    requests_cancel(request, user, &item, output);
    item.name = SLICE_NONE;
    item.groups = SLICE_NONE;
    push_item(request, user, &item, "remove", output);
    push_contact(request, user, jid, "remove", output);
    return NULL;
}

bool items_are_full(struct roster *roster, struct slice user)
{
    return store_count_items(roster->store, user, true) >=
           roster->config->max_items;
}

static const char *set_item(struct roster *roster, const struct event *request,
                            struct slice user, const struct wish *wish,
                            struct output *output)
{
    struct store_item item;

    store_find_item(roster->store, &roster->arena, user, jid_full(&wish->jid),
                    &item);
    if (!item.is_listed && items_are_full(roster, user))
        return "not-acceptable";
    item.name = wish->name;
    item.groups = wish->groups;
    item.is_listed = true;
    store_set_item(roster->store, user, &item);
    push_item(request, user, &item, NULL, output);
    return NULL;
}

static void set_roster(struct roster *roster, const struct event *request,
                       struct slice user, struct output *output)
{
    struct wish *wish = arena_alloc(&roster->arena, sizeof(*wish));
    const char *problem;

    memset(wish, 0, sizeof(*wish));
    problem = read_wish(roster, request, wish);
    if (!problem && slice_equal(jid_bare(&wish->jid), user))
        problem = "not-allowed";
    if (!problem)
        problem = wish->is_removal
                      ? remove_item(roster, request, user, wish, output)
                      : set_item(roster, request, user, wish, output);
    if (problem)
        answer_error(request, problem, output);
    else
        answer_result(request, SLICE_NONE, output);
}

/* RFC 6121 2.1.4: a session may outlive its account for a moment. */
static void handle_roster(struct roster *roster, const struct event *request,
                          struct slice user, struct output *output)
{
    bool is_set = slice_is(request->subtype, "set");

    if (is_set)
        roster_fence(roster, output);
    if (!store_has_account(roster->store, user))
        answer_error(request, "item-not-found", output);
    else if (is_set)
        set_roster(roster, request, user, output);
    else
        get_roster(roster, request, user, output);
}

enum handled on_iq_request(void *state, const struct event *event,
                           struct output *output, const char **reason_out)
{
    struct roster *roster = state;
    struct slice user = jid_text_bare(event->from);

    (void)reason_out;
    if (event->deadline && clock_unix_ms() > event->deadline) {
        answer_error(event, "remote-server-timeout", output);
        return HANDLED;
    }
    if (slice_is_set(event->to) && !slice_equal(event->to, user)) {
        answer_error(event, "forbidden", output);
        return HANDLED;
    }
    if (!slice_is(event->child, "query") || !slice_is(event->ns, NS_ROSTER)) {
        answer_error(event, "bad-request", output);
        return HANDLED;
    }
    handle_roster(roster, event, user, output);
    return HANDLED;
}
