/* core/test/network_samples.h - TCP packets made to measure, for the tests of paths and networks.
 */
#ifndef LUNATCP_TEST_NETWORK_SAMPLES_H
#define LUNATCP_TEST_NETWORK_SAMPLES_H

#include "check.h"
#include "lunatcp/network.h"

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

/* ---- a network to test ------------------------------------------------------------------------
 */

struct lab {
    struct check_memory memory;
    struct ltcp_allocator allocator;
    struct ltcp_pool *pool;
    struct ltcp_trace *trace;
    struct ltcp_network *network;
};

static inline void lab_open(struct lab *lab, uint64_t seed)
{
    lab->allocator = check_allocator(&lab->memory);
    lab->pool = ltcp_pool_create(&lab->allocator);
    lab->trace = ltcp_trace_create(&lab->allocator, 64, 4096);
    struct ltcp_network_config config = {.pool = lab->pool, .trace = lab->trace, .seed = seed};
    lab->network = ltcp_network_create(&config);
}

/* Nothing may be left behind. */
static inline void lab_close(struct lab *lab)
{
    ltcp_network_destroy(lab->network);
    ltcp_trace_destroy(lab->trace);
    CHECK_EQUAL(ltcp_pool_usage(lab->pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(lab->pool).blocks_live, 0);
    ltcp_pool_destroy(lab->pool);
    CHECK_EQUAL(lab->memory.live, 0);
}

static inline uint32_t lab_peer(struct lab *lab)
{
    uint32_t node = LTCP_NOWHERE;
    CHECK_STATUS(ltcp_network_add_peer(lab->network, &node), LTCP_OK);
    return node;
}

static inline uint32_t lab_router(struct lab *lab)
{
    uint32_t node = LTCP_NOWHERE;
    CHECK_STATUS(ltcp_network_add_router(lab->network, &node), LTCP_OK);
    return node;
}

/* Between a and b: 10.0.SUBNET.1 and .2 (/24), fd00::SUBNET:1 and :2 (/112), the same path both
 * ways. */
static inline struct ltcp_link_config lab_link_config(uint32_t a, uint32_t b, uint8_t subnet,
                                                      const struct ltcp_path_config *path)
{
    struct ltcp_link_config config = {0};
    for (int i = 0; i < 2; i++) {
        struct ltcp_link_end *end = &config.end[i];
        end->node = i == 0 ? a : b;
        end->addresses[0] = ltcp_address_v4(10, 0, subnet, (uint8_t)(i + 1));
        end->prefix_lengths[0] = 24;
        end->addresses[1] = (struct ltcp_address){{0xfd, [13] = subnet, [15] = (uint8_t)(i + 1)}};
        end->prefix_lengths[1] = 112;
        end->address_count = 2;
        if (path != NULL) end->path = *path;
    }
    return config;
}

static inline uint32_t lab_link(struct lab *lab, uint32_t a, uint32_t b, uint8_t subnet,
                                const struct ltcp_path_config *path)
{
    struct ltcp_link_config config = lab_link_config(a, b, subnet, path);
    uint32_t link = LTCP_NOWHERE;
    CHECK_STATUS(ltcp_network_add_link(lab->network, &config, &link), LTCP_OK);
    return link;
}

static inline void lab_send(struct lab *lab, uint32_t node, struct ltcp_packet *packet)
{
    CHECK_STATUS(ltcp_network_send(lab->network, node, LTCP_NOWHERE, packet), LTCP_OK);
    ltcp_packet_unref(packet);
}

static inline enum ltcp_step lab_step(struct lab *lab, struct ltcp_step_detail *detail)
{
    return ltcp_network_step(lab->network, LTCP_NEVER, 0, detail);
}

/* Goes on until nothing happens any more: peers' packets wait in their inboxes. */
static inline void lab_run(struct lab *lab)
{
    struct ltcp_step_detail detail;
    enum ltcp_step step;
    unsigned bound = 0;
    while ((step = lab_step(lab, &detail)) != LTCP_STEP_IDLE && CHECK(++bound < 1000000))
        CHECK(step == LTCP_STEP_PEER || step == LTCP_STEP_ALARM);
}

#endif
