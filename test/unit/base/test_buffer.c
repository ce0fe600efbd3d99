#include "base/buffer.h"

#include "unit.h"

/* Holds that text, and the NUL after it. */
static bool holds(const struct buffer *buffer, const char *text)
{
    return slice_equal(buffer_slice(buffer), slice_of(text)) &&
           (!buffer->data || buffer->data[buffer->size] == '\0') &&
           buffer->size <= buffer->capacity;
}

static void test_empty(void)
{
    struct buffer buffer = BUFFER_EMPTY;

    CU_ASSERT_TRUE(slice_is(buffer_slice(&buffer), "")); /* set, and empty */
    buffer_clear(&buffer);
    buffer_consume(&buffer, 0);
    CU_ASSERT_PTR_NULL(buffer.data);
    buffer_deinit(&buffer);
}

static void test_append(void)
{
    struct buffer buffer = BUFFER_EMPTY;

    buffer_append(&buffer, SLICE("one"));
    CU_ASSERT_TRUE(holds(&buffer, "one"));
    buffer_append_text(&buffer, " two");
    buffer_append_byte(&buffer, ' ');
    buffer_append(&buffer, SLICE_NONE);
    buffer_append(&buffer, SLICE(""));
    buffer_append_text(&buffer, "");
    CU_ASSERT_TRUE(holds(&buffer, "one two "));
    buffer_appendf(&buffer, "%d%s", 3, "!");
    CU_ASSERT_TRUE(holds(&buffer, "one two 3!"));
    buffer_append(&buffer, (struct slice){"\0x", 2});
    CU_ASSERT_EQUAL(buffer.size, 12);
    CU_ASSERT_EQUAL(memcmp(buffer.data, "one two 3!\0x", 13), 0);
    buffer_deinit(&buffer);
    CU_ASSERT_EQUAL(buffer.size, 0);
    CU_ASSERT_PTR_NULL(buffer.data);
}

/* Across every size at which it may have to grow. */
static void test_grow(void)
{
    struct buffer bytes = BUFFER_EMPTY;
    struct buffer formatted = BUFFER_EMPTY;
    bool is_right = true;

    for (size_t i = 0; i < 5000; i++) {
        buffer_append_byte(&bytes, (char)('a' + i % 26));
        buffer_appendf(&formatted, "%c", (char)('a' + i % 26));
        is_right &= bytes.data[bytes.size] == '\0';
        is_right &= formatted.data[formatted.size] == '\0';
    }
    for (size_t i = 0; i < 5000; i++)
        is_right &= bytes.data[i] == (char)('a' + i % 26);
    CU_ASSERT_TRUE(is_right);
    CU_ASSERT_EQUAL(bytes.size, 5000);
    CU_ASSERT_TRUE(slice_equal(buffer_slice(&bytes), buffer_slice(&formatted)));
    buffer_deinit(&bytes);
    buffer_deinit(&formatted);
}

static void test_long_format(void)
{
    struct buffer buffer = BUFFER_EMPTY;

    for (int size = 1; size < 300; size++) {
        buffer_clear(&buffer);
        buffer_appendf(&buffer, "%*s", size, "x");
        CU_ASSERT_EQUAL(buffer.size, size);
        CU_ASSERT_EQUAL(buffer.data[size - 1], 'x');
        buffer_deinit(&buffer);
    }
}

static void test_reserve(void)
{
    struct buffer buffer = BUFFER_EMPTY;
    char *end;

    buffer_append_text(&buffer, "ab");
    end = buffer_reserve(&buffer, 1000);
    CU_ASSERT_EQUAL(buffer.size, 2); /* until the caller adds */
    memset(end, 'x', 1000);
    buffer.size += 1000;
    buffer_append_byte(&buffer, '.');
    CU_ASSERT_EQUAL(memcmp(buffer.data, "abxx", 4), 0);
    CU_ASSERT_EQUAL(buffer.data[1002], '.');
    buffer_deinit(&buffer);
}

static void test_consume(void)
{
    struct buffer buffer = BUFFER_EMPTY;

    buffer_append_text(&buffer, "one two three");
    buffer_consume(&buffer, 4);
    CU_ASSERT_TRUE(holds(&buffer, "two three"));
    buffer_consume(&buffer, 0);
    CU_ASSERT_TRUE(holds(&buffer, "two three"));
    buffer_append_text(&buffer, "!");
    buffer_consume(&buffer, 9);
    CU_ASSERT_TRUE(holds(&buffer, "!"));
    buffer_consume(&buffer, 1);
    CU_ASSERT_TRUE(holds(&buffer, ""));
    buffer_deinit(&buffer);
}

static void test_clear(void)
{
    struct buffer buffer = BUFFER_EMPTY;
    const char *memory;

    buffer_append_text(&buffer, "one");
    memory = buffer.data;
    buffer_clear(&buffer);
    CU_ASSERT_TRUE(holds(&buffer, ""));
    buffer_append_text(&buffer, "two");
    CU_ASSERT_TRUE(holds(&buffer, "two"));
    CU_ASSERT_PTR_EQUAL(buffer.data, memory);
    buffer_deinit(&buffer);
    buffer_deinit(&buffer);
}

static const struct unit_case cases[] = {
    {"empty", test_empty},     {"append", test_append},
    {"grow", test_grow},       {"long format", test_long_format},
    {"reserve", test_reserve}, {"consume", test_consume},
    {"clear", test_clear},
};

int main(void)
{
    return unit_run("buffer", cases, ARRAY_SIZE(cases));
}
