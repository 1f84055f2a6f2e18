/* core/test/queue_dualpi2_test.c - RFC 9332 appendix A: two queues, one controller, and how the one
 * probability becomes two. */
#include "queue_samples.h"

#include <math.h>

static struct rig rig;

static void begin(void)
{
    rig_open(&rig, LTCP_QUEUE_DUALPI2);
    rig_start(&rig);
}

/* ECT(1) and CE into the L queue, the others into the C queue. RFC9332:2.5.1-1, 2.5.1-2, 2.5.1-4 */
static void classifier(void)
{
    begin();
    static const uint8_t codepoints[] = {LTCP_ECN_NOT_ECT, LTCP_ECN_ECT0, LTCP_ECN_ECT1,
                                         LTCP_ECN_CE, LTCP_ECN_ECT1};
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQUAL(rig_put(&rig, 0, 1000, codepoints[i]), LTCP_DROP_NONE);
    CHECK_EQUAL(rig_state(&rig, 0).queue_packets[0], 2);
    CHECK_EQUAL(rig_state(&rig, 0).queue_packets[1], 3);
    CHECK_EQUAL(rig_get(&rig, 0).id, 3); /* L first; then C is owed a fifteenth, */
    CHECK_EQUAL(rig_get(&rig, 0).id, 1); /* and gets a whole packet */
    CHECK_EQUAL(rig_get(&rig, 0).id, 4);
    CHECK_EQUAL(rig_get(&rig, 0).id, 5);
    CHECK_EQUAL(rig_get(&rig, 0).id, 2);
    CHECK_EQUAL(rig_get(&rig, 0).id, 0);
    rig_close(&rig);
}

/* The scheduler's weights: with both queues full, the C queue gets one octet of sixteen. An idle
 * link forgets what was owed. And while one of them has packets, one leaves.
 * RFC9332:2.5.1-4, 2.5.1-5, RFC9332:2.5.1-6, 2.5.2.1-4 */
static void scheduler(void)
{
    begin();
    rig.path.queue_bytes = 1u << 30;
    for (unsigned i = 0; i < 5000; i++) {
        rig_put(&rig, 0, 1500, LTCP_ECN_ECT1);
        rig_put(&rig, 0, i % 3 ? 500 : 1500, LTCP_ECN_ECT0);
    }
    uint64_t octets[2] = {0, 0};
    for (unsigned i = 0; i < 4000; i++) {
        const struct got got = rig_get(&rig, 0);
        octets[got.ecn % 2] += got.length;
    }
    CHECK_NEAR((double)octets[1] / (double)octets[0], 15, 0.2);
    for (unsigned i = 0; i < 6000; i++)
        CHECK(rig_get(&rig, 0).id != 0);
    CHECK_EQUAL(rig_get(&rig, 0).id, 0);
    /* The C queue is owed more than it has. */
    rig_put(&rig, 0, 1500, LTCP_ECN_ECT1);
    rig_put(&rig, 0, 1500, LTCP_ECN_ECT1);
    rig_put(&rig, 0, 40, LTCP_ECN_ECT0);
    for (unsigned i = 0; i < 3; i++)
        CHECK(rig_get(&rig, 0).id != 0);
    rig_close(&rig);
}

/* Figures 2 and 6: p' = p' + alpha (curq - target) + beta (curq - prevq) every Tupdate = 15 ms,
 * with alpha = 0.1 Tupdate / RTT_max^2 = 0.15 Hz and beta = 0.3 / RTT_max = 3 Hz; p_CL = k p', p_C
 * = p'^2. RFC9332:A.1-1, RFC9332:A.1-2, RFC9332:2.5.1-9, 2.5.2.1-3 */
static void controller(void)
{
    begin();
    rig.path.queue_bytes = 1u << 30;
    rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT);
    double base = 0, prevq = 0;
    uint32_t seed = 11;
    ltcp_time delay = 0, shown = 0;
    unsigned coupled_is_one = 0;
    for (unsigned i = 1; i < 3000; i++) {
        delay += (ltcp_time)(check_random(&seed) % 4001) * 1000 - 1990 * 1000;
        if (delay < 0) delay = 0;
        if (delay > 45 * MS) delay = 20 * MS;
        /* The head of one of the two queues is as old as `delay` when the update is due. */
        while (rig_get(&rig, i * 15 * MS - 2).id != 0)
            ;
        const ltcp_time due = i * 15 * MS;
        rig_put(&rig, due - 1, 1000, i % 2 ? LTCP_ECN_ECT1 : LTCP_ECN_ECT0);
        struct waiting waiting;
        CHECK(rig.aqm.ops->take(&rig.aqm, &waiting));
        const struct aqm_moment at = {due - delay, due - delay, &rig.path};
        CHECK_EQUAL(aqm_enqueue(&rig.aqm, &at, &waiting), LTCP_DROP_NONE);
        shown = due;
        const double curq = (double)delay / 1e9;
        base += 0.15 * (curq - 0.015) + 3 * (curq - prevq);
        base = base < 0 ? 0 : base > 1 ? 1 : base;
        prevq = curq;
        const struct ltcp_queue_state state = rig_state(&rig, shown);
        CHECK_NEAR(OF_32(state.base), base, 1e-5);
        base = OF_32(state.base); /* so that the rounding of alpha does not add up */
        CHECK_NEAR(OF_32(state.probability), base * base, 1e-8);
        CHECK_NEAR(OF_32(state.coupled), fmin(2 * base, 1), 1e-8);
        coupled_is_one += state.coupled == LTCP_CERTAIN;
        CHECK_EQUAL(state.delay, delay);
    }
    CHECK(coupled_is_one > 0);
    CHECK(base < 1);
    rig_close(&rig);
}

/* Begins with p' set through the controller: one update, a second after a packet came, with a gain
 * that gives that; the next update is a second away. */
static ltcp_time begin_with(double want)
{
    rig_open(&rig, LTCP_QUEUE_DUALPI2);
    rig.path.queue.interval = LTCP_SECOND;
    rig.path.queue.alpha = (uint32_t)(want / 0.985 * 65536);
    rig.path.queue.beta = 1;
    rig_start(&rig);
    rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT);
    rig_get(&rig, LTCP_SECOND);
    rig.counters = (struct ltcp_queue_counters){0};
    CHECK_NEAR(OF_32(rig_state(&rig, LTCP_SECOND).base), want, 0.001);
    return LTCP_SECOND;
}

/* Marks of `count` packets, and drops, with p' as it is; none of them waits. */
static void pass(ltcp_time now, uint8_t ecn, unsigned count, unsigned *marked, unsigned *dropped)
{
    *marked = *dropped = 0;
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQUAL(rig_put(&rig, now, 1000, ecn), LTCP_DROP_NONE);
        const struct got got = rig_get(&rig, now);
        *dropped += got.dropped;
        *marked += got.id != 0 && got.ecn == LTCP_ECN_CE;
    }
}

/* Section 2.1: the C queue's probability is the square of what the L queue's is k times.
 * RFC9332:2.5.1-3, 2.5.1-7, 2.5.1-8 */
static void coupling(void)
{
    static const double wanted[] = {0.05, 0.2, 0.4};
    for (unsigned i = 0; i < 3; i++) {
        const ltcp_time now = begin_with(wanted[i]);
        const double base = OF_32(rig_state(&rig, now).base);
        unsigned marked, dropped;
        pass(now, LTCP_ECN_ECT1, 10000, &marked, &dropped);
        CHECK_NEAR(marked, 10000 * 2 * base, 1); /* recur(): evenly, not by lot */
        CHECK_EQUAL(dropped, 0);
        const double marked_l4s = marked;
        pass(now, LTCP_ECN_ECT0, 10000, &marked, &dropped);
        CHECK_NEAR(marked, 10000 * base * base, 1);
        CHECK_NEAR(marked, 10000 * pow(marked_l4s / 10000 / 2, 2), 2); /* p_C = (p_CL / k)^2 */
        CHECK_EQUAL(dropped, 0);
        pass(now, LTCP_ECN_NOT_ECT, 10000, &marked, &dropped);
        CHECK_NEAR(dropped, 10000 * base * base, 1);
        CHECK_EQUAL(rig.counters.marked_of[1], (uint64_t)marked_l4s);
        rig_close(&rig);
    }
}

/* A.2: from p_CL = 1 on (p_C = 25 %), both queues drop with p_C, whatever the codepoint; what is
 * left of the L queue is all marked. RFC9332:2.5.1.1-4 */
static void overload(void)
{
    const ltcp_time now = begin_with(0.6);
    const struct ltcp_queue_state state = rig_state(&rig, now);
    const double base = OF_32(state.base);
    CHECK(base > 0.55);
    CHECK_EQUAL(state.coupled, LTCP_CERTAIN);
    unsigned marked, dropped;
    pass(now, LTCP_ECN_ECT1, 10000, &marked, &dropped);
    CHECK_NEAR(dropped, 10000 * base * base, 1);
    CHECK_EQUAL(marked, 10000 - dropped);
    pass(now, LTCP_ECN_ECT0, 10000, &marked, &dropped);
    CHECK_NEAR(dropped, 10000 * base * base, 1);
    CHECK_EQUAL(marked, 0);
    rig_close(&rig);
}

/* Overload is told of: how often, since when and how long. RFC9332:2.5.2.3-1 */
static void tells_of_overload(void)
{
    begin_with(0.4);
    CHECK_EQUAL(rig_state(&rig, LTCP_SECOND).overloads, 0);
    CHECK(rig_state(&rig, LTCP_SECOND).overload_since == LTCP_NEVER);
    rig_close(&rig);

    begin_with(0.6);
    struct ltcp_queue_state state = rig_state(&rig, LTCP_SECOND);
    CHECK_EQUAL(state.overloads, 1);
    CHECK_EQUAL(state.overload_since, LTCP_SECOND);
    CHECK_EQUAL(rig_state(&rig, LTCP_SECOND + 700 * MS).overload_time, 700 * MS);
    /* Nothing waits at the next update, a second later: p' falls by 0.015 of the gain, and again.
     */
    ltcp_time now = 2 * LTCP_SECOND;
    while (rig_state(&rig, now).coupled == LTCP_CERTAIN)
        now += LTCP_SECOND;
    state = rig_state(&rig, now + 10 * LTCP_SECOND);
    CHECK(state.overload_since == LTCP_NEVER);
    CHECK_EQUAL(state.overloads, 1);
    CHECK_EQUAL(state.overload_time, now - LTCP_SECOND);
    rig_close(&rig);
}

/* Another k, another weight. RFC9332:2.5.1-10, 2.5.2.1-2 */
static void other_figures(void)
{
    rig_open(&rig, LTCP_QUEUE_DUALPI2);
    rig.path.queue.interval = LTCP_SECOND;
    rig.path.queue.alpha = 65536 / 10;
    rig.path.queue.beta = 1;
    rig.path.queue.coupling = 3;
    rig_start(&rig);
    rig_put(&rig, 0, 100, LTCP_ECN_NOT_ECT);
    const struct ltcp_queue_state state = rig_state(&rig, LTCP_SECOND);
    CHECK(state.base > 0);
    CHECK_NEAR(OF_32(state.coupled), 3 * OF_32(state.base), 1e-8);
    rig_close(&rig);

    rig_open(&rig, LTCP_QUEUE_DUALPI2);
    rig.path.queue.classic_weight = 4;
    rig_start(&rig);
    rig.path.queue_bytes = 1u << 30;
    for (unsigned i = 0; i < 2000; i++) {
        rig_put(&rig, 0, 1000, LTCP_ECN_ECT1);
        rig_put(&rig, 0, 1000, LTCP_ECN_ECT0);
    }
    unsigned packets[2] = {0, 0};
    for (unsigned i = 0; i < 1000; i++)
        packets[rig_get(&rig, 0).ecn % 2]++;
    CHECK_NEAR(packets[1], 3 * packets[0], 4);
    rig_close(&rig);
}

/* Figure 5: 0 up to minTh = 800 us, then linearly to 1 at 1,200 us; and nothing for a queue of one.
 * RFC9332:A.1-3, RFC9332:A.2-1 */
static void ramp(void)
{
    static const ltcp_time waits[] = {0, 799999, 800000, 900000, 1000000, 1100000, 1200000, 5 * MS};
    static const double wanted[] = {0, 0, 0, 0.25, 0.5, 0.75, 1, 1};
    for (unsigned i = 0; i < 8; i++) {
        begin();
        unsigned marked = 0;
        rig_put(&rig, 0, 100, LTCP_ECN_ECT1);
        for (unsigned n = 0; n < 1000; n++) {
            rig_put(&rig, 0, 100, LTCP_ECN_ECT1);
            marked += rig_get(&rig, waits[i]).ecn == LTCP_ECN_CE;
        }
        CHECK_NEAR(marked, 1000 * wanted[i], 1);
        CHECK_EQUAL(rig.counters.early, 0);
        rig_close(&rig);
    }
    begin();
    for (unsigned n = 0; n < 10; n++) {
        rig_put(&rig, 0, 100, LTCP_ECN_ECT1);
        CHECK_EQUAL(rig_get(&rig, 5 * MS).ecn, LTCP_ECN_ECT1);
    }
    /* Range 0: a step. */
    rig.aqm.config.ramp_length = 0;
    for (unsigned n = 0; n < 4; n++)
        rig_put(&rig, 0, 100, LTCP_ECN_ECT1);
    CHECK_EQUAL(rig_get(&rig, 799999).ecn, LTCP_ECN_ECT1);
    rig_get(&rig, 800000); /* recur() begins with a count of nothing */
    CHECK_EQUAL(rig_get(&rig, 800000).ecn, LTCP_ECN_CE);
    rig_close(&rig);
}

/* Line 2a: without Classic traffic the L queue drives the controller. RFC9332:A.1-1 */
static void l4s_alone(void)
{
    begin();
    for (unsigned i = 0; i < 100; i++)
        rig_put(&rig, 0, 1500, LTCP_ECN_ECT1);
    CHECK(rig_state(&rig, 100 * MS).base > 0);
    CHECK_EQUAL(rig_state(&rig, 90 * MS).delay, 90 * MS);
    rig_close(&rig);
}

/* Figure 3: 250 ms of the link, where one packet more of any size may go in. RFC9332:A.1-4 */
static void limit(void)
{
    begin();
    unsigned taken = 0;
    while (taken < 100000 && rig_put(&rig, 0, 1000, taken % 2 ? 1 : 2) == LTCP_DROP_NONE)
        taken++;
    CHECK_EQUAL(taken, 312); /* 10 Mbit/s: 312,500 octets; over at 311,000 + 1,500 */
    CHECK_EQUAL(rig.counters.overflow, 1);
    CHECK_EQUAL(rig_put(&rig, 0, 40, LTCP_ECN_NOT_ECT), LTCP_DROP_QUEUE);
    rig_close(&rig);
}

static void digest(void)
{
    begin();
    const uint64_t fresh = rig_digest(&rig, 0);
    rig_put(&rig, 0, 1000, LTCP_ECN_ECT0);
    rig_put(&rig, 0, 1000, LTCP_ECN_ECT1);
    const uint64_t two = rig_digest(&rig, 0);
    CHECK(two != fresh);
    rig_get(&rig, 100 * MS);
    rig_get(&rig, 100 * MS);
    CHECK(rig_digest(&rig, 100 * MS) != fresh); /* p' is left over */
    rig_close(&rig);
    begin();
    CHECK(rig_digest(&rig, 77) == fresh);
    rig_close(&rig);
}

int main(void)
{
    classifier();
    scheduler();
    controller();
    coupling();
    overload();
    tells_of_overload();
    other_figures();
    ramp();
    l4s_alone();
    limit();
    digest();
    return check_finish();
}
