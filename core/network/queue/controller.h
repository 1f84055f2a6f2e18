/* core/network/queue/controller.h
 *
 * The proportional-integral controller of PIE (RFC 8033 section 4.2) and DualPI2 (RFC 9332 appendix
 * A.1), in integers: probabilities are out of 2^40, gains are in 1 / 65,536 of a Hertz. */
#ifndef LUNATCP_NETWORK_QUEUE_CONTROLLER_H
#define LUNATCP_NETWORK_QUEUE_CONTROLLER_H

#include "lunatcp/types.h"

#define CERTAIN_40 (INT64_C(1) << 40)
/* Delays count up to here: more would change a probability by more than 1 at any gain in use, and
 * could overflow. */
#define GREATEST_ERROR (8 * LTCP_SECOND)

/* gain * error, out of 2^40. The gain is at most 2^30. */
static inline int64_t controller_term(uint32_t gain, ltcp_time error)
{
    if (error > GREATEST_ERROR) error = GREATEST_ERROR;
    if (error < -GREATEST_ERROR) error = -GREATEST_ERROR;
    const int64_t product = (int64_t)gain * error; /* below 2^63 */
    const int64_t scale = INT64_C(1) << 24;
    return product / LTCP_SECOND * scale + product % LTCP_SECOND * scale / LTCP_SECOND;
}

/* alpha * (delay - target) + beta * (delay - old). */
static inline int64_t controller_change(uint32_t alpha, uint32_t beta, ltcp_time delay,
                                        ltcp_time old, ltcp_time target)
{
    return controller_term(alpha, delay - target) + controller_term(beta, delay - old);
}

static inline int64_t probability_bound(int64_t p)
{
    return p < 0 ? 0 : p > CERTAIN_40 ? CERTAIN_40 : p;
}

#endif
