#include "xmpp/framing.h"

#include "base/log.h"

#include <stdlib.h>

enum { UNIT_MAX = 512 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Hash of the units found, white space joined, with `step` more bytes (1 to
 * `step` when negative) shown each time. */
static size_t run(struct slice bytes, int step)
{
    struct framing framing;
    size_t begin = 0, end = 0, size, spaces = 0, sum = 0;
    enum framing_unit unit = FRAMING_NEED_MORE;
    enum stream_error error = STREAM_ERROR_NONE;

    framing_init(&framing, UNIT_MAX);
    while (unit != FRAMING_ERROR) {
        unit = framing_next(&framing,
                            (struct slice){bytes.data + begin, end - begin},
                            &size, &error);
        if (unit == FRAMING_NEED_MORE && end == bytes.size)
            break;
        if (unit == FRAMING_NEED_MORE)
            end += step > 0 ? (size_t)step : 1 + (size_t)(rand() % -step);
        if (end > bytes.size)
            end = bytes.size;
        begin += size;
        BUG_ON(begin > end);
        if (unit == FRAMING_WHITESPACE)
            spaces += size;
        else if (unit != FRAMING_NEED_MORE)
            sum = (sum * 31 + begin) * 31 + (size_t)unit;
    }
    return (sum * 31 + spaces) * 31 + (size_t)error;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};
    size_t whole = run(bytes, (int)size + 1);

    BUG_ON(run(bytes, 1) != whole);
    srand((unsigned)size);
    BUG_ON(run(bytes, -9) != whole);
    return 0;
}
