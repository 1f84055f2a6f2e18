/* core/wire/burst.c - segments of one connection that leave together, as one packet. */
#include "ip.h"
#include "sum.h"

enum { SEQ_AT = 4, FLAGS_AT = 12, CHECKSUM_AT = 16, LINE = 64 };

struct ltcp_packet *ltcp_burst_create(struct ltcp_pool *pool, const struct ltcp_template *t,
                                      uint16_t identification, ltcp_seq seq, uint32_t text,
                                      uint32_t overhead)
{
    const uint32_t length = (uint32_t)t->model_length - t->ip_length + text + overhead;
    const uint32_t most = LTCP_BURST_OCTETS / length;
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (packet == NULL) return NULL;
    packet->block = ltcp_block_create(pool, sizeof(struct ltcp_burst));
    if (packet->block == NULL) {
        ltcp_packet_unref(packet);
        return NULL;
    }
    struct ltcp_burst *burst = (struct ltcp_burst *)(void *)packet->block->data;
    burst->ip_sum = t->model_ip_sum;
    burst->tcp_sum = t->model_tcp_sum;
    burst->text = text;
    burst->most = (uint16_t)(most < LTCP_BURST_MOST ? most : LTCP_BURST_MOST);
    burst->count = burst->gone = 0;
    burst->ip_length = t->ip_length;
    burst->pushes = 0;
    burst->model = t->models;
    packet->burst = burst;
    memcpy(packet->head, t->model, sizeof t->model);
    packet->head_length = t->model_length;
    if (t->ip_length == IPV4_HEADER) store_be16(packet->head + 4, identification);
    store_be32(packet->head + t->ip_length + SEQ_AT, seq.n);
    return packet;
}

bool ltcp_burst_takes(const struct ltcp_packet *packet, const struct ltcp_template *t,
                      uint16_t identification, ltcp_seq seq, uint32_t text)
{
    const struct ltcp_burst *b = packet->burst;
    if (b->count >= b->most || b->gone > 0 || b->model != t->models || b->text != text)
        return false;
    if (load_be32(packet->head + b->ip_length + SEQ_AT) + b->count * text != seq.n) return false;
    return b->ip_length != IPV4_HEADER ||
           (uint16_t)(load_be16(packet->head + 4) + b->count) == identification;
}

void ltcp_burst_add(struct ltcp_packet *packet, struct ltcp_block *text)
{
    struct ltcp_burst *burst = packet->burst;
    burst->texts[burst->count++] = ltcp_block_ref(text);
}

/* What the i-th has of its own; RFC9293:MUST-2. */
static inline void finish_tcp(const struct ltcp_burst *b, uint8_t *tcp, uint32_t first, unsigned i)
{
    uint64_t sum = put_word(tcp + SEQ_AT, first + i * b->text, b->tcp_sum) + b->texts[i]->sum;
    if (b->pushes >> i & 1) {
        const uint16_t before = load_be16(tcp + FLAGS_AT), flags = before | LTCP_PSH;
        uint8_t difference[2];
        store_be16(difference, flags ^ before);
        store_be16(tcp + FLAGS_AT, flags);
        sum += load_16(difference);
    }
    store_16(tcp + CHECKSUM_AT, sum_finish(sum_fold(sum)));
}

static inline void finish_ip(const struct ltcp_burst *b, uint8_t *ip, unsigned i)
{
    if (b->ip_length != IPV4_HEADER) return;
    store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + i));
    store_16(ip + 10, sum_finish(sum_fold(b->ip_sum + load_16(ip + 4))));
}

void ltcp_burst_heads(const struct ltcp_packet *packet, size_t skip, uint8_t *out, size_t stride)
{
    const struct ltcp_burst *b = packet->burst;
    const uint8_t *from = packet->head + skip;
    const uint32_t first = load_be32(packet->head + b->ip_length + SEQ_AT);
    for (unsigned i = b->gone; i < b->count; i++, out += stride) {
        if (stride == LINE)
            memcpy(out, from, LINE); /* a copy of constant length needs no call */
        else
            memcpy(out, from, packet->head_length - skip);
        if (skip == 0) finish_ip(b, out, i);
        finish_tcp(b, out + b->ip_length - skip, first, i);
    }
}

struct ltcp_packet *ltcp_burst_take(struct ltcp_packet *packet)
{
    struct ltcp_burst *b = packet->burst;
    if (b->gone == b->count) return NULL;
    const unsigned i = b->gone++;
    struct ltcp_packet *one = ltcp_packet_create(packet->pool);
    if (one == NULL) return NULL;
    memcpy(one->head, packet->head, packet->head_length);
    one->head_length = packet->head_length;
    finish_ip(b, one->head, i);
    finish_tcp(b, one->head + b->ip_length, load_be32(packet->head + b->ip_length + SEQ_AT), i);
    one->block = ltcp_block_ref(b->texts[i]);
    one->payload = one->block->data;
    one->payload_length = b->text;
    one->interface = packet->interface;
    one->time = packet->time;
    one->id = packet->id == 0 ? 0 : packet->id + i;
    return one;
}
