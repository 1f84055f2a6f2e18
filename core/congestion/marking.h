/* core/congestion/marking.h
 *
 * How much of what is sent meets congestion: DCTCP.Alpha of RFC 8257 section 3.3, for DCTCP and
 * for Prague. */
#ifndef LUNATCP_CONGESTION_MARKING_H
#define LUNATCP_CONGESTION_MARKING_H

#include "congestion/window.h"

#define MARKING_ONE 1048576u /* an alpha of 1 */

struct marking {
    uint64_t bytes_acked, bytes_marked; /* in this observation window */
    uint32_t alpha;
    ltcp_seq window_end; /* of the observation window */
    ltcp_seq reduced_to; /* no second reduction for the window before it */
    bool observing, reduced;
};

/* Steps 1 to 8, with a gain g of 1/16. Alpha comes down to 0 (section 4.1 warns of truncation).
 * `hold`: the window does not end yet. RFC8257:3.3-1 RFC8257:4.2-1 */
static inline void marking_observe(struct marking *m, const struct ltcp_ack_sample *ack, bool hold)
{
    if (!m->observing) {
        m->observing = true;
        m->window_end = ack->nxt;
    }
    m->bytes_acked += ack->bytes_acked;
    m->bytes_marked += ack->ce_bytes;
    if (hold || seq_lt(ack->una, m->window_end) || m->bytes_acked == 0) return;
    const uint32_t fraction = (uint32_t)(m->bytes_marked * MARKING_ONE / m->bytes_acked);
    m->alpha = m->alpha - (m->alpha + 15) / 16 + fraction / 16;
    m->window_end = ack->nxt;
    m->bytes_acked = m->bytes_marked = 0;
}

/* Is this the first mark of a window of data (RFC 3168 section 6.1.2)? */
static inline bool marking_begins(struct marking *m, const struct ltcp_ack_sample *ack)
{
    if (ack->ce_bytes == 0 || (m->reduced && seq_lt(ack->una, m->reduced_to))) return false;
    m->reduced = true;
    m->reduced_to = ack->nxt;
    return true;
}

/* Step 9: cwnd = cwnd * (1 - DCTCP.Alpha / 2), two segments at least. RFC8257:3.3-9 */
static inline void marking_reduce(const struct marking *m, struct ltcp_congestion *cc)
{
    const uint32_t cut = (uint32_t)((uint64_t)cc->cwnd * m->alpha / (2 * MARKING_ONE));
    cc->cwnd = window_at_least_two(cc, cc->cwnd - cut);
    cc->ssthresh = cc->cwnd;
    cc->acked = 0;
    cc->tells |= LTCP_CC_REDUCED;
}

#endif
