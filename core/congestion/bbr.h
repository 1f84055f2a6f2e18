/* core/congestion/bbr.h
 *
 * BBR version 3, draft-ietf-ccwg-bbr: what its two files share. bbr.c is the state machine and the
 * control parameters (the draft's sections 5.2, 5.3 and 5.6), bbr_signals.c the model of the path
 * (section 5.5). Names are the draft's. Rates are octets a second. */
#ifndef LUNATCP_CONGESTION_BBR_H
#define LUNATCP_CONGESTION_BBR_H

#include "congestion/bbr_model.h"

#define BBR_INFINITY UINT64_MAX
#define BBR_BETA     (BBR_UNIT * 7 / 10)

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_PROBE_BW_DOWN,
    BBR_PROBE_BW_CRUISE,
    BBR_PROBE_BW_REFILL,
    BBR_PROBE_BW_UP,
    BBR_PROBE_RTT,
    BBR_NO_STATE
};
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING
};

/* RS: of the newest acknowledgment, or of a segment that was lost. */
struct bbr_sample {
    ltcp_time now, rtt;
    uint64_t delivery_rate, delivered, lost, tx_in_flight, prior_delivered;
    uint64_t prior_in_flight;
    uint32_t newly_acked;
    bool is_app_limited, valid;
};

struct bbr {
    struct bbr_filter max_bw_filter, extra_acked_filter;
    uint64_t max_bw, bw_shortterm, bw, bw_latest, full_bw;
    uint64_t inflight_longterm, inflight_shortterm, inflight_latest, extra_acked;
    uint64_t undo_bw_shortterm, undo_inflight_shortterm, undo_inflight_longterm;
    uint64_t delivered; /* C.delivered, as last heard */
    uint64_t next_round_delivered, loss_round_delivered, recovery_delivered;
    uint64_t extra_acked_delivered, bw_probe_up_acked, probe_up_acked_per_inc;
    ltcp_time min_rtt, min_rtt_stamp; /* LTCP_NEVER: "Infinity" */
    ltcp_time probe_rtt_min_delay, probe_rtt_min_stamp, probe_rtt_done_stamp;
    ltcp_time extra_acked_interval_start, cycle_stamp, bw_probe_wait;
    uint32_t round_count, cycle_count, drain_start_round, rounds_since_probe_up;
    uint32_t bw_probe_up_rounds, send_quantum, prior_cwnd, in_flight, random;
    ltcp_seq lost_range_end;
    uint8_t state, told_state, undo_state, ack_phase, full_bw_count, lost_ranges;
    bool round_start, loss_round_start, is_loss_in_round, is_bw_probe_sample;
    bool full_bw_now, full_bw_reached, prev_probe_too_high, prev_probe_precautionary;
    bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
    bool limited_this_round, limited_last_round; /* C.is_cwnd_limited */
    bool recovering, timed_out, saved, seen_rtt;
};

static inline bool bbr_is_cwnd_limited(const struct bbr *b)
{
    return b->limited_this_round || b->limited_last_round;
}
static inline bool bbr_is_in_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_PROBE_BW_DOWN && b->state <= BBR_PROBE_BW_UP;
}
static inline uint64_t bbr_min_pipe_cwnd(const struct ltcp_congestion *cc)
{
    return 4 * (uint64_t)cc->mss;
}
static inline void bbr_start_round(struct bbr *b)
{
    b->next_round_delivered = b->delivered;
}
static inline void bbr_reset_full_bw(struct bbr *b)
{
    b->full_bw = 0;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

/* ---- bbr_signals.c ----------------------------------------------------------------------------
 */
uint64_t bbr_bdp_multiple(const struct bbr *b, const struct ltcp_congestion *cc, uint64_t bw,
                          uint32_t gain);
uint64_t bbr_target_inflight(const struct bbr *b, const struct ltcp_congestion *cc);
void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_short_term_model(struct bbr *b);
/* "Near start of ACK processing", and near its end. */
void bbr_update_latest_delivery_signals(struct bbr *b, const struct bbr_sample *rs);
void bbr_advance_latest_delivery_signals(struct bbr *b, const struct bbr_sample *rs);
void bbr_update_congestion_signals(struct bbr *b, const struct ltcp_congestion *cc,
                                   const struct bbr_sample *rs);
void bbr_update_ack_aggregation(struct bbr *b, const struct ltcp_congestion *cc,
                                const struct bbr_sample *rs);
void bbr_check_full_bw_reached(struct bbr *b, const struct bbr_sample *rs);
void bbr_update_min_rtt(struct bbr *b, const struct bbr_sample *rs);
bool bbr_is_inflight_too_high(const struct ltcp_congestion *cc, const struct bbr_sample *rs);
/* Of a segment that was lost: with how much in flight did losses cross LossThresh? */
uint64_t bbr_inflight_at_loss(const struct bbr_sample *rs, uint32_t size);
void bbr_save_cwnd(struct bbr *b, const struct ltcp_congestion *cc);
void bbr_save_state_upon_loss(struct bbr *b, const struct ltcp_congestion *cc);
/* A loss, or a mark. */
void bbr_note_loss(struct bbr *b);

#endif
