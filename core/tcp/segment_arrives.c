/* core/tcp/segment_arrives.c
 *
 * RFC 9293 section 3.10.7.3 (SYN-SENT) and 3.10.7.4 (other states), in the RFC's order: one
 * function a step. A step says whether the next one runs; none sends by itself: what must leave is
 * marked, and output makes it. CLOSED and LISTEN are the host's (core/host/replies.c, listeners.c).
 */
#include "tcp/fast_open.h"
#include "tcp/flow_label.h"
#include "tcp/user_timeout.h"

enum step { NEXT, DONE };
typedef enum step (*step_fn)(struct ltcp_connection *c, struct ltcp_arrival *a);

/* ---- first: the sequence number ----------------------------------------------------------------
 */

/* Table 6. */
static bool is_acceptable(const struct ltcp_connection *c, ltcp_seq seq, uint32_t length)
{
    const uint32_t window = rcv_wnd(c);
    if (window == 0) return length == 0 && seq_eq(seq, c->rcv_nxt);
    const ltcp_seq edge = seq_add(c->rcv_nxt, window);
    if (seq_ge(seq, c->rcv_nxt) && seq_lt(seq, edge)) return true;
    if (length == 0) return false;
    const ltcp_seq last = seq_add(seq, length - 1);
    return seq_ge(last, c->rcv_nxt) && seq_lt(last, edge);
}

/* "One could tailor actual segments ... by trimming off any portions that lie outside the window
 * (including SYN and FIN)". */
static void trim(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (seq_lt(a->seq, c->rcv_nxt)) {
        uint32_t old = seq_diff(c->rcv_nxt, a->seq);
        if (a->flags & LTCP_SYN) {
            a->flags &= (uint16_t)~LTCP_SYN;
            old--;
        }
        if (old > a->length) old = a->length;
        if (a->length > 0) reassembly_duplicate(c, seq_sub(c->rcv_nxt, old), c->rcv_nxt);
        a->text += old;
        a->length -= old;
        a->seq = c->rcv_nxt;
    }
    const uint32_t room = seq_gt(seq_add(c->rcv_nxt, rcv_wnd(c)), a->seq)
                              ? seq_diff(seq_add(c->rcv_nxt, rcv_wnd(c)), a->seq)
                              : 0;
    if (a->length + ((a->flags & LTCP_FIN) != 0) <= room) return;
    a->flags &= (uint16_t)~LTCP_FIN;
    if (a->length > room) a->length = room;
    acknowledge_now(c);
}

/* RFC 7323 section 5.3, R1: an old duplicate is told by its timestamp. RFC7323:3.2-7
 * RFC7323:5.5-1 */
static bool paws_rejects(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    if (!c->stamping || !c->ts_recent_valid) return false;
    if ((a->flags & LTCP_RST) || (int32_t)(o->ts_value - c->ts_recent) >= 0) return false;
    /* R1's exception, section 5.5: TS.Recent is void after 24 days of idleness. */
    return is_within_24_days(c->ts_recent_time, coarse_time(a->now));
}

/* R3: remembered from a segment that spans what was acknowledged last. RFC7323:4.3-1
 * RFC7323:4.3-2 RFC7323:4.3-3 RFC7323:5.2-1 */
static void remember_timestamp(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    if (!(o->present & LTCP_HAS_TIMESTAMPS)) return;
    if (!c->stamping) { /* RFC7323:3.2-7 */
        rare_of(c)->options_ignored++;
        return;
    }
    if ((c->ts_recent_valid && (int32_t)(o->ts_value - c->ts_recent) < 0) ||
        seq_gt(a->segment->seq, c->last_ack_sent))
        return;
    c->ts_recent = o->ts_value;
    c->ts_recent_time = coarse_time(a->now);
    c->ts_recent_valid = true;
}

/* RFC9293:3.10.7.4-1: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, and no more of it. */
static enum step reject(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (a->flags & LTCP_RST) return DONE; /* RFC9293:3.10.7.4-2, RFC5961:3.2-1 */
    const uint32_t length = ltcp_segment_length(a->segment);
    if (c->accecn) accecn_rejected(c, a);
    if (a->segment->length > 0) {
        const ltcp_seq end = seq_add(a->segment->seq, a->segment->length);
        rare_of(c)->duplicate_segments++;
        flow_label_duplicate_arrives(c, a);
        if (seq_lt(a->segment->seq, c->rcv_nxt))
            reassembly_duplicate(c, a->segment->seq, seq_min(end, c->rcv_nxt));
    }
    /* The peer's FIN comes again: our last ACK was lost (fifth step, TIME-WAIT; RFC9293:MUST-13,
     * RFC9293:3.10.7.4-16). */
    if (c->state == LTCP_TIME_WAIT && (a->flags & LTCP_FIN) &&
        seq_eq(seq_add(a->segment->seq, length), c->rcv_nxt)) {
        timers_start_time_wait(c, a->now);
        acknowledge_now(c);
    } else if ((settings_of(c)->synack_again || c->accecn) && c->state == LTCP_SYN_RECEIVED &&
               (a->flags & LTCP_SYN) && seq_eq(a->segment->seq, c->irs)) {
        scoreboard_lose_syn(c, a->now);
        connection_want_output(c);
    } else if (length == 0 || (a->flags & LTCP_SYN)) {
        challenge_ack(c,
                      a->now); /* two ends that reject each other's ACKs must not go on for ever */
    } else {
        acknowledge_now(c);
    }
    return DONE;
}

/* RFC7323:3.2-5 RFC7323:3.2-6 RFC7323:5.2-2 RFC7323:5.3-1 */
static enum step first_check_sequence_number(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    /* RFC 7323 section 3.2: once agreed, timestamps are in every segment but a RST. */
    const bool stamped = (a->segment->options.present & LTCP_HAS_TIMESTAMPS) != 0;
    if (c->stamping && !stamped && !(a->flags & LTCP_RST) && settings_of(c)->require_timestamps) {
        rare_of(c)->paws_rejected++;
        return DONE;
    }
    if (stamped && paws_rejects(c, a)) {
        rare_of(c)->paws_rejected++;
        return reject(c, a);
    }
    /* The very SYN that made this connection, again: without it nothing of the segment counts,
     * though text or FIN behind it reach into the window. */
    if (c->state == LTCP_SYN_RECEIVED && seq_eq(a->seq, c->irs) &&
        (a->flags & (LTCP_SYN | LTCP_ACK | LTCP_RST)) == LTCP_SYN) {
        if (!ecn_syn_contradicts(c, a)) return reject(c, a);
        connection_die(c, a->now, LTCP_ERR_REFUSED);
        a->reset = true;
        return DONE;
    }
    /* Simultaneous open (RFC9293:MUST-10): the peer's SYN was processed before; what its SYN,ACK
     * adds is the ACK. */
    if (c->state == LTCP_SYN_RECEIVED && !c->passive && seq_eq(a->seq, c->irs) &&
        (a->flags & (LTCP_SYN | LTCP_ACK | LTCP_RST)) == (LTCP_SYN | LTCP_ACK)) {
        a->seq = seq_add(a->seq, 1);
        a->flags &= (uint16_t)~LTCP_SYN;
        reassembly_duplicate(c, c->irs, a->seq);
        if (c->dsack_due) acknowledge_now(c); /* RFC 2883 section 4 */
    }
    const uint32_t length = a->length + ((a->flags & LTCP_SYN) != 0) + ((a->flags & LTCP_FIN) != 0);
    if (!is_acceptable(c, a->seq, length)) {
        /* RFC9293:MUST-66: with the window closed, the ACK, RST and URG of a segment at its edge
         * count, though its text does not. */
        if (rcv_wnd(c) != 0 || (a->flags & LTCP_SYN)) return reject(c, a);
        /* Two ends that probe each other's closed windows are each one octet ahead of what the
         * other takes: their bare ACKs go unanswered, or there were no end of them (appendix A.2).
         */
        if (length == 0 && seq_eq(a->seq, seq_add(c->rcv_nxt, 1))) return DONE;
        if (!seq_eq(a->seq, c->rcv_nxt)) return reject(c, a);
        a->length = 0;
        a->flags &= (uint16_t)~LTCP_FIN;
        acknowledge_now(c);
    }
    if (a->flags & LTCP_RST) return NEXT;
    timers_heard(c, a->now);
    ecn_segment_arrives(c, a);
    c->received_dscp = a->ip->dscp; /* RFC9293:MAY-9 */
    if (a->ip->options_length > 0) source_route_arrives(c, a->ip);
    return NEXT;
}

/* ---- second: RST
 * --------------------------------------------------------------------------------- */

static enum step second_check_rst(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!(a->flags & LTCP_RST)) return NEXT;
    /* RFC5961:3.2-2, RFC5961:3.2-3: only a reset at the left edge is believed (a reset may carry
     * data, RFC9293:SHLD-2). RFC9293:3.10.7.4-4 */
    if (!seq_eq(a->segment->seq, c->rcv_nxt)) {
        challenge_ack(c, a->now);
        return DONE;
    }
    switch (c->state) {
    case LTCP_SYN_RECEIVED:
        /* RFC9293:MUST-11, RFC9293:3.10.7.4-5: a passive open goes back to LISTEN, where the
         * listener still is. */
        connection_die(c, a->now, fast_opened(c) ? LTCP_ERR_RESET : LTCP_ERR_REFUSED);
        break;
    case LTCP_TIME_WAIT: /* RFC1337:3-1 */
        if (!settings_of(c)->time_wait_ignores_reset) connection_die(c, a->now, LTCP_OK);
        break;
    /* RFC9293:3.10.7.4-3, RFC9293:MUST-12, RFC5961:4.2-2 */
    default: connection_die(c, a->now, LTCP_ERR_RESET); break;
    }
    return DONE;
}

/* ---- fourth: SYN
 * --------------------------------------------------------------------------------- */

static enum step fourth_check_syn(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!(a->flags & LTCP_SYN)) {
        trim(c, a);
        return NEXT;
    }
    if (c->state == LTCP_SYN_RECEIVED && c->passive && !fast_opened(c))
        connection_die(c, a->now, LTCP_ERR_REFUSED); /* back to LISTEN: RFC9293:3.10.7.4-7 */
    else
        challenge_ack(c, a->now); /* RFC5961:4.2-1, RFC9293:3.10.7.4-6 */
    return DONE;
}

/* ---- fifth: ACK
 * ---------------------------------------------------------------------------------- */

static void our_fin_is_acknowledged(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const enum ltcp_state next = (enum ltcp_state)ltcp_after_fin_acked[c->state];
    if (next == (enum ltcp_state)c->state) return;
    if (next == LTCP_CLOSED) {
        connection_die(c, a->now, LTCP_OK);
        return;
    }
    connection_set_state(c, a->now, next);
    if (next == LTCP_TIME_WAIT) timers_start_time_wait(c, a->now);
    if (next == LTCP_FIN_WAIT_2 && c->user_closed && settings_of(c)->fin_wait_2_timeout > 0)
        timers_set_long(c, a->now + settings_of(c)->fin_wait_2_timeout);
}

static enum step fifth_check_ack(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const ltcp_seq ack = a->segment->ack;
    if (!(a->flags & LTCP_ACK)) return DONE; /* RFC9293:3.10.7.4-8 */
    if (c->state == LTCP_SYN_RECEIVED) {     /* RFC9293:3.10.7.4-9 */
        if (seq_le(ack, c->snd_una) || seq_gt(ack, c->snd_nxt)) {
            a->reset = true; /* RFC9293:3.10.7.4-10 */
            return DONE;
        }
        c->snd_wnd = (uint32_t)a->segment->window << c->snd_wscale;
        c->snd_wl1 = a->segment->seq;
        c->snd_wl2 = ack;
        connection_established(c, a->now);
        if (c->fin_wanted && c->state == LTCP_ESTABLISHED) /* 3.10.4: the CLOSE that was queued */
            connection_set_state(c, a->now, LTCP_FIN_WAIT_1);
    }
    /* RFC9293:MAY-12, RFC5961:5.2-1, RFC5961:5.2-2, RFC5961:5.2-3: neither older than the greatest
     * window nor yet unsent. */
    if (seq_gt(ack, c->snd_nxt) || seq_lt(ack, seq_sub(c->snd_una, c->max_snd_wnd))) {
        if (seq_lt(ack, c->snd_una) || settings_of(c)->answer_unsent_ack) challenge_ack(c, a->now);
        return DONE;
    }
    remember_timestamp(c, a); /* of what is no injection */
    if (c->accecn) accecn_segment_arrives(c, a);
    acknowledgment_arrives(c, a);
    if (c->fin_queued && c->out == NULL) our_fin_is_acknowledged(c, a);
    if (c->state == LTCP_TIME_WAIT && (a->flags & LTCP_FIN)) {
        acknowledge_now(c);
        timers_start_time_wait(c, a->now);
    }
    return c->state == LTCP_CLOSED || c->state == LTCP_TIME_WAIT ? DONE : NEXT;
}

/* ---- sixth to eighth: URG, text, FIN
 * ------------------------------------------------------------- */

/* RFC9293:3.10.7.4-17; after the peer's FIN it is ignored, as text is (RFC9293:3.10.7.4-19). */
static enum step sixth_check_urg(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!(a->flags & LTCP_SYN)) user_timeout_arrives(c, &a->segment->options);
    if (state_may_receive_text(c->state)) urgent_arrives(c, a);
    return NEXT;
}

/* RFC 9293 section 3.8.6.3: RFC9293:SHLD-18, SHLD-19, MUST-40. RFC5681:3.2-1 RFC5681:3.2-2
 * RFC5681:4.2-1 RFC5681:4.2-2 RFC5681:4.2-3 RFC2018:4-3 RFC6582:5-1 */
static void owe_acknowledgment(struct ltcp_connection *c, ltcp_time now, uint32_t octets)
{
    const struct ltcp_settings *s = settings_of(c);
    c->unacked_octets += octets;
    const uint32_t full = c->seen_mss != 0 ? c->seen_mss : c->rcv_mss;
    if (c->quick_acks > 0) {
        c->quick_acks--;
        acknowledge_now(c);
    } else if (!s->delayed_ack || c->unacked_octets >= tuning_ack_every(c) * full) {
        acknowledge_now(c);
    } else if (c->ack_deadline == LTCP_NEVER) {
        timers_set_ack(c, now + s->delayed_ack_timeout);
    }
}

static void deliver(struct ltcp_connection *c, uint32_t octets)
{
    c->unread += octets;
    c->bytes_received += octets;
    if (octets > 0) connection_event(c, LTCP_EVENT_READABLE);
}

void segment_in_order(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const uint32_t gathered = a->packet->gathered_of;
    const uint32_t length = gathered > 0 ? gathered : a->segment->length;
    if (length > c->seen_mss && length <= c->rcv_mss) c->seen_mss = (uint16_t)length;
    if (!memory_admits(c, a->length)) return;
    if (!receive_queue_append(c, &c->in, a->packet, a->text, a->length)) return;
    memory_charge(c->engine, a->length);
    c->rcv_nxt = seq_add(c->rcv_nxt, a->length);
    if (a->flags & LTCP_PSH) c->pushed = true;
    deliver(c, a->length);
    if (c->tunes) tuning_data_arrives(c, a);
    owe_acknowledgment(c, a->now, a->length);
    if (c->ahead != NULL) acknowledge_now(c); /* RFC 5681 section 4.2: all or part of a gap */
}

/* RFC9293:3.10.7.4-20, RFC9293:3.10.7.4-21, RFC9293:3.10.7.4-22; only once: RFC9293:3.10.7.4-23. */
static void process_fin(struct ltcp_connection *c, ltcp_time now)
{
    if (!c->fin_received || c->fin_processed || !seq_eq(c->rcv_nxt, c->rcv_fin)) return;
    c->fin_processed = true;
    c->rcv_nxt = seq_add(c->rcv_nxt, 1);
    if (seq_lt(c->rcv_adv, c->rcv_nxt)) c->rcv_adv = c->rcv_nxt;
    if (settings_of(c)->delay_fin_ack && !c->fin_wanted)
        owe_acknowledgment(c, now, 0);
    else
        acknowledge_now(c);
    connection_event(c, LTCP_EVENT_PEER_CLOSED | LTCP_EVENT_READABLE);
    const enum ltcp_state next = (enum ltcp_state)ltcp_after_fin[c->state];
    connection_set_state(c, now, next);
    if (next == LTCP_TIME_WAIT) timers_start_time_wait(c, now);
}

/* What came ahead has become next, the FIN at last. */
void segment_drain(struct ltcp_connection *c, ltcp_time now)
{
    if (c->ahead != NULL) {
        const uint32_t moved = reassembly_drain(c);
        deliver(c, moved);
        if (moved > 0) acknowledge_now(c);
    }
    process_fin(c, now);
}

/* RFC9293:SHLD-3: nobody will read this, and the peer should know. */
static bool refuse_late_data(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!c->user_closed || !settings_of(c)->reset_on_unread_close) return false;
    if (seq_le(seq_add(a->seq, a->length), c->rcv_nxt)) return false;
    a->reset = true; /* as where there is no connection, 3.10.7.1: there is none from here on */
    connection_die(c, a->now, LTCP_ERR_ABORTED);
    return true;
}

/* RFC9293:3.10.7.4-18 */
static enum step seventh_process_segment_text(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (a->length == 0 || !state_may_receive_text(c->state)) return NEXT; /* RFC9293:3.10.7.4-19 */
    if (refuse_late_data(c, a)) return DONE;
    if (c->fin_received && seq_gt(seq_add(a->seq, a->length), c->rcv_fin)) /* behind the FIN */
        a->length = seq_lt(a->seq, c->rcv_fin) ? seq_diff(c->rcv_fin, a->seq) : 0;
    if (a->length == 0) return NEXT;
    if (!seq_eq(a->seq, c->rcv_nxt)) {
        /* RFC9293:SHLD-31, MAY-13: kept, and acknowledged at once (RFC 5681 section 4.2). */
        rare_of(c)->out_of_order_segments++;
        if (memory_keeps_ahead(c, a->length))
            reassembly_insert(c, a->packet, a->seq, a->text, a->length);
        acknowledge_now(c);
        return NEXT;
    }
    segment_in_order(c, a);
    return NEXT;
}

/* Octets behind it have come: one of the two is forged, or of another connection. The stream is not
 * cut short for a FIN that contradicts what was acknowledged selectively. */
static bool fin_contradicts(const struct ltcp_connection *c, ltcp_seq fin)
{
    const struct ltcp_reassembly *ahead = c->ahead;
    return ahead != NULL && ahead->count > 0 && seq_gt(ahead->ranges[ahead->count - 1].right, fin);
}

static enum step eighth_check_fin(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if ((a->flags & LTCP_FIN) && !c->fin_received &&
        !fin_contradicts(c, seq_add(a->seq, a->length))) {
        c->fin_received = true;
        c->rcv_fin = seq_add(a->seq, a->length);
    }
    if (c->ahead != NULL || c->fin_received) segment_drain(c, a->now);
    if ((a->flags & LTCP_FIN) && !c->fin_processed) reassembly_fin(c);
    const bool brought = a->length > 0 || (a->flags & LTCP_FIN);
    if (brought && c->fin_received && !c->fin_processed) acknowledge_now(c); /* a hole before it */
    return DONE;
}

/* RFC 9293 section 3.10.7.4, "otherwise". The third step, security and compartment, has nothing to
 * compare: no such labels are supported (appendix A.1). */
static const step_fn steps[] = {
    first_check_sequence_number, /* PAWS, then the window         */
    second_check_rst,            /* RFC 5961 section 3            */
    fourth_check_syn,            /* RFC 5961 section 4            */
    fifth_check_ack,             /* RFC 5961 section 5            */
    sixth_check_urg,             /* RFC9293:MUST-31, MUST-32      */
    seventh_process_segment_text,
    eighth_check_fin,
};

/* ---- SYN-SENT, section 3.10.7.3
 * ------------------------------------------------------------------- */

/* Text and FIN that came with a SYN wait until the connection is established. */
void segment_text_arrives(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (a->length > 0 && a->length <= rcv_wnd(c))
        reassembly_insert(c, a->packet, seq_add(a->segment->seq, 1), a->text, a->length);
    if (a->flags & LTCP_FIN) {
        c->fin_received = true;
        c->rcv_fin = seq_add(a->segment->seq, 1 + a->length);
    }
}

uint32_t segment_syn_text(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    segment_text_arrives(c, a);
    const uint32_t moved = c->ahead != NULL ? reassembly_drain(c) : 0;
    deliver(c, moved);
    return moved;
}

void segment_syn_arrives(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    c->irs = s->seq;
    c->rcv_nxt = c->rcv_adv = c->rcv_read = c->rcv_up = c->last_ack_sent = seq_add(s->seq, 1);
    if (a->ip->options_length > 0) source_route_arrives(c, a->ip);
    ecn_syn_arrives(c, a);
    handshake_read_options(c, s, a->now);
    c->snd_wnd = c->max_snd_wnd = s->window; /* never scaled in a SYN (RFC 7323 section 2.2) */
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->flags & LTCP_ACK ? s->ack : c->iss; /* a bare SYN acknowledges nothing */
    (void)window_advertise(c, true);
}

/* The timestamp that comes back is none of those that the SYN has carried. */
static bool echo_is_false(const struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_options *o = &a->segment->options;
    if (!c->stamping || !(a->flags & LTCP_ACK) || !(o->present & LTCP_HAS_TIMESTAMPS)) return false;
    if (o->ts_echo == 0 || c->out == NULL) return false;
    return (int32_t)(o->ts_echo - timestamp_now(c, c->out->waiting_since)) < 0 ||
           (int32_t)(o->ts_echo - timestamp_now(c, a->now)) > 0;
}

static void syn_sent(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    const bool acceptable =
        (a->flags & LTCP_ACK) && seq_gt(s->ack, c->snd_una) && seq_le(s->ack, c->snd_nxt);
    if ((a->flags & LTCP_ACK) && !acceptable) { /* first: RFC9293:3.10.7.3-1 */
        a->reset = !(a->flags & LTCP_RST);
        return;
    }
    if (settings_of(c)->reject_false_echo && echo_is_false(c, a)) {
        a->reset = (a->flags & LTCP_RST) == 0;
        return;
    }
    if (a->flags & LTCP_RST) { /* second: RFC9293:3.10.7.3-2, RFC5961:3.2-4 */
        if (acceptable) connection_die(c, a->now, LTCP_ERR_REFUSED);
        return;
    }
    if (!(a->flags & LTCP_SYN)) return; /* fifth: RFC9293:3.10.7.3-5 */
    segment_syn_arrives(c, a);          /* fourth */
    if (acceptable) {                   /* RFC9293:3.10.7.3-3 */
        fast_open_synack_arrives(c, a);
        acknowledgment_arrives(c, a);
        connection_established(c, a->now);
        fast_open_resume(c);
        if (c->accecn) accecn_established(c, a->now);
        if (fast_open_is_awaited(c)) {
            c->quick_acks = 0; /* question and answer: what is written carries them */
            timers_set_ack(c, a->now + settings_of(c)->delayed_ack_timeout);
        } else {
            acknowledge_now(c);
        }
        sixth_check_urg(c, a);
        if (a->length > 0 || (a->flags & LTCP_FIN)) {
            segment_text_arrives(c, a);
            segment_drain(c, a->now);
        }
        return;
    }
    /* RFC9293:MUST-10: simultaneous open. <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>
     * RFC9293:3.10.7.3-4 */
    connection_set_state(c, a->now, LTCP_SYN_RECEIVED);
    /* RFC7413:4.2.2-17 */
    if (settings_of(c)->keep_syn_data) segment_text_arrives(c, a);
    scoreboard_lose_syn(c, a->now);
    connection_want_output(c);
}

/* RFC3168:6.1.5-2 */
void segment_arrives(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    c->segments_received++;
    if (a->segment->length > 0) c->data_segments_received++;
    if (prediction_takes(c, a)) return;
    if (c->state == LTCP_SYN_SENT) {
        syn_sent(c, a);
        return;
    }
    const bool was_open = c->state != LTCP_SYN_RECEIVED;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i](c, a) == DONE) break;
    /* What the SYN carried can be processed now. */
    if (!was_open && c->syn_acked && (c->ahead != NULL || c->fin_received))
        segment_drain(c, a->now);
}
