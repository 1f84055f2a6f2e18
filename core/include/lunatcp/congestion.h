/* core/include/lunatcp/congestion.h
 *
 * A congestion control decides how much may be in flight, and how fast it leaves; what is lost and
 * what is sent again is decided by loss recovery (core/tcp). One algorithm is one file and one
 * table of functions, in integer arithmetic. */
#ifndef LUNATCP_CONGESTION_H
#define LUNATCP_CONGESTION_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one acknowledgment said. Octets, nanoseconds. */
struct ltcp_ack_sample {
    ltcp_time now;
    ltcp_time rtt;           /* of the newest segment acknowledged; -1: no sample */
    ltcp_time srtt, min_rtt; /* 0 before the first sample */
    uint32_t bytes_acked;    /* newly acknowledged, cumulatively or selectively */
    uint32_t bytes_lost;     /* newly held to be lost */
    uint32_t in_flight;      /* pipe, after this acknowledgment */
    uint32_t prior_in_flight;
    uint64_t delivered;       /* all octets delivered so far */
    uint64_t prior_delivered; /* the same, when the newest segment acknowledged was sent */
    ltcp_time interval;       /* over which delivered - prior_delivered came; 0: no rate sample */
    bool cwnd_limited;        /* the window, not the sender, held data back (RFC 7661) */
    bool app_limited;         /* the rate sample was taken while the sender had nothing to send */
    bool in_recovery;
    bool ece; /* congestion experienced, as the peer echoed it */
};

struct ltcp_congestion; /* below */

struct ltcp_congestion_ops {
    const char *name;
    uint32_t state_size; /* octets of private state behind ltcp_congestion.state; 0: none */
    void (*init)(struct ltcp_congestion *cc, ltcp_time now);
    /* Cumulative or selective acknowledgment outside of what the events below say. */
    void (*on_ack)(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack);
    /* Loss was detected and a recovery episode begins; `flight` is FlightSize (RFC 5681). */
    void (*on_loss)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight);
    /* The peer echoed Congestion Experienced: at most once a window (RFC 3168 section 6.1.2). */
    void (*on_ecn)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight);
    void (*on_recovered)(struct ltcp_congestion *cc, ltcp_time now);
    /* The retransmission timer fired; `first` is false for a repeated timeout of the same data. */
    void (*on_timeout)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first);
    /* The connection was idle for a retransmission timeout (RFC 5681 section 4.1). */
    void (*on_idle)(struct ltcp_congestion *cc, ltcp_time now);
};

struct ltcp_congestion {
    const struct ltcp_congestion_ops *ops;
    void *state;       /* state_size octets, zeroed before init */
    uint32_t cwnd;     /* octets */
    uint32_t ssthresh; /* octets */
    uint32_t mss;      /* SMSS: kept up to date by the connection */
    uint32_t initial_window;
    uint32_t acked;       /* octets acknowledged towards the next increase */
    uint64_t pacing_rate; /* octets a second; 0: not paced */
};

/* RFC 5681 section 3.1: IW from the sender's maximum segment size. */
uint32_t ltcp_initial_window_rfc5681(uint32_t mss);

extern const struct ltcp_congestion_ops ltcp_newreno;
extern const struct ltcp_congestion_ops ltcp_fixed; /* the initial window, always: for teaching */
/* By name, or NULL; the i-th, or NULL past the last. */
const struct ltcp_congestion_ops *ltcp_congestion_find(const char *name);
const struct ltcp_congestion_ops *ltcp_congestion_at(size_t i);

#ifdef __cplusplus
}
#endif
#endif
