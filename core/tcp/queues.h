/* core/tcp/queues.h
 *
 * What a connection holds of the two streams: records of what was written, and pieces of what came.
 * send_queue.c, receive_queue.c and reassembly.c own them. */
#ifndef LUNATCP_TCP_QUEUES_H
#define LUNATCP_TCP_QUEUES_H

#include "tcp/engine.h"

/* ---- send queue --------------------------------------------------------------------------------
 */
enum ltcp_mark {
    LTCP_MARK_SACKED = 1 << 0,
    LTCP_MARK_LOST = 1 << 1,          /* held to be lost, so not in the pipe ... */
    LTCP_MARK_RETRANSMITTED = 1 << 2, /* ... but sent again since, so in it once more */
    LTCP_MARK_EVER = 1 << 3,          /* ever sent again: no RTT sample (Karn) */
    LTCP_MARK_APP_LIMITED = 1 << 4,   /* last sent while there was too little to send */
    LTCP_MARK_BOUNDARY = 1 << 5,      /* the user's record ends here: nothing joins (MSG_EOR) */
    LTCP_MARK_QUIET = 1 << 6,         /* more will follow, said the user: it leaves without PSH */
    LTCP_MARK_HELD = 1 << 7           /* it waits for a PUSH (LTCP_WRITE_HOLD) */
};
/* An acknowledgment has spoken of it before, or its sending again will. */
#define LTCP_MARKS_TOLD                                                                            \
    (LTCP_MARK_SACKED | LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED | LTCP_MARK_EVER)
/* A run of sequence numbers that is (or will be) one segment. */
struct ltcp_record {
    ltcp_seq seq;
    uint32_t length; /* octets of data; SYN and FIN come on top */
    uint32_t offset; /* into block->data */
    uint16_t transmissions;
    uint8_t flags; /* LTCP_SYN, LTCP_FIN, LTCP_PSH, LTCP_RECORD_ENDS */
    uint8_t marks;
    struct ltcp_block *block;
    ltcp_time last_sent;
    /* Of the connection, when last sent: for rate samples (rate.c). */
    uint64_t delivered;
    ltcp_time delivered_time, first_sent_time;
    uint32_t tx_in_flight, lost_before;
};
/* The last record of a piece (pieces.c); no flag of a segment. */
#define LTCP_RECORD_ENDS 0x80
static inline uint32_t record_span(const struct ltcp_record *r)
{
    return r->length + ((r->flags & LTCP_SYN) != 0) + ((r->flags & LTCP_FIN) != 0);
}
static inline ltcp_seq record_end(const struct ltcp_record *r)
{
    return seq_add(r->seq, record_span(r));
}

/* RFC 8985 section 6.1: of the segment that was sent last among those known to be delivered. What
 * outlives an empty queue is in struct ltcp_rare. */
struct ltcp_resent {
    ltcp_seq seq;
    ltcp_time sent;
};
struct ltcp_rack {
    ltcp_time xmit_ts, rtt; /* xmit_ts is -1 while nothing was delivered */
    ltcp_seq end_seq, fack;
    uint64_t delivered; /* all that was, when it was sent */
    ltcp_time deadline; /* when the next segment is held to be lost, LTCP_NEVER: none waits */
    uint32_t position;  /* before it all that was sent once has been judged */
    /* What was sent again, in order of sending: a ring of those not yet judged. */
    struct ltcp_resent *resent;
    uint32_t resent_room, resent_first, resent_last;
};

/* Records in sequence order, in a ring: [head, unsent) were sent, [unsent, tail) were not.
 * Positions count up for ever and are masked. The scoreboard of RFC 6675 is kept in sums, never by
 * walking. */
struct ltcp_send_queue {
    struct ltcp_record *ring;
    uint32_t mask;
    uint32_t head, unsent, tail;
    uint32_t octets;                      /* of data, sent and unsent */
    uint32_t unsent_octets;               /* of data */
    uint32_t pieces_ended;                /* records that end one (pieces.c) */
    bool piece_follows;                   /* what leaves now is not the end of what was written */
    ltcp_seq piece_start;                 /* where the last piece began */
    ltcp_seq pushed;                      /* what was written by the last PSH */
    uint32_t sacked, lost, retransmitted; /* sequence numbers with that mark, among those sent */
    uint32_t sacked_segments;
    uint32_t loss_position; /* before it every hole has been judged (RFC 6675 IsLost) ... */
    uint32_t sacked_above, segments_above; /* ... and so much was SACKed from it on */
    uint32_t retransmit_position;          /* before it no record is lost and not sent again */
    ltcp_seq duplicate_point;  /* SND.NXT before the first duplicate ACK of the present run */
    uint32_t duplicate_octets; /* that left the network, as duplicate ACKs say without SACK */
    ltcp_seq rtt_mark;         /* one smoothing step a round trip: when this is acknowledged */
    ltcp_time waiting_since;   /* since when the peer owes an answer: R2, the user timeout */
    ltcp_time delivered_time;  /* when delivered() last grew */
    ltcp_time first_sent_time; /* of the segment that was delivered last */
    uint64_t app_limited;      /* until so much is delivered, rates are the sender's; 0: no */
    uint32_t rate_octets;      /* the newest delivery rate that counts (rate.c): so much was ... */
    ltcp_time rate_interval;   /* ... delivered in that time; 0: none yet */
    ltcp_time pace_time;       /* when the next burst may leave */
    ltcp_time pace_credit;     /* by so much the present burst is late (pacing_fair_queue) */
    ltcp_time pace_deadline;   /* the timer for it; LTCP_NEVER: not running */
    uint64_t burst;            /* octets that may still leave with the present one */
    ltcp_seq usage_end;        /* until this is acknowledged one round is looked at: */
    uint32_t usage_most;       /* the most that was in flight in it */
    bool usage_limited;        /* the congestion window held something back */
    ltcp_seq small_end;        /* of the last segment that was less than full (Minshall) */
    bool small_sent;
    ltcp_time loss_deadline;  /* when the loss timer fires; LTCP_NEVER: it does not run */
    ltcp_time timer_started;  /* since when the RTO counts */
    ltcp_time probe_deadline; /* of a tail loss probe; LTCP_NEVER: none is scheduled */
    struct ltcp_rack rack;
    uint8_t cached_count;
    struct ltcp_sack_block cached[4]; /* the last acknowledgment's blocks, already marked */
    struct ltcp_record first_ring[4];
    struct ltcp_send_queue *next_spare;
};
static inline struct ltcp_record *record_at(const struct ltcp_send_queue *q, uint32_t position)
{
    return &q->ring[position & q->mask];
}

/* ---- receive queue ------------------------------------------------------------------------------
 */
/* A piece of received data in a shared block. */
struct ltcp_slice {
    struct ltcp_slice *next;
    struct ltcp_block *block;
    uint8_t *data;
    uint32_t length;
    bool own; /* the block is the queue's own and may be appended to */
};
struct ltcp_slices {
    struct ltcp_slice *first, *last;
};
/* Received ahead of RCV.NXT: sorted, disjoint, not touching. */
struct ltcp_range {
    ltcp_seq left, right;
    struct ltcp_slices slices;
};
#define LTCP_RANGES_MOST 256
struct ltcp_reassembly {
    struct ltcp_range *ranges;
    uint16_t count, capacity;
    uint32_t octets;
    ltcp_seq recent[4]; /* left edges, most recently changed first (RFC 2018 section 4) */
    uint8_t recent_count;
};

#endif
