#include "cluster/member.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>

/* Three announcements. */
enum { FRESH_MS = 3000 };

struct members {
    const struct member_hooks *hooks;
    void *owner;
    const char *domain;
    unsigned grace;
    char self[NAME_MAX_BYTES];
    char stranger[NAME_MAX_BYTES]; /* the last one: daemon and instance */
    uint64_t heard_self_ms;        /* 0: never */
    uint64_t tick;                 /* last own one: see members_heard */
    struct member **list;          /* sorted by node name */
    size_t count;
    size_t room;
};

struct members *members_create(const char *self, const char *domain,
                               unsigned grace, const struct member_hooks *hooks,
                               void *owner)
{
    struct members *members = memory_new(sizeof(*members));

    snprintf(members->self, sizeof(members->self), "%s", self);
    members->domain = domain;
    members->grace = grace;
    members->hooks = hooks;
    members->owner = owner;
    return members;
}

static void member_free(struct member *member)
{
    memory_free(&member->serves);
    memory_free(&member);
}

void members_destroy(struct members **members)
{
    if (!*members)
        return;
    for (size_t i = 0; i < (*members)->count; i++)
        member_free((*members)->list[i]);
    memory_free(&(*members)->list);
    memory_free(members);
}

/* Where `node` is or belongs. */
static size_t member_position(const struct members *members, struct slice node,
                              bool *is_there_out)
{
    size_t position = 0;
    int order = 1;

    for (; position < members->count; position++) {
        struct slice other = slice_of(members->list[position]->node);
        size_t size = node.size < other.size ? node.size : other.size;

        order = memcmp(node.data, other.data, size);
        if (order == 0 && node.size != other.size)
            order = node.size < other.size ? -1 : 1;
        if (order <= 0)
            break;
    }
    *is_there_out = position < members->count && order == 0;
    return position;
}

static void copy_text(char *out, size_t room, struct slice text)
{
    snprintf(out, room, "%.*s", SLICE_FORMAT(text));
}

static struct member *member_insert(struct members *members, size_t position,
                                    const struct event *announce)
{
    struct member *member = memory_new(sizeof(*member));

    copy_text(member->node, sizeof(member->node), announce->node);
    member->is_self = slice_is(announce->node, members->self);
    if (members->count == members->room) {
        members->room = members->room ? 2 * members->room : 16;
        members->list = memory_resize(members->list,
                                      members->room * sizeof(*members->list));
    }
    memmove(members->list + position + 1, members->list + position,
            (members->count - position) * sizeof(*members->list));
    members->list[position] = member;
    members->count++;
    return member;
}

/* Tools come and go all the time. */
static enum log_level log_level_of(const struct member *member)
{
    return member->is_stranger || !strcmp(member->kind, KIND_TOOL)
               ? LOG_LEVEL_DEBUG
               : LOG_LEVEL_INFO;
}

/* Takes it out of the list first, so that the hook sees the new view. */
static void member_leave(struct members *members, size_t position,
                         bool in_order)
{
    struct member *member = members->list[position];

    members->count--;
    memmove(members->list + position, members->list + position + 1,
            (members->count - position) * sizeof(*members->list));
    log_write(log_level_of(member), "member %s: left%s", member->node,
              in_order ? "" : " without a word");
    if (members->hooks->left && !member->is_stranger)
        members->hooks->left(members->owner, member, in_order);
    member_free(member);
}

static enum member_state state_parse(struct slice text)
{
    if (slice_is(text, "leaving"))
        return MEMBER_LEAVING;
    if (slice_is(text, "draining"))
        return MEMBER_DRAINING;
    return slice_is(text, "up") ? MEMBER_UP : MEMBER_STARTING;
}

/* True when something others act on has changed. */
static bool member_update(struct member *member, const struct event *announce)
{
    enum member_state state = state_parse(announce->state);
    bool is_changed =
        member->state != state ||
        !slice_equal(announce->shares, slice_of(member->shares)) ||
        !slice_equal(announce->declined, slice_of(member->declined));
    struct slice serves = {member->serves, member->serves_size};

    member->boot = announce->origin;
    member->state = state;
    member->service = service_find(announce->service);
    copy_text(member->kind, sizeof(member->kind), announce->service);
    copy_text(member->shares, sizeof(member->shares), announce->shares);
    copy_text(member->declined, sizeof(member->declined), announce->declined);
    copy_text(member->address, sizeof(member->address), announce->address);
    if (!slice_equal(announce->serves, serves)) {
        memory_free(&member->serves);
        member->serves_size = announce->serves.size;
        member->serves = memory_copy_text(announce->serves);
        is_changed = true;
    }
    member->heard_ms = clock_now_ms();
    member->silent = 0;
    return is_changed;
}

/* Our own announcement came back: everybody else had another chance. */
static void members_grow_older(struct members *members)
{
    for (size_t i = members->count; i-- > 0;) {
        struct member *member = members->list[i];

        if (!member->is_self && ++member->silent > members->grace)
            member_leave(members, i, false);
    }
}

/* Announcements out of turn, when something changed, are not counted. */
static void own_heard(struct members *members, const struct event *announce)
{
    members->heard_self_ms = clock_now_ms();
    if (announce->mark == members->tick)
        return;
    members->tick = announce->mark;
    members_grow_older(members);
}

bool members_is_stranger(const struct members *members,
                         const struct event *announce)
{
    return slice_is_set(announce->domain) &&
           !slice_is(announce->domain, members->domain);
}

/* One that is started again and again has a new node each time. */
static bool is_same_stranger(struct members *members,
                             const struct member *member)
{
    char name[NAME_MAX_BYTES];
    bool is_same;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(member->node, "-"),
             member->node);
    is_same = !strcmp(name, members->stranger);
    snprintf(members->stranger, sizeof(members->stranger), "%s", name);
    return is_same;
}

/* Kept like a member, so that it is spoken of once. */
static void stranger_joined(struct members *members, struct member *member,
                            const struct event *announce)
{
    member->is_stranger = true;
    log_write(is_same_stranger(members, member) ? LOG_LEVEL_DEBUG
                                                : LOG_LEVEL_ERROR,
              "member %s: its domain is %.*s, ours %s: it does not count",
              member->node, SLICE_FORMAT(announce->domain), members->domain);
    if (members->hooks->stranger)
        members->hooks->stranger(members->owner, member);
}

static void member_joined(struct members *members, const struct member *member)
{
    log_write(log_level_of(member), "member %s: joined", member->node);
    if (members->hooks->joined)
        members->hooks->joined(members->owner, member);
}

void members_heard(struct members *members, const struct event *announce)
{
    bool is_there;
    bool is_changed;
    struct member *member;
    size_t position = member_position(members, announce->node, &is_there);

    if (announce->node.size >= NAME_MAX_BYTES)
        return;
    if (slice_is(announce->state, "leaving")) {
        if (is_there)
            member_leave(members, position, true);
        return;
    }
    member = is_there ? members->list[position]
                      : member_insert(members, position, announce);
    is_changed = member_update(member, announce);
    if (!is_there && members_is_stranger(members, announce))
        stranger_joined(members, member, announce);
    else if (!is_there)
        member_joined(members, member);
    else if (is_changed && !member->is_stranger && members->hooks->changed)
        members->hooks->changed(members->owner, member);
    if (member->is_self)
        own_heard(members, announce);
}

const struct member *members_next(const struct members *members,
                                  const struct member *member)
{
    bool is_there;
    size_t position = 0;

    if (member)
        position =
            member_position(members, slice_of(member->node), &is_there) + 1;
    while (position < members->count && members->list[position]->is_stranger)
        position++;
    return position < members->count ? members->list[position] : NULL;
}

const struct member *members_find(const struct members *members,
                                  struct slice node)
{
    bool is_there;
    size_t position = member_position(members, node, &is_there);

    return is_there && !members->list[position]->is_stranger
               ? members->list[position]
               : NULL;
}

bool member_declines(const struct member *member, unsigned partition)
{
    return strlen(member->declined) > partition &&
           member->declined[partition] == 'x';
}

bool members_is_fresh(const struct members *members)
{
    return members->heard_self_ms &&
           clock_now_ms() - members->heard_self_ms < FRESH_MS;
}
