/* core/tcp/deferral.c
 *
 * Linux lets what is less than a whole burst wait a moment: while an acknowledgment is soon to come
 * that opens the window further, few large bursts cost it less than many small ones. Nothing waits
 * in loss recovery, behind an empty pipe, after a pause, or that is paced. The setting
 * `defer_bursts`. */
#include "tcp/connection.h"

#define SHORTEST LTCP_MILLISECOND /* round trip: in less no burst is gathered */

/* Octets of the piece that begins with what is unsent, as far as `most` and a record more; `last`:
 * it is the end of what was written. */
static uint32_t piece_length(const struct ltcp_connection *c, uint32_t most, bool *last)
{
    const struct ltcp_send_queue *q = c->out;
    uint32_t octets = 0;
    *last = false;
    for (uint32_t i = q->unsent; octets <= most; i++) {
        if (i == q->tail) {
            *last = true;
            break;
        }
        octets += record_at(q, i)->length;
        if (record_at(q, i)->flags & LTCP_RECORD_ENDS) {
            *last = i + 1 == q->tail;
            break;
        }
    }
    return octets;
}

static uint32_t window_left(const struct ltcp_connection *c)
{
    const ltcp_seq edge = seq_add(c->snd_una, c->snd_wnd);
    return seq_gt(edge, c->snd_nxt) ? seq_diff(edge, c->snd_nxt) : 0;
}

/* The oldest segment that is out left so long ago that its acknowledgment is near. */
static bool answer_is_near(const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    if (flight_size(c) == 0) return false;
    const ltcp_time age = now - record_at(q, q->head)->last_sent;
    return c->srtt >= SHORTEST && age >= c->srtt / 2;
}

bool burst_waits(const struct ltcp_connection *c, ltcp_time now)
{
    const uint32_t mss = c->snd_mss, pipe = pipe_size(c), whole = output_burst_size(c) * mss;
    const uint32_t congestion = c->cc.cwnd > pipe ? c->cc.cwnd - pipe : 0, peer = window_left(c);
    const uint32_t least = congestion < peer ? congestion : peer;
    bool last;
    if (c->recovery != LTCP_RECOVERY_NONE || now - c->last_sent > LTCP_MILLISECOND) return false;
    if (least >= whole || c->fin_queued || pacing_rate(c) != 0) return false;
    const uint32_t piece = piece_length(c, whole, &last);
    if (piece <= mss || (!last && least >= piece)) return false; /* the one is Nagle's to judge */
    const uint32_t window = c->snd_wnd < c->cc.cwnd ? c->snd_wnd : c->cc.cwnd;
    if (least >= window / settings_of(c)->defer_bursts || !answer_is_near(c, now)) return false;
    return true;
}
