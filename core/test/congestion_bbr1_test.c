/* core/test/congestion_bbr1_test.c - BBR version 1 over a bottleneck of 100 Mbit/s and 20 ms. The
 * sections are those of draft-cardwell-iccrg-bbr-congestion-control-00. */
#include "bottleneck.h"

#define RATE 12500000u
#define BDP  (RATE / 50)

static struct bottleneck p;

static bool in_state(const char *name)
{
    return strcmp(bottleneck_value(&p, "state").text, name) == 0;
}

static double gain(void)
{
    return (double)bottleneck_value(&p, "pacing_gain").value / (1 << 20);
}

static bool wait_for(const char *name, ltcp_time longest)
{
    for (const ltcp_time end = p.now + longest; p.now < end;) {
        if (in_state(name)) return true;
        bottleneck_run(&p, MS);
    }
    return false;
}

/* Sections 4.3.2 and 4.3.3: doubles, sees three rounds without growth, drains its queue. */
static void starts_up(void)
{
    bottleneck_open(&p, &ltcp_bbr1, RATE, 20 * MS, 4 * BDP);
    CHECK(in_state("startup"));
    CHECK(fabs(gain() - 2.885) < 0.01);
    const uint32_t window = p.cc.cwnd;
    bottleneck_run(&p, 50 * MS);
    CHECK(p.cc.cwnd >= 3 * window);
    while (bottleneck_value(&p, "bw").value < RATE * 98 / 100)
        bottleneck_run(&p, MS / 4);
    const int64_t rounds = bottleneck_value(&p, "rounds").value;
    CHECK(wait_for("drain", LTCP_SECOND));
    const int64_t plateau = bottleneck_value(&p, "rounds").value - rounds;
    CHECK(plateau >= 3 && plateau <= 4);
    CHECK(fabs(gain() - 1 / 2.885) < 0.01);
    CHECK(fabs((double)bottleneck_value(&p, "bw").value / RATE - 1) < 0.02);
    CHECK(wait_for("probe_bw", LTCP_SECOND));
    CHECK(p.in_flight < BDP * 5 / 4);
    CHECK_EQUAL(p.drops, 0);
}

/* Section 4.3.4: 5/4, 3/4 and six times 1, each for about RTprop. */
static void cycles(void)
{
    unsigned seen[3] = {0, 0, 0};
    double before = gain();
    for (int i = 0; i < 2000; i++) {
        bottleneck_run(&p, MS);
        const double g = gain();
        seen[g > 1 ? 0 : g < 1 ? 1 : 2]++;
        if (before > 1 && g != before) CHECK(g == 0.75);
        CHECK(p.in_flight < 2 * BDP);
        before = g;
    }
    CHECK(seen[0] > 150 && seen[0] < 450 && seen[1] > 50 && seen[2] > 1200);
}

/* Section 4.3.5: ten seconds after the last lower RTT, for 200 ms and one round trip. */
static void looks_for_the_rtt(void)
{
    CHECK(wait_for("probe_rtt", 11 * LTCP_SECOND));
    const ltcp_time began = p.now;
    CHECK(p.now > 10 * LTCP_SECOND);
    CHECK_EQUAL(p.cc.cwnd, 4 * MSS);
    while (in_state("probe_rtt"))
        bottleneck_run(&p, MS);
    CHECK(p.now - began > 200 * MS && p.now - began < 260 * MS);
    CHECK(p.cc.cwnd > BDP);
    CHECK(in_state("probe_bw"));
    CHECK(bottleneck_value(&p, "min_rtt").value < 20 * MS + 1 * MS);
    /* the samples of those 200 ms were held to be application-limited */
    CHECK(fabs((double)bottleneck_value(&p, "bw").value / RATE - 1) < 0.02);
}

/* Random loss, one segment in a hundred, is not taken for congestion. */
static void bears_loss(void)
{
    bottleneck_open(&p, &ltcp_bbr1, RATE, 20 * MS, BDP);
    p.loss = (1 << 24) / 100;
    bottleneck_run(&p, 10 * LTCP_SECOND);
    CHECK(p.delivered > 10 * (uint64_t)RATE * 95 / 100);
    CHECK(p.lost > p.delivered / 200);
}

/* Section 4.2.3.4: in the first round trip of recovery only what was delivered is sent. */
static void conserves_packets(void)
{
    bottleneck_open(&p, &ltcp_bbr1, RATE, 20 * MS, 4 * BDP);
    CHECK(wait_for("probe_bw", LTCP_SECOND));
    bottleneck_run(&p, LTCP_SECOND);
    const uint32_t before = p.cc.cwnd;
    flight_at(&p, p.sent - 1)->arrives = LTCP_NEVER;
    while (!p.in_recovery)
        bottleneck_run(&p, MS / 4);
    CHECK(p.cc.cwnd <= p.in_flight + 4 * MSS && p.cc.cwnd < before);
    for (int i = 0; i < 10; i++) {
        bottleneck_run(&p, MS);
        CHECK(p.cc.cwnd <= p.in_flight + 2 * MSS);
    }
    while (p.in_recovery)
        bottleneck_run(&p, MS / 4);
    CHECK(p.cc.cwnd >= before - 10 * MSS);
    p.cc.ops->on_loss(&p.cc, p.now, before);
    p.cc.ops->on_timeout(&p.cc, p.now, before, true);
    CHECK_EQUAL(p.cc.cwnd, MSS);
    p.cc.ops->on_undo(&p.cc, p.now, before, p.cc.ssthresh);
    CHECK(p.cc.cwnd >= before - 10 * MSS);
}

/* Section 4.3.4.4: paces at exactly the estimate after idleness, and need not look for the RTT. */
static void restarts(void)
{
    bottleneck_open(&p, &ltcp_bbr1, RATE, 20 * MS, 4 * BDP);
    CHECK(wait_for("probe_bw", LTCP_SECOND));
    p.application = 1;
    bottleneck_run(&p, 11 * LTCP_SECOND);
    CHECK_EQUAL(p.in_flight, 0);
    const uint32_t cwnd = p.cc.cwnd;
    p.cc.ops->on_idle(&p.cc, p.now);
    CHECK_EQUAL(p.cc.cwnd, cwnd);
    p.application = 0;
    bottleneck_run(&p, MS);
    CHECK_EQUAL(p.cc.pacing_rate, bottleneck_value(&p, "bw").value);
    bottleneck_run(&p, 100 * MS);
    CHECK(in_state("probe_bw"));
}

/* A sender with little to say does not make BBR believe in a slow path (section 4.1.1). */
static void discards_limited_samples(void)
{
    bottleneck_open(&p, &ltcp_bbr1, RATE, 20 * MS, 4 * BDP);
    CHECK(wait_for("probe_bw", LTCP_SECOND));
    p.application = 10 * MSS;
    bottleneck_run(&p, 3 * LTCP_SECOND);
    CHECK(bottleneck_value(&p, "bw").value > RATE * 98 / 100);
    /* and follows a path that has become slower, once ten rounds have passed */
    p.application = 0;
    p.rate = RATE / 4;
    bottleneck_run(&p, 3 * LTCP_SECOND);
    CHECK(bottleneck_value(&p, "bw").value < RATE / 4 * 102 / 100);
}

int main(void)
{
    starts_up();
    cycles();
    looks_for_the_rtt();
    bears_loss();
    conserves_packets();
    restarts();
    discards_limited_samples();
    return check_finish();
}
