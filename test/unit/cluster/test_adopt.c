/* Inboxes of frontends that are gone: who drains them, when, and how they
 * end.  The bus is in memory. */
#include "cluster/adopt.h"

#include "base/clock.h"
#include "cluster/daemon.h"
#include "fake_bus.h"
#include "outputs.h"
#include "unit.h"

enum { GRACE_MS = 5000, PARTITIONS = 4 };

#define ORPHAN "frontend.1-aaaa"

static struct daemon *daemon;
static struct daemon_spec spec = {.kind = "delivery",
                                  .service = SERVICE_DELIVERY};
static struct adopt *adopt;
static struct bus *bus;
static uint64_t now_ms;
static unsigned found;

static void announce(const char *node, const char *kind)
{
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = 7;
    event.sequence = 1;
    event.node = slice_of(node);
    event.service = slice_of(kind);
    event.state = SLICE("up");
    event.partitions = PARTITIONS;
    members_heard(daemon_members(daemon), &event);
}

static void on_found(void *owner, struct slice node)
{
    (void)owner;
    (void)node;
    found++;
}

static void another_delivery(void)
{
    static unsigned number;
    char node[32];

    snprintf(node, sizeof(node), "delivery.2-%04u", ++number);
    announce(node, "delivery");
}

static void begin(void)
{
    static char arguments[][16] = {
        "test", "--domain",    "x",    "--partitions", "4", "--grace-seconds",
        "5",    "--log-level", "error"};
    static char *argv[ARRAY_SIZE(arguments) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        argv[i] = arguments[i];
    daemon = daemon_start(&spec, NULL, ARRAY_SIZE(arguments), argv);
    bus = daemon_bus(daemon);
    found = 0;
    adopt = adopt_create(daemon, on_found, NULL);
    announce(daemon_node(daemon), "delivery");
    now_ms = clock_now_ms();
}

static void end(void)
{
    fake_bus_confirm(bus);
    adopt_destroy(&adopt);
    daemon_stop(&daemon);
}

static void tick(uint64_t later_ms)
{
    now_ms += later_ms;
    adopt_tick(adopt, now_ms);
}

/* The last event put out of that type, in `body`; its number of them. */
static size_t find(enum event_type type, struct event *found_out,
                   struct buffer *body)
{
    struct output_item item = {0};
    size_t count = 0;

    for (size_t i = 0; i < fake_bus_count(bus); i++) {
        struct event event;

        item.event = fake_bus_published(bus, i)->event;
        event = outputs_decode(&item, body);
        if (event.type != type)
            continue;
        *found_out = event;
        count++;
    }
    return count;
}

static size_t put_out(enum event_type type)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;
    size_t count = find(type, &event, &body);

    buffer_deinit(&body);
    return count;
}

/* The archive answers that the orphan's inbox is in the register. */
static void answer_register(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer names = BUFFER_EMPTY;
    struct slice name = SLICE(ORPHAN);
    struct event answer;
    struct event ask;

    CU_ASSERT_NOT_EQUAL_FATAL(find(EVENT_INBOX_LIST_ASK, &ask, &body), 0);
    event_init(&answer, EVENT_INBOX_LIST);
    answer.request = ask.request;
    event_list_write(&names, &name, 1);
    answer.names = buffer_slice(&names);
    adopt_heard(adopt, &answer);
    buffer_deinit(&names);
    buffer_deinit(&body);
}

static struct bus_subscription *inbox(void)
{
    return fake_bus_subscription(bus, "frontend." ORPHAN);
}

static void deliver_message(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.origin = 9;
    event.sequence = 1;
    event.kind = STANZA_MESSAGE;
    event.is_durable = true;
    event.to = SLICE("bob@x");
    event.payload = SLICE("<body/>");
    event_batch_header(&body, 1);
    event_encode(&body, &event);
    fake_bus_deliver(inbox(), buffer_slice(&body), false);
    buffer_deinit(&body);
}

static void begin_draining(void)
{
    begin();
    tick(0);
    answer_register();
    tick(GRACE_MS + 1000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inbox());
}

/* Every partition of the archive keeps a part of it. */
static void the_register_is_read(void)
{
    begin();
    tick(0);
    CU_ASSERT_EQUAL(put_out(EVENT_INBOX_LIST_ASK), PARTITIONS);
    tick(9000);
    CU_ASSERT_EQUAL(put_out(EVENT_INBOX_LIST_ASK), PARTITIONS);
    tick(1000);
    CU_ASSERT_EQUAL(put_out(EVENT_INBOX_LIST_ASK), 2 * PARTITIONS);
    end();
}

/* Who takes a partition over must know of them. */
static void what_is_found_is_told(void)
{
    size_t position = 0;
    struct slice node;

    begin();
    tick(0);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        CU_ASSERT_FALSE(adopt_is_informed(adopt));
        answer_register();
    }
    CU_ASSERT_TRUE(adopt_is_informed(adopt));
    CU_ASSERT_EQUAL(found, 1);
    CU_ASSERT_TRUE(adopt_next(adopt, &position, &node));
    CU_ASSERT_TRUE(slice_is(node, ORPHAN));
    CU_ASSERT_FALSE(adopt_next(adopt, &position, &node));
    end();
}

/* The register names it again if whose it is has not drained it. */
static void what_is_anothers_is_forgotten(void)
{
    size_t position = 0;
    struct slice node;

    begin();
    while (members_first(daemon_members(daemon), SERVICE_DELIVERY,
                         partition_of(SLICE(ORPHAN), PARTITIONS))
               ->is_self)
        another_delivery();
    tick(0);
    answer_register();
    tick(59000);
    CU_ASSERT_TRUE(adopt_next(adopt, &position, &node));
    CU_ASSERT_PTR_NULL(inbox());
    tick(2000);
    position = 0;
    CU_ASSERT_FALSE(adopt_next(adopt, &position, &node));
    answer_register();
    CU_ASSERT_EQUAL(found, 2);
    end();
}

static void not_before_the_grace_time(void)
{
    begin();
    tick(0);
    answer_register();
    tick(GRACE_MS - 1000);
    CU_ASSERT_PTR_NULL(inbox());
    tick(2000);
    CU_ASSERT_PTR_NOT_NULL(inbox());
    end();
}

static void not_of_one_that_lives(void)
{
    begin();
    tick(0);
    announce(ORPHAN, "frontend");
    answer_register();
    tick(GRACE_MS + 1000);
    CU_ASSERT_PTR_NULL(inbox());
    end();
}

static void heard_of_in_time(void)
{
    begin();
    tick(0);
    answer_register();
    announce(ORPHAN, "frontend");
    tick(GRACE_MS + 1000);
    tick(1000);
    CU_ASSERT_PTR_NULL(inbox());
    end();
}

static void heard_of_while_draining(void)
{
    begin_draining();
    announce(ORPHAN, "frontend");
    tick(1000);
    CU_ASSERT_TRUE_FATAL(fake_bus_is_leaving(inbox()));
    fake_bus_close(inbox());
    tick(1000);
    CU_ASSERT_PTR_NULL(fake_bus_deleted(bus));
    CU_ASSERT_EQUAL(put_out(EVENT_INBOX_STRIKE), 0);
    end();
}

static void acknowledged_when_confirmed(void)
{
    begin_draining();
    deliver_message();
    fake_bus_turn(bus);
    CU_ASSERT_EQUAL(put_out(EVENT_STANZA_ROUTE), 1);
    CU_ASSERT_EQUAL(fake_bus_acked(inbox()), 0);
    fake_bus_confirm(bus);
    CU_ASSERT_EQUAL(fake_bus_acked(inbox()), 1);
    end();
}

/* Deleted and struck only when everything is given back. */
static void struck_when_it_is_empty(void)
{
    begin_draining();
    deliver_message();
    fake_bus_turn(bus);
    tick(2000);
    CU_ASSERT_PTR_NULL(fake_bus_inspecting(bus));
    fake_bus_confirm(bus);
    tick(2000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake_bus_inspecting(bus));
    fake_bus_inspected(bus, true, 1, 1); /* one more is there */
    CU_ASSERT_FALSE(fake_bus_is_leaving(inbox()));
    tick(2000);
    fake_bus_inspected(bus, true, 0, 2); /* its frontend lives */
    CU_ASSERT_FALSE(fake_bus_is_leaving(inbox()));
    tick(2000);
    fake_bus_inspected(bus, true, 0, 1);
    CU_ASSERT_TRUE_FATAL(fake_bus_is_leaving(inbox()));
    fake_bus_close(inbox());
    CU_ASSERT_STRING_EQUAL(fake_bus_deleted(bus), "frontend." ORPHAN);
    CU_ASSERT_EQUAL(put_out(EVENT_INBOX_STRIKE), 1);
    end();
}

static const struct unit_case cases[] = {
    {"the register is read", the_register_is_read},
    {"what is found is told", what_is_found_is_told},
    {"what is another's is forgotten", what_is_anothers_is_forgotten},
    {"not before the grace time", not_before_the_grace_time},
    {"not of one that lives", not_of_one_that_lives},
    {"heard of in time", heard_of_in_time},
    {"heard of while draining", heard_of_while_draining},
    {"acknowledged when confirmed", acknowledged_when_confirmed},
    {"struck when it is empty", struck_when_it_is_empty},
};

int main(void)
{
    return unit_run("adopt", cases, ARRAY_SIZE(cases));
}
