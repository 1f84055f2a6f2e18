/* core/congestion/validation.h
 *
 * Congestion window validation (RFC 7661): whether the network was shown lately to hold what the
 * window allows. A window that was not is kept for a while, and given up at the first loss. */
#ifndef LUNATCP_CONGESTION_VALIDATION_H
#define LUNATCP_CONGESTION_VALIDATION_H

#include "lunatcp/congestion.h"

#define VALIDATION_PERIODS 5 /* of the pipeACK Sampling Period (section 4.5.1) */

struct validation {
    uint32_t highest[VALIDATION_PERIODS]; /* pipeACK samples, the greatest of each period */
    uint32_t pipe_ack;
    uint32_t used; /* Max(pipeACK, LossFlightSize) of a loss in the non-validated phase; 0: none */
    uint64_t round_delivered, lost;
    ltcp_time period_start, since; /* since: the non-validated phase lasts; -1: it does not */
    ltcp_seq round_end;
    bool defined, in_round;
};

void validation_start(struct validation *v);
/* pipeACK, and the phase; section 4.4.3 when the non-validated period is over. */
void validation_on_ack(struct validation *v, struct ltcp_congestion *cc,
                       const struct ltcp_ack_sample *ack);
/* Nothing was sent for a while: the window is kept until the non-validated period is over. */
void validation_on_idle(struct validation *v, struct ltcp_congestion *cc, ltcp_time now);
/* After the usual reduction: section 4.4.1. */
void validation_on_loss(struct validation *v, struct ltcp_congestion *cc, uint32_t flight);
void validation_on_recovered(struct validation *v, struct ltcp_congestion *cc);

#endif
