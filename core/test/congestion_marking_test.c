/* core/test/congestion_marking_test.c - DCTCP (RFC 8257) and Prague: alpha, and what it does to the
 * window, with made-up marks and over a queue that marks at a threshold. */
#include "bottleneck.h"

static struct bottleneck p;
static uint32_t una;

static int64_t alpha(void)
{
    return bottleneck_value(&p, "alpha").value;
}

static double alpha_part(void)
{
    return (double)alpha() / (1 << 20);
}

static void start(const struct ltcp_congestion_ops *ops, uint32_t segments, ltcp_time rtt)
{
    bottleneck_open(&p, ops, 12500000, rtt, 1000000);
    p.cc.switches = LTCP_CC_RTT_INDEPENDENCE;
    p.cc.cwnd = p.cc.ssthresh = segments * MSS;
    p.srtt = rtt;
    una = 1;
}

static void acknowledge(uint32_t octets, uint32_t marked)
{
    una += octets;
    const struct ltcp_ack_sample ack = {.now = p.now,
                                        .rtt = p.srtt,
                                        .srtt = p.srtt,
                                        .una = ltcp_seq_of(una),
                                        .nxt = ltcp_seq_of(una + p.cc.cwnd),
                                        .bytes_acked = octets,
                                        .advanced = octets,
                                        .ce_bytes = marked,
                                        .cwnd_limited = true};
    p.cc.ops->on_ack(&p.cc, &ack);
}

/* A window, of which the first `marked` segments were marked. */
static void round_trip(uint32_t marked)
{
    const uint32_t segments = p.cc.cwnd / MSS;
    const ltcp_time began = p.now;
    for (uint32_t i = 0; i < segments; i++) {
        p.now = began + p.srtt * (i + 1) / segments;
        acknowledge(MSS, i < marked ? MSS : 0);
    }
}

/* RFC8257:3.3-1 Alpha = Alpha * (1 - g) + g * M, from 1, once a window. RFC8257:4.2-1 */
static void estimates(void)
{
    start(&ltcp_dctcp, 100, 10 * MS);
    CHECK_EQUAL(alpha(), 1 << 20);
    acknowledge(MSS, 0);
    double want = 1;
    for (int i = 0; i < 40; i++) {
        p.cc.cwnd = 100 * MSS;
        round_trip(i < 20 ? 0 : 50);
        want = want * 15 / 16 + (i < 20 ? 0 : 0.5 / 16);
        if (i == 19) CHECK(fabs(alpha_part() - want) < 0.03);
    }
    CHECK(fabs(alpha_part() - want) < 0.06);
    for (int i = 0; i < 400; i++)
        round_trip(0);
    CHECK_EQUAL(alpha(), 0); /* RFC8257:4.1 it does not stick above */
}

/* RFC8257:3.3-9 cwnd = cwnd * (1 - Alpha / 2), once a window of data. */
static void reduces(void)
{
    start(&ltcp_dctcp, 100, 10 * MS);
    acknowledge(MSS, MSS);
    CHECK_EQUAL(p.cc.cwnd, 50 * MSS); /* alpha is 1 */
    CHECK_EQUAL(p.cc.ssthresh, 50 * MSS);
    for (int i = 0; i < 60; i++)
        acknowledge(MSS, MSS);
    CHECK_EQUAL(p.cc.cwnd, 50 * MSS);
    start(&ltcp_dctcp, 100, 10 * MS);
    for (int i = 0; i < 30; i++)
        round_trip(0);
    p.cc.cwnd = 100 * MSS;
    const double part = alpha_part();
    acknowledge(MSS, MSS);
    CHECK(fabs(p.cc.cwnd / (double)(100 * MSS) - (1 - part / 2)) < 0.02);
    CHECK(part < 0.2);
    p.cc.ops->on_loss(&p.cc, p.now, 80 * MSS); /* RFC8257:3.5-1 loss as ever */
    CHECK_EQUAL(p.cc.cwnd, 40 * MSS);
    p.cc.ops->on_timeout(&p.cc, p.now, 80 * MSS, true);
    CHECK_EQUAL(p.cc.cwnd, MSS);
    CHECK_EQUAL(p.cc.ssthresh, 40 * MSS);
}

/* RFC8257:3.4-1 grows as RFC 5681 says. */
static void grows(void)
{
    start(&ltcp_dctcp, 100, 10 * MS);
    for (int i = 0; i < 10; i++)
        round_trip(0);
    CHECK(p.cc.cwnd >= 109 * MSS && p.cc.cwnd <= 110 * MSS);
}

/* Over a queue that marks at a threshold: it stays there, nothing is lost and the link is full. */
static void holds_the_queue(const struct ltcp_congestion_ops *ops, const char *name)
{
    bottleneck_open(&p, ops, 12500000, 10 * MS, 500000);
    p.mark_queue = 20 * MSS;
    bottleneck_run(&p, LTCP_SECOND);
    const uint64_t before = p.delivered;
    ltcp_time longest = 0;
    for (int i = 0; i < 5000; i++) {
        bottleneck_run(&p, MS);
        if (p.link_free - p.now > longest) longest = p.link_free - p.now;
    }
    CHECK_EQUAL(p.drops, 0);
    CHECK(longest < 6 * MS); /* of 40 that fit */
    CHECK(p.delivered - before > 5 * 12500000u * 95 / 100);
    CHECK(alpha_part() > 0.005 && alpha_part() < 0.5);
    if (check_failed > 0) printf("    (%s)\n", name);
}

/* Prague: alpha begins with the first mark; growth goes on for what is not marked. */
static void prague_begins(void)
{
    start(&ltcp_prague, 100, 40 * MS);
    for (int i = 0; i < 5; i++)
        round_trip(0);
    CHECK_EQUAL(alpha(), 0);
    CHECK(p.cc.cwnd >= 104 * MSS && p.cc.cwnd <= 105 * MSS);
    CHECK(p.cc.pacing_rate >= (uint64_t)p.cc.cwnd * 25 - 25 &&
          p.cc.pacing_rate <= (uint64_t)p.cc.cwnd * 25);
    const uint32_t before = p.cc.cwnd;
    acknowledge(MSS, MSS);
    CHECK(p.cc.cwnd <= before / 2 + 1);
    p.cc.ops->on_loss(&p.cc, p.now, 80 * MSS);
    CHECK_EQUAL(p.cc.cwnd, 40 * MSS);
    p.cc.ssthresh = 2 * p.cc.cwnd; /* twice the window a round trip in slow start */
    acknowledge(MSS, 0);
    CHECK(p.cc.pacing_rate >= (uint64_t)p.cc.cwnd * 50 - 50);
}

/* After 500 round trips of 5 ms: (5 / 25)^2 of a segment in each, unless that is switched off. */
static void prague_depends_less_on_the_rtt(void)
{
    for (int on = 0; on < 2; on++) {
        start(&ltcp_prague, 100, 5 * MS);
        p.cc.switches = on ? LTCP_CC_RTT_INDEPENDENCE : 0;
        for (int i = 0; i < 510; i++) {
            p.cc.cwnd = 100 * MSS;
            round_trip(0);
        }
        p.cc.cwnd = 100 * MSS;
        for (int i = 0; i < 25; i++)
            round_trip(0);
        const double grown = (p.cc.cwnd - 100 * MSS) / (double)MSS;
        CHECK(on ? fabs(grown - 1) < 0.1 : fabs(grown - 25) < 1);
    }
}

/* Two flows with marks at the same rate of octets a second, one with a fifth of the RTT: alpha is
 * brought up to date every 25 ms. */
static void prague_observes_for_a_virtual_rtt(void)
{
    start(&ltcp_prague, 100, 5 * MS);
    for (int i = 0; i < 510; i++)
        round_trip(0);
    p.cc.cwnd = 100 * MSS;
    acknowledge(MSS, MSS);
    int64_t last = alpha();
    ltcp_time changed = p.now;
    unsigned changes = 0;
    for (int i = 0; i < 40; i++) {
        round_trip(1);
        if (alpha() == last) continue;
        if (changes++ > 0) CHECK(p.now - changed >= 25 * MS);
        changed = p.now;
        last = alpha();
    }
    CHECK(changes > 4 && changes < 9);
}

int main(void)
{
    estimates();
    reduces();
    grows();
    holds_the_queue(&ltcp_dctcp, "dctcp");
    holds_the_queue(&ltcp_prague, "prague");
    prague_begins();
    prague_depends_less_on_the_rtt();
    prague_observes_for_a_virtual_rtt();
    return check_finish();
}
