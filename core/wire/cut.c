/* core/wire/cut.c - a segment that was put together of segments, cut into them again: what a
 * network card does with what its driver sends (segmentation offload). */
#include "ip.h"
#include "sum.h"

enum { SEQ_AT = 4, FLAGS_AT = 12, CHECKSUM_AT = 16, URGENT_AT = 18 };

/* RFC 9293 section 3.1, RFC 3168 section 6.1.2: what the first says is not said again, and the end
 * comes at the end. */
static uint16_t flags_of(uint16_t flags, bool first, bool last)
{
    if (!first) flags &= (uint16_t)~LTCP_CWR;
    return last ? flags : (uint16_t)(flags & ~(LTCP_FIN | LTCP_PSH));
}

/* RFC9293:MUST-62: the pointer counts from its own segment; behind urgent data there is none. */
static void write_urgent(uint8_t *tcp, uint32_t at)
{
    const uint16_t flags = load_be16(tcp + FLAGS_AT), up = load_be16(tcp + URGENT_AT);
    if ((flags & LTCP_URG) == 0) return;
    if (up <= at) store_be16(tcp + FLAGS_AT, flags & (uint16_t)~LTCP_URG);
    store_be16(tcp + URGENT_AT, up > at ? (uint16_t)(up - at) : 0);
}

static void write_ip(struct ltcp_packet *piece, size_t header, uint32_t number)
{
    uint8_t *p = piece->head;
    if (p[0] >> 4 == 6) {
        store_be16(p + 4, (uint16_t)(ltcp_packet_length(piece) - IPV6_HEADER));
        return;
    }
    store_be16(p + 2, (uint16_t)ltcp_packet_length(piece));
    store_be16(p + 4, (uint16_t)(load_be16(p + 4) + number));
    store_16(p + 10, 0);
    store_16(p + 10, sum_finish(sum_fold(sum_words(0, p, header))));
}

static void write_tcp(struct ltcp_packet *piece, const struct ltcp_ip *ip, uint32_t at, bool last)
{
    uint8_t *tcp = piece->head + ip->header_length;
    const size_t end = ltcp_packet_length(piece);
    store_be32(tcp + SEQ_AT, load_be32(tcp + SEQ_AT) + at);
    store_be16(tcp + FLAGS_AT, flags_of(load_be16(tcp + FLAGS_AT), at == 0, last));
    write_urgent(tcp, at);
    store_16(tcp + CHECKSUM_AT, 0);
    uint32_t sum =
        ltcp_pseudo_sum(&ip->source, &ip->destination, LTCP_PROTOCOL_TCP, end - ip->header_length);
    sum = ltcp_packet_sum(sum, piece, ip->header_length, end);
    store_16(tcp + CHECKSUM_AT, ltcp_sum_finish(sum)); /* RFC9293:MUST-2 */
}

struct ltcp_packet *ltcp_segment_cut(const struct ltcp_packet *whole, uint32_t at, uint32_t size)
{
    struct ltcp_ip ip;
    if (at >= whole->payload_length || size == 0) return NULL;
    if (ltcp_ip_decode(whole, &ip) != LTCP_OK || ip.protocol != LTCP_PROTOCOL_TCP) return NULL;
    if (whole->head_length < ip.header_length + TCP_HEADER) return NULL;
    struct ltcp_packet *piece = ltcp_packet_create(whole->pool);
    if (piece == NULL) return NULL;
    const uint32_t rest = whole->payload_length - at;
    memcpy(piece->head, whole->head, whole->head_length);
    piece->head_length = whole->head_length;
    piece->block = ltcp_block_ref(whole->block);
    piece->payload = whole->payload + at;
    piece->payload_length = rest < size ? rest : size;
    write_ip(piece, ip.header_length, at / size);
    write_tcp(piece, &ip, at, rest <= size);
    return piece;
}
