/* core/congestion/cubic_segments.c - CUBIC's congestion avoidance, counted as Linux counts. */
#include "congestion/cubic_segments.h"

#define LOOK_EVERY   (LTCP_SECOND / 32)
#define EVERY_LEAST  2   /* half a segment an acknowledged one: 1.5 windows in a round trip */
#define EVERY_FRESH  20  /* at most, as long as there was no loss */
#define EVERY_LONG   100 /* windows, where the curve is not above the present one */
#define RENO_EIGHTHS 15  /* (1 + beta) / (3 (1 - beta)), section 4.3, in eighths of a window */

void cubic_segments_begin(struct cubic_segments *s, const struct ltcp_congestion *cc,
                          uint32_t w_max)
{
    const uint32_t window = cc->cwnd / cc->mss, before = w_max / cc->mss;
    const bool below = before > window;
    s->origin = below ? before : window;
    s->k = below ? cubic_period((before - window) * cc->mss, cc->mss) : 0;
    s->w_est = window;
    s->counted = 0;
    s->looked = -1;
}

/* The curve in whole segments: as far from the origin as whole segments are. */
static uint32_t curve(const struct cubic_segments *s, uint32_t mss, ltcp_time t)
{
    const uint32_t when = cubic_ticks(t);
    const uint32_t octets = cubic_curve(s->origin * mss, s->k, when, mss);
    return when < s->k ? (octets + mss - 1) / mss : octets / mss;
}

static uint32_t every_by_curve(uint32_t window, uint32_t target, bool fresh)
{
    const uint32_t every = target > window ? window / (target - window) : EVERY_LONG * window;
    return fresh && every > EVERY_FRESH ? EVERY_FRESH : every;
}

/* Section 4.3: Reno's window has grown by what was acknowledged since it did. */
static void grow_estimate(struct cubic_segments *s, uint32_t window, uint32_t mss)
{
    const uint64_t share = (uint64_t)(window * RENO_EIGHTHS / 8) * mss;
    if (share == 0 || s->counted <= share) return;
    const uint32_t steps = (uint32_t)((s->counted - 1) / share);
    s->counted -= (uint32_t)(steps * share);
    s->w_est += steps;
}

static void look(struct cubic_segments *s, const struct ltcp_congestion *cc,
                 const struct ltcp_ack_sample *ack, ltcp_time t, bool fresh)
{
    const uint32_t window = cc->cwnd / cc->mss;
    const bool first = s->looked < 0;
    if (!first && s->seen == window && t - s->looked <= LOOK_EVERY) return;
    if (first || t != s->looked) {
        s->seen = window;
        s->looked = t;
        s->every = every_by_curve(window, curve(s, cc->mss, t + ack->min_rtt), fresh);
    }
    grow_estimate(s, window, cc->mss);
    s->friendly = false;
    if (s->w_est > window) {
        const uint32_t every = window / (s->w_est - window);
        s->friendly = every < s->every;
        if (s->friendly) s->every = every;
    }
    if (s->every < EVERY_LEAST) s->every = EVERY_LEAST;
}

/* cc->acked counts octets towards the next segment. */
static void grow(struct cubic_segments *s, struct ltcp_congestion *cc, uint32_t acked)
{
    const uint64_t share = (uint64_t)s->every * cc->mss;
    if (cc->acked >= share) { /* `every` was more when they were counted */
        cc->acked = 0;
        cc->cwnd += cc->mss;
    }
    const uint64_t counted = (uint64_t)cc->acked + acked, steps = counted / share;
    const uint64_t left = counted % share;
    cc->acked = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
    if (cc->cwnd < UINT32_MAX / 2) cc->cwnd += (uint32_t)steps * cc->mss;
}

void cubic_segments_on_ack(struct cubic_segments *s, struct ltcp_congestion *cc,
                           const struct ltcp_ack_sample *ack, ltcp_time t, uint32_t acked,
                           bool fresh)
{
    s->counted = s->counted < UINT32_MAX - acked ? s->counted + acked : UINT32_MAX;
    look(s, cc, ack, t, fresh);
    grow(s, cc, acked);
}
