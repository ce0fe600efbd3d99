#include "xmpp/utf8.h"

#include "table.h"

static const struct {
    const char *text;
    bool is_valid;
} cases[] = {
    {"", true},
    {"ASCII only, longer than a machine word", true},
    {"\xC2\x80", true},
    {"\xDF\xBF", true},
    {"\xE0\xA0\x80", true},
    {"\xED\x9F\xBF", true},
    {"\xEE\x80\x80", true},
    {"\xEF\xBF\xBF", true},
    {"\xF0\x90\x80\x80", true},
    {"\xF4\x8F\xBF\xBF", true},
    {"\x80", false},
    {"\xBF", false},
    {"\xC0\x80", false},
    {"\xC1\xBF", false},
    {"\xC2", false},
    {"\xC2\x7F", false},
    {"\xC2\xC0", false},
    {"\xE0\x9F\xBF", false},
    {"\xE1\x80", false},
    {"\xE1\x80\x7F", false},
    {"\xED\xA0\x80", false},
    {"\xF0\x8F\xBF\xBF", false},
    {"\xF1\x80\x80", false},
    {"\xF1\x80\x80\xC0", false},
    {"\xF4\x90\x80\x80", false},
    {"\xF5\x80\x80\x80", false},
    {"\xFF", false},
};

/* At every distance from both ends, since ASCII is skipped in words. */
static void judges_sequences(void)
{
    char text[64];
    size_t size;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size = strlen(cases[i].text);
        for (size_t before = 0; before < 20; before++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + before, cases[i].text, size);
            ASSERT_CASE(cases[i].text,
                        utf8_is_valid((struct slice){text, before + size}) ==
                            cases[i].is_valid);
            ASSERT_CASE(cases[i].text,
                        utf8_is_valid((struct slice){text, sizeof(text)}) ==
                            cases[i].is_valid);
        }
    }
    CU_ASSERT_TRUE(utf8_is_valid(SLICE_NONE));
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"judges sequences", judges_sequences},
    };

    return unit_run("utf8", tests, ARRAY_SIZE(tests));
}
