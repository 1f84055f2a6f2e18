/* core/wire/framing.c - what a UDP datagram of a tunnel carries.
 *
 * plain: the TCP header and data; the IP header is left away here and made again there.
 * rawip: an IP packet; its first four bits say which. */
#include "ip.h"
#include "bytes.h"

enum { TCP_CHECKSUM_AT = 16 };

static enum ltcp_status strip_plain(const struct ltcp_framing_context *context,
                                    struct ltcp_packet *packet, size_t *skip)
{
    struct ltcp_ip ip;
    enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    if (status == LTCP_ERR_FRAGMENT) return LTCP_ERR_NOT_SUPPORTED;
    if (status != LTCP_OK) return status;
    if (ip.protocol != LTCP_PROTOCOL_TCP) return LTCP_ERR_NOT_SUPPORTED;
    if (packet->head_length < ip.header_length + TCP_HEADER) return LTCP_ERR_TRUNCATED;
    if (context->checksum == LTCP_UDP_CHECKSUM)
        store_be16(packet->head + ip.header_length + TCP_CHECKSUM_AT, 0);
    *skip = ip.header_length;
    return LTCP_OK;
}

enum ltcp_status ltcp_framing_strip(const struct ltcp_framing_context *context,
                                    struct ltcp_packet *packet, size_t *skip)
{
    if (context->framing == LTCP_FRAMING_PLAIN) return strip_plain(context, packet, skip);
    *skip = 0;
    return LTCP_OK;
}

/* The IP header that the sender left away, as far as the tunnel knows it. */
static void made_header(const struct ltcp_framing_context *context, struct ltcp_ip *ip)
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
    made_header(context, &ip);
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

enum ltcp_status ltcp_framing_unstrip(const struct ltcp_framing_context *context,
                                      struct ltcp_block *block, size_t offset, size_t length,
                                      struct ltcp_packet **out)
{
    *out = NULL;
    if (context->framing == LTCP_FRAMING_PLAIN)
        return unstrip_plain(context, block, offset, length, out);
    return unstrip_rawip(block, offset, length, out);
}
