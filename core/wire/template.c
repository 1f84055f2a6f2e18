/* core/wire/template.c - headers of one flow's segments, with what stays written and summed once.
 */
#include "ip.h"
#include "sum.h"

void ltcp_template_make(struct ltcp_template *t, const struct ltcp_ip *ip, uint16_t source_port,
                        uint16_t destination_port)
{
    struct ltcp_ip plain = *ip;
    plain.options_length = 0;
    plain.identification = 0;
    plain.ecn = 0;
    t->model_length = 0;
    t->ip_length = (uint8_t)ltcp_ip_encode(&plain, 0, t->ip);
    t->traffic_class = (uint8_t)(ip->dscp << 2);
    t->ports = (uint32_t)source_port << 16 | destination_port;
    t->tcp_sum = sum_pseudo(&ip->source, &ip->destination, t->ip_length == IPV4_HEADER ? 4 : 6,
                            LTCP_PROTOCOL_TCP, 0) +
                 to_be32(t->ports);
    if (t->ip_length != IPV4_HEADER) return;
    store_16(t->ip + 2, 0); /* length and checksum are each packet's own */
    store_16(t->ip + 10, 0);
    t->ip_sum = sum_words(0, t->ip, IPV4_HEADER);
}

/* Total length, identification, ECN and, where there is one, the checksum. */
static inline void finish_ip(struct ltcp_template *t, uint8_t *p, size_t length,
                             uint16_t identification, uint8_t ecn)
{
    if (t->ip_length == IPV4_HEADER) {
        memcpy(p, t->ip, IPV4_HEADER);
        p[1] = (uint8_t)(t->traffic_class | ecn);
        store_be16(p + 2, (uint16_t)(IPV4_HEADER + length));
        store_be16(p + 4, identification);
        const uint8_t ecn_word[2] = {0, ecn};
        t->last_ip_sum = t->ip_sum + load_16(p + 2) + load_16(ecn_word);
        store_16(p + 10, sum_finish(sum_fold(t->last_ip_sum + load_16(p + 4))));
        return;
    }
    memcpy(p, t->ip, IPV6_HEADER);
    p[1] = (uint8_t)((p[1] & 0xCF) | (ecn & 3) << 4);
    store_be16(p + 4, (uint16_t)length);
}

void ltcp_template_encode(struct ltcp_template *t, struct ltcp_packet *packet,
                          uint16_t identification, uint8_t ecn, const struct ltcp_segment *s)
{
    const size_t options = s->options_length, header = TCP_HEADER + options;
    const size_t length = header + packet->payload_length;
    uint8_t *p = packet->head + t->ip_length;
    finish_ip(t, packet->head, length, identification, ecn);
    uint64_t sum = t->tcp_sum + to_be32((uint32_t)length);
    store_32(p, to_be32(t->ports));
    sum = put_word(p + 8, s->ack.n, sum);
    sum = put_word(
        p + 12, (uint32_t)header / 4 << 28 | (uint32_t)(s->flags & 0x1FF) << 16 | s->window, sum);
    sum = put_word(p + 16, s->urgent_pointer, sum);
    for (size_t i = 0; i < options; i += 4) {
        const uint32_t word = load_32(s->options_bytes + i);
        store_32(p + TCP_HEADER + i, word);
        sum += word;
    }
    t->last_tcp_sum = sum;
    sum = put_word(p + 4, s->seq.n, sum);
    if (packet->payload_length > 0)
        sum += packet->payload_sum_valid ? packet->payload_sum
                                         : ltcp_sum(0, packet->payload, packet->payload_length);
    store_16(p + 16, sum_finish(sum_fold(sum))); /* RFC9293:MUST-2 */
    packet->head_length = (uint16_t)(t->ip_length + header);
}

void ltcp_template_keep(struct ltcp_template *t, const struct ltcp_packet *packet)
{
    t->model_length = 0;
    if (packet->head_length > sizeof t->model) return;
    memcpy(t->model, packet->head, sizeof t->model);
    t->model_length = (uint8_t)packet->head_length;
    t->models++;
    t->model_ip_sum = t->last_ip_sum;
    t->model_tcp_sum = t->last_tcp_sum;
}

void ltcp_template_again(const struct ltcp_template *t, struct ltcp_packet *packet,
                         uint16_t identification, ltcp_seq seq)
{
    enum { SHORT = 64 }; /* a copy of constant length needs no call */
    uint8_t *p = packet->head;
    memcpy(p, t->model, t->model_length <= SHORT ? SHORT : sizeof t->model);
    packet->head_length = t->model_length;
    if (t->ip_length == IPV4_HEADER) {
        store_be16(p + 4, identification);
        store_16(p + 10, sum_finish(sum_fold(t->model_ip_sum + load_16(p + 4))));
    }
    p += t->ip_length;
    const uint64_t sum = put_word(p + 4, seq.n, t->model_tcp_sum) + packet->payload_sum;
    store_16(p + 16, sum_finish(sum_fold(sum)));
}
