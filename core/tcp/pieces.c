/* core/tcp/pieces.c
 *
 * Linux keeps what is written in buffers of as many segments as half of the peer's window holds. A
 * write asks for room when it begins one, and then fills it; each costs memory beside its octets;
 * what is full may leave while the write goes on; PSH, bursts and retransmissions end where one
 * ends. Here a record marked LTCP_RECORD_ENDS is the last of such a piece. Only the setting
 * `write_pieces` makes them. */
#include "tcp/connection.h"

#define PIECE_MOST   65215u /* what an IP packet of 65536 octets holds beside the headers */
#define GROWTH       2      /* windows that a send buffer holds */
#define WINDOW_LEAST 10     /* segments (RFC 6928) */

/* Half of the peer's greatest window, in whole segments. */
static uint32_t piece_most(const struct ltcp_connection *c)
{
    const uint32_t mss = (uint32_t)c->snd_mss;
    const uint32_t window = c->max_snd_wnd > 536 ? c->max_snd_wnd / 2 : c->max_snd_wnd;
    const uint32_t most = window > 0 && window < PIECE_MOST ? window : PIECE_MOST;
    return most > mss ? most - most % mss : mss;
}

/* What the last piece holds that has not left. */
static uint32_t last_piece(const struct ltcp_connection *c)
{
    return seq_diff(send_queue_end(c), seq_max(c->out->piece_start, c->snd_nxt));
}

static uint32_t room_in_last(const struct ltcp_connection *c)
{
    if (!has_unsent(c)) return 0;
    const struct ltcp_record *tail = record_at(c->out, c->out->tail - 1);
    if ((tail->flags & (LTCP_RECORD_ENDS | LTCP_SYN | LTCP_FIN)) ||
        (tail->marks & LTCP_MARK_BOUNDARY))
        return 0;
    const uint32_t held = last_piece(c), most = piece_most(c);
    return held < most ? most - held : 0;
}

/* ---- memory -------------------------------------------------------------------------------------
 */

uint32_t pieces_memory(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->head == q->tail) return 0;
    if (!settings_of(c)->write_pieces) return q->octets;
    const bool open = !(record_at(q, q->tail - 1)->flags & LTCP_RECORD_ENDS);
    return q->octets + (q->pieces_ended + open) * settings_of(c)->piece_overhead;
}

/* What the buffer was grown to; 0: it is as it was set. */
uint32_t pieces_buffer(const struct ltcp_connection *c)
{
    return c->rare != NULL ? c->rare->send_buffer : 0;
}

static bool buffer_takes_more(const struct ltcp_connection *c)
{
    const uint32_t low = settings_of(c)->not_sent_low;
    if (low != 0 && c->out != NULL && c->out->unsent_octets >= low) return false;
    return pieces_memory(c) < tuning_send_buffer(c);
}

static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* Text and headers in a block of a power of two, and what describes it. */
static uint32_t segment_memory(const struct ltcp_settings *s, uint32_t mss)
{
    return power_of_two(mss + s->piece_overhead / 2) + s->piece_overhead / 5;
}

/* Somebody waits for room, and the congestion window is not what holds the rest back: two windows,
 * in the memory that their segments take. */
static void grow_buffer(struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    if (!s->tune_send_buffer || c->engine->memory.pressed || pipe_size(c) >= c->cc.cwnd) return;
    const uint32_t mss = (uint32_t)c->snd_mss;
    const uint32_t window = c->cc.cwnd / mss > WINDOW_LEAST ? c->cc.cwnd / mss : WINDOW_LEAST;
    uint64_t wanted = (uint64_t)GROWTH * window * segment_memory(s, mss);
    if (wanted > s->send_buffer_most) wanted = s->send_buffer_most;
    if (wanted > tuning_send_buffer(c)) rare_of(c)->send_buffer = (uint32_t)wanted;
}

/* A third of the buffer is free, and half of what may wait unsent. */
void pieces_tell_room(struct ltcp_connection *c)
{
    grow_buffer(c);
    const uint32_t held = pieces_memory(c), limit = tuning_send_buffer(c);
    const uint64_t low = settings_of(c)->not_sent_low;
    if (held >= limit || limit - held < held / 2) return;
    if (low != 0 && c->out != NULL && 2 * (uint64_t)c->out->unsent_octets >= low) return;
    c->write_blocked = false;
    connection_event(c, LTCP_EVENT_WRITABLE);
}

/* ---- where they end -----------------------------------------------------------------------------
 */

void pieces_end(struct ltcp_send_queue *q, uint32_t position)
{
    struct ltcp_record *r = record_at(q, position);
    if (r->flags & LTCP_RECORD_ENDS) return;
    r->flags |= LTCP_RECORD_ENDS;
    q->pieces_ended++;
}

void pieces_forget(struct ltcp_send_queue *q, struct ltcp_record *r)
{
    if (!(r->flags & LTCP_RECORD_ENDS)) return;
    r->flags &= (uint8_t)~LTCP_RECORD_ENDS;
    q->pieces_ended--;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

/* More than half of the peer's window was written since the last PSH. */
static bool push_is_due(const struct ltcp_connection *c)
{
    return seq_diff(send_queue_end(c), c->out->pushed) > c->max_snd_wnd / 2;
}

void pieces_pushed(struct ltcp_connection *c)
{
    if (c->out != NULL) c->out->pushed = send_queue_end(c);
}

/* Data joins a piece whose last octet was to be pushed: true where it was. */
static bool take_push_back(struct ltcp_connection *c)
{
    struct ltcp_record *tail = record_at(c->out, c->out->tail - 1);
    const bool pushed = tail->flags & LTCP_PSH;
    tail->flags &= (uint8_t)~LTCP_PSH;
    return pushed;
}

/* A piece is full, and more follows. */
static void piece_is_full(struct ltcp_connection *c, ltcp_time now)
{
    if (c->state < LTCP_ESTABLISHED) return;
    c->out->piece_follows = true;
    if (push_is_due(c)) {
        if (settings_of(c)->push_bursts) record_at(c->out, c->out->tail - 1)->flags |= LTCP_PSH;
        pieces_pushed(c);
        output_run(c, now);
    } else if (seq_ge(c->snd_nxt, c->out->piece_start)) {
        output_burst(c, now);
    }
    c->out->piece_follows = false;
}

size_t pieces_write(struct ltcp_connection *c, ltcp_time now, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length) {
        uint32_t room = room_in_last(c);
        const bool fresh = room == 0;
        const ltcp_seq start = send_queue_end(c);
        if (fresh && !buffer_takes_more(c)) break;
        if (fresh && c->out != NULL) pieces_end(c->out, c->out->tail - 1);
        if (fresh) room = piece_most(c);
        /* The same write pushes the piece on, wherever it then ends; another one begins anew. */
        const bool push = !fresh && take_push_back(c) && taken > 0;
        const size_t n = length - taken < room ? length - taken : room;
        const size_t put = send_queue_put(c, bytes + taken, n);
        taken += put;
        if (fresh && put > 0) c->out->piece_start = start;
        if (push) record_at(c->out, c->out->tail - 1)->flags |= LTCP_PSH;
        if (put < n) break;
        if (put == room && taken < length) piece_is_full(c, now);
    }
    return taken;
}
