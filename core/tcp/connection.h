/* core/tcp/connection.h
 *
 * One connection: the transmission control block of RFC 9293 section 3.3.1 and what the later RFCs
 * add to it. Internal to the core; the rooms of core/tcp each own a few of these functions.
 * What most idle connections do not need (send queue, out-of-order ranges) hangs on a pointer. */
#ifndef LUNATCP_TCP_CONNECTION_H
#define LUNATCP_TCP_CONNECTION_H

#include "lunatcp/host.h"
#include "tcp/engine.h"
#include "tcp/queues.h"

/* A flow is an entry of the demultiplexer: a pair of sockets and what stands behind it. */
enum ltcp_flow_kind { LTCP_FLOW_CONNECTION, LTCP_FLOW_TIME_WAIT };
struct ltcp_flow {
    struct ltcp_flow *next;
    uint32_t hash : 24;
    uint32_t kind : 8; /* enum ltcp_flow_kind */
    uint16_t local_port, remote_port;
    struct ltcp_address local, remote;
};

/* ---- TIME-WAIT, small ---------------------------------------------------------------------------
 * What is left of a connection in TIME-WAIT once its user has let it go: as much as it takes to
 * answer as it would have (core/host/time_wait.c). */
struct ltcp_time_wait {
    struct ltcp_flow flow;
    struct ltcp_share *share;
    ltcp_handle handle; /* whose it was: for the trace */
    uint32_t heap_index;
    ltcp_seq snd_nxt, rcv_nxt;
    uint32_t rcv_wnd;
    uint32_t ts_offset, ts_recent;
    uint16_t interface;
    uint16_t max_snd_wnd;     /* in units of 16,384 octets, rounded up */
    uint16_t challenge_since; /* in 1/16 s, the low bits */
    uint8_t challenges : 7, accecn : 1;
    uint8_t rcv_wscale : 4, stamping : 1, ace : 3; /* ACE: RFC 9768 section 3.2.2 */
};

/* ---- the connection ---------------------------------------------------------------------- */
enum ltcp_recovery { LTCP_RECOVERY_NONE, LTCP_RECOVERY_FAST, LTCP_RECOVERY_TIMEOUT };
/* RFC 8985 section 8: one timer; what it is armed for. */
enum ltcp_loss_timer {
    LTCP_TIMER_NONE,
    LTCP_TIMER_RTO,
    LTCP_TIMER_PERSIST,
    LTCP_TIMER_REORDERING,
    LTCP_TIMER_PROBE
};

struct ltcp_accecn;         /* accecn.h */
struct ltcp_fast_open;      /* fast_open.h */
struct ltcp_authentication; /* authentication.h */

enum ltcp_chronograph {
    LTCP_CHRONOGRAPH_NONE,
    LTCP_CHRONOGRAPH_BUSY,
    LTCP_CHRONOGRAPH_WINDOW,
    LTCP_CHRONOGRAPH_BUFFER
};

/* RFC 5482; as on the wire, 0: none yet. */
struct ltcp_uto {
    uint16_t sent, received;
    bool due; /* the next segment with room carries the option */
    uint32_t ignored;
};

/* What is known of the path MTU beyond its value (path_mtu.c, mtu_search.c); made when a router
 * speaks of it or a search begins. Sizes are of IP packets. */
struct ltcp_path_mtu {
    uint16_t first;     /* when the connection opened */
    uint16_t low, high; /* search_low and search_high of RFC 4821 section 7.1 */
    uint16_t probe;     /* in flight; 0: none */
    uint16_t before;    /* path MTU before it last rose; 0: verified */
    bool searching;
    bool shared;     /* it is what another connection has learned */
    bool mends;      /* the gap of a lost probe is being filled ... */
    ltcp_seq mended; /* ... until this is acknowledged */
    ltcp_seq probe_seq, probe_end;
    ltcp_time wait_until; /* no probe before */
    ltcp_time ended;      /* when the search did; 0: it goes on */
    ltcp_time expires;    /* when what a router said does; LTCP_NEVER: nothing was said */
    uint64_t verify_lost, verify_sent;
    uint32_t verify_timeouts;
    uint32_t probes, successes, failures, black_holes, refuted;
};

/* What a receiver measures that tunes its buffer (tuning.c). */
struct ltcp_tuning {
    uint32_t buffer; /* octets, now */
    uint32_t taken;  /* that were read in a round trip, at most */
    ltcp_seq read_from;
    ltcp_time read_since;
    ltcp_time rtt, next_rtt, least_since; /* 0: none yet */
    ltcp_time window_since;
    ltcp_seq window_end;
    uint32_t last_echo;
};

/* What most connections never need; made when something first happens (rare_of). */
struct ltcp_rare {
    ltcp_time challenge_since;
    uint32_t challenges;  /* since then */
    uint32_t send_buffer; /* what it has grown to (pieces.c); 0: as it was set */
    uint8_t oob_octet;    /* the out-of-band octet, once the stream was read past it */
    bool oob_held;
    uint32_t limited_transmits;
    uint32_t timeouts, fast_recoveries, duplicate_acks_received, out_of_order_segments;
    uint32_t duplicate_segments, challenge_acks, probes_sent, paws_rejected;
    uint32_t options_ignored;
    uint64_t segments_retransmitted, bytes_retransmitted;
    ltcp_handle replaced; /* the TIME-WAIT that comes back if this SYN was an old one, ... */
    struct ltcp_time_wait *aside; /* ... or a small one, which would have lasted ... */
    ltcp_time aside_until;        /* ... until then */
    uint32_t ce_received, ece_received, ecn_reductions;
    ltcp_seq ecn_point;     /* no second reduction for a window before it ... */
    bool ecn_reacted;       /* ... once there was one, ... */
    bool ecn_stepwise;      /* ... and it goes on (ecn_reduction.c) */
    uint8_t marks_at_least; /* in a row, at a window of one segment (pacing_hold) */
    struct ltcp_accecn *accecn;
    struct ltcp_fast_open *fast_open;
    struct ltcp_authentication *authentication;
    struct ltcp_tuning *tuning;
    struct ltcp_path_mtu *path_mtu;
    /* An IPv4 source route: the hops in sending order, the last is the peer. */
    uint8_t route[4 * (LTCP_SOURCE_ROUTE_MOST + 1)];
    uint8_t route_length; /* octets; 0: none */
    bool route_is_users;  /* given with OPEN, so what the peer sends does not replace it */
    struct ltcp_uto uto;
    uint32_t flow_label_changes, flow_label_seen; /* the peer's, on a duplicate */
    /* The duplicate that the next acknowledgment reports (RFC 2883). */
    struct ltcp_sack_block duplicate;
    /* RFC 8985 section 6.1, beyond a flight: */
    bool reordering_seen, dsack_round_valid;
    uint8_t reo_wnd_mult, reo_wnd_persist; /* mult 0 stands for 1 */
    uint32_t reorderings;                  /* acknowledgments that told of some */
    uint16_t reordering;                   /* how many segments one was overtaken by, at most */
    ltcp_seq dsack_round;
    ltcp_time least_since, least_next; /* above the least RTT since then (0: no), by so much */
    /* section 7.1: the tail loss probe that is not judged yet */
    bool probed, probe_retransmitted;
    ltcp_seq probe_seq, probe_end;
    /* RFC 9937 section 6 */
    uint64_t prr_delivered, prr_out, recover_fs;
    uint32_t dsacks_received, loss_probes;
    uint8_t chronograph; /* enum ltcp_chronograph: which one runs, since ... */
    ltcp_time chronograph_since, chronographs[4];
    uint64_t lost; /* octets held to be lost so far */
    /* What the present reduction was made from, should it have been in error (undo.c). */
    bool undo_valid, undo_resent, undo_stamped;
    uint8_t frto;         /* step of RFC 5682 */
    uint32_t undo_copies; /* retransmissions that no DSACK has spoken of */
    uint32_t undo_stamp, prior_cwnd, prior_ssthresh, undos;
    ltcp_seq undo_from, undo_to;
    /* The timeout follows a spurious one by the first RTT of data beyond `timer_from`. */
    bool timer_adapts;
    ltcp_seq timer_from;
    ltcp_time prior_srtt, prior_rttvar;
};

/* What a connection was when it was checked last (check.c). */
struct ltcp_shadow {
    bool known, stamped;
    ltcp_seq snd_una, rcv_nxt, rcv_adv;
    uint32_t ts_recent, ts_recent_time;
};

struct ltcp_connection {
    struct ltcp_flow flow;
    struct ltcp_engine *engine;
    struct ltcp_share *share;
    void *listener; /* whose child it is, until accepted: the host's business */
    struct ltcp_connection *next_pending, *next_event, *next_accept, *next_changed;
    ltcp_handle handle;

    uint8_t state; /* enum ltcp_state */
    uint8_t recovery, loss_timer;
    uint8_t error; /* enum ltcp_status: why it died */
    uint8_t soft_error;
    uint8_t snd_wscale, rcv_wscale;
    uint8_t backoff;
    uint8_t received_dscp;
    bool passive : 1;                            /* RFC9293:MUST-11 */
    bool scaling : 1, stamping : 1, sacking : 1; /* agreed */
    bool pending : 1, queued_event : 1, in_accept_queue : 1, released : 1;
    bool user_closed : 1;  /* CLOSE or ABORT was called: nothing will be read */
    bool fin_wanted : 1;   /* CLOSE or shutdown was called; the FIN may still be queued */
    bool fin_queued : 1;   /* a record carries it */
    bool fin_received : 1; /* the peer's FIN lies at rcv_fin; processed once rcv_nxt passes it */
    bool fin_processed : 1;
    bool ack_now : 1; /* an ACK is owed at once */
    bool syn_acked : 1;
    bool cwnd_limited : 1;
    bool probe_due : 1;   /* the persist timer fired: send although the window says no */
    bool urgent_mark : 1; /* urgent data was received up to rcv_up */
    bool oob_taken : 1;   /* its last octet was read out of band */
    bool advised : 1;     /* R1 was reported */
    bool ts_recent_valid : 1;
    bool keepalive_due : 1;
    bool force_retransmit : 1; /* the first lost segment leaves whatever the window says */
    bool write_blocked : 1;    /* the user waits for room */
    bool ecn : 1;              /* agreed (RFC 3168 or 9768) */
    bool accecn : 1;           /* ... with accurate feedback: rare->accecn is there */
    bool ecn_echo : 1;         /* ECE on every ACK until the peer says CWR */
    bool ecn_reduced : 1;      /* CWR is owed on the next new data */
    bool pushed : 1;
    bool dsack_due : 1;       /* rare->duplicate waits to be reported */
    bool loss_probe_due : 1;  /* the probe timeout fired */
    bool pace_held : 1;       /* something waits for its time to leave */
    bool probe_unsampled : 1; /* no RTT sample since the last probe (RFC 8985 section 7.3) */
    bool mtu_watched : 1;     /* rare->path_mtu is there, or will be once data leaves */
    bool tunes : 1;           /* the receive buffer follows what is read */
    bool changed : 1;         /* stands in the engine's list for the host to look at */
    bool authenticated : 1;   /* by TCP-AO or MD5: rare->authentication is there */
    bool orphan : 1;          /* closed by the user, and not over: counted (orphan.c) */
    bool deferred : 1;        /* kept from accept until there is data */
    uint16_t quick_acks;

    /* send sequence variables */
    ltcp_seq iss, snd_una, snd_nxt, snd_up, snd_wl1, snd_wl2;
    uint32_t snd_wnd, max_snd_wnd;
    uint16_t snd_mss; /* effective: without option octets */
    uint16_t peer_mss, rcv_mss, link_mtu, path_mtu, seen_mss;
    uint16_t duplicate_acks;
    uint16_t interface;
    struct ltcp_send_queue *out;

    /* receive sequence variables */
    ltcp_seq irs, rcv_nxt, rcv_adv, rcv_up, rcv_fin, rcv_read;
    ltcp_seq last_ack_sent;
    uint32_t unacked_octets; /* received since the last ACK went out */
    uint32_t unread;
    uint32_t ts_offset, ts_recent; /* RFC 7323 */
    uint32_t ts_recent_time;       /* coarse_time() of it */
    struct ltcp_slices in;
    struct ltcp_reassembly *ahead;

    /* timers */
    ltcp_time ack_deadline, long_deadline; /* long: keep-alive, FIN-WAIT-2, 2 MSL */
    ltcp_time armed; /* what the host's heap holds for us: never later than any deadline */
    uint32_t heap_index;
    uint32_t unanswered; /* retransmissions or probes since the peer was last heard as it should */
    ltcp_time last_heard, last_sent;

    /* RTT, RFC 6298 */
    ltcp_time srtt, rttvar, min_rtt, latest_rtt;

    struct ltcp_congestion cc;
    uint32_t events;
    uint32_t acks_sent;
    uint64_t bytes_sent, bytes_received, bytes_acked;
    /* Segments are counted modulo 2^32, as RFC 4898 counts them. */
    uint32_t segments_sent, segments_received;
    /* With data, repeated ones too; and of all that were sent, those known to have arrived. */
    uint32_t data_segments_sent, data_segments_received, segments_delivered;
    ltcp_seq recovery_point; /* RFC 6582's recover, RFC 6675's RecoveryPoint */
    struct ltcp_rare *rare;
#if defined(LTCP_CHECK) && LTCP_CHECK
    struct ltcp_shadow shadow;
#endif
};

/* Its listener keeps it until there is data (core/host/listeners.c). */
static inline bool is_kept_back(const struct ltcp_connection *c)
{
    return c->deferred && c->listener != NULL && !c->in_accept_queue;
}
static inline const struct ltcp_settings *settings_of(const struct ltcp_connection *c)
{
    return &c->share->settings;
}
/* In units of about a second, modulo 2^32: fine enough for the 24 days of RFC 7323 section 5.5. */
#define LTCP_COARSE_SHIFT 30
static inline uint32_t coarse_time(ltcp_time t)
{
    return (uint32_t)((uint64_t)t >> LTCP_COARSE_SHIFT);
}
static inline bool is_within_24_days(uint32_t since, uint32_t until)
{
    return until - since < (uint32_t)(24 * 86400 * LTCP_SECOND >> LTCP_COARSE_SHIFT);
}
static inline ltcp_time loss_deadline(const struct ltcp_connection *c)
{
    return c->out != NULL ? c->out->loss_deadline : LTCP_NEVER;
}
static inline uint32_t rcv_wnd(const struct ltcp_connection *c)
{
    return seq_gt(c->rcv_adv, c->rcv_nxt) ? seq_diff(c->rcv_adv, c->rcv_nxt) : 0;
}
static inline struct ltcp_tuning *tuning_of(const struct ltcp_connection *c)
{
    return c->rare != NULL ? c->rare->tuning : NULL;
}
static inline uint32_t flight_size(const struct ltcp_connection *c)
{
    return seq_diff(c->snd_nxt, c->snd_una);
}
static inline bool has_unsent(const struct ltcp_connection *c)
{
    return c->out != NULL && c->out->unsent != c->out->tail;
}
/* Octets that were held to be lost, C.lost of draft-ietf-ccwg-bbr. */
static inline uint64_t lost_so_far(const struct ltcp_connection *c)
{
    return c->rare != NULL ? c->rare->lost : 0;
}
/* Sequence numbers that the peer is known to hold. */
static inline uint64_t delivered(const struct ltcp_connection *c)
{
    return c->bytes_acked + (c->out != NULL ? c->out->sacked : 0);
}
/* RFC 6675's pipe; without SACK what duplicate ACKs say (RFC 6582's inflation, seen from the other
 * side). RFC6675:4-4 RFC9937:6.2-2 */
static inline uint32_t pipe_size(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL) return 0;
    const uint32_t gone = q->sacked + q->lost - q->retransmitted + q->duplicate_octets;
    const uint32_t flight = flight_size(c);
    return flight > gone ? flight - gone : 0;
}

/* What an acknowledgment says of time; -1: nothing. */
struct ltcp_times {
    ltcp_time arrived;
    ltcp_time rtt;        /* of the newest octets that were sent once (Karn) */
    ltcp_time sent_again; /* when the newest of those that were sent more often left last */
    ltcp_time sent;       /* when the newest of all left last */
    ltcp_time rate_sent;  /* the same, of the one that the rate sample speaks of ... */
    ltcp_seq rate_seq;    /* ... and which it is */
    ltcp_seq fack;        /* highest sequence number that earlier acknowledgments spoke of */
    struct ltcp_ack_sample *sample;
    uint32_t echo; /* the timestamp that came back, if stamped */
    bool stamped;
    bool congestion; /* it carries ECN-Echo, RFC 3168 */
    bool reordered;  /* it tells of reordering */
    bool original;   /* something that a timeout took for lost, and that was sent once, arrived */
    bool duplicate_told; /* the first SACK block is a DSACK: this one */
    struct ltcp_sack_block duplicate;
};

/* What one arriving segment is and what was decided about it; lives for one call. */
struct ltcp_arrival {
    ltcp_time now;
    struct ltcp_packet *packet;
    const struct ltcp_ip *ip;
    const struct ltcp_segment *segment;
    ltcp_seq seq; /* trimmed to the window */
    uint32_t length;
    const uint8_t *text;
    uint16_t flags;
    bool replaces;                /* a TIME-WAIT whose record is ... */
    ltcp_handle replaced;         /* ... this one, ... */
    struct ltcp_time_wait *aside; /* ... or this small one, ... */
    ltcp_time aside_until;
    ltcp_seq beyond;  /* ... beyond which the new ISN must lie (RFC9293:MAY-2) ... */
    bool taken;       /* ... and a new connection holds it now */
    bool from_cookie; /* a SYN that was answered by a SYN cookie, which is ... */
    ltcp_seq cookie;  /* ... the ISN of this connection */
    bool reset;       /* the segment is to be answered with a RST, formed from it ... */
    struct ltcp_connection *connection; /* ... signed as this one's, if any */
};

/* connection.c */
struct ltcp_connection *connection_create(struct ltcp_engine *e, struct ltcp_share *share);
/* Asks the host to look at it when its call ends: it opened, died, or can be forgotten. */
void connection_changed(struct ltcp_connection *c);
/* Never NULL: without memory a record that nobody reads. */
struct ltcp_rare *rare_of(struct ltcp_connection *c);
void connection_destroy(struct ltcp_connection *c);
void connection_set_state(struct ltcp_connection *c, ltcp_time now, enum ltcp_state state);
/* Enters CLOSED: queues flushed, timers off, the user told `why`. */
void connection_die(struct ltcp_connection *c, ltcp_time now, enum ltcp_status why);
void connection_flush(struct ltcp_connection *c);
void connection_event(struct ltcp_connection *c, uint32_t bits);
void connection_forget_event(struct ltcp_connection *c);
void connection_want_output(struct ltcp_connection *c);
void connection_trace(const struct ltcp_connection *c, ltcp_time now, enum ltcp_trace_kind kind,
                      int64_t value);
/* The same with words (constant). */
void connection_trace_text(const struct ltcp_connection *c, ltcp_time now,
                           enum ltcp_trace_kind kind, int64_t value, const char *text);
void connection_start_congestion(struct ltcp_connection *c, ltcp_time now);
void connection_established(struct ltcp_connection *c, ltcp_time now);
void connection_set_mss(struct ltcp_connection *c);
uint32_t connection_send_room(const struct ltcp_connection *c);

/* states.c: the tables of RFC 9293's section 3.10, executed */
extern const uint8_t ltcp_after_fin[LTCP_STATE_COUNT];
extern const uint8_t ltcp_after_fin_acked[LTCP_STATE_COUNT];
bool state_change_is_legal(enum ltcp_state from, enum ltcp_state to);
static inline bool state_may_receive_text(uint8_t s)
{
    return s == LTCP_ESTABLISHED || s == LTCP_FIN_WAIT_1 || s == LTCP_FIN_WAIT_2;
}
static inline bool state_may_send(uint8_t s)
{
    return s == LTCP_ESTABLISHED || s == LTCP_CLOSE_WAIT || s == LTCP_FIN_WAIT_1 ||
           s == LTCP_CLOSING || s == LTCP_LAST_ACK;
}

/* segment_arrives.c: sections 3.10.7.3 and 3.10.7.4; 3.10.7.1 and 3.10.7.2 are the host's */
void segment_arrives(struct ltcp_connection *c, struct ltcp_arrival *a);
/* The text and FIN of a SYN, once ESTABLISHED. */
void segment_text_arrives(struct ltcp_connection *c, struct ltcp_arrival *a);
/* The text of a SYN at once, RFC 7413; returns how many octets. */
uint32_t segment_syn_text(struct ltcp_connection *c, struct ltcp_arrival *a);
void segment_drain(struct ltcp_connection *c, ltcp_time now);
/* A SYN sets the receive variables and what was agreed. */
void segment_syn_arrives(struct ltcp_connection *c, struct ltcp_arrival *a);
/* The next data in order: to the receive queue, and an acknowledgment owed. */
void segment_in_order(struct ltcp_connection *c, struct ltcp_arrival *a);
/* Marked, and sent once when all that has arrived was processed (RFC9293:MUST-58, MUST-59).
 * RFC5681:4.2-4 */
static inline void acknowledge_now(struct ltcp_connection *c)
{
    c->ack_now = true;
    connection_want_output(c);
}

/* orphan.c */
/* The user has closed; true: one too many, and it is reset. */
bool orphan_begins(struct ltcp_connection *c, ltcp_time now);
void orphan_changes(struct ltcp_connection *c, enum ltcp_state state);

/* challenge.c, RFC 5961 */
void challenge_ack(struct ltcp_connection *c, ltcp_time now);

/* handshake.c: what SYN segments agree on */
void handshake_read_options(struct ltcp_connection *c, const struct ltcp_segment *s, ltcp_time now);
void handshake_write_options(const struct ltcp_connection *c, ltcp_time now,
                             struct ltcp_options *o);
/* What is offered, and the first variables; no SYN waits to be sent yet. */
void handshake_offer(struct ltcp_connection *c, ltcp_time now, ltcp_seq iss,
                     uint32_t first_timestamp);
void handshake_start(struct ltcp_connection *c, ltcp_time now, ltcp_seq iss,
                     uint32_t first_timestamp);

/* chronograph.c */
/* Something may have changed that decides which one runs. */
void chronograph_look(struct ltcp_connection *c, ltcp_time now);
ltcp_time chronograph_read(const struct ltcp_connection *c, ltcp_time now,
                           enum ltcp_chronograph which);

/* prediction.c: the short way; false: it was not taken */
bool prediction_takes(struct ltcp_connection *c, struct ltcp_arrival *a);

/* acknowledgment.c: the fifth step's work */
/* The same for an ACK that only says that new data arrived. */
void acknowledgment_of_new_data(struct ltcp_connection *c, const struct ltcp_arrival *a);
void acknowledgment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);

/* scoreboard.c */
/* First sent record whose end lies behind `seq`, by binary search. */
uint32_t scoreboard_find(const struct ltcp_send_queue *q, ltcp_seq seq);
void scoreboard_sack(struct ltcp_connection *c, const struct ltcp_segment *s,
                     struct ltcp_times *times);
/* Marks holes that RFC 6675's IsLost names; true when one was found. */
bool scoreboard_detect(struct ltcp_connection *c, ltcp_time now);
/* To be sent again, whatever became of it; and the same, as news of congestion. */
void scoreboard_lose(struct ltcp_connection *c, uint32_t position);
void scoreboard_judge_lost(struct ltcp_connection *c, ltcp_time now, uint32_t position);
void scoreboard_lose_all(struct ltcp_connection *c, ltcp_time now);
/* The SYN goes again, alone. */
void scoreboard_lose_syn(struct ltcp_connection *c, ltcp_time now);
void scoreboard_forget_sacks(struct ltcp_connection *c);
/* The next lost record that waits to be sent again, or NULL. */
struct ltcp_record *scoreboard_next_lost(struct ltcp_connection *c, uint32_t *position);

/* rate.c, draft-ietf-ccwg-bbr section 4.1 */
struct ltcp_sending {
    ltcp_time now, delivered_time, first_sent_time;
    uint64_t delivered;
    uint32_t pipe, lost;
    uint8_t mark;
};
struct ltcp_sending rate_sending(struct ltcp_connection *c, ltcp_time now);
static inline void rate_on_send(struct ltcp_record *r, const struct ltcp_sending *s)
{
    r->last_sent = s->now;
    r->delivered = s->delivered;
    r->delivered_time = s->delivered_time;
    r->first_sent_time = s->first_sent_time;
    r->tx_in_flight = s->pipe + record_span(r);
    r->lost_before = s->lost;
    r->marks = (uint8_t)((r->marks & ~LTCP_MARK_APP_LIMITED) | s->mark);
}
void rate_delivered(struct ltcp_connection *c, const struct ltcp_record *r,
                    struct ltcp_times *times);
void rate_generate(struct ltcp_connection *c, struct ltcp_ack_sample *s);
void rate_look_for_limit(struct ltcp_connection *c, ltcp_time now);
void rate_note_usage(struct ltcp_connection *c, bool sent); /* data, just now */
bool rate_window_is_used(const struct ltcp_connection *c);
/* All is acknowledged: from now on the sender is the limit. */
void rate_queue_ends(const struct ltcp_connection *c, ltcp_time now);
void rate_hold_back(struct ltcp_connection *c, ltcp_time now);
void rate_lost(struct ltcp_connection *c, const struct ltcp_record *r, ltcp_time now);
/* Octets a second of the newest sample that counts; 0: none, or nothing is queued. */
uint64_t delivery_rate(const struct ltcp_connection *c);
uint64_t pacing_rate(const struct ltcp_connection *c);
bool pacing_allows(struct ltcp_connection *c, ltcp_time now);
void pacing_hold(struct ltcp_connection *c, ltcp_time now); /* a mark at the least window */
void pacing_sent(struct ltcp_connection *c, uint32_t octets, ltcp_time now);

/* undo.c, RFC 3522, 3708, 4015, 5682 */
void undo_begin(struct ltcp_connection *c);
void undo_resent(struct ltcp_connection *c, ltcp_time now);
void undo_frto_start(struct ltcp_connection *c, ltcp_time now);
/* New data goes before retransmissions, for one acknowledgment. */
bool undo_frto_waits(const struct ltcp_connection *c);
/* True: the reduction was spurious and has been taken back; no recovery goes on. */
void undo_adapt_timer(struct ltcp_connection *c, ltcp_seq ack, ltcp_time sample);
bool undo_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t acked, bool duplicate,
                 const struct ltcp_times *times);

/* recovery.c */
void recovery_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t acked, bool duplicate,
                     const struct ltcp_times *times, uint32_t newly_delivered);
/* New data has left on a duplicate ACK: limited transmit, where nothing is repaired. */
void recovery_note_limited_transmit(struct ltcp_connection *c, ltcp_time now);
void recovery_on_timeout(struct ltcp_connection *c, ltcp_time now);
/* The reordering timer fired (RFC 8985 section 6.3). */
void recovery_on_reordering_timeout(struct ltcp_connection *c, ltcp_time now);

/* rack.c, RFC 8985 section 6 RFC8985:4-1 */
static inline bool uses_rack(const struct ltcp_connection *c)
{
    return c->sacking && settings_of(c)->rack;
}
void rack_delivered(struct ltcp_connection *c, const struct ltcp_record *r,
                    struct ltcp_times *times);
/* Step 4, the part that an acknowledgment's DSACK and the end of a recovery make. */
void rack_adapt(struct ltcp_connection *c, ltcp_time now, bool duplicate_told, bool recovered);
/* Step 5: marks what is lost at `now`, and sets the deadline for what may soon be. */
struct ltcp_rack_losses {
    bool original, retransmission;
};
struct ltcp_rack_losses rack_detect(struct ltcp_connection *c, ltcp_time now);
bool rack_is_quiet(const struct ltcp_connection *c);
void rack_lose_at_timeout(struct ltcp_connection *c, ltcp_time now);
void rack_resent(struct ltcp_connection *c, const struct ltcp_record *r);
ltcp_time rack_reordering_window(const struct ltcp_connection *c);

/* remarks.c: LTCP_TRACE_REMARK and LTCP_TRACE_DETAIL; `text` is constant */
static inline bool is_traced(const struct ltcp_connection *c)
{
    return c->engine->trace != NULL;
}
void connection_remark(const struct ltcp_connection *c, ltcp_time now, enum ltcp_remark remark,
                       const char *text, int64_t value, int64_t more);
/* The congestion control was told of something; what has become of its windows. */
void remark_response(const struct ltcp_connection *c, ltcp_time now, const char *to);
/* It has something to say itself: cc.tells. */
void congestion_tells(struct ltcp_connection *c, ltcp_time now);

/* loss_probe.c, RFC 8985 section 7 */
/* Section 7.2: new data was sent, or acknowledged. */
void loss_probe_schedule(struct ltcp_connection *c, ltcp_time now);
bool loss_probe_may(const struct ltcp_connection *c);
void loss_probe_sent(struct ltcp_connection *c, ltcp_time now, const struct ltcp_record *r,
                     bool retransmission);
/* Section 7.4. */
void loss_probe_acknowledged(struct ltcp_connection *c, ltcp_time now, ltcp_seq ack, bool advanced,
                             bool has_sack, const struct ltcp_times *times);

/* prr.c, RFC 9937 */
bool uses_prr(const struct ltcp_connection *c);
void prr_start(struct ltcp_connection *c, uint32_t newly_acked, uint32_t newly_sacked);
void prr_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t delivered_data, bool safe);

/* rtt.c */
void rtt_sample(struct ltcp_connection *c, ltcp_time now, ltcp_time sample, bool smooth);
ltcp_time rtt_rto(const struct ltcp_connection *c);
ltcp_time rtt_timeout(const struct ltcp_connection *c); /* with backoff */
uint32_t timestamp_now(const struct ltcp_connection *c, ltcp_time now);

/* send_queue.c */
bool send_queue_open(struct ltcp_connection *c);
void send_queue_close(struct ltcp_connection *c);
/* One record more at the tail, or NULL when there is no memory. */
struct ltcp_record *send_queue_append(struct ltcp_connection *c);
/* `flags`: enum ltcp_write_flag. */
size_t send_queue_write(struct ltcp_connection *c, ltcp_time now, const uint8_t *bytes,
                        size_t length, unsigned flags);
size_t send_queue_put(struct ltcp_connection *c, const uint8_t *bytes, size_t length);
void send_queue_tell_room(struct ltcp_connection *c);
bool send_queue_fin(struct ltcp_connection *c);
/* An acknowledgment lets go of what only waited for more to follow (setting more_is_quiet). */
void send_queue_release(struct ltcp_connection *c);
/* Puts octets into the SYN that waits to be sent; returns how many: all or none. */
uint32_t send_queue_syn_data(struct ltcp_connection *c, const void *bytes, uint32_t length);
/* Cuts a record so that its first part has `length` octets; false: no memory. */
bool send_queue_split(struct ltcp_connection *c, uint32_t position, uint32_t length);
/* Makes the first unsent record as long as the MSS if what follows allows. */
void send_queue_fill(struct ltcp_connection *c);
/* The same with another length. */
void send_queue_gather(struct ltcp_connection *c, uint32_t length);
/* Drops what lies before `ack`. The newest record's delivery goes to `sample`. */
void send_queue_acknowledge(struct ltcp_connection *c, ltcp_seq ack, struct ltcp_times *times);
void send_queue_sent(struct ltcp_connection *c, uint32_t position, ltcp_time now);
ltcp_seq send_queue_end(const struct ltcp_connection *c);
/* Appends octets to a block that has room for them, and sums them. */
void send_queue_copy(struct ltcp_block *block, const uint8_t *bytes, uint32_t n);
/* Moves a record's octets to a block of its own, that has room for more; false: no memory. */
bool send_queue_own_block(struct ltcp_connection *c, struct ltcp_record *r, uint32_t capacity);

/* repackage.c: records that go again join the first of them, up to the MSS; returns where that one
 * is now. */
uint32_t repackage_lost(struct ltcp_connection *c, uint32_t position);

/* pieces.c: for connections with the setting `write_pieces`, but for the first two */
/* What the send queue holds: octets, and what their pieces cost. */
uint32_t pieces_memory(const struct ltcp_connection *c);
void pieces_pushed(struct ltcp_connection *c);
uint32_t pieces_buffer(const struct ltcp_connection *c);
void pieces_tell_room(struct ltcp_connection *c);
void pieces_end(struct ltcp_send_queue *q, uint32_t position);
void pieces_forget(struct ltcp_send_queue *q, struct ltcp_record *r);
/* What is full may leave meanwhile. Returns how many octets were queued. */
size_t pieces_write(struct ltcp_connection *c, ltcp_time now, const uint8_t *bytes, size_t length);

/* receive_queue.c */
bool receive_queue_append(struct ltcp_connection *c, struct ltcp_slices *to,
                          struct ltcp_packet *packet, const uint8_t *text, uint32_t length);
void receive_queue_free(struct ltcp_engine *e, struct ltcp_slices *slices);
size_t receive_queue_read(struct ltcp_connection *c, uint8_t *out, size_t room, bool peek);

/* reassembly.c */
bool reassembly_insert(struct ltcp_connection *c, struct ltcp_packet *packet, ltcp_seq seq,
                       const uint8_t *text, uint32_t length);
void reassembly_fin(struct ltcp_connection *c);
void reassembly_duplicate(struct ltcp_connection *c, ltcp_seq left, ltcp_seq right);
/* Moves what now begins at rcv_nxt to the receive queue; returns how many octets. */
uint32_t reassembly_drain(struct ltcp_connection *c);
void reassembly_free(struct ltcp_connection *c);
uint8_t reassembly_sack_blocks(const struct ltcp_connection *c, struct ltcp_sack_block out[4],
                               uint8_t room);

/* tuning.c: for connections whose `tunes` is set; the two buffers, in octets, for all */
uint32_t tuning_send_buffer(const struct ltcp_connection *c);
uint32_t tuning_receive_buffer(const struct ltcp_connection *c);
void tuning_data_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
void tuning_read(struct ltcp_connection *c, ltcp_time now);
void tuning_release(struct ltcp_connection *c);
uint32_t tuning_ack_every(const struct ltcp_connection *c);

/* memory.c */
uint32_t memory_least_to_receive(const struct ltcp_connection *c);
bool memory_makes_room(struct ltcp_connection *c, uint32_t octets);
bool memory_keeps_ahead(struct ltcp_connection *c, uint32_t octets);
bool memory_ends_orphan(struct ltcp_connection *c, ltcp_time now);
static inline bool memory_admits(struct ltcp_connection *c, uint32_t octets)
{
    const struct ltcp_memory *m = &c->engine->memory;
    return m->used + octets <= m->most || memory_makes_room(c, octets);
}

/* window.c: silly windows and the advertised window */
/* The window field for a segment sent now; moves rcv_adv. */
uint16_t window_advertise(struct ltcp_connection *c, bool syn);
bool window_update_wanted(const struct ltcp_connection *c);

/* output.c */
/* Makes the segments that may leave now; returns how many. */
void output_run(struct ltcp_connection *c, ltcp_time now);
/* deferral.c: what could leave now is less than a burst and waits for an acknowledgment. */
bool burst_waits(const struct ltcp_connection *c, ltcp_time now);
/* Segments of one burst, by the pace and by what a packet could hold. */
uint32_t output_burst_size(const struct ltcp_connection *c);
/* One burst of new data; output_run is still to follow. */
void output_burst(struct ltcp_connection *c, ltcp_time now);
void output_reset(struct ltcp_connection *c, ltcp_time now);

/* device.c: what was to leave was dropped by the host's own device, or there was no memory */
void device_dropped(struct ltcp_connection *c, ltcp_time now, bool fresh);

/* timers.c */
/* The loss timer fires after `delay`, or when the user's patience ends. */
void timers_retry(struct ltcp_connection *c, ltcp_time now, ltcp_time delay);
/* The user timeout that counts now, or R2 where that is a time; 0: none. */
ltcp_time timers_user_timeout(const struct ltcp_connection *c);
void timers_fire(struct ltcp_connection *c, ltcp_time now);
void timers_set_loss(struct ltcp_connection *c, ltcp_time now, enum ltcp_loss_timer kind);
/* What the loss timer waits for first: the reordering window, a tail loss probe or the RTO. */
void timers_choose_loss(struct ltcp_connection *c);
/* Puts the right loss timer on what is outstanding now: RTO, persist or none. */
void timers_after_output(struct ltcp_connection *c, ltcp_time now);
void timers_set_ack(struct ltcp_connection *c, ltcp_time when);
void timers_set_long(struct ltcp_connection *c, ltcp_time when);
void timers_end_deferral(struct ltcp_connection *c);
void timers_set_pace(struct ltcp_connection *c, ltcp_time when);
void timers_heard(struct ltcp_connection *c, ltcp_time now);
void timers_start_time_wait(struct ltcp_connection *c, ltcp_time now);

/* user_calls.c: RFC 9293 sections 3.10.2 to 3.10.6 for one connection */
enum ltcp_status user_write(struct ltcp_connection *c, ltcp_time now, const void *bytes,
                            size_t length, unsigned flags, size_t *taken);
enum ltcp_status user_read(struct ltcp_connection *c, ltcp_time now, void *out, size_t room,
                           unsigned flags, size_t *got);
enum ltcp_status user_push(struct ltcp_connection *c);
size_t user_flush(struct ltcp_connection *c);
enum ltcp_status user_shutdown(struct ltcp_connection *c, ltcp_time now);
enum ltcp_status user_close(struct ltcp_connection *c, ltcp_time now);
enum ltcp_status user_abort(struct ltcp_connection *c, ltcp_time now);
enum ltcp_status user_set_settings(struct ltcp_connection *c, ltcp_time now,
                                   const struct ltcp_settings *settings);
/* status.c */
void connection_info(const struct ltcp_connection *c, struct ltcp_info *out);
void connection_outstanding(const struct ltcp_connection *c, ltcp_time now,
                            struct ltcp_outstanding *out);
/* check.c: the first broken invariant, or NULL; only in checked builds */
const char *connection_check(struct ltcp_connection *c);
void connection_note_illegal_change(struct ltcp_connection *c, enum ltcp_state to);
/* path_mtu.c: a packet of ours was too long; RFC 1191, RFC 8201 */
bool path_mtu_lower(struct ltcp_connection *c, ltcp_time now, uint32_t mtu, uint32_t quoted_length);
/* Another connection may have learned of it. */
void path_mtu_heed(struct ltcp_connection *c, ltcp_time now);
/* When what is said now is too old. */
ltcp_time path_mtu_expiry(const struct ltcp_connection *c, ltcp_time now);
/* What was said long ago may not be true any more. */
void path_mtu_look(struct ltcp_connection *c, ltcp_time now);

/* mtu_search.c, RFC 4821; for connections whose `mtu_watched` is set, but for the first three */
struct ltcp_path_mtu *path_mtu_state(struct ltcp_connection *c);
void mtu_search_open(struct ltcp_connection *c, ltcp_time now);
void mtu_search_timeout(struct ltcp_connection *c, ltcp_time now);
uint32_t mtu_search_probe(struct ltcp_connection *c, ltcp_time now, uint32_t usable, bool *wait);
void mtu_search_sent(struct ltcp_connection *c, ltcp_time now, ltcp_seq seq, uint32_t length);
void mtu_search_acknowledged(struct ltcp_connection *c, ltcp_time now);
void mtu_search_resent(struct ltcp_connection *c, const struct ltcp_record *r);
bool mtu_search_lost(struct ltcp_connection *c, ltcp_time now);
bool mtu_search_mends(const struct ltcp_connection *c);
void mtu_search_told(struct ltcp_connection *c, ltcp_time now, uint32_t mtu);
void path_mtu_release(struct ltcp_connection *c);

/* ecn.c, RFC 3168 */
uint16_t ecn_syn_flags(struct ltcp_connection *c, bool again);
/* What was agreed, for the trace. */
void ecn_remark(const struct ltcp_connection *c, ltcp_time now);
void ecn_syn_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
/* The SYN that made the connection, again; true: it asks for what the first one did not, and the
 * connection is to be reset. */
bool ecn_syn_contradicts(struct ltcp_connection *c, const struct ltcp_arrival *a);
void ecn_segment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
/* The congestion window was reduced for a loss. */
void ecn_window_reduced(struct ltcp_connection *c);
/* The window was reduced: an echo is no reason for another before what was sent by now is
 * acknowledged. */
void ecn_reaction(struct ltcp_connection *c);
bool ecn_reacted_since(const struct ltcp_connection *c, ltcp_seq seq);
/* ecn_reduction.c: a mark's effect on the window; `newly` octets were delivered by an ACK since */
void ecn_reduce(struct ltcp_connection *c, ltcp_time now, uint32_t flight);
bool ecn_reduction_goes_on(const struct ltcp_connection *c);
void ecn_reduction_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t newly);
/* What an acknowledgment says of marks: `newly` octets were acknowledged or SACKed by it. */
void ecn_acknowledged(struct ltcp_connection *c, const struct ltcp_arrival *a,
                      struct ltcp_ack_sample *sample, uint32_t newly);
/* The flags of a segment that leaves, and the codepoint of its packet. */
uint16_t ecn_flags(struct ltcp_connection *c, ltcp_time now, const struct ltcp_packet *packet,
                   uint16_t flags);
uint8_t ecn_codepoint(const struct ltcp_connection *c, const struct ltcp_packet *packet);

/* accecn.c, RFC 9768; more in accecn.h. For connections whose `accecn` is set only. */
void accecn_segment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);
void accecn_rejected(struct ltcp_connection *c, const struct ltcp_arrival *a);
void accecn_established(struct ltcp_connection *c, ltcp_time now);
/* The ACK of a SYN-ACK is owed by itself, before data (section 3.2.2.1). */
bool accecn_owes_handshake_ack(const struct ltcp_connection *c);
/* The segment that is being made carries the option, and no SACK blocks. */
bool accecn_option_is_due(const struct ltcp_connection *c);
bool accecn_forbids_sack(const struct ltcp_connection *c);
void accecn_option_write(const struct ltcp_connection *c, ltcp_time now, uint32_t payload,
                         struct ltcp_options *o);
void accecn_option_write_synack(const struct ltcp_connection *c, struct ltcp_options *o);
void accecn_release(struct ltcp_connection *c);

/* source_route.c, RFC 9293 section 3.9.2.1 */
void source_route_set(struct ltcp_connection *c, const struct ltcp_address *hops, uint8_t count);
void source_route_arrives(struct ltcp_connection *c, const struct ltcp_ip *ip);
/* Options and destination of a packet that leaves; `room` has 40 octets. */
void source_route_apply(const struct ltcp_connection *c, struct ltcp_ip *ip, uint8_t *room);

/* urgent.c */
void urgent_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a);

#endif
