/* core/congestion/bbr1.c - BBR version 1, draft-cardwell-iccrg-bbr-congestion-control-00; the
 * sections named are that draft's. For comparison: `bbr` is version 3. */
#include "congestion/bbr_model.h"

#define HIGH_GAIN          739u /* 2 / ln 2 */
#define DRAIN_GAIN         88u
#define CWND_GAIN          (2 * BBR_UNIT)
#define BW_WINDOW          10 /* BtlBwFilterLen, in round trips */
#define RTPROP_FILTER_LEN  (10 * LTCP_SECOND)
#define PROBE_RTT_DURATION (200 * LTCP_MILLISECOND)
#define CYCLE_LENGTH       8

enum phase { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };
static const char *const phase_names[] = {"startup", "drain", "probe_bw", "probe_rtt"};
static const uint32_t pacing_gain_cycle[CYCLE_LENGTH] = {
    BBR_UNIT * 5 / 4, BBR_UNIT * 3 / 4, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT, BBR_UNIT};

struct bbr1 {
    struct bbr_filter btlbw_filter;
    uint64_t btlbw, full_bw;
    uint64_t next_round_delivered;
    ltcp_time rtprop; /* 0: "Inf" */
    ltcp_time rtprop_stamp, probe_rtt_done_stamp, cycle_stamp;
    uint32_t round_count, pacing_gain, cwnd_gain, prior_cwnd, send_quantum, random;
    uint8_t phase, told_phase, cycle_index, full_bw_count;
    bool filled_pipe, round_start, rtprop_expired, probe_rtt_round_done, idle_restart;
    bool packet_conservation, entered_recovery, recovering, seen_rtt;
};

/* ---- the model, section 4.1 -------------------------------------------------------------------
 */

static uint32_t min_pipe_cwnd(const struct ltcp_congestion *cc)
{
    return 4 * cc->mss;
}

static void update_btlbw(struct bbr1 *b, const struct ltcp_ack_sample *ack)
{
    b->round_start = false;
    if (ack->interval <= 0) return;
    if (ack->prior_delivered >= b->next_round_delivered) {
        b->next_round_delivered = ack->delivered;
        b->round_count++;
        b->round_start = true;
    }
    const uint64_t rate = bbr_rate(ack->delivered - ack->prior_delivered, ack->interval);
    if (rate >= b->btlbw || !ack->app_limited)
        b->btlbw = bbr_filter_update(&b->btlbw_filter, rate, b->round_count, BW_WINDOW);
}

static void update_rtprop(struct bbr1 *b, const struct ltcp_ack_sample *ack)
{
    b->rtprop_expired = ack->now > b->rtprop_stamp + RTPROP_FILTER_LEN;
    if (ack->rtt < 0) return;
    if (b->rtprop != 0 && ack->rtt > b->rtprop && !b->rtprop_expired) return;
    b->rtprop = ack->rtt > 0 ? ack->rtt : 1;
    b->rtprop_stamp = ack->now;
}

static uint64_t inflight(const struct bbr1 *b, const struct ltcp_congestion *cc, uint32_t gain)
{
    if (b->rtprop == 0) return cc->initial_window;
    return bbr_scale(bbr_volume(b->btlbw, b->rtprop), gain) + 3 * (uint64_t)b->send_quantum;
}

/* ---- the state machine, section 4.3 -----------------------------------------------------------
 */

static void enter_startup(struct bbr1 *b)
{
    b->phase = STARTUP;
    b->pacing_gain = b->cwnd_gain = HIGH_GAIN;
}

static void advance_cycle_phase(struct bbr1 *b, ltcp_time now)
{
    b->cycle_stamp = now;
    b->cycle_index = (uint8_t)((b->cycle_index + 1) % CYCLE_LENGTH);
    b->pacing_gain = pacing_gain_cycle[b->cycle_index];
}

static void enter_probe_bw(struct bbr1 *b, ltcp_time now)
{
    b->phase = PROBE_BW;
    b->pacing_gain = BBR_UNIT;
    b->cwnd_gain = CWND_GAIN;
    b->cycle_index = (uint8_t)(CYCLE_LENGTH - 1 - bbr_random(&b->random) % (CYCLE_LENGTH - 1));
    advance_cycle_phase(b, now);
}

static bool is_next_cycle_phase(const struct bbr1 *b, const struct ltcp_congestion *cc,
                                const struct ltcp_ack_sample *ack)
{
    const bool is_full_length = ack->now - b->cycle_stamp > b->rtprop;
    if (b->pacing_gain == BBR_UNIT) return is_full_length;
    if (b->pacing_gain > BBR_UNIT)
        return is_full_length &&
               (ack->bytes_lost > 0 || ack->prior_in_flight >= inflight(b, cc, b->pacing_gain));
    return is_full_length || ack->prior_in_flight <= inflight(b, cc, BBR_UNIT);
}

static void check_full_pipe(struct bbr1 *b, const struct ltcp_ack_sample *ack)
{
    if (b->filled_pipe || !b->round_start || ack->app_limited) return;
    if (b->btlbw >= b->full_bw * 5 / 4) {
        b->full_bw = b->btlbw;
        b->full_bw_count = 0;
        return;
    }
    if (++b->full_bw_count >= 3) b->filled_pipe = true;
}

static void check_drain(struct bbr1 *b, const struct ltcp_congestion *cc,
                        const struct ltcp_ack_sample *ack)
{
    if (b->phase == STARTUP && b->filled_pipe) {
        b->phase = DRAIN;
        b->pacing_gain = DRAIN_GAIN;
        b->cwnd_gain = HIGH_GAIN;
    }
    if (b->phase == DRAIN && ack->in_flight <= inflight(b, cc, BBR_UNIT))
        enter_probe_bw(b, ack->now);
}

static void save_cwnd(struct bbr1 *b, const struct ltcp_congestion *cc)
{
    b->prior_cwnd = b->recovering || b->phase == PROBE_RTT
                        ? (uint32_t)bbr_max(b->prior_cwnd, cc->cwnd)
                        : cc->cwnd;
}

static void restore_cwnd(struct bbr1 *b, struct ltcp_congestion *cc)
{
    cc->cwnd = (uint32_t)bbr_max(cc->cwnd, b->prior_cwnd);
}

static void handle_probe_rtt(struct bbr1 *b, struct ltcp_congestion *cc,
                             const struct ltcp_ack_sample *ack)
{
    cc->tells |= LTCP_CC_HOLDS_BACK; /* "Ignore low rate samples during ProbeRTT" */
    if (b->probe_rtt_done_stamp == 0) {
        if (ack->in_flight > min_pipe_cwnd(cc)) return;
        b->probe_rtt_done_stamp = ack->now + PROBE_RTT_DURATION;
        b->probe_rtt_round_done = false;
        b->next_round_delivered = ack->delivered;
        return;
    }
    if (b->round_start) b->probe_rtt_round_done = true;
    if (!b->probe_rtt_round_done || ack->now <= b->probe_rtt_done_stamp) return;
    b->rtprop_stamp = ack->now;
    restore_cwnd(b, cc);
    if (b->filled_pipe)
        enter_probe_bw(b, ack->now);
    else
        enter_startup(b);
}

static void check_probe_rtt(struct bbr1 *b, struct ltcp_congestion *cc,
                            const struct ltcp_ack_sample *ack)
{
    if (b->phase != PROBE_RTT && b->rtprop_expired && !b->idle_restart) {
        save_cwnd(b, cc);
        b->phase = PROBE_RTT;
        b->pacing_gain = b->cwnd_gain = BBR_UNIT;
        b->probe_rtt_done_stamp = 0;
    }
    if (b->phase == PROBE_RTT) handle_probe_rtt(b, cc, ack);
    b->idle_restart = false;
}

/* ---- what follows from it, section 4.2 --------------------------------------------------------
 */

static void set_pacing_rate(struct bbr1 *b, struct ltcp_congestion *cc, uint32_t gain)
{
    const uint64_t rate = bbr_scale(b->btlbw, gain);
    if (rate > 0 && (b->filled_pipe || rate > cc->pacing_rate)) cc->pacing_rate = rate;
}

/* "the initial SRTT after the first non-zero RTT sample": until then, 1 ms. */
static void init_pacing_rate(struct ltcp_congestion *cc, ltcp_time srtt)
{
    cc->pacing_rate =
        bbr_scale(bbr_rate(cc->initial_window, srtt > 0 ? srtt : LTCP_MILLISECOND), HIGH_GAIN);
}

static void set_send_quantum(struct bbr1 *b, const struct ltcp_congestion *cc)
{
    if (cc->pacing_rate < 150000) /* 1.2 Mbit/s */
        b->send_quantum = cc->mss;
    else if (cc->pacing_rate < 3000000) /* 24 Mbit/s */
        b->send_quantum = 2 * cc->mss;
    else
        b->send_quantum = (uint32_t)bbr_min(cc->pacing_rate / 1000, 65536);
}

/* Section 4.2.3.4: packet conservation for the first round trip of recovery. */
static void modulate_cwnd_for_recovery(struct bbr1 *b, struct ltcp_congestion *cc,
                                       const struct ltcp_ack_sample *ack)
{
    if (ack->bytes_lost > 0 && b->recovering) {
        const uint32_t least = ack->bytes_lost + cc->mss;
        cc->cwnd = (cc->cwnd > least ? cc->cwnd : least) - ack->bytes_lost;
    }
    if (b->packet_conservation)
        cc->cwnd =
            (uint32_t)bbr_max(cc->cwnd, bbr_window((uint64_t)ack->in_flight + ack->bytes_acked));
}

static void set_cwnd(struct bbr1 *b, struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    const uint64_t target = inflight(b, cc, b->cwnd_gain);
    modulate_cwnd_for_recovery(b, cc, ack);
    if (!b->packet_conservation) {
        uint64_t cwnd = cc->cwnd;
        if (b->filled_pipe)
            cwnd = bbr_min(cwnd + ack->bytes_acked, target);
        else if (cwnd < target || ack->delivered < cc->initial_window)
            cwnd += ack->bytes_acked;
        cc->cwnd = bbr_window(bbr_max(cwnd, min_pipe_cwnd(cc)));
    }
    if (b->phase == PROBE_RTT) cc->cwnd = (uint32_t)bbr_min(cc->cwnd, min_pipe_cwnd(cc));
}

/* Into fast recovery and out of either recovery, as this acknowledgment shows it. */
static void follow_recovery(struct bbr1 *b, struct ltcp_congestion *cc,
                            const struct ltcp_ack_sample *ack)
{
    if (b->entered_recovery) {
        b->entered_recovery = false;
        b->packet_conservation = true;
        b->next_round_delivered = ack->delivered;
        cc->cwnd = bbr_window((uint64_t)ack->in_flight + bbr_max(ack->bytes_acked, cc->mss));
    } else if (b->round_start) {
        b->packet_conservation = false;
    }
    if (!b->recovering || ack->in_recovery || ack->in_loss) return;
    b->recovering = b->packet_conservation = false;
    restore_cwnd(b, cc);
}

static void bbr1_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct bbr1 *b = cc->state;
    update_btlbw(b, ack);
    if (b->phase == PROBE_BW && is_next_cycle_phase(b, cc, ack)) advance_cycle_phase(b, ack->now);
    check_full_pipe(b, ack);
    check_drain(b, cc, ack);
    update_rtprop(b, ack);
    check_probe_rtt(b, cc, ack);
    if (!b->seen_rtt && ack->srtt > 0) {
        b->seen_rtt = true;
        init_pacing_rate(cc, ack->srtt);
    }
    set_pacing_rate(b, cc, b->pacing_gain);
    set_send_quantum(b, cc);
    follow_recovery(b, cc, ack);
    set_cwnd(b, cc, ack);
    if (b->phase != b->told_phase) cc->tells |= LTCP_CC_TURNED;
    b->told_phase = b->phase;
}

/* ---- events -----------------------------------------------------------------------------------
 */

/* A mark counts for nothing in version 1: cwnd stays at what the path delivers. */
static void bbr1_on_ecn(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)cc;
    (void)now;
    (void)flight;
}

static void bbr1_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct bbr1 *b = cc->state;
    (void)now;
    (void)flight;
    save_cwnd(b, cc);
    b->entered_recovery = b->recovering = true;
}

static void bbr1_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    struct bbr1 *b = cc->state;
    (void)now;
    b->recovering = b->entered_recovery = b->packet_conservation = false;
    restore_cwnd(b, cc);
}

static void bbr1_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    struct bbr1 *b = cc->state;
    (void)now;
    (void)flight;
    (void)first;
    save_cwnd(b, cc);
    b->recovering = true;
    b->entered_recovery = b->packet_conservation = false;
    cc->cwnd = cc->mss;
}

static void bbr1_on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd,
                         uint32_t ssthresh)
{
    struct bbr1 *b = cc->state;
    (void)ssthresh;
    bbr1_on_recovered(cc, now);
    cc->cwnd = (uint32_t)bbr_max(cc->cwnd, cwnd);
    b->full_bw = 0; /* the plateau may have been the loss's doing */
    b->full_bw_count = 0;
}

/* Section 4.3.4.4 does instead what a restart window is for. */
static void bbr1_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)cc;
    (void)now;
}

static void bbr1_on_restart(struct ltcp_congestion *cc, ltcp_time now, bool app_limited)
{
    struct bbr1 *b = cc->state;
    (void)now;
    if (!app_limited) return;
    b->idle_restart = true;
    if (b->phase == PROBE_BW) set_pacing_rate(b, cc, BBR_UNIT);
}

static void bbr1_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct bbr1 *b = cc->state;
    b->rtprop_stamp = b->cycle_stamp = now;
    b->random = cc->seed;
    enter_startup(b);
    init_pacing_rate(cc, 0);
    set_send_quantum(b, cc);
}

static bool bbr1_info(const struct ltcp_congestion *cc, size_t i, struct ltcp_congestion_value *out)
{
    const struct bbr1 *b = cc->state;
    const struct ltcp_congestion_value values[] = {
        {"state", LTCP_CC_TEXT, 0, phase_names[b->phase]},
        {"bw", LTCP_CC_RATE, (int64_t)b->btlbw, NULL},
        {"min_rtt", LTCP_CC_TIME, b->rtprop, NULL},
        {"pacing_gain", LTCP_CC_RATIO, (int64_t)b->pacing_gain << 12, NULL},
        {"cwnd_gain", LTCP_CC_RATIO, (int64_t)b->cwnd_gain << 12, NULL},
        {"rounds", LTCP_CC_COUNT, b->round_count, NULL},
    };
    if (i >= sizeof values / sizeof *values) return false;
    *out = values[i];
    return true;
}

const struct ltcp_congestion_ops ltcp_bbr1 = {
    .name = "bbr1",
    .state_size = sizeof(struct bbr1),
    .own_recovery = true,
    .init = bbr1_init,
    .on_ack = bbr1_on_ack,
    .on_loss = bbr1_on_loss,
    .on_ecn = bbr1_on_ecn,
    .on_recovered = bbr1_on_recovered,
    .on_timeout = bbr1_on_timeout,
    .on_idle = bbr1_on_idle,
    .on_restart = bbr1_on_restart,
    .on_undo = bbr1_on_undo,
    .info = bbr1_info,
};
