/* core/test/queue_codel_test.c - RFC 8289: when CoDel drops, how often, and when it stops. */
#include "network/queue/codel.h"
#include "queue_samples.h"

#include <math.h>

/* Section 5.6: interval / sqrt(count). RFC8289:5.5-2 */
static void control_law(void)
{
    CHECK_EQUAL(codel_law(100 * MS, 1), 100 * MS);
    CHECK_EQUAL(codel_law(100 * MS, 2), 70710678);
    CHECK_EQUAL(codel_law(100 * MS, 3), 57735026);
    CHECK_EQUAL(codel_law(100 * MS, 4), 50 * MS);
    CHECK_EQUAL(codel_law(100 * MS, 10000), MS);
    CHECK_EQUAL(codel_law(100 * LTCP_SECOND, 1), 100 * LTCP_SECOND);
    CHECK_EQUAL(codel_law(1, UINT32_MAX), 0);
    for (uint32_t count = 1; count < 3000; count += 7) {
        CHECK_NEAR(codel_law(100 * MS, count), floor(1e8 / sqrt(count)), 1);
        CHECK_NEAR(codel_law(60 * LTCP_SECOND, count), 6e10 / sqrt(count), 100);
    }
}

/* A packet of 1,000 octets comes each millisecond from 0 on, and one leaves each millisecond once
 * `delay` is over, so that each waits for `delay` while nothing is dropped. */
static struct got tick(struct rig *rig, ltcp_time now, ltcp_time delay, uint8_t ecn)
{
    CHECK_EQUAL(rig_put(rig, now, 1000, ecn), LTCP_DROP_NONE);
    if (now < delay) return (struct got){0};
    return rig_get(rig, now);
}

/* RFC8289:4.3-1 */
static void stays_quiet_below_the_target(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig_start(&rig);
    for (ltcp_time now = 0; now < 2000 * MS; now += MS)
        CHECK_EQUAL(tick(&rig, now, 4 * MS, LTCP_ECN_NOT_ECT).dropped, 0);
    CHECK_EQUAL(rig.counters.early, 0);
    rig_close(&rig);
}

/* The first packet above the target leaves at 20 ms; an interval later comes the first drop, and
 * each next one an interval / sqrt(count) behind the one before, as near as packets leave: 1 ms.
 * Each drop takes a packet more out, so two come in each time to keep the queue. RFC8289:3.3-1,
 * RFC8289:4-1, RFC8289:4.2-1, 4.3-2, 5.5-1, 5.5-2 */
static void drops_by_the_law(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig.path.queue_packets = 0;
    rig_start(&rig);
    double next = 120e6;
    unsigned count = 0;
    for (ltcp_time now = 0; now < 2500 * MS; now += MS) {
        const struct got got = tick(&rig, now, 20 * MS, LTCP_ECN_NOT_ECT);
        unsigned due = 0;
        for (; (double)now + 0.5 >= next; due++) {
            next = count == 0 ? (double)now + 1e8 : next + 1e8 / sqrt(count + 1);
            count++;
        }
        CHECK_EQUAL(got.dropped, due);
        for (unsigned i = 0; i < due; i++)
            CHECK_EQUAL(rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
    }
    CHECK(count > 100);
    CHECK_EQUAL(rig.counters.early, count);
    CHECK_EQUAL(rig_state(&rig, 2500 * MS).count, count);
    CHECK(rig_state(&rig, 2500 * MS).dropping);
    rig_close(&rig);
}

/* Section 5.5: one packet below the target ends it; above it again within 16 intervals, the count
 * goes on from where the last cycle had come to. RFC8289:4.3-2, 5.5-3, 5.5-4 */
static void leaves_and_resumes(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig_start(&rig);
    ltcp_time now = 0;
    unsigned dropped = 0;
    while (dropped < 10) {
        dropped += tick(&rig, now, 20 * MS, LTCP_ECN_NOT_ECT).dropped;
        if (rig.aqm.backlog.packets < 18) rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT);
        now += MS;
    }
    CHECK_EQUAL(rig_state(&rig, now).count, 10);
    while (rig.aqm.backlog.packets > 0)
        rig_get(&rig, now);
    rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT);
    CHECK(rig_get(&rig, now).id != 0);
    CHECK(!rig_state(&rig, now).dropping);

    const ltcp_time again = now;
    for (dropped = 0; dropped == 0; now += MS)
        dropped = tick(&rig, now, again + 20 * MS, LTCP_ECN_NOT_ECT).dropped;
    CHECK_EQUAL(dropped, 1);
    CHECK_EQUAL(now - MS - again, 120 * MS);
    CHECK_EQUAL(rig_state(&rig, now).count, 9); /* count - lastcount: 10 - 1 */
    rig_close(&rig);

    /* Long after, it begins with 1. */
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig_start(&rig);
    for (now = 0, dropped = 0; dropped < 10; now += MS) {
        dropped += tick(&rig, now, 20 * MS, LTCP_ECN_NOT_ECT).dropped;
        if (rig.aqm.backlog.packets < 18) rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT);
    }
    while (rig.aqm.backlog.packets > 0)
        rig_get(&rig, now);
    now += 1700 * MS;
    const ltcp_time later = now;
    rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT);
    rig_get(&rig, now);
    for (dropped = 0; dropped == 0; now += MS)
        dropped = tick(&rig, now, later + 20 * MS, LTCP_ECN_NOT_ECT).dropped;
    CHECK_EQUAL(rig_state(&rig, now).count, 1);
    rig_close(&rig);
}

/* bytes() <= maxpacket_: one packet that is left behind is no queue, however long it waited.
 * RFC8289:4.1-1 */
static void spares_a_queue_of_one_packet(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig_start(&rig);
    for (ltcp_time now = 0; now < 10000 * MS; now += 100 * MS) {
        CHECK_EQUAL(rig_put(&rig, now, 1500, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
        if (now >= 100 * MS) CHECK_EQUAL(rig_get(&rig, now).dropped, 0);
    }
    CHECK_EQUAL(rig.counters.early, 0);
    rig_close(&rig);
}

/* Marks stand where drops would; nothing is lost, and what came with CE keeps it. RFC8290:5.2.6-1,
 * RFC7567:4.2.1-1 */
static void marks(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig_start(&rig);
    unsigned marked = 0;
    uint64_t last = 0;
    ltcp_time first = 0;
    for (ltcp_time now = 0; now < 1000 * MS; now += MS) {
        const struct got got = tick(&rig, now, 20 * MS, LTCP_ECN_ECT0);
        CHECK_EQUAL(got.dropped, 0);
        if (now >= 20 * MS) CHECK_EQUAL(got.id, ++last);
        if (got.ecn == LTCP_ECN_CE && marked++ == 0) first = now;
    }
    CHECK_EQUAL(first, 120 * MS);
    CHECK_EQUAL(rig.counters.marked, marked);
    CHECK(marked > 10);

    rig.aqm.config.ecn = false;
    unsigned dropped = 0;
    for (ltcp_time now = 1000 * MS; now < 1500 * MS; now += MS)
        dropped += tick(&rig, now, 20 * MS, LTCP_ECN_ECT0).dropped;
    CHECK(dropped > 0);
    CHECK_EQUAL(rig.counters.marked, marked);
    rig_close(&rig);
}

/* RFC8290:5.2.7-1, RFC7567:4.2.1-2 */
static void ce_threshold(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig.path.queue.ce_threshold = MS;
    rig_start(&rig);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_get(&rig, MS).ecn, LTCP_ECN_ECT0);
    CHECK_EQUAL(rig_get(&rig, MS + 1).ecn, LTCP_ECN_CE);
    const struct got other = rig_get(&rig, MS + 1);
    CHECK_EQUAL(other.ecn, LTCP_ECN_NOT_ECT);
    CHECK_EQUAL(other.dropped, 0);
    rig_close(&rig);
}

/* Other figures are taken: 100 us and 1 ms, for a data centre. RFC8289:4.3-4, 4.5-1, 4.5-2 */
static void other_figures(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig.path.queue.target = MS / 10;
    rig.path.queue.interval = MS;
    rig_start(&rig);
    ltcp_time first = 0;
    for (ltcp_time now = 0; now < 10 * MS && first == 0; now += MS / 100)
        if (tick(&rig, now, MS / 2, LTCP_ECN_NOT_ECT).dropped > 0) first = now;
    CHECK_EQUAL(first, MS / 2 + MS);
    rig_close(&rig);
}

/* What nothing answers is dropped where there is no room, ECN-capable or not, and only then.
 * RFC7567:4.2.1-5, 4.6-1 */
static void limit_of_what_is_not_answered(void)
{
    static const enum ltcp_queue_kind kinds[] = {LTCP_QUEUE_RED,      LTCP_QUEUE_CODEL,
                                                 LTCP_QUEUE_FQ_CODEL, LTCP_QUEUE_PIE,
                                                 LTCP_QUEUE_STEP,     LTCP_QUEUE_DUALPI2};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct rig rig;
        rig_open(&rig, kinds[i]);
        rig.path.queue_packets = 50;
        rig_start(&rig);
        for (ltcp_time now = 0; now < 1000 * MS; now += MS) { /* two in for each one out */
            rig_put(&rig, now, 1000, LTCP_ECN_ECT0);
            rig_put(&rig, now, 1000, LTCP_ECN_ECT0);
            CHECK(rig_get(&rig, now).id != 0);
            CHECK(rig.aqm.backlog.packets <= 50);
        }
        CHECK(rig.counters.overflow + rig.counters.early > 900);
        CHECK_EQUAL(rig.counters.early_ect_of[0], rig.counters.early);
        rig_close(&rig);
    }
}

static void limit_and_digest(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_CODEL);
    rig.path.queue_packets = 3;
    rig.path.queue_bytes = 2500;
    rig_start(&rig);
    const uint64_t empty = rig_digest(&rig, 0);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    const uint64_t one = rig_digest(&rig, 0);
    CHECK(one != empty);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_put(&rig, 0, 501, LTCP_ECN_ECT0), LTCP_DROP_QUEUE);
    CHECK_EQUAL(rig_put(&rig, 0, 400, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_put(&rig, 0, 40, LTCP_ECN_ECT0), LTCP_DROP_QUEUE);
    CHECK_EQUAL(rig.counters.overflow, 2);
    CHECK_EQUAL(rig.counters.early, 0);
    rig_get(&rig, MS);
    rig_get(&rig, MS);
    rig_get(&rig, MS);
    CHECK_EQUAL(rig_get(&rig, MS).id, 0);
    /* The same as at the beginning, seen from a later time. */
    CHECK(rig_digest(&rig, 5 * MS) == empty);
    rig_close(&rig);
}

int main(void)
{
    control_law();
    stays_quiet_below_the_target();
    drops_by_the_law();
    leaves_and_resumes();
    spares_a_queue_of_one_packet();
    marks();
    ce_threshold();
    other_figures();
    limit_of_what_is_not_answered();
    limit_and_digest();
    return check_finish();
}
