#include "cluster/event_schema.h"

#include <pthread.h>

#define BIT(field) (UINT64_C(1) << FIELD_##field)

const char *const event_audience_names[] = {"rules", "available", "interested",
                                            "all", NULL};
const char *const event_kind_names[] = {"message", "presence", "iq", NULL};

#define FIELD_ROW(enumerator, wire, field_kind, member, names, text)           \
    [FIELD_##enumerator] = {.name = (wire),                                    \
                            .kind = EVENT_FIELD_##field_kind,                  \
                            .offset = offsetof(struct event, member),          \
                            .values = (names),                                 \
                            .help = (text)},

const struct event_field event_field_table[FIELD_TOTAL] = {
    EVENT_FIELDS(FIELD_ROW)};

#define SESSION_FIELDS (BIT(NODE) | BIT(SESSION))
#define ASKING_FIELDS (BIT(NODE) | BIT(REQUEST))

const struct event_schema event_schemas[EVENT_TYPE_COUNT] = {
    [EVENT_STANZA_ROUTE] = {"stanza.route", EVENT_AS_STANZA,
                            BIT(TO) | BIT(KIND), "frontend, services",
                            "delivery (to)"},
    [EVENT_STANZA_DELIVER] = {"stanza.deliver", EVENT_AS_STANZA,
                              BIT(SESSION) | BIT(KIND), "delivery, services",
                              "frontend"},
    [EVENT_IQ_REQUEST] = {"iq.request", EVENT_AS_STANZA,
                          BIT(FROM) | BIT(KIND) | SESSION_FIELDS, "frontend",
                          "the service of `ns` (from)"},
    [EVENT_SESSION_BIND] = {"session.bind", EVENT_TRANSIENT,
                            BIT(TO) | BIT(RESOURCE) | SESSION_FIELDS,
                            "frontend", "delivery (to)"},
    [EVENT_SESSION_BOUND] = {"session.bound", EVENT_TRANSIENT,
                             BIT(SESSION) | BIT(TO), "delivery", "frontend"},
    [EVENT_SESSION_PRESENCE] = {"session.presence", EVENT_TRANSIENT,
                                BIT(FROM) | SESSION_FIELDS, "frontend",
                                "delivery (from)"},
    [EVENT_SESSION_DIRECTED] = {"session.directed", EVENT_TRANSIENT,
                                BIT(FROM) | BIT(TO) | SESSION_FIELDS,
                                "frontend", "delivery (from)"},
    [EVENT_SESSION_INTERESTED] = {"session.interested", EVENT_TRANSIENT,
                                  BIT(FROM) | SESSION_FIELDS, "roster",
                                  "delivery (from)"},
    [EVENT_SESSION_CLOSE] = {"session.close", EVENT_TRANSIENT,
                             BIT(FROM) | SESSION_FIELDS, "frontend",
                             "delivery (from)"},
    [EVENT_SESSION_KICK] = {"session.kick", EVENT_DURABLE,
                            BIT(SESSION) | BIT(CONDITION), "delivery",
                            "frontend"},
    [EVENT_SESSION_RESUME] = {"session.resume", EVENT_TRANSIENT,
                              BIT(TO) | BIT(REQUEST) | SESSION_FIELDS,
                              "frontend", "delivery (to)"},
    [EVENT_SESSION_RESUMED] = {"session.resumed", EVENT_TRANSIENT,
                               BIT(SESSION) | BIT(REQUEST) | BIT(CONDITION),
                               "delivery", "frontend"},
    [EVENT_SESSION_MOVE] = {"session.move", EVENT_DURABLE,
                            BIT(TO) | BIT(REQUEST) | SESSION_FIELDS, "delivery",
                            "frontend"},
    [EVENT_SESSION_EXPECT] = {"session.expect", EVENT_TRANSIENT, BIT(SESSION),
                              "delivery", "frontend"},
    [EVENT_SESSION_FENCE] = {"session.fence", EVENT_DURABLE,
                             BIT(TO) | BIT(SESSION) | BIT(REQUEST), "delivery",
                             "frontend"},
    [EVENT_SESSION_FENCED] = {"session.fenced", EVENT_DURABLE,
                              BIT(FROM) | BIT(SESSION) | BIT(REQUEST) |
                                  BIT(CONDITION),
                              "frontend, delivery", "delivery (from)"},
    [EVENT_SESSION_UNACKED] = {"session.unacked", EVENT_DURABLE,
                               BIT(SESSION) | BIT(KIND) | BIT(REQUEST) |
                                   BIT(MARK),
                               "frontend", "frontend"},
    [EVENT_SESSION_TRANSFER] = {"session.transfer", EVENT_DURABLE,
                                BIT(FROM) | BIT(SESSION) | BIT(REQUEST) |
                                    BIT(COUNT) | BIT(MARK),
                                "frontend", "frontend"},
    [EVENT_PRESENCE_UPDATE] = {"presence.update", EVENT_TRANSIENT,
                               BIT(FROM) | SESSION_FIELDS, "delivery",
                               "presence (from)"},
    [EVENT_PRESENCE_PROBE] = {"presence.probe", EVENT_TRANSIENT,
                              BIT(FROM) | BIT(TO), "presence", "presence (to)"},
    [EVENT_CONTACTS_ASK] = {"contacts.ask", EVENT_TRANSIENT, BIT(TO),
                            "presence", "roster (to)"},
    [EVENT_CONTACTS_LIST] = {"contacts.list", EVENT_TRANSIENT,
                             BIT(TO) | BIT(CONTACTS), "roster",
                             "presence (to)"},
    [EVENT_CONTACT_CHANGED] = {"contact.changed", EVENT_DURABLE,
                               BIT(TO) | BIT(CONTACT) | BIT(SUBSCRIPTION),
                               "roster", "presence (to)"},
    [EVENT_SUBSCRIPTION_REQUEST] = {"subscription.request", EVENT_DURABLE,
                                    BIT(FROM) | BIT(TO) | BIT(SUBTYPE),
                                    "frontend", "roster (from)"},
    [EVENT_SUBSCRIPTION_ARRIVE] = {"subscription.arrive", EVENT_DURABLE,
                                   BIT(FROM) | BIT(TO) | BIT(SUBTYPE), "roster",
                                   "roster (to)"},
    [EVENT_AUTH_KEYS_ASK] = {"auth.keys.ask", EVENT_TRANSIENT,
                             BIT(TO) | BIT(MECHANISM) | ASKING_FIELDS,
                             "frontend, oceanctl", "roster (to)"},
    [EVENT_AUTH_KEYS] = {"auth.keys", EVENT_TRANSIENT,
                         BIT(REQUEST) | BIT(MECHANISM) | BIT(SALT) |
                             BIT(ITERATIONS) | BIT(STORED_KEY) |
                             BIT(SERVER_KEY),
                         "roster", "who asked (node queue)"},
    [EVENT_LOGIN_FAILED] = {"login.failed", EVENT_TRANSIENT, BIT(TO),
                            "frontend", "roster (to)"},
    [EVENT_ACCOUNT_SET] = {"account.set", EVENT_DURABLE,
                           BIT(TO) | BIT(KEYS) | BIT(SUBTYPE) | ASKING_FIELDS,
                           "oceanctl", "roster (to)"},
    [EVENT_ACCOUNT_DELETE] = {"account.delete", EVENT_DURABLE,
                              BIT(TO) | ASKING_FIELDS, "oceanctl",
                              "roster (to)"},
    [EVENT_ACCOUNT_LIST_ASK] = {"account.list.ask", EVENT_TRANSIENT,
                                ASKING_FIELDS, "oceanctl",
                                "roster (each partition)"},
    [EVENT_ACCOUNT_LIST] = {"account.list", EVENT_TRANSIENT,
                            BIT(REQUEST) | BIT(NAMES), "roster",
                            "oceanctl (node queue)"},
    [EVENT_ACCOUNT_ANSWER] = {"account.answer", EVENT_TRANSIENT, BIT(REQUEST),
                              "roster", "oceanctl (node queue)"},
    [EVENT_ACCOUNT_CHANGED] = {"account.changed", EVENT_DURABLE,
                               BIT(TO) | BIT(SUBTYPE), "roster",
                               "archive, delivery (to)"},
    [EVENT_ARCHIVE_STORE] = {"archive.store", EVENT_DURABLE,
                             BIT(TO) | BIT(KIND) | BIT(STAMP),
                             "delivery, frontend", "archive (to)"},
    [EVENT_ARCHIVE_DROP] = {"archive.drop", EVENT_DURABLE,
                            BIT(TO) | BIT(ORIGIN) | BIT(SEQUENCE), "frontend",
                            "archive (to)"},
    [EVENT_ARCHIVE_REPLAY] = {"archive.replay", EVENT_TRANSIENT,
                              BIT(TO) | SESSION_FIELDS, "delivery",
                              "archive (to)"},
    [EVENT_ARCHIVE_REPLAYED] = {"archive.replayed", EVENT_TRANSIENT,
                                BIT(TO) | BIT(SESSION) | BIT(MARK), "archive",
                                "delivery (to)"},
    [EVENT_ARCHIVE_PENDING_ASK] = {"archive.pending.ask", EVENT_TRANSIENT,
                                   BIT(PARTITION) | BIT(NAMES) | ASKING_FIELDS,
                                   "delivery", "archive (same partition)"},
    [EVENT_ARCHIVE_PENDING] = {"archive.pending", EVENT_TRANSIENT,
                               BIT(PARTITION) | BIT(NAMES) | BIT(REQUEST),
                               "archive", "delivery (node queue)"},
    [EVENT_INBOX_REGISTER] = {"inbox.register", EVENT_DURABLE, BIT(NODE),
                              "frontend", "archive (node)"},
    [EVENT_INBOX_STRIKE] = {"inbox.strike", EVENT_DURABLE, BIT(NODE),
                            "frontend, delivery", "archive (node)"},
    [EVENT_INBOX_LIST_ASK] = {"inbox.list.ask", EVENT_TRANSIENT, ASKING_FIELDS,
                              "delivery", "archive (each partition)"},
    [EVENT_INBOX_LIST] = {"inbox.list", EVENT_TRANSIENT,
                          BIT(REQUEST) | BIT(NAMES), "archive",
                          "delivery (node queue)"},
    [EVENT_MEMBER_ANNOUNCE] = {"member.announce", EVENT_TRANSIENT,
                               BIT(ORIGIN) | BIT(NODE) | BIT(SERVICE) |
                                   BIT(STATE) | BIT(PARTITIONS),
                               "everybody", "everybody"},
    [EVENT_PARTITION_PROBE] = {"partition.probe", EVENT_TRANSIENT,
                               BIT(NODE) | BIT(PARTITION), "service",
                               "the same partition"},
    [EVENT_SNAPSHOT_ASK] = {"snapshot.ask", EVENT_TRANSIENT,
                            BIT(SERVICE) | BIT(PARTITION) | ASKING_FIELDS,
                            "services, oceanctl", "frontend (node queue)"},
    [EVENT_SNAPSHOT_SESSION] = {"snapshot.session", EVENT_TRANSIENT,
                                BIT(FROM) | BIT(PARTITION) | BIT(REQUEST) |
                                    SESSION_FIELDS,
                                "frontend", "who asked (node queue)"},
    [EVENT_SNAPSHOT_END] = {"snapshot.end", EVENT_TRANSIENT,
                            BIT(PARTITION) | BIT(COUNT) | BIT(MARK) |
                                ASKING_FIELDS,
                            "frontend", "who asked (node queue)"},
    [EVENT_CRASH_NOTE] = {"crash.note", EVENT_DURABLE,
                          BIT(NODE) | BIT(PARTITION) | BIT(NAMES),
                          "a service that crashed", "the same service"},
};

/* Looking up names: a hash without collisions that matter, made once. */

enum { SLOTS = 256, NO_NAME = 255 };

static unsigned char field_slots[SLOTS];
static unsigned char type_slots[SLOTS];
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

static unsigned slot_of(struct slice name)
{
    unsigned hash = (unsigned)name.size;

    for (size_t i = 0; i < name.size && i < 32; i++)
        hash = hash * 31 + (unsigned char)name.data[i];
    return (hash ^ (hash >> 8)) % SLOTS;
}

static void slot_fill(unsigned char *slots, const char *name, size_t index)
{
    unsigned slot = slot_of(slice_of(name));

    while (slots[slot] != NO_NAME)
        slot = (slot + 1) % SLOTS;
    slots[slot] = (unsigned char)index;
}

static void slots_init(void)
{
    memset(field_slots, NO_NAME, sizeof(field_slots));
    memset(type_slots, NO_NAME, sizeof(type_slots));
    for (size_t i = 0; i < FIELD_TOTAL; i++)
        slot_fill(field_slots, event_field_table[i].name, i);
    for (size_t i = 0; i < EVENT_TYPE_COUNT; i++)
        slot_fill(type_slots, event_schemas[i].name, i);
}

enum event_field_index event_field_find(struct slice name)
{
    pthread_once(&slots_once, slots_init);
    for (unsigned slot = slot_of(name); field_slots[slot] != NO_NAME;
         slot = (slot + 1) % SLOTS) {
        if (slice_is(name, event_field_table[field_slots[slot]].name))
            return (enum event_field_index)field_slots[slot];
    }
    return FIELD_TOTAL;
}

enum event_type event_type_find(struct slice name)
{
    pthread_once(&slots_once, slots_init);
    for (unsigned slot = slot_of(name); type_slots[slot] != NO_NAME;
         slot = (slot + 1) % SLOTS) {
        if (slice_is(name, event_schemas[type_slots[slot]].name))
            return (enum event_type)type_slots[slot];
    }
    return EVENT_TYPE_COUNT;
}

const char *event_type_name(enum event_type type)
{
    return type < EVENT_TYPE_COUNT ? event_schemas[type].name : "unknown";
}

bool event_needs_durable(const struct event *event)
{
    enum event_durability durability = event_schemas[event->type].durability;

    return durability == EVENT_DURABLE ||
           (durability == EVENT_AS_STANZA && event->is_durable);
}

const struct event_field *event_fields(size_t *count_out)
{
    *count_out = FIELD_TOTAL;
    return event_field_table;
}

bool event_type_requires(enum event_type type, size_t field_index)
{
    return (event_schemas[type].required >> field_index) & 1;
}
