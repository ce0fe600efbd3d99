/*
 * Every event that travels between daemons: its type, its fields, and the
 * MessagePack that carries it.  docs/EVENTS.md describes the same for people.
 *
 * An AMQP body is a MessagePack array [major, minor, event, event ...]; an
 * event is a map from field names to values, "type" among them.  All slices of
 * a decoded event point into the body and die with it.
 */
#ifndef CLUSTER_EVENT_H
#define CLUSTER_EVENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "xmpp/stanza.h"

enum {
    EVENT_VERSION_MAJOR = 1,
    EVENT_VERSION_MINOR = 0,
    EVENT_NAMES_MAX = 500, /* in one list; longer ones in several events */
};

enum event_type {
    /* Stanzas. */
    EVENT_STANZA_ROUTE,   /* any -> delivery(to): find who gets it */
    EVENT_STANZA_DELIVER, /* delivery, services -> frontend: write it out */
    EVENT_IQ_REQUEST,     /* frontend -> service(from) that serves `ns` */
    /* Sessions: frontend <-> delivery(user). */
    EVENT_SESSION_BIND,       /* frontend -> delivery: may I have `resource`? */
    EVENT_SESSION_BOUND,      /* delivery -> frontend: yes, or `condition` */
    EVENT_SESSION_PRESENCE,   /* frontend -> delivery: broadcast presence */
    EVENT_SESSION_DIRECTED,   /* frontend -> delivery: directed presence */
    EVENT_SESSION_INTERESTED, /* roster -> delivery: has asked for the roster */
    EVENT_SESSION_CLOSE,      /* frontend -> delivery: the session is over */
    EVENT_SESSION_KICK,       /* delivery -> frontend: end it, `condition` */
    /* Moving a session: docs/ARCHITECTURE.md, "Fences". */
    EVENT_SESSION_RESUME,   /* frontend -> delivery: to `node`, XEP-0198 */
    EVENT_SESSION_RESUMED,  /* delivery -> frontend: no, `condition` */
    EVENT_SESSION_MOVE,     /* delivery -> frontend: hand it to `node` */
    EVENT_SESSION_EXPECT,   /* delivery -> frontend: it is going to come */
    EVENT_SESSION_FENCE,    /* delivery -> frontend: answer session.fenced */
    EVENT_SESSION_FENCED,   /* frontend -> delivery: all before is done */
    EVENT_SESSION_UNACKED,  /* frontend -> frontend: the client lacks this */
    EVENT_SESSION_TRANSFER, /* frontend -> frontend: the session itself */
    /* Presence. */
    EVENT_PRESENCE_UPDATE, /* delivery -> presence(user) */
    EVENT_PRESENCE_PROBE,  /* presence(prober) -> presence(contact) */
    EVENT_CONTACTS_ASK,    /* presence -> roster(user), carries the update */
    EVENT_CONTACTS_LIST,   /* roster -> presence(user), brings it back */
    EVENT_CONTACT_CHANGED, /* roster -> presence(user) */
    /* Subscriptions. */
    EVENT_SUBSCRIPTION_REQUEST, /* frontend -> roster(from): outbound half */
    EVENT_SUBSCRIPTION_ARRIVE,  /* roster(from) -> roster(to): inbound half */
    /* Accounts. */
    EVENT_AUTH_KEYS_ASK,    /* frontend -> roster(user) */
    EVENT_AUTH_KEYS,        /* roster -> node: salt, iterations, keys */
    EVENT_LOGIN_FAILED,     /* frontend -> roster(user): attempts used up */
    EVENT_ACCOUNT_SET,      /* oceanctl -> roster(user) */
    EVENT_ACCOUNT_DELETE,   /* oceanctl -> roster(user) */
    EVENT_ACCOUNT_LIST_ASK, /* oceanctl -> roster, each partition */
    EVENT_ACCOUNT_LIST,     /* roster -> node: names, `more` */
    EVENT_ACCOUNT_ANSWER,   /* roster -> node: done, or `condition` */
    EVENT_ACCOUNT_CHANGED,  /* roster -> archive, delivery(user) */
    /* Archive. */
    EVENT_ARCHIVE_STORE,    /* delivery -> archive(user): nobody is there */
    EVENT_ARCHIVE_DROP,     /* frontend -> archive(user): the client has it */
    EVENT_ARCHIVE_REPLAY,   /* delivery -> archive(user): session is there */
    EVENT_ARCHIVE_REPLAYED, /* archive -> delivery(user): up to `mark` */
    EVENT_ARCHIVE_PENDING_ASK, /* delivery -> archive: for which `names` is
                                  something stored? */
    EVENT_ARCHIVE_PENDING,     /* archive -> node: for these `names` */
    EVENT_INBOX_REGISTER,      /* frontend -> archive(node): inbox exists */
    EVENT_INBOX_STRIKE,        /* delivery, frontend -> archive(node) */
    EVENT_INBOX_LIST_ASK,      /* delivery -> archive, each partition */
    EVENT_INBOX_LIST,          /* archive -> node: names, `more` */
    /* Cluster. */
    EVENT_MEMBER_ANNOUNCE,  /* everybody -> everybody */
    EVENT_PARTITION_PROBE,  /* service -> its own partition's queue */
    EVENT_SNAPSHOT_ASK,     /* taker, oceanctl -> node of a frontend */
    EVENT_SNAPSHOT_SESSION, /* frontend -> node of the asker */
    EVENT_SNAPSHOT_END,     /* frontend -> node of the asker */
    EVENT_CRASH_NOTE,       /* a crashed service -> its own kind */
    EVENT_TYPE_COUNT,
};

/* Whom at a bare JID a stanza is for. */
enum audience {
    AUDIENCE_RULES,      /* as RFC 6121 section 8 says for `to` (default) */
    AUDIENCE_AVAILABLE,  /* all available resources */
    AUDIENCE_INTERESTED, /* all that have asked for the roster */
    AUDIENCE_ALL,        /* all sessions */
};

struct event {
    enum event_type type;
    /* Identity: who made the first event of this chain, and its number there;
     * what follows from an event carries both (event_follow). */
    uint64_t origin; /* boot id */
    uint64_t sequence;
    /* Which queues it went through: for one (origin, path) sequences rise, so
     * a receiver that remembers the last drops exact repeats.  output.h. */
    uint64_t path;
    uint64_t trace;
    struct slice by; /* partition that published it, "presence.03" */
    uint64_t epoch;  /* of its owner then; 0 = not from a partition */
    /* Addresses. */
    struct slice to;
    struct slice from;
    enum audience audience;
    struct slice node;    /* of the session's frontend, or of who asks */
    uint64_t session;     /* 0 = none */
    uint64_t request;     /* number an answer repeats */
    struct slice service; /* of a member, or that a snapshot is for */
    uint64_t partition;
    /* Stanza; xmpp/stanza.h. */
    enum stanza_kind kind;
    struct slice subtype; /* its `type` attribute */
    struct slice id;      /* its `id` attribute */
    struct slice lang;
    struct slice extra;
    struct slice payload;
    struct slice child; /* name of the first child element */
    struct slice ns;    /* its namespace */
    bool is_durable;
    uint64_t deadline; /* Unix ms: an IQ not handled by then gets
                          remote-server-timeout; 0 = none */
    uint64_t received; /* Unix ms when its client's frontend took it in; 0:
                          not known */
    uint64_t stamp;    /* Unix ms; it comes with that delay (XEP-0203); 0: none
                        */
    /* Session. */
    struct slice resource; /* also of whom a stanza was addressed to, if `to` is
                              bare by now */
    int64_t priority;
    bool is_available;
    bool is_interested;
    bool is_first;          /* the session was not available before: an
                               initial presence, RFC 6121 4.2.1 */
    struct slice condition; /* error or reason, RFC name; absent: success */
    /* Lists of texts, see event_list_*. */
    struct slice contacts; /* jid, subscription, jid, subscription ... */
    struct slice names;
    struct slice serves; /* "iq:<namespace>" */
    struct slice keys;   /* mechanism, iterations, salt, stored key, server key
                            (base64), and the next mechanism ... */
    struct slice contact;
    struct slice subscription; /* none, to, from, both, remove */
    /* Authentication; RFC 5802. */
    struct slice mechanism;
    struct slice salt;
    struct slice stored_key;
    struct slice server_key;
    uint64_t iterations;
    /* Counting. */
    uint64_t mark;
    uint64_t count;
    uint64_t newest; /* row that was stored last when a page was read; 0: any */
    bool has_more;
    struct slice window; /* ids a session has been given lately: seen.h */
    /* Member. */
    struct slice state;    /* starting, up, draining, leaving */
    struct slice shares;   /* a letter per partition: - s o, see member.h */
    struct slice declined; /* likewise: - x */
    uint64_t partitions;
    struct slice domain; /* XMPP domain served; prepared */
    struct slice version;
    struct slice address; /* of a client; of a listening frontend */
    /* Fields this version does not know: raw key, value ..., passed on. */
    struct slice unknown;
    uint64_t unknown_count;
};

/* Zeroed, with its type. */
void event_init(struct event *event, enum event_type type);
/* A new event that follows from `cause`: carries its identity, trace, path and
 * deadline. */
void event_follow(struct event *event, enum event_type type,
                  const struct event *cause);
/* The same event under another type with all its fields (and unknown ones). */
void event_copy_as(struct event *event, enum event_type type,
                   const struct event *source);

/* An IQ that asks: get or set. */
bool event_is_request(const struct event *event);

/* `to` becomes the bare JID; if it had a resourcepart, `resource` keeps it. */
void event_address_bare(struct event *event);

/* It will be delivered later than it could have been: unless it has a stamp, it
 * gets the time when the server received it (XEP-0203 2); now, if that is not
 * known. */
void event_delay(struct event *event);

/* "stanza.route" ...; EVENT_TYPE_COUNT when unknown. */
const char *event_type_name(enum event_type type);
enum event_type event_type_find(struct slice name);
/* Must it survive the broker's death?  By type, or is_durable for stanzas. */
bool event_needs_durable(const struct event *event);

/* Appends one encoded event (no batch header).  BUG_ON a required field that
 * is missing: the sender is ours. */
void event_encode(struct buffer *out, const struct event *event);

/* Appends the array header and versions of a batch of `count` events. */
void event_batch_header(struct buffer *out, size_t count);

struct event_batch {
    struct slice rest; /* events not read yet */
    size_t remaining;
    uint64_t major, minor;
};

enum event_read {
    EVENT_READ_OK,
    EVENT_READ_END,
    EVENT_READ_BAD,   /* this event is to go to `dead`; go on reading */
    EVENT_READ_NEWER, /* newer major version: stop consuming, report */
    EVENT_READ_BROKEN /* the rest of the body cannot be read */
};

/* EVENT_READ_OK, _NEWER or _BROKEN (error_out: why). */
enum event_read event_batch_open(struct event_batch *batch, struct slice body,
                                 const char **error_out);
/* `raw_out` is the event's bytes, also when it is bad.  Strict about types,
 * sizes and required fields, lenient about unknown fields. */
enum event_read event_batch_next(struct event_batch *batch,
                                 struct event *event_out, struct slice *raw_out,
                                 const char **error_out);

/* One event alone, as event_encode wrote it (a store keeps such bytes). */
bool event_decode(struct slice raw, struct event *event_out,
                  const char **error_out) WARN_UNUSED;

/* Lists of texts as a field's raw value. */
void event_list_write(struct buffer *out, const struct slice *items,
                      size_t count);

/* Iterates; *cursor starts as the list and shrinks; false at the end. */
struct event_list {
    struct slice rest;
    size_t remaining;
};

void event_list_open(struct event_list *list, struct slice raw);
bool event_list_next(struct event_list *list, struct slice *item_out);

/* For people: one line JSON-like text of an event, secrets (keys, salt) as
 * "...", payload of stanzas shown only if `with_payload`. */
void event_describe(struct buffer *out, const struct event *event,
                    bool with_payload);

/* For tests and docs: iterate over the schema. */
enum event_field_kind {
    EVENT_FIELD_TEXT,
    EVENT_FIELD_BYTES,
    EVENT_FIELD_NUMBER,
    EVENT_FIELD_SIGNED,
    EVENT_FIELD_BOOLEAN,
    EVENT_FIELD_NAME, /* an enum, written as text */
    EVENT_FIELD_LIST,
};

struct event_field {
    const char *name; /* on the wire */
    enum event_field_kind kind;
    size_t offset;
    const char *const *values; /* of EVENT_FIELD_NAME, NULL-terminated */
    const char *help;
};

const struct event_field *event_fields(size_t *count_out);
bool event_type_requires(enum event_type type, size_t field_index);

#endif
