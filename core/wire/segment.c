/* core/wire/segment.c - the TCP segment (RFC 9293 section 3.1). */
#include "ip.h"
#include "options.h"
#include "sum.h"

/* ---- decoding -----------------------------------------------------------------------------------
 */

/* The sum of bytes [start, end) of a packet. A payload behind an odd number of bytes is turned. */
uint32_t ltcp_packet_sum(uint32_t sum, const struct ltcp_packet *packet, size_t start, size_t end)
{
    size_t head_end = end < packet->head_length ? end : packet->head_length;
    size_t in_head = head_end > start ? head_end - start : 0;
    if (in_head > 0) sum = ltcp_sum(sum, packet->head + start, in_head);
    if (end <= packet->head_length) return sum;

    size_t from = start > packet->head_length ? start - packet->head_length : 0;
    size_t length = end - packet->head_length - from;
    if (in_head % 2 == 0) return ltcp_sum(sum, packet->payload + from, length);
    return ltcp_sum_add(sum, ltcp_sum_swap(ltcp_sum(0, packet->payload + from, length)));
}

/* The fixed header's fields. */
static inline void read_fields(const uint8_t *p, struct ltcp_segment *out)
{
    uint32_t word = load_be32(p + 12);
    out->source_port = load_be16(p);
    out->destination_port = load_be16(p + 2);
    out->seq = ltcp_seq_of(load_be32(p + 4));
    out->ack = ltcp_seq_of(load_be32(p + 8));
    out->flags = (uint16_t)(word >> 16 & 0x1FF);
    out->reserved = (uint8_t)(word >> 25 & 7);
    out->window = (uint16_t)word;
    out->checksum = load_16(p + 16);
    out->urgent_pointer = load_be16(p + 18);
}

static inline enum ltcp_status read_rest(const uint8_t *p, size_t header, const uint8_t *payload,
                                         size_t length, struct ltcp_segment *out)
{
    read_fields(p, out);
    out->header_length = (uint8_t)header;
    out->options_length = (uint8_t)(header - TCP_HEADER);
    out->options_bytes = p + TCP_HEADER;
    out->payload = payload;
    out->length = (uint32_t)length;
    return options_decode(p + TCP_HEADER, header - TCP_HEADER, &out->options);
}

/* A packet whose head does not end where the TCP header does: made by hand, or changed on its way.
 * Where all of the segment lies in the head, it can still be read. */
static enum ltcp_status decode_uncommon(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                        size_t header, size_t length, struct ltcp_segment *out)
{
    size_t start = ip->header_length, end = start + length;
    if (!packet->checksum_good) {
        uint32_t sum = ltcp_pseudo_sum(&ip->source, &ip->destination, LTCP_PROTOCOL_TCP, length);
        sum = ltcp_packet_sum(sum, packet, start, end);
        if (ltcp_sum_finish(sum) != 0) return LTCP_ERR_CHECKSUM;
    }
    if (end > packet->head_length) return LTCP_ERR_TRUNCATED;
    const uint8_t *p = packet->head + start;
    return read_rest(p, header, p + header, length - header, out);
}

enum ltcp_status ltcp_segment_decode(const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                     struct ltcp_segment *out)
{
    size_t start = ip->header_length, there = packet->head_length;
    if (there < start + TCP_HEADER || ip->total_length < start + TCP_HEADER ||
        ip->total_length > ltcp_packet_length(packet))
        return LTCP_ERR_TRUNCATED;
    const uint8_t *p = packet->head + start;
    size_t header = (size_t)(p[12] >> 4) * 4, length = ip->total_length - start;
    if (header < TCP_HEADER || header > length) return LTCP_ERR_DATA_OFFSET;
    if (there - start != header) return decode_uncommon(packet, ip, header, length, out);

    if (!packet->checksum_good) { /* RFC9293:MUST-3 */
        uint64_t sum =
            sum_pseudo(&ip->source, &ip->destination, ip->version, LTCP_PROTOCOL_TCP, length);
        sum = sum_words(sum, p, TCP_HEADER);
        if (header > TCP_HEADER) sum = sum_words(sum, p + TCP_HEADER, header - TCP_HEADER);
        uint32_t folded = sum_fold(sum);
        if (length > header) folded = ltcp_sum(folded, packet->payload, length - header);
        if (sum_finish(folded) != 0) return LTCP_ERR_CHECKSUM;
    }
    return read_rest(p, header, packet->payload, length - header, out);
}

/* RFC 792: the first 8 bytes are sure to be there, and hold the ports and the sequence number. */
static enum ltcp_status decode_quoted(const uint8_t *p, size_t there, const struct ltcp_ip *ip,
                                      struct ltcp_segment *out)
{
    if (there < 8) return LTCP_ERR_TRUNCATED;
    uint8_t fixed[TCP_HEADER] = {0};
    memcpy(fixed, p, there < TCP_HEADER ? there : TCP_HEADER);
    read_fields(fixed, out);
    size_t header = (size_t)(fixed[12] >> 4) * 4;
    size_t length = ip->total_length > ip->header_length ? ip->total_length - ip->header_length : 0;
    out->header_length = (uint8_t)header;
    out->options_length = 0;
    out->options_bytes = NULL;
    out->payload = NULL;
    out->length = header >= TCP_HEADER && length > header ? (uint32_t)(length - header) : 0;
    out->options.present = 0;
    return LTCP_OK;
}

enum ltcp_status ltcp_segment_decode_bytes(const void *bytes, size_t length,
                                           const struct ltcp_ip *ip, bool quoted,
                                           struct ltcp_segment *out)
{
    const uint8_t *p = bytes;
    if (quoted) return decode_quoted(p, length, ip, out);
    if (ip->total_length < ip->header_length + TCP_HEADER ||
        length < (size_t)(ip->total_length - ip->header_length))
        return LTCP_ERR_TRUNCATED;
    length = (size_t)(ip->total_length - ip->header_length);
    size_t header = (size_t)(p[12] >> 4) * 4;
    if (header < TCP_HEADER || header > length) return LTCP_ERR_DATA_OFFSET;
    uint32_t sum = ltcp_pseudo_sum(&ip->source, &ip->destination, LTCP_PROTOCOL_TCP, length);
    if (ltcp_sum_finish(ltcp_sum(sum, p, length)) != 0) return LTCP_ERR_CHECKSUM;
    return read_rest(p, header, p + header, length - header, out);
}

/* ---- encoding -----------------------------------------------------------------------------------
 */

/* Writes the header; gives the running sum with a checksum of zero in it. */
static inline uint64_t write_header(uint8_t *p, const struct ltcp_segment *s, size_t options,
                                    uint64_t sum)
{
    uint32_t offset = (uint32_t)(TCP_HEADER + options) / 4;
    sum = put_word(p, (uint32_t)s->source_port << 16 | s->destination_port, sum);
    sum = put_word(p + 4, s->seq.n, sum);
    sum = put_word(p + 8, s->ack.n, sum);
    sum = put_word(p + 12,
                   offset << 28 | (uint32_t)(s->reserved & 7) << 25 |
                       (uint32_t)(s->flags & 0x1FF) << 16 | s->window,
                   sum);
    sum = put_word(p + 16, s->urgent_pointer, sum);
    for (size_t i = 0; i < options; i += 4) {
        uint32_t word = load_32(s->options_bytes + i);
        store_32(p + TCP_HEADER + i, word);
        sum += word;
    }
    return sum;
}

void ltcp_segment_encode(struct ltcp_packet *packet, const struct ltcp_ip *ip,
                         const struct ltcp_segment *segment)
{
    size_t options = segment->options_length & ~3u;
    if (options > 40) options = 40;
    size_t length = TCP_HEADER + options + packet->payload_length;
    size_t start = ltcp_ip_encode(ip, length, packet->head);
    uint8_t *p = packet->head + start;

    const struct ltcp_address to =
        ip->options_length > 0 ? ltcp_ip_final_destination(ip) : ip->destination;
    uint64_t sum = sum_pseudo(&ip->source, &to, version_of(ip), LTCP_PROTOCOL_TCP, length);
    sum = write_header(p, segment, options, sum);
    if (packet->payload_length > 0)
        sum += packet->payload_sum_valid ? packet->payload_sum
                                         : ltcp_sum(0, packet->payload, packet->payload_length);
    store_16(p + 16, sum_finish(sum_fold(sum))); /* RFC9293:MUST-2 */
    packet->head_length = (uint16_t)(start + TCP_HEADER + options);
}

void ltcp_segment_push(struct ltcp_packet *packet)
{
    if (packet->burst != NULL) {
        packet->burst->pushes |= UINT64_C(1) << (packet->burst->count - 1);
        return;
    }
    const size_t ip = packet->head[0] >> 4 == 4 ? (size_t)(packet->head[0] & 15) * 4 : IPV6_HEADER;
    uint8_t *tcp = packet->head + ip;
    const uint16_t old = load_be16(tcp + 12), flags = old | LTCP_PSH;
    store_be16(tcp + 16, ltcp_sum_update(load_be16(tcp + 16), old, flags));
    store_be16(tcp + 12, flags);
}
