/* core/tcp/accecn.h
 *
 * What a connection in AccECN mode knows beside the rest (RFC 9768): hangs on struct ltcp_rare, and
 * is there exactly when ltcp_connection.accecn says so. Names are the RFC's. */
#ifndef LUNATCP_TCP_ACCECN_H
#define LUNATCP_TCP_ACCECN_H

#include "tcp/connection.h"

enum {
    ACCECN_CEP_FIRST = 5, /* section 3.2.1 */
    ACCECN_BYTES_FIRST = 1,
    ACCECN_COUNTER_MASK = 0xFFFFFF,
    ACCECN_ACE_MASK = 7
};

/* What of the option: nothing, what has changed, all of it. */
enum accecn_due { ACCECN_DUE_NONE, ACCECN_DUE_CHANGES, ACCECN_DUE_ALL };

/* Byte counters stand at the place of their codepoint (LTCP_ECN_ECT0 ...); that of Not-ECT is
 * unused. */
struct ltcp_accecn {
    /* The Data Receiver: what has arrived here. */
    uint64_t r_bytes[4];
    uint32_t r_cep;
    uint8_t changed;       /* bit 1 << codepoint: byte counters that have ever changed ... */
    uint8_t changed_now;   /* ... since the last acknowledgment ... */
    uint8_t changed_since; /* ... and since the last AccECN option */
    uint8_t last_packet;   /* its IP-ECN field */
    uint8_t last_data;     /* which byte counter the last data changed; 0: none yet */
    uint8_t ce_unreported; /* CE marks since the last acknowledgment */

    /* AccECN options that leave. */
    ltcp_time option_sent;        /* when the last one did */
    uint32_t bytes_unsaid;        /* that the byte counters have grown by since then */
    uint8_t option_due;           /* on the segment that is being made: enum accecn_due */
    uint8_t repetitions;          /* that a change of the counter still wants */
    uint8_t acks_without;         /* acknowledgments since the last one */
    uint8_t duplicates;           /* of data that ACKs with the option acknowledged, in a row */
    uint8_t data_since_duplicate; /* segments of new data */
    bool data_ack_had;            /* it was in an ACK since data last came again */
    bool options_blocked;         /* ACKs that carry it seem to be lost (section 3.2.3.2.2) */
    bool first_data_sent;         /* and the option with it, had there been room (3.2.3.2.1) */

    /* The Data Sender: what the peer says has arrived there. */
    uint64_t s_bytes[4];
    uint64_t ce_told; /* of s.ceb, or estimated: told to the congestion control */
    uint32_t ce_owed; /* told with the next octets that are delivered */
    uint32_t s_cep;
    uint32_t cep_at_option;      /* s.cep when s.ceb was read last, and ... */
    uint32_t segments_at_option; /* ... segments acknowledged since then */
    uint32_t stamp;              /* newest timestamp with feedback (newlyAckedT) */
    uint16_t acked_average;      /* segments that one ACK acknowledges, in 1 / 16 */
    bool stamped;
    bool option_seen;    /* an AccECN option has come from the peer */
    bool options_zeroed; /* ... with an initial value of 0: they are ignored (3.2.3.2.4) */
    bool option_before;  /* the last feedback had one with it */

    /* The handshake, and what it showed. */
    uint8_t handshake_ecn;    /* IP-ECN of the latest SYN, or of the latest SYN-ACK */
    uint8_t synacks_sent;     /* 2: more than one */
    uint8_t earlier_timeouts; /* of the SYN, before there was a SYN-ACK to send */
    bool responder;           /* it answered a SYN */
    bool syn_received;        /* ... and the ACK of the SYN-ACK has not arrived */
    bool handshake_ack;       /* the next pure ACK says what the SYN-ACK's IP-ECN field was */
    bool synack_ce;           /* a SYN-ACK that met CE was counted: once (3.2.2.2) */
    bool syn_met_ce;          /* the peer says that our SYN did */
    bool tested;              /* the first ACE counter was looked at (3.2.2.4) */
    bool not_ect;             /* nothing more is sent ECN-capable */
    bool deaf;                /* feedback is not responded to */
    bool acks_an_ack;         /* the ACK that is owed answers ACKs alone (3.2.2.5.1) ... */
    bool bare;                /* ... so the segment that is being made has no SACK blocks */

    /* Of the acknowledgment that is being processed: as it was before. */
    uint32_t flight, outstanding;
};

static inline struct ltcp_accecn *accecn_of(const struct ltcp_connection *c)
{
    return c->accecn ? c->rare->accecn : NULL;
}

static inline unsigned accecn_ace(uint16_t flags)
{
    return (unsigned)flags >> 6 & ACCECN_ACE_MASK;
}
/* Segments that were sent and are not known to be delivered; without SACK it is the duplicate ACKs
 * that tell. */
static inline uint32_t accecn_outstanding(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL) return 0;
    const uint32_t sent = q->unsent - q->head;
    const uint32_t gone = q->sacked_segments + q->duplicate_octets / c->snd_mss;
    return sent > gone ? sent - gone : 0;
}

/* ---- the handshake, section 3.1 */
uint16_t accecn_syn_flags(const struct ltcp_connection *c);
uint16_t accecn_synack_flags(struct ltcp_connection *c);
/* A SYN that this host answers, in LISTEN or SYN-SENT; false: there is no memory. */
bool accecn_accept(struct ltcp_connection *c, const struct ltcp_arrival *a);
/* The SYN-ACK, where the SYN asked for AccECN: the mode of table 2 is set. */
void accecn_synack_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
/* The SYN that made the connection, again. */
void accecn_syn_again(struct ltcp_connection *c, const struct ltcp_arrival *a);

/* ---- feedback, section 3.2 */
/* An acceptable ACK, once it was processed: `newly` octets were acknowledged or SACKed. */
void accecn_acknowledged(struct ltcp_connection *c, const struct ltcp_arrival *a,
                         struct ltcp_ack_sample *sample, uint32_t newly);
/* A segment leaves: its flags, and whether it carries the option. */
uint16_t accecn_flags(struct ltcp_connection *c, ltcp_time now, uint16_t flags, uint32_t payload,
                      bool retransmission);
/* CE was fed back: congestion controls that ask for no more are told once a window. */
void accecn_respond(struct ltcp_connection *c, ltcp_time now, uint32_t flight);

/* ---- the option, section 3.2.3 */
/* Whether the segment that is being made ought to carry it, and with what. */
void accecn_option_choose(struct ltcp_connection *c, ltcp_time now, uint32_t payload,
                          bool retransmission, bool handshake);
/* Data came again that was acknowledged. */
void accecn_option_unheard(struct ltcp_connection *c, ltcp_time now);
/* What arrived: LTCP_ECN_... counters that were there, as bits, and by how much they grew. */
struct accecn_news {
    uint8_t present;
    uint32_t growth[4];
};
struct accecn_news accecn_option_read(struct ltcp_connection *c, const struct ltcp_segment *s,
                                      bool first);

#endif
