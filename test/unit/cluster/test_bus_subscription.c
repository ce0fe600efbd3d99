/* The loop's side of consuming, and what makes the bus connected. */
#include "bus_threads.h"

struct fixture {
    struct event_base *loop;
    struct bus *bus;
    struct bus_subscription *subscription;
    struct bus_message *messages[8];
    unsigned received;
    unsigned started;
    unsigned resets;
    unsigned closed;
    unsigned connected;
    unsigned disconnected;
    unsigned blocked;
};

static struct fixture fixture;

static void on_received(void *argument, struct bus_message *message)
{
    (void)argument;
    CU_ASSERT_FATAL(fixture.received < ARRAY_SIZE(fixture.messages));
    fixture.messages[fixture.received++] = message;
}

static void on_started(void *argument)
{
    (void)argument;
    fixture.started++;
}

static void on_reset(void *argument, const char *reason)
{
    (void)argument;
    CU_ASSERT_STRING_EQUAL(reason, "lost");
    fixture.resets++;
}

static void on_closed(void *argument)
{
    (void)argument;
    fixture.closed++;
}

static void on_connected(void *owner)
{
    (void)owner;
    fixture.connected++;
}

static void on_disconnected(void *owner, const char *reason)
{
    (void)owner;
    CU_ASSERT_STRING_EQUAL(reason, "lost");
    fixture.disconnected++;
}

static void on_blocked(void *owner, bool is_blocked)
{
    (void)owner;
    fixture.blocked = is_blocked ? fixture.blocked + 1 : 0;
}

static void drop_command(enum bus_command_kind kind)
{
    struct bus_command *command = commands;

    CU_ASSERT_PTR_NOT_NULL_FATAL(command);
    CU_ASSERT_EQUAL(command->kind, kind);
    commands = command->next;
    bus_command_free(&command);
}

static void begin(void)
{
    static const struct bus_hooks hooks = {
        .connected = on_connected,
        .disconnected = on_disconnected,
        .blocked = on_blocked,
    };
    static const struct bus_config config = {.name = "test"};
    static const struct bus_subscribe subscribe = {
        .queue = "test.00",
        .received = on_received,
        .started = on_started,
        .reset = on_reset,
        .closed = on_closed,
    };

    fixture = (struct fixture){.loop = event_base_new()};
    fixture.bus = bus_create(fixture.loop, &config, &hooks, NULL);
    fixture.subscription = bus_subscribe(fixture.bus, &subscribe);
    drop_command(BUS_COMMAND_SUBSCRIBE);
}

static void end(void)
{
    bus_destroy(&fixture.bus);
    event_base_free(fixture.loop);
}

static void up(struct bus_link *link)
{
    report_post(report_new(link, BUS_REPORT_UP));
}

static void down(struct bus_link *link)
{
    struct bus_report *report = report_new(link, BUS_REPORT_DOWN);

    report->text = memory_copy_text(SLICE("lost"));
    report_post(report);
}

static void start(unsigned generation)
{
    struct bus_report *report = report_new(&consumer_link, BUS_REPORT_STARTED);

    report->subscription = fixture.subscription;
    report->generation = generation;
    report_post(report);
}

static void reset(bool is_refused)
{
    struct bus_report *report = report_new(&consumer_link, BUS_REPORT_RESET);

    report->subscription = fixture.subscription;
    report->flag = is_refused;
    report->text = memory_copy_text(SLICE("lost"));
    report_post(report);
}

static void deliver(uint64_t tag, unsigned generation)
{
    struct bus_report *report = report_new(&consumer_link, BUS_REPORT_MESSAGES);
    struct bus_held *held = memory_new(sizeof(*held));

    held->subscription = fixture.subscription;
    held->generation = generation;
    held->body = memory_copy_text(SLICE("body"));
    held->message.body = slice_of(held->body);
    held->message.tag = tag;
    report->messages = held;
    report_post(report);
}

static void connected_when_all_is_back(void)
{
    begin();
    up(&publisher_link);
    up(&consumer_link);
    CU_ASSERT_FALSE(bus_is_connected(fixture.bus));
    start(1);
    CU_ASSERT_TRUE(bus_is_connected(fixture.bus));
    CU_ASSERT_EQUAL(fixture.connected, 1);
    down(&consumer_link);
    CU_ASSERT_FALSE(bus_is_connected(fixture.bus));
    down(&publisher_link);
    CU_ASSERT_EQUAL(fixture.disconnected, 1);
    up(&consumer_link);
    start(2);
    CU_ASSERT_FALSE(bus_is_connected(fixture.bus));
    up(&publisher_link);
    CU_ASSERT_EQUAL(fixture.connected, 2);
    end();
}

static void a_refused_queue_does_not_hold_up(void)
{
    begin();
    up(&publisher_link);
    up(&consumer_link);
    reset(true);
    CU_ASSERT_EQUAL(fixture.resets, 1);
    CU_ASSERT_TRUE(bus_is_connected(fixture.bus));
    end();
}

static void blocked_ends_with_the_connection(void)
{
    struct bus_report *report;

    begin();
    up(&publisher_link);
    report = report_new(&publisher_link, BUS_REPORT_BLOCKED);
    report->flag = true;
    report->text = memory_copy_text(SLICE("low on memory"));
    report_post(report);
    CU_ASSERT_EQUAL(fixture.blocked, 1);
    CU_ASSERT_TRUE(bus_is_blocked(fixture.bus));
    down(&publisher_link);
    CU_ASSERT_EQUAL(fixture.blocked, 0);
    CU_ASSERT_FALSE(bus_is_blocked(fixture.bus));
    end();
}

static void acks_of_a_turn_go_together(void)
{
    begin();
    start(1);
    for (uint64_t tag = 1; tag <= 5; tag++)
        deliver(tag, 1);
    CU_ASSERT_EQUAL_FATAL(fixture.received, 5);
    ASSERT_SLICE(fixture.messages[4]->body, "body");
    bus_ack(fixture.subscription, fixture.messages[4]);
    bus_ack(fixture.subscription, fixture.messages[1]);
    bus_ack(fixture.subscription, fixture.messages[0]);
    CU_ASSERT_PTR_NULL(commands);
    loop_turn(fixture.bus);
    CU_ASSERT_PTR_NOT_NULL_FATAL(commands);
    CU_ASSERT_EQUAL(commands->generation, 1);
    CU_ASSERT_EQUAL_FATAL(commands->count, 2);
    CU_ASSERT_EQUAL(commands->ranges[0].tag, 2);
    CU_ASSERT_TRUE(commands->ranges[0].is_multiple);
    CU_ASSERT_EQUAL(commands->ranges[1].tag, 5);
    CU_ASSERT_FALSE(commands->ranges[1].is_multiple);
    drop_command(BUS_COMMAND_ACK);
    CU_ASSERT_PTR_NULL(commands);
    end();
}

static void a_reset_voids_what_is_held(void)
{
    begin();
    start(1);
    deliver(1, 1);
    deliver(2, 1);
    bus_ack(fixture.subscription, fixture.messages[0]);
    reset(false);
    CU_ASSERT_EQUAL(fixture.resets, 1);
    drop_command(BUS_COMMAND_ACK); /* of the turn before the reset */
    CU_ASSERT_FALSE(slice_is_set(fixture.messages[1]->body));
    start(2);
    deliver(1, 2);
    bus_ack(fixture.subscription, fixture.messages[1]); /* ignored */
    loop_turn(fixture.bus);
    CU_ASSERT_PTR_NULL(commands);
    bus_ack(fixture.subscription, fixture.messages[2]);
    loop_turn(fixture.bus);
    CU_ASSERT_PTR_NOT_NULL_FATAL(commands);
    CU_ASSERT_EQUAL(commands->generation, 2);
    CU_ASSERT_EQUAL(commands->ranges[0].tag, 1);
    end();
}

static void nothing_comes_after_unsubscribing(void)
{
    struct bus_subscription *leaving;
    struct bus_report *report;

    begin();
    start(1);
    deliver(1, 1);
    deliver(2, 1);
    bus_ack(fixture.subscription, fixture.messages[0]);
    leaving = fixture.subscription;
    bus_unsubscribe(&leaving);
    CU_ASSERT_PTR_NULL(leaving);
    drop_command(BUS_COMMAND_ACK); /* before the channel is closed */
    drop_command(BUS_COMMAND_UNSUBSCRIBE);
    deliver(3, 1);
    reset(false);
    CU_ASSERT_EQUAL(fixture.received, 2);
    CU_ASSERT_EQUAL(fixture.resets, 0);
    report = report_new(&consumer_link, BUS_REPORT_CLOSED);
    report->subscription = fixture.subscription;
    report_post(report);
    CU_ASSERT_EQUAL(fixture.closed, 1);
    CU_ASSERT_PTR_NULL(fixture.bus->subscriptions);
    end();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"connected when all is back", connected_when_all_is_back},
        {"a refused queue does not hold up", a_refused_queue_does_not_hold_up},
        {"blocked ends with the connection", blocked_ends_with_the_connection},
        {"acks of a turn go together", acks_of_a_turn_go_together},
        {"a reset voids what is held", a_reset_voids_what_is_held},
        {"nothing comes after unsubscribing",
         nothing_comes_after_unsubscribing},
    };

    return unit_run("bus subscription", cases, ARRAY_SIZE(cases));
}
