/* core/tcp/repackage.c
 *
 * What left in small segments goes again in as few as hold it. "The sending TCP endpoint ... may
 * repackage segments on the retransmission queue" (RFC 9293 section 3.8.6), and a retransmission is
 * "one segment of up to SMSS octets" (RFC 6675 section 4, NextSeg). Records join whole, so that the
 * scoreboard knows of each octet what it knew before. */
#include "tcp/output.h"

/* Moving a record costs that much less than the segment that is saved. */
#define MOVES_PER_SEGMENT 64

/* With SACK only what is held to be lost goes again. Without, all that is known is that the first
 * one is missing, and what went with it, in the same segment, costs no round trip of its own. */
static bool may_go_again(const struct ltcp_connection *c, const struct ltcp_record *r)
{
    const uint8_t told = r->marks & (LTCP_MARK_SACKED | LTCP_MARK_LOST | LTCP_MARK_RETRANSMITTED);
    return told == LTCP_MARK_LOST || (told == 0 && !c->sacking);
}

/* Nothing follows a FIN, a user's record (MSG_EOR) is not joined to the next, and the data of a SYN
 * is not sent twice. */
static bool ends(const struct ltcp_record *r)
{
    return (r->flags & (LTCP_SYN | LTCP_FIN)) || (r->marks & LTCP_MARK_BOUNDARY);
}

/* How many records join that at `position`; none beyond the window: RFC9293:SHLD-16, RFC6675:4-5.
 */
static uint32_t count_joining(const struct ltcp_connection *c, uint32_t position, uint32_t *length)
{
    const struct ltcp_send_queue *q = c->out;
    const ltcp_seq edge = peer_edge(c);
    uint32_t i = position;
    *length = record_at(q, i)->length;
    while (!ends(record_at(q, i)) && i + 1 != q->unsent) {
        const struct ltcp_record *next = record_at(q, i + 1);
        if (!may_go_again(c, next) || (next->flags & LTCP_SYN)) break;
        if (*length + next->length > c->snd_mss || seq_gt(record_end(next), edge)) break;
        *length += next->length;
        i++;
    }
    return i - position;
}

/* PSH of any of them holds for all (RFC9293:SHLD-27), but not that of one that was to be quiet. */
static void join(struct ltcp_connection *c, struct ltcp_record *r, struct ltcp_record *from)
{
    const uint8_t of_last = LTCP_MARK_QUIET | LTCP_MARK_HELD;
    if (r->marks & LTCP_MARK_QUIET) r->flags &= (uint8_t)~LTCP_PSH;
    const bool pushes = r->flags & LTCP_PSH;
    pieces_forget(c->out, r);
    r->flags |= from->flags;
    r->marks = (uint8_t)((r->marks & ~of_last) | from->marks);
    if (pushes) r->marks &= (uint8_t)~LTCP_MARK_QUIET;
    ltcp_block_unref(from->block);
}

static void put_after_gap(const struct ltcp_send_queue *q, uint32_t *at, uint32_t position,
                          uint32_t gone, uint32_t shift)
{
    const uint32_t offset = *at - q->head, first = position - q->head;
    if (offset > first) *at = offset > first + gone ? *at - gone : position + 1;
    *at += shift;
}

/* Takes the `gone` records behind `position` away, by moving those on the shorter side. */
static uint32_t close_gap(struct ltcp_send_queue *q, uint32_t position, uint32_t gone, bool forward)
{
    const uint32_t shift = forward ? gone : 0;
    if (forward) {
        for (uint32_t i = position + 1; i != q->head; i--)
            *record_at(q, i - 1 + gone) = *record_at(q, i - 1);
    } else {
        for (uint32_t i = position + 1; i + gone != q->tail; i++)
            *record_at(q, i) = *record_at(q, i + gone);
    }
    put_after_gap(q, &q->loss_position, position, gone, shift);
    put_after_gap(q, &q->retransmit_position, position, gone, shift);
    put_after_gap(q, &q->rack.position, position, gone, shift);
    put_after_gap(q, &q->unsent, position, gone, shift);
    put_after_gap(q, &q->tail, position, gone, shift);
    q->head += shift;
    return position + shift;
}

uint32_t repackage_lost(struct ltcp_connection *c, uint32_t position)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = record_at(q, position);
    uint32_t length;
    const uint32_t gone = count_joining(c, position, &length);
    const uint32_t before = position + 1 - q->head, after = q->tail - position - 1 - gone;
    if (gone == 0 || (before < after ? before : after) / MOVES_PER_SEGMENT > gone) return position;
    if (!send_queue_own_block(c, r, length)) return position;
    for (uint32_t i = position + 1; i != position + 1 + gone; i++) {
        struct ltcp_record *from = record_at(q, i);
        if (from->length > 0)
            send_queue_copy(r->block, from->block->data + from->offset, from->length);
        if (!(from->marks & LTCP_MARK_LOST)) scoreboard_lose(c, i);
        join(c, r, from);
    }
    r->length = length;
    return close_gap(q, position, gone, before < after);
}
