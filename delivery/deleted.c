#include "deleted.h"

#include "base/memory.h"
#include "delivery.h"

enum { KEPT_MS = 60 * 60 * 1000 };

struct deleted {
    uint64_t since_ms;
};

void deleted_note(struct delivery *delivery, struct slice user, uint64_t now_ms)
{
    struct deleted *deleted = memory_new(sizeof(*deleted));

    deleted_forget(delivery, user);
    deleted->since_ms = now_ms;
    map_put(delivery->deleted, user, deleted);
}

void deleted_forget(struct delivery *delivery, struct slice user)
{
    struct deleted *deleted = map_remove(delivery->deleted, user);

    memory_free(&deleted);
}

bool deleted_has(const struct delivery *delivery, struct slice user)
{
    return map_find(delivery->deleted, user) != NULL;
}

void deleted_tick(struct delivery *delivery, uint64_t now_ms)
{
    size_t position = 0;
    struct slice user;
    void *value;

    while (map_next(delivery->deleted, &position, &user, &value)) {
        const struct deleted *deleted = value;

        if (now_ms >= deleted->since_ms + KEPT_MS)
            deleted_forget(delivery, user);
    }
}
