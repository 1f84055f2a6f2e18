/* core/congestion/cubic_segments.h
 *
 * CUBIC's congestion avoidance as Linux has it: windows of whole segments, and a curve that is
 * looked at 32 times a second. RFC 9438 leaves both to who implements it (section 5.1); a window
 * then rises a few acknowledgments later than by its formulas. The setting `cubic_segments`. */
#ifndef LUNATCP_CONGESTION_CUBIC_SEGMENTS_H
#define LUNATCP_CONGESTION_CUBIC_SEGMENTS_H

#include "lunatcp/congestion.h"

/* Windows are in segments. */
struct cubic_segments {
    uint32_t every;   /* one more segment for so many that are acknowledged */
    uint32_t origin;  /* W_max of this epoch, or where it began above that */
    uint32_t k;       /* K, in ticks of 2^-16 s */
    uint32_t w_est;   /* what Reno's window would be */
    uint32_t counted; /* octets acknowledged that w_est has not grown by */
    uint32_t seen;    /* the window when the curve was looked at last, ... */
    ltcp_time looked; /* ... and when, since the epoch began; -1: never in it */
    bool friendly;    /* w_est is above the curve */
};

/* An epoch begins at cc->cwnd; `w_max` octets, 0: there was no loss. */
void cubic_segments_begin(struct cubic_segments *s, const struct ltcp_congestion *cc,
                          uint32_t w_max);
/* `t` after the epoch began `acked` octets are acknowledged; cc->cwnd grows. `fresh`: no loss has
 * said yet how far it may. */
void cubic_segments_on_ack(struct cubic_segments *s, struct ltcp_congestion *cc,
                           const struct ltcp_ack_sample *ack, ltcp_time t, uint32_t acked,
                           bool fresh);

/* cubic.c: RFC 9438's equations (2) and (1); distances and windows in octets, times in ticks. */
uint32_t cubic_period(uint32_t distance, uint32_t mss);
uint32_t cubic_curve(uint32_t origin, uint32_t k, uint32_t t, uint32_t mss);
uint32_t cubic_ticks(ltcp_time time);

#endif
