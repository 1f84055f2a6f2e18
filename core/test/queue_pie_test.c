/* core/test/queue_pie_test.c - RFC 8033: the probability's updates, the burst that is let through,
 * and marks and drops at random. */
#include "queue_samples.h"

#include <math.h>

/* Section 4.2, as the RFC has it, in its own units. */
struct oracle {
    double drop_prob, qdelay_old;
};

static void oracle_update(struct oracle *o, double qdelay)
{
    double p = 0.125 * (qdelay - 0.015) + 1.25 * (qdelay - o->qdelay_old);
    if (o->drop_prob < 0.000001)
        p /= 2048;
    else if (o->drop_prob < 0.00001)
        p /= 512;
    else if (o->drop_prob < 0.0001)
        p /= 128;
    else if (o->drop_prob < 0.001)
        p /= 32;
    else if (o->drop_prob < 0.01)
        p /= 8;
    else if (o->drop_prob < 0.1)
        p /= 2;
    if (o->drop_prob >= 0.1 && p > 0.02) p = 0.02; /* section 5.5 */
    o->drop_prob += p;
    if (qdelay == 0 && o->qdelay_old == 0) o->drop_prob *= 0.98;
    if (o->drop_prob < 0) o->drop_prob = 0;
    if (o->drop_prob > 1) o->drop_prob = 1;
    o->qdelay_old = qdelay;
}

/* A queue whose next packet to leave has waited for `delay` at `now`; a second one stays behind. */
static void sample(struct rig *rig, ltcp_time now, ltcp_time delay)
{
    while (rig->aqm.backlog.packets > 2)
        rig_get(rig, now);
    while (rig->aqm.backlog.packets < 3) {
        struct waiting filler = {.packet = rig_packet(rig, 1000, 0, 1), .length = 1000};
        CHECK(backlog_reserve(&rig->aqm.backlog, &rig->allocator));
        fifo_push(&rig->aqm.backlog, &rig->aqm.waiting, &filler);
    }
    fifo_head(&rig->aqm.backlog, &rig->aqm.waiting)->passage.arrived = now - delay;
    CHECK(rig_get(rig, now).id != 0);
}

/* RFC8033:4.2-1, 4.2-2, 4.2-3, 4.2-6, 4.3-1, 5.5-1, 6-1 */
static void follows_the_controller(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig_start(&rig);
    struct oracle o = {0, 0};
    uint32_t seed = 5;
    rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT); /* starts the clock: updates at 15, 30, ... ms */
    ltcp_time delay = 0;
    double greatest = 0;
    for (unsigned i = 1; i <= 4000; i++) {
        delay += (ltcp_time)(check_random(&seed) % 4001) * 1000 - 1995 * 1000;
        if (i % 50 == 0 && i <= 3000) delay = i % 100 * MS; /* a jump of 50 ms, and back */
        if (i > 3000) delay -= MS;
        if (delay < 0) delay = i > 3200 ? 0 : MS;
        if (delay > 60 * MS) delay = 60 * MS;
        sample(&rig, i * 15 * MS - MS, delay);
        oracle_update(&o, (double)delay / 1e9);
        if (o.drop_prob > greatest) greatest = o.drop_prob;
        const struct ltcp_queue_state state = rig_state(&rig, i * 15 * MS);
        CHECK_NEAR(OF_32(state.probability), o.drop_prob, 1e-6 + 1e-6 * o.drop_prob);
    }
    CHECK(greatest > 0.9);
    CHECK(o.drop_prob == 0);
    rig_close(&rig);
}

/* However long nobody looked, the same has happened as if somebody had; and at rest time makes no
 * difference any more. */
static void makes_up_for_time(void)
{
    struct rig watched, left;
    rig_open(&watched, LTCP_QUEUE_PIE);
    rig_open(&left, LTCP_QUEUE_PIE);
    rig_start(&watched);
    rig_start(&left);
    const uint64_t fresh = rig_digest(&left, 0);
    rig_put(&watched, 0, 1000, LTCP_ECN_NOT_ECT);
    rig_put(&left, 0, 1000, LTCP_ECN_NOT_ECT);
    ltcp_time now = 0;
    for (unsigned i = 1; i <= 200; i++) {
        now = i * 15 * MS - MS;
        sample(&watched, now, 40 * MS);
        sample(&left, now, 40 * MS);
    }
    const uint64_t high = rig_state(&left, now).probability;
    CHECK(high > 0);
    rig_get(&watched, now);
    rig_get(&watched, now);
    rig_get(&left, now);
    rig_get(&left, now);
    for (unsigned i = 1; i <= 500; i++) {
        rig_get(&watched, now + i * MS); /* finds nothing */
        CHECK_EQUAL(rig_state(&watched, now + i * MS).probability,
                    rig_state(&left, now + i * MS).probability);
        CHECK(rig_digest(&watched, now + i * MS) == rig_digest(&left, now + i * MS));
    }
    const uint64_t half_a_second_later = rig_state(&left, now + 500 * MS).probability;
    CHECK(half_a_second_later < high);
    CHECK(rig_digest(&left, now + 60 * LTCP_SECOND) == fresh);
    rig_close(&watched);
    rig_close(&left);
}

/* Section 4.4: for 150 ms nothing is dropped, however long the queue; then it is. Once the
 * congestion is gone (no probability, delays below half the target), the next burst is let through
 * again. RFC8033:4.4-1, 4.4-2, 4.4-3 */
static void burst_allowance(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.alpha = rig.path.queue.beta = 1 << 30; /* certain as soon as it may be */
    rig.path.queue_packets = 0;
    rig_start(&rig);
    ltcp_time first = 0;
    for (ltcp_time now = 0; now < 400 * MS && first == 0; now += MS) {
        for (int i = 0; i < 3; i++)
            if (rig_put(&rig, now, 1000, LTCP_ECN_NOT_ECT) == LTCP_DROP_AQM) first = now;
        rig_get(&rig, now);
    }
    /* Ten updates of 15 ms; the allowance is full as long as delays are below 7.5 ms, and 3 come
     * for each that leaves: 11 ms are waited at 16 ms. */
    CHECK(first >= 150 * MS && first <= 165 * MS);
    CHECK_EQUAL(rig_state(&rig, first).burst_allowance, 0);

    rig_close(&rig);

    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.alpha = rig.path.queue.beta = 1 << 30;
    rig.path.queue.burst = 0;
    rig.path.queue_packets = 0;
    rig_start(&rig);
    for (first = 0; first < 400 * MS; first += MS) {
        bool dropped = false;
        for (int i = 0; i < 3; i++)
            dropped |= rig_put(&rig, first, 1000, LTCP_ECN_NOT_ECT) == LTCP_DROP_AQM;
        rig_get(&rig, first);
        if (dropped) break;
    }
    CHECK(first < 61 * MS);

    while (rig.aqm.backlog.packets > 0)
        rig_get(&rig, first);
    rig.aqm.config.burst = 150 * MS;
    rig_put(&rig, first + 3 * LTCP_SECOND, 1000, LTCP_ECN_NOT_ECT);
    CHECK_EQUAL(rig_state(&rig, first + 3 * LTCP_SECOND).probability, 0);
    CHECK_EQUAL(rig_state(&rig, first + 3 * LTCP_SECOND).burst_allowance, 150 * MS);
    rig_close(&rig);
}

/* Brings the probability to about `want` and keeps the delay at the target. */
static ltcp_time raise_to(struct rig *rig, double want)
{
    ltcp_time now = MS;
    rig_put(rig, now, 1000, LTCP_ECN_NOT_ECT);
    for (unsigned i = 0; i < 100000 && OF_32(rig_state(rig, now).probability) < want; i++) {
        now += 15 * MS;
        sample(rig, now, 16 * MS);
    }
    for (unsigned i = 0; i < 4; i++) {
        now += 15 * MS;
        sample(rig, now, 15 * MS);
    }
    return now;
}

/* One packet in at random, one out, while no update is due. */
static unsigned drops_of(struct rig *rig, ltcp_time now, uint8_t ecn, unsigned count)
{
    unsigned dropped = 0;
    while (rig->aqm.backlog.packets < 4) {
        struct waiting filler = {.packet = rig_packet(rig, 1000, 0, 1), .length = 1000};
        CHECK(backlog_reserve(&rig->aqm.backlog, &rig->allocator));
        filler.passage.arrived = now - 15 * MS;
        fifo_push(&rig->aqm.backlog, &rig->aqm.waiting, &filler);
    }
    for (unsigned i = 0; i < count; i++) {
        if (rig_put(rig, now, 1000, ecn) == LTCP_DROP_AQM) {
            dropped++;
        } else {
            struct waiting waiting;
            CHECK(aqm_take_waiting(&rig->aqm, &waiting));
            ltcp_packet_unref(waiting.packet);
        }
    }
    return dropped;
}

/* Section 5.1: marks up to 10 %, drops above. RFC8033:4.1-1, 5.1-1, 5.1-2, RFC7567:4.2.1-2, 4.2.1-5
 */
static void ecn(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig_start(&rig);
    ltcp_time now = raise_to(&rig, 0.05);
    double p = OF_32(rig_state(&rig, now).probability);
    CHECK(p > 0.045 && p < 0.08);
    CHECK_EQUAL(drops_of(&rig, now, LTCP_ECN_ECT0, 20000), 0);
    CHECK_NEAR(rig.counters.marked, 20000 * p, 4 * sqrt(20000 * p));
    const unsigned dropped = drops_of(&rig, now, LTCP_ECN_NOT_ECT, 20000);
    CHECK_NEAR(dropped, 20000 * p, 4 * sqrt(20000 * p));
    rig_close(&rig);

    rig_open(&rig, LTCP_QUEUE_PIE);
    rig_start(&rig);
    now = raise_to(&rig, 0.12);
    p = OF_32(rig_state(&rig, now).probability);
    CHECK(p > 0.11);
    CHECK_NEAR(drops_of(&rig, now, LTCP_ECN_ECT0, 20000), 20000 * p, 4 * sqrt(20000 * p));
    CHECK_EQUAL(rig.counters.marked, 0);
    rig_close(&rig);
}

/* Section 5.4: none before 0.85 / p packets have come, one before 8.5 / p have. RFC8033:5.4-1 */
static void derandomization(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.derandomize = true;
    rig_start(&rig);
    const ltcp_time now = raise_to(&rig, 0.05);
    const double p = OF_32(rig_state(&rig, now).probability);
    drops_of(&rig, now, LTCP_ECN_NOT_ECT, 1);
    unsigned gap = 0, least = UINT32_MAX, drops = 0;
    for (unsigned i = 0; i < 20000; i++) {
        gap++;
        if (drops_of(&rig, now, LTCP_ECN_NOT_ECT, 1) == 0) continue;
        if (drops++ > 0 && gap < least) least = gap;
        gap = 0;
    }
    CHECK(drops > 300);
    CHECK_NEAR(least, ceil(0.85 / p), 1);
    rig_close(&rig);
}

/* drop_early: a queue of two packets is let be. RFC8033:4.1-3 */
static void safeguards(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.packet_size = 1000;
    rig_start(&rig);
    const ltcp_time now = raise_to(&rig, 0.15);
    while (rig.aqm.backlog.packets > 0) {
        struct waiting waiting;
        aqm_take_waiting(&rig.aqm, &waiting);
        ltcp_packet_unref(waiting.packet);
    }
    for (unsigned i = 0; i < 500; i++) {
        CHECK_EQUAL(rig_put(&rig, now, 1000, 0), LTCP_DROP_NONE);
        CHECK_EQUAL(rig_put(&rig, now, 1000, 0), LTCP_DROP_NONE);
        CHECK_EQUAL(rig_put(&rig, now, 1000, 0), LTCP_DROP_NONE);
        struct waiting waiting;
        while (aqm_take_waiting(&rig.aqm, &waiting))
            ltcp_packet_unref(waiting.packet);
    }
    rig_close(&rig);
}

/* A last delay below half of 15 ms lets all pass while drop_prob is below 0.2, and no other. Little
 * gain, so that drop_prob stays. RFC8033:4.1-2, 4.2-5 */
static void spares_a_short_delay(void)
{
    static const struct {
        double probability;
        ltcp_time delay;
        bool drops;
    } cases[] = {{0.19, 7 * MS, false}, {0.19, 8 * MS, true}, {0.25, 7 * MS, true}};
    for (unsigned i = 0; i < 3; i++) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_PIE);
        rig_start(&rig);
        ltcp_time now = raise_to(&rig, cases[i].probability);
        rig.aqm.config.alpha = rig.aqm.config.beta = 1;
        now += 15 * MS;
        sample(&rig, now, cases[i].delay);
        sample(&rig, now + 15 * MS, cases[i].delay);
        const double p = OF_32(rig_state(&rig, now + 15 * MS).probability);
        CHECK_NEAR(p, cases[i].probability, 0.02);
        CHECK(p < 0.2 || cases[i].probability > 0.2);
        CHECK((drops_of(&rig, now + 15 * MS, LTCP_ECN_NOT_ECT, 1000) > 0) == cases[i].drops);
        rig_close(&rig);
    }
}

/* A T_UPDATE of 5 ms: three updates where there was one. RFC8033:4.2-4 */
static void a_shorter_update(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.interval = 5 * MS;
    rig_start(&rig);
    struct oracle o = {0, 0};
    rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT);
    for (unsigned i = 1; i <= 200; i++) {
        sample(&rig, i * 5 * MS - MS, 30 * MS);
        oracle_update(&o, 0.030);
        CHECK_NEAR(OF_32(rig_state(&rig, i * 5 * MS).probability), o.drop_prob, 1e-6);
    }
    CHECK(o.drop_prob > 0);
    rig_close(&rig);
}

/* 40 ms are three updates of 15 ms. RFC8033:4.4-4 */
static void a_burst_is_rounded_up(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_PIE);
    rig.path.queue.burst = 40 * MS;
    rig.path.queue.alpha = rig.path.queue.beta = 1 << 30;
    rig_start(&rig);
    rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT);
    for (unsigned i = 1; i <= 3; i++) {
        CHECK(rig_state(&rig, i * 15 * MS - 1).burst_allowance > 0);
        sample(&rig, i * 15 * MS - MS, 40 * MS);
        CHECK_EQUAL(drops_of(&rig, i * 15 * MS - 1, LTCP_ECN_NOT_ECT, 20), 0);
    }
    CHECK_EQUAL(rig_state(&rig, 45 * MS).burst_allowance, 0);
    CHECK(drops_of(&rig, 45 * MS, LTCP_ECN_NOT_ECT, 20) > 5);
    rig_close(&rig);
}

int main(void)
{
    spares_a_short_delay();
    a_shorter_update();
    a_burst_is_rounded_up();
    follows_the_controller();
    makes_up_for_time();
    burst_allowance();
    ecn();
    derandomization();
    safeguards();
    return check_finish();
}
