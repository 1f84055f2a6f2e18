/* core/wire/cheshire.c - draft-cheshire-tcp-over-udp-00, section 3: the UDP header stands for the
 * ports and the checksum of TCP's, the urgent pointer is left out, and the offset and flags come
 * first, so that their four upper bits, 5 to 15, tell the datagram from one of STUN. */
#include "framing.h"

/* In a TCP header, and in the twelve octets that stand for it here. */
enum { SEQ_AT = 4, OFFSET_AT = 12, CHECKSUM_AT = 16 };
enum { SHORT_OFFSET_AT = 0, SHORT_SEQ_AT = 4, SHORT_HEADER = 12 };
enum { URG = 0x20 };

enum ltcp_status cheshire_strip(const struct ltcp_framing_context *context,
                                const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                struct ltcp_framed *out)
{
    const uint8_t *tcp = packet->head + ip->header_length;
    if (load_be16(tcp) != context->local_port || load_be16(tcp + 2) != context->remote_port)
        return LTCP_ERR_NOT_SUPPORTED;
    if ((tcp[OFFSET_AT + 1] & URG) != 0 || tcp[OFFSET_AT] >> 4 < 5) return LTCP_ERR_NOT_SUPPORTED;
    memcpy(out->lead + SHORT_OFFSET_AT, tcp + OFFSET_AT, 4); /* and flags, and window */
    memcpy(out->lead + SHORT_SEQ_AT, tcp + SEQ_AT, 8);       /* and acknowledgment number */
    out->lead_length = SHORT_HEADER;
    out->skip = (size_t)ip->header_length + TCP_HEADER;
    return LTCP_OK;
}

void cheshire_head(const struct ltcp_framing_context *context, const uint8_t *p, size_t header,
                   size_t text, const struct ltcp_ip *ip, struct ltcp_packet *packet)
{
    const size_t options = header - SHORT_HEADER;
    const size_t start = ltcp_ip_encode(ip, TCP_HEADER + options + text, packet->head);
    uint8_t *tcp = packet->head + start;
    store_be16(tcp, context->remote_port);
    store_be16(tcp + 2, context->local_port);
    memcpy(tcp + SEQ_AT, p + SHORT_SEQ_AT, 8);
    memcpy(tcp + OFFSET_AT, p + SHORT_OFFSET_AT, 4);
    memset(tcp + CHECKSUM_AT, 0, 4); /* and urgent pointer */
    memcpy(tcp + TCP_HEADER, p + SHORT_HEADER, options);
    packet->head_length = (uint16_t)(start + TCP_HEADER + options);
}

enum ltcp_status cheshire_unstrip(const struct ltcp_framing_context *context,
                                  struct ltcp_block *block, size_t offset, size_t length,
                                  const struct ltcp_ip *ip, struct ltcp_packet **out)
{
    if (length < SHORT_HEADER) return LTCP_ERR_TRUNCATED;
    uint8_t *p = block->data + offset;
    size_t header = (size_t)(p[0] >> 4) * 4;
    if (header < TCP_HEADER || (p[1] & URG) != 0) return LTCP_ERR_FRAMING;
    size_t options = header - TCP_HEADER, rest = length - SHORT_HEADER;
    if (options > rest) return LTCP_ERR_TRUNCATED;
    if (rest > UINT16_MAX - IPV6_HEADER - TCP_HEADER) return LTCP_ERR_FRAMING;

    struct ltcp_packet *packet = ltcp_packet_create(block->pool);
    if (packet == NULL) return LTCP_ERR_NO_MEMORY;
    cheshire_head(context, p, SHORT_HEADER + options, rest - options, ip, packet);
    if (rest > options) {
        packet->block = ltcp_block_ref(block);
        packet->payload = p + SHORT_HEADER + options;
        packet->payload_length = (uint32_t)(rest - options);
    }
    packet->checksum_good = true; /* UDP's covers the same octets */
    *out = packet;
    return LTCP_OK;
}
