#include "xmpp/tag.h"

#include "table.h"

#include "base/buffer.h"

/* Expected: what is found, as "name:value,", and then the rest. */
static const struct {
    const char *text, *expected;
} cases[] = {
    {"", "|"},
    {">", "|>"},
    {" a='1' b = \"2'\"\n p:c=''/>", "a:1,b:2',p:c:,|/>"},
    {" a='>/?'>", "a:>/?,|>"},
    {"a='1'b='2'?>", "a:1,b:2,|?>"},
    {" a", "|a"},
    {" a=", "|a="},
    {" a=1>", "|a=1>"},
    {" a='1", "|a='1"},
    {" ='1'", "|='1'"},
};

static void walks_over_attributes(void)
{
    struct buffer found = BUFFER_EMPTY;
    struct tag_attribute attribute;
    struct slice rest;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        buffer_clear(&found);
        rest = slice_of(cases[i].text);
        while (tag_next_attribute(&rest, &attribute))
            buffer_appendf(&found, "%.*s:%.*s,", SLICE_FORMAT(attribute.name),
                           SLICE_FORMAT(attribute.value));
        buffer_appendf(&found, "|%.*s", SLICE_FORMAT(rest));
        ASSERT_CASE(cases[i].text,
                    slice_is(buffer_slice(&found), cases[i].expected));
    }
    buffer_deinit(&found);
}

static void keeps_raw_bytes(void)
{
    struct slice rest = tag_after_name(SLICE("p:name x = \"&lt;\" >"));
    struct tag_attribute attribute;

    CU_ASSERT_TRUE(tag_next_attribute(&rest, &attribute));
    ASSERT_SLICE(attribute.raw, "x = \"&lt;\"");
    rest = SLICE_NONE;
    CU_ASSERT_FALSE(tag_next_attribute(&rest, &attribute));
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"walks over attributes", walks_over_attributes},
        {"keeps raw bytes", keeps_raw_bytes},
    };

    return unit_run("tag", tests, ARRAY_SIZE(tests));
}
