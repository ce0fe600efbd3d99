/* What comes through the inbox: output of former owners does not count. */
#include "../../../frontend/inbox.h"

#include "fixture.h"

static struct client client;

static void begin(void)
{
    fixture_open(fixture_plain);
    client_login(&client, "desk");
}

static void end(void)
{
    client_close(&client);
    fixture_close();
}

/* A message that says `body`, published by that partition. */
static void deliver(const char *body, const char *by, uint64_t epoch)
{
    static uint64_t sequence;
    struct event event;

    event_init(&event, EVENT_STANZA_DELIVER);
    event.origin = 77;
    event.sequence = ++sequence;
    event.session = client.session;
    event.kind = STANZA_MESSAGE;
    event.to = SLICE("alice@localhost");
    event.from = SLICE("bob@localhost/pc");
    event.payload = slice_of(body);
    event.by = slice_of(by);
    event.epoch = epoch;
    send_event(inbox_queue_, &event);
}

static void former_owners_are_dropped(void)
{
    static const struct {
        const char *by;
        uint64_t epoch;
        bool is_dropped;
    } rows[] = {
        {"delivery.03", 5, false}, {"delivery.03", 5, false},
        {"delivery.03", 4, true},  {"archive.03", 4, false},
        {"delivery.02", 4, false}, {"delivery.03", 9, false},
        {"delivery.03", 8, true},  {NULL, 0, false},
        {"delivery.03", 9, false},
    };

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        deliver("<body>hi</body>", rows[i].by, rows[i].epoch);
        if (!rows[i].is_dropped)
            EXPECT_TEXT(&client, "<body>hi</body></message>");
        CU_ASSERT_TRUE(client_is_quiet(&client));
    }
    fake_bus_confirm(bus);
    CU_ASSERT_EQUAL(fake_bus_held(inbox_queue_), 0);
    end();
}

/* So that a new owner takes a higher one. */
static void epochs_are_reported(void)
{
    begin();
    deliver("<body>hi</body>", "delivery.03", 5);
    deliver("<body>hi</body>", "delivery.03", 9);
    deliver("<body>hi</body>", "delivery.03", 7);
    deliver("<body>hi</body>", "archive.02", 6);
    EXPECT_TEXT(&client, "</message>");
    CU_ASSERT_EQUAL(inbox_epoch_of(frontend->inbox, SLICE("delivery"), 3), 9);
    CU_ASSERT_EQUAL(inbox_epoch_of(frontend->inbox, SLICE("archive"), 2), 6);
    CU_ASSERT_EQUAL(inbox_epoch_of(frontend->inbox, SLICE("delivery"), 2), 0);
    CU_ASSERT_EQUAL(inbox_epoch_of(frontend->inbox, SLICE("nobody"), 3), 0);
    CU_ASSERT_EQUAL(
        inbox_epoch_of(frontend->inbox, SLICE("delivery"), UINT64_MAX), 0);
    end();
}

static const struct unit_case cases[] = {
    {"former owners are dropped", former_owners_are_dropped},
    {"epochs are reported", epochs_are_reported},
};

int main(void)
{
    return unit_run("inbox", cases, ARRAY_SIZE(cases));
}
