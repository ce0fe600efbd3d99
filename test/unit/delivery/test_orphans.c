/* Frontends that were gone before the partition became ours: what their inboxes
 * hold comes before what comes now. */
#include "../../../delivery/orphans.h"

#include "../../../delivery/snapshot.h"
#include "base/clock.h"
#include "fences.h"

static void find_orphan(const char *node)
{
    orphan_found(delivery, slice_of(node), &output);
}

static void test_login_waits(void)
{
    fixture_open();
    find_orphan("f1");
    EXPECT_NOTHING(&output);
    send_bind(8, "f2", "a");
    EXPECT_NOTED(FENCED("f1", "8", "a"), "inbox:f2 session.bound #8 " BOB "/a");
    send_presence(8, BOB "/a");
    EXPECT_NOTED("presence presence.update #8 <" BOB "/a");
    send_message(BOB);
    EXPECT_NOTED(STORE(" #8"));
    send_message(BOB "/a"); /* neither does one to the full JID overtake */
    EXPECT_NOTED("archive archive.store #8/chat " BOB " <" AMY
                 "/pc {<body>hi</body>}");
    send_returned(BOB);
    EXPECT_NOTED(STORE_RETURNED(" #8"));
    send_fenced(last.fence, 8, BOB "/a", NULL, "item-not-found");
    EXPECT_NOTED(REPLAY("8", "a"));
    fixture_close();
}

/* The first fence that is back tells that all is. */
static void test_drained(void)
{
    fixture_open();
    find_orphan("f1");
    find_orphan("f3");
    send_bind(8, "f2", "a");
    output_clear(&output);
    send_fenced(delivery->request, 8, BOB "/a", NULL, "item-not-found");
    send_bind(9, "f2", "b");
    note_outputs();
    CU_ASSERT_EQUAL(map_count(delivery->orphans), 1);
    send_fenced(last.fence, 9, BOB "/b", NULL, "item-not-found");
    CU_ASSERT_EQUAL(map_count(delivery->orphans), 0);
    output_clear(&output);
    send_bind(10, "f2", "c");
    EXPECT_NOTED("inbox:f2 session.bound #10 " BOB "/c");
    fixture_close();
}

/* Found late: who has logged in just now may have been there before. */
static void test_young_and_old(void)
{
    struct session *old;

    fixture_open();
    old = fixture_add(1, "old", true, 0);
    old->stamp = clock_unix_ms() - 60000;
    find_orphan("f3");
    EXPECT_NOTHING(&output);
    send_message(BOB);
    EXPECT_NOTED(LIVE("f1", "1", BOB));
    fixture_add(2, "young", true, 1)->stamp = clock_unix_ms();
    find_orphan("f4");
    EXPECT_NOTED(FENCED("f4", "2", "young"));
    send_message(BOB);
    EXPECT_NOTED(STORE(" #2"));
    fixture_close();
}

/* Not gone after all: it reports. */
static void test_heard_again(void)
{
    fixture_open();
    find_orphan("f1");
    snapshot_end(delivery, SLICE("f1"), &output);
    send_bind(8, "f2", "a");
    EXPECT_NOTED("inbox:f2 session.bound #8 " BOB "/a");
    fixture_close();
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"a login waits for what an orphan holds", test_login_waits},
        {"drained", test_drained},
        {"who is young is held", test_young_and_old},
        {"heard again", test_heard_again},
    };

    log_set_level(LOG_LEVEL_ERROR);
    return unit_run("orphans", cases, ARRAY_SIZE(cases));
}
