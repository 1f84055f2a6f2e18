/* core/tcp/undo.c
 *
 * Reductions that were not needed, taken back: told by DSACKs (RFC 3708), by timestamps (the Eifel
 * algorithm, RFC 3522) or, after a timeout, by what comes next (F-RTO, RFC 5682); answered by the
 * Eifel response (RFC 4015). RFC9438:4.9.1-1 RFC9438:4.9.2-1 */
#include "tcp/connection.h"

#define TIMER_GRANULARITY LTCP_MILLISECOND /* what loops in real time keep to; RFC 4015's G */

/* Before the congestion control hears of the loss. A timeout within a fast recovery belongs to the
 * same reduction. What an earlier recovery sent again and nobody has answered yet would be taken
 * for what came first: then its stamp and its copies go on counting. RFC4015:3.1-1 RFC4015:3.1-2 */
void undo_begin(struct ltcp_connection *c)
{
    struct ltcp_rare *r = rare_of(c);
    const bool fresh = c->out == NULL || c->out->retransmitted == 0;
    if (c->recovery != LTCP_RECOVERY_NONE && r->undo_valid) return;
    r->undo_valid = fresh || r->undo_stamped;
    r->undo_resent = false;
    if (fresh) {
        r->undo_stamped = false;
        r->undo_copies = 0;
    }
    r->undo_from = c->snd_una;
    r->undo_to = c->snd_nxt;
    r->prior_cwnd = c->cc.cwnd;
    const uint32_t flight = flight_size(c); /* step (0): pipe_prev, SRTT_prev, RTTVAR_prev */
    r->prior_ssthresh = flight > c->cc.ssthresh ? flight : c->cc.ssthresh;
    r->prior_srtt = c->srtt + 2 * TIMER_GRANULARITY;
    r->prior_rttvar = c->rttvar;
}

/* RFC3522:3.2-2 */
void undo_resent(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_rare *r = rare_of(c);
    if (!r->undo_valid) return;
    r->undo_copies++;
    r->undo_resent = true;
    if (r->undo_stamped) return;
    r->undo_stamped = true;
    r->undo_stamp = timestamp_now(c, now); /* RFC 3522 section 3.2, step (2) */
}

/* Every retransmission came to a receiver that held the segment. */
static bool all_came_twice(struct ltcp_connection *c, const struct ltcp_times *times)
{
    struct ltcp_rare *r = c->rare;
    if (!settings_of(c)->undo_by_dsack || !times->duplicate_told || r->undo_copies == 0)
        return false;
    if (seq_lt(times->duplicate.left, r->undo_from) || seq_gt(times->duplicate.right, r->undo_to))
        return false;
    return --r->undo_copies == 0;
}

/* RFC3522:3.2-5: what is acknowledged was sent before the retransmission.
 * RFC3522:3.2-1 */
static bool stamp_is_older(const struct ltcp_connection *c, bool advanced,
                           const struct ltcp_times *times)
{
    const struct ltcp_rare *r = c->rare;
    return settings_of(c)->eifel && advanced && c->recovery != LTCP_RECOVERY_NONE &&
           times->stamped && r->undo_stamped && (int32_t)(times->echo - r->undo_stamp) < 0;
}

/* ---- F-RTO, RFC 5682 ----------------------------------------------------------------------------
 */
enum { FRTO_OFF, FRTO_FIRST, FRTO_SECOND };

/* Where a step leads, in words for the trace. */
static void frto_goes_to(struct ltcp_connection *c, ltcp_time now, uint8_t step, const char *what)
{
    rare_of(c)->frto = step;
    connection_remark(c, now, LTCP_REMARK_FRTO, what, c->snd_una.n, c->recovery_point.n);
}

/* RFC5682:2.1-1 RFC5682:2.1-5 RFC5682:2.1-6 */
void undo_frto_start(struct ltcp_connection *c, ltcp_time now)
{
    const bool alone = c->out->unsent - c->out->head <= 1;
    const bool recovering = c->recovery == LTCP_RECOVERY_FAST && c->sacking; /* RFC5682:2.1-6 */
    const bool enters = settings_of(c)->frto && !alone && !recovering;
    rare_of(c)->frto = FRTO_OFF;
    if (enters) frto_goes_to(c, now, FRTO_FIRST, "step 1: the first segment goes again");
}

bool undo_frto_waits(const struct ltcp_connection *c)
{
    return c->recovery == LTCP_RECOVERY_TIMEOUT && c->rare != NULL && c->rare->frto == FRTO_SECOND;
}

static bool can_send_new(const struct ltcp_connection *c)
{
    return has_unsent(c) && seq_gt(seq_add(c->snd_una, c->snd_wnd), c->snd_nxt);
}

/* Section 2.1, step 2a: what went again, perhaps more than one of the segments that had left before
 * (repackage.c), is not acknowledged to its end. */
static bool waits_again(const struct ltcp_connection *c)
{
    return !c->sacking && record_at(c->out, c->out->head)->marks & LTCP_MARK_RETRANSMITTED;
}

/* Step 3a: two round trips after the timeout slow start would be there, which goes on now.
 * RFC5682:2.1-4 */
static void go_on_repeating(struct ltcp_connection *c)
{
    const uint32_t most = 3 * c->cc.mss;
    if (!c->cc.ops->own_recovery && c->cc.cwnd < most) c->cc.cwnd = most;
}

/* Sections 2.1 and 3.1, steps 2 and 3: after the first ACK that advances, new data instead of a
 * retransmission; if the second one speaks of what was sent only once, nothing was lost.
 * RFC5682:2.1-2, 2.1-3, 3.1-3 RFC5682:2.1-7 */
static bool frto_finds(struct ltcp_connection *c, ltcp_time now, bool advanced, bool duplicate,
                       const struct ltcp_times *times)
{
    struct ltcp_rare *r = c->rare;
    if (c->recovery != LTCP_RECOVERY_TIMEOUT || r->frto == FRTO_OFF) return false;
    if (r->frto == FRTO_SECOND) {
        const bool original = c->sacking ? times->original : advanced;
        if (original)
            frto_goes_to(c, now, FRTO_OFF, "step 3b: nothing was lost");
        else if (advanced || duplicate)
            frto_goes_to(c, now, FRTO_OFF, "step 3a: segments were lost");
        if (duplicate && !original) go_on_repeating(c);
        return original;
    }
    if (!advanced && !duplicate) return false;
    if (advanced && seq_lt(c->snd_una, c->recovery_point) && can_send_new(c) && !waits_again(c))
        frto_goes_to(c, now, FRTO_SECOND, "step 2b: new data goes first");
    else
        frto_goes_to(c, now, FRTO_OFF, "step 2a: it cannot be told");
    return false;
}

/* ---- the response, RFC 4015 ---------------------------------------------------------------------
 */

static void restore_scoreboard(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return;
    for (uint32_t i = q->head; i != q->unsent; i++)
        record_at(q, i)->marks &= (uint8_t) ~(LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED);
    q->lost = q->retransmitted = 0;
    q->rack.position = q->head;
    q->retransmit_position = q->unsent;
    q->duplicate_octets = 0;
}

/* Step (9): after a timeout as much as is in flight and a little more, so that no burst leaves.
 * RFC5682:4-1 RFC4015:3.1-3 */
static uint32_t window_again(const struct ltcp_connection *c, uint32_t acked, bool timeout)
{
    const uint32_t prior = c->rare->prior_cwnd;
    if (!timeout) return prior;
    const uint32_t more = acked < c->cc.initial_window ? acked : c->cc.initial_window;
    const uint32_t window = pipe_size(c) + more;
    return window < prior ? window : prior;
}

/* Step (8): what follows is new data, and three duplicates tell of losses among it at once.
 * RFC4015:3.1-4 RFC4015:4-1 */
static void resume(struct ltcp_connection *c)
{
    struct ltcp_rare *r = c->rare;
    r->timer_adapts = true;
    r->timer_from = c->recovery_point;
    c->recovery_point = seq_sub(c->snd_una, 1);
}

/* Step (11): the first RTT of data that was not yet sent when the timeout fired. What the late
 * segment took says little: only its acknowledgment may have been lost. RFC4015:3.1-5 */
void undo_adapt_timer(struct ltcp_connection *c, ltcp_seq ack, ltcp_time sample)
{
    struct ltcp_rare *r = c->rare;
    if (seq_le(ack, r->timer_from)) return;
    r->timer_adapts = false;
    c->srtt = sample > r->prior_srtt ? sample : r->prior_srtt;
    c->rttvar = sample / 2 > r->prior_rttvar ? sample / 2 : r->prior_rttvar;
}

/* RFC4015:2-1 RFC4015:3.4-1 */
bool undo_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t acked, bool duplicate,
                 const struct ltcp_times *times)
{
    struct ltcp_rare *r = c->rare;
    if (r == NULL || !r->undo_valid || !r->undo_resent) return false;
    const bool twice = all_came_twice(c, times);
    const bool older = stamp_is_older(c, acked > 0, times);
    const bool found = frto_finds(c, now, acked > 0, duplicate, times);
    if (!twice && !older && !found) return false;
    if (times->congestion) { /* RFC4015:3.4-1 */
        r->undo_valid = false;
        connection_remark(c, now, LTCP_REMARK_UNDO, "refused: marks were echoed", c->cc.cwnd,
                          c->cc.ssthresh);
        return false;
    }
    const bool timeout = c->recovery == LTCP_RECOVERY_TIMEOUT;
    r->undo_valid = false;
    r->frto = FRTO_OFF;
    r->undos++;
    if (c->recovery != LTCP_RECOVERY_NONE) restore_scoreboard(c);
    const uint32_t cwnd = window_again(c, acked, timeout);
    c->recovery = LTCP_RECOVERY_NONE;
    c->duplicate_acks = 0;
    c->force_retransmit = false;
    if (timeout) resume(c);
    c->cc.ops->on_undo(&c->cc, now, cwnd > c->cc.cwnd ? cwnd : c->cc.cwnd, r->prior_ssthresh);
    connection_trace(c, now, LTCP_TRACE_RECOVERED, c->recovery_point.n);
    connection_remark(c, now, LTCP_REMARK_UNDO,
                      twice   ? "DSACK"
                      : older ? "Eifel"
                              : "F-RTO",
                      c->cc.cwnd, c->cc.ssthresh);
    return true;
}
