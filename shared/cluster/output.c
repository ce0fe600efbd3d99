#include "cluster/output.h"

#include "base/log.h"
#include "xmpp/jid.h"

/* Publishers of a path's hops are told apart by this factor (mod 2^64). */
enum { PATH_FACTOR = 67, PATH_SERVICE = 256 };

/* Of most events without their payload. */
enum { ENVELOPE_BYTES = 400 };

void output_init(struct output *output)
{
    memset(output, 0, sizeof(*output));
    arena_init(&output->arena);
    output->last = &output->first;
}

void output_clear(struct output *output)
{
    arena_reset(&output->arena);
    output->first = NULL;
    output->last = &output->first;
    output->count = 0;
    output->phase = 0;
}

void output_deinit(struct output *output)
{
    output_clear(output);
    arena_deinit(&output->arena);
}

void output_barrier(struct output *output)
{
    if (output->count)
        output->phase++;
}

static uint64_t path_extend(const struct output *output, uint64_t path)
{
    return path * PATH_FACTOR + (unsigned)output->service * PATH_SERVICE +
           output->partition + 1;
}

static struct slice encode(struct output *output, const struct event *event)
{
    struct buffer encoded = BUFFER_EMPTY;
    struct event stamped = *event;
    struct slice copy;
    char by[NAME_MAX_BYTES];

    if (!stamped.origin) {
        stamped.origin = output->boot;
        stamped.sequence = ++*output->sequence;
    }
    if (output->service != SERVICE_NONE) {
        stamped.path = path_extend(output, stamped.path);
        stamped.by =
            slice_of(partition_queue(output->service, output->partition, by));
        stamped.epoch = output->epoch;
    }
    buffer_reserve(&encoded, ENVELOPE_BYTES + event->payload.size);
    event_encode(&encoded, &stamped);
    copy = arena_copy(&output->arena, buffer_slice(&encoded));
    buffer_deinit(&encoded);
    return copy;
}

static struct output_item *item_add(struct output *output,
                                    enum output_target target,
                                    const struct event *event)
{
    struct output_item *item = arena_alloc(&output->arena, sizeof(*item));

    memset(item, 0, sizeof(*item));
    item->target = target;
    item->phase = output->phase;
    item->is_durable = event_needs_durable(event);
    item->event = encode(output, event);
    *output->last = item;
    output->last = &item->next;
    output->count++;
    return item;
}

void output_to_partition(struct output *output, enum service_id service,
                         unsigned partition, const struct event *event)
{
    struct output_item *item = item_add(output, OUTPUT_SERVICE, event);

    item->service = service;
    item->partition = partition;
}

void output_to_user(struct output *output, enum service_id service,
                    struct slice user, const struct event *event)
{
    output_to_partition(output, service,
                        partition_of(jid_text_bare(user), output->partitions),
                        event);
}

static void to_node(struct output *output, enum output_target target,
                    struct slice node, const struct event *event)
{
    struct output_item *item = item_add(output, target, event);

    item->node = arena_copy(&output->arena, node);
}

void output_to_inbox(struct output *output, struct slice node,
                     const struct event *event)
{
    to_node(output, OUTPUT_INBOX, node, event);
}

void output_to_node(struct output *output, struct slice node,
                    const struct event *event)
{
    to_node(output, OUTPUT_NODE, node, event);
}
