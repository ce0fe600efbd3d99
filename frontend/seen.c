#include "seen.h"

#include <endian.h>

#include "base/memory.h"

enum { PATHS_FIRST = 2, IDS_FIRST = 8 };

struct seen_path {
    uint64_t origin, path, sequence;
    uint32_t used; /* turn of last use */
};

struct seen {
    uint32_t turn;
    uint32_t path_count, path_room;
    uint32_t id_count; /* ever noted */
    uint32_t id_room;
    struct seen_path *paths;
    uint64_t *ids; /* a ring */
};

void seen_destroy(struct seen **seen)
{
    if (!*seen)
        return;
    memory_free(&(*seen)->paths);
    memory_free(&(*seen)->ids);
    memory_free(seen);
}

/* Paths. */

static struct seen_path *path_find(struct seen *seen, const struct event *event)
{
    for (uint32_t i = 0; i < seen->path_count; i++) {
        if (seen->paths[i].origin == event->origin &&
            seen->paths[i].path == event->path)
            return &seen->paths[i];
    }
    return NULL;
}

static void paths_grow(struct seen *seen)
{
    seen->path_room = seen->path_room ? 2 * seen->path_room : PATHS_FIRST;
    seen->paths =
        memory_resize(seen->paths, seen->path_room * sizeof(*seen->paths));
}

/* A free place, or that of the path not used for longest. */
static struct seen_path *path_add(struct seen *seen)
{
    struct seen_path *oldest;

    if (seen->path_count == seen->path_room && seen->path_room < SEEN_PATHS_MAX)
        paths_grow(seen);
    if (seen->path_count < seen->path_room)
        return &seen->paths[seen->path_count++];
    oldest = &seen->paths[0];
    for (uint32_t i = 1; i < seen->path_count; i++) {
        if (seen->paths[i].used < oldest->used)
            oldest = &seen->paths[i];
    }
    return oldest;
}

static bool came_this_way(struct seen *seen, const struct event *event)
{
    struct seen_path *last = path_find(seen, event);

    if (last && event->sequence <= last->sequence)
        return true;
    if (!last) {
        last = path_add(seen);
        last->origin = event->origin;
        last->path = event->path;
    }
    last->sequence = event->sequence;
    last->used = ++seen->turn;
    return false;
}

/* Ids. */

/* Of one origin never the same for two events; origins are spread over all 64
 * bits (finalizer of MurmurHash3).  An error answers another event. */
static uint64_t id_of(const struct event *event)
{
    uint64_t id = event->origin;

    id = (id ^ (id >> 33)) * 0xff51afd7ed558ccd;
    id = (id ^ (id >> 33)) * 0xc4ceb9fe1a85ec53;
    id ^= id >> 33;
    return id + 2 * event->sequence + slice_is(event->subtype, "error");
}

/* Only an event that is not newer than all others of its origin can be a
 * repeat: the usual one costs no search. */
static bool is_newest(const struct seen *seen, const struct event *event)
{
    for (uint32_t i = 0; i < seen->path_count; i++) {
        if (seen->paths[i].origin == event->origin &&
            seen->paths[i].sequence >= event->sequence)
            return false;
    }
    return true;
}

static uint32_t ids_kept(const struct seen *seen)
{
    return seen->id_count < seen->id_room ? seen->id_count : seen->id_room;
}

static bool id_is_known(const struct seen *seen, uint64_t id)
{
    uint32_t count = ids_kept(seen);

    for (uint32_t i = 0; i < count; i++) {
        if (seen->ids[i] == id)
            return true;
    }
    return false;
}

static void id_add(struct seen *seen, uint64_t id)
{
    if (seen->id_count == seen->id_room && seen->id_room < SEEN_IDS_MAX) {
        seen->id_room = seen->id_room ? 2 * seen->id_room : IDS_FIRST;
        seen->ids =
            memory_resize(seen->ids, seen->id_room * sizeof(*seen->ids));
    }
    seen->ids[seen->id_count++ % seen->id_room] = id;
}

bool seen_is_repeat(struct seen **seen_at, const struct event *event)
{
    struct seen *seen = *seen_at;
    bool is_message = event->kind == STANZA_MESSAGE;
    bool is_known;

    if (!seen)
        seen = *seen_at = memory_new(sizeof(*seen));
    is_known = is_message && !is_newest(seen, event) &&
               id_is_known(seen, id_of(event));
    if (came_this_way(seen, event) || is_known)
        return true;
    if (is_message)
        id_add(seen, id_of(event));
    return false;
}

/* Moving. */

static void write_number(struct buffer *out, uint64_t number)
{
    uint64_t bytes = htole64(number);

    buffer_append(out, (struct slice){(const char *)&bytes, sizeof(bytes)});
}

static bool read_number(struct slice *bytes, uint64_t *number_out)
{
    uint64_t number;

    if (bytes->size < sizeof(number))
        return false;
    memcpy(&number, bytes->data, sizeof(number));
    *number_out = le64toh(number);
    bytes->data += sizeof(number);
    bytes->size -= sizeof(number);
    return true;
}

/* The one used next after that turn; turns begin at 1. */
static const struct seen_path *path_after(const struct seen *seen,
                                          uint32_t turn)
{
    const struct seen_path *next = NULL;

    for (uint32_t i = 0; i < seen->path_count; i++) {
        const struct seen_path *path = &seen->paths[i];

        if (path->used > turn && (!next || path->used < next->used))
            next = path;
    }
    return next;
}

void seen_write(const struct seen *seen, struct buffer *out)
{
    const struct seen_path *path;

    if (!seen)
        return;
    write_number(out, seen->path_count);
    for (path = path_after(seen, 0); path;
         path = path_after(seen, path->used)) {
        write_number(out, path->origin);
        write_number(out, path->path);
        write_number(out, path->sequence);
    }
    for (uint32_t i = ids_kept(seen); i > 0; i--)
        write_number(out, seen->ids[(seen->id_count - i) % seen->id_room]);
}

static bool read_path(struct seen *seen, struct slice *bytes)
{
    struct seen_path path = {.used = ++seen->turn};

    if (!read_number(bytes, &path.origin) || !read_number(bytes, &path.path) ||
        !read_number(bytes, &path.sequence))
        return false;
    *path_add(seen) = path;
    return true;
}

struct seen *seen_read(struct slice bytes)
{
    struct seen *seen;
    uint64_t paths;
    uint64_t id;

    if (!read_number(&bytes, &paths) || paths > SEEN_PATHS_MAX)
        return NULL;
    seen = memory_new(sizeof(*seen));
    while (paths-- > 0 && read_path(seen, &bytes))
        continue;
    while (read_number(&bytes, &id))
        id_add(seen, id);
    return seen;
}
