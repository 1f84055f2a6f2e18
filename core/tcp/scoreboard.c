/* core/tcp/scoreboard.c
 *
 * What the receiver holds and what the network lost: RFC 2018 and RFC 6675. Every record changes
 * its mark a bounded number of times and is passed once by each position, so the cost of an
 * acknowledgment does not grow with the window. */
#include "tcp/connection.h"

uint32_t scoreboard_find(const struct ltcp_send_queue *q, ltcp_seq seq)
{
    uint32_t low = 0, high = q->unsent - q->head;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (seq_le(record_end(record_at(q, q->head + middle)), seq))
            low = middle + 1;
        else
            high = middle;
    }
    return q->head + low;
}

/* RFC6675:4-2 RFC2018:5-1 */
static void mark_sacked(struct ltcp_connection *c, uint32_t position, struct ltcp_times *times)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = record_at(q, position);
    const uint32_t span = record_span(r);
    if (r->marks & LTCP_MARK_SACKED) return;
    if (r->marks & LTCP_MARK_LOST) q->lost -= span;
    if (r->marks & LTCP_MARK_RETRANSMITTED) q->retransmitted -= span;
    if (!(r->marks & LTCP_MARK_EVER)) {
        times->rtt = times->arrived - r->last_sent;
        if (seq_le(record_end(r), c->recovery_point)) times->original = true;
    }
    if (uses_rack(c)) rack_delivered(c, r, times);
    rate_delivered(c, r, times);
    r->marks =
        (uint8_t)((r->marks & ~(LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED)) | LTCP_MARK_SACKED);
    q->sacked += span;
    q->sacked_segments++;
    if (position - q->head >= q->loss_position - q->head) {
        q->sacked_above += span;
        q->segments_above++;
    }
}

/* Every record that lies whole in the block and reaches into [from, to). */
static void mark_range(struct ltcp_connection *c, struct ltcp_sack_block b, ltcp_seq from,
                       ltcp_seq to, struct ltcp_times *times)
{
    struct ltcp_send_queue *q = c->out;
    for (uint32_t i = scoreboard_find(q, from); i != q->unsent; i++) {
        const struct ltcp_record *r = record_at(q, i);
        if (seq_ge(r->seq, to) || seq_gt(record_end(r), b.right)) break;
        if (seq_ge(r->seq, b.left)) mark_sacked(c, i, times);
    }
}

/* A block mostly repeats one that was seen in an earlier acknowledgment: only what reaches beyond
 * that one can be new. */
static void mark_block(struct ltcp_connection *c, struct ltcp_sack_block b,
                       struct ltcp_times *times)
{
    const struct ltcp_send_queue *q = c->out;
    for (uint8_t i = 0; i < q->cached_count; i++) {
        const struct ltcp_sack_block old = q->cached[i];
        if (seq_lt(old.right, b.left) || seq_gt(old.left, b.right)) continue;
        /* The record across an edge of the old block may be whole in the new one. */
        if (seq_lt(b.left, old.left)) mark_range(c, b, b.left, seq_add(old.left, 1), times);
        if (seq_gt(b.right, old.right)) mark_range(c, b, old.right, b.right, times);
        return;
    }
    mark_range(c, b, b.left, b.right, times);
}

/* RFC 2883 section 4: the first block reports a duplicate when it lies below the acknowledgment, or
 * within the second block. RFC2883:5-1 RFC2883:5-2 */
static void look_for_duplicate(struct ltcp_connection *c, const struct ltcp_segment *s,
                               struct ltcp_times *times)
{
    const struct ltcp_options *o = &s->options;
    const struct ltcp_sack_block b = o->sack[0];
    if (o->sack_count == 0 || seq_ge(b.left, b.right)) return;
    const bool below =
        seq_le(b.right, s->ack) && seq_gt(b.right, seq_sub(c->snd_una, c->max_snd_wnd));
    const bool within =
        o->sack_count > 1 && seq_ge(b.left, o->sack[1].left) && seq_le(b.right, o->sack[1].right);
    if (!below && !within) return;
    times->duplicate_told = true;
    times->duplicate = b;
    rare_of(c)->dsacks_received++;
}

/* A block that says something impossible is left out: backwards, before SND.UNA (a DSACK, RFC 2883)
 * or past SND.NXT. */
void scoreboard_sack(struct ltcp_connection *c, const struct ltcp_segment *s,
                     struct ltcp_times *times)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_sack_block seen[4];
    uint8_t count = 0;
    if (!(s->options.present & LTCP_HAS_SACK)) return;
    if (!c->sacking) {
        rare_of(c)->options_ignored++;
        return;
    }
    look_for_duplicate(c, s, times);
    if (q == NULL) return;
    for (uint8_t i = 0; i < s->options.sack_count && i < 4; i++) {
        const struct ltcp_sack_block b = s->options.sack[i];
        if (seq_ge(b.left, b.right) || seq_le(b.right, c->snd_una) || seq_gt(b.right, c->snd_nxt) ||
            seq_lt(b.left, c->snd_una)) {
            if (seq_ge(b.left, b.right) || seq_gt(b.right, c->snd_nxt))
                rare_of(c)->options_ignored++;
            continue;
        }
        mark_block(c, b, times);
        seen[count++] = b;
    }
    for (uint8_t i = 0; i < count; i++)
        q->cached[i] = seen[i];
    q->cached_count = count;
}

void scoreboard_lose(struct ltcp_connection *c, uint32_t position)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = record_at(q, position);
    if (r->marks & LTCP_MARK_SACKED) return;
    if (r->marks & LTCP_MARK_RETRANSMITTED) q->retransmitted -= record_span(r);
    if (!(r->marks & LTCP_MARK_LOST)) q->lost += record_span(r);
    r->marks = (uint8_t)((r->marks & ~LTCP_MARK_RETRANSMITTED) | LTCP_MARK_LOST);
    if (q->retransmit_position - q->head > position - q->head) q->retransmit_position = position;
}

void scoreboard_judge_lost(struct ltcp_connection *c, ltcp_time now, uint32_t position)
{
    const struct ltcp_record *r = record_at(c->out, position);
    const bool in_pipe = !(r->marks & LTCP_MARK_SACKED) &&
                         (!(r->marks & LTCP_MARK_LOST) || (r->marks & LTCP_MARK_RETRANSMITTED));
    if (in_pipe) rate_lost(c, r, now);
    scoreboard_lose(c, position);
}

/* RFC 6675 section 4, IsLost: DupThresh discontiguous segments, or more than (DupThresh - 1) * SMSS
 * octets, were SACKed above it. RFC6675:4-3 */
bool scoreboard_detect(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return false;
    const uint32_t threshold = (uint32_t)settings_of(c)->duplicate_ack_threshold;
    bool found = false;
    while (q->loss_position != q->unsent &&
           (q->segments_above >= threshold || q->sacked_above > (threshold - 1) * c->snd_mss)) {
        const struct ltcp_record *r = record_at(q, q->loss_position);
        if (r->marks & LTCP_MARK_SACKED) {
            q->sacked_above -= record_span(r);
            q->segments_above--;
        } else if (!(r->marks & LTCP_MARK_LOST)) {
            scoreboard_judge_lost(c, now, q->loss_position);
            found = true;
        }
        q->loss_position++;
    }
    return found;
}

/* After a retransmission timeout everything that was not SACKed is held to be lost. RFC2018:5-3 */
void scoreboard_lose_all(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    for (uint32_t i = q->head; i != q->unsent; i++)
        scoreboard_judge_lost(c, now, i);
    q->retransmit_position = q->head;
    c->out->duplicate_octets = 0;
    c->duplicate_acks = 0;
}

void scoreboard_lose_syn(struct ltcp_connection *c, ltcp_time now)
{
    if (c->out->head != c->out->unsent) scoreboard_judge_lost(c, now, c->out->head);
}

/* The receiver has taken back what it had SACKed (RFC 2018 section 8), so it has to go again. */
void scoreboard_forget_sacks(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    q->sacked = q->sacked_segments = q->sacked_above = q->segments_above = 0;
    q->loss_position = q->rack.position = q->head;
    q->cached_count = 0;
    for (uint32_t i = q->head; i != q->unsent; i++) {
        if (!(record_at(q, i)->marks & LTCP_MARK_SACKED)) continue;
        record_at(q, i)->marks &= (uint8_t)~LTCP_MARK_SACKED;
        scoreboard_lose(c, i);
    }
}

/* RFC6675:4-5 */
struct ltcp_record *scoreboard_next_lost(struct ltcp_connection *c, uint32_t *position)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->lost == q->retransmitted) return NULL;
    while (q->retransmit_position != q->unsent) {
        struct ltcp_record *r = record_at(q, q->retransmit_position);
        if ((r->marks & (LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED)) == LTCP_MARK_LOST) {
            *position = q->retransmit_position;
            return r;
        }
        q->retransmit_position++;
    }
    return NULL;
}
