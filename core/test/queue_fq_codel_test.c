/* core/test/queue_fq_codel_test.c - RFC 8290: who leaves next, and who is dropped when all is full.
 */
#include "queue_samples.h"

/* Ports whose flows fall into buckets of their own. */
static uint16_t ports[8];

static uint64_t salted(struct rig *rig, uint16_t port)
{
    /* What tells buckets apart from outside: how many flows are active. */
    rig_put_flow(rig, 0, 100, LTCP_ECN_NOT_ECT, port);
    return rig_state(rig, 0).flows_new;
}

static void find_ports(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    unsigned found = 0;
    for (uint16_t port = 1000; found < 8; port++)
        if (salted(&rig, port) == found + 1) ports[found++] = port;
    rig_close(&rig);
}

/* Section 3: octets are shared evenly, whatever the packets' sizes. RFC8290:3-1, 5.2.4-1 */
static void shares_octets(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig.path.queue.target = LTCP_SECOND;
    rig_start(&rig);
    for (unsigned i = 0; i < 3000; i++) {
        if (i < 600) rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[0]);
        rig_put_flow(&rig, 0, 300, LTCP_ECN_NOT_ECT, ports[1]);
    }
    CHECK_EQUAL(rig.counters.new_flows, 2);
    uint64_t octets[2] = {0, 0};
    uint64_t last[2] = {0, 0};
    for (unsigned i = 0; i < 1800; i++) {
        const struct got got = rig_get(&rig, MS);
        const int flow = got.port == ports[1];
        octets[flow] += got.length;
        CHECK(got.id > last[flow]); /* in order within a flow */
        last[flow] = got.id;
        CHECK_NEAR(octets[0], octets[1], 2 * 1514 + 1500);
    }
    CHECK(octets[0] > 400000);
    CHECK_EQUAL(rig_state(&rig, MS).flows_old, 2);
    rig_close(&rig);
}

/* Section 4.2: a flow that has built no queue lately goes before those that have. RFC8290:4.1-3,
 * RFC8290:4.2-1, 4.2-3 */
static void new_flows_go_first(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    for (unsigned i = 0; i < 20; i++)
        rig_put_flow(&rig, 0, 500, LTCP_ECN_NOT_ECT, ports[0]);
    for (unsigned i = 0; i < 5; i++) /* three and the rest of a quantum, then an old flow's turn */
        CHECK_EQUAL(rig_get(&rig, MS).port, ports[0]);
    CHECK_EQUAL(rig_state(&rig, MS).flows_old, 1);
    rig_put_flow(&rig, MS, 100, LTCP_ECN_NOT_ECT, ports[1]);
    CHECK_EQUAL(rig_state(&rig, MS).flows_new, 1);
    CHECK_EQUAL(rig_get(&rig, MS).port, ports[1]);
    /* Empty, it goes to the end of the old ones, so that coming back at once it has to wait its
     * turn. */
    CHECK_EQUAL(rig_get(&rig, MS).port, ports[0]);
    CHECK_EQUAL(rig_state(&rig, MS).flows_new, 0);
    CHECK_EQUAL(rig_state(&rig, MS).flows_old, 2);
    rig_put_flow(&rig, MS, 100, LTCP_ECN_NOT_ECT, ports[1]);
    CHECK_EQUAL(rig_state(&rig, MS).flows_new, 0);
    /* Through all of the old ones without a packet, it is gone, and new when it returns. */
    for (unsigned i = 0; i < 15; i++)
        CHECK(rig_get(&rig, MS).id != 0);
    CHECK_EQUAL(rig_get(&rig, MS).id, 0);
    CHECK_EQUAL(rig_state(&rig, MS).flows_old, 0);
    rig_put_flow(&rig, MS, 100, LTCP_ECN_NOT_ECT, ports[1]);
    CHECK_EQUAL(rig_state(&rig, MS).flows_new, 1);
    CHECK_EQUAL(rig.counters.new_flows, 3);
    rig_close(&rig);
}

/* A turn lasts as long as there are credits: one quantum at least, one packet more at most.
 * RFC8290:3-1 */
static void a_turn_is_a_quantum(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig.path.queue.quantum = 300;
    rig_start(&rig);
    for (unsigned i = 0; i < 12; i++) {
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
        rig_put_flow(&rig, 0, 300, LTCP_ECN_NOT_ECT, ports[1]);
    }
    static const int turns[] = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1};
    for (unsigned i = 0; i < sizeof turns / sizeof *turns; i++)
        CHECK_EQUAL(rig_get(&rig, MS).port, ports[turns[i]]);
    rig_close(&rig);
}

/* Section 4.1: over the limit, half of the packets of the fattest queue go, from its head, at
 * most 64. RFC8290:4.1-4, 5.2.3-1 */
static void overload(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig.path.queue_packets = 300;
    rig_start(&rig);
    for (unsigned i = 0; i < 200; i++)
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
    for (unsigned i = 0; i < 30; i++)
        rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[1]); /* 45,000 octets: the fattest */
    for (unsigned i = 0; i < 70; i++)
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[2]);
    CHECK_EQUAL(rig.counters.overflow, 0);
    CHECK_EQUAL(rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[2]), LTCP_DROP_NONE);
    CHECK_EQUAL(rig.counters.overflow, 15);
    CHECK_EQUAL(rig.counters.early, 0);
    CHECK_EQUAL(rig.aqm.backlog.packets, 286);
    /* Now 22,500 octets against 20,000; the next ones are of the flow of 200, 64 at a time. */
    struct waiting first;
    CHECK(aqm_next_dropped(&rig.aqm, &first));
    CHECK_EQUAL(first.length, 1500);
    CHECK_EQUAL(first.packet->id, 201);
    CHECK_EQUAL(first.reason, LTCP_DROP_QUEUE);
    ltcp_packet_unref(first.packet);
    for (unsigned i = 0; i < 14; i++)
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
    CHECK_EQUAL(rig.counters.overflow, 15);
    rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[3]);
    CHECK_EQUAL(rig.counters.overflow, 15 + 8);
    for (unsigned i = 0; i < 8; i++)
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
    CHECK_EQUAL(rig.counters.overflow, 15 + 8 + 64);
    rig_close(&rig);
}

/* Each flow has a CoDel of its own: who builds a queue is dropped, who does not is left alone.
 * RFC8290:4.2-2, 5.2.1-1, 5.2.2-1, RFC7567:4.4-3 */
static void drops_where_the_queue_is(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    for (unsigned i = 0; i < 400; i++)
        rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[0]);
    unsigned dropped = 0, thin = 0;
    for (ltcp_time now = MS; now < 300 * MS; now += MS) {
        if (now % (10 * MS) == 0) {
            rig_put_flow(&rig, now, 100, LTCP_ECN_NOT_ECT, ports[1]);
            const struct got got = rig_get(&rig, now);
            CHECK_EQUAL(got.port, ports[1]); /* at once */
            thin++;
        }
        dropped += rig_get(&rig, now).dropped;
    }
    CHECK(dropped >= 3);
    CHECK_EQUAL(thin, 29);
    CHECK_EQUAL(rig.counters.early, dropped);
    rig_close(&rig);
}

/* Section 4.1: the hash is salted by the seed; one bucket makes a plain queue; what has no ports is
 * told apart by its addresses and protocol. RFC8290:4.1-1, 4.1-2, 5.2.5-1 */
static void classification(void)
{
    struct rig rig;
    unsigned together[2];
    for (unsigned seed = 0; seed < 2; seed++) {
        rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
        rig_start(&rig);
        aqm_seed(&rig.aqm, 100 + seed, 1);
        together[seed] = 0;
        for (uint16_t port = 1; port <= 500; port++) {
            const uint32_t before = rig_state(&rig, 0).flows_new;
            if (salted(&rig, port) == before) together[seed] += port; /* which ones collide */
        }
        /* 500 in 1,024 buckets: 396 are taken on average. */
        CHECK(rig_state(&rig, 0).flows_new > 360 && rig_state(&rig, 0).flows_new < 430);
        rig_close(&rig);
    }
    CHECK(together[0] != together[1]);

    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig.path.queue.flows = 1;
    rig_start(&rig);
    for (unsigned i = 0; i < 8; i++)
        rig_put_flow(&rig, 0, 100, LTCP_ECN_NOT_ECT, ports[i]);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQUAL(rig_get(&rig, 0).port, ports[i]);
    rig_close(&rig);

    static const uint8_t junk[40] = {0x00, 1, 2, 3};
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    struct waiting waiting = {.packet = ltcp_packet_from_bytes(rig.pool, junk, sizeof junk)};
    waiting.length = sizeof junk;
    const struct aqm_moment at = {0, 0, &rig.path};
    CHECK_EQUAL(aqm_enqueue(&rig.aqm, &at, &waiting), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_get(&rig, 0).length, sizeof junk);
    rig_close(&rig);
}

/* A packet of protocol 47, which has no ports that could be read. */
static void put_gre(struct rig *rig, uint8_t last_octet, uint8_t body)
{
    struct waiting waiting = {.packet = rig_packet(rig, 100, LTCP_ECN_NOT_ECT, body),
                              .length = 100};
    uint8_t *header = waiting.packet->head;
    header[9] = 47;
    header[19] = last_octet; /* of the destination */
    header[10] = header[11] = 0;
    const uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, header, 20));
    memcpy(header + 10, &checksum, sizeof checksum);
    const struct aqm_moment at = {0, 0, &rig->path};
    CHECK_EQUAL(aqm_enqueue(&rig->aqm, &at, &waiting), LTCP_DROP_NONE);
}

/* By addresses and protocol number where there are no ports. RFC8290:4.1.1-1 */
static void without_ports(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    put_gre(&rig, 2, 1);
    put_gre(&rig, 2, 99); /* what stands where ports would is not looked at */
    CHECK_EQUAL(rig_state(&rig, 0).flows_new, 1);
    for (uint8_t i = 3; i < 13; i++)
        put_gre(&rig, i, 1);
    CHECK(rig_state(&rig, 0).flows_new >= 10);
    rig_close(&rig);
}

/* How many packets of a flow the queue drops before the next one leaves, which is `*left`. */
static unsigned drops_before(struct rig *rig, ltcp_time now, uint16_t port, uint16_t *left)
{
    const struct aqm_moment at = {now, now, &rig->path};
    struct waiting waiting;
    unsigned dropped = 0;
    *left = 0;
    if (aqm_dequeue(&rig->aqm, &at, &waiting)) {
        *left = (uint16_t)(waiting.packet->head[20] << 8 | waiting.packet->head[21]);
        ltcp_packet_unref(waiting.packet);
    }
    while (aqm_next_dropped(&rig->aqm, &waiting)) {
        dropped += (waiting.packet->head[20] << 8 | waiting.packet->head[21]) == port;
        ltcp_packet_unref(waiting.packet);
    }
    return dropped;
}

/* A flow that has never more than one packet is told of a long queue as well: what waits in all
 * counts, not what is the flow's. Alone it is let be. RFC8289:4.4-1 */
static void occupancy_of_all_flows(void)
{
    for (unsigned others = 0; others < 2; others++) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
        rig.path.queue.quantum = 1500; /* a packet a turn */
        rig_start(&rig);
        rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[1]);
        for (unsigned i = 0; i < 400 * others; i++)
            rig_put_flow(&rig, 0, 1500, LTCP_ECN_NOT_ECT, ports[0]);
        unsigned dropped = 0;
        for (ltcp_time now = 10 * MS; now < 1000 * MS; now += 10 * MS) {
            uint16_t left = 0;
            const unsigned lost = drops_before(&rig, now, ports[1], &left);
            dropped += lost;
            if (lost > 0 || left == ports[1])
                rig_put_flow(&rig, now, 1500, LTCP_ECN_NOT_ECT, ports[1]);
        }
        CHECK((dropped > 0) == (others > 0));
        rig_close(&rig);
    }
}

/* The flows are made once, and nothing is allocated on the way of a packet when there is room. */
static void allocates_nothing(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig_start(&rig);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100; i++)
            rig_put_flow(&rig, 0, 1500, LTCP_ECN_ECT0, ports[i % 8]);
        for (unsigned i = 0; i < 100; i++)
            CHECK(rig_get(&rig, 200 * MS).id != 0);
        rig.memory.remaining = 0;
    }
    rig.memory.remaining = -1;
    rig_close(&rig);

    rig_open(&rig, LTCP_QUEUE_FQ_CODEL);
    rig.memory.remaining = 0;
    rig.aqm.counters = &rig.counters;
    CHECK(!aqm_configure(&rig.aqm, &rig.allocator, &rig.path.queue));
    rig.memory.remaining = -1;
    rig_start(&rig);
    struct ltcp_packet *packet = rig_packet(&rig, 100, 0, 1);
    struct waiting waiting = {.packet = packet, .length = 100};
    const struct aqm_moment at = {0, 0, &rig.path};
    rig.memory.remaining = 0;
    CHECK_EQUAL(aqm_enqueue(&rig.aqm, &at, &waiting), LTCP_DROP_MEMORY);
    rig.memory.remaining = -1;
    ltcp_packet_unref(packet);
    rig_close(&rig);
}

static void digest(void)
{
    struct rig a, b;
    rig_open(&a, LTCP_QUEUE_FQ_CODEL);
    rig_open(&b, LTCP_QUEUE_FQ_CODEL);
    rig_start(&a);
    rig_start(&b);
    CHECK(rig_digest(&a, 0) == rig_digest(&b, 5));
    rig_put_flow(&a, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
    rig_put_flow(&a, 0, 100, LTCP_ECN_NOT_ECT, ports[1]);
    rig_put_flow(&b, 0, 100, LTCP_ECN_NOT_ECT, ports[1]);
    CHECK(rig_digest(&a, 0) != rig_digest(&b, 0));
    rig_put_flow(&b, 0, 100, LTCP_ECN_NOT_ECT, ports[0]);
    CHECK(rig_digest(&a, 0) != rig_digest(&b, 0)); /* another turn comes first */
    rig_close(&a);
    rig_close(&b);
}

int main(void)
{
    find_ports();
    shares_octets();
    new_flows_go_first();
    a_turn_is_a_quantum();
    overload();
    drops_where_the_queue_is();
    classification();
    without_ports();
    occupancy_of_all_flows();
    allocates_nothing();
    digest();
    return check_finish();
}
