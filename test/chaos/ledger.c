#include "ledger.h"

#include <stdlib.h>

#include "bytes.h"

enum {
    MESSAGE_ACKNOWLEDGED = 1,
    MESSAGE_DONE = 2, /* received or bounced */
};

/* All messages of one sender to one recipient, or of all to a silent one: a
 * byte of state for each. */
struct pair {
    uint8_t *states;
    uint32_t count;
    uint32_t capacity;
};

/* Distances to the partners: not all multiples of a number of frontends. */
static const unsigned distances[PARTNERS] = {1, 2, 5, 9};

static struct pair *pairs;
static unsigned client_count;
static unsigned silent_count;
static uint64_t outstanding;

static size_t pair_count(void)
{
    return (size_t)client_count * PARTNERS + silent_count;
}

void ledger_init(unsigned clients, unsigned silent)
{
    client_count = clients;
    silent_count = silent;
    pairs = zeroed(pair_count(), sizeof(*pairs));
}

void ledger_free(void)
{
    for (size_t i = 0; i < pair_count(); i++)
        free(pairs[i].states);
    free(pairs);
}

unsigned ledger_partner(unsigned from, unsigned k)
{
    return (from + distances[k]) % client_count;
}

static struct pair *find_pair(unsigned from, unsigned to)
{
    if (to >= client_count && to - client_count < silent_count)
        return &pairs[(size_t)client_count * PARTNERS + to - client_count];
    for (unsigned k = 0; from < client_count && k < PARTNERS; k++) {
        if (ledger_partner(from, k) == to)
            return &pairs[(size_t)from * PARTNERS + k];
    }
    return NULL;
}

static uint8_t *find_state(unsigned from, unsigned to, uint32_t number)
{
    struct pair *pair = find_pair(from, to);

    return pair && number < pair->count ? &pair->states[number] : NULL;
}

uint32_t ledger_send(unsigned from, unsigned to)
{
    struct pair *pair = find_pair(from, to);

    if (!pair)
        abort();
    if (pair->count == pair->capacity) {
        pair->capacity = pair->capacity ? 2 * pair->capacity : 256;
        pair->states = grow(pair->states, pair->capacity);
    }
    pair->states[pair->count] = 0;
    return pair->count++;
}

void ledger_acknowledged(unsigned from, unsigned to, uint32_t number)
{
    uint8_t *state = find_state(from, to, number);

    if (!state || (*state & MESSAGE_ACKNOWLEDGED))
        return;
    *state |= MESSAGE_ACKNOWLEDGED;
    if (!(*state & MESSAGE_DONE))
        outstanding++;
}

static bool finish(unsigned from, unsigned to, uint32_t number)
{
    uint8_t *state = find_state(from, to, number);

    if (!state || (*state & MESSAGE_DONE))
        return false;
    *state |= MESSAGE_DONE;
    if (*state & MESSAGE_ACKNOWLEDGED)
        outstanding--;
    return true;
}

void ledger_bounced(unsigned from, unsigned to, uint32_t number)
{
    finish(from, to, number);
}

bool ledger_received(unsigned from, unsigned to, uint32_t number)
{
    return finish(from, to, number);
}

uint64_t ledger_outstanding(void)
{
    return outstanding;
}
