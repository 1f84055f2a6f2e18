/* fuzz/fuzz_wire.c - any bytes as a packet, as options, as a datagram of a tunnel.
 *
 * Beside what the sanitizers see: what was decoded points into the packet, and what is encoded from
 * it is decoded to the same again. */
#include "lunatcp/wire.h"

#include "fuzz.h"

#include <string.h>

/* Reads each byte, so that a sanitizer sees one that is not there. */
static unsigned touch(const uint8_t *bytes, size_t length)
{
    static volatile unsigned sink;
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    sink = sum;
    return sink;
}

/* ---- options ------------------------------------------------------------------------------------
 */

static void options_again(const struct ltcp_options *o)
{
    static const uint8_t kinds[] = {2, 4, 8, 3, 5, 19, 28, 29, 34, 172};
    uint8_t out[40];
    struct ltcp_options back;
    size_t length = ltcp_options_encode(o, kinds, sizeof kinds, out);
    must(length <= sizeof out && length % 4 == 0);
    must(ltcp_options_decode(out, length, &back) == LTCP_OK);
    must((back.present & ~o->present) == 0);
    if ((back.present & LTCP_HAS_MSS) != 0) must(back.mss == o->mss);
    if ((back.present & LTCP_HAS_TIMESTAMPS) != 0)
        must(back.ts_value == o->ts_value && back.ts_echo == o->ts_echo);
    if ((back.present & LTCP_HAS_SACK) != 0) must(back.sack_count <= o->sack_count);
}

static void options(const uint8_t *data, size_t size)
{
    struct ltcp_options o;
    ltcp_options_decode(data, size, &o);
    if ((o.present & LTCP_HAS_MD5) != 0) touch(o.md5, 16);
    if ((o.present & LTCP_HAS_AO) != 0) touch(o.ao, o.ao_length);
    if ((o.present & LTCP_HAS_FAST_OPEN) != 0) touch(o.fast_open, o.fast_open_length);
    options_again(&o);

    size_t cursor = 0, before = 0;
    struct ltcp_raw_option raw;
    while (ltcp_options_next(data, size, &cursor, &raw)) {
        must(cursor > before && cursor <= size);
        touch(raw.data, raw.data_length);
        before = cursor;
    }
}

/* ---- packets ------------------------------------------------------------------------------------
 */

static void segment_again(struct ltcp_pool *pool, const struct ltcp_packet *packet,
                          const struct ltcp_ip *ip, const struct ltcp_segment *s)
{
    struct ltcp_packet *made = ltcp_packet_create(pool);
    struct ltcp_ip ip_back;
    struct ltcp_segment back;
    const struct ltcp_address last = ltcp_ip_final_destination(ip);
    if (made == NULL) return;
    made->payload = packet->payload;
    made->payload_length = s->length;
    if (s->length == 0 || s->payload == packet->payload) {
        ltcp_segment_encode(made, ip, s);
        must(ltcp_ip_decode(made, &ip_back) == LTCP_OK);
        /* Half way along a source route the checksum is not yet that of this destination. */
        made->checksum_good = !ltcp_address_equal(&last, &ip->destination);
        enum ltcp_status status = ltcp_segment_decode(made, &ip_back, &back);
        must(status == LTCP_OK || status == LTCP_ERR_OPTION_LENGTH);
        must(seq_eq(s->seq, back.seq) && seq_eq(s->ack, back.ack) && s->flags == back.flags);
        must(s->window == back.window && s->length == back.length);
        must(s->options_length == back.options_length);
    }
    ltcp_packet_unref(made);
}

static void transport(struct ltcp_pool *pool, struct ltcp_packet *packet, const struct ltcp_ip *ip)
{
    struct ltcp_segment segment;
    struct ltcp_icmp icmp;
    enum ltcp_status status = ltcp_segment_decode(packet, ip, &segment);
    if (status == LTCP_OK || status == LTCP_ERR_OPTION_LENGTH) {
        touch(segment.payload, segment.length);
        options(segment.options_bytes, segment.options_length);
        if (ip->protocol == LTCP_PROTOCOL_TCP) segment_again(pool, packet, ip, &segment);
    }
    if (ltcp_icmp_decode(packet, ip, &icmp) != LTCP_OK) return;
    touch(icmp.quote, icmp.quote_length);
    struct ltcp_ip quoted;
    if (ltcp_ip_decode_bytes(icmp.quote, icmp.quote_length, true, &quoted) == LTCP_OK)
        ltcp_segment_decode_bytes(icmp.quote + quoted.header_length,
                                  icmp.quote_length - quoted.header_length, &quoted, true,
                                  &segment);
    struct ltcp_packet *made = ltcp_icmp_encode(pool, ip, &icmp);
    if (made == NULL) return;
    struct ltcp_ip ip_back;
    struct ltcp_icmp back;
    must(ltcp_ip_decode(made, &ip_back) == LTCP_OK);
    must(ltcp_icmp_decode(made, &ip_back, &back) == LTCP_OK && back.kind == icmp.kind);
    ltcp_packet_unref(made);
}

/* A fuzzer does not find checksums: they are made right for it. */
static void mend(struct ltcp_packet *packet)
{
    uint8_t *p = packet->head;
    size_t header = packet->head_length >= 20 && p[0] >> 4 == 4 ? (p[0] & 15u) * 4 : 0;
    if (header < 20 || header > packet->head_length) return;
    p[10] = p[11] = 0;
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, p, header));
    memcpy(p + 10, &checksum, 2);
}

static void packets(struct ltcp_pool *pool, struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    if (packet == NULL) return;
    for (int turn = 0; turn < 2; turn++) {
        if (ltcp_ip_decode(packet, &ip) == LTCP_OK) {
            transport(pool, packet, &ip);
            packet->checksum_good = true;
            transport(pool, packet, &ip);
        }
        mend(packet);
    }
    struct ltcp_packet *copy = ltcp_packet_copy(packet);
    must(copy == NULL || ltcp_packet_length(copy) == ltcp_packet_length(packet));
    ltcp_packet_unref(copy);
    for (uint32_t at = 0; at < 300; at += 100)
        ltcp_packet_unref(ltcp_segment_cut(packet, at, 100));
    ltcp_ip_set_ttl(packet, 3);
    ltcp_ip_set_ecn(packet, LTCP_ECN_CE);
}

static void tunnel(struct ltcp_pool *pool, const uint8_t *data, size_t size,
                   struct ltcp_framing_context *context)
{
    struct ltcp_block *block = ltcp_block_create(pool, (uint32_t)size);
    if (block == NULL) return;
    if (size > 0) memcpy(block->data, data, size);
    block->length = (uint32_t)size;
    struct ltcp_packet *packet;
    struct ltcp_framed framed;
    if (ltcp_framing_unstrip(context, block, 0, size, &packet) == LTCP_OK) {
        packets(pool, packet);
        if (ltcp_framing_strip(context, packet, &framed) == LTCP_OK)
            must(framed.skip <= packet->head_length && framed.lead_length <= LTCP_FRAMING_LEAD);
        ltcp_packet_unref(packet);
    }
    ltcp_block_unref(block);
}

/* Where the sequence number of a datagram would be, and its text begin; 0: nowhere. */
static size_t text_at(const uint8_t *data, size_t size, enum ltcp_framing framing, size_t *seq)
{
    const size_t lead = framing == LTCP_FRAMING_VXLAN ? LTCP_FRAMING_LEAD : 0;
    size_t tcp = 0;
    if (framing == LTCP_FRAMING_RAWIP || framing == LTCP_FRAMING_VXLAN)
        tcp = size > lead && data[lead] >> 4 == 6 ? lead + 40 : lead + 20;
    *seq = tcp + 4;
    if (size < tcp + 20) return 0;
    if (framing == LTCP_FRAMING_CHESHIRE) return (size_t)(data[0] >> 4) * 4 - 8;
    return tcp + (size_t)(data[tcp + 12] >> 4) * 4;
}

/* The datagram three times, with sequence numbers that go on: what might be one segment. */
static void train(struct ltcp_pool *pool, const uint8_t *data, size_t size,
                  const struct ltcp_framing_context *context)
{
    size_t at;
    if (size < 20 || size > 20000) return;
    const size_t header = text_at(data, size, context->framing, &at);
    if (header == 0) return;
    struct ltcp_block *block = ltcp_block_create(pool, (uint32_t)(3 * size));
    if (block == NULL) return;
    const size_t text = size > header ? size - header : 0;
    for (size_t i = 0; i < 3; i++) {
        uint8_t *p = block->data + i * size;
        memcpy(p, data, size);
        p += at;
        uint32_t seq = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        seq += (uint32_t)(i * text);
        p[0] = (uint8_t)(seq >> 24);
        p[1] = (uint8_t)(seq >> 16);
        p[2] = (uint8_t)(seq >> 8);
        p[3] = (uint8_t)seq;
    }
    struct ltcp_train run;
    size_t count = 0;
    if (ltcp_train_begin(&run, context, block, block->data, size))
        for (count = 1; count < 3 && ltcp_train_add(&run, block->data + count * size, size);)
            count++;
    struct ltcp_packet *packet = count > 0 ? ltcp_train_end(&run) : NULL;
    must((packet != NULL) == (count > 1));
    if (packet != NULL) {
        must(packet->payload_length == count * text);
        packets(pool, packet);
    }
    ltcp_packet_unref(packet);
    ltcp_block_unref(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65535) return 0;
    struct ltcp_allocator allocator = {resize, NULL};
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    if (pool == NULL) return 0;

    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, data, size);
    packets(pool, packet);
    ltcp_packet_unref(packet);

    struct ltcp_ip ip;
    struct ltcp_segment segment;
    for (int quoted = 0; quoted < 2; quoted++)
        if (ltcp_ip_decode_bytes(data, size, quoted == 1, &ip) == LTCP_OK)
            ltcp_segment_decode_bytes(data + ip.header_length, size - ip.header_length, &ip,
                                      quoted == 1, &segment);

    options(data, size < 40 ? size : 40);
    struct ltcp_framing_context context = {.local = ltcp_address_v4(10, 0, 0, 1),
                                           .remote = ltcp_address_v4(10, 0, 0, 2),
                                           .local_port = 1,
                                           .remote_port = 2,
                                           .ttl = 64};
    for (int framing = 0; framing < LTCP_FRAMING_COUNT; framing++) {
        context.framing = (enum ltcp_framing)framing;
        tunnel(pool, data, size, &context);
        train(pool, data, size, &context);
    }
    context.framing = LTCP_FRAMING_PLAIN;
    context.checksum = LTCP_UDP_CHECKSUM;
    tunnel(pool, data, size, &context);
    train(pool, data, size, &context);
    context.checksum = LTCP_INNER_CHECKSUM;
    train(pool, data, size, &context);
    must(ltcp_pool_usage(pool).packets_live == 0 && ltcp_pool_usage(pool).blocks_live == 0);
    ltcp_pool_destroy(pool);
    return 0;
}
