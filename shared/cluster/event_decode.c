#include "base/log.h"
#include "cluster/event.h"
#include "cluster/event_schema.h"
#include "cluster/pack.h"
#include "xmpp/jid.h"

enum { FIELDS_MAX = 256, VERSION_MAX = 1000000 };

/* Decoding one event. */
struct decoding {
    struct event *event;
    uint64_t seen; /* bit per field */
    bool has_type;
    const char *error;
};

/* Unknown fields that do not stand side by side are put together here; valid
 * until the thread's next event. */
static _Thread_local struct buffer unknown_fields;

static bool bad(struct decoding *decoding, const char *error)
{
    decoding->error = error;
    return false;
}

static bool read_name(const struct event_field *field, struct slice text,
                      void *value)
{
    for (unsigned i = 0; field->values[i]; i++) {
        if (slice_is(text, field->values[i])) {
            *(unsigned *)value = i;
            return true;
        }
    }
    return false;
}

static bool read_signed(const struct pack_token *token, void *value)
{
    if (token->kind == PACK_NEGATIVE)
        *(int64_t *)value = token->negative;
    else if (token->kind == PACK_UNSIGNED && token->number <= INT64_MAX)
        *(int64_t *)value = (int64_t)token->number;
    else
        return false;
    return true;
}

static bool read_list(struct slice *rest, size_t count)
{
    struct pack_token token;

    while (count--) {
        if (!pack_next(rest, &token) || token.kind != PACK_TEXT)
            return false;
    }
    return true;
}

static bool read_slice(enum pack_kind wanted, const struct pack_token *token,
                       void *value)
{
    if (token->kind != wanted)
        return false;
    *(struct slice *)value = token->bytes;
    return true;
}

/* `begin` is where the value begins, `rest` behind its first token. */
static bool read_value(const struct event_field *field,
                       const struct pack_token *token, struct slice begin,
                       struct slice *rest, void *value)
{
    switch (field->kind) {
    case EVENT_FIELD_TEXT:
        return read_slice(PACK_TEXT, token, value);
    case EVENT_FIELD_BYTES:
        return read_slice(PACK_BYTES, token, value);
    case EVENT_FIELD_NAME:
        return token->kind == PACK_TEXT &&
               read_name(field, token->bytes, value);
    case EVENT_FIELD_NUMBER:
        *(uint64_t *)value = token->number;
        return token->kind == PACK_UNSIGNED;
    case EVENT_FIELD_SIGNED:
        return read_signed(token, value);
    case EVENT_FIELD_BOOLEAN:
        *(bool *)value = token->kind == PACK_BOOLEAN && token->number;
        return token->kind == PACK_BOOLEAN;
    case EVENT_FIELD_LIST:
        if (token->kind != PACK_ARRAY ||
            !read_list(rest, (size_t)token->number))
            return false;
        *(struct slice *)value =
            (struct slice){begin.data, begin.size - rest->size};
        return true;
    }
    return false;
}

static bool is_too_long(enum event_field_index index, const void *value)
{
    if (index != FIELD_TO && index != FIELD_FROM && index != FIELD_CONTACT)
        return false;
    return ((const struct slice *)value)->size > JID_TEXT_MAX;
}

static bool read_field(struct decoding *decoding, enum event_field_index index,
                       struct slice *rest)
{
    const struct event_field *field = &event_field_table[index];
    void *value = (char *)decoding->event + field->offset;
    struct slice begin = *rest;
    struct pack_token token;

    if (decoding->seen >> index & 1)
        return bad(decoding, "a field stands twice");
    decoding->seen |= UINT64_C(1) << index;
    if (!pack_next(rest, &token) ||
        !read_value(field, &token, begin, rest, value))
        return bad(decoding, "a field has the wrong type");
    if (is_too_long(index, value))
        return bad(decoding, "a JID is too long");
    return true;
}

static bool read_type(struct decoding *decoding, struct slice *rest)
{
    struct pack_token token;

    if (decoding->has_type)
        return bad(decoding, "a field stands twice");
    if (!pack_next(rest, &token) || token.kind != PACK_TEXT)
        return bad(decoding, "a field has the wrong type");
    decoding->event->type = event_type_find(token.bytes);
    decoding->has_type = true;
    return decoding->event->type != EVENT_TYPE_COUNT ||
           bad(decoding, "unknown event type");
}

static bool keep_unknown(struct decoding *decoding, struct slice begin,
                         struct slice *rest)
{
    struct event *event = decoding->event;
    struct slice field;

    if (!pack_skip(rest))
        return bad(decoding, "a field is broken");
    field = (struct slice){begin.data, begin.size - rest->size};
    if (!event->unknown_count) {
        event->unknown = field;
    } else if (event->unknown.data + event->unknown.size == field.data) {
        event->unknown.size += field.size;
    } else {
        if (event->unknown.data != unknown_fields.data) {
            buffer_clear(&unknown_fields);
            buffer_append(&unknown_fields, event->unknown);
        }
        buffer_append(&unknown_fields, field);
        event->unknown = buffer_slice(&unknown_fields);
    }
    event->unknown_count++;
    return true;
}

static bool read_fields(struct decoding *decoding, struct slice rest,
                        size_t count)
{
    while (count--) {
        struct slice begin = rest;
        struct pack_token name;
        enum event_field_index index;
        bool is_read;

        if (!pack_next(&rest, &name) || name.kind != PACK_TEXT)
            return bad(decoding, "a field's name is not a text");
        index = event_field_find(name.bytes);
        if (index != FIELD_TOTAL)
            is_read = read_field(decoding, index, &rest);
        else if (slice_is(name.bytes, "type"))
            is_read = read_type(decoding, &rest);
        else
            is_read = keep_unknown(decoding, begin, &rest);
        if (!is_read)
            return false;
    }
    return rest.size == 0 || bad(decoding, "bytes behind the event");
}

static bool read_event(struct decoding *decoding, struct slice raw)
{
    struct pack_token map;

    if (!pack_next(&raw, &map) || map.kind != PACK_MAP)
        return bad(decoding, "an event is not a map");
    if (map.number > FIELDS_MAX)
        return bad(decoding, "too many fields");
    if (!read_fields(decoding, raw, (size_t)map.number))
        return false;
    if (!decoding->has_type)
        return bad(decoding, "an event without a type");
    if (event_schemas[decoding->event->type].required & ~decoding->seen)
        return bad(decoding, "a required field is missing");
    return true;
}

enum event_read event_batch_open(struct event_batch *batch, struct slice body,
                                 const char **error_out)
{
    struct pack_token array;
    struct pack_token major;
    struct pack_token minor;

    memset(batch, 0, sizeof(*batch));
    *error_out = "not a batch of events";
    if (!pack_next(&body, &array) || array.kind != PACK_ARRAY ||
        array.number < 2 || array.number > body.size ||
        !pack_next(&body, &major) || major.kind != PACK_UNSIGNED ||
        major.number > VERSION_MAX)
        return EVENT_READ_BROKEN;
    batch->major = major.number;
    if (major.number > EVENT_VERSION_MAJOR) {
        *error_out = "a newer major version of events";
        return EVENT_READ_NEWER;
    }
    if (!pack_next(&body, &minor) || minor.kind != PACK_UNSIGNED ||
        minor.number > VERSION_MAX)
        return EVENT_READ_BROKEN;
    batch->minor = minor.number;
    batch->remaining = (size_t)array.number - 2;
    batch->rest = body;
    *error_out = NULL;
    return EVENT_READ_OK;
}

enum event_read event_batch_next(struct event_batch *batch,
                                 struct event *event_out, struct slice *raw_out,
                                 const char **error_out)
{
    struct decoding decoding = {.event = event_out};
    struct slice begin = batch->rest;

    *error_out = NULL;
    if (!batch->remaining) {
        *error_out = batch->rest.size ? "bytes behind the last event" : NULL;
        batch->rest.size = 0;
        return *error_out ? EVENT_READ_BROKEN : EVENT_READ_END;
    }
    if (!pack_skip(&batch->rest)) {
        *error_out = "a batch is truncated";
        return EVENT_READ_BROKEN;
    }
    batch->remaining--;
    *raw_out = (struct slice){begin.data, begin.size - batch->rest.size};
    event_init(event_out, EVENT_TYPE_COUNT);
    if (read_event(&decoding, *raw_out))
        return EVENT_READ_OK;
    *error_out = decoding.error;
    return EVENT_READ_BAD;
}

bool event_decode(struct slice raw, struct event *event_out,
                  const char **error_out)
{
    struct decoding decoding = {.event = event_out};

    event_init(event_out, EVENT_TYPE_COUNT);
    *error_out = NULL;
    if (read_event(&decoding, raw))
        return true;
    *error_out = decoding.error;
    return false;
}
