/* core/congestion/window.h - what RFC 5681 says of every window. */
#ifndef LUNATCP_CONGESTION_WINDOW_H
#define LUNATCP_CONGESTION_WINDOW_H

#include "lunatcp/congestion.h"

/* Section 3.1, equation (4) and section 3.2: "no more than ... max (FlightSize / 2, 2*SMSS)". */
static inline uint32_t window_at_least_two(const struct ltcp_congestion *cc, uint32_t octets)
{
    return octets > 2 * cc->mss ? octets : 2 * cc->mss;
}

/* Section 3.1, equation (2): cwnd += min(N, SMSS); with byte counting N, up to ssthresh.
 * RFC5681:3.1-8 */
static inline uint32_t window_slow_start(const struct ltcp_congestion *cc, uint32_t acked)
{
    if (!(cc->switches & LTCP_CC_BYTE_COUNTING)) return acked < cc->mss ? acked : cc->mss;
    const uint32_t room = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;
    return acked < room ? acked : room;
}

/* Section 3.1: one SMSS for each window that was acknowledged, counted in octets. RFC5681:3.1-10
 * RFC5681:3.1-11 */
static inline void window_congestion_avoidance(struct ltcp_congestion *cc, uint32_t acked)
{
    cc->acked += acked;
    if (cc->acked < cc->cwnd) return;
    cc->acked -= cc->cwnd;
    cc->cwnd += cc->mss;
}

#endif
