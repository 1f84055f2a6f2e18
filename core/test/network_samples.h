/* core/test/network_samples.h - TCP packets made to measure, for the tests of paths and networks. */
#ifndef LUNATCP_TEST_NETWORK_SAMPLES_H
#define LUNATCP_TEST_NETWORK_SAMPLES_H

#include "check.h"
#include "lunatcp/wire.h"

struct sample {
    struct ltcp_address source, destination;
    uint16_t source_port, destination_port, flags;
    uint32_t seq, ack, length; /* of the payload */
    uint8_t ttl;               /* 0: 64 */
    bool may_fragment;
};

static inline struct ltcp_packet *sample_packet(struct ltcp_pool *pool, const struct sample *s)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (s->length > 0) {
        packet->block = ltcp_block_create(pool, s->length);
        memset(packet->block->data, 0xAA, s->length);
        packet->block->length = s->length;
        packet->payload = packet->block->data;
        packet->payload_length = s->length;
    }
    struct ltcp_ip ip = {.source = s->source,
                         .destination = s->destination,
                         .protocol = LTCP_PROTOCOL_TCP,
                         .ttl = s->ttl == 0 ? 64 : s->ttl,
                         .dont_fragment = !s->may_fragment};
    struct ltcp_segment segment = {.source_port = s->source_port,
                                   .destination_port = s->destination_port,
                                   .seq = ltcp_seq_of(s->seq),
                                   .ack = ltcp_seq_of(s->ack),
                                   .flags = s->flags,
                                   .window = 65535};
    ltcp_segment_encode(packet, &ip, &segment);
    return packet;
}

/* An IPv4 packet of `length` octets in all (at least 40) from 10.0.0.1 to 10.0.0.2. */
static inline struct ltcp_packet *sample_of_length(struct ltcp_pool *pool, uint32_t length)
{
    struct sample s = {.source = ltcp_address_v4(10, 0, 0, 1),
                       .destination = ltcp_address_v4(10, 0, 0, 2),
                       .source_port = 1000,
                       .destination_port = 80,
                       .flags = LTCP_ACK,
                       .length = length - 40};
    return sample_packet(pool, &s);
}

#endif
