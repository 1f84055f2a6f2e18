/* core/test/congestion_newreno_test.c - NewReno with congestion window validation (RFC 7661),
 * without a network: acknowledgments are made up. */
#include "check.h"
#include "lunatcp/congestion.h"
#include "lunatcp/settings.h"

#define MSS 1000
#define MS  LTCP_MILLISECOND
#define RTT (100 * MS)

static struct ltcp_congestion cc;
static uint64_t state[32];
static ltcp_time now;
static uint32_t una;
static uint64_t delivered, lost;

static int64_t value(const char *name)
{
    struct ltcp_congestion_value v = {0};
    for (size_t i = 0; cc.ops->info(&cc, i, &v); i++)
        if (strcmp(v.name, name) == 0) return v.value;
    CHECK(false);
    return 0;
}

static void acknowledge(uint32_t octets, uint32_t flight, bool cwnd_limited)
{
    una += octets;
    delivered += octets;
    const struct ltcp_ack_sample ack = {.now = now,
                                        .rtt = RTT,
                                        .srtt = RTT,
                                        .una = ltcp_seq_of(una),
                                        .nxt = ltcp_seq_of(una + flight),
                                        .delivered = delivered,
                                        .lost = lost,
                                        .bytes_acked = octets,
                                        .advanced = octets,
                                        .cwnd_limited = cwnd_limited};
    cc.ops->on_ack(&cc, &ack);
}

/* Five round trips in congestion avoidance that use all of a window of a hundred segments. */
static void start_validated(void)
{
    memset(state, 0, sizeof state);
    cc = (struct ltcp_congestion){.ops = &ltcp_newreno_validated,
                                  .state = state,
                                  .cwnd = 100 * MSS,
                                  .ssthresh = 50 * MSS,
                                  .mss = MSS,
                                  .initial_window = 10 * MSS};
    CHECK(cc.ops->state_size <= sizeof state);
    now = LTCP_SECOND;
    una = 1;
    cc.ops->init(&cc, now);
    for (int i = 0; i < 5; i++) {
        for (uint32_t segments = cc.cwnd / MSS; segments > 0; segments--)
            acknowledge(MSS, cc.cwnd, true);
        now += RTT;
    }
    CHECK_EQUAL(cc.cwnd, 105 * MSS); /* RFC5681:3.1, one segment a round trip */
    CHECK_EQUAL(value("validated"), 1);
}

static void trickle(ltcp_time time)
{
    for (const ltcp_time end = now + time; now < end;) {
        now += RTT;
        acknowledge(MSS, MSS, false);
    }
}

/* RFC7661:4.3, 4.4.3: kept for five minutes, then halved, ssthresh at three quarters at least. */
static void keeps_and_then_halves(void)
{
    start_validated();
    trickle(2 * LTCP_SECOND);
    CHECK_EQUAL(value("validated"), 0);
    CHECK_EQUAL(value("pipe_ack"), MSS);
    cc.ops->on_idle(&cc, now);
    CHECK_EQUAL(cc.cwnd, 105 * MSS);
    trickle(296 * LTCP_SECOND);
    CHECK_EQUAL(cc.cwnd, 105 * MSS);
    trickle(6 * LTCP_SECOND);
    CHECK_EQUAL(cc.cwnd, 105 * MSS / 2);
    CHECK_EQUAL(cc.ssthresh, 105 * MSS - 105 * MSS / 4);
}

/* RFC7661:4.4.1: max(pipeACK, LossFlightSize) / 2, and at the end what was lost less. */
static void gives_up_at_a_loss(void)
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
    /* where it was used, a loss halves as ever */
    start_validated();
    cc.ops->on_loss(&cc, now, 104 * MSS);
    cc.ops->on_recovered(&cc, now);
    CHECK_EQUAL(cc.cwnd, 52 * MSS);
    cc.ops->on_timeout(&cc, now, 52 * MSS, true);
    CHECK_EQUAL(cc.cwnd, MSS);
    CHECK_EQUAL(value("pipe_ack"), 0);
}

static void is_chosen_by_the_setting(void)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    CHECK(ltcp_congestion_for(&settings) == &ltcp_newreno);
    settings.window_validation = true;
    CHECK(ltcp_congestion_for(&settings) == &ltcp_newreno_validated);
    CHECK_TEXT(ltcp_newreno_validated.name, "newreno");
    settings.congestion = &ltcp_cubic;
    CHECK(ltcp_congestion_for(&settings) == &ltcp_cubic);
}

int main(void)
{
    keeps_and_then_halves();
    gives_up_at_a_loss();
    is_chosen_by_the_setting();
    return check_finish();
}
