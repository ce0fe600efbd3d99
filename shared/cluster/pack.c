#include "cluster/pack.h"

static bool take(struct slice *rest, size_t size, const char **data_out)
{
    if (rest->size < size)
        return false;
    *data_out = rest->data;
    rest->data += size;
    rest->size -= size;
    return true;
}

static bool take_number(struct slice *rest, size_t size, uint64_t *number_out)
{
    const char *data;

    if (!take(rest, size, &data))
        return false;
    *number_out = 0;
    for (size_t i = 0; i < size; i++)
        *number_out = *number_out << 8 | (unsigned char)data[i];
    return true;
}

static bool take_bytes(struct slice *rest, enum pack_kind kind, uint64_t size,
                       struct pack_token *token)
{
    token->kind = kind;
    token->bytes.size = (size_t)size;
    return take(rest, (size_t)size, &token->bytes.data);
}

/* `size` bytes of length, then that many bytes and `more`. */
static bool take_sized(struct slice *rest, enum pack_kind kind, size_t size,
                       size_t more, struct pack_token *token)
{
    uint64_t length;

    return take_number(rest, size, &length) &&
           take_bytes(rest, kind, length + more, token);
}

static bool take_unsigned(struct slice *rest, enum pack_kind kind, size_t size,
                          struct pack_token *token)
{
    token->kind = kind;
    return take_number(rest, size, &token->number);
}

static bool take_signed(struct slice *rest, size_t size,
                        struct pack_token *token)
{
    unsigned shift = (unsigned)(64 - 8 * size);

    if (!take_number(rest, size, &token->number))
        return false;
    token->negative = (int64_t)(token->number << shift) >> shift;
    token->kind = token->negative < 0 ? PACK_NEGATIVE : PACK_UNSIGNED;
    token->number = (uint64_t)token->negative;
    return true;
}

static bool take_value(struct pack_token *token, enum pack_kind kind,
                       uint64_t number)
{
    token->kind = kind;
    token->number = number;
    return true;
}

/* Lead bytes 0xc0 to 0xdf of the MessagePack specification. */
static bool take_long(struct slice *rest, unsigned lead,
                      struct pack_token *token)
{
    size_t power = (size_t)1 << (lead & 3);

    switch (lead) {
    case 0xc0:
        return take_value(token, PACK_NIL, 0);
    case 0xc2:
    case 0xc3:
        return take_value(token, PACK_BOOLEAN, lead & 1);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take_sized(rest, PACK_BYTES, power, 0, token);
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return take_sized(rest, PACK_OTHER, (size_t)1 << ((lead - 0xc7) & 3), 1,
                          token);
    case 0xca:
    case 0xcb:
        return take_bytes(rest, PACK_OTHER, lead == 0xca ? 4 : 8, token);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take_unsigned(rest, PACK_UNSIGNED, power, token);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return take_signed(rest, power, token);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return take_bytes(rest, PACK_OTHER,
                          ((size_t)1 << ((lead - 0xd4) & 7)) + 1, token);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take_sized(rest, PACK_TEXT, (size_t)1 << ((lead - 0xd9) & 3), 0,
                          token);
    case 0xdc:
    case 0xdd:
        return take_unsigned(rest, PACK_ARRAY, lead == 0xdc ? 2 : 4, token);
    case 0xde:
    case 0xdf:
        return take_unsigned(rest, PACK_MAP, lead == 0xde ? 2 : 4, token);
    default:
        return false;
    }
}

bool pack_next(struct slice *rest, struct pack_token *token_out)
{
    const char *data;
    unsigned lead;

    if (!take(rest, 1, &data))
        return false;
    lead = (unsigned char)*data;
    if (lead < 0x80)
        return take_value(token_out, PACK_UNSIGNED, lead);
    if (lead < 0x90)
        return take_value(token_out, PACK_MAP, lead & 15);
    if (lead < 0xa0)
        return take_value(token_out, PACK_ARRAY, lead & 15);
    if (lead < 0xc0)
        return take_bytes(rest, PACK_TEXT, lead & 31, token_out);
    if (lead < 0xe0)
        return take_long(rest, lead, token_out);
    token_out->negative = (int64_t)lead - 256;
    return take_value(token_out, PACK_NEGATIVE, 0);
}

bool pack_skip(struct slice *rest)
{
    uint64_t values = 1;

    while (values--) {
        struct pack_token token;

        if (!pack_next(rest, &token))
            return false;
        if (token.kind != PACK_ARRAY && token.kind != PACK_MAP)
            continue;
        if (token.number > rest->size) /* every entry has a byte at least */
            return false;
        values += token.kind == PACK_MAP ? 2 * token.number : token.number;
    }
    return true;
}
