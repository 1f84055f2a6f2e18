/* core/wire/ip.c - IPv4 (RFC 791) and IPv6 (RFC 8200) headers. */
#include "ip.h"
#include "extension.h"
#include "scope.h"
#include "sum.h"

enum { V4_DONT_FRAGMENT = 0x4000, V4_MORE_FRAGMENTS = 0x2000, V4_OFFSET = 0x1FFF };

/* ---- decoding: IPv4 ---------------------------------------------------------------------------
 */

/* RFC 791 section 3.1: single bytes (end, no operation), or type, length, data; whatever type:
 * RFC1122:3.2.1.8-1. */
static bool ipv4_options_well_formed(const uint8_t *p, size_t length)
{
    size_t i = 0;
    while (i < length) {
        if (p[i] == 0) return true;
        if (p[i] == 1) {
            i++;
            continue;
        }
        if (length - i < 2 || p[i + 1] < 2 || p[i + 1] > length - i) return false;
        i += p[i + 1];
    }
    return true;
}

static inline struct ltcp_address mapped_address(const uint8_t *p)
{
    static const uint8_t prefix[4] = {0, 0, 0xFF, 0xFF};
    struct ltcp_address a;
    memset(a.bytes, 0, 8);
    memcpy(a.bytes + 8, prefix, 4);
    memcpy(a.bytes + 12, p, 4);
    return a;
}

/* `there` of the `length` bytes can be read, of which the header has `header`. */
static inline enum ltcp_status parse_ipv4(const uint8_t *p, size_t header, size_t there,
                                          size_t length, bool quoted, struct ltcp_ip *out)
{
    size_t total = load_be16(p + 2);
    if (header < IPV4_HEADER || total < header) return LTCP_ERR_IP_HEADER;
    if (header > there || (total > length && !quoted)) return LTCP_ERR_TRUNCATED;

    unsigned fragment = load_be16(p + 6);
    out->source = mapped_address(p + 12);
    out->destination = mapped_address(p + 16);
    out->options = p + IPV4_HEADER;
    out->options_length = (uint16_t)(header - IPV4_HEADER);
    out->extension = 0;
    out->flow_label = 0;
    out->header_length = (uint16_t)header;
    out->total_length = (uint16_t)total;
    out->identification = load_be16(p + 4);
    out->fragment_offset = (uint16_t)((fragment & V4_OFFSET) * 8);
    out->version = 4;
    out->protocol = p[9];
    out->dscp = p[1] >> 2;
    out->ecn = p[1] & 3;
    out->ttl = p[8];
    out->dont_fragment = (fragment & V4_DONT_FRAGMENT) != 0;
    out->more_fragments = (fragment & V4_MORE_FRAGMENTS) != 0;

    if (header > IPV4_HEADER && !ipv4_options_well_formed(out->options, out->options_length))
        return LTCP_ERR_IP_OPTION;
    if ((fragment & (V4_MORE_FRAGMENTS | V4_OFFSET)) != 0) return LTCP_ERR_FRAGMENT;
    return LTCP_OK;
}

/* ---- decoding: IPv6 ---------------------------------------------------------------------------
 */

/* Walks the extension headers. A fragment that is the whole packet is none (RFC 6946). */
static enum ltcp_status parse_extensions(const uint8_t *p, size_t there, bool quoted,
                                         struct ltcp_ip *out)
{
    struct ltcp_extensions x;
    const enum ltcp_status status = ltcp_extensions_walk(p, there, out->total_length, quoted, &x);
    out->protocol = x.protocol;
    out->header_length = x.end;
    out->options_length = (uint16_t)(x.end - IPV6_HEADER);
    if (status != LTCP_ERR_FRAGMENT) return status;
    out->fragment_offset = load_be16(p + x.fragment_at + 2) & 0xFFF8;
    out->more_fragments = (p[x.fragment_at + 3] & 1) != 0;
    return status;
}

static enum ltcp_status parse_ipv6(const uint8_t *p, size_t there, size_t length, bool quoted,
                                   struct ltcp_ip *out)
{
    if (there < IPV6_HEADER) return LTCP_ERR_TRUNCATED;
    size_t total = IPV6_HEADER + (size_t)load_be16(p + 4);
    if (total > length && !quoted) return LTCP_ERR_TRUNCATED;
    if (total > UINT16_MAX) return LTCP_ERR_IP_HEADER;

    uint32_t word = load_be32(p);
    memcpy(out->source.bytes, p + 8, 16);
    memcpy(out->destination.bytes, p + 24, 16);
    out->options = p + IPV6_HEADER;
    out->options_length = 0;
    out->extension = p[6];
    out->flow_label = word & 0xFFFFF;
    out->header_length = IPV6_HEADER;
    out->total_length = (uint16_t)total;
    out->identification = 0;
    out->fragment_offset = 0;
    out->version = 6;
    out->protocol = p[6];
    out->dscp = (uint8_t)(word >> 22 & 0x3F);
    out->ecn = (uint8_t)(word >> 20 & 3);
    out->ttl = p[7];
    out->dont_fragment = true;
    out->more_fragments = false;

    /* A mapped address on the wire would be taken for an IPv4 one. */
    if (address_is_v4(&out->source) || address_is_v4(&out->destination)) return LTCP_ERR_ADDRESS;
    /* So would octets of a link-local one that are to be 0 be taken for its zone. */
    if (scope_zone(&out->source) != 0 || scope_zone(&out->destination) != 0)
        return LTCP_ERR_ADDRESS;
    if (out->protocol == LTCP_PROTOCOL_TCP) return LTCP_OK;
    return parse_extensions(p, there, quoted, out);
}

/* ---- decoding: both -----------------------------------------------------------------------------
 */

static enum ltcp_status parse(const uint8_t *p, size_t there, size_t length, bool quoted,
                              struct ltcp_ip *out)
{
    if (there == 0) return LTCP_ERR_TRUNCATED;
    switch (p[0] >> 4) {
    case 4:
        if (there < IPV4_HEADER) return LTCP_ERR_TRUNCATED;
        return parse_ipv4(p, (size_t)(p[0] & 0xF) * 4, there, length, quoted, out);
    case 6: return parse_ipv6(p, there, length, quoted, out);
    default: return LTCP_ERR_VERSION; /* RFC1122:3.2.1.1-1 */
    }
}

/* A header with a wrong checksum is not to be believed in anything: that is the error to name. */
static enum ltcp_status parse_verified(const uint8_t *p, size_t there, size_t length,
                                       struct ltcp_ip *out)
{
    enum ltcp_status status = parse(p, there, length, false, out);
    if (status != LTCP_OK && status != LTCP_ERR_FRAGMENT && status != LTCP_ERR_IP_OPTION)
        return status;
    if (out->version != 4) return status; /* RFC1122:3.2.1.2-1 */
    uint64_t sum = out->header_length == IPV4_HEADER ? sum_words(0, p, IPV4_HEADER)
                                                     : sum_words(0, p, out->header_length);
    return sum_finish(sum_fold(sum)) == 0 ? status : LTCP_ERR_IP_CHECKSUM;
}

enum ltcp_status ltcp_ip_decode(const struct ltcp_packet *packet, struct ltcp_ip *out)
{
    if (packet->head[0] == 0x45 && packet->head_length >= IPV4_HEADER) { /* without options */
        const enum ltcp_status status = parse_ipv4(packet->head, IPV4_HEADER, packet->head_length,
                                                   ltcp_packet_length(packet), false, out);
        if (status != LTCP_OK)
            return parse_verified(packet->head, packet->head_length, ltcp_packet_length(packet),
                                  out);
        const uint64_t sum = sum_words(0, packet->head, IPV4_HEADER);
        return sum_finish(sum_fold(sum)) == 0 ? LTCP_OK : LTCP_ERR_IP_CHECKSUM;
    }
    return parse_verified(packet->head, packet->head_length, ltcp_packet_length(packet), out);
}

enum ltcp_status ltcp_ip_decode_bytes(const void *bytes, size_t length, bool quoted,
                                      struct ltcp_ip *out)
{
    /* Routers that quote may have changed the header without its checksum. */
    if (quoted) return parse(bytes, length, length, true, out);
    return parse_verified(bytes, length, length, out);
}

size_t ltcp_ip_split(const uint8_t *bytes, size_t *length)
{
    struct ltcp_ip ip;
    enum ltcp_status status = parse(bytes, *length, *length, true, &ip);
    if ((status == LTCP_OK || status == LTCP_ERR_FRAGMENT) && ip.total_length < *length)
        *length = ip.total_length;
    size_t fallback = *length < LTCP_HEAD_ROOM ? *length : LTCP_HEAD_ROOM;
    if (status != LTCP_OK) return fallback;

    size_t left = *length - ip.header_length, transport = 0;
    if (ip.protocol == LTCP_PROTOCOL_TCP && left >= TCP_HEADER) {
        transport = (size_t)(bytes[ip.header_length + 12] >> 4) * 4;
        if (transport < TCP_HEADER) return fallback;
    } else if (ip.protocol == LTCP_PROTOCOL_ICMP || ip.protocol == LTCP_PROTOCOL_ICMPV6 ||
               ip.protocol == LTCP_PROTOCOL_UDP) {
        transport = 8;
    }
    size_t split = ip.header_length + transport;
    return transport == 0 || split > fallback ? fallback : split;
}

/* ---- encoding -----------------------------------------------------------------------------------
 */

static size_t encode_ipv4(const struct ltcp_ip *ip, size_t payload_length, uint8_t *out)
{
    size_t options = ip->options_length;
    if (options > IPV4_HEADER_MAX - IPV4_HEADER) options = IPV4_HEADER_MAX - IPV4_HEADER;
    size_t header = IPV4_HEADER + (options + 3) / 4 * 4;
    uint32_t fragment = ip->fragment_offset / 8u | (ip->dont_fragment ? V4_DONT_FRAGMENT : 0u) |
                        (ip->more_fragments ? V4_MORE_FRAGMENTS : 0u);

    uint64_t sum = put_word(out,
                            (uint32_t)(0x40 | header / 4) << 24 |
                                (uint32_t)(ip->dscp << 2 | (ip->ecn & 3)) << 16 |
                                (uint16_t)(header + payload_length),
                            0);
    sum = put_word(out + 4, (uint32_t)ip->identification << 16 | fragment, sum);
    sum = put_word(out + 8, (uint32_t)ip->ttl << 24 | (uint32_t)ip->protocol << 16, sum);
    uint32_t source = load_32(ip->source.bytes + 12);
    uint32_t destination = load_32(ip->destination.bytes + 12);
    store_32(out + 12, source);
    store_32(out + 16, destination);
    sum += (uint64_t)source + destination;
    if (options > 0) {
        memset(out + header - 4, 0, 4);
        memcpy(out + IPV4_HEADER, ip->options, options);
        sum = sum_words(sum, out + IPV4_HEADER, header - IPV4_HEADER);
    }
    store_16(out + 10, sum_finish(sum_fold(sum)));
    return header;
}

static size_t encode_ipv6(const struct ltcp_ip *ip, size_t payload_length, uint8_t *out)
{
    size_t options = ip->options_length;
    if (options > LTCP_HEAD_ROOM - IPV6_HEADER - 60) options = LTCP_HEAD_ROOM - IPV6_HEADER - 60;
    uint32_t traffic_class = (uint32_t)(ip->dscp << 2 | (ip->ecn & 3)) & 0xFF;
    store_be32(out, UINT32_C(6) << 28 | traffic_class << 20 | (ip->flow_label & 0xFFFFF));
    store_be16(out + 4, (uint16_t)(options + payload_length));
    out[6] = options > 0 ? ip->extension : ip->protocol;
    out[7] = ip->ttl;
    const struct ltcp_address from = scope_cleared(ip->source), to = scope_cleared(ip->destination);
    memcpy(out + 8, from.bytes, 16);
    memcpy(out + 24, to.bytes, 16);
    if (options > 0) memcpy(out + IPV6_HEADER, ip->options, options);
    return IPV6_HEADER + options;
}

size_t ltcp_ip_encode(const struct ltcp_ip *ip, size_t payload_length, uint8_t *out)
{
    if (version_of(ip) == 4) return encode_ipv4(ip, payload_length, out);
    return encode_ipv6(ip, payload_length, out);
}

/* A router swaps the header's destination for the next address as long as the pointer is within the
 * option (RFC 791 section 3.1). */
struct ltcp_address ltcp_ip_final_destination(const struct ltcp_ip *ip)
{
    struct ltcp_address to = ip->destination;
    if (!ltcp_address_is_v4(&to)) return to;
    for (size_t i = 0; i + 3 <= ip->options_length && ip->options[i] != 0;) {
        const uint8_t *option = ip->options + i;
        if (option[0] == 1) {
            i++;
            continue;
        }
        if (option[1] < 2 || i + option[1] > ip->options_length) break;
        if ((option[0] == 131 || option[0] == 137) && option[1] >= 7 && option[2] < option[1])
            memcpy(to.bytes + 12, option + option[1] - 4, 4);
        i += option[1];
    }
    return to;
}

uint32_t ltcp_pseudo_sum(const struct ltcp_address *source, const struct ltcp_address *destination,
                         uint8_t protocol, size_t length)
{
    return sum_fold(sum_pseudo(source, destination, 6, protocol, length));
}

/* ---- changes on the way -------------------------------------------------------------------------
 */

/* Changes one byte of an IPv4 header, and the checksum by as much. */
static void set_ipv4_byte(uint8_t *header, size_t at, uint8_t value)
{
    size_t field = at & ~(size_t)1;
    uint16_t before = load_16(header + field);
    header[at] = value;
    uint16_t checksum = ltcp_sum_update(load_16(header + 10), before, load_16(header + field));
    store_16(header + 10, checksum);
}

void ltcp_ip_set_ttl(struct ltcp_packet *packet, uint8_t ttl)
{
    uint8_t *p = packet->head;
    if (packet->head_length >= IPV4_HEADER && p[0] >> 4 == 4)
        set_ipv4_byte(p, 8, ttl);
    else if (packet->head_length >= IPV6_HEADER && p[0] >> 4 == 6)
        p[7] = ttl;
}

void ltcp_ip_set_ecn(struct ltcp_packet *packet, uint8_t ecn)
{
    uint8_t *p = packet->head;
    ecn &= 3;
    if (packet->head_length >= IPV4_HEADER && p[0] >> 4 == 4)
        set_ipv4_byte(p, 1, (uint8_t)((p[1] & ~3) | ecn));
    else if (packet->head_length >= IPV6_HEADER && p[0] >> 4 == 6)
        p[1] = (uint8_t)((p[1] & ~0x30) | ecn << 4);
}
