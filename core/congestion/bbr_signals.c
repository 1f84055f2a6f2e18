/* core/congestion/bbr_signals.c - BBR's model of the path, draft-ietf-ccwg-bbr section 5.5: what
 * acknowledgments and losses say of its bandwidth, its RTT and the volume it holds. */
#include "congestion/bbr.h"

#define LOSS_THRESH_DIVISOR 50 /* LossThresh: 2 % */
#define MAX_BW_FILTER_LEN   2
#define EXTRA_ACKED_LEN     10
#define PROBE_RTT_INTERVAL  (5 * LTCP_SECOND)
#define MIN_RTT_FILTER_LEN  (10 * LTCP_SECOND)

uint64_t bbr_bdp_multiple(const struct bbr *b, const struct ltcp_congestion *cc, uint64_t bw,
                          uint32_t gain)
{
    if (b->min_rtt == LTCP_NEVER) return cc->initial_window;
    return bbr_scale(bbr_volume(bw, b->min_rtt), gain);
}

/* "Our estimated BDP, unless congestion cut C.cwnd". */
uint64_t bbr_target_inflight(const struct bbr *b, const struct ltcp_congestion *cc)
{
    return bbr_min(bbr_bdp_multiple(b, cc, b->bw, BBR_UNIT), cc->cwnd);
}

/* ---- rounds and bandwidth ---------------------------------------------------------------------
 */

static void update_round(struct bbr *b, const struct bbr_sample *rs)
{
    b->round_start = rs->valid && rs->prior_delivered >= b->next_round_delivered;
    if (!b->round_start) return;
    bbr_start_round(b);
    b->round_count++;
    b->rounds_since_probe_up++;
    b->limited_last_round = b->limited_this_round;
    b->limited_this_round = false;
}

static void update_max_bw(struct bbr *b, const struct bbr_sample *rs)
{
    update_round(b, rs);
    if (rs->delivery_rate == 0 || (rs->delivery_rate < b->max_bw && rs->is_app_limited)) return;
    b->max_bw =
        bbr_filter_update(&b->max_bw_filter, rs->delivery_rate, b->cycle_count, MAX_BW_FILTER_LEN);
}

/* Section 5.3.1.2: three rounds without a quarter more. */
void bbr_check_full_bw_reached(struct bbr *b, const struct bbr_sample *rs)
{
    if (b->full_bw_now || !b->round_start || rs->is_app_limited) return;
    if (rs->delivery_rate >= b->full_bw + b->full_bw / 4) {
        bbr_reset_full_bw(b);
        b->full_bw = rs->delivery_rate;
        return;
    }
    b->full_bw_now = ++b->full_bw_count >= 3;
    if (b->full_bw_now) b->full_bw_reached = true;
}

/* Section 5.5.9: how much more comes at once than the rate explains. */
void bbr_update_ack_aggregation(struct bbr *b, const struct ltcp_congestion *cc,
                                const struct bbr_sample *rs)
{
    uint64_t expected = bbr_volume(b->bw, rs->now - b->extra_acked_interval_start);
    if (b->extra_acked_delivered <= expected) {
        b->extra_acked_delivered = 0;
        b->extra_acked_interval_start = rs->now;
        expected = 0;
    }
    b->extra_acked_delivered += rs->newly_acked;
    const uint64_t extra = bbr_min(b->extra_acked_delivered - expected, cc->cwnd);
    b->extra_acked = bbr_filter_update(&b->extra_acked_filter, extra, b->round_count,
                                       b->full_bw_reached ? EXTRA_ACKED_LEN : 1);
}

/* Section 5.3.4.3. */
void bbr_update_min_rtt(struct bbr *b, const struct bbr_sample *rs)
{
    b->probe_rtt_expired = rs->now > b->probe_rtt_min_stamp + PROBE_RTT_INTERVAL;
    if (rs->rtt >= 0 && (rs->rtt < b->probe_rtt_min_delay || b->probe_rtt_expired)) {
        b->probe_rtt_min_delay = rs->rtt;
        b->probe_rtt_min_stamp = rs->now;
    }
    const bool min_rtt_expired = rs->now > b->min_rtt_stamp + MIN_RTT_FILTER_LEN;
    if (b->probe_rtt_min_delay < b->min_rtt || min_rtt_expired) {
        b->min_rtt = b->probe_rtt_min_delay;
        b->min_rtt_stamp = b->probe_rtt_min_stamp;
    }
}

/* ---- loss, section 5.5.10 ---------------------------------------------------------------------
 */

/* More than LossThresh of what was in flight; without SACK only one loss a round trip is seen. */
bool bbr_is_inflight_too_high(const struct ltcp_congestion *cc, const struct bbr_sample *rs)
{
    if (rs->lost > 0 && !(cc->switches & LTCP_CC_SACK)) return true;
    return rs->lost > rs->tx_in_flight / LOSS_THRESH_DIVISOR;
}

/* lost_prefix >= (LossThresh * inflight_prev - lost_prev) / (1 - LossThresh) */
uint64_t bbr_inflight_at_loss(const struct bbr_sample *rs, uint32_t size)
{
    const uint64_t inflight_prev = rs->tx_in_flight > size ? rs->tx_in_flight - size : 0;
    const uint64_t lost_prev = rs->lost > size ? rs->lost - size : 0;
    const uint64_t allowed = inflight_prev / LOSS_THRESH_DIVISOR;
    if (allowed <= lost_prev) return inflight_prev;
    return inflight_prev + (allowed - lost_prev) * LOSS_THRESH_DIVISOR / (LOSS_THRESH_DIVISOR - 1);
}

void bbr_save_cwnd(struct bbr *b, const struct ltcp_congestion *cc)
{
    b->prior_cwnd = b->recovering || b->state == BBR_PROBE_RTT
                        ? (uint32_t)bbr_max(b->prior_cwnd, cc->cwnd)
                        : cc->cwnd;
}

/* Once an episode of recovery: what a later loss of the same episode finds is already changed. */
void bbr_save_state_upon_loss(struct bbr *b, const struct ltcp_congestion *cc)
{
    bbr_save_cwnd(b, cc);
    if (b->saved) return;
    b->saved = true;
    b->undo_state = BBR_NO_STATE;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_note_loss(struct bbr *b)
{
    if (!b->is_loss_in_round) b->loss_round_delivered = b->delivered;
    b->is_loss_in_round = true;
}

/* ---- the short-term model, section 5.5.10.3 ---------------------------------------------------
 */

void bbr_reset_congestion_signals(struct bbr *b)
{
    b->is_loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_reset_short_term_model(struct bbr *b)
{
    b->bw_shortterm = BBR_INFINITY;
    b->inflight_shortterm = BBR_INFINITY;
}

void bbr_update_latest_delivery_signals(struct bbr *b, const struct bbr_sample *rs)
{
    b->loss_round_start = false;
    b->bw_latest = bbr_max(b->bw_latest, rs->delivery_rate);
    b->inflight_latest = bbr_max(b->inflight_latest, rs->delivered);
    if (!rs->valid || rs->prior_delivered < b->loss_round_delivered) return;
    b->loss_round_delivered = b->delivered;
    b->loss_round_start = true;
}

void bbr_advance_latest_delivery_signals(struct bbr *b, const struct bbr_sample *rs)
{
    if (!b->loss_round_start) return;
    b->bw_latest = rs->delivery_rate;
    b->inflight_latest = rs->delivered;
}

static bool is_probing_bw(const struct bbr *b)
{
    return b->state == BBR_STARTUP || b->state == BBR_PROBE_BW_REFILL ||
           b->state == BBR_PROBE_BW_UP;
}

/* Once a round trip with losses: toward what is delivered, by Beta at most. */
static void adapt_lower_bounds(struct bbr *b, const struct ltcp_congestion *cc)
{
    if (is_probing_bw(b) || !b->is_loss_in_round) return;
    if (b->bw_shortterm == BBR_INFINITY) b->bw_shortterm = b->max_bw;
    if (b->inflight_shortterm == BBR_INFINITY) b->inflight_shortterm = cc->cwnd;
    b->bw_shortterm = bbr_max(b->bw_latest, bbr_scale(b->bw_shortterm, BBR_BETA));
    b->inflight_shortterm = bbr_max(b->inflight_latest, bbr_scale(b->inflight_shortterm, BBR_BETA));
}

void bbr_update_congestion_signals(struct bbr *b, const struct ltcp_congestion *cc,
                                   const struct bbr_sample *rs)
{
    update_max_bw(b, rs);
    if (!b->loss_round_start) return;
    adapt_lower_bounds(b, cc);
    b->is_loss_in_round = false;
}
