/* core/congestion/hystart.c - RFC 9406 section 4.2, with section 4.3's constants. */
#include "congestion/hystart.h"

/* RFC9406:4.3-1 RFC9406:4.3-4 */
#define MIN_RTT_THRESH     (4 * LTCP_MILLISECOND)
#define MAX_RTT_THRESH     (16 * LTCP_MILLISECOND)
#define MIN_RTT_DIVISOR    8
#define N_RTT_SAMPLE       8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS         5
#define L                  8 /* segments an ACK; without bound where the sender paces */

/* RFC9406:4.2-4 */
static ltcp_time clamp(ltcp_time least, ltcp_time value, ltcp_time most)
{
    if (value > most) value = most;
    return value < least ? least : value;
}

/* "At the start of each round": false as long as the last one lasts. RFC9406:4.2-1 */
static bool round_ended(struct hystart *h, const struct ltcp_ack_sample *ack)
{
    if (h->started && seq_lt(ack->una, h->window_end)) return false;
    const bool first = !h->started;
    h->started = true;
    h->window_end = ack->nxt;
    h->last_round_min_rtt = h->current_round_min_rtt;
    h->current_round_min_rtt = 0;
    h->rtt_sample_count = 0;
    return !first;
}

/* RFC9406:4.3-5 */
static void take_sample(struct hystart *h, ltcp_time rtt)
{
    if (rtt < 0) return;
    if (rtt == 0) rtt = 1;
    if (h->current_round_min_rtt == 0 || rtt < h->current_round_min_rtt)
        h->current_round_min_rtt = rtt;
    if (h->rtt_sample_count < UINT16_MAX) h->rtt_sample_count++;
}

/* Slow start: has the RTT grown by more than the threshold since the last round? RFC9406:4.2-3 */
static void look_for_delay(struct hystart *h)
{
    if (h->rtt_sample_count < N_RTT_SAMPLE || h->last_round_min_rtt == 0) return;
    const ltcp_time thresh =
        clamp(MIN_RTT_THRESH, h->last_round_min_rtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH);
    if (h->current_round_min_rtt < h->last_round_min_rtt + thresh) return;
    h->css_baseline_min_rtt = h->current_round_min_rtt;
    h->css_rounds = 1; /* "that partial round counts towards the number of rounds" */
}

/* CSS: did the RTT fall again, so that the exit was spurious? RFC9406:4.2-6 */
static void look_for_relief(struct hystart *h)
{
    if (h->rtt_sample_count < N_RTT_SAMPLE || h->current_round_min_rtt >= h->css_baseline_min_rtt)
        return;
    h->css_baseline_min_rtt = 0;
    h->css_rounds = 0;
}

/* RFC9406:4.2-2 RFC9406:4.2-5 RFC9406:4.2-7 RFC9406:4.3-3 */
uint32_t hystart_on_ack(struct hystart *h, struct ltcp_congestion *cc,
                        const struct ltcp_ack_sample *ack)
{
    if (round_ended(h, ack) && h->css_rounds > 0) h->css_rounds++;
    if (h->css_rounds > CSS_ROUNDS) {
        h->done = true;
        h->css_rounds = 0;
        cc->ssthresh = cc->cwnd;
        return 0;
    }
    uint32_t growth = ack->bytes_acked;
    const bool bounded = !(cc->switches & (LTCP_CC_PACED | LTCP_CC_BYTE_COUNTING));
    if (bounded && growth > L * cc->mss) growth = L * cc->mss;
    if (h->css_rounds > 0) growth /= CSS_GROWTH_DIVISOR;
    take_sample(h, ack->rtt);
    if (h->css_rounds == 0)
        look_for_delay(h);
    else
        look_for_relief(h);
    return growth;
}

/* ---- the first form -----------------------------------------------------------------------------
 */

#define WINDOW_LEAST 16 /* segments: below, nothing is looked at */
#define TRAIN_GAP    (2 * LTCP_MILLISECOND)

static void classic_round(struct hystart *h, const struct ltcp_ack_sample *ack)
{
    if (h->started && seq_le(ack->una, h->window_end)) return;
    h->started = true;
    h->window_end = ack->nxt;
    h->round_began = h->last_ack = ack->now;
    h->current_round_min_rtt = 0;
    h->rtt_sample_count = 0;
}

/* Not paced, a whole window leaves as a train; its ACKs then come at the rate of the bottleneck,
 * and for half of the least RTT at most while the path is not full. */
static bool train_is_long(struct hystart *h, const struct ltcp_congestion *cc,
                          const struct ltcp_ack_sample *ack)
{
    if (ack->now - h->last_ack > TRAIN_GAP) return false;
    h->last_ack = ack->now;
    const ltcp_time most = cc->switches & LTCP_CC_PACED ? ack->min_rtt : ack->min_rtt / 2;
    return ack->now - h->round_began > most;
}

static bool delay_has_grown(struct hystart *h, const struct ltcp_ack_sample *ack)
{
    const uint16_t before = h->rtt_sample_count;
    take_sample(h, ack->rtt);
    if (before < N_RTT_SAMPLE || h->rtt_sample_count == before) return false;
    const ltcp_time thresh = clamp(MIN_RTT_THRESH, ack->min_rtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH);
    return h->current_round_min_rtt > ack->min_rtt + thresh;
}

bool hystart_classic_ends(struct hystart *h, struct ltcp_congestion *cc,
                          const struct ltcp_ack_sample *ack)
{
    if (cc->cwnd < WINDOW_LEAST * cc->mss) return false;
    classic_round(h, ack);
    const bool train = train_is_long(h, cc, ack);
    if (!delay_has_grown(h, ack) && !train) return false;
    h->done = true;
    cc->ssthresh = cc->cwnd;
    return true;
}
