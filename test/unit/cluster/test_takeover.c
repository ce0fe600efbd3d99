/* A new owner of a partition: the epochs of former ones, and snapshots. */
#include "working.h"

#include "base/clock.h"
#include "catch.h"

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

/* Opening. */

/* Opening is due now and fails; true: the log says why. */
static bool is_logged_on_opening(void)
{
    struct catch catch;
    struct buffer log = BUFFER_EMPTY;
    bool is_logged;

    partition->retry_at_ms = 0;
    catch_begin(&catch);
    partition_tick(partition, clock_now_ms());
    pump();
    catch_end(&catch, &log);
    is_logged = log.size && strstr(log.data, open_error.reason);
    buffer_deinit(&log);
    return is_logged;
}

/* And said again only if it is for another reason. */
static void what_cannot_be_opened_is_tried_again_every_second(void)
{
    begin(&stored);
    open_error.reason = "no room";
    say("t");
    CU_ASSERT_TRUE(is_told("open"));
    partition_tick(partition, clock_now_ms());
    CU_ASSERT_TRUE(is_told("")); /* not yet */
    CU_ASSERT_FALSE(is_logged_on_opening());
    open_error.reason = "locked";
    CU_ASSERT_TRUE(is_logged_on_opening());
    CU_ASSERT_FALSE(is_logged_on_opening());
    CU_ASSERT_TRUE(is_told("open open open"));
    CU_ASSERT_EQUAL(partition->state, PARTITION_TAKING);
    open_error.reason = NULL;
    partition->retry_at_ms = 0;
    partition_tick(partition, clock_now_ms());
    CU_ASSERT_TRUE(is_told("open begin t commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
    end();
}

/* Its events go back to the queue, and this instance never asks for them. */
static void what_is_of_a_newer_version_is_left_to_others(void)
{
    begin(&stored);
    open_error =
        (struct store_error){.reason = "version 9, not 8", .is_newer = true};
    say("t");
    CU_ASSERT_TRUE(is_told("open"));
    CU_ASSERT_TRUE(partition->is_declined);
    CU_ASSERT_TRUE_FATAL(fake_bus_is_leaving(queue));
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    fake_bus_close(queue);
    CU_ASSERT_EQUAL(partition->state, PARTITION_ABSENT);
    partition_subscribe(partition);
    CU_ASSERT_EQUAL(partition->state, PARTITION_ABSENT);
    partition->retry_at_ms = 0;
    partition_tick(partition, clock_now_ms());
    CU_ASSERT_TRUE(is_told(""));
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

/* Who has reported is known, and told by node_gone. */
static void only_who_never_reported_is_an_orphan(void)
{
    begin(&plain);
    announce_frontend("frontend.1-aaaa");
    takeover_orphan(partition, SLICE("frontend.2-bbbb"));
    say("1");
    CU_ASSERT_TRUE(is_told("open"));
    report(EVENT_SNAPSHOT_END, asked(), 0);
    CU_ASSERT_TRUE(is_told("1"));
    takeover_orphan(partition, SLICE("frontend.1-aaaa"));
    CU_ASSERT_TRUE(is_told(""));
    takeover_orphan(partition, SLICE("frontend.2-bbbb"));
    CU_ASSERT_TRUE(is_told("orphan:frontend.2-bbbb"));
    end();
}

static const struct unit_case cases[] = {
    {"former owners are dropped", former_owners_are_dropped},
    {"a new owner begins anew", a_new_owner_begins_anew},
    {"epochs of two runs", epochs_of_two_runs},
    {"what cannot be opened is tried again every second",
     what_cannot_be_opened_is_tried_again_every_second},
    {"what is of a newer version is left to others",
     what_is_of_a_newer_version_is_left_to_others},
    {"nothing before the snapshot", nothing_before_the_snapshot},
    {"a higher epoch is reported", a_higher_epoch_is_reported},
    {"only who never reported is an orphan",
     only_who_never_reported_is_an_orphan},
};

int main(void)
{
    return unit_run("takeover", cases, ARRAY_SIZE(cases));
}
