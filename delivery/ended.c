#include "ended.h"

#include <sys/queue.h>

#include "base/map.h"
#include "base/memory.h"

enum { ENDED_MAX = 10000 };

struct ended_session {
    TAILQ_ENTRY(ended_session) link;
    uint64_t session;
    uint64_t handled;
};

struct ended {
    struct map *sessions;
    TAILQ_HEAD(, ended_session) oldest_first;
};

struct ended *ended_create(void)
{
    struct ended *ended = memory_new(sizeof(*ended));

    ended->sessions = map_create();
    TAILQ_INIT(&ended->oldest_first);
    return ended;
}

static void forget(struct ended *ended, struct ended_session *session)
{
    map_remove(ended->sessions, map_key_u64(&session->session));
    TAILQ_REMOVE(&ended->oldest_first, session, link);
    memory_free(&session);
}

void ended_destroy(struct ended **ended)
{
    struct ended_session *session;

    while ((session = TAILQ_FIRST(&(*ended)->oldest_first)))
        forget(*ended, session);
    map_destroy(&(*ended)->sessions);
    memory_free(ended);
}

void ended_note(struct ended *ended, uint64_t id, uint64_t handled)
{
    struct ended_session *session = map_find(ended->sessions, map_key_u64(&id));

    if (session)
        forget(ended, session);
    session = memory_new(sizeof(*session));
    session->session = id;
    session->handled = handled;
    map_put(ended->sessions, map_key_u64(&session->session), session);
    TAILQ_INSERT_TAIL(&ended->oldest_first, session, link);
    if (map_count(ended->sessions) > ENDED_MAX)
        forget(ended, TAILQ_FIRST(&ended->oldest_first));
}

uint64_t ended_find(const struct ended *ended, uint64_t id)
{
    const struct ended_session *session =
        map_find(ended->sessions, map_key_u64(&id));

    return session ? session->handled : 0;
}
