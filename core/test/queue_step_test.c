/* core/test/queue_step_test.c - RFC 8257 section 3.1: a packet that finds more than the threshold
 * in the queue is marked, and no other. */
#include "queue_samples.h"

static void by_packets(void)
{
    for (uint32_t threshold = 0; threshold < 12; threshold += 4) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_STEP);
        rig.path.queue.step_packets = threshold;
        rig_start(&rig);
        for (unsigned i = 0; i < 20; i++)
            CHECK_EQUAL(rig_put(&rig, 0, 1000, i % 2 ? LTCP_ECN_ECT1 : LTCP_ECN_ECT0),
                        LTCP_DROP_NONE);
        for (unsigned i = 0; i < 20; i++) {
            const uint8_t ect = i % 2 ? LTCP_ECN_ECT1 : LTCP_ECN_ECT0;
            CHECK_EQUAL(rig_get(&rig, LTCP_SECOND).ecn, i > threshold ? LTCP_ECN_CE : ect);
        }
        CHECK_EQUAL(rig.counters.marked, 19 - threshold);
        CHECK_EQUAL(rig.counters.early, 0);
        rig_close(&rig);
    }
}

/* What waits counts as it is found, so a queue that goes up and down is marked only while over. */
static void follows_the_queue(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_STEP);
    rig.path.queue.step_packets = 2;
    rig_start(&rig);
    uint8_t expected[4000], *at = expected, *next = expected;
    uint32_t seed = 1, waits = 0;
    for (unsigned i = 0; i < 4000; i++) {
        if (check_random(&seed) % 2 == 0) {
            *at++ = waits > 2 ? LTCP_ECN_CE : LTCP_ECN_ECT0;
            rig_put(&rig, i, 500, LTCP_ECN_ECT0);
            waits++;
        } else if (waits > 0) {
            CHECK_EQUAL(rig_get(&rig, i).ecn, *next++);
            waits--;
        }
    }
    CHECK(rig.counters.marked > 100);
    rig_close(&rig);
}

static void by_octets(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_STEP);
    rig.path.queue.step_packets = LTCP_STEP_OFF;
    rig.path.queue.step_bytes = 3000;
    rig_start(&rig);
    static const uint32_t lengths[] = {1000, 2000, 40, 40};
    static const uint8_t marks[] = {LTCP_ECN_ECT0, LTCP_ECN_ECT0, LTCP_ECN_ECT0, LTCP_ECN_CE};
    for (unsigned i = 0; i < 4; i++)
        rig_put(&rig, 0, lengths[i], LTCP_ECN_ECT0); /* 3,000 found is not more */
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQUAL(rig_get(&rig, 0).ecn, marks[i]);
    rig_close(&rig);
}

static void by_time(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_STEP);
    rig.path.queue.step_packets = LTCP_STEP_OFF;
    rig.path.queue.step_time = 2 * MS;
    rig_start(&rig);
    for (unsigned i = 0; i < 3; i++)
        rig_put(&rig, 0, 100, LTCP_ECN_ECT0);
    rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT);
    rig_put(&rig, MS, 100, LTCP_ECN_NOT_ECT);
    CHECK_EQUAL(rig_get(&rig, MS).ecn, LTCP_ECN_ECT0);
    CHECK_EQUAL(rig_get(&rig, 2 * MS).ecn, LTCP_ECN_ECT0);
    CHECK_EQUAL(rig_get(&rig, 2 * MS + 1).ecn, LTCP_ECN_CE);
    const struct got got = rig_get(&rig, 3 * MS);
    CHECK_EQUAL(got.dropped, 1);
    CHECK_EQUAL(got.id, 5);
    rig_close(&rig);
}

/* RFC7567:4.2.1-1: who cannot be told by a mark is told by a drop. */
static void not_ect(void)
{
    for (unsigned drops = 0; drops < 2; drops++) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_STEP);
        rig.path.queue.step_packets = 1;
        rig.path.queue.drop_not_ect = drops;
        rig_start(&rig);
        const enum ltcp_drop over = drops ? LTCP_DROP_AQM : LTCP_DROP_NONE;
        CHECK_EQUAL(rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
        CHECK_EQUAL(rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
        CHECK_EQUAL(rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT), over);
        CHECK_EQUAL(rig.counters.early, drops);
        CHECK_EQUAL(rig_put(&rig, 0, 100, LTCP_ECN_CE), LTCP_DROP_NONE);
        rig_close(&rig);
    }
}

/* The packet that the sender still holds is not touched; the mark's copy has a valid IPv4 checksum.
 */
static void marks_a_copy(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_STEP);
    rig.path.queue.step_packets = 0;
    rig_start(&rig);
    rig_put(&rig, 0, 100, LTCP_ECN_ECT0);
    struct ltcp_packet *mine = rig_packet(&rig, 1000, LTCP_ECN_ECT0, 1000);
    uint8_t before[LTCP_HEAD_ROOM];
    memcpy(before, mine->head, mine->head_length);
    struct waiting waiting = {.packet = ltcp_packet_ref(mine), .length = 1000};
    const struct aqm_moment at = {0, 0, &rig.path};
    CHECK_EQUAL(aqm_enqueue(&rig.aqm, &at, &waiting), LTCP_DROP_NONE);
    CHECK(memcmp(before, mine->head, mine->head_length) == 0);
    CHECK_EQUAL(mine->refs, 1);
    rig_get(&rig, 0);
    CHECK(aqm_dequeue(&rig.aqm, &at, &waiting));
    struct ltcp_ip ip;
    CHECK_STATUS(ltcp_ip_decode(waiting.packet, &ip), LTCP_OK); /* verifies the header's checksum */
    CHECK_EQUAL(ip.ecn, LTCP_ECN_CE);
    CHECK(waiting.packet->payload == mine->payload);
    CHECK(waiting.packet->notes & LTCP_NOTE_CE_MARKED);
    CHECK(!(mine->notes & LTCP_NOTE_CE_MARKED));
    ltcp_packet_unref(waiting.packet);
    ltcp_packet_unref(mine);
    rig_close(&rig);
}

int main(void)
{
    by_packets();
    follows_the_queue();
    by_octets();
    by_time();
    not_ect();
    marks_a_copy();
    return check_finish();
}
