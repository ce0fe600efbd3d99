/* The schema of events, once: fields and types.  Private to event*.c. */
#ifndef CLUSTER_EVENT_SCHEMA_H
#define CLUSTER_EVENT_SCHEMA_H

#include "cluster/event.h"

/* X(enumerator, wire name, kind, member, names of an enum, help) */
#define EVENT_FIELDS(X)                                                        \
    X(ORIGIN, "origin", NUMBER, origin, NULL, "boot id of the first sender")   \
    X(SEQUENCE, "seq", NUMBER, sequence, NULL, "its number there")             \
    X(PATH, "path", NUMBER, path, NULL, "mixed from the queues passed")        \
    X(TRACE, "trace", NUMBER, trace, NULL, "trace id, passed on")              \
    X(BY, "by", TEXT, by, NULL, "partition that published it")                 \
    X(EPOCH, "epoch", NUMBER, epoch, NULL, "of its owner")                     \
    X(TO, "to", TEXT, to, NULL, "JID it is for")                               \
    X(FROM, "from", TEXT, from, NULL, "JID it is from")                        \
    X(AUDIENCE, "audience", NAME, audience, event_audience_names,              \
      "whom at a bare JID it is for")                                          \
    X(NODE, "node", TEXT, node, NULL, "of the frontend, or of who asks")       \
    X(SESSION, "session", NUMBER, session, NULL, "id of a client session")     \
    X(REQUEST, "request", NUMBER, request, NULL, "number an answer repeats")   \
    X(SERVICE, "service", TEXT, service, NULL, "name of a service")            \
    X(PARTITION, "partition", NUMBER, partition, NULL, "number of one")        \
    X(KIND, "kind", NAME, kind, event_kind_names, "of the stanza")             \
    X(SUBTYPE, "subtype", TEXT, subtype, NULL, "its type attribute")           \
    X(ID, "id", TEXT, id, NULL, "its id attribute")                            \
    X(LANG, "lang", TEXT, lang, NULL, "its xml:lang")                          \
    X(EXTRA, "extra", BYTES, extra, NULL, "its other attributes, raw")         \
    X(PAYLOAD, "payload", BYTES, payload, NULL, "its children, raw")           \
    X(CHILD, "child", TEXT, child, NULL, "name of its first child")            \
    X(NS, "ns", TEXT, ns, NULL, "namespace of its first child")                \
    X(DURABLE, "durable", BOOLEAN, is_durable, NULL,                           \
      "must survive the broker's death")                                       \
    X(DEADLINE, "deadline", NUMBER, deadline, NULL, "of an IQ, Unix ms")       \
    X(RECEIVED, "received", NUMBER, received, NULL,                            \
      "when the server took it in, Unix ms")                                   \
    X(STAMP, "stamp", NUMBER, stamp, NULL, "it is delayed since, Unix ms")     \
    X(RESOURCE, "resource", TEXT, resource, NULL, "resourcepart")              \
    X(PRIORITY, "priority", SIGNED, priority, NULL, "of a presence")           \
    X(AVAILABLE, "available", BOOLEAN, is_available, NULL,                     \
      "the session is available")                                              \
    X(INTERESTED, "interested", BOOLEAN, is_interested, NULL,                  \
      "the session has asked for the roster")                                  \
    X(FIRST, "first", BOOLEAN, is_first, NULL, "becomes available")            \
    X(CONDITION, "condition", TEXT, condition, NULL,                           \
      "error or reason; absent: success")                                      \
    X(CONTACTS, "contacts", LIST, contacts, NULL,                              \
      "JID, subscription, JID, subscription ...")                              \
    X(NAMES, "names", LIST, names, NULL, "names asked for")                    \
    X(SERVES, "serves", LIST, serves, NULL, "what a member serves")            \
    X(KEYS, "keys", LIST, keys, NULL, "SCRAM keys, base64")                    \
    X(CONTACT, "contact", TEXT, contact, NULL, "bare JID of a contact")        \
    X(SUBSCRIPTION, "subscription", TEXT, subscription, NULL,                  \
      "none, to, from, both, remove")                                          \
    X(MECHANISM, "mechanism", TEXT, mechanism, NULL, "SASL mechanism")         \
    X(SALT, "salt", BYTES, salt, NULL, "SCRAM salt")                           \
    X(STORED_KEY, "stored_key", BYTES, stored_key, NULL, "SCRAM StoredKey")    \
    X(SERVER_KEY, "server_key", BYTES, server_key, NULL, "SCRAM ServerKey")    \
    X(ITERATIONS, "iterations", NUMBER, iterations, NULL, "SCRAM rounds")      \
    X(MARK, "mark", NUMBER, mark, NULL, "a counter reported back")             \
    X(COUNT, "count", NUMBER, count, NULL, "how many, or up to where")         \
    X(NEWEST, "newest", NUMBER, newest, NULL,                                  \
      "in replay: no row of the page is newer")                                \
    X(MORE, "more", BOOLEAN, has_more, NULL, "another such event follows")     \
    X(WINDOW, "window", BYTES, window, NULL, "ids given lately, seen.h")       \
    X(STATE, "state", TEXT, state, NULL, "starting, up, draining, leaving")    \
    X(SHARES, "shares", TEXT, shares, NULL, "a letter per partition: - s o")   \
    X(DECLINED, "declined", TEXT, declined, NULL,                              \
      "a letter per partition: - x")                                           \
    X(PARTITIONS, "partitions", NUMBER, partitions, NULL, "of the cluster")    \
    X(DOMAIN, "domain", TEXT, domain, NULL, "XMPP domain of the cluster")      \
    X(VERSION, "version", TEXT, version, NULL, "of the software")              \
    X(ADDRESS, "address", TEXT, address, NULL, "network address")

#define EVENT_FIELD_ENUMERATOR(name, wire, kind, member, values, help)         \
    FIELD_##name,

enum event_field_index { EVENT_FIELDS(EVENT_FIELD_ENUMERATOR) FIELD_TOTAL };

enum event_durability {
    EVENT_TRANSIENT,
    EVENT_DURABLE,
    EVENT_AS_STANZA, /* by the field `durable` */
};

struct event_schema {
    const char *name;
    enum event_durability durability;
    uint64_t required; /* bit per enum event_field_index */
    const char *sender, *consumer;
};

extern const char *const event_audience_names[];
extern const char *const event_kind_names[];
extern const struct event_field event_field_table[FIELD_TOTAL];
extern const struct event_schema event_schemas[EVENT_TYPE_COUNT];

/* FIELD_TOTAL when unknown. */
enum event_field_index event_field_find(struct slice name);

#endif
