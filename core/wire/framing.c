/* core/wire/framing.c - what a UDP datagram of a tunnel carries: one framing or another.
 *
 * plain: the TCP header and data; the IP header is left away here and made again there.
 * rawip: an IP packet; its first four bits say which.
 * vxlan: see vxlan.c; cheshire: see cheshire.c. */
#include "framing.h"

enum { TCP_CHECKSUM_AT = 16 };

int ltcp_framing_overhead(enum ltcp_framing framing, unsigned version)
{
    int ip = version == 4 ? IPV4_HEADER : IPV6_HEADER;
    switch (framing) {
    case LTCP_FRAMING_PLAIN: return -ip;
    case LTCP_FRAMING_VXLAN: return LTCP_FRAMING_LEAD;
    case LTCP_FRAMING_CHESHIRE: return -ip - 8;
    default: return 0;
    }
}

/* ---- out ----------------------------------------------------------------------------------------
 */

/* The header in front of a TCP segment that travels without it. */
static enum ltcp_status tcp_behind(const struct ltcp_packet *packet, struct ltcp_ip *ip)
{
    enum ltcp_status status = ltcp_ip_decode(packet, ip);
    if (status == LTCP_ERR_FRAGMENT) return LTCP_ERR_NOT_SUPPORTED;
    if (status != LTCP_OK) return status;
    if (ip->protocol != LTCP_PROTOCOL_TCP) return LTCP_ERR_NOT_SUPPORTED;
    return packet->head_length < ip->header_length + TCP_HEADER ? LTCP_ERR_TRUNCATED : LTCP_OK;
}

static enum ltcp_status strip_plain(const struct ltcp_framing_context *context,
                                    struct ltcp_packet *packet, size_t header,
                                    struct ltcp_framed *out)
{
    if (context->checksum == LTCP_UDP_CHECKSUM)
        store_be16(packet->head + header + TCP_CHECKSUM_AT, 0);
    out->skip = header;
    return LTCP_OK;
}

static enum ltcp_status strip_vxlan(const struct ltcp_framing_context *context,
                                    const struct ltcp_packet *packet, struct ltcp_framed *out)
{
    if (packet->head_length == 0) return LTCP_ERR_TRUNCATED;
    bool six = packet->head[0] >> 4 == 6;
    const struct ltcp_ethernet ethernet = {
        .destination = context->remote_mac,
        .source = context->local_mac,
        .type = six ? LTCP_ETHERTYPE_IPV6 : LTCP_ETHERTYPE_IPV4,
    };
    ltcp_vxlan_encode(context->vni, out->lead);
    ltcp_ethernet_encode(&ethernet, out->lead + LTCP_VXLAN_HEADER); /* no tag: RFC7348:6.1-2 */
    out->lead_length = LTCP_FRAMING_LEAD;
    return LTCP_OK;
}

/* How long the IP header of a TCP segment is that nothing has changed on its way, where that is
 * plain to see; else 0. */
static size_t known_header(const struct ltcp_packet *packet)
{
    const uint8_t *p = packet->head;
    if (packet->notes & (LTCP_NOTE_CORRUPTED | LTCP_NOTE_FORGED)) return 0;
    if (packet->head_length >= IPV4_HEADER + TCP_HEADER && p[0] == 0x45)
        return p[9] == LTCP_PROTOCOL_TCP && (load_be16(p + 6) & 0x3FFF) == 0 ? IPV4_HEADER : 0;
    if (packet->head_length >= IPV6_HEADER + TCP_HEADER && p[0] >> 4 == 6)
        return p[6] == LTCP_PROTOCOL_TCP ? IPV6_HEADER : 0;
    return 0;
}

enum ltcp_status ltcp_framing_strip(const struct ltcp_framing_context *context,
                                    struct ltcp_packet *packet, struct ltcp_framed *out)
{
    struct ltcp_ip ip;
    out->skip = 0;
    out->lead_length = 0;
    if (context->framing == LTCP_FRAMING_RAWIP) return LTCP_OK;
    if (context->framing == LTCP_FRAMING_VXLAN) return strip_vxlan(context, packet, out);
    const size_t known = context->framing == LTCP_FRAMING_PLAIN ? known_header(packet) : 0;
    if (known > 0) return strip_plain(context, packet, known, out);
    enum ltcp_status status = tcp_behind(packet, &ip);
    if (status != LTCP_OK) return status;
    if (context->framing == LTCP_FRAMING_PLAIN)
        return strip_plain(context, packet, ip.header_length, out);
    return cheshire_strip(context, packet, &ip, out);
}

/* ---- in -----------------------------------------------------------------------------------------
 */

void framing_made_header(const struct ltcp_framing_context *context, struct ltcp_ip *ip)
{
    *ip = (struct ltcp_ip){
        .source = context->remote,
        .destination = context->local,
        .protocol = LTCP_PROTOCOL_TCP,
        .dscp = context->dscp & 0x3F,
        .ecn = context->ecn & 3,
        .ttl = context->ttl,
        .dont_fragment = true,
    };
}

static enum ltcp_status unstrip_plain(const struct ltcp_framing_context *context,
                                      struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out)
{
    if (length < TCP_HEADER) return LTCP_ERR_TRUNCATED;
    if (length > UINT16_MAX - IPV6_HEADER) return LTCP_ERR_FRAMING;
    uint8_t *p = block->data + offset;
    /* A data offset below 5 is for the host to refuse: it counts and traces what it drops. */
    size_t header = (size_t)(p[12] >> 4) * 4;
    if (header < TCP_HEADER) header = TCP_HEADER;
    if (header > length) header = length;

    struct ltcp_packet *packet = ltcp_packet_create(block->pool);
    if (packet == NULL) return LTCP_ERR_NO_MEMORY;
    struct ltcp_ip ip;
    framing_made_header(context, &ip);
    size_t start = ltcp_ip_encode(&ip, length, packet->head);
    memcpy(packet->head + start, p, header);
    packet->head_length = (uint16_t)(start + header);
    if (length > header) {
        packet->block = ltcp_block_ref(block);
        packet->payload = p + header;
        packet->payload_length = (uint32_t)(length - header);
    }
    packet->checksum_good = context->checksum == LTCP_UDP_CHECKSUM;
    *out = packet;
    return LTCP_OK;
}

static enum ltcp_status unstrip_rawip(struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out)
{
    if (length == 0) return LTCP_ERR_TRUNCATED;
    unsigned version = block->data[offset] >> 4;
    if (version != 4 && version != 6) return LTCP_ERR_FRAMING;
    if (length < (version == 4 ? IPV4_HEADER : IPV6_HEADER)) return LTCP_ERR_TRUNCATED;
    *out = ltcp_packet_from_block(block, offset, length);
    return *out != NULL ? LTCP_OK : LTCP_ERR_NO_MEMORY;
}

static enum ltcp_status unstrip_vxlan(const struct ltcp_framing_context *context,
                                      struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out)
{
    struct ltcp_ethernet ethernet;
    enum ltcp_status status = ltcp_vxlan_frame(context, block->data + offset, length, &ethernet);
    if (status != LTCP_OK) return status;
    if (ethernet.type == LTCP_ETHERTYPE_ARP) return LTCP_ERR_PROTOCOL;
    offset += LTCP_FRAMING_LEAD;
    length -= LTCP_FRAMING_LEAD;
    status = unstrip_rawip(block, offset, length, out);
    unsigned version = ethernet.type == LTCP_ETHERTYPE_IPV6 ? 6 : 4;
    if (status != LTCP_OK || block->data[offset] >> 4 == version) return status;
    ltcp_packet_unref(*out);
    *out = NULL;
    return LTCP_ERR_FRAMING;
}

enum ltcp_status ltcp_framing_unstrip(const struct ltcp_framing_context *context,
                                      struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out)
{
    struct ltcp_ip ip;
    *out = NULL;
    switch (context->framing) {
    case LTCP_FRAMING_PLAIN: return unstrip_plain(context, block, offset, length, out);
    case LTCP_FRAMING_VXLAN: return unstrip_vxlan(context, block, offset, length, out);
    case LTCP_FRAMING_CHESHIRE:
        framing_made_header(context, &ip);
        return cheshire_unstrip(context, block, offset, length, &ip, out);
    default: return unstrip_rawip(block, offset, length, out);
    }
}
