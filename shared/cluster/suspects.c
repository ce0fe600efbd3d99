#include "cluster/suspects.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "cluster/event.h"
#include "cluster/last_words.h"

/* One message and how often somebody crashed with each event of it. */
struct suspect {
    size_t *crashes; /* by event, counted from 1 */
    size_t count;
};

struct suspects {
    struct bus *bus;
    enum service_id service;
    const char *node;
    suspects_read_fn read;
    void *owner;
    struct map *known;     /* digest: struct suspect */
    struct map *heard;     /* the same, of the reading under way */
    uint64_t begun, ended; /* readings */
    bool is_busy;          /* reading, or closing the channel after it */
    bool is_wanted;        /* another one, after this */
    struct bus_subscription *subscription;
};

/* Notes. */

static struct suspect *suspect_of(struct map *map, struct slice digest)
{
    struct suspect *suspect = map_find(map, digest);

    if (!suspect) {
        suspect = memory_new(sizeof(*suspect));
        map_put(map, digest, suspect);
    }
    return suspect;
}

static void note_crash(struct suspect *suspect, size_t event)
{
    if (event >= suspect->count) {
        size_t *crashes = memory_new_array(event + 1, sizeof(*crashes));

        for (size_t i = 0; i < suspect->count; i++)
            crashes[i] = suspect->crashes[i];
        memory_free(&suspect->crashes);
        suspect->crashes = crashes;
        suspect->count = event + 1;
    }
    suspect->crashes[event]++;
}

enum { EVENTS_MAX = 64 * 1024 }; /* more than any message holds */

static void take_note(struct suspects *suspects, const struct event *event)
{
    struct event_list list;
    struct slice digest;

    if (event->count > EVENTS_MAX)
        return;
    event_list_open(&list, event->names);
    while (event_list_next(&list, &digest))
        note_crash(suspect_of(suspects->heard, digest), (size_t)event->count);
}

static void free_map(struct map **map)
{
    size_t position = 0;
    struct slice digest;
    void *value;

    while (map_next(*map, &position, &digest, &value)) {
        struct suspect *suspect = value;

        memory_free(&suspect->crashes);
        memory_free(&suspect);
    }
    map_destroy(map);
}

/* Reading. */

static void end(struct suspects *suspects)
{
    struct map *former = suspects->known;

    suspects->known = suspects->heard;
    suspects->heard = map_create();
    free_map(&former);
    suspects->ended = suspects->begun;
    if (map_count(suspects->known))
        log_warning("%s: %zu messages are known that somebody crashed with",
                    service_name(suspects->service),
                    map_count(suspects->known));
    bus_unsubscribe(&suspects->subscription);
    suspects->read(suspects->owner);
}

static void on_started(void *argument)
{
    struct suspects *suspects = argument;
    struct buffer encoded = BUFFER_EMPTY;
    struct event probe;

    event_init(&probe, EVENT_PARTITION_PROBE);
    probe.node = slice_of(suspects->node);
    probe.request = suspects->begun;
    event_encode(&encoded, &probe);
    bus_publish(bus_destination(suspects->bus,
                                service_exchange(suspects->service),
                                SLICE(KEY_CRASHED), BUS_ANSWER),
                buffer_slice(&encoded), false, NULL);
    buffer_deinit(&encoded);
}

/* True: it was the probe of this reading. */
static bool take_event(struct suspects *suspects, const struct event *event)
{
    if (event->type == EVENT_CRASH_NOTE)
        take_note(suspects, event);
    return event->type == EVENT_PARTITION_PROBE &&
           slice_is(event->node, suspects->node) &&
           event->request == suspects->begun;
}

static bool is_probe(const struct event *event)
{
    return event->type == EVENT_PARTITION_PROBE;
}

/* Notes stay unacknowledged, so they stay; probes, also of readers that are no
 * more, go. */
static void on_received(void *argument, struct bus_message *message)
{
    struct suspects *suspects = argument;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error;
    bool is_ours = false;
    bool is_all_probes = true;
    enum event_read read = event_batch_open(&batch, message->body, &error);

    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read != EVENT_READ_OK)
            continue;
        is_ours = take_event(suspects, &event) || is_ours;
        is_all_probes = is_all_probes && is_probe(&event);
    }
    if (is_all_probes)
        bus_ack(suspects->subscription, message);
    if (is_ours)
        end(suspects);
}

/* An older cluster has no such queue: then nothing is known. */
static void on_reset(void *argument, const char *reason)
{
    struct suspects *suspects = argument;

    free_map(&suspects->heard);
    suspects->heard = map_create();
    if (!strncmp(reason, "404", 3))
        end(suspects);
}

static void begin(struct suspects *suspects);

static void on_closed(void *argument)
{
    struct suspects *suspects = argument;

    suspects->is_busy = false;
    if (!suspects->is_wanted)
        return;
    suspects->is_wanted = false;
    begin(suspects);
}

static void begin(struct suspects *suspects)
{
    char queue[NAME_MAX_BYTES];
    struct bus_subscribe subscribe = {
        .queue = crashed_queue(suspects->service, queue),
        .declare = BUS_DECLARE_PASSIVE,
        .consumer_tag = suspects->node,
        .received = on_received,
        .started = on_started,
        .reset = on_reset,
        .closed = on_closed,
        .argument = suspects,
    };

    suspects->begun++;
    suspects->is_busy = true;
    suspects->subscription = bus_subscribe(suspects->bus, &subscribe);
}

/* Life. */

struct suspects *suspects_create(struct bus *bus, enum service_id service,
                                 const char *node, suspects_read_fn read,
                                 void *owner)
{
    struct suspects *suspects = memory_new(sizeof(*suspects));

    suspects->bus = bus;
    suspects->service = service;
    suspects->node = node;
    suspects->read = read;
    suspects->owner = owner;
    suspects->known = map_create();
    suspects->heard = map_create();
    return suspects;
}

void suspects_destroy(struct suspects **suspects)
{
    free_map(&(*suspects)->known);
    free_map(&(*suspects)->heard);
    memory_free(suspects);
}

/* What is there by now: the reading under way may have begun too early. */
uint64_t suspects_ask(struct suspects *suspects)
{
    if (suspects->is_busy) {
        suspects->is_wanted = true;
        return suspects->begun + 1;
    }
    begin(suspects);
    return suspects->begun;
}

bool suspects_are_read(const struct suspects *suspects, uint64_t reading)
{
    return suspects->ended >= reading;
}

static const struct suspect *find(const struct suspects *suspects,
                                  struct slice body)
{
    char digest[CRASH_TEXT_BYTES];

    if (!map_count(suspects->known))
        return NULL;
    return map_find(suspects->known, slice_of(last_words_digest(body, digest)));
}

bool suspects_has(const struct suspects *suspects, struct slice body)
{
    return find(suspects, body) != NULL;
}

size_t suspects_crashes(const struct suspects *suspects, struct slice body,
                        size_t event)
{
    const struct suspect *suspect = find(suspects, body);

    return suspect && event < suspect->count ? suspect->crashes[event] : 0;
}
