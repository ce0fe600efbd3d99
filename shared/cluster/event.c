#include "cluster/event.h"

#include <inttypes.h>
#include <msgpack/pack.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/event_schema.h"
#include "cluster/pack.h"
#include "xmpp/jid.h"

void event_init(struct event *event, enum event_type type)
{
    memset(event, 0, sizeof(*event));
    event->type = type;
}

void event_follow(struct event *event, enum event_type type,
                  const struct event *cause)
{
    event_init(event, type);
    event->origin = cause->origin;
    event->sequence = cause->sequence;
    event->path = cause->path;
    event->trace = cause->trace;
    event->deadline = cause->deadline;
}

void event_copy_as(struct event *event, enum event_type type,
                   const struct event *source)
{
    *event = *source;
    event->type = type;
}

/* Lists of texts. */

static int write_bytes(void *buffer, const char *data, size_t size)
{
    buffer_append(buffer, (struct slice){data, size});
    return 0;
}

bool event_is_request(const struct event *event)
{
    return event->kind == STANZA_IQ &&
           (slice_is(event->subtype, "get") || slice_is(event->subtype, "set"));
}

void event_address_bare(struct event *event)
{
    struct slice resource = jid_text_resource(event->to);

    if (!slice_is_set(resource))
        return;
    event->resource = resource;
    event->to = jid_text_bare(event->to);
}

void event_delay(struct event *event)
{
    if (!event->stamp)
        event->stamp = event->received ? event->received : clock_unix_ms();
}

void event_list_write(struct buffer *out, const struct slice *items,
                      size_t count)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, write_bytes);
    msgpack_pack_array(&packer, count);
    for (size_t i = 0; i < count; i++)
        msgpack_pack_str_with_body(&packer, items[i].data ? items[i].data : "",
                                   items[i].size);
}

void event_list_open(struct event_list *list, struct slice raw)
{
    struct pack_token token;

    list->rest = raw;
    list->remaining = 0;
    if (raw.data && pack_next(&list->rest, &token) && token.kind == PACK_ARRAY)
        list->remaining = (size_t)token.number;
}

bool event_list_next(struct event_list *list, struct slice *item_out)
{
    struct pack_token token;

    if (!list->remaining || !pack_next(&list->rest, &token) ||
        token.kind != PACK_TEXT)
        return false;
    list->remaining--;
    *item_out = token.bytes;
    return true;
}

/* For people. */

static bool is_secret(size_t index)
{
    return index == FIELD_SALT || index == FIELD_STORED_KEY ||
           index == FIELD_SERVER_KEY || index == FIELD_KEYS;
}

static void describe_text(struct buffer *out, struct slice text)
{
    char printable[1024];

    buffer_append_text(out, log_printable(text, printable, sizeof(printable)));
}

static void describe_list(struct buffer *out, struct slice raw)
{
    struct event_list list;
    struct slice item;
    const char *separator = "";

    event_list_open(&list, raw);
    while (event_list_next(&list, &item)) {
        buffer_append_text(out, separator);
        describe_text(out, item);
        separator = ",";
    }
}

static bool field_is_set(const struct event_field *field, const void *value)
{
    static const char zero[sizeof(uint64_t)];

    switch (field->kind) {
    case EVENT_FIELD_TEXT:
    case EVENT_FIELD_BYTES:
    case EVENT_FIELD_LIST:
        return ((const struct slice *)value)->data != NULL;
    case EVENT_FIELD_NUMBER:
    case EVENT_FIELD_SIGNED:
        return memcmp(value, zero, sizeof(uint64_t)) != 0;
    case EVENT_FIELD_NAME:
        return *(const unsigned *)value != 0;
    case EVENT_FIELD_BOOLEAN:
        break;
    }
    return *(const bool *)value;
}

static void describe_field(struct buffer *out, const struct event_field *field,
                           const void *value, bool with_payload)
{
    const struct slice *slice = value;

    switch (field->kind) {
    case EVENT_FIELD_TEXT:
        describe_text(out, *slice);
        break;
    case EVENT_FIELD_BYTES:
        if (with_payload)
            describe_text(out, *slice);
        else
            buffer_appendf(out, "%zuB", slice->size);
        break;
    case EVENT_FIELD_LIST:
        describe_list(out, *slice);
        break;
    case EVENT_FIELD_NUMBER:
        buffer_appendf(out, "%" PRIu64, *(const uint64_t *)value);
        break;
    case EVENT_FIELD_SIGNED:
        buffer_appendf(out, "%" PRId64, *(const int64_t *)value);
        break;
    case EVENT_FIELD_BOOLEAN:
        buffer_append_text(out, "yes");
        break;
    case EVENT_FIELD_NAME:
        buffer_append_text(out, field->values[*(const unsigned *)value]);
        break;
    }
}

void event_describe(struct buffer *out, const struct event *event,
                    bool with_payload)
{
    buffer_append_text(out, event_type_name(event->type));
    for (size_t i = 0; i < FIELD_TOTAL; i++) {
        const struct event_field *field = &event_field_table[i];
        const void *value = (const char *)event + field->offset;

        if (!field_is_set(field, value) && !event_type_requires(event->type, i))
            continue;
        buffer_appendf(out, " %s=", field->name);
        if (is_secret(i))
            buffer_append_text(out, "...");
        else
            describe_field(out, field, value, with_payload);
    }
    if (event->unknown_count)
        buffer_appendf(out, " +%" PRIu64 " unknown", event->unknown_count);
}

/* Encoding. */

static bool is_written(const struct event *event, size_t index)
{
    const struct event_field *field = &event_field_table[index];

    return event_type_requires(event->type, index) ||
           field_is_set(field, (const char *)event + field->offset);
}

static void pack_text(msgpack_packer *packer, struct slice text)
{
    msgpack_pack_str(packer, text.size);
    msgpack_pack_str_body(packer, text.data, text.size);
}

/* Lists are encoded already. */
static void pack_slice(msgpack_packer *packer, enum event_field_kind kind,
                       struct slice value)
{
    BUG_ON(!value.data);
    if (kind == EVENT_FIELD_TEXT) {
        pack_text(packer, value);
    } else if (kind == EVENT_FIELD_BYTES) {
        msgpack_pack_bin(packer, value.size);
        msgpack_pack_bin_body(packer, value.data, value.size);
    } else {
        write_bytes(packer->data, value.data, value.size);
    }
}

static void pack_field(msgpack_packer *packer, const struct event *event,
                       size_t index)
{
    const struct event_field *field = &event_field_table[index];
    const void *value = (const char *)event + field->offset;

    pack_text(packer, slice_of(field->name));
    switch (field->kind) {
    case EVENT_FIELD_TEXT:
    case EVENT_FIELD_BYTES:
    case EVENT_FIELD_LIST:
        pack_slice(packer, field->kind, *(const struct slice *)value);
        break;
    case EVENT_FIELD_NUMBER:
        msgpack_pack_uint64(packer, *(const uint64_t *)value);
        break;
    case EVENT_FIELD_SIGNED:
        msgpack_pack_int64(packer, *(const int64_t *)value);
        break;
    case EVENT_FIELD_BOOLEAN:
        if (*(const bool *)value)
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    case EVENT_FIELD_NAME:
        pack_text(packer, slice_of(field->values[*(const unsigned *)value]));
        break;
    }
}

void event_encode(struct buffer *out, const struct event *event)
{
    msgpack_packer packer;
    unsigned char written[FIELD_TOTAL];
    size_t count = 0;

    BUG_ON(event->type >= EVENT_TYPE_COUNT);
    BUG_ON(event->kind == STANZA_OTHER);
    for (size_t i = 0; i < FIELD_TOTAL; i++) {
        if (is_written(event, i))
            written[count++] = (unsigned char)i;
    }
    msgpack_packer_init(&packer, out, write_bytes);
    msgpack_pack_map(&packer, count + 1 + (size_t)event->unknown_count);
    pack_text(&packer, SLICE("type"));
    pack_text(&packer, slice_of(event_schemas[event->type].name));
    for (size_t i = 0; i < count; i++)
        pack_field(&packer, event, written[i]);
    if (event->unknown_count)
        buffer_append(out, event->unknown);
}

void event_batch_header(struct buffer *out, size_t count)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, write_bytes);
    msgpack_pack_array(&packer, count + 2);
    msgpack_pack_int(&packer, EVENT_VERSION_MAJOR);
    msgpack_pack_int(&packer, EVENT_VERSION_MINOR);
}
