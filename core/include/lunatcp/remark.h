/* core/include/lunatcp/remark.h
 *
 * What algorithms say of their work: the kinds of LTCP_TRACE_REMARK and LTCP_TRACE_DETAIL, and what
 * the two numbers of each mean. */
#ifndef LUNATCP_REMARK_H
#define LUNATCP_REMARK_H

#include "lunatcp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ltcp_remark {
    /* loss recovery */
    LTCP_REMARK_RESPONSE,   /* the congestion control was told of a loss, a timeout, marks, idleness
                             */
    LTCP_REMARK_UNDO,       /* ... and it was in error: by DSACK, Eifel (RFC 3522) or F-RTO */
    LTCP_REMARK_FRTO,       /* a step of RFC 5682 section 2.1 */
    LTCP_REMARK_TAIL_PROBE, /* what became of a tail loss probe (RFC 8985 section 7.4) */
    LTCP_REMARK_REORDERING, /* RACK's reordering window (RFC 8985 section 6.2, step 4) */
    LTCP_REMARK_LIMITED_TRANSMIT, /* RFC 3042 */
    LTCP_REMARK_RENEGED,          /* what was SACKed is there no more (RFC 2018 section 8) */
    /* congestion control */
    LTCP_REMARK_CONGESTION, /* the algorithm's state; text: its name */
    LTCP_REMARK_VALIDATION, /* RFC 7661: the window is validated, or not any more */
    LTCP_REMARK_ECN,        /* what was agreed, and what is given up */
    /* opening, path */
    LTCP_REMARK_FAST_OPEN, /* RFC 7413, either end */
    LTCP_REMARK_PATH_MTU,  /* RFC 1191, RFC 8201, RFC 4821 */
    /* details */
    LTCP_REMARK_PACING,      /* something waits for its time */
    LTCP_REMARK_APP_LIMITED, /* there is too little to send; or that is over */
    LTCP_REMARK_RATE,        /* a sample of the delivery rate */
    LTCP_REMARK_PRR,         /* what RFC 9937 lets leave on an acknowledgment */
    LTCP_REMARK_COUNT
};

enum ltcp_unit {
    LTCP_UNIT_NONE, /* the number means nothing */
    LTCP_UNIT_COUNT,
    LTCP_UNIT_BYTES,
    LTCP_UNIT_TIME, /* nanoseconds: how long, or when */
    LTCP_UNIT_RATE, /* octets a second; 0: none */
    LTCP_UNIT_SEQ   /* a sequence number */
};

struct ltcp_remark_number {
    const char *name; /* NULL with LTCP_UNIT_NONE */
    enum ltcp_unit unit;
};
struct ltcp_remark_kind {
    const char *name; /* "undo", "frto", ... */
    bool detail;      /* its records are LTCP_TRACE_DETAIL */
    struct ltcp_remark_number value, more;
};
/* NULL past the last. */
const struct ltcp_remark_kind *ltcp_remark_kind(unsigned remark);

#ifdef __cplusplus
}
#endif
#endif
