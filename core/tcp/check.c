/* core/tcp/check.c
 *
 * What must be true of a connection between any two calls, each with the section that says so.
 * Looked at in checked builds only (LTCP_CHECK), where the network asks after every call. */
#include <string.h>

#include "tcp/accecn.h"

#define UNSHIFTED_WINDOW 65535u

/* ---- the send side ------------------------------------------------------------------------------
 */

static const char *check_record(const struct ltcp_connection *c, const struct ltcp_record *r,
                                bool sent)
{
    const uint8_t m = r->marks;
    if (sent && seq_gt(record_end(r), c->snd_nxt))
        return "send queue: what was sent ends at SND.NXT";
    if (!sent && (m & ~(LTCP_MARK_BOUNDARY | LTCP_MARK_QUIET | LTCP_MARK_HELD)) != 0)
        return "send queue: what was not sent has no marks";
    if (record_span(r) == 0) return "send queue: no record is empty";
    if (r->length > 0 && r->offset + r->length > r->block->length)
        return "send queue: a record's octets lie in its block";
    if ((m & LTCP_MARK_SACKED) && (m & (LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED)))
        return "scoreboard: what was SACKed is not lost (RFC 6675 section 4)";
    if ((m & LTCP_MARK_RETRANSMITTED) && !(m & LTCP_MARK_LOST))
        return "scoreboard: only what was lost is sent again (RFC 6675 section 4)";
    if ((m & LTCP_MARK_RETRANSMITTED) && !(m & LTCP_MARK_EVER))
        return "scoreboard: what was sent again gives no RTT sample (RFC 6298 section 3)";
    return NULL;
}

static const char *check_send_queue(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    uint32_t octets = 0, unsent = 0, sacked = 0, sacked_segments = 0, lost = 0, again = 0;
    uint32_t ended = 0;
    ltcp_seq seq = c->snd_una;
    if (q->head == q->tail) return "send queue: an empty one is given back";
    for (uint32_t i = q->head; i != q->tail; i++) {
        const struct ltcp_record *r = record_at(q, i);
        const bool sent = i - q->head < q->unsent - q->head;
        if (!seq_eq(r->seq, seq)) return "send queue: records are contiguous from SND.UNA";
        if (i == q->unsent && !seq_eq(r->seq, c->snd_nxt))
            return "send queue: what was not sent begins at SND.NXT";
        const char *broken = check_record(c, r, sent);
        if (broken != NULL) return broken;
        seq = record_end(r);
        octets += r->length;
        ended += (r->flags & LTCP_RECORD_ENDS) != 0;
        if (!sent) unsent += r->length;
        if (r->marks & LTCP_MARK_SACKED) {
            sacked += record_span(r);
            sacked_segments++;
        }
        if (r->marks & LTCP_MARK_LOST) lost += record_span(r);
        if (r->marks & LTCP_MARK_RETRANSMITTED) again += record_span(r);
    }
    if (seq_gt(c->snd_up, seq)) return "SND.UP is not past what was written (RFC 9293, 3.8.5)";
    if (octets != q->octets) return "send queue: octets are counted";
    if (ended != q->pieces_ended) return "send queue: pieces are counted";
    if (unsent != q->unsent_octets) return "send queue: unsent octets are counted";
    if (sacked != q->sacked) return "scoreboard: SACKed octets are counted (RFC 6675)";
    if (sacked_segments != q->sacked_segments) return "scoreboard: SACKed segments are counted";
    if (lost != q->lost) return "scoreboard: lost octets are counted (RFC 6675)";
    if (again != q->retransmitted) return "scoreboard: retransmitted octets are counted";
    return NULL;
}

static const char *check_send_side(const struct ltcp_connection *c)
{
    if (seq_gt(c->snd_una, c->snd_nxt)) return "SND.UNA =< SND.NXT (RFC 9293 section 3.3.1)";
    if (c->out == NULL && !seq_eq(c->snd_una, c->snd_nxt))
        return "nothing is outstanding without a send queue";
    if (c->snd_wnd > c->max_snd_wnd) return "SND.WND =< Max(SND.WND) (RFC 9293, 3.8.6.2.1)";
    if (c->max_snd_wnd > UNSHIFTED_WINDOW << c->snd_wscale)
        return "SND.WND is one that the field can say (RFC 7323 section 2.3)";
    if (!c->scaling && (c->snd_wscale != 0 || c->rcv_wscale != 0))
        return "no shift without both ends' consent (RFC 7323 section 2.2)";
    if (c->snd_wscale > 14 || c->rcv_wscale > 14) return "a shift is at most 14 (RFC 7323, 2.3)";
    /* A SYN without ACK leaves in SND.WL2 whatever its field held. */
    if (c->state >= LTCP_ESTABLISHED && c->syn_acked && seq_gt(c->snd_wl2, c->snd_una))
        return "SND.WL2 =< SND.UNA (RFC 9293 section 3.10.7.4)";
    if (c->state >= LTCP_ESTABLISHED && c->state != LTCP_TIME_WAIT && c->cc.cwnd == 0)
        return "the congestion window is never zero (RFC 5681 section 3.1)";
    return c->out != NULL ? check_send_queue(c) : NULL;
}

/* ---- the receive side ---------------------------------------------------------------------------
 */

static const char *check_ahead(const struct ltcp_connection *c)
{
    const struct ltcp_reassembly *ahead = c->ahead;
    ltcp_seq last = c->rcv_nxt;
    uint32_t octets = 0;
    const bool fin = c->sacking && c->fin_received && !c->fin_processed;
    if ((ahead->count == 0 && !fin) || ahead->count > LTCP_RANGES_MOST)
        return "out-of-order queue: neither empty nor endless";
    for (uint16_t i = 0; i < ahead->count; i++) {
        const struct ltcp_range *r = &ahead->ranges[i];
        const bool early = c->state == LTCP_SYN_RECEIVED && i == 0; /* text of the SYN */
        uint32_t held = 0;
        if (!early && seq_le(r->left, last)) return "out-of-order queue: sorted and disjoint";
        if (seq_ge(r->left, r->right)) return "out-of-order queue: no range is empty";
        for (const struct ltcp_slice *s = r->slices.first; s != NULL; s = s->next)
            held += s->length;
        if (held != seq_diff(r->right, r->left))
            return "out-of-order queue: a range holds all of its octets";
        octets += held;
        last = r->right;
    }
    if (seq_gt(last, c->rcv_adv) && c->state != LTCP_SYN_RECEIVED)
        return "out-of-order queue: in the window that was offered (RFC 9293 section 3.4)";
    return octets == ahead->octets ? NULL : "out-of-order queue: octets are counted";
}

/* RFC 2018 section 4: blocks lie above the acknowledgment, apart from each other, and say what is
 * held. */
static const char *check_sack_blocks(const struct ltcp_connection *c)
{
    struct ltcp_sack_block blocks[4];
    const uint8_t count = reassembly_sack_blocks(c, blocks, 4);
    for (uint8_t i = 0; i < count; i++) {
        bool held = c->fin_received && seq_eq(blocks[i].left, c->rcv_fin) &&
                    seq_eq(blocks[i].right, seq_add(c->rcv_fin, 1));
        for (uint16_t j = 0; j < c->ahead->count && !held; j++) {
            const struct ltcp_range *r = &c->ahead->ranges[j];
            const bool fin = c->fin_received && seq_eq(r->right, c->rcv_fin);
            held = seq_eq(r->left, blocks[i].left) &&
                   seq_eq(fin ? seq_add(r->right, 1) : r->right, blocks[i].right);
        }
        if (!held) return "SACK blocks are those that are held (RFC 2018 section 4)";
        for (uint8_t j = 0; j < i; j++)
            if (seq_eq(blocks[i].left, blocks[j].left))
                return "SACK blocks differ (RFC 2018 section 4)";
    }
    return NULL;
}

static const char *check_receive_side(const struct ltcp_connection *c)
{
    uint32_t unread = 0;
    for (const struct ltcp_slice *s = c->in.first; s != NULL; s = s->next)
        unread += s->length;
    if (unread != c->unread) return "receive queue: unread octets are counted";
    if (c->state == LTCP_SYN_SENT) return NULL;
    if (seq_lt(c->rcv_adv, c->rcv_nxt) && !c->fin_received)
        return "RCV.NXT lies within what was offered (RFC 9293 section 3.4)";
    if (rcv_wnd(c) > UNSHIFTED_WINDOW << c->rcv_wscale)
        return "RCV.WND is one that the field can say (RFC 7323 section 2.3)";
    if (seq_gt(c->last_ack_sent, c->rcv_nxt))
        return "Last.ACK.sent =< RCV.NXT (RFC 7323 section 4.3)";
    if (seq_gt(c->rcv_read, c->rcv_nxt)) return "what was read was received";
    if (c->ahead == NULL) return NULL;
    const char *broken = check_ahead(c);
    return broken != NULL ? broken : check_sack_blocks(c);
}

/* ---- states and timers --------------------------------------------------------------------------
 */

/* RFC 9293 section 3.3.2: what each state says of the two FINs. */
static const char *check_state(const struct ltcp_connection *c)
{
    const bool peer_closed = c->state == LTCP_CLOSE_WAIT || c->state == LTCP_CLOSING ||
                             c->state == LTCP_LAST_ACK || c->state == LTCP_TIME_WAIT;
    if (peer_closed != c->fin_processed)
        return "CLOSE-WAIT, CLOSING, LAST-ACK and TIME-WAIT follow the peer's FIN, no other state "
               "does (RFC 9293 section 3.3.2)";
    if (c->fin_processed && !seq_eq(c->rcv_nxt, seq_add(c->rcv_fin, 1)))
        return "RCV.NXT is past the peer's FIN once it is processed (RFC 9293, 3.10.7.4)";
    if (!c->fin_processed && c->fin_received && seq_gt(c->rcv_nxt, c->rcv_fin))
        return "RCV.NXT does not pass a FIN that is not processed (RFC 9293, 3.10.7.4)";
    if ((c->state == LTCP_FIN_WAIT_2 || c->state == LTCP_TIME_WAIT) &&
        (c->out != NULL || !seq_eq(c->snd_una, c->snd_nxt)))
        return "FIN-WAIT-2 and TIME-WAIT follow the ACK of one's own FIN (RFC 9293, 3.3.2)";
    const bool closing =
        c->state == LTCP_FIN_WAIT_1 || c->state == LTCP_CLOSING || c->state == LTCP_LAST_ACK;
    if (closing && !c->fin_wanted) return "one's own FIN follows a CLOSE (RFC 9293, 3.10.4)";
    if (closing && c->out == NULL && !c->pending && c->ack_deadline == LTCP_NEVER)
        return "FIN-WAIT-1, CLOSING and LAST-ACK wait for the ACK of one's own FIN (RFC 9293, "
               "3.3.2)";
    return NULL;
}

static const char *check_timers(const struct ltcp_connection *c)
{
    if ((c->loss_timer == LTCP_TIMER_NONE) != (loss_deadline(c) == LTCP_NEVER))
        return "RTO and persist have a deadline while they run, and only then";
    if (c->state == LTCP_TIME_WAIT) {
        if (c->loss_timer != LTCP_TIMER_NONE)
            return "TIME-WAIT waits for 2 MSL alone (RFC9293:MUST-13)";
    } else if (!c->pending && (c->out != NULL) != (c->loss_timer != LTCP_TIMER_NONE)) {
        return "exactly one of RTO and persist runs where something waits, none where nothing does "
               "(RFC 6298 section 5, RFC9293:MUST-36)";
    } else if (!c->pending && c->loss_timer > LTCP_TIMER_PERSIST && !uses_rack(c)) {
        return "the reordering and probe timers are RACK's (RFC 8985 section 8)";
    }
    if (!c->pending && c->loss_timer == LTCP_TIMER_PERSIST && c->snd_wnd >= c->snd_mss &&
        flight_size(c) > 0)
        return "the persist timer is for a window without room (RFC 9293 section 3.8.6.1)";
    if (!c->pending && c->ack_now) return "an ACK that is owed at once makes the host pending";
    const ltcp_time pace = c->out != NULL ? c->out->pace_deadline : LTCP_NEVER;
    if (loss_deadline(c) < c->armed || c->ack_deadline < c->armed || c->long_deadline < c->armed ||
        pace < c->armed)
        return "no deadline is earlier than what the heap holds";
    return NULL;
}

/* ---- from one check to the next -----------------------------------------------------------------
 */

#if defined(LTCP_CHECK) && LTCP_CHECK
static const char *check_progress(struct ltcp_connection *c)
{
    const struct ltcp_shadow was = c->shadow;
    if (c->state == LTCP_SYN_SENT) return NULL;
    c->shadow = (struct ltcp_shadow){.known = true,
                                     .stamped = c->ts_recent_valid,
                                     .snd_una = c->snd_una,
                                     .rcv_nxt = c->rcv_nxt,
                                     .rcv_adv = c->rcv_adv,
                                     .ts_recent = c->ts_recent,
                                     .ts_recent_time = c->ts_recent_time};
    if (!was.known) return NULL;
    if (seq_lt(c->snd_una, was.snd_una)) return "SND.UNA never goes back (RFC 9293, 3.10.7.4)";
    if (seq_lt(c->rcv_nxt, was.rcv_nxt)) return "RCV.NXT never goes back (RFC 9293, 3.10.7.4)";
    if (seq_lt(c->rcv_adv, was.rcv_adv))
        return "the right edge of the offered window never goes back (RFC9293:SHLD-14)";
    if (was.stamped && c->ts_recent_valid && (int32_t)(c->ts_recent - was.ts_recent) < 0 &&
        is_within_24_days(was.ts_recent_time, c->ts_recent_time))
        return "TS.Recent never goes back within 24 days (RFC 7323 section 5.3)";
    return NULL;
}
#else
static const char *check_progress(struct ltcp_connection *c)
{
    (void)c;
    return NULL;
}
#endif

static const char *check_accecn(const struct ltcp_connection *c)
{
    if (!c->accecn) return NULL;
    if (!c->ecn || c->rare == NULL || c->rare->accecn == NULL)
        return "AccECN mode has its counters (RFC 9768 section 3.2)";
    const struct ltcp_accecn *x = accecn_of(c);
    if (x->r_cep < ACCECN_CEP_FIRST || x->s_cep < ACCECN_CEP_FIRST)
        return "r.cep and s.cep begin at 5 and never go back (RFC 9768 section 3.2.1)";
    if (x->r_cep - ACCECN_CEP_FIRST > c->rare->ce_received)
        return "r.cep counts no more than met CE (RFC 9768 section 3.2)";
    if (c->ecn_echo || c->ecn_reduced)
        return "neither ECE nor CWR is RFC 3168's in AccECN mode (RFC 9768 section 3.1.5)";
    return NULL;
}

const char *connection_check(struct ltcp_connection *c)
{
    if (c->state == LTCP_CLOSED || c->state == LTCP_LISTEN) return NULL;
    const char *broken = check_send_side(c);
    if (broken == NULL) broken = check_receive_side(c);
    if (broken == NULL) broken = check_state(c);
    if (broken == NULL) broken = check_timers(c);
    if (broken == NULL) broken = check_accecn(c);
    return broken != NULL ? broken : check_progress(c);
}

static size_t put(char *out, size_t at, size_t room, const char *text)
{
    const size_t length = strlen(text);
    if (length >= room - at) return at;
    memcpy(out + at, text, length + 1);
    return at + length;
}

/* Kept until somebody asks: the connection may be gone by then. */
void connection_note_illegal_change(struct ltcp_connection *c, enum ltcp_state to)
{
    char *out = c->engine->illegal;
    const size_t room = sizeof c->engine->illegal;
    if (out[0] != '\0') return;
    size_t at = put(out, 0, room, "RFC 9293 section 3.10 names no change from ");
    at = put(out, at, room, ltcp_state_name(c->state));
    at = put(out, at, room, " to ");
    put(out, at, room, ltcp_state_name(to));
}
