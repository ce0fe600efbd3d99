#include "xmpp/jid.h"

#include "table.h"

#define KILOBYTE_OF(x) x x x x x x x x x x x x x x x x
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A1024 KILOBYTE_OF(A64)
#define A1023 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A64 A63
#define LABELS_128 A63 "." A63 "."
#define DOMAIN_1023                                                            \
    LABELS_128 LABELS_128 LABELS_128 LABELS_128 LABELS_128 LABELS_128          \
        LABELS_128 A63 "." A63

static const struct {
    const char *input;
    const char *expected; /* NULL: refused */
} cases[] = {
    {"juliet@example.com", "juliet@example.com"},
    {"juliet@example.com/foo", "juliet@example.com/foo"},
    {"juliet@example.com/foo bar", "juliet@example.com/foo bar"},
    {"juliet@example.com/foo@bar", "juliet@example.com/foo@bar"},
    {"juliet@example.com/a/b", "juliet@example.com/a/b"},
    {"foo\\20bar@example.com", "foo\\20bar@example.com"},
    {"example.com", "example.com"},
    {"localhost", "localhost"},
    {"example.com/foobar", "example.com/foobar"},
    {"a.example.com/b@example.net", "a.example.com/b@example.net"},
    {"Juliet@EXAMPLE.com/Balcony", "juliet@example.com/Balcony"},
    {"fu\xC3\x9F"
     "ball@example.com",
     "fussball@example.com"},
    {"\xCF\x80@example.com", "\xCF\x80@example.com"},
    {"\xCE\xA3@example.com/foo", "\xCF\x83@example.com/foo"},
    {"\xCF\x82@example.com/foo", "\xCF\x83@example.com/foo"},
    {"king@example.com/\xE2\x99\x9A", "king@example.com/\xE2\x99\x9A"},
    {"henry\xE2\x85\xA3@example.com", "henryiv@example.com"},
    /* full-width letters, ligature, soft hyphen */
    {"\xEF\xBC\xAAuliet@example.com", "juliet@example.com"},
    {"\xEF\xAC\x81@example.com", "fi@example.com"},
    {"ju\xC2\xADliet@example.com", "juliet@example.com"},
    {"juliet@b\xC3\xBC"
     "cher.example",
     "juliet@b\xC3\xBC"
     "cher.example"},
    {"juliet@B\xC3\x9C"
     "CHER.example",
     "juliet@b\xC3\xBC"
     "cher.example"},
    /* ideographic full stop, trailing dots */
    {"juliet@b\xC3\xBC"
     "cher\xE3\x80\x82"
     "example",
     "juliet@b\xC3\xBC"
     "cher.example"},
    {"juliet@example.com.", "juliet@example.com"},
    {"juliet@example.com./r", "juliet@example.com/r"},
    {"juliet@192.0.2.7/r", "juliet@192.0.2.7/r"},
    {"juliet@[2001:DB8::1]/r", "juliet@[2001:db8::1]/r"},
    {A1023 "@example.com", A1023 "@example.com"},
    {"example.com/" A1023, "example.com/" A1023},
    {"a@" DOMAIN_1023 "/r", "a@" DOMAIN_1023 "/r"},
    {A63 ".example", A63 ".example"},

    {"", NULL},
    {"@", NULL},
    {"/", NULL},
    {"@/", NULL},
    {"juliet@", NULL},
    {"/foobar", NULL},
    {"@example.com", NULL},
    {"juliet@example.com/", NULL},
    {"juliet@/balcony", NULL},
    {"a@b@example.com", NULL},
    {"\"juliet\"@example.com", NULL},
    {"ju&liet@example.com", NULL},
    {"ju'liet@example.com", NULL},
    {"ju:liet@example.com", NULL},
    {"ju<liet@example.com", NULL},
    {"ju>liet@example.com", NULL},
    {"foo bar@example.com", NULL},
    {"foo\tbar@example.com", NULL},
    {"foo\x7F@example.com", NULL},
    /* forbidden only once prepared: full-width @, no-break space */
    {"ju\xEF\xBC\xA0liet@example.com", NULL},
    {"foo\xC2\xA0"
     "bar@example.com",
     NULL},
    {"\xC2\xAD@example.com", NULL},
    /* right-to-left mixed with left-to-right (RFC 3454 6) */
    {"a\xD7\x90@example.com", NULL},
    {"juliet@example.com/a\x01", NULL},
    {"juliet@example.com/\xEE\x80\x80", NULL},
    {"juliet@.example.com", NULL},
    {"juliet@example..com", NULL},
    {"juliet@example.com..", NULL},
    {"juliet@.", NULL},
    {"juliet@exa mple.com", NULL},
    {"juliet@-example.com", NULL},
    {"juliet@example-.com", NULL},
    {"juliet@exa_mple.com", NULL},
    {"juliet@b\xC3\xBC"
     "cher..example",
     NULL},
    {"juliet@b\xC3\xBC"
     "ch<er.example",
     NULL},
    {"juliet@[2001:db8::1", NULL},
    {"juliet@[2001:db8::g]", NULL},
    {"juliet@[]", NULL},
    {"juliet@[192.0.2.7]", NULL},
    {A1024 "@example.com", NULL},
    {"example.com/" A1024, NULL},
    {"a@" DOMAIN_1023 "a", NULL},
    {A64 ".example", NULL},
    /* not UTF-8: stray and missing continuation, overlong, surrogate, above
     * U+10FFFF */
    {"\x80@example.com", NULL},
    {"\xC3@example.com", NULL},
    {"\xC1\xA1@example.com", NULL},
    {"\xE0\x80\xAF@example.com", NULL},
    {"a@example.com/\xED\xA0\x80", NULL},
    {"a@example.com/\xF4\x90\x80\x80", NULL},
    {"a@\xFF.com", NULL},
};

static void parses_or_refuses(void)
{
    struct jid jid;
    const char *error;
    bool is_valid;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        error = NULL;
        is_valid = jid_parse(slice_of(cases[i].input), &jid, &error);
        ASSERT_CASE(cases[i].input, is_valid == (cases[i].expected != NULL));
        ASSERT_CASE(cases[i].input, is_valid == (error == NULL));
        if (!is_valid || !cases[i].expected)
            continue;
        ASSERT_CASE(cases[i].input,
                    slice_is(jid_full(&jid), cases[i].expected));
        ASSERT_CASE(cases[i].input, strlen(jid.text) == jid.size);
    }
}

static void refuses_nul_bytes(void)
{
    struct jid jid;
    const char *error;

    CU_ASSERT_FALSE(jid_parse(SLICE("a\0b@example.com"), &jid, &error));
    CU_ASSERT_FALSE(jid_parse(SLICE("\xCF\x80\0@example.com"), &jid, &error));
    CU_ASSERT_FALSE(jid_parse(SLICE("example.com/\xCF\x80\0"), &jid, &error));
    CU_ASSERT_FALSE(jid_parse(SLICE_NONE, &jid, &error));
}

static void knows_its_parts(void)
{
    struct jid jid;
    const char *error;

    CU_ASSERT_TRUE_FATAL(jid_parse(SLICE("A@b.c/R/s@t"), &jid, &error));
    CU_ASSERT_EQUAL(jid.local_size, 1);
    CU_ASSERT_TRUE(slice_is(jid_bare(&jid), "a@b.c"));
    CU_ASSERT_TRUE_FATAL(jid_parse(SLICE("b.c/R"), &jid, &error));
    CU_ASSERT_EQUAL(jid.local_size, 0);
    CU_ASSERT_TRUE(slice_is(jid_bare(&jid), "b.c"));
    CU_ASSERT_EQUAL(jid.size, 5);
}

static const struct {
    const char *jid, *bare, *local, *domain, *resource;
} parts[] = {
    {"a@b.c/r", "a@b.c", "a", "b.c", "r"},
    {"a@b.c", "a@b.c", "a", "b.c", NULL},
    {"b.c/r@s/t", "b.c", NULL, "b.c", "r@s/t"},
    {"b.c", "b.c", NULL, "b.c", NULL},
};

static bool is_part(struct slice part, const char *expected)
{
    return expected ? slice_is(part, expected) : !slice_is_set(part);
}

static void cuts_prepared_text(void)
{
    struct slice jid;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        jid = slice_of(parts[i].jid);
        ASSERT_CASE(parts[i].jid, is_part(jid_text_bare(jid), parts[i].bare));
        ASSERT_CASE(parts[i].jid, is_part(jid_text_local(jid), parts[i].local));
        ASSERT_CASE(parts[i].jid,
                    is_part(jid_text_domain(jid), parts[i].domain));
        ASSERT_CASE(parts[i].jid,
                    is_part(jid_text_resource(jid), parts[i].resource));
    }
}

static void prepares_parts_alone(void)
{
    char out[JID_PART_MAX + 1];
    size_t size;

    CU_ASSERT_TRUE(jid_prepare_local(SLICE("Romeo"), out, &size));
    CU_ASSERT_STRING_EQUAL(out, "romeo");
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_FALSE(jid_prepare_local(SLICE("ro/meo"), out, &size));
    CU_ASSERT_FALSE(jid_prepare_local(SLICE(""), out, &size));
    CU_ASSERT_TRUE(jid_prepare_resource(SLICE("Home <1>"), out, &size));
    CU_ASSERT_STRING_EQUAL(out, "Home <1>");
    CU_ASSERT_FALSE(jid_prepare_resource(SLICE(""), out, &size));
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"parses or refuses", parses_or_refuses},
        {"refuses NUL bytes", refuses_nul_bytes},
        {"knows its parts", knows_its_parts},
        {"cuts prepared text", cuts_prepared_text},
        {"prepares parts alone", prepares_parts_alone},
    };

    return unit_run("jid", tests, ARRAY_SIZE(tests));
}
