/* core/congestion/validation.c - RFC 7661 section 4. */
#include "congestion/validation.h"

#define NVP (300 * LTCP_SECOND) /* section 5: five minutes */

/* "immediately after loss recovery ... set to the undefined value" (section 4.2). */
static void forget(struct validation *v)
{
    for (int i = 0; i < VALIDATION_PERIODS; i++)
        v->highest[i] = 0;
    v->pipe_ack = 0;
    v->since = -1;
    v->defined = v->in_round = false;
}

void validation_start(struct validation *v)
{
    forget(v);
    v->used = 0;
}

/* pipeACK is the greatest sample of the last Max(3*RTT, 1 second); older ones fall out.
 * RFC7661:4.2-3 */
static void turn(struct validation *v, ltcp_time now, ltcp_time srtt)
{
    const ltcp_time period = (3 * srtt > LTCP_SECOND ? 3 * srtt : LTCP_SECOND) / VALIDATION_PERIODS;
    for (int turns = 0; now - v->period_start >= period; turns++) {
        for (int i = VALIDATION_PERIODS - 1; i > 0; i--)
            v->highest[i] = v->highest[i - 1];
        v->highest[0] = 0;
        v->period_start = turns < VALIDATION_PERIODS ? v->period_start + period : now;
    }
    v->pipe_ack = 0;
    for (int i = 0; i < VALIDATION_PERIODS; i++)
        if (v->highest[i] > v->pipe_ack) v->pipe_ack = v->highest[i];
}

/* Sections 4.3 and 4.4.3. RFC7661:4.3-1 RFC7661:4.3-3 RFC7661:4.4.3-1 */
static void judge(struct validation *v, struct ltcp_congestion *cc, ltcp_time now)
{
    const bool validated = !v->defined || v->pipe_ack >= cc->cwnd / 2;
    if (validated != (v->since < 0)) {
        v->since = validated ? -1 : now;
        cc->tells |= LTCP_CC_JUDGED;
    }
    if (validated) return;
    if (now - v->since <= NVP) return;
    const uint32_t sustained = cc->cwnd - cc->cwnd / 4;
    if (cc->ssthresh < sustained) cc->ssthresh = sustained;
    if (cc->cwnd / 2 > cc->initial_window)
        cc->cwnd /= 2;
    else if (cc->cwnd > cc->initial_window)
        cc->cwnd = cc->initial_window;
    v->since = now;
}

/* RFC7661:4.2-2 */
void validation_on_ack(struct validation *v, struct ltcp_congestion *cc,
                       const struct ltcp_ack_sample *ack)
{
    v->lost = ack->lost;
    if (ack->in_recovery || ack->in_loss) return; /* RFC7661:4.2-1 */
    const bool ends = v->in_round && !seq_lt(ack->una, v->round_end);
    if (!v->in_round || ends) {
        if (!v->defined) v->period_start = ack->now;
        turn(v, ack->now, ack->srtt);
        const uint64_t sample = ack->delivered - v->round_delivered;
        if (ends && sample > v->highest[0])
            v->highest[0] = sample < UINT32_MAX ? (uint32_t)sample : UINT32_MAX;
        if (v->highest[0] > v->pipe_ack) v->pipe_ack = v->highest[0];
        v->defined = v->defined || ends;
        v->in_round = true;
        v->round_end = ack->nxt;
        v->round_delivered = ack->delivered;
    }
    judge(v, cc, ack->now);
}

void validation_on_idle(struct validation *v, struct ltcp_congestion *cc, ltcp_time now)
{
    v->in_round = false;
    turn(v, now, 0);
    judge(v, cc, now);
}

/* RFC7661:4.4.1-1 */
void validation_on_loss(struct validation *v, struct ltcp_congestion *cc, uint32_t flight)
{
    const bool validated = v->since < 0;
    const uint32_t used = v->pipe_ack > flight ? v->pipe_ack : flight;
    forget(v);
    if (validated) return;
    v->used = used;
    v->round_delivered = v->lost; /* C.lost where recovery began */
    cc->cwnd = used / 2 > cc->mss ? used / 2 : cc->mss;
}

/* R is what was held to be lost, and so sent again, since. RFC7661:4.4.1-2 RFC7661:4.4.1-3
 * RFC7661:4.4.1-4 */
void validation_on_recovered(struct validation *v, struct ltcp_congestion *cc)
{
    const uint32_t used = v->used;
    const uint64_t r = v->lost - v->round_delivered;
    validation_start(v);
    if (used == 0) return;
    const uint32_t left = r < used ? (used - (uint32_t)r) / 2 : 0;
    cc->cwnd = left > cc->mss ? left : cc->mss;
    cc->ssthresh = cc->cwnd;
}
