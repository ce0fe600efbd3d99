#include "sasl_name.h"

/* Behind the gs2-header: "n,,", "y,," or "n,a=authzid,". */
static bool skip_header(struct slice *rest)
{
    unsigned commas = 0;

    if (!rest->size || (rest->data[0] != 'n' && rest->data[0] != 'y'))
        return false;
    while (rest->size && commas < 2) {
        commas += *rest->data == ',';
        rest->data++;
        rest->size--;
    }
    return commas == 2;
}

static bool decode_byte(struct slice *rest, char *out)
{
    if (*rest->data != '=') {
        *out = *rest->data++;
        rest->size--;
        return true;
    }
    if (rest->size < 3)
        return false;
    if (!memcmp(rest->data, "=2C", 3))
        *out = ',';
    else if (!memcmp(rest->data, "=3D", 3))
        *out = '=';
    else
        return false;
    rest->data += 3;
    rest->size -= 3;
    return true;
}

bool sasl_name_parse(struct slice client_first, char *out, size_t room)
{
    struct slice rest = client_first;
    size_t used = 0;

    if (!skip_header(&rest) || !slice_starts_with(rest, "n="))
        return false;
    rest.data += 2;
    rest.size -= 2;
    while (rest.size && *rest.data != ',') {
        if (used + 1 >= room || *rest.data == '\0' ||
            !decode_byte(&rest, &out[used++]))
            return false;
    }
    out[used] = '\0';
    return used > 0 && rest.size > 0;
}
