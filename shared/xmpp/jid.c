#include "xmpp/jid.h"

#include "base/log.h"
#include "xmpp/utf8.h"

#include <idna.h>
#include <stringprep.h>

#include <arpa/inet.h>
#include <stdlib.h>

enum { LABEL_MAX = 63 /* RFC 1034 3.1 */ };

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    }
    return true;
}

static bool is_printable(char byte)
{
    return byte >= ' ' && byte < 0x7F;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* RFC 6122 appendix A.5: what nodeprep forbids on top of stringprep. */
static bool is_allowed_in_local(char byte)
{
    return is_printable(byte) && byte != ' ' && !strchr("\"&'/:<>@", byte);
}

/* `out` holds JID_PART_MAX + 1 bytes. */
static bool prepare(struct slice text, const Stringprep_profile *profile,
                    char *out, size_t *size_out)
{
    if (memchr(text.data, '\0', text.size) || !utf8_is_valid(text))
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    if (stringprep(out, JID_PART_MAX + 1, (Stringprep_profile_flags)0,
                   profile) != STRINGPREP_OK)
        return false;
    *size_out = strlen(out);
    return *size_out > 0;
}

static bool has_part_size(struct slice text)
{
    return text.size > 0 && text.size <= JID_PART_MAX;
}

bool jid_prepare_local(struct slice text, char *out, size_t *size_out)
{
    if (!has_part_size(text))
        return false;
    if (!is_ascii(text))
        return prepare(text, stringprep_xmpp_nodeprep, out, size_out);
    for (size_t i = 0; i < text.size; i++) {
        if (!is_allowed_in_local(text.data[i]))
            return false;
        out[i] = lower(text.data[i]);
    }
    out[text.size] = '\0';
    *size_out = text.size;
    return true;
}

bool jid_prepare_resource(struct slice text, char *out, size_t *size_out)
{
    if (!has_part_size(text))
        return false;
    if (!is_ascii(text))
        return prepare(text, stringprep_xmpp_resourceprep, out, size_out);
    for (size_t i = 0; i < text.size; i++) {
        if (!is_printable(text.data[i]))
            return false;
        out[i] = text.data[i];
    }
    out[text.size] = '\0';
    *size_out = text.size;
    return true;
}

static bool is_in_label(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-';
}

static bool is_label(struct slice label)
{
    if (label.size == 0 || label.size > LABEL_MAX || label.data[0] == '-' ||
        label.data[label.size - 1] == '-')
        return false;
    for (size_t i = 0; i < label.size; i++) {
        if (!is_in_label(label.data[i]))
            return false;
    }
    return true;
}

/* Letters, digits and hyphens (STD3, as RFC 6122 2.2 demands of IDNA). */
static bool is_ascii_domain(struct slice domain)
{
    size_t begin = 0;

    for (size_t i = 0; i <= domain.size; i++) {
        if (i < domain.size && domain.data[i] != '.')
            continue;
        if (!is_label((struct slice){domain.data + begin, i - begin}))
            return false;
        begin = i + 1;
    }
    return true;
}

/* Each label must survive ToASCII (RFC 3490 4.1). */
static bool is_unicode_domain(const char *domain)
{
    char *ascii = NULL;
    bool is_valid = idna_to_ascii_8z(domain, &ascii,
                                     IDNA_USE_STD3_ASCII_RULES) == IDNA_SUCCESS;

    is_valid = is_valid && is_ascii_domain(slice_of(ascii));
    free(ascii);
    return is_valid;
}

static bool is_ipv6_literal(const char *text, size_t size)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];

    if (size < 2 || text[0] != '[' || text[size - 1] != ']' ||
        size - 2 >= sizeof(address))
        return false;
    memcpy(address, text + 1, size - 2);
    address[size - 2] = '\0';
    return inet_pton(AF_INET6, address, binary) == 1;
}

/* RFC 3490 3.1: the other full stops separate labels as '.' does; nameprep
 * leaves of them only U+3002. */
static size_t replace_full_stops(char *text, size_t size)
{
    static const char full_stop[] = "\xE3\x80\x82";
    size_t kept = 0;

    for (size_t i = 0; i < size; i++) {
        if (size - i >= 3 && !memcmp(text + i, full_stop, 3)) {
            text[kept++] = '.';
            i += 2;
        } else {
            text[kept++] = text[i];
        }
    }
    text[kept] = '\0';
    return kept;
}

static bool map_domain(struct slice text, char *out, size_t *size_out)
{
    if (!is_ascii(text)) {
        if (!prepare(text, stringprep_nameprep, out, size_out))
            return false;
        *size_out = replace_full_stops(out, *size_out);
        return true;
    }
    for (size_t i = 0; i < text.size; i++)
        out[i] = lower(text.data[i]);
    *size_out = text.size;
    return true;
}

static bool prepare_domain(struct slice text, char *out, size_t *size_out)
{
    struct slice domain;

    if (!has_part_size(text) || !map_domain(text, out, size_out))
        return false;
    if (*size_out > 1 && out[*size_out - 1] == '.') /* RFC 6122 2.2 */
        --*size_out;
    out[*size_out] = '\0';
    domain = (struct slice){out, *size_out};
    if (!is_ascii(domain))
        return is_unicode_domain(out);
    return is_ascii_domain(domain) || is_ipv6_literal(out, *size_out);
}

static bool refuse(const char **error_out, const char *reason)
{
    *error_out = reason;
    return false;
}

bool jid_parse(struct slice text, struct jid *jid_out, const char **error_out)
{
    struct slice local, domain = jid_text_domain(text);
    struct slice resource = jid_text_resource(text);
    char part[JID_PART_MAX + 1];
    size_t size = 0;

    local = jid_text_local(text);
    jid_out->local_size = 0;
    if (slice_is_set(local)) {
        if (!jid_prepare_local(local, part, &jid_out->local_size))
            return refuse(error_out, "invalid localpart");
        memcpy(jid_out->text, part, jid_out->local_size);
        jid_out->text[jid_out->local_size] = '@';
        size = jid_out->local_size + 1;
    }
    if (!prepare_domain(domain, part, &jid_out->bare_size))
        return refuse(error_out, "invalid domainpart");
    memcpy(jid_out->text + size, part, jid_out->bare_size);
    jid_out->bare_size += size;
    jid_out->size = jid_out->bare_size;
    if (slice_is_set(resource)) {
        if (!jid_prepare_resource(resource, part, &size))
            return refuse(error_out, "invalid resourcepart");
        jid_out->text[jid_out->size++] = '/';
        memcpy(jid_out->text + jid_out->size, part, size);
        jid_out->size += size;
    }
    jid_out->text[jid_out->size] = '\0';
    return true;
}

struct slice jid_full(const struct jid *jid)
{
    return (struct slice){jid->text, jid->size};
}

struct slice jid_bare(const struct jid *jid)
{
    return (struct slice){jid->text, jid->bare_size};
}

static const char *find(struct slice text, char byte)
{
    return text.size > 0 ? memchr(text.data, byte, text.size) : NULL;
}

struct slice jid_text_bare(struct slice jid)
{
    const char *slash = find(jid, '/');

    return slash ? (struct slice){jid.data, (size_t)(slash - jid.data)} : jid;
}

struct slice jid_text_local(struct slice jid)
{
    const char *at = find(jid_text_bare(jid), '@');

    return at ? (struct slice){jid.data, (size_t)(at - jid.data)} : SLICE_NONE;
}

struct slice jid_text_domain(struct slice jid)
{
    struct slice bare = jid_text_bare(jid);
    const char *at = find(bare, '@');
    size_t skipped = at ? (size_t)(at - bare.data) + 1 : 0;

    return (struct slice){at ? at + 1 : bare.data, bare.size - skipped};
}

struct slice jid_text_resource(struct slice jid)
{
    const char *slash = find(jid, '/');
    size_t skipped = slash ? (size_t)(slash - jid.data) + 1 : 0;

    return slash ? (struct slice){slash + 1, jid.size - skipped} : SLICE_NONE;
}
