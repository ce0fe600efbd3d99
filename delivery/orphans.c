#include "orphans.h"

#include "base/clock.h"
#include "session_copy.h"

/* Whoever has logged in longer ago than that did so before the frontend was
 * gone: the grace time, the time until the register is read, and a clock that
 * is wrong by some seconds. */
enum { YOUNG_MS = 30000 };

static bool is_young(const struct session *session)
{
    return session->stamp + YOUNG_MS > clock_unix_ms();
}

void orphan_found(void *state, struct slice node, struct output *output)
{
    struct delivery *delivery = state;
    size_t position = 0;
    struct slice bare;
    void *value;

    map_put(delivery->orphans, node, delivery);
    while (map_next(delivery->users, &position, &bare, &value)) {
        struct user *user = value;

        for (const struct session *session = user->sessions; session;
             session = session->next) {
            if (is_young(session))
                fence_orphan(delivery, user, session, node, output);
        }
    }
}

void orphan_drained(struct delivery *delivery, struct slice node)
{
    map_remove(delivery->orphans, node);
}

void orphans_fence(struct delivery *delivery, struct user *user,
                   const struct session *session, struct output *output)
{
    size_t position = 0;
    struct slice node;
    void *value;

    while (map_next(delivery->orphans, &position, &node, &value))
        fence_orphan(delivery, user, session, node, output);
}
