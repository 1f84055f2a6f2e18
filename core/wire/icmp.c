/* core/wire/icmp.c - ICMP (RFC 792) and ICMPv6 (RFC 4443) messages that a TCP host meets. */
#include "ip.h"
#include "sum.h"

/* RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4 (c): how long an error message may get. */
enum { ICMP_ERROR_MAX = 576, ICMPV6_ERROR_MAX = 1280 };

static const char *const names[] = {
    [LTCP_ICMP_NET_UNREACHABLE] = "net unreachable",
    [LTCP_ICMP_HOST_UNREACHABLE] = "host unreachable",
    [LTCP_ICMP_PROTOCOL_UNREACHABLE] = "protocol unreachable",
    [LTCP_ICMP_PORT_UNREACHABLE] = "port unreachable",
    [LTCP_ICMP_TOO_BIG] = "too big",
    [LTCP_ICMP_SOURCE_ROUTE_FAILED] = "source route failed",
    [LTCP_ICMP_ADMIN_PROHIBITED] = "administratively prohibited",
    [LTCP_ICMP_SOURCE_QUENCH] = "source quench",
    [LTCP_ICMP_TIME_EXCEEDED] = "time exceeded",
    [LTCP_ICMP_PARAMETER_PROBLEM] = "parameter problem",
    [LTCP_ICMP_ECHO] = "echo",
    [LTCP_ICMP_ECHO_REPLY] = "echo reply",
    [LTCP_ICMP_OTHER] = "other",
};

const char *ltcp_icmp_name(enum ltcp_icmp_kind kind)
{
    return (unsigned)kind <= LTCP_ICMP_OTHER ? names[kind] : "other";
}

/* One row a message: the first that matches says the kind of what came in, the first of a kind says
 * how it goes out. ANY stands for every code, and goes out as 0. */
enum { ANY = 0xFF };
struct message {
    uint8_t type, code;
    enum ltcp_icmp_kind kind;
};

static const struct message messages_v4[] = {
    {3, 0, LTCP_ICMP_NET_UNREACHABLE},
    {3, 1, LTCP_ICMP_HOST_UNREACHABLE},
    {3, 2, LTCP_ICMP_PROTOCOL_UNREACHABLE},
    {3, 3, LTCP_ICMP_PORT_UNREACHABLE},
    {3, 4, LTCP_ICMP_TOO_BIG},
    {3, 5, LTCP_ICMP_SOURCE_ROUTE_FAILED},
    {3, 13, LTCP_ICMP_ADMIN_PROHIBITED}, /* communication prohibited: RFC 1812 section 5.2.7.1 */
    {3, 6, LTCP_ICMP_NET_UNREACHABLE},   /* destination network unknown: RFC 1122, 3.2.2.1 */
    {3, 7, LTCP_ICMP_HOST_UNREACHABLE},  /* destination host unknown */
    {3, 8, LTCP_ICMP_HOST_UNREACHABLE},  /* source host isolated */
    {3, 9, LTCP_ICMP_ADMIN_PROHIBITED},  /* network prohibited */
    {3, 10, LTCP_ICMP_ADMIN_PROHIBITED}, /* host prohibited */
    {3, 11, LTCP_ICMP_NET_UNREACHABLE},  /* for this type of service */
    {3, 12, LTCP_ICMP_HOST_UNREACHABLE}, /* for this type of service */
    {3, 14, LTCP_ICMP_ADMIN_PROHIBITED}, /* host precedence violation */
    {3, 15, LTCP_ICMP_ADMIN_PROHIBITED}, /* precedence cutoff */
    {4, ANY, LTCP_ICMP_SOURCE_QUENCH},
    {11, ANY, LTCP_ICMP_TIME_EXCEEDED},
    {12, ANY, LTCP_ICMP_PARAMETER_PROBLEM},
    {8, ANY, LTCP_ICMP_ECHO},
    {0, ANY, LTCP_ICMP_ECHO_REPLY},
    {0, 0, LTCP_ICMP_OTHER},
};

static const struct message messages_v6[] = {
    {1, 0, LTCP_ICMP_NET_UNREACHABLE},  /* no route */
    {1, 3, LTCP_ICMP_HOST_UNREACHABLE}, /* address unreachable */
    {1, 4, LTCP_ICMP_PORT_UNREACHABLE},
    {1, 1, LTCP_ICMP_ADMIN_PROHIBITED},
    {1, 2, LTCP_ICMP_NET_UNREACHABLE},     /* beyond the scope of the source address */
    {1, 5, LTCP_ICMP_ADMIN_PROHIBITED},    /* source address failed a policy */
    {1, 6, LTCP_ICMP_ADMIN_PROHIBITED},    /* reject route */
    {1, 7, LTCP_ICMP_SOURCE_ROUTE_FAILED}, /* error in source routing header: RFC 6550 */
    {2, ANY, LTCP_ICMP_TOO_BIG},
    {3, ANY, LTCP_ICMP_TIME_EXCEEDED},
    {4, ANY, LTCP_ICMP_PARAMETER_PROBLEM}, /* all soft, RFC 9293 section 3.9.2.2 */
    {128, ANY, LTCP_ICMP_ECHO},
    {129, ANY, LTCP_ICMP_ECHO_REPLY},
    {0, 0, LTCP_ICMP_OTHER},
};

static const struct message *messages_of(uint8_t version)
{
    return version == 4 ? messages_v4 : messages_v6;
}

static bool is_echo(enum ltcp_icmp_kind kind)
{
    return kind == LTCP_ICMP_ECHO || kind == LTCP_ICMP_ECHO_REPLY;
}

/* ---- decoding -----------------------------------------------------------------------------------
 */

static enum ltcp_icmp_kind kind_of(uint8_t version, uint8_t type, uint8_t code)
{
    const struct message *m = messages_of(version);
    while (m->kind != LTCP_ICMP_OTHER && (m->type != type || (m->code != ANY && m->code != code)))
        m++;
    return m->kind;
}

/* The pseudo header is summed in ICMPv6 only (RFC 4443 section 2.3). */
static uint32_t first_sum(const struct ltcp_ip *ip, size_t length)
{
    if (ip->version == 4) return 0;
    return ltcp_pseudo_sum(&ip->source, &ip->destination, LTCP_PROTOCOL_ICMPV6, length);
}

enum ltcp_status ltcp_icmp_decode(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                  struct ltcp_icmp *out)
{
    size_t start = ip->header_length, end = ip->total_length, head = packet->head_length;
    if (ip->protocol != (ip->version == 4 ? LTCP_PROTOCOL_ICMP : LTCP_PROTOCOL_ICMPV6))
        return LTCP_ERR_PROTOCOL;
    if (end < start + ICMP_HEADER || head < start + ICMP_HEADER || end > ltcp_packet_length(packet))
        return LTCP_ERR_TRUNCATED;
    uint32_t sum = ltcp_packet_sum(first_sum(ip, end - start), packet, start, end);
    if (ltcp_sum_finish(sum) != 0) return LTCP_ERR_CHECKSUM;

    /* The quote is contiguous: all in the head, or all in the payload. */
    size_t quote = start + ICMP_HEADER;
    if (end > head && head != quote) return LTCP_ERR_TRUNCATED;
    const uint8_t *p = packet->head + start;
    out->type = p[0];
    out->code = p[1];
    out->kind = kind_of(ip->version, p[0], p[1]);
    out->mtu = 0;
    out->pointer = 0;
    out->echo_id = 0;
    out->echo_seq = 0;
    out->quote = head == quote ? packet->payload : packet->head + quote;
    out->quote_length = end - quote;
    if (out->kind == LTCP_ICMP_TOO_BIG)
        out->mtu = ip->version == 4 ? load_be16(p + 6) : load_be32(p + 4); /* RFC 1191 section 4 */
    else if (ip->version == 4 && p[0] == 12)
        out->pointer = p[4];
    else if (ip->version == 6 && p[0] == 4)
        out->pointer = load_be32(p + 4);
    if (is_echo(out->kind)) {
        out->echo_id = load_be16(p + 4);
        out->echo_seq = load_be16(p + 6);
    }
    return LTCP_OK;
}

/* ---- encoding -----------------------------------------------------------------------------------
 */

/* Type and code of a kind; those of `icmp` for OTHER, and where this version has no such message.
 */
static void write_type(uint8_t version, const struct ltcp_icmp *icmp, uint8_t *p)
{
    const struct message *m = messages_of(version);
    while (m->kind != LTCP_ICMP_OTHER && m->kind != icmp->kind)
        m++;
    p[0] = m->kind == LTCP_ICMP_OTHER ? icmp->type : m->type;
    p[1] = icmp->code;
    /* A code of one's own is kept where the message knows more than one of them. */
    if (m->kind != LTCP_ICMP_OTHER && kind_of(version, p[0], icmp->code) != icmp->kind)
        p[1] = m->code == ANY ? 0 : m->code;
}

static void write_icmp(uint8_t version, const struct ltcp_icmp *icmp, uint8_t *p)
{
    memset(p, 0, ICMP_HEADER);
    write_type(version, icmp, p);
    if (is_echo(icmp->kind)) {
        store_be16(p + 4, icmp->echo_id);
        store_be16(p + 6, icmp->echo_seq);
    } else if (icmp->kind == LTCP_ICMP_TOO_BIG) {
        if (version == 4)
            store_be16(p + 6, (uint16_t)(icmp->mtu > 0xFFFF ? 0xFFFF : icmp->mtu));
        else
            store_be32(p + 4, icmp->mtu);
    } else if (version == 4 && p[0] == 12) {
        p[4] = (uint8_t)icmp->pointer;
    } else if (version == 6 && p[0] == 4) {
        store_be32(p + 4, icmp->pointer);
    }
}

static size_t quote_limit(const struct ltcp_icmp *icmp, uint8_t version, size_t headers)
{
    if (is_echo(icmp->kind)) return UINT16_MAX - headers;
    return (version == 4 ? ICMP_ERROR_MAX : ICMPV6_ERROR_MAX) - headers;
}

struct ltcp_packet *ltcp_icmp_encode(struct ltcp_pool *pool, const struct ltcp_ip *ip,
                                     const struct ltcp_icmp *icmp)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (packet == NULL) return NULL;
    struct ltcp_ip header = *ip;
    bool v4 = version_of(ip) == 4;
    header.version = v4 ? 4 : 6;
    header.protocol = v4 ? LTCP_PROTOCOL_ICMP : LTCP_PROTOCOL_ICMPV6;
    header.options_length = 0;

    size_t headers = (v4 ? IPV4_HEADER : IPV6_HEADER) + ICMP_HEADER;
    size_t quote = icmp->quote_length, limit = quote_limit(icmp, header.version, headers);
    if (quote > limit) quote = limit;
    if (quote > 0) {
        packet->block = ltcp_block_create(pool, (uint32_t)quote);
        if (packet->block == NULL) {
            ltcp_packet_unref(packet);
            return NULL;
        }
        memcpy(packet->block->data, icmp->quote, quote);
        packet->block->length = (uint32_t)quote;
        packet->payload = packet->block->data;
        packet->payload_length = (uint32_t)quote;
    }

    size_t start = ltcp_ip_encode(&header, ICMP_HEADER + quote, packet->head);
    uint8_t *p = packet->head + start;
    write_icmp(header.version, icmp, p);
    packet->head_length = (uint16_t)headers;
    uint32_t sum = first_sum(&header, ICMP_HEADER + quote);
    store_16(p + 2, ltcp_sum_finish(ltcp_packet_sum(sum, packet, start, headers + quote)));
    return packet;
}
