/* core/tcp/recovery.c
 *
 * When something is held to be lost: fast retransmit and fast recovery by RFC 6675 where the peer
 * gives SACKs, by RFC 6582 where it does not; the retransmission timeout by RFC 5681 and 6298. What
 * may then be sent is the congestion control's to say and output's to do. */
#include "tcp/connection.h"

/* RFC 5681 equation (4) is a bound from above. While a hole stays open, FlightSize holds all that
 * was SACKed behind it, and may be many windows: half of that would be an increase. */
static uint32_t flight_within_window(const struct ltcp_connection *c, uint32_t flight)
{
    if (settings_of(c)->reduce_from_window) return c->cc.cwnd;
    return flight < c->cc.cwnd ? flight : c->cc.cwnd;
}

/* RFC 5681 section 3.2: what limited transmit sent on the first duplicate ACKs does not count.
 * RFC5681:3.2-8 RFC6675:5-6 */
static uint32_t flight_before_duplicates(const struct ltcp_connection *c)
{
    const uint32_t flight =
        c->duplicate_acks > 0 ? seq_diff(c->out->duplicate_point, c->snd_una) : flight_size(c);
    return flight_within_window(c, flight);
}

/* RFC 8985 section 7.1: a probe that is not judged yet is forgotten when a recovery begins.
 * RFC8985:7.1-1 */
static void forget_probe(struct ltcp_connection *c)
{
    if (c->rare != NULL) c->rare->probed = false;
    if (c->out != NULL) c->out->probe_deadline = LTCP_NEVER;
}

/* RFC5681:3.2-9 RFC6675:5-5 RFC6675:5-7 RFC6582:3.2-5 */
static void enter_fast_recovery(struct ltcp_connection *c, ltcp_time now)
{
    undo_begin(c);
    c->recovery = LTCP_RECOVERY_FAST;
    c->recovery_point = c->snd_nxt;
    c->force_retransmit = true; /* RFC 6675 section 5, (4.3) */
    forget_probe(c);
    rare_of(c)->fast_recoveries++;
    connection_trace(c, now, LTCP_TRACE_FAST_RETRANSMIT, c->recovery_point.n);
    if (ecn_reduction_goes_on(c)) /* one round trip, one reduction */
        c->cc.cwnd = c->cc.ssthresh;
    else
        c->cc.ops->on_loss(&c->cc, now, flight_before_duplicates(c));
    ecn_window_reduced(c);
    remark_response(c, now, "a loss");
}

/* RFC6675:5-8 RFC6675:5-9 RFC6582:3.2-3 */
static void leave(struct ltcp_connection *c, ltcp_time now)
{
    const bool fast = c->recovery == LTCP_RECOVERY_FAST;
    c->recovery = LTCP_RECOVERY_NONE;
    if (uses_rack(c)) rack_adapt(c, now, false, true);
    c->duplicate_acks = 0;
    if (c->out != NULL) c->out->duplicate_octets = 0;
    c->force_retransmit = false;
    connection_trace(c, now, LTCP_TRACE_RECOVERED, c->recovery_point.n);
    if (fast) c->cc.ops->on_recovered(&c->cc, now);
}

/* Octets beyond SND.UNA that left long enough ago to have arrived: a duplicate ACK that comes
 * sooner than the least round trip after a segment is not about it, whoever made it. RFC5681:3.2-11
 */
static uint32_t may_have_arrived(const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    uint32_t low = 0, high = q->unsent - q->head;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct ltcp_record *r = record_at(q, q->head + middle);
        if ((r->marks & LTCP_MARK_EVER) || r->last_sent + c->min_rtt <= now)
            low = middle + 1;
        else
            high = middle;
    }
    if (q->head + low == q->unsent) return flight_size(c);
    return seq_diff(record_at(q, q->head + low)->seq, c->snd_una);
}

/* A duplicate ACK without SACK says that one segment has left the network (RFC 6582 inflates the
 * window by it; here the pipe shrinks by it); with SACK the scoreboard says it. RFC5681:3.2-6,
 * RFC5681:3.2-10, RFC3042:2-2, RFC3042:2-4 RFC5681:3.2-11 */
static void count_duplicate(struct ltcp_connection *c, ltcp_time now)
{
    if (c->duplicate_acks == 0) c->out->duplicate_point = c->snd_nxt;
    if (c->duplicate_acks < UINT16_MAX) c->duplicate_acks++;
    if (c->sacking) return;
    const uint32_t arrived = may_have_arrived(c, now);
    const uint32_t most = arrived > c->snd_mss ? arrived - c->snd_mss : 0;
    if (c->out->duplicate_octets >= most) return;
    c->out->duplicate_octets += c->snd_mss;
    if (c->out->duplicate_octets > most) c->out->duplicate_octets = most;
}

/* Of what a partial ACK covers, one segment was the lost one and the others had been counted as
 * duplicates (RFC 6582 section 3.2, step 3: deflate by what was acknowledged, add back one SMSS).
 * RFC6582:3.2-2 */
static void discount_duplicates(struct ltcp_connection *c, uint32_t acked)
{
    const uint32_t others = acked > c->snd_mss ? acked - c->snd_mss : 0;
    struct ltcp_send_queue *q = c->out;
    q->duplicate_octets -= others < q->duplicate_octets ? others : q->duplicate_octets;
}

/* RFC5681:3.2-3 RFC6675:5-3 RFC2018:5.1-1 RFC6582:3.2-1 */
static bool should_enter(struct ltcp_connection *c, bool found)
{
    if (c->out == NULL || flight_size(c) == 0 || c->state < LTCP_ESTABLISHED) return false;
    if (found) return true;
    if (uses_rack(c) || (c->mtu_watched && mtu_search_mends(c))) return false;
    if (c->duplicate_acks < settings_of(c)->duplicate_ack_threshold) return false;
    /* RFC 6582 section 3.2, step 2: not for duplicates that a timeout's own retransmissions made.
     */
    return c->sacking || seq_gt(c->snd_una, c->recovery_point);
}

/* A SACKed record at SND.UNA means that the receiver threw it away (RFC 2018 section 8). */
static void look_for_reneging(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->sacked == 0 || q->head == q->unsent) return;
    if (!(record_at(q, q->head)->marks & LTCP_MARK_SACKED)) return;
    connection_remark(c, now, LTCP_REMARK_RENEGED, "what was SACKed is forgotten", q->sacked, 0);
    scoreboard_forget_sacks(c);
}

/* True when something new is held to be lost. A retransmission that was lost is a new sign of
 * congestion (RFC 5681 section 4.3), which proportional rate reduction hears of by itself (RFC 8985
 * section 9.3), and one that sets its window in recovery by each segment lost. RFC5681:4.3-4
 * RFC8985:9.2-1 RFC8985:9.3-3 */
static bool detect_losses(struct ltcp_connection *c, ltcp_time now)
{
    if (!c->sacking) return false;
    if (!uses_rack(c)) return scoreboard_detect(c, now);
    const struct ltcp_rack_losses losses = rack_detect(c, now);
    const bool told = uses_prr(c) || c->cc.ops->own_recovery;
    if (losses.retransmission && c->recovery == LTCP_RECOVERY_FAST && !told) {
        c->cc.ops->on_loss(&c->cc, now, flight_within_window(c, flight_size(c)));
        remark_response(c, now, "a lost retransmission");
    }
    return losses.original || losses.retransmission;
}

void recovery_on_reordering_timeout(struct ltcp_connection *c, ltcp_time now)
{
    const bool found = detect_losses(c, now);
    if (found && c->mtu_watched && mtu_search_lost(c, now)) return;
    if (found && c->recovery == LTCP_RECOVERY_NONE) {
        enter_fast_recovery(c, now);
        if (uses_prr(c)) prr_start(c, 0, 0);
    }
    if (found && c->recovery == LTCP_RECOVERY_FAST && uses_prr(c)) prr_on_ack(c, now, 0, false);
    connection_want_output(c);
}

/* RFC6675:5-2 RFC6675:5-10 */
void recovery_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t acked, bool duplicate,
                     const struct ltcp_times *times, uint32_t newly_delivered)
{
    const bool advanced = acked > 0;
    if (uses_rack(c) && times->duplicate_told) rack_adapt(c, now, true, false);
    undo_on_ack(c, now, acked, duplicate, times);
    if (c->recovery != LTCP_RECOVERY_NONE && seq_ge(c->snd_una, c->recovery_point)) leave(c, now);
    if (advanced) look_for_reneging(c, now);
    const bool found = detect_losses(c, now);

    if (c->recovery == LTCP_RECOVERY_FAST && uses_prr(c)) {
        /* RFC9937:6.2-1: what delivers nothing changes nothing; but a loss makes room in the pipe.
         */
        if (newly_delivered > 0 || found) prr_on_ack(c, now, newly_delivered, advanced && !found);
        return;
    }
    if (c->recovery == LTCP_RECOVERY_FAST && !c->sacking) {
        if (duplicate) count_duplicate(c, now);
        if (!advanced) return;
        if (c->out == NULL) return;
        discount_duplicates(c, acked);
        /* the next hole, step 3's "first unacknowledged segment" */
        scoreboard_judge_lost(c, now, c->out->head);
        c->force_retransmit = true;
        return;
    }
    if (c->recovery != LTCP_RECOVERY_NONE) return;
    if (advanced) {
        c->duplicate_acks = 0;
        if (c->out != NULL) c->out->duplicate_octets = 0;
    }
    if (duplicate) count_duplicate(c, now);
    if (!should_enter(c, found)) return;
    if (!uses_rack(c)) scoreboard_judge_lost(c, now, c->out->head);
    if (c->mtu_watched && mtu_search_lost(c, now)) return;
    enter_fast_recovery(c, now);
    if (!uses_prr(c)) return;
    prr_start(c, acked, newly_delivered > acked ? newly_delivered - acked : 0);
    prr_on_ack(c, now, newly_delivered, false);
}

void recovery_note_limited_transmit(struct ltcp_connection *c, ltcp_time now)
{
    if (c->recovery != LTCP_RECOVERY_NONE) return;
    rare_of(c)->limited_transmits++;
    connection_remark(c, now, LTCP_REMARK_LIMITED_TRANSMIT, "new data on a duplicate ACK",
                      c->duplicate_acks, 0);
}

/* RFC 5681 section 3.1, equation 4; RFC 6582 section 4. RFC5681:3.1-4 RFC5681:3.1-13 RFC6298:5-5
 * RFC6675:5.1-1 RFC6675:5.1-2 RFC6582:3.2-4 */
void recovery_on_timeout(struct ltcp_connection *c, ltcp_time now)
{
    const uint32_t flight = flight_within_window(c, flight_size(c));
    struct ltcp_send_queue *q = c->out;
    forget_probe(c);
    undo_begin(c);
    undo_frto_start(c, now);
    mtu_search_timeout(c, now);
    if (uses_rack(c))
        rack_lose_at_timeout(c, now);
    else
        scoreboard_lose_all(c, now);
    q->loss_position = q->unsent;
    q->sacked_above = q->segments_above = 0;
    c->recovery = LTCP_RECOVERY_TIMEOUT;
    c->recovery_point = c->snd_nxt;
    c->force_retransmit = true;
    c->cc.ops->on_timeout(&c->cc, now, flight, c->unanswered <= 1);
    ecn_window_reduced(c);
    remark_response(c, now, "a timeout");
}
