/* core/network/fragment.c
 *
 * What is too long for the next link is cut into fragments by a router (RFC 791 section 3.2, RFC
 * 1812 section 5.2.6), if the sender allows it. */
#include "fragment.h"

#include <string.h>

#define IPV4_HEADER      20
#define IPV4_HEADER_MOST 60

/* RFC791:3.1-2: fragments behind the first carry those options whose type says so by its upper bit.
 * Gives the header's length. */
static size_t later_header(const uint8_t *first, size_t length, uint8_t out[IPV4_HEADER_MOST])
{
    size_t to = IPV4_HEADER;
    memcpy(out, first, IPV4_HEADER);
    for (size_t at = IPV4_HEADER; at < length && first[at] != 0;) {
        const size_t size = first[at] == 1 ? 1 : first[at + 1];
        if (first[at] & 0x80) {
            memcpy(out + to, first + at, size);
            to += size;
        }
        at += size;
    }
    while (to % 4 != 0)
        out[to++] = 0;
    out[0] = (uint8_t)(0x40 | to / 4);
    return to;
}

static void finish(uint8_t *p, size_t header, size_t length, uint32_t offset, bool more)
{
    const uint32_t word = offset / 8 | (more ? 0x2000u : 0);
    p[2] = (uint8_t)((header + length) >> 8);
    p[3] = (uint8_t)(header + length);
    p[6] = (uint8_t)(word >> 8);
    p[7] = (uint8_t)word;
    memset(p + 10, 0, 2);
    const uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, p, header));
    memcpy(p + 10, &checksum, sizeof checksum);
}

static struct ltcp_packet *make(struct ltcp_network *network, const struct ltcp_packet *whole,
                                const uint8_t *header, size_t header_length, const uint8_t *data,
                                size_t length)
{
    struct ltcp_block *block = ltcp_block_create(network->pool, (uint32_t)(header_length + length));
    if (block == NULL) return NULL;
    memcpy(block->data, header, header_length);
    memcpy(block->data + header_length, data, length);
    block->length = (uint32_t)(header_length + length);
    struct ltcp_packet *packet = ltcp_packet_from_block(block, 0, block->length);
    ltcp_block_unref(block);
    if (packet != NULL) packet->notes = whole->notes;
    return packet;
}

/* RFC791:3.2-1: each but the last as long as the link allows, in eights of octets. A packet that is
 * a fragment already is cut further: its offset counts on, and more follows after its last piece
 * where more followed after it (RFC791:3.2-4). */
static void cut(struct ltcp_network *network, const struct entering *whole, const uint8_t *bytes,
                const struct ltcp_ip *ip, uint32_t mtu)
{
    uint8_t later[IPV4_HEADER_MOST], header[IPV4_HEADER_MOST];
    const size_t total = ip->total_length - (size_t)ip->header_length;
    const size_t later_length = later_header(bytes, ip->header_length, later);
    size_t header_length = ip->header_length;
    memcpy(header, bytes, header_length);
    for (size_t at = 0; at < total;) {
        size_t length = (mtu - header_length) / 8 * 8;
        const bool last = total - at <= mtu - header_length;
        if (last) length = total - at;
        finish(header, header_length, length, (uint32_t)(ip->fragment_offset + at),
               !last || ip->more_fragments);
        struct entering piece = *whole;
        piece.fresh = true;
        piece.packet = make(network, whole->packet, header, header_length,
                            bytes + ip->header_length + at, length);
        if (piece.packet == NULL) return; /* what is missing is sent again, all of it */
        network_enqueue(network, &piece);
        at += length;
        header_length = later_length;
        memcpy(header, later, later_length);
    }
}

void fragment_enqueue(struct ltcp_network *network, const struct entering *whole, uint32_t mtu)
{
    struct ltcp_ip ip;
    const size_t length = ltcp_packet_length(whole->packet);
    struct ltcp_block *block = ltcp_block_create(network->pool, (uint32_t)length);
    if (block != NULL) {
        ltcp_packet_bytes(whole->packet, block->data, length);
        const enum ltcp_status read = ltcp_ip_decode_bytes(block->data, length, false, &ip);
        if (read == LTCP_OK || read == LTCP_ERR_FRAGMENT)
            cut(network, whole, block->data, &ip, mtu);
        ltcp_block_unref(block);
    }
    ltcp_packet_unref(whole->packet);
}
