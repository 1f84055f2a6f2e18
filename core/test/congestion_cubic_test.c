/* core/test/congestion_cubic_test.c - CUBIC against RFC 9438's formulas and HyStart++ against RFC
 * 9406's rules, without a network: acknowledgments are made up, one for each segment. */
#include <math.h>

#include "check.h"
#include "lunatcp/congestion.h"

#define MSS 1000
#define MS  LTCP_MILLISECOND

static struct ltcp_congestion cc;
static uint64_t state[64];
static ltcp_time now, rtt;
static uint32_t una;
static uint64_t delivered, lost;

static void start(uint32_t segments, uint32_t ssthresh, ltcp_time round_trip)
{
    memset(state, 0, sizeof state);
    cc = (struct ltcp_congestion){.ops = &ltcp_cubic,
                                  .state = state,
                                  .cwnd = segments * MSS,
                                  .ssthresh = ssthresh * MSS,
                                  .mss = MSS,
                                  .initial_window = segments * MSS};
    cc.switches = LTCP_CC_HYSTART | LTCP_CC_FAST_CONVERGENCE;
    CHECK(ltcp_cubic.state_size <= sizeof state);
    now = LTCP_SECOND;
    rtt = round_trip;
    una = 1;
    cc.ops->init(&cc, now);
}

static struct ltcp_congestion_value value(const char *name)
{
    struct ltcp_congestion_value v = {0};
    for (size_t i = 0; cc.ops->info(&cc, i, &v); i++)
        if (strcmp(v.name, name) == 0) return v;
    CHECK(false);
    return v;
}

static void acknowledge(uint32_t octets, bool cwnd_limited)
{
    una += octets;
    delivered += octets;
    const struct ltcp_ack_sample ack = {.now = now,
                                        .rtt = rtt,
                                        .srtt = rtt,
                                        .min_rtt = rtt,
                                        .una = ltcp_seq_of(una),
                                        .nxt = ltcp_seq_of(una + cc.cwnd),
                                        .delivered = delivered,
                                        .lost = lost,
                                        .bytes_acked = octets,
                                        .advanced = octets,
                                        .cwnd_limited = cwnd_limited};
    cc.ops->on_ack(&cc, &ack);
}

/* A window of acknowledgments, evenly over a round trip. */
static void round_trip(void)
{
    const uint32_t segments = cc.cwnd / MSS;
    const ltcp_time end = now + rtt;
    for (uint32_t i = 0; i < segments; i++) {
        now += rtt / segments;
        acknowledge(MSS, true);
    }
    now = end;
}

/* Segments, by equation (1). */
static double w_cubic(double t, double k, double w_max)
{
    return 0.4 * pow(t - k, 3) + w_max;
}

/* RFC9438:4.2 from the reduction through W_max and beyond it. RFC9438:4.2-2 RFC9438:4.2-3
 * RFC9438:4.4-1 RFC9438:4.5-1 RFC9438:4.6-2 RFC9438:4.6-3 */
static void follows_the_curve(void)
{
    start(1000, 10, 100 * MS);
    cc.ops->on_loss(&cc, now, 1000 * MSS);
    cc.ops->on_recovered(&cc, now);
    CHECK_EQUAL(cc.cwnd, 700 * MSS); /* RFC9438:4.6 beta_cubic = 0.7 */
    CHECK_EQUAL(cc.ssthresh, 700 * MSS);
    const double k = cbrt(300 / 0.4); /* 9.09 s */
    const ltcp_time epoch = now + rtt / 700;
    bool concave = false, convex = false;
    while (now - epoch < 16 * LTCP_SECOND) {
        round_trip();
        const double t = (double)(now - epoch) / 1e9, want = w_cubic(t, k, 1000);
        CHECK(fabs(cc.cwnd / (double)MSS - want) < 0.01 * want);
        const char *region = value("region").text;
        concave = concave || strcmp(region, "concave") == 0;
        convex = convex || strcmp(region, "convex") == 0;
        CHECK_TEXT(region, cc.cwnd < 1000 * MSS ? "concave" : "convex");
    }
    CHECK(concave && convex);
    CHECK(fabs((double)value("k").value / 1e9 - k) < 0.001);
    CHECK_EQUAL(value("w_max").value, 1000 * MSS);
}

/* The cube root, from the smallest distance to W_max to the greatest. RFC9438:4.2-2
 * RFC9438:5.1-1 */
static void finds_k(void)
{
    for (uint32_t before = 10; before < 2000000; before = before * 3 / 2 + 1) {
        start(before, 2, 100 * MS);
        cc.ops->on_loss(&cc, now, cc.cwnd);
        const double distance = (before * (double)MSS - cc.cwnd) / MSS;
        acknowledge(1, true);
        const double k = (double)value("k").value / 1e9;
        CHECK(fabs(k - cbrt(distance / 0.4)) < 0.002);
    }
}

/* RFC9438:4.2-3 when the curve has run away, half of a segment for each one: 1.5 cwnd in a round
 * trip. */
static void is_not_carried_away(void)
{
    start(1000, 10, 100 * MS);
    cc.ops->on_loss(&cc, now, 1000 * MSS);
    acknowledge(MSS, true);
    now += 60 * LTCP_SECOND; /* the curve is beyond 50,000 segments */
    const uint32_t before = cc.cwnd;
    acknowledge(MSS, true);
    CHECK_EQUAL(cc.cwnd, before + MSS / 2);
}

/* RFC9438:4.3 with a short RTT: alpha = 3 * (1 - 0.7) / (1 + 0.7) segments a round trip, and one
 * once W_est has come to cwnd_prior. RFC9438:4.3-1 RFC9438:4.3-2 RFC9438:4.3-3 */
static void is_friendly_to_reno(void)
{
    start(20, 2, 2 * MS);
    cc.ops->on_loss(&cc, now, 20 * MSS);
    CHECK_EQUAL(cc.cwnd, 14 * MSS);
    for (int i = 0; i < 8; i++)
        round_trip();
    CHECK_TEXT(value("region").text, "reno_friendly");
    CHECK(fabs(cc.cwnd / (double)MSS - (14 + 8 * 9 / 17.0)) < 0.2);
    while (cc.cwnd < 21 * MSS)
        round_trip();
    const uint32_t before = cc.cwnd;
    for (int i = 0; i < 4; i++)
        round_trip();
    CHECK(fabs((cc.cwnd - before) / (double)MSS - 4) < 0.3);
}

/* RFC9438:4.7 RFC9438:4.7-1 RFC9438:4.7-2 */
static void converges_fast(void)
{
    start(100, 2, 100 * MS);
    cc.ops->on_loss(&cc, now, 100 * MSS);
    cc.ops->on_loss(&cc, now, 70 * MSS);
    CHECK_EQUAL(value("w_max").value, 70 * MSS * 85 / 100);
    start(100, 2, 100 * MS);
    cc.switches = 0;
    cc.ops->on_loss(&cc, now, 100 * MSS);
    cc.ops->on_loss(&cc, now, 70 * MSS);
    CHECK_EQUAL(value("w_max").value, 70 * MSS);
}

/* RFC9438:4.8 ssthresh by beta_cubic, then the curve from its own plateau. RFC9438:4.8-1
 * RFC9438:4.8-2 */
static void starts_over_after_a_timeout(void)
{
    start(100, 2, 100 * MS);
    cc.ops->on_timeout(&cc, now, 100 * MSS, true);
    CHECK_EQUAL(cc.cwnd, MSS);
    CHECK_EQUAL(cc.ssthresh, 70 * MSS);
    cc.ops->on_timeout(&cc, now, 100 * MSS, false);
    CHECK_EQUAL(cc.ssthresh, 70 * MSS);
    while (cc.cwnd < cc.ssthresh)
        round_trip();
    round_trip();
    CHECK_EQUAL(value("k").value, 0);
    CHECK(value("w_max").value >= 70 * MSS && value("w_max").value < 75 * MSS);
}

/* RFC9438:4.6-1 "reduction on ECE, cwnd is at least 1 MSS"; RFC8511:3.1 beta_ecn = 0.85.
 * RFC8511:3.1-1 RFC9438:4.6-6 */
static void answers_marks(void)
{
    start(100, 2, 100 * MS);
    cc.ops->on_ecn(&cc, now, 100 * MSS);
    CHECK_EQUAL(cc.cwnd, 70 * MSS);
    start(100, 2, 100 * MS);
    cc.switches |= LTCP_CC_ABE;
    cc.ops->on_ecn(&cc, now, 100 * MSS);
    CHECK_EQUAL(cc.cwnd, 85 * MSS);
    cc.ops->on_loss(&cc, now, 85 * MSS);
    CHECK_EQUAL(cc.cwnd, 85 * MSS * 7 / 10);
    cc.cwnd = 2 * MSS;
    cc.ops->on_ecn(&cc, now, MSS);
    CHECK_EQUAL(cc.cwnd, MSS);
    CHECK_EQUAL(cc.ssthresh, 2 * MSS);
    cc.ops->on_loss(&cc, now, MSS);
    CHECK_EQUAL(cc.cwnd, 2 * MSS);
    CHECK_EQUAL(cc.ssthresh, 2 * MSS);
    start(100, 2, 100 * MS);
    cc.ops->on_loss(&cc, now, 60 * MSS); /* of the flight, not of the window */
    CHECK_EQUAL(cc.ssthresh, 42 * MSS);
}

/* RFC9438:4.9 what a spurious event changed comes back, unless the window has outgrown it.
 * RFC9438:4.9-1 RFC9438:4.9-2 */
static void takes_back(void)
{
    start(100, 2, 100 * MS);
    cc.ops->on_loss(&cc, now, 100 * MSS);
    for (int i = 0; i < 10; i++)
        round_trip();
    const int64_t k = value("k").value, w_max = value("w_max").value;
    const uint32_t cwnd = cc.cwnd, ssthresh = cc.ssthresh;
    cc.ops->on_loss(&cc, now, cwnd);
    CHECK(cc.cwnd < cwnd && value("w_max").value != w_max);
    cc.ops->on_undo(&cc, now, cwnd, ssthresh);
    CHECK(cc.cwnd == cwnd && cc.ssthresh == ssthresh);
    CHECK(value("k").value == k && value("w_max").value == w_max);

    cc.ops->on_loss(&cc, now, cwnd);
    for (int i = 0; i < 100; i++)
        round_trip();
    const uint32_t outgrown = cc.cwnd;
    const int64_t newer = value("w_max").value;
    CHECK(outgrown > cwnd);
    cc.ops->on_undo(&cc, now, cwnd, ssthresh);
    CHECK_EQUAL(cc.cwnd, outgrown);
    CHECK_EQUAL(value("w_max").value, newer);
}

/* RFC9438:4.2-1 time in which the application held back does not count. RFC9438:4.6-4
 * RFC9438:5.8-1 */
static void waits_for_the_application(void)
{
    start(100, 2, 100 * MS);
    cc.ops->on_loss(&cc, now, 100 * MSS);
    for (int i = 0; i < 5; i++)
        round_trip();
    const uint32_t before = cc.cwnd;
    acknowledge(MSS, false);
    now += 60 * LTCP_SECOND;
    acknowledge(MSS, false);
    CHECK_EQUAL(cc.cwnd, before);
    for (int i = 0; i < 5; i++)
        round_trip();
    CHECK(cc.cwnd / MSS < w_cubic(1.3, cbrt(30 / 0.4), 100));
}

/* RFC9406:4.2 the RTT grows by an eighth within a round: CSS, which grows by a quarter, and after
 * five rounds congestion avoidance. RFC9438:4.10-1 RFC9438:4.10-2 RFC9438:4.10-3 RFC9406:4.2-1
 * RFC9406:4.3-4 RFC9406:4.2-3 RFC9406:4.2-5 RFC9406:4.2-7 */
static void leaves_slow_start_on_delay(void)
{
    start(10, 1000000, 80 * MS);
    round_trip();
    CHECK_EQUAL(cc.cwnd, 20 * MSS);
    round_trip();
    CHECK_EQUAL(cc.cwnd, 40 * MSS);
    rtt = 89 * MS; /* below 80 + 80 / 8 */
    round_trip();
    CHECK_TEXT(value("region").text, "slow_start");
    CHECK_EQUAL(cc.cwnd, 80 * MSS);
    rtt = 100 * MS; /* not below 89 + 89 / 8 = 100.1, so the next is it */
    round_trip();
    CHECK_TEXT(value("region").text, "slow_start");
    rtt = 113 * MS;
    round_trip();
    CHECK_TEXT(value("region").text, "css");
    for (int i = 2; i <= 5; i++) {
        const uint32_t before = cc.cwnd;
        round_trip();
        CHECK_EQUAL(value("css_rounds").value, i);
        CHECK(cc.cwnd < before * 5 / 4 + MSS && cc.cwnd > before * 5 / 4 - MSS);
    }
    round_trip();
    CHECK(cc.cwnd >= cc.ssthresh && cc.ssthresh < 1000000 * MSS);
    round_trip(); /* RFC9438:4.10 K = 0, W_max = cwnd where congestion avoidance began */
    CHECK_EQUAL(value("k").value, 0);
    CHECK_EQUAL(value("w_max").value, value("cwnd_prior").value);
}

/* RFC9406:4.2 "if (currentRoundMinRTT < cssBaselineMinRtt) ... resume slow start". RFC9406:4.2-6 */
static void resumes_when_it_was_jitter(void)
{
    start(10, 1000000, 80 * MS);
    round_trip();
    rtt = 120 * MS;
    round_trip();
    CHECK_TEXT(value("region").text, "css");
    rtt = 80 * MS;
    round_trip();
    CHECK_TEXT(value("region").text, "slow_start");
    const uint32_t before = cc.cwnd;
    round_trip();
    CHECK(cc.cwnd >= 2 * before - MSS);
}

/* The thresholds of RFC 9406 section 4.3: at least 4 ms, at most 16 ms. RFC9406:4.2-4
 * RFC9406:4.3-1 */
static void bounds_the_threshold(void)
{
    start(10, 1000000, 2 * MS);
    round_trip();
    rtt = 5 * MS + MS / 2;
    round_trip();
    CHECK_TEXT(value("region").text, "slow_start");
    start(10, 1000000, 400 * MS);
    round_trip();
    rtt = 417 * MS;
    round_trip();
    CHECK_TEXT(value("region").text, "css");
    /* a lone sample is no evidence: N_RTT_SAMPLE = 8 */
    start(7, 1000000, 80 * MS);
    const uint32_t before = cc.cwnd;
    round_trip();
    CHECK_EQUAL(cc.cwnd, 2 * before);
    cc.cwnd = 7 * MSS;
    rtt = 300 * MS;
    round_trip();
    CHECK_TEXT(value("region").text, "slow_start");
}

/* Without the switch it is RFC 5681's: at most one SMSS an ACK. With it, eight (L).
 * RFC9406:4.2-2 RFC9406:4.2-8 RFC9406:4.3-2 RFC9406:4.3-3 */
static void has_a_switch(void)
{
    start(10, 1000000, 80 * MS);
    cc.switches = 0;
    acknowledge(10 * MSS, true);
    CHECK_EQUAL(cc.cwnd, 11 * MSS);
    for (int i = 0; i < 6; i++) {
        rtt += 40 * MS;
        round_trip();
    }
    CHECK_TEXT(value("region").text, "slow_start");
    start(10, 1000000, 80 * MS);
    acknowledge(10 * MSS, true);
    CHECK_EQUAL(cc.cwnd, 18 * MSS);
    start(10, 1000000, 80 * MS);
    cc.switches |= LTCP_CC_PACED;
    acknowledge(10 * MSS, true);
    CHECK_EQUAL(cc.cwnd, 20 * MSS);
}

/* A segment a round trip, for so long. */
static void trickle(ltcp_time time)
{
    for (const ltcp_time end = now + time; now < end;) {
        now += rtt;
        una += MSS;
        delivered += MSS;
        const struct ltcp_ack_sample ack = {.now = now,
                                            .rtt = rtt,
                                            .srtt = rtt,
                                            .una = ltcp_seq_of(una),
                                            .nxt = ltcp_seq_of(una + MSS),
                                            .delivered = delivered,
                                            .lost = lost,
                                            .bytes_acked = MSS,
                                            .advanced = MSS};
        cc.ops->on_ack(&cc, &ack);
    }
}

static void start_validated(void)
{
    start(100, 50, 100 * MS);
    cc.initial_window = 10 * MSS;
    cc.switches |= LTCP_CC_VALIDATION;
    for (int i = 0; i < 5; i++)
        round_trip();
    CHECK_EQUAL(value("validated").value, 1);
    CHECK(value("pipe_ack").value >= 98 * MSS && value("pipe_ack").value <= cc.cwnd);
}

/* RFC7661:4.3 kept, though little was used of it for a second; RFC7661:4.4.3 halved every five
 * minutes, not below the initial window, ssthresh at three quarters at least. RFC7661:4.2-2
 * RFC7661:4.2-3 RFC7661:4.3-1 RFC7661:4.3-3 RFC7661:4.4.3-1 */
static void validates_its_window(void)
{
    start_validated();
    const uint32_t kept = cc.cwnd;
    trickle(2 * LTCP_SECOND);
    CHECK_EQUAL(value("validated").value, 0);
    CHECK_EQUAL(value("pipe_ack").value, MSS);
    cc.ops->on_idle(&cc, now);
    CHECK_EQUAL(cc.cwnd, kept);
    trickle(297 * LTCP_SECOND);
    CHECK_EQUAL(cc.cwnd, kept);
    trickle(5 * LTCP_SECOND);
    CHECK_EQUAL(cc.cwnd, kept / 2);
    CHECK_EQUAL(cc.ssthresh, kept - kept / 4);
    trickle(2000 * LTCP_SECOND);
    CHECK_EQUAL(cc.cwnd, 10 * MSS);
    /* and idleness alone is no use of it either */
    start_validated();
    now += 10 * LTCP_SECOND;
    cc.ops->on_idle(&cc, now);
    CHECK_EQUAL(value("validated").value, 0);
    now += 301 * LTCP_SECOND;
    cc.ops->on_idle(&cc, now);
    CHECK_EQUAL(cc.cwnd, kept / 2);
}

/* RFC7661:4.4.1 max(pipeACK, LossFlightSize) / 2, and at the end what was lost less; then pipeACK
 * is undefined. In the validated phase a loss is CUBIC's as ever. RFC7661:4.2-1 RFC7661:4.4.1-1
 * RFC7661:4.4.1-2 RFC7661:4.4.1-3 RFC7661:4.4.1-4 */
static void gives_up_what_was_not_validated(void)
{
    start_validated();
    trickle(3 * LTCP_SECOND);
    cc.ops->on_loss(&cc, now, 60 * MSS);
    CHECK_EQUAL(cc.cwnd, 30 * MSS);
    lost += 20 * MSS;
    const struct ltcp_ack_sample ack = {.now = now, .lost = lost, .in_recovery = true};
    cc.ops->on_ack(&cc, &ack);
    cc.ops->on_recovered(&cc, now);
    CHECK_EQUAL(cc.cwnd, 20 * MSS);
    CHECK_EQUAL(cc.ssthresh, 20 * MSS);
    CHECK_EQUAL(value("validated").value, 1);
    CHECK_EQUAL(value("pipe_ack").value, 0);
    start_validated();
    cc.ops->on_loss(&cc, now, 100 * MSS);
    cc.ops->on_recovered(&cc, now);
    CHECK_EQUAL(cc.cwnd, 70 * MSS);
}

/* Numbers as large as they may be: nothing overflows, nothing is divided by zero. */
static void bears_extremes(void)
{
    start(2, 1, 1);
    cc.cwnd = UINT32_MAX / 2;
    for (int i = 0; i < 100; i++) {
        cc.ops->on_loss(&cc, now, i % 2 ? UINT32_MAX / 2 : 0);
        now += 400000 * LTCP_SECOND;
        acknowledge(UINT32_MAX / 2, true);
        now += 400000 * LTCP_SECOND;
        rtt = i % 3 ? 0 : 100000 * LTCP_SECOND;
        acknowledge(1, true);
        CHECK(cc.cwnd >= 2 * MSS && cc.cwnd <= UINT32_MAX / 2);
        CHECK(cc.ssthresh >= 2 * MSS);
    }
}

int main(void)
{
    follows_the_curve();
    is_not_carried_away();
    finds_k();
    is_friendly_to_reno();
    converges_fast();
    starts_over_after_a_timeout();
    answers_marks();
    takes_back();
    waits_for_the_application();
    leaves_slow_start_on_delay();
    resumes_when_it_was_jitter();
    bounds_the_threshold();
    has_a_switch();
    validates_its_window();
    gives_up_what_was_not_validated();
    bears_extremes();
    return check_finish();
}
