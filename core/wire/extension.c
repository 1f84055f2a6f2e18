/* core/wire/extension.c - IPv6 extension headers: RFC 8200 sections 4.1 to 4.7, RFC 4302. */
#include "extension.h"
#include "ip.h"

/* Codes of a parameter problem, RFC 4443 section 3.4. */
enum { CODE_FIELD = 0, CODE_NEXT_HEADER = 1, CODE_OPTION = 2 };

static enum ltcp_status complain(struct ltcp_extensions *x, enum ltcp_complaint complaint,
                                 uint8_t code, size_t pointer)
{
    x->complaint = (uint8_t)complaint;
    x->code = code;
    x->pointer = (uint16_t)pointer;
    return LTCP_ERR_IP_OPTION;
}

/* RFC8200:4.2-2: what the two upper bits of an option's type say of one that nobody here knows. */
static enum ltcp_status unknown_option(struct ltcp_extensions *x, uint8_t type, size_t at)
{
    switch (type >> 6) {
    case 0: return LTCP_OK;
    case 1: return complain(x, LTCP_COMPLAINT_NONE, CODE_OPTION, at);
    case 2: return complain(x, LTCP_COMPLAINT_ALWAYS, CODE_OPTION, at);
    default: return complain(x, LTCP_COMPLAINT_UNICAST, CODE_OPTION, at);
    }
}

/* RFC8200:4.2-1: strictly in order. Pad1 is an octet alone; PadN (RFC8200:4.2-3) and all that is
 * not known have a length. */
static enum ltcp_status walk_options(struct ltcp_extensions *x, const uint8_t *p, size_t start,
                                     size_t end)
{
    size_t i = start + 2;
    while (i < end) {
        if (p[i] == 0) {
            i++;
            continue;
        }
        if (end - i < 2) return complain(x, LTCP_COMPLAINT_UNICAST, CODE_FIELD, i);
        const enum ltcp_status status = unknown_option(x, p[i], i);
        if (status != LTCP_OK) return status;
        if (p[i + 1] > end - i - 2) return complain(x, LTCP_COMPLAINT_UNICAST, CODE_FIELD, i + 1);
        i += (size_t)p[i + 1] + 2;
    }
    return LTCP_OK;
}

/* RFC8200:4.4-1, RFC8200:4.4-2: no routing type is known here. */
static enum ltcp_status check_routing(struct ltcp_extensions *x, const uint8_t *p, size_t at)
{
    if (p[at + 3] == 0) return LTCP_OK;
    return complain(x, LTCP_COMPLAINT_UNICAST, CODE_FIELD, at + 2);
}

static enum ltcp_status judge(struct ltcp_extensions *x, uint8_t kind, const uint8_t *p,
                              size_t start, size_t end)
{
    if (kind == LTCP_NEXT_ROUTING) return check_routing(x, p, start);
    if (kind == LTCP_NEXT_HOP_BY_HOP || kind == LTCP_NEXT_DESTINATION_OPTIONS)
        return walk_options(x, p, start, end);
    return LTCP_OK;
}

/* In octets. The Authentication header counts in words, without the first two of them (RFC 4302
 * section 2.2), the others in eights, without the first eight; the Fragment header has no length
 * of its own. */
static size_t size_of(uint8_t kind, uint8_t length)
{
    if (kind == LTCP_NEXT_FRAGMENT) return 8;
    if (kind == LTCP_NEXT_AUTHENTICATION) return ((size_t)length + 2) * 4;
    return ((size_t)length + 1) * 8;
}

static bool is_extension(uint8_t kind)
{
    return kind == LTCP_NEXT_HOP_BY_HOP || kind == LTCP_NEXT_ROUTING ||
           kind == LTCP_NEXT_FRAGMENT || kind == LTCP_NEXT_AUTHENTICATION ||
           kind == LTCP_NEXT_DESTINATION_OPTIONS;
}

/* RFC8200:4.5-8: a Fragment header with offset 0 and no more to come is passed over. */
static bool is_whole(const uint8_t *p)
{
    return (load_be16(p + 2) & 0xFFF9) == 0;
}

/* RFC8200:4.1-1: in any order, any number of them: at most as many as the packet has room for. */
enum ltcp_status ltcp_extensions_walk(const uint8_t *p, size_t there, size_t total, bool lenient,
                                      struct ltcp_extensions *x)
{
    *x = (struct ltcp_extensions){.end = IPV6_HEADER, .protocol_at = 6, .protocol = p[6]};
    while (is_extension(x->protocol)) {
        const size_t at = x->end, left = total - at;
        const uint8_t kind = x->protocol;
        /* RFC8200:4-2 */
        if (kind == LTCP_NEXT_HOP_BY_HOP && at != IPV6_HEADER && !lenient)
            return complain(x, LTCP_COMPLAINT_UNICAST, CODE_NEXT_HEADER, x->protocol_at);
        if (left < 8) return complain(x, LTCP_COMPLAINT_UNICAST, CODE_FIELD, 4);
        if (there - at < 8) return LTCP_ERR_TRUNCATED;
        const size_t size = size_of(kind, p[at + 1]);
        if (size > left) return complain(x, LTCP_COMPLAINT_UNICAST, CODE_FIELD, at + 1);
        if (size > there - at) return LTCP_ERR_TRUNCATED;
        const enum ltcp_status status = lenient ? LTCP_OK : judge(x, kind, p, at, at + size);
        if (status != LTCP_OK) return status;
        const bool fragment = kind == LTCP_NEXT_FRAGMENT && !is_whole(p + at);
        if (fragment)
            x->fragment_at = (uint16_t)at;
        else
            x->protocol_at = (uint16_t)at;
        x->protocol = p[at];
        x->end = (uint16_t)(at + size);
        if (fragment) return LTCP_ERR_FRAGMENT;
    }
    return LTCP_OK;
}
