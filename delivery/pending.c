#include "pending.h"

#include "session_copy.h"

static void send_ask(struct delivery *delivery, struct slice node,
                     const struct slice *names, size_t count,
                     struct output *output)
{
    struct buffer list = BUFFER_EMPTY;
    struct event event;

    event_list_write(&list, names, count);
    event_init(&event, EVENT_ARCHIVE_PENDING_ASK);
    event.node = node;
    event.partition = delivery->partition;
    event.request = delivery->request;
    event.names = buffer_slice(&list);
    output_to_partition(output, SERVICE_ARCHIVE, delivery->partition, &event);
    buffer_deinit(&list);
}

/* Several hundred names per question, in the order of the list of replays:
 * the answers come in that order. */
static void ask_for_all(struct delivery *delivery, struct slice node,
                        struct output *output)
{
    struct slice names[EVENT_NAMES_MAX];
    size_t count = 0;
    struct replay *replay;

    delivery->pending_first = ++delivery->request;
    TAILQ_FOREACH (replay, &delivery->replay_wanted, link) {
        replay->request = delivery->request;
        names[count++] = replay->user->bare;
        if (count < EVENT_NAMES_MAX)
            continue;
        send_ask(delivery, node, names, count, output);
        delivery->request++;
        count = 0;
    }
    if (count)
        send_ask(delivery, node, names, count, output);
    delivery->pending_last = count ? delivery->request : delivery->request - 1;
}

bool pending_ask(void *state, struct slice node, struct output *output)
{
    struct delivery *delivery = state;

    if (!delivery->pending_first)
        ask_for_all(delivery, node, output);
    return delivery->pending_first > delivery->pending_last;
}

static void postpone(struct delivery *delivery, struct slice name,
                     uint64_t request)
{
    struct user *user = user_find(delivery, name);

    if (!user || user->replay.state != REPLAY_WANTED ||
        user->replay.request != request)
        return;
    user->replay.request = 0;
    replay_postpone(delivery, user);
}

void pending_answered(void *state, const struct event *answer)
{
    struct delivery *delivery = state;
    struct event_list names;
    struct slice name;
    struct replay *replay;

    if (answer->request != delivery->pending_first)
        return;
    event_list_open(&names, answer->names);
    while (event_list_next(&names, &name))
        postpone(delivery, name, answer->request);
    while ((replay = TAILQ_FIRST(&delivery->replay_wanted)) &&
           replay->request == answer->request)
        replay_stop(delivery, replay->user);
    delivery->pending_first++;
}
