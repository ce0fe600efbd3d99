#include "cluster/event.h"

#include <msgpack.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cluster/event_schema.h"
#include "unit.h"

enum { NO_FIELD = 1000 };

/* Writing by hand, as somebody else's library would. */

static int append(void *buffer, const char *data, size_t size)
{
    buffer_append(buffer, (struct slice){data, size});
    return 0;
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

static void pack_right(msgpack_packer *packer, const struct event_field *field)
{
    switch (field->kind) {
    case EVENT_FIELD_TEXT:
        pack_text(packer, "a@b");
        break;
    case EVENT_FIELD_BYTES:
        msgpack_pack_bin(packer, 2);
        msgpack_pack_bin_body(packer, "\0\1", 2);
        break;
    case EVENT_FIELD_NUMBER:
        msgpack_pack_uint64(packer, 70000);
        break;
    case EVENT_FIELD_SIGNED:
        msgpack_pack_int(packer, -5);
        break;
    case EVENT_FIELD_BOOLEAN:
        msgpack_pack_true(packer);
        break;
    case EVENT_FIELD_NAME:
        pack_text(packer, field->values[1]);
        break;
    case EVENT_FIELD_LIST:
        msgpack_pack_array(packer, 2);
        pack_text(packer, "one");
        pack_text(packer, "two");
        break;
    }
}

/* Something no field of that kind may be. */
static void pack_wrong(msgpack_packer *packer, const struct event_field *field)
{
    if (field->kind == EVENT_FIELD_NUMBER)
        pack_text(packer, "70000");
    else if (field->kind == EVENT_FIELD_NAME)
        pack_text(packer, "no such name");
    else
        msgpack_pack_map(packer, 0);
}

struct shape {
    enum event_type type;
    bool only_required;
    size_t without, wrong, twice; /* fields, or NO_FIELD */
    bool has_unknown;
};

static bool is_written(const struct shape *shape, size_t field)
{
    return field != shape->without &&
           (!shape->only_required || event_type_requires(shape->type, field));
}

static void pack_field(msgpack_packer *packer, const struct shape *shape,
                       size_t index)
{
    size_t count;
    const struct event_field *field = &event_fields(&count)[index];

    pack_text(packer, field->name);
    if (index == shape->wrong)
        pack_wrong(packer, field);
    else
        pack_right(packer, field);
}

static void write_event(struct buffer *out, const struct shape *shape)
{
    msgpack_packer packer;
    size_t fields;
    size_t count = 1;

    event_fields(&fields);
    count += shape->has_unknown;
    count += shape->twice != NO_FIELD;
    for (size_t i = 0; i < fields; i++)
        count += is_written(shape, i);
    msgpack_packer_init(&packer, out, append);
    msgpack_pack_map(&packer, count);
    pack_text(&packer, "type");
    pack_text(&packer, event_type_name(shape->type));
    for (size_t i = 0; i < fields; i++) {
        if (is_written(shape, i))
            pack_field(&packer, shape, i);
    }
    if (shape->twice != NO_FIELD)
        pack_field(&packer, shape, shape->twice);
    if (shape->has_unknown) {
        pack_text(&packer, "colour");
        msgpack_pack_array(&packer, 1);
        pack_text(&packer, "red");
    }
}

static const struct shape whole = {
    .without = NO_FIELD, .wrong = NO_FIELD, .twice = NO_FIELD};

static struct buffer shaped(struct shape shape, enum event_type type)
{
    struct buffer bytes = BUFFER_EMPTY;

    shape.type = type;
    write_event(&bytes, &shape);
    return bytes;
}

static bool decodes(struct slice raw, struct event *event_out)
{
    const char *error = NULL;
    bool is_good = event_decode(raw, event_out, &error);

    CU_ASSERT_TRUE(is_good || error);
    return is_good;
}

/* Every type, with every field and with the required ones: decoding, encoding
 * and decoding again gives the same, unknown fields included. */
static void round_trip(struct shape shape, enum event_type type)
{
    struct buffer first = shaped(shape, type);
    struct buffer second = BUFFER_EMPTY;
    struct buffer third = BUFFER_EMPTY;
    struct event event, again;

    if (!decodes(buffer_slice(&first), &event)) {
        printf("\n    %s is not read", event_type_name(type));
        CU_FAIL("round trip");
    } else {
        CU_ASSERT_EQUAL(event.type, type);
        event_encode(&second, &event);
        CU_ASSERT_TRUE(decodes(buffer_slice(&second), &again));
        event_encode(&third, &again);
        CU_ASSERT_EQUAL(second.size, first.size);
        CU_ASSERT_TRUE(
            slice_equal(buffer_slice(&second), buffer_slice(&third)));
    }
    buffer_deinit(&first);
    buffer_deinit(&second);
    buffer_deinit(&third);
}

static void test_round_trip(void)
{
    struct shape required = whole;
    struct shape unknown = whole;

    required.only_required = true;
    unknown.has_unknown = true;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        round_trip(whole, (enum event_type)type);
        round_trip(required, (enum event_type)type);
        round_trip(unknown, (enum event_type)type);
    }
}

static void expect_bad(struct shape shape, enum event_type type, size_t field)
{
    struct buffer bytes = shaped(shape, type);
    struct event event;
    size_t count;

    if (decodes(buffer_slice(&bytes), &event)) {
        printf("\n    %s, %s", event_type_name(type),
               event_fields(&count)[field].name);
        CU_FAIL("was read");
    }
    buffer_deinit(&bytes);
}

static void test_strict(void)
{
    size_t count;

    event_fields(&count);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        for (size_t field = 0; field < count; field++) {
            struct shape missing = whole, wrong = whole, twice = whole;

            missing.without = wrong.wrong = twice.twice = field;
            if (event_type_requires((enum event_type)type, field))
                expect_bad(missing, (enum event_type)type, field);
            expect_bad(wrong, (enum event_type)type, field);
            expect_bad(twice, (enum event_type)type, field);
        }
    }
}

static void test_truncated(void)
{
    struct buffer bytes = shaped(whole, EVENT_STANZA_ROUTE);
    struct event event;

    for (size_t size = 0; size < bytes.size; size++) {
        /* On the heap, so that a byte read too far is seen. */
        char *copy = malloc(size ? size : 1);

        memcpy(copy, bytes.data, size);
        CU_ASSERT_FALSE(decodes((struct slice){copy, size}, &event));
        free(copy);
    }
    buffer_append_byte(&bytes, '\0');
    CU_ASSERT_FALSE(decodes(buffer_slice(&bytes), &event));
    buffer_deinit(&bytes);
}

static void test_hostile(void)
{
    const struct slice bodies[] = {
        SLICE(""),
        SLICE("\x81\xa4type\xa7no.such"),
        SLICE("\x80"),                 /* no type */
        SLICE("\xdf\xff\xff\xff\xff"), /* a map of 2^32 */
        SLICE("\x81\xa4type\xdb\xff\xff\xff\xff"
              "a"),
        SLICE("\x81\xa4type\x01"),
        SLICE("\xc1"),
        SLICE("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"),
    };
    struct buffer deep = BUFFER_EMPTY;
    struct event event;

    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
        CU_ASSERT_FALSE(decodes(bodies[i], &event));
    buffer_append_text(&deep, "\x82\xa4type\xacstanza.route\xa1x");
    for (int i = 0; i < 100000; i++)
        buffer_append_byte(&deep, (char)0x91);
    CU_ASSERT_FALSE(decodes(buffer_slice(&deep), &event));
    buffer_deinit(&deep);
}

/* Batches. */

static void batch_header(struct buffer *out, unsigned major, unsigned minor,
                         size_t events)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, append);
    msgpack_pack_array(&packer, events + 2);
    msgpack_pack_unsigned_int(&packer, major);
    msgpack_pack_unsigned_int(&packer, minor);
}

/* One bad event costs nobody else anything. */
static void test_batch(void)
{
    struct shape bad = whole;
    struct buffer body = BUFFER_EMPTY;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;

    bad.type = EVENT_SESSION_KICK;
    bad.wrong = FIELD_SESSION;
    batch_header(&body, EVENT_VERSION_MAJOR, EVENT_VERSION_MINOR, 3);
    write_event(&body, &whole);
    write_event(&body, &bad);
    write_event(&body, &whole);
    CU_ASSERT_EQUAL(event_batch_open(&batch, buffer_slice(&body), &error),
                    EVENT_READ_OK);
    CU_ASSERT_EQUAL(event_batch_next(&batch, &event, &raw, &error),
                    EVENT_READ_OK);
    CU_ASSERT_EQUAL(event_batch_next(&batch, &event, &raw, &error),
                    EVENT_READ_BAD);
    CU_ASSERT_PTR_NOT_NULL(error);
    CU_ASSERT_EQUAL(event_batch_next(&batch, &event, &raw, &error),
                    EVENT_READ_OK);
    CU_ASSERT_EQUAL(event_batch_next(&batch, &event, &raw, &error),
                    EVENT_READ_END);
    buffer_deinit(&body);
}

static enum event_read read_version(unsigned major, unsigned minor)
{
    struct shape shape = whole;
    struct buffer body = BUFFER_EMPTY;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;
    enum event_read read;

    shape.has_unknown = minor > EVENT_VERSION_MINOR;
    batch_header(&body, major, minor, 1);
    write_event(&body, &shape);
    read = event_batch_open(&batch, buffer_slice(&body), &error);
    if (read == EVENT_READ_OK)
        read = event_batch_next(&batch, &event, &raw, &error);
    buffer_deinit(&body);
    return read;
}

static void test_versions(void)
{
    CU_ASSERT_EQUAL(read_version(EVENT_VERSION_MAJOR, EVENT_VERSION_MINOR + 1),
                    EVENT_READ_OK);
    CU_ASSERT_EQUAL(read_version(EVENT_VERSION_MAJOR, 0), EVENT_READ_OK);
    CU_ASSERT_EQUAL(read_version(EVENT_VERSION_MAJOR + 1, 0), EVENT_READ_NEWER);
}

/* As version 1.0 wrote it: these bytes must be read for ever. */
static void test_version_1_0(void)
{
    const struct slice body = SLICE(
        "\x93\x01\x00\x87\xa4type\xacstanza.route\xa6origin\x07\xa3seq\x09"
        "\xa2to\xa3"
        "a@b\xa4"
        "from\xa5"
        "c@d/e\xa4kind\xa7message"
        "\xa7payload\xc4\x04<x/>");
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;

    CU_ASSERT_EQUAL(event_batch_open(&batch, body, &error), EVENT_READ_OK);
    CU_ASSERT_EQUAL_FATAL(event_batch_next(&batch, &event, &raw, &error),
                          EVENT_READ_OK);
    CU_ASSERT_EQUAL(event.type, EVENT_STANZA_ROUTE);
    CU_ASSERT_EQUAL(event.origin, 7);
    CU_ASSERT_EQUAL(event.sequence, 9);
    CU_ASSERT_EQUAL(event.kind, STANZA_MESSAGE);
    CU_ASSERT_TRUE(slice_is(event.to, "a@b"));
    CU_ASSERT_TRUE(slice_is(event.from, "c@d/e"));
    CU_ASSERT_TRUE(slice_is(event.payload, "<x/>"));
}

static const struct unit_case cases[] = {
    {"round trip of every type", test_round_trip},
    {"missing, wrong, twice", test_strict},
    {"truncated", test_truncated},
    {"hostile", test_hostile},
    {"good, bad, good", test_batch},
    {"versions", test_versions},
    {"version 1.0", test_version_1_0},
};

int main(void)
{
    return unit_run("event", cases, ARRAY_SIZE(cases));
}
