#include "cluster/directed.h"

bool directed_has(const struct map *directed, struct slice to)
{
    return directed && map_find(directed, to);
}

static size_t count_bytes(const struct map *directed)
{
    size_t bytes = 0;
    size_t position = 0;
    struct slice to;
    void *value;

    while (map_next(directed, &position, &to, &value))
        bytes += to.size;
    return bytes;
}

bool directed_has_room(const struct map *directed, struct slice to)
{
    if (!directed || map_find(directed, to))
        return true;
    return map_count(directed) < DIRECTED_MAX &&
           count_bytes(directed) + to.size <= DIRECTED_MAX_BYTES;
}

static void add(struct map **directed, struct slice to)
{
    if (!directed_has_room(*directed, to))
        return;
    if (!*directed)
        *directed = map_create();
    map_put(*directed, to, *directed);
}

static void take_off(struct map **directed, struct slice to)
{
    if (!*directed)
        return;
    map_remove(*directed, to);
    if (!map_count(*directed))
        map_destroy(directed);
}

void directed_note(struct map **directed, struct slice to, bool is_available)
{
    if (is_available)
        add(directed, to);
    else
        take_off(directed, to);
}

struct slice directed_write(const struct map *directed, struct buffer *out)
{
    struct slice names[DIRECTED_MAX];
    size_t position = 0;
    size_t count = 0;
    void *value;

    if (!directed)
        return SLICE_NONE;
    while (count < DIRECTED_MAX &&
           map_next(directed, &position, &names[count], &value))
        count++;
    event_list_write(out, names, count);
    return buffer_slice(out);
}

static void note_all(struct map **directed, struct slice names,
                     bool is_available)
{
    struct event_list list;
    struct slice to;

    event_list_open(&list, names);
    while (event_list_next(&list, &to))
        directed_note(directed, to, is_available);
}

void directed_read(struct map **directed, struct slice names)
{
    map_destroy(directed);
    note_all(directed, names, true);
}

void directed_remove(struct map **directed, struct slice names)
{
    note_all(directed, names, false);
}

void directed_end(struct map **directed, const struct event *unavailable,
                  struct output *output)
{
    struct event event = *unavailable;
    size_t position = 0;
    void *value;

    while (*directed && map_next(*directed, &position, &event.to, &value))
        output_to_user(output, SERVICE_DELIVERY, event.to, &event);
    map_destroy(directed);
}
