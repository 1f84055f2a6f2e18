/* core/tcp/check.c - what must be true of a connection between any two calls. */
#include "tcp/connection.h"

static const char *check_send_queue(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    uint32_t octets = 0, unsent = 0, sacked = 0, lost = 0, again = 0;
    ltcp_seq seq = c->snd_una;
    for (uint32_t i = q->head; i != q->tail; i++) {
        const struct ltcp_record *r = record_at(q, i);
        const bool sent = i - q->head < q->unsent - q->head;
        if (!seq_eq(r->seq, seq)) return "send queue: records are contiguous from SND.UNA";
        if (sent && seq_gt(record_end(r), c->snd_nxt))
            return "send queue: what was sent ends at SND.NXT";
        if (!sent && r->marks != 0) return "send queue: what was not sent has no marks";
        seq = record_end(r);
        octets += r->length;
        if (!sent) unsent += r->length;
        if (r->marks & LTCP_MARK_SACKED) sacked += record_span(r);
        if (r->marks & LTCP_MARK_LOST) lost += record_span(r);
        if (r->marks & LTCP_MARK_RETRANSMITTED) again += record_span(r);
    }
    if (octets != q->octets) return "send queue: octets are counted";
    if (unsent != q->unsent_octets) return "send queue: unsent octets are counted";
    if (sacked != q->sacked) return "scoreboard: SACKed octets are counted (RFC 6675)";
    if (lost != q->lost) return "scoreboard: lost octets are counted (RFC 6675)";
    if (again != q->retransmitted) return "scoreboard: retransmitted octets are counted";
    return NULL;
}

static const char *check_receive_queue(const struct ltcp_connection *c)
{
    uint32_t unread = 0;
    for (const struct ltcp_slice *s = c->in.first; s != NULL; s = s->next)
        unread += s->length;
    if (unread != c->unread) return "receive queue: unread octets are counted";
    if (c->ahead == NULL) return NULL;
    ltcp_seq last = c->rcv_nxt;
    uint32_t octets = 0;
    for (uint16_t i = 0; i < c->ahead->count; i++) {
        const struct ltcp_range *r = &c->ahead->ranges[i];
        const bool early = c->state == LTCP_SYN_RECEIVED && i == 0; /* text of the SYN */
        if (!early && seq_le(r->left, last)) return "out-of-order queue: sorted and disjoint";
        if (seq_ge(r->left, r->right)) return "out-of-order queue: no range is empty";
        octets += seq_diff(r->right, r->left);
        last = r->right;
    }
    return octets == c->ahead->octets ? NULL : "out-of-order queue: octets are counted";
}

const char *connection_check(const struct ltcp_connection *c)
{
    if (c->state == LTCP_CLOSED || c->state == LTCP_LISTEN) return NULL;
    if (seq_gt(c->snd_una, c->snd_nxt)) return "SND.UNA =< SND.NXT (RFC 9293 section 3.3.1)";
    if (c->out == NULL && !seq_eq(c->snd_una, c->snd_nxt))
        return "nothing is outstanding without a send queue";
    if (c->state != LTCP_SYN_SENT && seq_lt(c->rcv_adv, c->rcv_nxt) && c->fin_received == false)
        return "RCV.NXT lies within what was advertised";
    if (c->loss_timer == LTCP_TIMER_NONE && c->loss_deadline != LTCP_NEVER)
        return "no loss timer, no deadline";
    if (!c->pending && c->out != NULL && c->state != LTCP_TIME_WAIT &&
        c->loss_timer == LTCP_TIMER_NONE)
        return "exactly one of RTO and persist runs where something waits";
    if (c->loss_deadline < c->armed || c->ack_deadline < c->armed || c->long_deadline < c->armed)
        return "no deadline is earlier than what the heap holds";
    const char *broken = c->out != NULL ? check_send_queue(c) : NULL;
    return broken != NULL ? broken : check_receive_queue(c);
}
