/* core/congestion/prague.c - Prague, draft-briscoe-iccrg-prague-congestion-control: DCTCP's answer
 * to marks made fit for the Internet by the requirements of RFC 9331 section 4.3: it falls back to
 * Reno's answer on loss, paces, and depends less on the RTT where that is short. */
#include "congestion/marking.h"
#include "congestion/window.h"

/* Reduced RTT-dependence: a flow acts as if its RTT were at least RTT_VIRT_MIN, once it has lasted
 * for D round trips. */
#define RTT_VIRT_MIN (25 * LTCP_MILLISECOND)
#define D            500
#define FRACTION     24

struct prague {
    struct marking marking;
    uint64_t grown;       /* towards the next octets of cwnd: FRACTION bits behind the point */
    ltcp_time alpha_time; /* when alpha was brought up to date last */
    ltcp_seq round_end;
    uint32_t rounds;
    bool in_round, marked; /* marked: there was a first mark */
};

static bool is_independent(const struct prague *s, const struct ltcp_congestion *cc)
{
    return (cc->switches & LTCP_CC_RTT_INDEPENDENCE) && s->rounds >= D;
}

static void count_rounds(struct prague *s, const struct ltcp_ack_sample *ack)
{
    if (s->in_round && seq_lt(ack->una, s->round_end)) return;
    if (s->in_round && s->rounds < D) s->rounds++;
    s->in_round = true;
    s->round_end = ack->nxt;
}

/* Alpha is what was marked within a virtual RTT. It starts at 1 with the first mark. */
static void observe(struct prague *s, const struct ltcp_congestion *cc,
                    const struct ltcp_ack_sample *ack)
{
    if (ack->ce_bytes > 0 && !s->marked) {
        s->marked = true;
        s->marking.alpha = MARKING_ONE;
    }
    if (!s->marked) return;
    const bool hold = is_independent(s, cc) && ack->now - s->alpha_time < RTT_VIRT_MIN;
    const ltcp_seq before = s->marking.window_end;
    marking_observe(&s->marking, ack, hold);
    if (!seq_eq(before, s->marking.window_end)) s->alpha_time = ack->now;
}

/* One segment a round trip, for what was not marked; (RTT / RTT_virt)^2 of one where the RTT is
 * shorter, which makes it one in RTT_virt for as many octets a second. */
static void congestion_avoidance(struct prague *s, struct ltcp_congestion *cc,
                                 const struct ltcp_ack_sample *ack, uint32_t acked)
{
    uint64_t growth = ((uint64_t)acked * cc->mss << FRACTION) / cc->cwnd;
    if (is_independent(s, cc) && ack->srtt > 0 && ack->srtt < RTT_VIRT_MIN) {
        const uint64_t ratio = (uint64_t)ack->srtt * 1024 / RTT_VIRT_MIN;
        growth = growth / 1048576 * (ratio * ratio) + growth % 1048576 * (ratio * ratio) / 1048576;
    }
    s->grown += growth;
    const uint64_t octets = s->grown >> FRACTION;
    s->grown -= octets << FRACTION;
    if (octets < UINT32_MAX / 2 - cc->cwnd) cc->cwnd += (uint32_t)octets;
}

static void grow(struct prague *s, struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    const uint32_t acked = ack->bytes_acked - ack->ce_bytes;
    if (acked == 0 || ack->advanced == 0 || cc->cwnd >= UINT32_MAX / 2) return;
    if (cc->cwnd < cc->ssthresh)
        cc->cwnd += window_slow_start(cc, acked);
    else
        congestion_avoidance(s, cc, ack, acked);
}

/* A window in a round trip; twice that while slow start doubles it. */
static void pace(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    if (ack->srtt <= 0) return;
    const uint64_t window = cc->cwnd < cc->ssthresh ? 2 * (uint64_t)cc->cwnd : cc->cwnd;
    cc->pacing_rate = window * LTCP_SECOND / (uint64_t)ack->srtt;
    if (cc->pacing_rate == 0) cc->pacing_rate = 1;
}

static void prague_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct prague *s = cc->state;
    count_rounds(s, ack);
    observe(s, cc, ack);
    if (!ack->in_recovery) {
        if (marking_begins(&s->marking, ack)) marking_reduce(&s->marking, cc);
        if (ack->cwnd_limited) grow(s, cc, ack);
    }
    pace(cc, ack);
}

/* RFC 9331 section 4.3: as safe as Reno on loss; so too on marks that nobody counts. */
static void prague_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)now;
    cc->ssthresh = window_at_least_two(cc, flight / 2);
    cc->cwnd = cc->ssthresh;
}

static void prague_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    cc->cwnd = cc->ssthresh;
}

static void prague_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight,
                              bool first)
{
    (void)now;
    if (first) cc->ssthresh = window_at_least_two(cc, flight / 2);
    cc->cwnd = cc->mss;
}

static void prague_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    if (cc->cwnd > cc->initial_window) cc->cwnd = cc->initial_window;
}

static void prague_on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd,
                           uint32_t ssthresh)
{
    (void)now;
    if (cwnd > cc->cwnd) cc->cwnd = cwnd;
    if (ssthresh > cc->ssthresh) cc->ssthresh = ssthresh;
}

static void prague_init(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)cc;
    (void)now;
}

static bool prague_info(const struct ltcp_congestion *cc, size_t i,
                        struct ltcp_congestion_value *out)
{
    const struct prague *s = cc->state;
    const struct ltcp_congestion_value values[] = {
        {"alpha", LTCP_CC_RATIO, s->marking.alpha, NULL},
        {"rtt_virt_min", LTCP_CC_TIME, is_independent(s, cc) ? RTT_VIRT_MIN : 0, NULL},
    };
    if (i >= sizeof values / sizeof *values) return false;
    *out = values[i];
    return true;
}

const struct ltcp_congestion_ops ltcp_prague = {
    .name = "prague",
    .state_size = sizeof(struct prague),
    .ecn = LTCP_CC_ECN_L4S,
    .init = prague_init,
    .on_ack = prague_on_ack,
    .on_loss = prague_on_loss,
    .on_ecn = prague_on_loss,
    .on_recovered = prague_on_recovered,
    .on_timeout = prague_on_timeout,
    .on_idle = prague_on_idle,
    .on_undo = prague_on_undo,
    .info = prague_info,
};
