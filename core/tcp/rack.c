/* core/tcp/rack.c
 *
 * Losses told by time, RFC 8985 section 6: what was sent before something that has arrived, and
 * longer ago than a round trip and the reordering window, is lost. Records that were sent once lie
 * in order of sending; those sent again wait in a queue of their own. So each record is looked at a
 * bounded number of times, whatever the window. */
#include "tcp/connection.h"

static bool sent_after(ltcp_time t1, ltcp_seq seq1, ltcp_time t2, ltcp_seq seq2)
{
    return t1 > t2 || (t1 == t2 && seq_gt(seq1, seq2));
}

static void remark(const struct ltcp_connection *c, ltcp_time now, const char *what)
{
    if (!is_traced(c) || c->rare == NULL) return;
    connection_remark(c, now, LTCP_REMARK_REORDERING, what, rack_reordering_window(c),
                      c->rare->reordering);
}

static void note_reordering(struct ltcp_connection *c, uint32_t octets, struct ltcp_times *times)
{
    struct ltcp_rare *r = rare_of(c);
    const bool known = r->reordering_seen;
    if (!times->reordered) r->reorderings++;
    times->reordered = true;
    const uint32_t segments = (octets + c->snd_mss - 1) / c->snd_mss;
    r->reordering_seen = true;
    if (segments > r->reordering) r->reordering = (uint16_t)(segments < 300 ? segments : 300);
    if (!known) remark(c, times->arrived, "seen");
}

/* Steps 1 to 3 for one segment that is newly known to be delivered. One acknowledgment speaks of
 * its segments in no order of their arrival: only what earlier ones said tells of reordering.
 * RFC8985:6.2-2, 6.2-3 */
void rack_delivered(struct ltcp_connection *c, const struct ltcp_record *r,
                    struct ltcp_times *times)
{
    struct ltcp_rack *k = &c->out->rack;
    const ltcp_seq end = record_end(r);
    const ltcp_time rtt = times->arrived - r->last_sent;
    const bool again = (r->marks & LTCP_MARK_EVER) != 0;
    if (seq_gt(end, k->fack))
        k->fack = end;
    else if (seq_lt(end, times->fack) && !again)
        note_reordering(c, seq_diff(times->fack, r->seq), times);
    if (again) {
        const uint32_t stamp = timestamp_now(c, r->last_sent);
        if (times->stamped && (int32_t)(times->echo - stamp) < 0) return;
        if (rtt < c->min_rtt) return;
    }
    /* A SYN is not among the numbered data: it never takes the place of what left after it. */
    const bool by_number = settings_of(c)->rack_by_number && !(r->flags & LTCP_SYN);
    if (r->last_sent >= times->sent || by_number) {
        times->sent = r->last_sent;
        k->rtt = rtt;
    }
    if (k->xmit_ts >= 0 && !sent_after(r->last_sent, end, k->xmit_ts, k->end_seq)) return;
    k->xmit_ts = r->last_sent;
    k->end_seq = end;
    k->delivered = r->delivered;
}

#define RECOVERIES_WITH_A_WIDER_WINDOW 16

/* RFC8985:6.2-4: wider by a quarter of the least RTT for each round trip with a DSACK, for 16
 * recoveries without one. RFC8985:4-3 */
void rack_adapt(struct ltcp_connection *c, ltcp_time now, bool duplicate_told, bool recovered)
{
    if (duplicate_told) {
        struct ltcp_rare *r = rare_of(c);
        if (r->dsack_round_valid && seq_lt(c->snd_una, r->dsack_round)) return;
        r->dsack_round_valid = true;
        r->dsack_round = c->snd_nxt;
        if (r->reo_wnd_mult == 0) r->reo_wnd_mult = 1;
        if (r->reo_wnd_mult < UINT8_MAX) r->reo_wnd_mult++;
        r->reo_wnd_persist = RECOVERIES_WITH_A_WIDER_WINDOW;
        remark(c, now, "a duplicate came: wait longer");
    } else if (recovered && c->rare != NULL && c->rare->reo_wnd_persist > 0) {
        if (--c->rare->reo_wnd_persist > 0) return;
        c->rare->reo_wnd_mult = 1;
        remark(c, now, "no duplicate in 16 recoveries: wait as at first");
    }
}

/* RFC8985:6.2-4 */
ltcp_time rack_reordering_window(const struct ltcp_connection *c)
{
    const struct ltcp_rare *r = c->rare;
    if (r == NULL || !r->reordering_seen) {
        if (c->recovery != LTCP_RECOVERY_NONE) return 0;
        if (c->out != NULL &&
            c->out->sacked_segments >= (uint32_t)settings_of(c)->duplicate_ack_threshold)
            return 0;
    }
    const ltcp_time mult = r != NULL && r->reo_wnd_mult > 0 ? r->reo_wnd_mult : 1;
    const ltcp_time window = mult * (c->min_rtt / 4);
    return window < c->srtt ? window : c->srtt;
}

/* Sent before the newest delivered one, and when it is too late for it; LTCP_NEVER: not before. */
static ltcp_time due_at(const struct ltcp_connection *c, const struct ltcp_record *r,
                        ltcp_time window)
{
    const struct ltcp_rack *k = &c->out->rack;
    if (!sent_after(k->xmit_ts, k->end_seq, r->last_sent, record_end(r))) return LTCP_NEVER;
    /* In the same moment, but after an acknowledgment that came between: whatever the numbers. */
    if (r->last_sent == k->xmit_ts && r->delivered > k->delivered) return LTCP_NEVER;
    return r->last_sent + k->rtt + window;
}

static void wait_until(struct ltcp_rack *k, ltcp_time due)
{
    if (due < k->deadline) k->deadline = due;
}

static bool detect_originals(struct ltcp_connection *c, ltcp_time now, ltcp_time window)
{
    struct ltcp_send_queue *q = c->out;
    bool found = false;
    for (; q->rack.position != q->unsent; q->rack.position++) {
        const struct ltcp_record *r = record_at(q, q->rack.position);
        if (r->marks & (LTCP_MARK_SACKED | LTCP_MARK_LOST)) continue;
        const ltcp_time due = due_at(c, r, window);
        if (due > now) {
            wait_until(&q->rack, due);
            break;
        }
        scoreboard_judge_lost(c, now, q->rack.position);
        found = true;
    }
    return found;
}

/* The record that the entry speaks of, if it still waits for an answer to that sending. */
static bool still_waits(const struct ltcp_send_queue *q, const struct ltcp_resent *e, uint32_t *at)
{
    *at = scoreboard_find(q, e->seq);
    if (*at == q->unsent) return false;
    const struct ltcp_record *r = record_at(q, *at);
    return (r->marks & LTCP_MARK_RETRANSMITTED) && r->last_sent == e->sent;
}

/* One entry speaks of all the pieces that its record may have been cut into since. */
static void lose_resent(struct ltcp_connection *c, ltcp_time now, uint32_t position, ltcp_time sent)
{
    struct ltcp_send_queue *q = c->out;
    for (; position != q->unsent; position++) {
        const struct ltcp_record *r = record_at(q, position);
        if (!(r->marks & LTCP_MARK_RETRANSMITTED) || r->last_sent != sent) return;
        if (due_at(c, r, 0) == LTCP_NEVER) return;
        scoreboard_judge_lost(c, now, position);
    }
}

static bool detect_resent(struct ltcp_connection *c, ltcp_time now, ltcp_time window)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_rack *k = &q->rack;
    bool found = false;
    for (; k->resent_first != k->resent_last; k->resent_first++) {
        const struct ltcp_resent e = k->resent[k->resent_first & (k->resent_room - 1)];
        uint32_t at;
        if (!still_waits(q, &e, &at)) continue;
        const ltcp_time due = due_at(c, record_at(q, at), window);
        if (due > now) {
            wait_until(k, due);
            break;
        }
        lose_resent(c, now, at, e.sent);
        found = true;
    }
    return found;
}

/* All that is in flight was sent after what has arrived, and nothing of it again: an acknowledgment
 * that SACKs nothing tells of no loss. */
bool rack_is_quiet(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL) return true;
    const struct ltcp_rack *k = &q->rack;
    if (k->deadline != LTCP_NEVER || k->resent_first != k->resent_last) return false;
    return k->xmit_ts < 0 || k->position == q->unsent ||
           due_at(c, record_at(q, k->position), 0) == LTCP_NEVER;
}

/* RFC8985:6.2-5. The deadline is that of the first segment that waits, so that each is found when
 * its own time has come. */
struct ltcp_rack_losses rack_detect(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_rack_losses losses = {false, false};
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return losses;
    q->rack.deadline = LTCP_NEVER;
    if (q->rack.xmit_ts < 0) return losses;
    const ltcp_time window = rack_reordering_window(c);
    losses.original = detect_originals(c, now, window);
    losses.retransmission = detect_resent(c, now, window);
    return losses;
}

/* Section 6.3: at a timeout the first segment, and what is too late by the same measure.
 * RFC8985:6.3-1 */
void rack_lose_at_timeout(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    const ltcp_time limit =
        (q->rack.xmit_ts >= 0 ? q->rack.rtt : c->srtt) + rack_reordering_window(c);
    for (uint32_t i = q->head; i != q->unsent; i++) {
        const struct ltcp_record *r = record_at(q, i);
        const bool waits = (r->marks & LTCP_MARK_RETRANSMITTED) || !(r->marks & LTCP_MARK_LOST);
        if (waits && (i == q->head || r->last_sent + limit <= now))
            scoreboard_judge_lost(c, now, i);
    }
    q->retransmit_position = q->head;
    q->duplicate_octets = 0;
    c->duplicate_acks = 0;
}

/* Drops what is out of date; then there are no more entries than records. */
static void tidy(struct ltcp_send_queue *q)
{
    struct ltcp_rack *k = &q->rack;
    uint32_t to = k->resent_first, at;
    for (uint32_t i = k->resent_first; i != k->resent_last; i++) {
        const struct ltcp_resent e = k->resent[i & (k->resent_room - 1)];
        if (still_waits(q, &e, &at)) k->resent[to++ & (k->resent_room - 1)] = e;
    }
    k->resent_last = to;
}

/* Without memory the retransmission is left to the RTO. */
static bool make_room(struct ltcp_connection *c)
{
    struct ltcp_rack *k = &c->out->rack;
    if (k->resent_last - k->resent_first < k->resent_room) return true;
    if (k->resent_room > 0) {
        tidy(c->out);
        if (k->resent_last - k->resent_first <= k->resent_room / 2) return true;
    }
    const uint32_t room = k->resent_room > 0 ? 2 * k->resent_room : 8;
    struct ltcp_resent *ring = engine_resize(c->engine, NULL, 0, room * sizeof *ring);
    if (ring == NULL) return k->resent_last - k->resent_first < k->resent_room;
    for (uint32_t i = k->resent_first; i != k->resent_last; i++)
        ring[i & (room - 1)] = k->resent[i & (k->resent_room - 1)];
    if (k->resent != NULL) engine_resize(c->engine, k->resent, k->resent_room * sizeof *ring, 0);
    k->resent = ring;
    k->resent_room = room;
    return true;
}

/* RFC8985:6.1-1 */
void rack_resent(struct ltcp_connection *c, const struct ltcp_record *r)
{
    struct ltcp_rack *k = &c->out->rack;
    if (!(r->marks & LTCP_MARK_RETRANSMITTED) || !make_room(c)) return;
    k->resent[k->resent_last++ & (k->resent_room - 1)] = (struct ltcp_resent){r->seq, r->last_sent};
}
