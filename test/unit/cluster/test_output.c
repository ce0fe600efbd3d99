#include "cluster/output.h"

#include "base/memory.h"
#include "outputs.h"
#include "xmpp/jid.h"

#define BOB "bob@x/pc"

static struct output output;
static uint64_t sequence;

static void open_output(enum service_id service, unsigned partition)
{
    output_init(&output);
    sequence = 100;
    output.partitions = 8;
    output.service = service;
    output.partition = partition;
    output.epoch = 5;
    output.boot = 77;
    output.sequence = &sequence;
}

static struct event message(void)
{
    struct event event;

    event_init(&event, EVENT_STANZA_ROUTE);
    event.kind = STANZA_MESSAGE;
    event.to = SLICE(BOB);
    return event;
}

/* The event of the item put out last, which is dropped. */
static struct event take(void)
{
    static struct buffer body;
    struct event event;

    CU_ASSERT_EQUAL_FATAL(output.count, 1);
    event = outputs_decode(output.first, &body);
    output_clear(&output);
    return event;
}

/* Where. */

static void test_targets(void)
{
    struct event event = message();
    const struct output_item *item;
    unsigned partition = partition_of(SLICE("bob@x"), 8);

    open_output(SERVICE_NONE, 0);
    output_to_user(&output, SERVICE_ROSTER, SLICE(BOB), &event);
    output_to_user(&output, SERVICE_ROSTER, SLICE("bob@x"), &event);
    output_to_partition(&output, SERVICE_ARCHIVE, 6, &event);
    output_to_inbox(&output, SLICE("f1"), &event);
    output_to_node(&output, SLICE("n1"), &event);
    CU_ASSERT_EQUAL(output.count, 5);
    item = output.first;
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(item->target, OUTPUT_SERVICE);
        CU_ASSERT_EQUAL(item->service, SERVICE_ROSTER);
        CU_ASSERT_EQUAL(item->partition, partition);
        item = item->next;
    }
    CU_ASSERT_EQUAL(item->service, SERVICE_ARCHIVE);
    CU_ASSERT_EQUAL(item->partition, 6);
    item = item->next;
    CU_ASSERT_EQUAL(item->target, OUTPUT_INBOX);
    ASSERT_SLICE(item->node, "f1");
    item = item->next;
    CU_ASSERT_EQUAL(item->target, OUTPUT_NODE);
    ASSERT_SLICE(item->node, "n1");
    CU_ASSERT_PTR_NULL(item->next);
    output_deinit(&output);
}

static void test_durable(void)
{
    struct event event = message();

    open_output(SERVICE_NONE, 0);
    output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_FALSE(output.first->is_durable);
    output_clear(&output);
    event.is_durable = true;
    output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_TRUE(output.first->is_durable);
    output_clear(&output);
    event_init(&event, EVENT_SESSION_FENCE); /* by its type */
    event.to = SLICE(BOB);
    event.session = event.request = 1;
    output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_TRUE(output.first->is_durable);
    output_deinit(&output);
}

/* Nothing of the caller's is needed later. */
static void test_copied(void)
{
    struct event event = message();
    char node[] = "f1";
    char id[] = "i1";

    open_output(SERVICE_NONE, 0);
    event.id = slice_of(id);
    output_to_inbox(&output, slice_of(node), &event);
    memset(node, 'x', 2);
    memset(id, 'x', 2);
    ASSERT_SLICE(output.first->node, "f1");
    ASSERT_SLICE(take().id, "i1");
    output_deinit(&output);
}

/* Who. */

static void test_identity(void)
{
    struct event event = message();

    open_output(SERVICE_NONE, 0);
    output_to_inbox(&output, SLICE("f1"), &event);
    event = take();
    CU_ASSERT_EQUAL(event.origin, 77);
    CU_ASSERT_EQUAL(event.sequence, 101);
    event = message();
    output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_EQUAL(event.origin, 0); /* the caller's is left as it was */
    event = take();
    CU_ASSERT_EQUAL(event.sequence, 102);
    event.origin = 9;
    event.sequence = 4;
    output_to_inbox(&output, SLICE("f1"), &event);
    event = take();
    CU_ASSERT_EQUAL(event.origin, 9);
    CU_ASSERT_EQUAL(event.sequence, 4);
    CU_ASSERT_EQUAL(sequence, 102);
    output_deinit(&output);
}

/* The numbers that EVENTS.md gives as examples. */
static void test_path(void)
{
    static const struct {
        enum service_id service;
        unsigned partition;
        uint64_t before, after;
        const char *by;
    } rows[] = {
        {SERVICE_NONE, 0, 0, 0, NULL},
        {SERVICE_NONE, 0, 1244, 1244, NULL},
        {SERVICE_DELIVERY, 6, 0, 7, "delivery.06"},
        {SERVICE_ARCHIVE, 6, 7, 1244, "archive.06"},
        {SERVICE_DELIVERY, 0, 0, 1, "delivery.00"},
        {SERVICE_PRESENCE, 1, 1, 67 + 256 + 2, "presence.01"},
        {SERVICE_ROSTER, 63, 0, 512 + 64, "roster.63"},
        {SERVICE_DELIVERY, 0, UINT64_MAX, 1 - (uint64_t)67, "delivery.00"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = message();

        event.path = rows[i].before;
        open_output(rows[i].service, rows[i].partition);
        output_to_inbox(&output, SLICE("f1"), &event);
        event = take();
        CU_ASSERT_EQUAL(event.path, rows[i].after);
        ASSERT_SLICE(event.by, rows[i].by);
        CU_ASSERT_EQUAL(event.epoch, rows[i].by ? 5 : 0);
        output_deinit(&output);
    }
}

/* A former publisher's name is replaced. */
static void test_former_publisher(void)
{
    struct event event = message();

    open_output(SERVICE_DELIVERY, 3);
    event.by = SLICE("presence.05");
    event.epoch = 99;
    output_to_inbox(&output, SLICE("f1"), &event);
    event = take();
    ASSERT_SLICE(event.by, "delivery.03");
    CU_ASSERT_EQUAL(event.epoch, 5);
    output_deinit(&output);
}

/* When. */

static void test_barrier(void)
{
    struct event event = message();
    const struct output_item *item;

    open_output(SERVICE_ARCHIVE, 3);
    output_barrier(&output); /* nothing is before it */
    output_to_inbox(&output, SLICE("f1"), &event);
    output_to_inbox(&output, SLICE("f1"), &event);
    output_barrier(&output);
    output_to_inbox(&output, SLICE("f1"), &event);
    item = output.first;
    CU_ASSERT_EQUAL(item->phase, 0);
    item = item->next;
    CU_ASSERT_EQUAL(item->phase, 0);
    item = item->next;
    CU_ASSERT_EQUAL(item->phase, 1);
    output_clear(&output);
    CU_ASSERT_PTR_NULL(output.first);
    output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_EQUAL(output.first->phase, 0);
    CU_ASSERT_EQUAL(output.count, 1);
    output_deinit(&output);
}

/* Clearing keeps who we are. */
static void test_clear(void)
{
    struct event event = message();

    open_output(SERVICE_DELIVERY, 3);
    output_clear(&output);
    for (int i = 0; i < 1000; i++)
        output_to_inbox(&output, SLICE("f1"), &event);
    CU_ASSERT_EQUAL(output.count, 1000);
    output_clear(&output);
    CU_ASSERT_EQUAL(output.count, 0);
    output_to_inbox(&output, SLICE("f1"), &event);
    event = take();
    ASSERT_SLICE(event.by, "delivery.03");
    CU_ASSERT_EQUAL(event.sequence, 1101);
    output_deinit(&output);
    CU_ASSERT_PTR_NULL(output.first);
}

static const struct unit_case cases[] = {
    {"targets", test_targets}, {"durable", test_durable},
    {"copied", test_copied},   {"identity", test_identity},
    {"path", test_path},       {"former publisher", test_former_publisher},
    {"barrier", test_barrier}, {"clear", test_clear},
};

int main(void)
{
    return unit_run("output", cases, ARRAY_SIZE(cases));
}
