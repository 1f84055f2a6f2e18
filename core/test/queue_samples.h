/* core/test/queue_samples.h - a managed queue by itself: packets of any length, flow and codepoint
 * go in and come out at times that the test says. */
#ifndef LUNATCP_TEST_QUEUE_SAMPLES_H
#define LUNATCP_TEST_QUEUE_SAMPLES_H

#include "network_samples.h"
#include "network/queue/aqm.h"

#define MS LTCP_MILLISECOND

struct rig {
    struct check_memory memory;
    struct ltcp_allocator allocator;
    struct ltcp_pool *pool;
    struct ltcp_path_config path;
    struct aqm aqm;
    struct ltcp_queue_counters counters;
    uint64_t index;
    ltcp_time busy_until; /* what the queue is told of its link; rig_get sets it */
};

/* Begins with the defaults of the kind, which the test changes before rig_start. */
static inline void rig_open(struct rig *rig, enum ltcp_queue_kind kind)
{
    *rig = (struct rig){.busy_until = INT64_MIN};
    rig->allocator = check_allocator(&rig->memory);
    rig->pool = ltcp_pool_create(&rig->allocator);
    rig->path.rate = 10000000;
    rig->path.queue_packets = ltcp_queue_default_limit(kind);
    ltcp_queue_defaults(&rig->path.queue, kind);
}

static inline void rig_start(struct rig *rig)
{
    CHECK(queue_config_is_valid(&rig->path.queue));
    rig->aqm.counters = &rig->counters;
    aqm_seed(&rig->aqm, 7, 1);
    CHECK(aqm_configure(&rig->aqm, &rig->allocator, &rig->path.queue));
}

static inline void rig_close(struct rig *rig)
{
    aqm_free(&rig->aqm);
    CHECK_EQUAL(ltcp_pool_usage(rig->pool).packets_live, 0);
    ltcp_pool_destroy(rig->pool);
    CHECK_EQUAL(rig->memory.live, 0);
}

static inline struct ltcp_packet *rig_packet(struct rig *rig, uint32_t length, uint8_t ecn,
                                             uint16_t port)
{
    struct sample s = {.source = ltcp_address_v4(10, 0, 0, 1),
                       .destination = ltcp_address_v4(10, 0, 0, 2),
                       .source_port = port,
                       .destination_port = 80,
                       .flags = LTCP_ACK,
                       .length = length - 40};
    struct ltcp_packet *packet = sample_packet(rig->pool, &s);
    ltcp_ip_set_ecn(packet, ecn);
    packet->id = ++rig->index;
    return packet;
}

static inline enum ltcp_drop rig_put_flow(struct rig *rig, ltcp_time now, uint32_t length,
                                          uint8_t ecn, uint16_t port)
{
    struct waiting waiting = {.packet = rig_packet(rig, length, ecn, port), .length = length};
    waiting.passage.index = waiting.passage.serial = rig->index;
    const struct aqm_moment at = {now, rig->busy_until, &rig->path};
    const enum ltcp_drop drop = aqm_enqueue(&rig->aqm, &at, &waiting);
    if (drop != LTCP_DROP_NONE) ltcp_packet_unref(waiting.packet);
    return drop;
}

static inline enum ltcp_drop rig_put(struct rig *rig, ltcp_time now, uint32_t length, uint8_t ecn)
{
    return rig_put_flow(rig, now, length, ecn, 1000);
}

struct got {
    uint64_t id; /* 0: nothing came */
    uint32_t length;
    uint16_t port;
    uint8_t ecn;
    unsigned dropped; /* before it, by the queue */
};

static inline struct got rig_get(struct rig *rig, ltcp_time now)
{
    struct waiting waiting;
    struct got got = {0};
    const struct aqm_moment at = {now, now, &rig->path};
    rig->busy_until = now;
    if (aqm_dequeue(&rig->aqm, &at, &waiting)) {
        struct ltcp_packet *packet = waiting.packet;
        got = (struct got){.id = packet->id, .length = waiting.length, .ecn = packet_ecn(packet)};
        got.port = (uint16_t)(packet->head[20] << 8 | packet->head[21]);
        ltcp_packet_unref(packet);
    }
    while (aqm_next_dropped(&rig->aqm, &waiting)) {
        got.dropped++;
        ltcp_packet_unref(waiting.packet);
    }
    return got;
}

static inline struct ltcp_queue_state rig_state(const struct rig *rig, ltcp_time now)
{
    struct ltcp_queue_state state = {.kind = rig->path.queue.kind};
    rig->aqm.ops->state(&rig->aqm, now, &state);
    return state;
}

static inline uint64_t rig_digest(const struct rig *rig, ltcp_time now)
{
    struct digest d = digest_begin();
    aqm_digest(&rig->aqm, &d, now);
    return digest_end(d);
}

/* |got - want| is at most `most`. */
static inline bool is_near(double got, double want, double most)
{
    const double difference = got < want ? want - got : got - want;
    if (difference > most) printf("    got %.12g, want %.12g\n", got, want);
    return difference <= most;
}
#define CHECK_NEAR(got, want, most) CHECK(is_near((double)(got), (double)(want), (double)(most)))
#define OF_32(p)                    ((double)(p) / 4294967296.0)

#endif
