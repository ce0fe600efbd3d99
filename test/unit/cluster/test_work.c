/* Batches of a partition: when they are handled, published, committed and
 * acknowledged. */
#include "working.h"

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

/* Dead letters so far; the last one's reason is as expected. */
static size_t dead_letters(const char *reason)
{
    size_t count = 0;

    pump();
    for (size_t i = 0; i < fake_bus_count(bus); i++) {
        const char *found = fake_bus_published(bus, i)->reason;

        if (!found)
            continue;
        count++;
        CU_ASSERT_STRING_EQUAL(found, reason);
    }
    return count;
}

/* The batch goes one by one, and only the one that cannot be stored is dead. */
static void event_refused_by_the_store(void)
{
    begin(&stored);
    say("tm");
    CU_ASSERT_TRUE(is_told("open begin tm rollback"));
    say("t"); /* until that is committed these wait, and are one batch then */
    say("xt");
    say("tt");
    confirm();
    CU_ASSERT_TRUE(is_told("begin tm commit begin t xt tt refuse "
                           "begin t commit begin xt refuse begin rollback"));
    CU_ASSERT_EQUAL(dead_letters("constraint"), 1);
    confirm();
    CU_ASSERT_TRUE(is_told("begin tt commit"));
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 4);
    CU_ASSERT_EQUAL(dead_letters("constraint"), 1);
    end();
}

/* The store thread ends what it was given; nothing follows from that. */
static void stopped_with_work_under_way(void)
{
    begin(&stored);
    say("t");
    CU_ASSERT_TRUE(is_told("open begin t commit"));
    confirm();
    say("xt");
    stop();
    ASSERT_SLICE(buffer_slice(&story), "begin xt refuse");
    buffer_deinit(&story);
}

/* Of a newer major version: nothing of it is handled or acknowledged. */
static void events_of_a_newer_version(void)
{
    begin(&stored);
    fake_bus_deliver(queue, SLICE("\x93\x02\x00\x80"), false);
    CU_ASSERT_TRUE(is_told("open begin rollback"));
    CU_ASSERT_TRUE(partition->is_declined);
    CU_ASSERT_TRUE_FATAL(fake_bus_is_leaving(queue));
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 0);
    fake_bus_close(queue);
    partition_subscribe(partition);
    CU_ASSERT_EQUAL(partition->state, PARTITION_ABSENT);
    end();
}

/* What it would have put out is not. */
static void output_of_a_refused_event(void)
{
    begin(&stored);
    say("txm");
    CU_ASSERT_TRUE(is_told("open begin txm rollback begin txm rollback "
                           "begin rollback"));
    CU_ASSERT_EQUAL(put_out(), 0);
    CU_ASSERT_EQUAL(dead_letters("constraint"), 1);
    confirm();
    CU_ASSERT_EQUAL(fake_bus_acked(queue), 1);
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
    {"an event refused by the store", event_refused_by_the_store},
    {"output of a refused event", output_of_a_refused_event},
    {"stopped with work under way", stopped_with_work_under_way},
    {"events of a newer version", events_of_a_newer_version},
};

int main(void)
{
    return unit_run("work", cases, ARRAY_SIZE(cases));
}
