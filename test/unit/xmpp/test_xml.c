#include "xmpp/xml.h"

#include "xmpp/namespaces.h"

#include "table.h"

static struct xml_element *parse(struct arena *arena, const char *payload)
{
    return xml_parse(arena, slice_of(payload), SLICE_NONE);
}

static void builds_a_tree(void)
{
    struct arena arena;
    struct xml_element *root, *query, *item;

    arena_init(&arena);
    root = parse(&arena, "<query xmlns='" NS_ROSTER "' ver=''>"
                         "<item jid='a@b' name='&lt;&amp;&gt;'>x<group>F&amp;"
                         "<![CDATA[<>]]></group>y</item><item jid='c@d'/>"
                         "</query> <body>t</body>");
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_TRUE(slice_is(root->name, ""));
    query = xml_child(root, "query", NS_ROSTER);
    CU_ASSERT_PTR_NOT_NULL_FATAL(query);
    CU_ASSERT_PTR_EQUAL(query, root->children);
    CU_ASSERT_TRUE(slice_is(xml_attribute(query, "ver"), ""));
    CU_ASSERT_FALSE(slice_is_set(xml_attribute(query, "jid")));
    CU_ASSERT_TRUE(slice_is(query->text, ""));
    item = xml_child(query, "item", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(item);
    CU_ASSERT_TRUE(slice_is(item->ns, NS_ROSTER));
    CU_ASSERT_TRUE(slice_is(xml_attribute(item, "jid"), "a@b"));
    CU_ASSERT_TRUE(slice_is(xml_attribute(item, "name"), "<&>"));
    CU_ASSERT_TRUE(slice_is(item->text, "xy"));
    CU_ASSERT_TRUE(slice_is(xml_child(item, "group", NULL)->text, "F&<>"));
    item = item->next;
    CU_ASSERT_PTR_NOT_NULL_FATAL(item);
    CU_ASSERT_TRUE(slice_is(xml_attribute(item, "jid"), "c@d"));
    CU_ASSERT_PTR_NULL(item->next);
    CU_ASSERT_PTR_NULL(xml_child(root, "body", NS_ROSTER));
    CU_ASSERT_PTR_NULL(xml_child(root, "item", NULL));
    CU_ASSERT_TRUE(slice_is(xml_child(root, "body", NS_CLIENT)->text, "t"));
    arena_deinit(&arena);
}

static void binds_prefixes(void)
{
    struct arena arena;
    struct xml_element *root;

    arena_init(&arena);
    root = xml_parse(&arena, SLICE("<p:a/><stream:b/>"),
                     SLICE(" xmlns:p='urn:p' q='r'"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_PTR_NOT_NULL(xml_child(root, "a", "urn:p"));
    CU_ASSERT_PTR_NOT_NULL(xml_child(root, "b", NS_STREAMS));
    CU_ASSERT_PTR_NULL(root->attributes);
    root =
        xml_parse(&arena, SLICE("<stream:b/>"), SLICE(" xmlns:stream='urn:s'"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_PTR_NOT_NULL(xml_child(root, "b", "urn:s"));
    arena_deinit(&arena);
}

static void takes_an_empty_payload(void)
{
    struct arena arena;
    struct xml_element *root;

    arena_init(&arena);
    root = xml_parse(&arena, SLICE_NONE, SLICE_NONE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_TRUE(slice_is(root->name, ""));
    CU_ASSERT_PTR_NULL(root->children);
    root = parse(&arena, "text");
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    CU_ASSERT_TRUE(slice_is(root->text, "text"));
    arena_deinit(&arena);
}

static const char *const refused[] = {
    "<a>",
    "</a>",
    "<a></b>",
    "<p:a/>",
    "<a>&x;</a>",
    "<a x='1' x='2'/>",
    "<a>\xFF</a>",
    "<a>\x01</a>",
    "</payload><payload>",
    "</payload>",
    "</payload></stream><stream><payload>",
    "<!DOCTYPE a>",
    "</stream>",
};

static void refuses_what_is_not_well_formed(void)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        ASSERT_CASE(refused[i], !parse(&arena, refused[i]));
    CU_ASSERT_PTR_NULL(xml_parse(&arena, SLICE("<a/>"), SLICE(" x='1")));
    arena_deinit(&arena);
}

static bool is_accepted(unsigned depth)
{
    struct arena arena;
    struct buffer payload = BUFFER_EMPTY;
    bool is_tree;

    arena_init(&arena);
    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&payload, "<a>");
    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&payload, "</a>");
    is_tree = xml_parse(&arena, buffer_slice(&payload), SLICE_NONE) != NULL;
    buffer_deinit(&payload);
    arena_deinit(&arena);
    return is_tree;
}

static void limits_depth(void)
{
    CU_ASSERT_TRUE(is_accepted(1));
    CU_ASSERT_TRUE(is_accepted(64));
    CU_ASSERT_FALSE(is_accepted(65));
    CU_ASSERT_FALSE(is_accepted(200));
    CU_ASSERT_FALSE(is_accepted(2000));
}

static void escapes(void)
{
    struct buffer out = BUFFER_EMPTY;

    xml_escape(&out, SLICE("a<b>&'\"\r\n\tc"));
    CU_ASSERT_STRING_EQUAL(out.data, "a&lt;b&gt;&amp;&apos;&quot;&#13;\n\tc");
    buffer_clear(&out);
    xml_escape(&out, SLICE_NONE);
    CU_ASSERT_EQUAL(out.size, 0);
    xml_write_attribute(&out, "a", SLICE_NONE);
    CU_ASSERT_EQUAL(out.size, 0);
    xml_write_attribute(&out, "a", SLICE(""));
    xml_write_attribute(&out, "b", SLICE("<'\n\t>"));
    CU_ASSERT_STRING_EQUAL(out.data, " a='' b='&lt;&apos;&#10;&#9;&gt;'");
    buffer_deinit(&out);
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"builds a tree", builds_a_tree},
        {"binds prefixes", binds_prefixes},
        {"takes an empty payload", takes_an_empty_payload},
        {"refuses what is not well-formed", refuses_what_is_not_well_formed},
        {"limits depth", limits_depth},
        {"escapes", escapes},
    };

    return unit_run("xml", tests, ARRAY_SIZE(tests));
}
