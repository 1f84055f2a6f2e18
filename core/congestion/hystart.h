/* core/congestion/hystart.h
 *
 * HyStart++ (RFC 9406): leaves slow start when the RTT of a round has grown, first for a slower
 * growth (CSS) that finds out whether the growth of the RTT was only jitter. */
#ifndef LUNATCP_CONGESTION_HYSTART_H
#define LUNATCP_CONGESTION_HYSTART_H

#include "lunatcp/congestion.h"

/* Section 4.2's variables. A minimum of 0 stands for "infinity". */
struct hystart {
    ltcp_time last_round_min_rtt, current_round_min_rtt, css_baseline_min_rtt;
    ltcp_seq window_end;
    uint16_t rtt_sample_count;
    uint8_t css_rounds; /* that CSS has lasted, the present one included; 0: not in CSS */
    bool started;       /* window_end is set */
    bool done;          /* slow start was left once: from then on plain slow start */
    /* The first form only. */
    bool classic;
    ltcp_time round_began, last_ack;
};

/* An ACK in slow start: by how many octets cwnd grows. Sets ssthresh to cwnd, what it has grown by
 * included, when congestion avoidance is to begin. */
uint32_t hystart_on_ack(struct hystart *h, struct ltcp_congestion *cc,
                        const struct ltcp_ack_sample *ack);

/* The first form of HyStart (Ha and Rhee, 2008), as Linux has it, for an ACK in slow start, also
 * one that finds the window half used: slow start ends at once, when even the least of a round's
 * RTTs is higher by an eighth, or when its ACKs have come in a train for longer than the path needs
 * to hold them. True: it does, and ssthresh is cwnd. */
bool hystart_classic_ends(struct hystart *h, struct ltcp_congestion *cc,
                          const struct ltcp_ack_sample *ack);

#endif
