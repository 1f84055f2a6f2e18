/* core/include/lunatcp/congestion.h
 *
 * A congestion control decides how much may be in flight, and how fast it leaves; what is lost and
 * what is sent again is decided by loss recovery (core/tcp). One algorithm is one file and one
 * table of functions, in integer arithmetic. An input that is not known is 0, or what its comment
 * says. */
#ifndef LUNATCP_CONGESTION_H
#define LUNATCP_CONGESTION_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one acknowledgment said. Octets, nanoseconds. The rate sample is that of
 * draft-ietf-ccwg-bbr section 4.1: of the newest segment that this acknowledgment delivered. */
struct ltcp_ack_sample {
    ltcp_time now;
    ltcp_time rtt;           /* of the newest segment acknowledged; -1: no sample */
    ltcp_time srtt, min_rtt; /* 0 before the first sample */
    ltcp_seq una, nxt;       /* SND.UNA after it, and SND.NXT: for rounds that end with a window */
    uint32_t bytes_acked;    /* newly acknowledged, cumulatively or selectively */
    uint32_t advanced;       /* by how much SND.UNA moved */
    uint32_t bytes_lost;     /* newly held to be lost */
    uint32_t ce_bytes;       /* of bytes_acked, those known to have met Congestion Experienced */
    uint32_t in_flight;      /* pipe, after this acknowledgment */
    uint32_t prior_in_flight;
    uint32_t tx_in_flight;    /* pipe when that segment was sent, itself included */
    uint64_t delivered;       /* C.delivered: all octets delivered so far */
    uint64_t lost;            /* C.lost: all octets held to be lost so far */
    uint64_t prior_delivered; /* P.delivered: C.delivered when that segment was sent */
    uint64_t prior_lost;      /* P.lost: C.lost then */
    ltcp_time interval;       /* over which delivered - prior_delivered came; 0: no rate sample */
    bool cwnd_limited;        /* the window, not the sender, held data back (RFC 7661) */
    bool app_limited;         /* the rate sample was taken while the sender had nothing to send */
    bool in_recovery;         /* fast recovery, after what this acknowledgment changed */
    bool in_loss;             /* recovery after a retransmission timeout */
    bool ece;                 /* the ACK carries ECE (RFC 3168) */
};

/* One segment that is now held to be lost: what was known when it was (last) sent. */
struct ltcp_loss_sample {
    ltcp_time now;
    ltcp_seq seq;
    uint32_t bytes;
    uint32_t tx_in_flight; /* pipe when it was sent, itself included */
    uint64_t lost;         /* C.lost, itself included */
    uint64_t prior_lost;   /* C.lost when it was sent */
    uint64_t delivered;    /* C.delivered */
    bool app_limited;      /* it was sent while the sender had nothing more to send */
};

/* How an algorithm wants ECN done. */
enum ltcp_congestion_ecn {
    LTCP_CC_ECN_CLASSIC, /* RFC 3168: on_ecn at most once a window; ECT(0), CWR answers ECE */
    LTCP_CC_ECN_DCTCP,   /* RFC 8257: ce_bytes of every acknowledgment; both ends echo every mark */
    LTCP_CC_ECN_L4S      /* RFC 9331: the same with ECT(1) and accurate feedback (RFC 9768) */
};

/* Parts of an algorithm that settings turn on and off: ltcp_congestion.switches. */
enum ltcp_congestion_switch {
    LTCP_CC_HYSTART = 1 << 0,          /* HyStart++ (RFC 9406) */
    LTCP_CC_ABE = 1 << 1,              /* Alternative Backoff with ECN (RFC 8511) */
    LTCP_CC_FAST_CONVERGENCE = 1 << 2, /* RFC 9438 section 4.7 */
    LTCP_CC_VALIDATION = 1 << 3,       /* congestion window validation (RFC 7661) */
    LTCP_CC_RTT_INDEPENDENCE = 1 << 4, /* Prague's reduced RTT-dependence */
    LTCP_CC_PACED = 1 << 5,            /* the sender paces: HyStart++'s L has no bound */
    LTCP_CC_SACK = 1 << 6,             /* agreed: more than one loss a round trip can be seen */
    LTCP_CC_BYTE_COUNTING = 1 << 7     /* slow start counts all octets (RFC 3465 with no L) */
};

/* What an algorithm has to say: ltcp_congestion.tells. */
enum ltcp_congestion_tell {
    LTCP_CC_HOLDS_BACK = 1 << 0, /* it sends less than it could, so rate samples of what is in
                                  * flight are application-limited */
    LTCP_CC_TURNED = 1 << 1,     /* its first value of LTCP_CC_TEXT is another one: for the trace */
    LTCP_CC_REDUCED = 1 << 2,    /* it reduced the window for marks by itself: for the trace */
    LTCP_CC_JUDGED = 1 << 3      /* whether the window is validated has changed: for the trace */
};

/* One number of an algorithm's own, for info and drawings. */
enum ltcp_congestion_kind {
    LTCP_CC_COUNT,
    LTCP_CC_BYTES,
    LTCP_CC_TIME,  /* nanoseconds */
    LTCP_CC_RATE,  /* octets a second */
    LTCP_CC_RATIO, /* in units of 1 / 2^20 */
    LTCP_CC_TEXT
};
struct ltcp_congestion_value {
    const char *name;
    enum ltcp_congestion_kind kind;
    int64_t value;
    const char *text; /* constant; of LTCP_CC_TEXT only */
};
#define LTCP_CONGESTION_VALUES 16 /* an algorithm has at most so many */

struct ltcp_congestion; /* below */

/* Functions marked optional may be NULL. `flight` is FlightSize (RFC 5681). */
struct ltcp_congestion_ops {
    const char *name;
    uint32_t state_size; /* octets of private state behind ltcp_congestion.state; 0: none */
    uint8_t ecn;         /* enum ltcp_congestion_ecn */
    /* It sets cwnd itself while loss is repaired: proportional rate reduction keeps out. */
    bool own_recovery;
    /* cwnd is the initial window (or where another algorithm left it), state is zeroed. */
    void (*init)(struct ltcp_congestion *cc, ltcp_time now);
    /* Optional: state holds what must be given back. Never called without init. */
    void (*release)(struct ltcp_congestion *cc);
    /* Octets were newly delivered; comes after the events below that the same ACK caused. */
    void (*on_ack)(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack);
    /* Optional: a segment was newly held to be lost; before on_loss where it begins an episode. */
    void (*on_segment_lost)(struct ltcp_congestion *cc, const struct ltcp_loss_sample *loss);
    /* Loss was detected and a recovery episode begins. */
    void (*on_loss)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight);
    /* The peer echoed Congestion Experienced: at most once a window (RFC 3168 section 6.1.2). Not
     * called for algorithms that are not LTCP_CC_ECN_CLASSIC, as long as ce_bytes can be known. */
    void (*on_ecn)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight);
    void (*on_recovered)(struct ltcp_congestion *cc, ltcp_time now);
    /* The retransmission timer fired; `first` is false for a repeated timeout of the same data. */
    void (*on_timeout)(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first);
    /* The connection was idle for a retransmission timeout (RFC 5681 section 4.1). */
    void (*on_idle)(struct ltcp_congestion *cc, ltcp_time now);
    /* Optional: data is about to leave although nothing is in flight; `app_limited`: because there
     * was nothing to send. */
    void (*on_restart)(struct ltcp_congestion *cc, ltcp_time now, bool app_limited);
    /* The last on_loss or on_timeout was spurious (F-RTO, Eifel, DSACK). `cwnd` and `ssthresh` are
     * those from before it, as the response algorithm wants them back (RFC 4015 section 3.2, RFC
     * 9438 section 4.9); the algorithm restores what else it changed. */
    void (*on_undo)(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd, uint32_t ssthresh);
    /* Optional: the i-th number of its own; false past the last. */
    bool (*info)(const struct ltcp_congestion *cc, size_t i, struct ltcp_congestion_value *out);
};

struct ltcp_congestion {
    const struct ltcp_congestion_ops *ops;
    void *state;       /* state_size octets, zeroed before init */
    uint32_t cwnd;     /* octets */
    uint32_t ssthresh; /* octets */
    uint32_t mss;      /* SMSS: kept up to date by the connection */
    uint32_t initial_window;
    uint32_t acked;       /* octets acknowledged towards the next increase */
    uint16_t seed;        /* differs between connections: for what an algorithm randomizes */
    uint8_t switches;     /* enum ltcp_congestion_switch, of the settings */
    uint8_t tells;        /* enum ltcp_congestion_tell: set by the algorithm; the sender takes note
                             after on_ack, and clears them */
    uint64_t pacing_rate; /* octets a second; 0: the algorithm says none */
};

struct ltcp_settings;
/* The switches that settings and what was agreed with the peer turn on; the connection stores them,
 * before init and whenever its settings change. */
uint8_t ltcp_congestion_switches(const struct ltcp_settings *settings, bool sack);

/* The table that runs by these settings: settings->congestion, or its variant: NewReno's with
 * RFC 7661, CUBIC's with HyStart's first form, and counting segments. */
const struct ltcp_congestion_ops *ltcp_congestion_for(const struct ltcp_settings *settings);

/* RFC 5681 section 3.1: IW from the sender's maximum segment size. */
uint32_t ltcp_initial_window_rfc5681(uint32_t mss);

extern const struct ltcp_congestion_ops ltcp_newreno;           /* needs no state */
extern const struct ltcp_congestion_ops ltcp_newreno_validated; /* the same with RFC 7661 */
extern const struct ltcp_congestion_ops ltcp_cubic_classic; /* CUBIC with HyStart's first form */
/* CUBIC that counts whole segments; with HyStart's first form too */
extern const struct ltcp_congestion_ops ltcp_cubic_segments, ltcp_cubic_classic_segments;
extern const struct ltcp_congestion_ops ltcp_cubic, ltcp_dctcp, ltcp_prague, ltcp_bbr, ltcp_bbr1;
extern const struct ltcp_congestion_ops ltcp_fixed; /* the initial window, always: for teaching */
/* By name, or NULL; the i-th, or NULL past the last. */
const struct ltcp_congestion_ops *ltcp_congestion_find(const char *name);
const struct ltcp_congestion_ops *ltcp_congestion_at(size_t i);

#ifdef __cplusplus
}
#endif
#endif
