/* core/network/queue/codel.h
 *
 * CoDel's law over one first-in first-out queue (RFC 8289), for the queue by itself and for each
 * flow of FQ-CoDel (RFC 8290). */
#ifndef LUNATCP_NETWORK_QUEUE_CODEL_H
#define LUNATCP_NETWORK_QUEUE_CODEL_H

#include "aqm.h"

/* RFC 8289 section 5.2. LTCP_NEVER: no time set. */
struct codel {
    ltcp_time first_above_time, drop_next;
    uint32_t count, lastcount;
    bool dropping;
};

void codel_start(struct codel *codel);
/* RFC 8289 section 5.5, with marks where they can be set instead of drops. False: the queue is
 * empty by now. */
bool codel_dequeue(struct codel *codel, struct aqm *aqm, struct fifo *fifo, ltcp_time now,
                   struct waiting *out);
/* RFC 8289 section 5.6: interval / sqrt(count), rounded down. */
ltcp_time codel_law(ltcp_time interval, uint32_t count);
void codel_digest(const struct codel *codel, struct digest *d, ltcp_time now);

#endif
