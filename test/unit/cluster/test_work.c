/* Batches of a partition: when they are handled, published, committed and
 * acknowledged.  One partition of a service whose bus is in memory. */
#include "base/memory.h"
#include "cluster/service_private.h"
#include "fake_bus.h"
#include "outputs.h"
#include "unit.h"

#include <event2/event.h>

#include <poll.h>

static struct service service;
static struct partition *partition;
static struct daemon_spec daemon_spec;
static struct bus *bus;
static struct bus_subscription *queue;
static struct buffer story; /* what the service was called for */
static bool has_room;       /* the store takes what it is given */

/* The service: its events say what it puts out, one character each: a message,
 * b(a)rrier, s(t)ate changed, (r)ejected. */

static void tell(const char *text)
{
    buffer_appendf(&story, "%s%s", story.size ? " " : "", text);
}

static void put_message(struct output *output)
{
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.kind = STANZA_MESSAGE;
    event.is_durable = true;
    event.to = SLICE("bob@x/pc");
    output_to_inbox(output, SLICE("f1"), &event);
}

static bool has_changed;

static enum handled on_event(void *state, const struct event *event,
                             struct output *output, const char **reason_out)
{
    char text[64];

    (void)state;
    snprintf(text, sizeof(text), "%.*s", SLICE_FORMAT(event->payload));
    tell(text);
    for (size_t i = 0; i < event->payload.size; i++) {
        char what = event->payload.data[i];

        if (what == 'm')
            put_message(output);
        else if (what == '|')
            output_barrier(output);
        else if (what == 't')
            has_changed = true;
        else if (what == 'r')
            *reason_out = "bad";
    }
    return strchr(text, 'r') ? REJECT : HANDLED;
}

static void *open_state(const void *config, const char *domain, unsigned number,
                        const char **error_out)
{
    (void)config;
    (void)domain;
    (void)number;
    (void)error_out;
    tell("open");
    return &service;
}

static void close_state(void *state)
{
    (void)state;
}

static bool begin_batch(void *state)
{
    (void)state;
    has_changed = false;
    tell("begin");
    return true;
}

static bool rollback(void *state, bool *has_changed_out)
{
    (void)state;
    *has_changed_out = has_changed;
    tell("rollback");
    return true;
}

static bool commit(void *state)
{
    (void)state;
    tell(has_room ? "commit" : "refuse");
    return has_room;
}

static void snapshot_session(void *state, const struct event *session,
                             struct output *output)
{
    (void)state;
    (void)session;
    (void)output;
    tell("session");
}

static const struct service_handler handlers[] = {
    {EVENT_STANZA_ROUTE, on_event},
};

static const struct service_spec plain = {
    .service = SERVICE_DELIVERY,
    .handlers = handlers,
    .handler_count = ARRAY_SIZE(handlers),
    .open = open_state,
    .close = close_state,
    .snapshot_session = snapshot_session,
};

static const struct service_spec stored = {
    .service = SERVICE_ROSTER,
    .handlers = handlers,
    .handler_count = ARRAY_SIZE(handlers),
    .open = open_state,
    .close = close_state,
    .begin = begin_batch,
    .rollback = rollback,
    .commit = commit,
};

/* The loop, and the store's thread. */

static void pump(void)
{
    event_base_loop(daemon_loop(service.daemon), EVLOOP_NONBLOCK);
    while (service.store && worker_pending(service.store)) {
        poll(NULL, 0, 1);
        event_base_loop(daemon_loop(service.daemon), EVLOOP_NONBLOCK);
    }
}

/* True: since the last call this has happened, and nothing else. */
static bool is_told(const char *expected)
{
    bool is_equal;

    pump();
    is_equal = slice_is(buffer_slice(&story), expected);
    if (!is_equal)
        printf("\n    expected: %s\n    actual:   %.*s\n", expected,
               (int)story.size, story.data);
    buffer_clear(&story);
    return is_equal;
}

/* Life. */

static void begin(const struct service_spec *spec)
{
    static char arguments[][16] = {
        "test", "--domain", "x", "--partitions", "4", "--log-level", "error"};
    static char *argv[ARRAY_SIZE(arguments) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
        argv[i] = arguments[i];
    memset(&service, 0, sizeof(service));
    daemon_spec = (struct daemon_spec){.kind = service_name(spec->service),
                                       .service = spec->service};
    service.spec = spec;
    service.daemon =
        daemon_start(&daemon_spec, &service, ARRAY_SIZE(arguments), argv);
    bus = daemon_bus(service.daemon);
    service.handlers[EVENT_STANZA_ROUTE] = on_event;
    service.prefetch = 10;
    service.partition_count = 4;
    service.suspects = suspects_create(bus, spec->service,
                                       daemon_node(service.daemon), NULL, NULL);
    if (spec->begin)
        service.store = worker_pool_create(daemon_loop(service.daemon), 1, 0);
    partition = &service.partitions[1];
    partition_init(partition, &service, 1);
    partition_subscribe(partition);
    queue = fake_bus_subscription(bus, partition->queue);
    has_room = true;
    buffer_clear(&story);
}

static void end(void)
{
    fake_bus_confirm(bus);
    pump();
    partition_deinit(partition);
    pump();
    suspects_destroy(&service.suspects);
    worker_pool_destroy(&service.store, NULL);
    partition_free_epochs(partition);
    work_free_spare(&service);
    daemon_stop(&service.daemon);
    buffer_deinit(&story);
}

/* Events in. */

struct sent {
    const char *what;
    const char *by; /* NULL: nobody's output */
    uint64_t epoch;
};

static void deliver(struct sent sent)
{
    static uint64_t sequence;
    struct buffer body = BUFFER_EMPTY;
    struct event event;

    event_init(&event, EVENT_STANZA_ROUTE);
    event.origin = 9;
    event.sequence = ++sequence;
    event.to = SLICE("bob@x");
    event.payload = slice_of(sent.what);
    event.by = slice_of(sent.by);
    event.epoch = sent.epoch;
    event_batch_header(&body, 1);
    event_encode(&body, &event);
    fake_bus_deliver(queue, buffer_slice(&body), false);
    buffer_deinit(&body);
}

static void say(const char *what)
{
    deliver((struct sent){what, NULL, 0});
}

/* Messages put out so far. */
static size_t put_out(void)
{
    size_t count = 0;

    pump();
    for (size_t i = 0; i < fake_bus_count(bus); i++)
        count +=
            !strcmp(fake_bus_published(bus, i)->exchange, EXCHANGE_FRONTEND);
    return count;
}

/* Confirms all that is put out; what has put out nothing is done, too. */
static void confirm(void)
{
    fake_bus_confirm(bus);
    pump();
    fake_bus_turn(bus);
}

/* What is acknowledged when. */

static void acknowledged_when_confirmed(void)
{
    begin(&plain);
    say("mm");
    CU_ASSERT_TRUE(is_told("open mm"));
    CU_ASSERT_EQUAL_FATAL(fake_bus_count(bus), 2);
    fake_bus_turn(bus);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    fake_bus_confirm_one(bus, 0);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    fake_bus_confirm_one(bus, 1);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

static void each_by_its_own_output(void)
{
    begin(&plain);
    say("m");
    say("m");
    CU_ASSERT_EQUAL_FATAL(put_out(), 2);
    fake_bus_confirm_one(bus, 1);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    CU_ASSERT_EQUAL(fake_bus_held(queue), 1);
    fake_bus_confirm_one(bus, 0);
    CU_ASSERT_EQUAL(fake_bus_held(queue), 0);
    end();
}

static void behind_a_barrier(void)
{
    begin(&plain);
    say("mm|m");
    CU_ASSERT_EQUAL(put_out(), 2);
    fake_bus_confirm_one(bus, 0);
    CU_ASSERT_EQUAL(put_out(), 2);
    fake_bus_confirm_one(bus, 1);
    CU_ASSERT_EQUAL(put_out(), 3);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

static void rejected_when_the_dead_letter_is_confirmed(void)
{
    begin(&plain);
    say("r");
    pump();
    CU_ASSERT_EQUAL_FATAL(fake_bus_count(bus), 1);
    CU_ASSERT_STRING_EQUAL(fake_bus_published(bus, 0)->reason, "bad");
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

/* What was lost meanwhile is another's. */
static void confirmed_too_late(void)
{
    begin(&plain);
    say("m");
    pump();
    fake_bus_reset(queue, "gone");
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    say("m");
    CU_ASSERT_TRUE(is_told("open m open m"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

static void left_when_all_is_done(void)
{
    begin(&plain);
    say("m");
    CU_ASSERT_TRUE(is_told("open m"));
    partition_leave(partition, false);
    CU_ASSERT_FALSE_FATAL(fake_bus_is_leaving(queue));
    CU_ASSERT_EQUAL(partition->state, PARTITION_LEAVING);
    say("m"); /* the next owner's */
    CU_ASSERT_TRUE(is_told(""));
    fake_bus_confirm_one(bus, 0);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    CU_ASSERT_TRUE(fake_bus_is_leaving(queue));
    fake_bus_close(queue);
    CU_ASSERT_EQUAL(partition->state, PARTITION_ABSENT);
    end();
}

/* With a store. */

static void committed_when_confirmed(void)
{
    begin(&stored);
    say("tm");
    CU_ASSERT_TRUE(is_told("open begin tm rollback"));
    CU_ASSERT_EQUAL(put_out(), 1);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    confirm();
    CU_ASSERT_TRUE(is_told("begin tm commit"));
    CU_ASSERT_EQUAL(put_out(), 1);
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

static void once_is_enough(void)
{
    begin(&stored);
    say("t");
    CU_ASSERT_TRUE(is_told("open begin t commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    say("m");
    CU_ASSERT_TRUE(is_told("begin m rollback"));
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    confirm();
    CU_ASSERT_TRUE(is_told(""));
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 2);
    end();
}

static void nothing_newer_before_the_commit(void)
{
    begin(&stored);
    say("tm");
    CU_ASSERT_TRUE(is_told("open begin tm rollback"));
    say("t");
    CU_ASSERT_TRUE(is_told(""));
    confirm();
    CU_ASSERT_TRUE(is_told("begin tm commit begin t commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 2);
    end();
}

static void refused_by_the_store(void)
{
    begin(&stored);
    has_room = false;
    say("t");
    CU_ASSERT_TRUE(is_told("open begin t refuse"));
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    has_room = true;
    partition->retry_at_ms = 0;
    partition_advance(partition);
    CU_ASSERT_TRUE(is_told("begin t commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

/* Epochs. */

static void former_owners_are_dropped(void)
{
    static const struct {
        struct sent sent;
        const char *told;
    } rows[] = {
        {{"1", "archive.03", 5}, "open 1"},
        {{"2", "archive.03", 5}, "2"},
        {{"3", "archive.03", 4}, ""},
        {{"4", "archive.02", 4}, "4"}, /* another partition */
        {{"5", "archive.03", 6}, "5"},
        {{"6", "archive.03", 5}, ""},
        {{"7", NULL, 0}, "7"}, /* of no partition */
    };

    begin(&plain);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        deliver(rows[i].sent);
        CU_ASSERT_TRUE(is_told(rows[i].told));
    }
    confirm();
    CU_ASSERT_EQUAL(fake_bus_held(queue), 0);
    end();
}

/* The broker gives out again what was published before. */
static void a_new_owner_begins_anew(void)
{
    begin(&plain);
    deliver((struct sent){"1", "archive.03", 5});
    CU_ASSERT_TRUE(is_told("open 1"));
    fake_bus_reset(queue, "gone");
    deliver((struct sent){"2", "archive.03", 4});
    CU_ASSERT_TRUE(is_told("open 2"));
    end();
}

/* A second run comes to the same verdicts. */
static void epochs_of_two_runs(void)
{
    begin(&stored);
    deliver((struct sent){"tm", "archive.03", 5});
    CU_ASSERT_TRUE(is_told("open begin tm rollback"));
    deliver((struct sent){"t", "archive.03", 4});
    confirm();
    CU_ASSERT_TRUE(is_told("begin tm commit begin commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 2);
    end();
}

/* Snapshots. */

static void announce_frontend(const char *node)
{
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = 7;
    event.sequence = 1;
    event.node = slice_of(node);
    event.service = SLICE("frontend");
    event.state = SLICE("up");
    event.partitions = 4;
    members_heard(daemon_members(service.daemon), &event);
}

static void report(enum event_type type, uint64_t request, uint64_t mark)
{
    struct event event;

    event_init(&event, type);
    event.node = SLICE("frontend.1-aaaa");
    event.partition = 1;
    event.request = request;
    event.mark = mark;
    takeover_heard(&service, &event);
}

/* The request of the question for a snapshot put out last, 0: none. */
static uint64_t asked(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct output_item item = {0};
    uint64_t request = 0;

    for (size_t i = 0; i < fake_bus_count(bus); i++) {
        struct event event;

        item.event = fake_bus_published(bus, i)->event;
        event = outputs_decode(&item, &body);
        if (event.type == EVENT_SNAPSHOT_ASK)
            request = event.request;
    }
    buffer_deinit(&body);
    return request;
}

static void nothing_before_the_snapshot(void)
{
    uint64_t request;

    begin(&plain);
    announce_frontend("frontend.1-aaaa");
    say("1");
    CU_ASSERT_TRUE(is_told("open"));
    request = asked();
    CU_ASSERT_NOT_EQUAL(request, 0);
    report(EVENT_SNAPSHOT_SESSION, request, 0);
    CU_ASSERT_TRUE(is_told("session"));
    report(EVENT_SNAPSHOT_END, request, 0);
    CU_ASSERT_TRUE(is_told("1"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

/* A frontend has seen output of a former owner whose clock was ahead. */
static void a_higher_epoch_is_reported(void)
{
    uint64_t ahead;

    begin(&plain);
    announce_frontend("frontend.1-aaaa");
    say("m");
    CU_ASSERT_TRUE(is_told("open"));
    ahead = partition->epoch + 1000;
    report(EVENT_SNAPSHOT_END, asked(), ahead);
    CU_ASSERT_TRUE(is_told("open"));
    CU_ASSERT_EQUAL(partition->epoch, ahead + 1);
    report(EVENT_SNAPSHOT_END, asked(), ahead);
    CU_ASSERT_TRUE(is_told("m"));
    end();
}

static const struct unit_case cases[] = {
    {"acknowledged when confirmed", acknowledged_when_confirmed},
    {"each by its own output", each_by_its_own_output},
    {"behind a barrier", behind_a_barrier},
    {"rejected", rejected_when_the_dead_letter_is_confirmed},
    {"confirmed too late", confirmed_too_late},
    {"left when all is done", left_when_all_is_done},
    {"committed when confirmed", committed_when_confirmed},
    {"once is enough", once_is_enough},
    {"nothing newer before the commit", nothing_newer_before_the_commit},
    {"refused by the store", refused_by_the_store},
    {"former owners are dropped", former_owners_are_dropped},
    {"a new owner begins anew", a_new_owner_begins_anew},
    {"epochs of two runs", epochs_of_two_runs},
    {"nothing before the snapshot", nothing_before_the_snapshot},
    {"a higher epoch is reported", a_higher_epoch_is_reported},
};

int main(void)
{
    return unit_run("work", cases, ARRAY_SIZE(cases));
}
