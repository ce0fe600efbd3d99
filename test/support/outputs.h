/*
 * What handlers put out, as lines of text:
 *   <target> <type> [#session] [kind[/subtype]] [to] [<from] [!condition]
 *   [@audience] [{payload}]
 * e.g. "inbox:f1 stanza.deliver #7 message/chat bob@x <amy@x/pc {<body/>}".
 */
#ifndef SUPPORT_OUTPUTS_H
#define SUPPORT_OUTPUTS_H

#include "base/buffer.h"
#include "cluster/output.h"
#include "unit.h"

#include <stdio.h>

static inline void outputs_init(struct output *output)
{
    static uint64_t sequence;

    output_init(output);
    output->partitions = 8;
    output->service = SERVICE_DELIVERY;
    output->epoch = 5;
    output->boot = 77;
    output->sequence = &sequence;
}

/* Of the item's event; its slices live in `body` until the next call. */
static inline struct event outputs_decode(const struct output_item *item,
                                          struct buffer *body)
{
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;

    buffer_clear(body);
    event_batch_header(body, 1);
    buffer_append(body, item->event);
    CU_ASSERT_EQUAL_FATAL(event_batch_open(&batch, buffer_slice(body), &error),
                          EVENT_READ_OK);
    CU_ASSERT_EQUAL_FATAL(event_batch_next(&batch, &event, &raw, &error),
                          EVENT_READ_OK);
    return event;
}

static inline void outputs_describe(const struct output_item *item,
                                    struct buffer *line)
{
    static const char *const audiences[] = {"", " @available", " @interested",
                                            " @all"};
    struct buffer body = BUFFER_EMPTY;
    struct event event = outputs_decode(item, &body);

    buffer_clear(line);
    if (item->target == OUTPUT_SERVICE)
        buffer_append_text(line, service_name(item->service));
    else
        buffer_appendf(line, "%s:%.*s",
                       item->target == OUTPUT_INBOX ? "inbox" : "node",
                       SLICE_FORMAT(item->node));
    buffer_appendf(line, " %s", event_type_name(event.type));
    if (event.session)
        buffer_appendf(line, " #%lu", (unsigned long)event.session);
    if (event.type == EVENT_STANZA_ROUTE || event.type == EVENT_STANZA_DELIVER)
        buffer_appendf(line, " %s", stanza_kind_name(event.kind));
    if (slice_is_set(event.subtype))
        buffer_appendf(line, "/%.*s", SLICE_FORMAT(event.subtype));
    if (slice_is_set(event.to))
        buffer_appendf(line, " %.*s", SLICE_FORMAT(event.to));
    if (slice_is_set(event.from))
        buffer_appendf(line, " <%.*s", SLICE_FORMAT(event.from));
    if (slice_is_set(event.condition))
        buffer_appendf(line, " !%.*s", SLICE_FORMAT(event.condition));
    buffer_append_text(line, audiences[event.audience]);
    if (event.payload.size)
        buffer_appendf(line, " {%.*s}", SLICE_FORMAT(event.payload));
    buffer_deinit(&body);
}

/* Is the output exactly these lines, in order?  Clears it. */
static inline bool outputs_are(struct output *output, const char *const *lines,
                               size_t count)
{
    const struct output_item *item = output->first;
    struct buffer line = BUFFER_EMPTY;
    bool is_same = true;

    for (size_t i = 0; i < count || item; i++) {
        const char *expected = i < count ? lines[i] : "(nothing)";
        const char *actual = "(nothing)";

        if (item) {
            outputs_describe(item, &line);
            actual = line.data;
            item = item->next;
        }
        if (strcmp(expected, actual) != 0) {
            printf("\n    expected: %s\n    actual:   %s\n", expected, actual);
            is_same = false;
        }
    }
    buffer_deinit(&line);
    output_clear(output);
    return is_same;
}

#define EXPECT(output, ...)                                                    \
    do {                                                                       \
        const char *const lines_[] = {__VA_ARGS__};                            \
        CU_ASSERT_TRUE(outputs_are((output), lines_, ARRAY_SIZE(lines_)));     \
    } while (0)

#define EXPECT_NOTHING(output) CU_ASSERT_TRUE(outputs_are((output), NULL, 0))

static inline size_t outputs_count(const struct output *output,
                                   enum event_type type)
{
    struct buffer body = BUFFER_EMPTY;
    size_t count = 0;

    for (const struct output_item *item = output->first; item;
         item = item->next)
        count += outputs_decode(item, &body).type == type;
    buffer_deinit(&body);
    return count;
}

/* The n-th item's event; false when there is none.  `body` keeps its bytes. */
static inline bool outputs_event(const struct output *output, size_t n,
                                 struct buffer *body, struct event *event_out)
{
    const struct output_item *item = output->first;

    event_init(event_out, EVENT_MEMBER_ANNOUNCE);
    while (item && n--)
        item = item->next;
    if (item)
        *event_out = outputs_decode(item, body);
    return item != NULL;
}

#endif
