#include "xmpp/utf8.h"

#include <stdint.h>

/* Bytes before the first that is not ASCII. */
static size_t ascii_span(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *begin = at;
    uint64_t word;

    while ((size_t)(end - at) >= sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if (word & UINT64_C(0x8080808080808080))
            break;
        at += sizeof(word);
    }
    while (at < end && *at < 0x80)
        at++;
    return (size_t)(at - begin);
}

/* Length of the well-formed multi-byte sequence at `at` (RFC 3629 4), or 0. */
static size_t sequence_size(const unsigned char *at, size_t room)
{
    unsigned char lead = at[0], low = 0x80, high = 0xBF;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (lead < 0xC2 || lead > 0xF4 || size > room)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

bool utf8_is_valid(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    const unsigned char *end;
    size_t size;

    if (text.size == 0)
        return true;
    end = at + text.size;
    while (at < end) {
        at += ascii_span(at, end);
        if (at == end)
            break;
        size = sequence_size(at, (size_t)(end - at));
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
