/* core/congestion/bbr.c - BBR version 3, draft-ietf-ccwg-bbr: its state machine and what it
 * decides from it. The draft's functions, by the draft's names. */
#include "congestion/bbr.h"

#define PACING_MARGIN_PERCENT 1
#define STARTUP_FULL_LOSS_CNT 6
#define DRAIN_ROUNDS          3
#define PROBE_RTT_DURATION    (200 * LTCP_MILLISECOND)
#define RENO_ROUNDS           63
#define HEADROOM_PERCENT      15

/* Section 5.6.1, in the order of enum bbr_state. */
static const struct {
    const char *name;
    uint32_t pacing_gain, cwnd_gain;
} control[] = {
    {"startup", 709, 2 * BBR_UNIT}, /* 4 ln 2 */
    {"drain", BBR_UNIT / 2, 2 * BBR_UNIT},
    {"probe_bw_down", BBR_UNIT * 9 / 10, 2 * BBR_UNIT},
    {"probe_bw_cruise", BBR_UNIT, 2 * BBR_UNIT},
    {"probe_bw_refill", BBR_UNIT, 2 * BBR_UNIT},
    {"probe_bw_up", BBR_UNIT * 5 / 4, BBR_UNIT * 9 / 4},
    {"probe_rtt", BBR_UNIT, BBR_UNIT / 2},
};

/* ---- volumes, section 5.6.4.2 -----------------------------------------------------------------
 */

static uint64_t quantization_budget(const struct bbr *b, const struct ltcp_congestion *cc,
                                    uint64_t inflight_cap)
{
    inflight_cap = bbr_max(inflight_cap, 3 * (uint64_t)b->send_quantum);
    inflight_cap = bbr_max(inflight_cap, bbr_min_pipe_cwnd(cc));
    return b->state == BBR_PROBE_BW_UP ? inflight_cap + 2 * cc->mss : inflight_cap;
}

static uint64_t inflight(const struct bbr *b, const struct ltcp_congestion *cc, uint64_t bw)
{
    return quantization_budget(b, cc, bbr_bdp_multiple(b, cc, bw, BBR_UNIT));
}

static uint64_t inflight_with_headroom(const struct bbr *b, const struct ltcp_congestion *cc)
{
    if (b->inflight_longterm == BBR_INFINITY) return BBR_INFINITY;
    const uint64_t headroom = bbr_max(cc->mss, b->inflight_longterm * HEADROOM_PERCENT / 100);
    const uint64_t left = b->inflight_longterm > headroom ? b->inflight_longterm - headroom : 0;
    return bbr_max(left, bbr_min_pipe_cwnd(cc));
}

static uint64_t probe_rtt_cwnd(const struct bbr *b, const struct ltcp_congestion *cc)
{
    return bbr_max(bbr_bdp_multiple(b, cc, b->bw, control[BBR_PROBE_RTT].cwnd_gain),
                   bbr_min_pipe_cwnd(cc));
}

/* ---- ProbeBW, section 5.3.3 -------------------------------------------------------------------
 */

/* Two to three seconds, or 62 or 63 round trips. */
static void pick_probe_wait(struct bbr *b)
{
    b->rounds_since_probe_up = bbr_random(&b->random) % 2;
    b->bw_probe_wait =
        2 * LTCP_SECOND + (ltcp_time)(bbr_random(&b->random) % 1000) * LTCP_MILLISECOND;
}

static void start_probe_bw_down(struct bbr *b, ltcp_time now)
{
    bbr_reset_congestion_signals(b);
    b->probe_up_acked_per_inc = BBR_INFINITY;
    pick_probe_wait(b);
    b->cycle_stamp = now;
    b->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(b);
    b->state = BBR_PROBE_BW_DOWN;
}

static void start_probe_bw_refill(struct bbr *b)
{
    bbr_reset_short_term_model(b);
    b->bw_probe_up_rounds = 0;
    b->bw_probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(b);
    b->state = BBR_PROBE_BW_REFILL;
}

static void raise_inflight_longterm_slope(struct bbr *b, const struct ltcp_congestion *cc)
{
    const uint64_t growth_this_round = (uint64_t)1 << b->bw_probe_up_rounds;
    if (b->bw_probe_up_rounds < 30) b->bw_probe_up_rounds++;
    b->probe_up_acked_per_inc = bbr_max(cc->cwnd / growth_this_round, cc->mss);
}

static void start_probe_bw_up(struct bbr *b, const struct ltcp_congestion *cc,
                              const struct bbr_sample *rs)
{
    b->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(b);
    bbr_reset_full_bw(b);
    b->full_bw = rs->delivery_rate;
    b->state = BBR_PROBE_BW_UP;
    raise_inflight_longterm_slope(b, cc);
}

static bool is_time_to_probe_bw(struct bbr *b, const struct ltcp_congestion *cc,
                                const struct bbr_sample *rs)
{
    const uint64_t reno_rounds = bbr_target_inflight(b, cc) / cc->mss;
    if (rs->now <= b->cycle_stamp + b->bw_probe_wait &&
        b->rounds_since_probe_up < bbr_min(reno_rounds, RENO_ROUNDS))
        return false;
    start_probe_bw_refill(b);
    return true;
}

static bool is_time_to_cruise(const struct bbr *b, const struct ltcp_congestion *cc)
{
    return b->in_flight <= inflight_with_headroom(b, cc) &&
           b->in_flight <= inflight(b, cc, b->max_bw);
}

static bool is_time_to_go_down(struct bbr *b, const struct ltcp_congestion *cc,
                               const struct bbr_sample *rs)
{
    /* C.inflight has come to the limit when no further segment fits below it; seen before this ACK
     * took something out. */
    if (b->prev_probe_too_high && rs->prior_in_flight + cc->mss > b->inflight_longterm) {
        b->prev_probe_precautionary = true;
        return true;
    }
    if (bbr_is_cwnd_limited(b) && cc->cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b); /* bw is limited by inflight_longterm */
        b->full_bw = rs->delivery_rate;
        return false;
    }
    return b->full_bw_now;
}

static void probe_inflight_longterm_upward(struct bbr *b, const struct ltcp_congestion *cc,
                                           const struct bbr_sample *rs)
{
    if (!bbr_is_cwnd_limited(b) || cc->cwnd < b->inflight_longterm) return;
    b->bw_probe_up_acked += rs->newly_acked;
    const uint64_t delta = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
    b->bw_probe_up_acked -= delta * b->probe_up_acked_per_inc;
    b->inflight_longterm += delta * cc->mss;
    if (b->round_start) raise_inflight_longterm_slope(b, cc);
}

/* True: a transition is decided. */
static bool adapt_long_term_model(struct bbr *b, const struct ltcp_congestion *cc,
                                  const struct bbr_sample *rs)
{
    if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start)
        b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start) {
        b->is_bw_probe_sample = false;
        b->ack_phase = BBR_ACKS_INIT;
        if (bbr_is_in_probe_bw(b) && !rs->is_app_limited) b->cycle_count++;
        if (bbr_is_in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
            start_probe_bw_refill(b);
            return true;
        }
    }
    if (!rs->valid || bbr_is_inflight_too_high(cc, rs) || b->inflight_longterm == BBR_INFINITY)
        return false;
    b->inflight_longterm = bbr_max(b->inflight_longterm, rs->tx_in_flight);
    if (b->state == BBR_PROBE_BW_UP) probe_inflight_longterm_upward(b, cc, rs);
    return false;
}

static void update_probe_bw_cycle_phase(struct bbr *b, const struct ltcp_congestion *cc,
                                        const struct bbr_sample *rs)
{
    if (!b->full_bw_reached || adapt_long_term_model(b, cc, rs)) return;
    switch (b->state) {
    case BBR_PROBE_BW_DOWN:
        if (is_time_to_probe_bw(b, cc, rs)) return;
        if (is_time_to_cruise(b, cc)) b->state = BBR_PROBE_BW_CRUISE;
        break;
    case BBR_PROBE_BW_CRUISE: is_time_to_probe_bw(b, cc, rs); break;
    case BBR_PROBE_BW_REFILL:
        if (!b->round_start) return;
        b->is_bw_probe_sample = true;
        start_probe_bw_up(b, cc, rs);
        break;
    case BBR_PROBE_BW_UP:
        if (!is_time_to_go_down(b, cc, rs)) return;
        b->prev_probe_too_high = false;
        start_probe_bw_down(b, rs->now);
        break;
    default: break;
    }
}

/* ---- Startup and Drain, sections 5.3.1 and 5.3.2 ----------------------------------------------
 */

static void enter_drain(struct bbr *b)
{
    b->state = BBR_DRAIN;
    b->drain_start_round = b->round_count;
}

/* Losses or marks say that the pipe is full: section 5.3.1.3. */
static void leave_startup_on_congestion(struct bbr *b, const struct ltcp_congestion *cc)
{
    b->undo_state = BBR_STARTUP;
    b->full_bw_now = b->full_bw_reached = true;
    b->inflight_longterm = bbr_max(bbr_bdp_multiple(b, cc, b->bw, BBR_UNIT), b->inflight_latest);
    enter_drain(b);
}

static void check_startup_high_loss(struct bbr *b, const struct ltcp_congestion *cc,
                                    const struct bbr_sample *rs)
{
    if (b->state != BBR_STARTUP || b->full_bw_reached) return;
    const bool sack = cc->switches & LTCP_CC_SACK;
    const bool full_round =
        b->recovering && b->loss_round_start && rs->prior_delivered >= b->recovery_delivered;
    const bool many = b->lost_ranges >= STARTUP_FULL_LOSS_CNT && bbr_is_inflight_too_high(cc, rs);
    if (sack ? full_round && many : b->recovering && b->lost_ranges > 0)
        leave_startup_on_congestion(b, cc);
    if (b->loss_round_start) b->lost_ranges = 0;
}

static void check_startup_done(struct bbr *b, const struct ltcp_congestion *cc,
                               const struct bbr_sample *rs)
{
    check_startup_high_loss(b, cc, rs);
    if (b->state == BBR_STARTUP && b->full_bw_reached) enter_drain(b);
}

static void check_drain_done(struct bbr *b, const struct ltcp_congestion *cc,
                             const struct bbr_sample *rs)
{
    if (b->state != BBR_DRAIN) return;
    if (b->in_flight <= inflight(b, cc, b->bw) ||
        b->round_count > b->drain_start_round + DRAIN_ROUNDS)
        start_probe_bw_down(b, rs->now);
}

/* ---- ProbeRTT, section 5.3.4 ------------------------------------------------------------------
 */

static void restore_cwnd(struct bbr *b, struct ltcp_congestion *cc)
{
    cc->cwnd = (uint32_t)bbr_max(cc->cwnd, b->prior_cwnd);
}

static void check_probe_rtt_done(struct bbr *b, struct ltcp_congestion *cc, ltcp_time now)
{
    if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp) return;
    b->probe_rtt_min_stamp = now;
    restore_cwnd(b, cc);
    bbr_reset_short_term_model(b);
    if (b->full_bw_reached) {
        start_probe_bw_down(b, now);
        b->state = BBR_PROBE_BW_CRUISE;
    } else {
        b->state = BBR_STARTUP;
    }
}

static void handle_probe_rtt(struct bbr *b, struct ltcp_congestion *cc, ltcp_time now)
{
    cc->tells |= LTCP_CC_HOLDS_BACK; /* MarkConnectionAppLimited() */
    if (b->probe_rtt_done_stamp == 0) {
        if (b->in_flight > probe_rtt_cwnd(b, cc)) return;
        b->probe_rtt_done_stamp = now + PROBE_RTT_DURATION;
        b->probe_rtt_round_done = false;
        bbr_start_round(b);
        return;
    }
    if (b->round_start) b->probe_rtt_round_done = true;
    if (b->probe_rtt_round_done) check_probe_rtt_done(b, cc, now);
}

static void check_probe_rtt(struct bbr *b, struct ltcp_congestion *cc, const struct bbr_sample *rs)
{
    if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(b, cc);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done_stamp = 0;
        b->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(b);
    }
    if (b->state == BBR_PROBE_RTT) handle_probe_rtt(b, cc, rs->now);
    if (rs->delivered > 0) b->idle_restart = false;
}

/* ---- control parameters, section 5.6 ----------------------------------------------------------
 */

static void set_pacing_rate(struct bbr *b, struct ltcp_congestion *cc, uint32_t gain)
{
    const uint64_t rate = bbr_scale(b->bw, gain) * (100 - PACING_MARGIN_PERCENT) / 100;
    if (rate > 0 && (b->full_bw_reached || rate > cc->pacing_rate)) cc->pacing_rate = rate;
}

static void init_pacing_rate(struct ltcp_congestion *cc, ltcp_time srtt)
{
    const uint64_t nominal = bbr_rate(cc->initial_window, srtt > 0 ? srtt : LTCP_MILLISECOND);
    cc->pacing_rate = bbr_scale(nominal, control[BBR_STARTUP].pacing_gain);
}

static void set_send_quantum(struct bbr *b, const struct ltcp_congestion *cc)
{
    b->send_quantum =
        (uint32_t)bbr_max(bbr_min(cc->pacing_rate / 1000, 65536), 2 * (uint64_t)cc->mss);
}

static void bound_cwnd_for_model(const struct bbr *b, struct ltcp_congestion *cc)
{
    uint64_t cap = BBR_INFINITY;
    if (b->state == BBR_PROBE_RTT || b->state == BBR_PROBE_BW_CRUISE)
        cap = inflight_with_headroom(b, cc);
    else if (bbr_is_in_probe_bw(b))
        cap = b->inflight_longterm;
    cap = bbr_min(cap, b->inflight_shortterm);
    cap = bbr_max(cap, bbr_min_pipe_cwnd(cc));
    cc->cwnd = (uint32_t)bbr_min(cc->cwnd, cap);
}

static void set_cwnd(struct bbr *b, struct ltcp_congestion *cc, const struct bbr_sample *rs)
{
    uint64_t cap = bbr_bdp_multiple(b, cc, b->bw, control[b->state].cwnd_gain) + b->extra_acked;
    cap = quantization_budget(b, cc, cap);
    uint64_t cwnd = cc->cwnd;
    if (b->full_bw_reached)
        cwnd = bbr_min(cwnd + rs->newly_acked, cap);
    else if (cwnd < cap || b->delivered < cc->initial_window)
        cwnd += rs->newly_acked;
    cwnd = bbr_max(cwnd, bbr_min_pipe_cwnd(cc));
    if (b->state == BBR_PROBE_RTT) cwnd = bbr_min(cwnd, probe_rtt_cwnd(b, cc));
    cc->cwnd = bbr_window(cwnd);
    bound_cwnd_for_model(b, cc);
}

/* ---- events, section 5.2 ----------------------------------------------------------------------
 */

static struct bbr_sample take(struct bbr *b, const struct ltcp_ack_sample *ack)
{
    struct bbr_sample rs = {.now = ack->now,
                            .rtt = ack->rtt,
                            .prior_in_flight = ack->prior_in_flight,
                            .newly_acked = ack->bytes_acked};
    b->in_flight = ack->in_flight;
    b->delivered = ack->delivered;
    if (ack->cwnd_limited) b->limited_this_round = true;
    if (ack->interval <= 0) return rs;
    rs.valid = true;
    rs.prior_delivered = ack->prior_delivered;
    rs.delivered = ack->delivered - ack->prior_delivered;
    rs.delivery_rate = bbr_rate(rs.delivered, ack->interval);
    rs.lost = ack->lost - ack->prior_lost;
    rs.tx_in_flight = ack->tx_in_flight;
    rs.is_app_limited = ack->app_limited;
    return rs;
}

static void leave_recovery(struct bbr *b, struct ltcp_congestion *cc)
{
    if (!b->recovering) return;
    b->recovering = b->timed_out = b->saved = false;
    restore_cwnd(b, cc);
}

static void tell(struct bbr *b, struct ltcp_congestion *cc)
{
    if (b->state == b->told_state) return;
    b->told_state = b->state;
    cc->tells |= LTCP_CC_TURNED;
}

static void on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct bbr *b = cc->state;
    const struct bbr_sample rs = take(b, ack);
    if (b->timed_out && !ack->in_loss) leave_recovery(b, cc);
    bbr_update_latest_delivery_signals(b, &rs);
    bbr_update_congestion_signals(b, cc, &rs);
    bbr_update_ack_aggregation(b, cc, &rs);
    bbr_check_full_bw_reached(b, &rs);
    check_startup_done(b, cc, &rs);
    check_drain_done(b, cc, &rs);
    update_probe_bw_cycle_phase(b, cc, &rs);
    bbr_update_min_rtt(b, &rs);
    check_probe_rtt(b, cc, &rs);
    bbr_advance_latest_delivery_signals(b, &rs);
    b->bw = bbr_min(b->max_bw, b->bw_shortterm);
    if (!b->seen_rtt && ack->srtt > 0) {
        b->seen_rtt = true;
        init_pacing_rate(cc, ack->srtt);
    }
    set_pacing_rate(b, cc, control[b->state].pacing_gain);
    set_send_quantum(b, cc);
    set_cwnd(b, cc, &rs);
    tell(b, cc);
}

static void handle_inflight_too_high(struct bbr *b, const struct ltcp_congestion *cc,
                                     const struct bbr_sample *rs)
{
    b->prev_probe_too_high = true;
    b->is_bw_probe_sample = false;
    if (!rs->is_app_limited)
        b->inflight_longterm =
            bbr_max(rs->tx_in_flight, bbr_scale(bbr_target_inflight(b, cc), BBR_BETA));
    if (b->state != BBR_PROBE_BW_UP) return;
    b->undo_state = BBR_PROBE_BW_UP;
    start_probe_bw_down(b, rs->now);
}

/* HandleLostPacket(P) */
static void on_segment_lost(struct ltcp_congestion *cc, const struct ltcp_loss_sample *loss)
{
    struct bbr *b = cc->state;
    b->delivered = loss->delivered;
    if (!seq_eq(loss->seq, b->lost_range_end) && b->lost_ranges < UINT8_MAX) b->lost_ranges++;
    b->lost_range_end = seq_add(loss->seq, loss->bytes);
    if (!b->is_loss_in_round) bbr_save_state_upon_loss(b, cc);
    bbr_note_loss(b);
    if (!b->is_bw_probe_sample) return;
    struct bbr_sample rs = {.now = loss->now,
                            .tx_in_flight = loss->tx_in_flight,
                            .lost = loss->lost - loss->prior_lost,
                            .is_app_limited = loss->app_limited};
    if (!bbr_is_inflight_too_high(cc, &rs)) return;
    rs.tx_in_flight = bbr_inflight_at_loss(&rs, loss->bytes);
    handle_inflight_too_high(b, cc, &rs);
}

static void on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct bbr *b = cc->state;
    (void)now;
    (void)flight;
    bbr_save_state_upon_loss(b, cc);
    b->recovering = true;
    b->recovery_delivered = b->delivered;
}

/* Section 3.5: "MUST treat any CE marks as congestion". A mark, of which there is one a window, is
 * what a round with too much loss is. */
static void on_ecn(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct bbr *b = cc->state;
    bbr_note_loss(b);
    if (b->state == BBR_STARTUP && !b->full_bw_reached) leave_startup_on_congestion(b, cc);
    if (!b->is_bw_probe_sample) return;
    const struct bbr_sample rs = {.now = now, .tx_in_flight = flight};
    handle_inflight_too_high(b, cc, &rs);
}

static void on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    leave_recovery(cc->state, cc);
}

/* "C.cwnd = C.inflight + 1": nothing is in flight any more. */
static void on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    struct bbr *b = cc->state;
    (void)now;
    (void)flight;
    (void)first;
    bbr_save_state_upon_loss(b, cc);
    b->recovering = b->timed_out = true;
    cc->cwnd = cc->mss;
}

/* HandleSpuriousLossDetection() */
static void on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd, uint32_t ssthresh)
{
    struct bbr *b = cc->state;
    const uint8_t undo_state = b->undo_state;
    (void)now;
    (void)ssthresh;
    leave_recovery(b, cc);
    cc->cwnd = (uint32_t)bbr_max(cc->cwnd, cwnd);
    b->is_loss_in_round = false;
    bbr_reset_full_bw(b);
    b->bw_shortterm = bbr_max(b->bw_shortterm, b->undo_bw_shortterm);
    b->inflight_shortterm = bbr_max(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = bbr_max(b->inflight_longterm, b->undo_inflight_longterm);
    b->undo_state = BBR_NO_STATE;
    if (undo_state == BBR_NO_STATE || undo_state == b->state) return;
    if (undo_state == BBR_STARTUP) b->full_bw_reached = false;
    if (b->state == BBR_PROBE_RTT) return;
    if (undo_state == BBR_STARTUP)
        b->state = BBR_STARTUP;
    else
        start_probe_bw_refill(b);
}

/* Section 5.4 does instead what a restart window is for. */
static void on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)cc;
    (void)now;
}

static void on_restart(struct ltcp_congestion *cc, ltcp_time now, bool app_limited)
{
    struct bbr *b = cc->state;
    if (!app_limited) return;
    b->idle_restart = true;
    b->extra_acked_interval_start = now;
    if (bbr_is_in_probe_bw(b))
        set_pacing_rate(b, cc, BBR_UNIT);
    else if (b->state == BBR_PROBE_RTT)
        check_probe_rtt_done(b, cc, now);
    tell(b, cc);
}

static void init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct bbr *b = cc->state;
    b->min_rtt = b->probe_rtt_min_delay = LTCP_NEVER;
    b->min_rtt_stamp = b->probe_rtt_min_stamp = now;
    b->extra_acked_interval_start = now;
    b->undo_state = BBR_NO_STATE;
    b->inflight_longterm = b->probe_up_acked_per_inc = BBR_INFINITY;
    b->undo_inflight_longterm = b->undo_inflight_shortterm = b->undo_bw_shortterm = 0;
    b->random = cc->seed;
    b->state = BBR_STARTUP;
    bbr_reset_short_term_model(b);
    init_pacing_rate(cc, 0);
    set_send_quantum(b, cc);
}

/* What is infinite is shown as 0. */
static int64_t finite(uint64_t value)
{
    return value == BBR_INFINITY ? 0 : (int64_t)value;
}

static bool info(const struct ltcp_congestion *cc, size_t i, struct ltcp_congestion_value *out)
{
    const struct bbr *b = cc->state;
    const struct ltcp_congestion_value values[] = {
        {"state", LTCP_CC_TEXT, 0, control[b->state].name},
        {"bw", LTCP_CC_RATE, finite(b->bw), NULL},
        {"max_bw", LTCP_CC_RATE, (int64_t)b->max_bw, NULL},
        {"bw_shortterm", LTCP_CC_RATE, finite(b->bw_shortterm), NULL},
        {"inflight_longterm", LTCP_CC_BYTES, finite(b->inflight_longterm), NULL},
        {"inflight_shortterm", LTCP_CC_BYTES, finite(b->inflight_shortterm), NULL},
        {"extra_acked", LTCP_CC_BYTES, (int64_t)b->extra_acked, NULL},
        {"min_rtt", LTCP_CC_TIME, b->min_rtt == LTCP_NEVER ? 0 : b->min_rtt, NULL},
        {"pacing_gain", LTCP_CC_RATIO, (int64_t)control[b->state].pacing_gain << 12, NULL},
        {"cwnd_gain", LTCP_CC_RATIO, (int64_t)control[b->state].cwnd_gain << 12, NULL},
        {"rounds", LTCP_CC_COUNT, b->round_count, NULL},
    };
    if (i >= sizeof values / sizeof *values) return false;
    *out = values[i];
    return true;
}

const struct ltcp_congestion_ops ltcp_bbr = {
    .name = "bbr",
    .state_size = sizeof(struct bbr),
    .own_recovery = true,
    .init = init,
    .on_ack = on_ack,
    .on_segment_lost = on_segment_lost,
    .on_loss = on_loss,
    .on_ecn = on_ecn,
    .on_recovered = on_recovered,
    .on_timeout = on_timeout,
    .on_idle = on_idle,
    .on_restart = on_restart,
    .on_undo = on_undo,
    .info = info,
};
