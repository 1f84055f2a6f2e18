/* core/tcp/recovery.c
 *
 * When something is held to be lost: fast retransmit and fast recovery by RFC 6675 where the peer
 * gives SACKs, by RFC 6582 where it does not; the retransmission timeout by RFC 5681 and 6298. What
 * may then be sent is the congestion control's to say and output's to do. */
#include "tcp/connection.h"

/* RFC 5681 section 3.2: what limited transmit sent on the first duplicate ACKs does not count. */
static uint32_t flight_before_duplicates(const struct ltcp_connection *c)
{
    return c->duplicate_acks > 0 ? seq_diff(c->out->duplicate_point, c->snd_una) : flight_size(c);
}

static void enter_fast_recovery(struct ltcp_connection *c, ltcp_time now)
{
    c->recovery = LTCP_RECOVERY_FAST;
    c->recovery_point = c->snd_nxt;
    c->force_retransmit = true; /* RFC 6675 section 5, (4.3) */
    rare_of(c)->fast_recoveries++;
    connection_trace(c, now, LTCP_TRACE_FAST_RETRANSMIT, c->recovery_point.n);
    c->cc.ops->on_loss(&c->cc, now, flight_before_duplicates(c));
}

static void leave(struct ltcp_connection *c, ltcp_time now)
{
    const bool fast = c->recovery == LTCP_RECOVERY_FAST;
    c->recovery = LTCP_RECOVERY_NONE;
    c->duplicate_acks = 0;
    if (c->out != NULL) c->out->duplicate_octets = 0;
    c->force_retransmit = false;
    connection_trace(c, now, LTCP_TRACE_RECOVERED, c->recovery_point.n);
    if (fast) c->cc.ops->on_recovered(&c->cc, now);
}

/* A duplicate ACK without SACK says that one segment has left the network (RFC 6582 inflates the
 * window by it; here the pipe shrinks by it). */
static void count_duplicate(struct ltcp_connection *c)
{
    if (c->duplicate_acks == 0) c->out->duplicate_point = c->snd_nxt;
    if (c->duplicate_acks < UINT16_MAX) c->duplicate_acks++;
    if (c->sacking) return;
    const uint32_t flight = flight_size(c);
    const uint32_t most = flight > c->snd_mss ? flight - c->snd_mss : 0;
    c->out->duplicate_octets += c->snd_mss;
    if (c->out->duplicate_octets > most) c->out->duplicate_octets = most;
}

/* Of what a partial ACK covers, one segment was the lost one and the others had been counted as
 * duplicates (RFC 6582 section 3.2, step 3: deflate by what was acknowledged, add back one SMSS).
 */
static void discount_duplicates(struct ltcp_connection *c, uint32_t acked)
{
    const uint32_t others = acked > c->snd_mss ? acked - c->snd_mss : 0;
    struct ltcp_send_queue *q = c->out;
    q->duplicate_octets -= others < q->duplicate_octets ? others : q->duplicate_octets;
}

static bool should_enter(struct ltcp_connection *c, bool found)
{
    if (c->out == NULL || flight_size(c) == 0 || c->state < LTCP_ESTABLISHED) return false;
    if (found) return true;
    if (c->duplicate_acks < settings_of(c)->duplicate_ack_threshold) return false;
    /* RFC 6582 section 3.2, step 2: not for duplicates that a timeout's own retransmissions made.
     */
    return c->sacking || seq_gt(c->snd_una, c->recovery_point);
}

/* A SACKed record at SND.UNA means that the receiver threw it away (RFC 2018 section 8). */
static void look_for_reneging(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->sacked == 0 || q->head == q->unsent) return;
    if (record_at(q, q->head)->marks & LTCP_MARK_SACKED) scoreboard_forget_sacks(c);
}

void recovery_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t acked, bool duplicate)
{
    const bool advanced = acked > 0;
    if (c->recovery != LTCP_RECOVERY_NONE && seq_ge(c->snd_una, c->recovery_point)) leave(c, now);
    if (advanced) look_for_reneging(c);
    const bool found = c->sacking && scoreboard_detect(c);

    if (c->recovery == LTCP_RECOVERY_FAST && !c->sacking) {
        if (duplicate) count_duplicate(c);
        if (!advanced) return;
        if (c->out == NULL) return;
        discount_duplicates(c, acked);
        scoreboard_lose(c,
                        c->out->head); /* the next hole, step 3's "first unacknowledged segment" */
        c->force_retransmit = true;
        return;
    }
    if (c->recovery != LTCP_RECOVERY_NONE) return;
    if (advanced) {
        c->duplicate_acks = 0;
        if (c->out != NULL) c->out->duplicate_octets = 0;
    }
    if (duplicate) count_duplicate(c);
    if (!should_enter(c, found)) return;
    scoreboard_lose(c, c->out->head);
    enter_fast_recovery(c, now);
}

/* RFC 5681 section 3.1, equation 4; RFC 6582 section 4. */
void recovery_on_timeout(struct ltcp_connection *c, ltcp_time now)
{
    const uint32_t flight = flight_size(c);
    struct ltcp_send_queue *q = c->out;
    scoreboard_lose_all(c);
    q->loss_position = q->unsent;
    q->sacked_above = q->segments_above = 0;
    c->recovery = LTCP_RECOVERY_TIMEOUT;
    c->recovery_point = c->snd_nxt;
    c->force_retransmit = true;
    c->cc.ops->on_timeout(&c->cc, now, flight, c->unanswered <= 1);
}
