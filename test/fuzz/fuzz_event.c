/* What decodes must encode, and decode again to the same bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "cluster/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct event *event)
{
    struct buffer first = BUFFER_EMPTY;
    struct buffer second = BUFFER_EMPTY;
    struct event again;
    const char *error;

    event_encode(&first, event);
    if (!event_decode(buffer_slice(&first), &again, &error))
        abort();
    event_encode(&second, &again);
    if (!slice_equal(buffer_slice(&first), buffer_slice(&second)))
        abort();
    buffer_deinit(&first);
    buffer_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_batch batch;
    struct event event;
    struct slice raw;
    const char *error = NULL;
    enum event_read read = event_batch_open(
        &batch, (struct slice){(const char *)data, size}, &error);

    while (read == EVENT_READ_OK || read == EVENT_READ_BAD) {
        read = event_batch_next(&batch, &event, &raw, &error);
        if (read == EVENT_READ_OK)
            check(&event);
    }
    return 0;
}
