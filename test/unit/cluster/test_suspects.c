/* Notes of crashes: read from the queue, left there, and what they say. */
#include "cluster/suspects.h"

#include "cluster/event.h"
#include "cluster/last_words.h"
#include "fake_bus.h"
#include "unit.h"

static struct bus *bus;
static struct suspects *suspects;
static unsigned readings;

static void on_read(void *owner)
{
    (void)owner;
    readings++;
}

static void begin(void)
{
    static const struct bus_config config;
    static const struct bus_hooks hooks;

    bus = bus_create(NULL, &config, &hooks, NULL);
    suspects =
        suspects_create(bus, SERVICE_ROSTER, "roster.1-abcd", on_read, NULL);
    readings = 0;
}

static void end(void)
{
    suspects_destroy(&suspects);
    fake_bus_confirm(bus);
    bus_destroy(&bus);
}

static struct bus_subscription *queue(void)
{
    return fake_bus_subscription(bus, "roster.crashed");
}

static void deliver(const struct event *event)
{
    struct buffer body = BUFFER_EMPTY;

    event_batch_header(&body, 1);
    event_encode(&body, event);
    fake_bus_deliver(queue(), buffer_slice(&body), false);
    buffer_deinit(&body);
}

static void deliver_note(const char *message, size_t place)
{
    char digest[CRASH_TEXT_BYTES];
    struct slice name = slice_of(last_words_digest(slice_of(message), digest));
    struct buffer names = BUFFER_EMPTY;
    struct event note;

    event_list_write(&names, &name, 1);
    event_init(&note, EVENT_CRASH_NOTE);
    note.node = SLICE("roster.2-ffff");
    note.names = buffer_slice(&names);
    note.count = place;
    deliver(&note);
    buffer_deinit(&names);
}

static void deliver_probe(const char *node, uint64_t request)
{
    struct event probe;

    event_init(&probe, EVENT_PARTITION_PROBE);
    probe.node = slice_of(node);
    probe.request = request;
    deliver(&probe);
}

static void notes_are_read_and_left(void)
{
    uint64_t reading;

    begin();
    CU_ASSERT_TRUE(suspects_are_read(suspects, 0));
    reading = suspects_ask(suspects);
    CU_ASSERT_FALSE(suspects_are_read(suspects, reading));
    fake_bus_start(queue());
    CU_ASSERT_EQUAL(fake_bus_count(bus), 1); /* the probe */
    deliver_note("a batch", 0);
    deliver_note("a message", 2);
    deliver_note("a message", 2);
    deliver_probe("roster.2-ffff", reading); /* of another reader */
    CU_ASSERT_EQUAL(fake_bus_held(queue()), 3);
    CU_ASSERT_EQUAL(readings, 0);
    deliver_probe("roster.1-abcd", reading);
    CU_ASSERT_EQUAL(readings, 1);
    CU_ASSERT_TRUE(suspects_are_read(suspects, reading));
    CU_ASSERT_TRUE(fake_bus_is_leaving(queue()));
    CU_ASSERT_EQUAL(fake_bus_acked(queue()), 2);

    CU_ASSERT_TRUE(suspects_has(suspects, SLICE("a batch")));
    CU_ASSERT_EQUAL(suspects_crashes(suspects, SLICE("a batch"), 1), 0);
    CU_ASSERT_EQUAL(suspects_crashes(suspects, SLICE("a message"), 1), 0);
    CU_ASSERT_EQUAL(suspects_crashes(suspects, SLICE("a message"), 2), 2);
    CU_ASSERT_EQUAL(suspects_crashes(suspects, SLICE("a message"), 3), 0);
    CU_ASSERT_FALSE(suspects_has(suspects, SLICE("another")));
    end();
}

/* What was there when it was asked for may not be in a reading before. */
static void asked_again_it_is_read_again(void)
{
    uint64_t first, second;

    begin();
    first = suspects_ask(suspects);
    second = suspects_ask(suspects);
    CU_ASSERT_NOT_EQUAL(first, second);
    CU_ASSERT_EQUAL(suspects_ask(suspects), second);
    fake_bus_start(queue());
    deliver_note("a message", 1);
    deliver_probe("roster.1-abcd", first);
    CU_ASSERT_FALSE(suspects_are_read(suspects, second));
    fake_bus_close(queue());
    CU_ASSERT_PTR_NOT_NULL_FATAL(queue());
    fake_bus_start(queue());
    deliver_probe("roster.1-abcd", first); /* a late one */
    CU_ASSERT_FALSE(suspects_are_read(suspects, second));
    deliver_probe("roster.1-abcd", second);
    CU_ASSERT_TRUE(suspects_are_read(suspects, second));
    CU_ASSERT_FALSE(suspects_has(suspects, SLICE("a message"))); /* its age */
    fake_bus_close(queue());
    CU_ASSERT_PTR_NULL(queue());
    end();
}

static void a_lost_channel_begins_again(void)
{
    uint64_t reading;

    begin();
    reading = suspects_ask(suspects);
    fake_bus_start(queue());
    deliver_note("a message", 1);
    fake_bus_reset(queue(), "connection lost");
    CU_ASSERT_FALSE(suspects_are_read(suspects, reading));
    fake_bus_start(queue());
    deliver_note("a message", 1);
    deliver_probe("roster.1-abcd", reading);
    CU_ASSERT_EQUAL(suspects_crashes(suspects, SLICE("a message"), 1), 1);
    end();
}

static void no_such_queue_means_no_suspects(void)
{
    uint64_t reading;

    begin();
    reading = suspects_ask(suspects);
    fake_bus_reset(queue(), "404 NOT_FOUND - no queue");
    CU_ASSERT_TRUE(suspects_are_read(suspects, reading));
    CU_ASSERT_EQUAL(readings, 1);
    CU_ASSERT_TRUE(fake_bus_is_leaving(queue()));
    end();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"notes are read and left", notes_are_read_and_left},
        {"asked again it is read again", asked_again_it_is_read_again},
        {"a lost channel begins again", a_lost_channel_begins_again},
        {"no such queue means no suspects", no_such_queue_means_no_suspects},
    };

    return unit_run("suspects", cases, ARRAY_SIZE(cases));
}
