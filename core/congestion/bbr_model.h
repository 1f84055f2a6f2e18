/* core/congestion/bbr_model.h - arithmetic and filters of both versions of BBR. Rates are octets a
 * second, gains are in units of 1/256. */
#ifndef LUNATCP_CONGESTION_BBR_MODEL_H
#define LUNATCP_CONGESTION_BBR_MODEL_H

#include "lunatcp/congestion.h"

#define BBR_UNIT 256u /* a gain of 1 */

static inline uint64_t bbr_rate(uint64_t octets, ltcp_time interval)
{
    if (interval <= 0) return 0;
    const uint64_t most = UINT64_MAX / LTCP_SECOND;
    return (octets < most ? octets : most) * LTCP_SECOND / (uint64_t)interval;
}

/* What passes at `rate` within `time`, which counts up to 2^26 us here. */
static inline uint64_t bbr_volume(uint64_t rate, ltcp_time time)
{
    const uint64_t longest = (uint64_t)1 << 26, fastest = (uint64_t)1 << 37;
    uint64_t us = time > 0 ? (uint64_t)time / LTCP_MICROSECOND : 0;
    if (us > longest) us = longest;
    if (rate > fastest) rate = fastest;
    return rate * us / 1000000;
}

static inline uint64_t bbr_scale(uint64_t value, uint32_t gain)
{
    return value * gain / BBR_UNIT;
}

static inline uint64_t bbr_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t bbr_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint32_t bbr_window(uint64_t octets)
{
    return octets > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)octets;
}

/* The greatest value of the last `window` periods, exactly: one slot a period. */
#define BBR_FILTER_SLOTS 10
struct bbr_filter {
    uint64_t slot[BBR_FILTER_SLOTS];
    uint32_t period; /* the newest one there is something of */
};

static inline uint64_t bbr_filter_max(const struct bbr_filter *f, uint32_t window)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < window && i < BBR_FILTER_SLOTS && i <= f->period; i++)
        most = bbr_max(most, f->slot[(f->period - i) % BBR_FILTER_SLOTS]);
    return most;
}

static inline void bbr_filter_advance(struct bbr_filter *f, uint32_t period)
{
    for (uint32_t i = 0; f->period != period && i < BBR_FILTER_SLOTS; i++)
        f->slot[++f->period % BBR_FILTER_SLOTS] = 0;
    f->period = period;
}

static inline uint64_t bbr_filter_update(struct bbr_filter *f, uint64_t value, uint32_t period,
                                         uint32_t window)
{
    bbr_filter_advance(f, period);
    uint64_t *slot = &f->slot[period % BBR_FILTER_SLOTS];
    *slot = bbr_max(*slot, value);
    return bbr_filter_max(f, window);
}

/* Randomized waits and phases: numbers that differ between connections. */
static inline uint32_t bbr_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

#endif
