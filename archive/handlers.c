#include "archive.h"

#include "base/log.h"
#include "base/memory.h"
#include "cluster/reply.h"

/* Every handler begins here, and once per transaction it is meant: only the
 * owner of the latest epoch writes. */
static void fence(struct archive *archive, const struct output *output)
{
    if (archive->is_fenced)
        return;
    store_fence(archive->store, output->epoch);
    store_purge(archive->store);
    archive->is_fenced = true;
}

/* Accounts. */

static enum handled on_account_changed(void *state, const struct event *event,
                                       struct output *output,
                                       const char **reason_out)
{
    struct archive *archive = state;

    (void)reason_out;
    fence(archive, output);
    if (slice_is(event->subtype, "deleted"))
        store_remove_account(archive->store, event->to);
    else
        store_add_account(archive->store, event->to);
    return HANDLED;
}

/* Storing. */

/* RFC 6121 8.5.2.2: the sender of a message that cannot be kept is told. */
static void keep(struct archive *archive, const struct event *event,
                 struct output *output)
{
    uint64_t limit = archive->config->max_offline;

    if (limit && !event->session &&
        store_count(archive->store, event->to) >= limit)
        reply_error(event, "service-unavailable", output);
    else if (slice_is(event->condition, "returned"))
        store_put_back(archive->store, event);
    else
        store_put(archive->store, event);
}

/* The acknowledgement may have overtaken it, from another frontend. */
static void take_custody(struct archive *archive, const struct event *event)
{
    if (!store_has_dropped(archive->store, event))
        store_take_custody(archive->store, event);
}

static enum handled on_archive_store(void *state, const struct event *event,
                                     struct output *output,
                                     const char **reason_out)
{
    struct archive *archive = state;

    (void)reason_out;
    fence(archive, output);
    if (!store_has_account(archive->store, event->to)) {
        reply_error(event, "service-unavailable", output);
        return HANDLED;
    }
    if (event->mark)
        store_set_mark(archive->store, event->to, event->mark);
    if (slice_is(event->condition, "custody"))
        take_custody(archive, event);
    else if (!store_knows(archive->store, event))
        keep(archive, event, output);
    else if (slice_is(event->condition, "returned"))
        store_spare(archive->store, event);
    return HANDLED;
}

/* Taken into custody, and acknowledged by its client after all. */
static enum handled on_archive_drop(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    struct archive *archive = state;

    (void)reason_out;
    fence(archive, output);
    store_drop(archive->store, event);
    return HANDLED;
}

/* Replaying. */

struct page {
    const struct event *replay;
    struct output *output;
    uint64_t last_row;
};

static void replay_row(void *argument, uint64_t row, struct slice raw)
{
    struct page *page = argument;
    struct event stored;
    struct event deliver;
    const char *error;

    page->last_row = row;
    if (!event_decode(raw, &stored, &error)) {
        log_error("stored message %lu cannot be read and is dropped: %s",
                  (unsigned long)row, error);
        return;
    }
    event_copy_as(&deliver, EVENT_STANZA_DELIVER, &stored);
    deliver.session = page->replay->session;
    deliver.mark = 0;
    deliver.condition = SLICE_NONE;
    output_to_inbox(page->output, page->replay->node, &deliver);
}

/* "Replayed" follows the page's messages behind a barrier: delivery hears of
 * it when the broker has confirmed them all. */
static enum handled on_archive_replay(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    struct archive *archive = state;
    struct page page = {.replay = event, .output = output};
    struct event answer;

    (void)reason_out;
    fence(archive, output);
    store_delete_until(archive->store, event->to, event->session, event->count,
                       event->newest ? event->newest : INT64_MAX);
    if (!event->node.size) /* there is nobody to send a page to */
        return HANDLED;
    event_follow(&answer, EVENT_ARCHIVE_REPLAYED, event);
    answer.has_more = store_each(archive->store, event->to, event->session,
                                 archive->config->page, replay_row, &page);
    answer.to = event->to;
    answer.from = event->from;
    answer.session = event->session;
    answer.node = event->node;
    answer.request = event->request;
    answer.count = page.last_row;
    answer.newest = store_newest(archive->store);
    answer.mark = store_mark(archive->store, event->to);
    output_barrier(output);
    output_to_user(output, SERVICE_DELIVERY, event->to, &answer);
    return HANDLED;
}

static enum handled on_archive_pending_ask(void *state,
                                           const struct event *event,
                                           struct output *output,
                                           const char **reason_out)
{
    struct archive *archive = state;
    struct buffer names = BUFFER_EMPTY;
    struct slice found[EVENT_NAMES_MAX];
    size_t count = 0;
    struct event_list asked;
    struct event answer;

    (void)reason_out;
    fence(archive, output);
    event_list_open(&asked, event->names);
    while (count < EVENT_NAMES_MAX && event_list_next(&asked, &found[count]))
        count += store_has_messages(archive->store, found[count]);
    event_list_write(&names, found, count);
    event_follow(&answer, EVENT_ARCHIVE_PENDING, event);
    answer.request = event->request;
    answer.partition = event->partition;
    answer.names = buffer_slice(&names);
    output_to_node(output, event->node, &answer);
    buffer_deinit(&names);
    return HANDLED;
}

/* Inboxes. */

static enum handled on_inbox_register(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    struct archive *archive = state;

    (void)reason_out;
    fence(archive, output);
    store_add_inbox(archive->store, event->node);
    return HANDLED;
}

static enum handled on_inbox_strike(void *state, const struct event *event,
                                    struct output *output,
                                    const char **reason_out)
{
    struct archive *archive = state;

    (void)reason_out;
    fence(archive, output);
    store_remove_inbox(archive->store, event->node);
    return HANDLED;
}

struct inbox_list {
    const struct event *ask;
    struct output *output;
    struct arena arena;
    struct slice names[EVENT_NAMES_MAX];
    size_t count;
};

static void send_names(struct inbox_list *list, bool has_more)
{
    struct buffer names = BUFFER_EMPTY;
    struct event answer;

    event_list_write(&names, list->names, list->count);
    event_follow(&answer, EVENT_INBOX_LIST, list->ask);
    answer.request = list->ask->request;
    answer.partition = list->ask->partition;
    answer.names = buffer_slice(&names);
    answer.has_more = has_more;
    output_to_node(list->output, list->ask->node, &answer);
    buffer_deinit(&names);
    list->count = 0;
}

static void take_inbox(void *argument, struct slice node)
{
    struct inbox_list *list = argument;

    if (list->count == EVENT_NAMES_MAX)
        send_names(list, true);
    list->names[list->count++] = arena_copy(&list->arena, node);
}

static enum handled on_inbox_list_ask(void *state, const struct event *event,
                                      struct output *output,
                                      const char **reason_out)
{
    struct archive *archive = state;
    struct inbox_list list = {.ask = event, .output = output};

    (void)reason_out;
    arena_init(&list.arena);
    store_each_inbox(archive->store, take_inbox, &list);
    send_names(&list, false);
    arena_deinit(&list.arena);
    return HANDLED;
}

const struct service_handler archive_handlers[] = {
    {EVENT_ACCOUNT_CHANGED, on_account_changed},
    {EVENT_ARCHIVE_STORE, on_archive_store},
    {EVENT_ARCHIVE_DROP, on_archive_drop},
    {EVENT_ARCHIVE_REPLAY, on_archive_replay},
    {EVENT_ARCHIVE_PENDING_ASK, on_archive_pending_ask},
    {EVENT_INBOX_REGISTER, on_inbox_register},
    {EVENT_INBOX_STRIKE, on_inbox_strike},
    {EVENT_INBOX_LIST_ASK, on_inbox_list_ask},
};

const size_t archive_handler_count = ARRAY_SIZE(archive_handlers);
