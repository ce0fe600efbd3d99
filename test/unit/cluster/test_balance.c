/* When an owner hands its partition to who is to have it. */
#include "working.h"

#include "base/clock.h"

#define OTHER_SHARES "ss"

static char other[NAME_MAX_BYTES]; /* who is to have partition 1 */

static void announce(const char *node, const char *shares)
{
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.origin = 7;
    event.node = slice_of(node);
    event.service = SLICE("delivery");
    event.state = SLICE("up");
    event.shares = slice_of(shares);
    members_heard(daemon_members(service.daemon), &event);
}

static void leave(const char *node)
{
    struct event event;

    event_init(&event, EVENT_MEMBER_ANNOUNCE);
    event.node = slice_of(node);
    event.state = SLICE("leaving");
    members_heard(daemon_members(service.daemon), &event);
}

static bool is_to_have_it(const char *node)
{
    struct member_share shares[PARTITIONS_MAX];

    members_share(daemon_members(service.daemon), SERVICE_DELIVERY,
                  service.partition_count, shares);
    return !strcmp(shares[1].owner->node, node);
}

/* There are two partitions and two instances, which share them. */
static void announce_other(void)
{
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(other, sizeof(other), "delivery.2-%05x", i);
        announce(other, OTHER_SHARES);
        if (is_to_have_it(other))
            return;
        leave(other);
    }
    CU_FAIL_FATAL("nobody is to have it");
}

static void begin_owning(void)
{
    begin(&plain);
    service.partition_count = 2;
    partition_init(&service.partitions[0], &service, 0);
    service.is_up = true;
    announce(daemon_node(service.daemon), "-o");
    say("1");
    CU_ASSERT_TRUE(is_told("open 1"));
    confirm();
    CU_ASSERT_EQUAL(partition->state, PARTITION_OWNED);
    service.calm_since_ms =
        clock_now_ms() - daemon_common(service.daemon)->calm_ms;
}

static void end_owning(void)
{
    partition_deinit(&service.partitions[0]);
    partition_free_epochs(&service.partitions[0]);
    end();
}

static void pass_a_moment(void)
{
    uint64_t begin_ms = clock_now_ms();

    while (clock_now_ms() == begin_ms)
        poll(NULL, 0, 1);
}

/* It may be the one whose death has made us the owner. */
static void not_to_one_that_has_been_silent_since_it_is_ours(void)
{
    begin_owning();
    announce_other();
    pass_a_moment();
    partition->owned_since_ms = clock_now_ms();
    balance(&service, clock_now_ms());
    CU_ASSERT_EQUAL(partition->state, PARTITION_OWNED);
    pass_a_moment();
    announce(other, OTHER_SHARES);
    balance(&service, clock_now_ms());
    CU_ASSERT_EQUAL(partition->state, PARTITION_CLOSING);
    end_owning();
}

static void not_before_it_has_subscribed(void)
{
    begin_owning();
    pass_a_moment();
    announce_other();
    announce(other, "s-");
    balance(&service, clock_now_ms());
    CU_ASSERT_EQUAL(partition->state, PARTITION_OWNED);
    announce(other, OTHER_SHARES);
    balance(&service, clock_now_ms());
    CU_ASSERT_EQUAL(partition->state, PARTITION_CLOSING);
    end_owning();
}

/* Every move is a moment's pause for its users. */
static void not_while_instances_come_and_go(void)
{
    begin_owning();
    pass_a_moment();
    announce_other();
    service.calm_since_ms = clock_now_ms();
    balance(&service, clock_now_ms());
    CU_ASSERT_EQUAL(partition->state, PARTITION_OWNED);
    balance(&service, clock_now_ms() + daemon_common(service.daemon)->calm_ms);
    CU_ASSERT_EQUAL(partition->state, PARTITION_CLOSING);
    end_owning();
}

static const struct unit_case cases[] = {
    {"not to one that has been silent since it is ours",
     not_to_one_that_has_been_silent_since_it_is_ours},
    {"not before it has subscribed", not_before_it_has_subscribed},
    {"not while instances come and go", not_while_instances_come_and_go},
};

int main(void)
{
    return unit_run("balance", cases, ARRAY_SIZE(cases));
}
