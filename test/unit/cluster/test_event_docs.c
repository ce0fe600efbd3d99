/* docs/EVENTS.md says what the schema says.  Run from the repository's root. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/buffer.h"
#include "base/log.h"
#include "cluster/event_schema.h"
#include "cluster/names.h"

enum { CELLS_MAX = 8, NAME_BYTES = 64 };

static const char page_path[] = "docs/EVENTS.md";
static struct buffer page;

static void page_read(void)
{
    FILE *file = fopen(page_path, "re");
    char chunk[4096];
    size_t size;

    BUG_ON(!file);
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buffer_append(&page, (struct slice){chunk, size});
    fclose(file);
}

/* Text. */

static bool take_until(struct slice *rest, char end, struct slice *part_out)
{
    const char *found = rest->size ? memchr(rest->data, end, rest->size) : NULL;

    if (!found)
        return false;
    *part_out = (struct slice){rest->data, (size_t)(found - rest->data)};
    rest->size -= part_out->size + 1;
    rest->data = found + 1;
    return true;
}

static struct slice trim(struct slice text)
{
    while (text.size && *text.data == ' ') {
        text.data++;
        text.size--;
    }
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* The next `code` of a cell. */
static bool take_code(struct slice *cell, struct slice *code_out)
{
    struct slice before;

    return take_until(cell, '`', &before) && take_until(cell, '`', code_out);
}

/* A cell with nothing but one `name`. */
static struct slice name_of(struct slice cell)
{
    struct slice name = SLICE_NONE;

    CU_ASSERT_TRUE(take_code(&cell, &name));
    CU_ASSERT_EQUAL(cell.size, 0);
    return name;
}

/* Tables. */

struct row {
    struct slice cells[CELLS_MAX];
    size_t count;
};

static bool row_read(struct slice line, struct row *row)
{
    struct slice cell;

    row->count = 0;
    if (!take_until(&line, '|', &cell))
        return false;
    while (take_until(&line, '|', &cell)) {
        BUG_ON(row->count == CELLS_MAX);
        row->cells[row->count++] = trim(cell);
    }
    return true;
}

typedef void (*row_fn)(const struct row *row);

/* Calls `take` for each row of the table with that header; returns how many. */
static size_t table_each(const char *header, row_fn take)
{
    struct slice rest = buffer_slice(&page);
    struct slice line = SLICE_NONE;
    struct row row;
    size_t count = 0;

    while (take_until(&rest, '\n', &line) && !slice_is(line, header))
        continue;
    CU_ASSERT_TRUE_FATAL(slice_is(line, header));
    CU_ASSERT_TRUE_FATAL(take_until(&rest, '\n', &line)); /* |---| */
    while (take_until(&rest, '\n', &line) && row_read(line, &row)) {
        take(&row);
        count++;
    }
    return count;
}

static void expect(bool is_right, struct slice name, const char *what)
{
    CU_ASSERT_TRUE(is_right);
    if (!is_right)
        printf("\n    %.*s: %s ", SLICE_FORMAT(name), what);
}

/* Fields. */

static uint64_t fields_met;

static const char *kind_name(enum event_field_kind kind)
{
    static const char *const names[] = {
        [EVENT_FIELD_TEXT] = "text",       [EVENT_FIELD_BYTES] = "bytes",
        [EVENT_FIELD_NUMBER] = "number",   [EVENT_FIELD_SIGNED] = "signed",
        [EVENT_FIELD_BOOLEAN] = "boolean", [EVENT_FIELD_NAME] = "name",
        [EVENT_FIELD_LIST] = "list",
    };

    return names[kind];
}

/* All names that the field may have, in order, and no others. */
static bool names_agree(const struct event_field *field, struct slice meaning)
{
    struct slice code;
    size_t count = 0;

    while (take_code(&meaning, &code)) {
        if (!field->values[count] || !slice_is(code, field->values[count]))
            return false;
        count++;
    }
    return !field->values[count];
}

static void check_field(const struct row *row)
{
    struct slice name = name_of(row->cells[0]);
    enum event_field_index index = event_field_find(name);
    const struct event_field *field = &event_field_table[index];

    CU_ASSERT_EQUAL(row->count, 3);
    expect(index != FIELD_TOTAL, name, "no such field");
    if (index == FIELD_TOTAL)
        return;
    expect(!(fields_met >> index & 1), name, "stands twice");
    fields_met |= UINT64_C(1) << index;
    expect(slice_is(row->cells[1], kind_name(field->kind)), name, "kind");
    expect(row->cells[2].size > 0, name, "no meaning");
    if (field->kind == EVENT_FIELD_NAME)
        expect(names_agree(field, row->cells[2]), name, "its names");
}

static void every_field_is_there_with_its_kind(void)
{
    size_t count;

    fields_met = 0;
    count = table_each("| field | kind | meaning |", check_field);
    CU_ASSERT_EQUAL(count, FIELD_TOTAL);
    for (size_t i = 0; i < FIELD_TOTAL; i++)
        expect(fields_met >> i & 1, slice_of(event_field_table[i].name),
               "is missing");
}

/* Types. */

static bool types_met[EVENT_TYPE_COUNT];

static const struct event_schema *meet_type(struct slice name)
{
    enum event_type type = event_type_find(name);

    expect(type != EVENT_TYPE_COUNT, name, "no such type");
    if (type == EVENT_TYPE_COUNT)
        return NULL;
    expect(!types_met[type], name, "stands twice");
    types_met[type] = true;
    return &event_schemas[type];
}

static void expect_all_types(size_t count)
{
    CU_ASSERT_EQUAL(count, EVENT_TYPE_COUNT);
    for (size_t i = 0; i < EVENT_TYPE_COUNT; i++)
        expect(types_met[i], slice_of(event_schemas[i].name), "is missing");
    memset(types_met, 0, sizeof(types_met));
}

/* Bits of the fields that a cell names. */
static uint64_t fields_of(struct slice cell, struct slice type)
{
    uint64_t fields = 0;
    struct slice name;

    while (take_code(&cell, &name)) {
        enum event_field_index index = event_field_find(name);

        expect(index != FIELD_TOTAL, type, "a field that does not exist");
        if (index == FIELD_TOTAL)
            continue;
        expect(!(fields >> index & 1), type, "a field stands twice");
        fields |= UINT64_C(1) << index;
    }
    expect(cell.size == 0, type, "words among the fields");
    return fields;
}

static const char *durability_name(enum event_durability durability)
{
    static const char *const names[] = {
        [EVENT_TRANSIENT] = "transient",
        [EVENT_DURABLE] = "durable",
        [EVENT_AS_STANZA] = "as stanza",
    };

    return names[durability];
}

static void check_type(const struct row *row)
{
    struct slice name = name_of(row->cells[0]);
    const struct event_schema *schema = meet_type(name);
    uint64_t required;

    CU_ASSERT_EQUAL_FATAL(row->count, 6);
    if (!schema)
        return;
    required = fields_of(row->cells[1], name);
    expect(required == schema->required, name, "required fields");
    expect(!(fields_of(row->cells[2], name) & required), name,
           "a field both required and usual");
    expect(slice_is(row->cells[3], schema->sender), name, "sender");
    expect(slice_is(row->cells[4], schema->consumer), name, "consumer");
    expect(slice_is(row->cells[5], durability_name(schema->durability)), name,
           "durability");
}

static void every_type_is_there_with_its_rules(void)
{
    expect_all_types(table_each(
        "| type | required | usual | sender | consumer | durability |",
        check_type));
}

static void check_effect(const struct row *row)
{
    struct slice name = name_of(row->cells[0]);

    CU_ASSERT_EQUAL(row->count, 2);
    meet_type(name);
    expect(row->cells[1].size > 0, name, "no words");
}

static void every_type_says_what_it_does(void)
{
    expect_all_types(
        table_each("| event | what the consumer does |", check_effect));
}

/* Partitions. */

static void check_partition(const struct row *row)
{
    struct slice jid = name_of(row->cells[0]);
    char hash[NAME_BYTES];
    char partition[NAME_BYTES];

    snprintf(hash, sizeof(hash), "%016" PRIx64,
             (uint64_t)XXH64(jid.data, jid.size, 0));
    snprintf(partition, sizeof(partition), "%u", partition_of(jid, 8));
    expect(slice_is(name_of(row->cells[1]), hash), jid, hash);
    expect(slice_is(row->cells[2], partition), jid, partition);
}

static void worked_partitions_are_right(void)
{
    CU_ASSERT_TRUE(table_each("| bare JID | xxh64 | mod 8 |", check_partition) >
                   0);
}

/* The example. */

static void read_hex_line(struct slice line, struct buffer *out)
{
    for (size_t i = 0; i + 1 < line.size; i += 3) {
        char digits[] = {line.data[i], line.data[i + 1], '\0'};
        char *end;

        buffer_append_byte(out, (char)strtoul(digits, &end, 16));
        CU_ASSERT_EQUAL(*end, '\0');
    }
}

static void read_hex_block(struct buffer *out)
{
    struct slice rest = buffer_slice(&page);
    struct slice line = SLICE_NONE;

    while (take_until(&rest, '\n', &line) && !slice_is(line, "```hex"))
        continue;
    while (take_until(&rest, '\n', &line) && !slice_is(line, "```"))
        read_hex_line(line, out);
}

static void the_example_is_what_the_code_writes(void)
{
    struct buffer body = BUFFER_EMPTY;
    struct buffer again = BUFFER_EMPTY;
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error;

    read_hex_block(&body);
    CU_ASSERT_EQUAL_FATAL(event_batch_open(&batch, buffer_slice(&body), &error),
                          EVENT_READ_OK);
    event_batch_header(&again, batch.remaining);
    CU_ASSERT_EQUAL(batch.remaining, 1);
    while (event_batch_next(&batch, &event, &raw, &error) == EVENT_READ_OK)
        event_encode(&again, &event);
    CU_ASSERT_PTR_NULL(error);
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&again), buffer_slice(&body)));
    CU_ASSERT_EQUAL(event.type, EVENT_STANZA_ROUTE);
    ASSERT_SLICE(event.payload, "<body>hi</body>");
    buffer_deinit(&body);
    buffer_deinit(&again);
}

int main(void)
{
    static const struct unit_case cases[] = {
        {"every field is there with its kind",
         every_field_is_there_with_its_kind},
        {"every type is there with its rules",
         every_type_is_there_with_its_rules},
        {"every type says what it does", every_type_says_what_it_does},
        {"worked partitions are right", worked_partitions_are_right},
        {"the example is what the code writes",
         the_example_is_what_the_code_writes},
    };
    int status;

    page_read();
    status = unit_run("event docs", cases, ARRAY_SIZE(cases));
    buffer_deinit(&page);
    return status;
}
