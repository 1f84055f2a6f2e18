/* core/include/lunatcp/queue.h
 *
 * The queue before a path's rate. Drop-tail is first in, first out, up to a limit; the others
 * manage the queue actively (RFC 7567): they tell of congestion before the queue is full, by
 * setting CE in packets of an ECN-capable transport (RFC 3168 section 5) and by dropping the
 * others. What such a queue counts and limits are the packets that wait; the one whose bits are
 * just leaving is not in it. */
#ifndef LUNATCP_QUEUE_H
#define LUNATCP_QUEUE_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ltcp_queue_kind {
    LTCP_QUEUE_DROP_TAIL,
    LTCP_QUEUE_RED,      /* Floyd and Jacobson 1993, with the gentle slope; RFC 3168 section 7 */
    LTCP_QUEUE_CODEL,    /* RFC 8289 */
    LTCP_QUEUE_FQ_CODEL, /* RFC 8290 */
    LTCP_QUEUE_PIE,      /* RFC 8033 */
    LTCP_QUEUE_STEP,     /* a threshold: RFC 8257 section 3.1 */
    LTCP_QUEUE_DUALPI2,  /* RFC 9332 appendix A */
    LTCP_QUEUE_KINDS
};
const char *ltcp_queue_name(enum ltcp_queue_kind kind); /* "drop_tail", "red", ... */

/* What each kind looks at; the rest is ignored. ltcp_queue_defaults knows the RFCs' own figures. */
struct ltcp_queue_config {
    enum ltcp_queue_kind kind;
    bool ecn; /* mark what is ECN-capable; false: drop it too. DualPI2 always marks */

    /* CoDel, FQ-CoDel: the sojourn time that is accepted (5 ms), and the window in which its
     * minimum is sought (100 ms). PIE, DualPI2: QDELAY_REF or target (15 ms), and the time between
     * two updates of the probability: T_UPDATE (15 ms), Tupdate (0: the lesser of target and
     * rtt_most / 3). */
    ltcp_time target, interval;
    ltcp_time ce_threshold; /* CoDel, FQ-CoDel: a sojourn above it marks; LTCP_NEVER: off */
    uint32_t packet_size;   /* the greatest packet of the link, 1,500: CoDel's maxpacket, DualPI2's
                             * MTU; for PIE and RED the mean packet */

    uint32_t flows;   /* FQ-CoDel: buckets (1,024) */
    uint32_t quantum; /* FQ-CoDel: octets a turn (1,514) */

    /* RED. Thresholds of the average queue, in packets or octets; the other figures are out of
     * 2^32. `gentle`: the probability goes on from max_probability to 1 between max and twice max.
     */
    uint32_t min_threshold, max_threshold;
    bool in_bytes;
    uint64_t weight, max_probability;
    bool gentle;

    /* PIE, DualPI2: the gains in 1 / 65,536 of a Hertz; DualPI2's 0: from rtt_most, as its appendix
     * A has it. */
    uint32_t alpha, beta;
    ltcp_time burst;        /* PIE: MAX_BURST (150 ms) */
    uint64_t ecn_threshold; /* PIE: mark_ecnth, out of 2^32 (10 %): above, all are dropped */
    bool derandomize;       /* PIE: section 5.4 (false) */

    /* Step: marks when more than this waits. Packets or octets: as found by a packet that arrives;
     * LTCP_STEP_OFF: no such threshold. Time: how long a packet that leaves has waited; LTCP_NEVER:
     * no such threshold. */
    uint32_t step_packets, step_bytes;
    ltcp_time step_time;
    bool drop_not_ect; /* over the threshold what cannot be marked is dropped (true) */

    /* DualPI2. */
    ltcp_time rtt_most;                /* RTT_max (100 ms) */
    ltcp_time ramp_start, ramp_length; /* minTh (800 us), range (400 us); range 0: a step */
    uint32_t ramp_packets;             /* Th_len (1) */
    uint32_t coupling;                 /* k (2) */
    uint32_t classic_weight;           /* the scheduler's: one octet of so many (16) */
};

#define LTCP_STEP_OFF UINT32_MAX

/* The figures of a kind, as its document gives them. */
void ltcp_queue_defaults(struct ltcp_queue_config *config, enum ltcp_queue_kind kind);
/* The limit in packets that goes with them; 0: none. */
uint32_t ltcp_queue_default_limit(enum ltcp_queue_kind kind);

/* How long packets waited before their first bit left. Bin b counts waits from 2^(b/4) * (1 +
 * (b%4)/4) microseconds to the next bin's; the first two octaves have bins for whole ones. */
#define LTCP_SOJOURN_BINS 104
struct ltcp_sojourn {
    uint64_t packets;
    uint64_t sum; /* ns */
    ltcp_time greatest;
    uint32_t bins[LTCP_SOJOURN_BINS];
};
/* The wait that `percent` of the packets did not exceed, to the upper edge of its bin and never
 * above the greatest. */
ltcp_time ltcp_sojourn_percentile(const struct ltcp_sojourn *sojourn, unsigned percent);

struct ltcp_queue_counters {
    uint64_t marked;    /* CE set by the queue's algorithm */
    uint64_t early;     /* dropped by it (LTCP_DROP_AQM) */
    uint64_t overflow;  /* dropped because the queue was full (LTCP_DROP_QUEUE) */
    uint64_t new_flows; /* FQ-CoDel: how often a flow became active */
    /* DualPI2: [0] is the Classic, [1] the L4S queue. Others: all are in [0]. */
    uint64_t marked_of[2], early_of[2];
    uint64_t early_ect_of[2]; /* those of `early_of` that were ECN-capable */
    uint64_t bytes_of[2];     /* of IP packets whose first bit has left */
    struct ltcp_sojourn sojourn[2];
};

/* What the algorithm thinks at the moment; 0 where a kind has no such figure. */
struct ltcp_queue_state {
    enum ltcp_queue_kind kind;
    uint32_t packets, bytes;   /* that wait */
    uint64_t probability;      /* out of 2^32: RED's p_b, PIE's drop_prob_, DualPI2's p_C */
    uint64_t base, coupled;    /* DualPI2: p' and p_CL */
    uint64_t average;          /* RED: of the queue, in 1 / 65,536 */
    ltcp_time delay;           /* PIE, DualPI2: the newest sample of the queuing delay */
    ltcp_time burst_allowance; /* PIE */
    bool dropping;             /* CoDel: in its drop state, */
    uint32_t count;            /* and the count of it */
    uint32_t flows_new, flows_old;
    uint32_t queue_packets[2]; /* DualPI2: Classic, L4S */
    /* DualPI2, RFC 9332 section 2.5.2.3: how often p_CL came to 1, how long it was there in all,
     * and since when it is; LTCP_NEVER: it is not. */
    uint64_t overloads;
    ltcp_time overload_time, overload_since;
};

#ifdef __cplusplus
}
#endif
#endif
