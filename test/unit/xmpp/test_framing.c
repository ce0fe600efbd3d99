#include "xmpp/framing.h"

#include "base/buffer.h"
#include "base/compiler.h"

#include "table.h"

#include <stdio.h>

#define OPEN                                                                   \
    "<stream:stream xmlns='jabber:client' "                                    \
    "xmlns:stream='http://etherx.jabber.org/streams' to='example.com'>"

enum { LIMIT = 4096 };

/* O = open, E = element, W = white space, C = close; an error ends it. */
static const struct {
    const char *name, *stream, *units;
    enum stream_error error;
} cases[] = {
    {"header", OPEN, "O", STREAM_ERROR_NONE},
    {"declaration", "<?xml version='1.0'?>" OPEN, "O", STREAM_ERROR_NONE},
    {"full declaration",
     "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes' ?>\r\n " OPEN
     "</stream:stream>",
     "OC", STREAM_ERROR_NONE},
    {"white space before the header", "\n " OPEN, "WO", STREAM_ERROR_NONE},
    {"elements",
     OPEN "<a/>" OPEN "<b x='1'><c/>text</b></stream:stream>"
          " \n<iq type='get'/><m>x</m></stream:stream \n>",
     "OEEWEEC", STREAM_ERROR_NONE},
    {"quotes", OPEN "<a x='>\"/>' y=\">'</\"/>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"angles in values", OPEN "<a x='>\"/>' y=\">'/\"/><b x='/'></b>", "OEE",
     STREAM_ERROR_NONE},
    {"references",
     OPEN "<a x='&amp;&lt;&gt;&apos;&quot;&#10;'>&amp;&lt;&gt;&apos;&quot;"
          "&#x1F600;</a>",
     "OE", STREAM_ERROR_NONE},
    {"CDATA",
     OPEN "<a><![CDATA[<b>&x;</a>]] ]>]]><![CDATA[]]><![CDATA[]]]]></a> ",
     "OEW", STREAM_ERROR_NONE},
    {"UTF-8 names", OPEN "<\xC3\xA9><_/><:/></\xC3\xA9>", "OE",
     STREAM_ERROR_NONE},
    {"unfinished", OPEN "<a><b></b>", "O", STREAM_ERROR_NONE},

    {"comment", OPEN "<!-- x -->", "O", STREAM_ERROR_RESTRICTED_XML},
    {"comment before the header", "<!-- x -->" OPEN, "",
     STREAM_ERROR_RESTRICTED_XML},
    {"comment inside", OPEN "<a><!-- x --></a>", "O",
     STREAM_ERROR_RESTRICTED_XML},
    {"DTD", "<?xml version='1.0'?><!DOCTYPE a SYSTEM 'file:///x'>", "",
     STREAM_ERROR_RESTRICTED_XML},
    {"DTD inside", OPEN "<!DOCTYPE a>", "O", STREAM_ERROR_RESTRICTED_XML},
    {"instruction", OPEN "<?php x?>", "O", STREAM_ERROR_RESTRICTED_XML},
    {"instruction inside", OPEN "<a><?x?></a>", "O",
     STREAM_ERROR_RESTRICTED_XML},
    {"instruction before the header", "<?xml-stylesheet href='x'?>" OPEN, "",
     STREAM_ERROR_RESTRICTED_XML},
    {"short instruction", "<?a?>" OPEN, "", STREAM_ERROR_RESTRICTED_XML},
    {"second declaration", "<?xml version='1.0'?><?xml version='1.0'?>" OPEN,
     "", STREAM_ERROR_RESTRICTED_XML},
    {"late declaration", OPEN "<?xml version='1.0'?>", "O",
     STREAM_ERROR_RESTRICTED_XML},
    {"entity", OPEN "<a>&nbsp;</a>", "O", STREAM_ERROR_RESTRICTED_XML},
    {"entity in a value", OPEN "<a x='&lol9;'/>", "O",
     STREAM_ERROR_RESTRICTED_XML},
    {"entity in the header", "<stream:stream to='&x;'>", "",
     STREAM_ERROR_RESTRICTED_XML},

    {"UTF-16", "<?xml version='1.0' encoding='UTF-16'?>" OPEN, "",
     STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"UTF-8 misspelt", "<?xml version='1.0' encoding='UTF-88'?>" OPEN, "",
     STREAM_ERROR_UNSUPPORTED_ENCODING},
    {"no encoding", "<?xml version='1.0' encoding=''?>" OPEN, "",
     STREAM_ERROR_UNSUPPORTED_ENCODING},

    {"no version", "<?xml encoding='UTF-8'?>" OPEN, "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"empty declaration", "<?xml?>" OPEN, "", STREAM_ERROR_NOT_WELL_FORMED},
    {"version 1.1", "<?xml version='1.1'?>" OPEN, "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"odd declaration", "<?xml version='1.0' x='y'?>" OPEN, "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"torn declaration", "<?xml version='1.0' encoding='UTF-8?>" OPEN, "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"text before the header", "GET / HTTP/1.1\r\n", "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"text after the declaration", "<?xml version='1.0'?>x" OPEN, "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"end before the header", "</stream:stream>", "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"CDATA before the header", "<![CDATA[x]]>", "",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"less in a value", OPEN "<a x='<'/>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"less in a tag", OPEN "<a <b/>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"less in an end tag", OPEN "<a></a<b/>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"slash in a tag", OPEN "<a / >", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"no name", OPEN "< a/>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"heart", OPEN "<a><3</a>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"other end", OPEN "</stream:features>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"longer end", OPEN "</stream:streams>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"end with more", OPEN "</stream:stream x>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"lone ampersand", OPEN "<a>fish & chips</a>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"empty reference", OPEN "<a>&;</a>", "O", STREAM_ERROR_NOT_WELL_FORMED},
    {"unfinished reference", OPEN "<a>&amp</a>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"odd section", OPEN "<a><![INCLUDE[x]]></a>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},
    {"odd markup", OPEN "<a><!ENTITY x></a>", "O",
     STREAM_ERROR_NOT_WELL_FORMED},

    {"text between stanzas", OPEN "<a/> x<b/>", "OEW", STREAM_ERROR_BAD_FORMAT},
    {"CDATA between stanzas", OPEN "<![CDATA[x]]>", "O",
     STREAM_ERROR_BAD_FORMAT},
    {"stream that ends at once", "<stream:stream/>", "",
     STREAM_ERROR_BAD_FORMAT},
};

/* What framing said: letters and sizes of units, then the error's name.
 * White space may come in several pieces: these are joined. */
struct trace {
    char units[64];
    size_t count, spaces;
    struct buffer text;
};

static char letter(enum framing_unit unit)
{
    static const char letters[] = {
        [FRAMING_WHITESPACE] = 'W',
        [FRAMING_STREAM_OPEN] = 'O',
        [FRAMING_ELEMENT] = 'E',
        [FRAMING_STREAM_CLOSE] = 'C',
    };

    return letters[unit];
}

static void record(struct trace *trace, enum framing_unit unit, size_t size)
{
    if (unit == FRAMING_WHITESPACE) {
        if (trace->spaces == 0)
            trace->units[trace->count++] = 'W';
        trace->spaces += size;
        return;
    }
    trace->units[trace->count++] = letter(unit);
    buffer_appendf(&trace->text, "%zu %c%zu,", trace->spaces, letter(unit),
                   size);
    trace->spaces = 0;
}

/* Takes units off [*begin, end); the error, or NONE when more is needed. */
static enum stream_error take(struct framing *framing, struct trace *trace,
                              const char *stream, size_t *begin, size_t end)
{
    enum framing_unit unit;
    enum stream_error error;
    size_t size;

    while (true) {
        unit =
            framing_next(framing, (struct slice){stream + *begin, end - *begin},
                         &size, &error);
        if (unit == FRAMING_NEED_MORE || unit == FRAMING_ERROR)
            break;
        CU_ASSERT_FATAL(size > 0 && size <= end - *begin);
        record(trace, unit, size);
        *begin += size;
    }
    CU_ASSERT_EQUAL(error != STREAM_ERROR_NONE, unit == FRAMING_ERROR);
    if (unit == FRAMING_NEED_MORE) /* nothing is left to scan twice */
        CU_ASSERT_EQUAL(framing->scanned, end - *begin);
    return error;
}

/* The first `first` bytes come at once, then `step` at a time. */
static enum stream_error run(const char *stream, size_t size, size_t first,
                             size_t step, uint32_t max, struct trace *trace)
{
    struct framing framing;
    enum stream_error error = STREAM_ERROR_NONE;
    size_t begin = 0, end = first;

    *trace = (struct trace){.text = BUFFER_EMPTY};
    framing_init(&framing, max);
    while (error == STREAM_ERROR_NONE) {
        error = take(&framing, trace, stream, &begin, end);
        if (end == size)
            break;
        end = end + step < size ? end + step : size;
    }
    if (error != STREAM_ERROR_NONE)
        buffer_append_text(&trace->text, stream_error_name(error));
    return error;
}

static void finds_units(void)
{
    struct trace trace;
    enum stream_error error;
    size_t size;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size = strlen(cases[i].stream);
        error = run(cases[i].stream, size, size, 1, LIMIT, &trace);
        ASSERT_CASE(cases[i].name, error == cases[i].error);
        ASSERT_CASE(cases[i].name, !strcmp(trace.units, cases[i].units));
        buffer_deinit(&trace.text);
    }
}

static void check_split(const char *stream, uint32_t max, size_t first,
                        size_t step, const struct trace *whole)
{
    struct trace split;

    run(stream, strlen(stream), first, step, max, &split);
    ASSERT_CASE(stream, slice_equal(buffer_slice(&whole->text),
                                    buffer_slice(&split.text)));
    ASSERT_CASE(stream, !strcmp(whole->units, split.units));
    buffer_deinit(&split.text);
}

static void check_splits(const char *stream, uint32_t max)
{
    size_t size = strlen(stream);
    struct trace whole;

    run(stream, size, size, 1, max, &whole);
    for (size_t at = 0; at < size; at++)
        check_split(stream, max, at, size, &whole);
    check_split(stream, max, 0, 1, &whole);
    check_split(stream, max, 0, 3, &whole);
    buffer_deinit(&whole.text);
}

static void does_not_depend_on_splits(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check_splits(cases[i].stream, LIMIT);
        check_splits(cases[i].stream, 40);
    }
}

/* The error for a stream header and then `stanza`. */
static enum stream_error judge(const struct buffer *stanza, uint32_t max)
{
    struct trace trace;
    struct buffer stream = BUFFER_EMPTY;
    enum stream_error error;

    buffer_append_text(&stream, OPEN);
    buffer_append(&stream, buffer_slice(stanza));
    error = run(stream.data, stream.size, stream.size, 1, max, &trace);
    if (error == STREAM_ERROR_NONE)
        CU_ASSERT_STRING_EQUAL(trace.units, "OE");
    buffer_deinit(&trace.text);
    buffer_deinit(&stream);
    return error;
}

static enum stream_error judge_depth(unsigned depth, const char *innermost)
{
    struct buffer stanza = BUFFER_EMPTY;
    enum stream_error error;

    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&stanza, "<a>");
    buffer_append_text(&stanza, innermost);
    for (unsigned i = 0; i < depth; i++)
        buffer_append_text(&stanza, "</a>");
    error = judge(&stanza, LIMIT);
    buffer_deinit(&stanza);
    return error;
}

static void limits_depth(void)
{
    CU_ASSERT_EQUAL(judge_depth(FRAMING_DEPTH_MAX, "x"), STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(judge_depth(FRAMING_DEPTH_MAX - 1, "<b/>"),
                    STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(judge_depth(FRAMING_DEPTH_MAX, "<b/>"),
                    STREAM_ERROR_POLICY_VIOLATION);
    CU_ASSERT_EQUAL(judge_depth(FRAMING_DEPTH_MAX + 1, "x"),
                    STREAM_ERROR_POLICY_VIOLATION);
}

static enum stream_error judge_attributes(unsigned count)
{
    struct buffer stanza = BUFFER_EMPTY;
    enum stream_error error;

    buffer_append_text(&stanza, "<a x='y'><b");
    for (unsigned i = 0; i < count; i++)
        buffer_appendf(&stanza, " a%u='%u'", i, i);
    buffer_append_text(&stanza, "/></a>");
    error = judge(&stanza, LIMIT);
    buffer_deinit(&stanza);
    return error;
}

static void limits_attributes(void)
{
    CU_ASSERT_EQUAL(judge_attributes(FRAMING_ATTRIBUTES_MAX),
                    STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(judge_attributes(FRAMING_ATTRIBUTES_MAX + 1),
                    STREAM_ERROR_POLICY_VIOLATION);
}

static enum stream_error judge_size(size_t size)
{
    struct buffer stanza = BUFFER_EMPTY;
    enum stream_error error;

    buffer_append_text(&stanza, "<a>");
    while (stanza.size < size - strlen("</a>"))
        buffer_append_byte(&stanza, 'x');
    buffer_append_text(&stanza, "</a>");
    error = judge(&stanza, LIMIT);
    buffer_deinit(&stanza);
    return error;
}

static void limits_size(void)
{
    CU_ASSERT_EQUAL(judge_size(LIMIT), STREAM_ERROR_NONE);
    CU_ASSERT_EQUAL(judge_size(LIMIT + 1), STREAM_ERROR_POLICY_VIOLATION);
}

/* A unit that has filled its limit can only pass it. */
static void refuses_what_cannot_end_in_time(void)
{
    struct trace trace;
    char bytes[LIMIT] = "<a x='";

    memset(bytes + 6, 'x', sizeof(bytes) - 6);
    CU_ASSERT_EQUAL(run(bytes, LIMIT - 1, LIMIT - 1, 1, LIMIT, &trace),
                    STREAM_ERROR_NONE);
    buffer_deinit(&trace.text);
    CU_ASSERT_EQUAL(run(bytes, LIMIT, LIMIT, 1, LIMIT, &trace),
                    STREAM_ERROR_POLICY_VIOLATION);
    buffer_deinit(&trace.text);
}

static void starts_anew(void)
{
    struct framing framing;
    enum stream_error error;
    size_t size;

    CU_ASSERT_TRUE(sizeof(framing) <= 24);
    framing_init(&framing, LIMIT);
    CU_ASSERT_EQUAL(framing_next(&framing, SLICE(OPEN), &size, &error),
                    FRAMING_STREAM_OPEN);
    CU_ASSERT_TRUE(framing.is_open);
    framing_init(&framing, LIMIT);
    CU_ASSERT_EQUAL(framing_next(&framing, SLICE_NONE, &size, &error),
                    FRAMING_NEED_MORE);
    CU_ASSERT_EQUAL(framing_next(&framing, SLICE(OPEN "<a/>"), &size, &error),
                    FRAMING_STREAM_OPEN);
    CU_ASSERT_EQUAL(size, strlen(OPEN));
}

int main(void)
{
    static const struct unit_case tests[] = {
        {"finds units", finds_units},
        {"does not depend on splits", does_not_depend_on_splits},
        {"limits depth", limits_depth},
        {"limits attributes", limits_attributes},
        {"limits size", limits_size},
        {"refuses what cannot end in time", refuses_what_cannot_end_in_time},
        {"starts anew", starts_anew},
    };

    return unit_run("framing", tests, ARRAY_SIZE(tests));
}
