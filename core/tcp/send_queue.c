/* core/tcp/send_queue.c
 *
 * Octets that wait to be sent or to be acknowledged, as records in sequence order. Data is copied
 * and summed once, into blocks of one segment each; sending and retransmitting only refer to them.
 */
#include <string.h>

#include "tcp/connection.h"
#include "wire/bytes.h"

#define SPARE_QUEUES_MOST 256

bool send_queue_open(struct ltcp_connection *c)
{
    if (c->out != NULL) return true;
    struct ltcp_engine *e = c->engine;
    struct ltcp_send_queue *q = e->spare_queues;
    if (q != NULL) {
        e->spare_queues = q->next_spare;
        e->spare_queue_count--;
        memset(q, 0, sizeof *q);
    } else {
        q = engine_zeroed(e, sizeof *q);
        if (q == NULL) return false;
    }
    q->ring = q->first_ring;
    q->mask = 3;
    q->rack.xmit_ts = -1;
    q->rack.fack = c->snd_una;
    q->rtt_mark = c->snd_una;
    q->piece_start = q->pushed = c->snd_nxt;
    q->rack.deadline = q->probe_deadline = q->pace_deadline = q->loss_deadline = LTCP_NEVER;
    q->app_limited = c->bytes_acked; /* nothing waited: the sender is the limit */
    c->out = q;
    return true;
}

/* Buffers are given back as soon as the queue is empty, and the loss timer ends with it. */
void send_queue_close(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL) return;
    struct ltcp_engine *e = c->engine;
    for (uint32_t i = q->head; i != q->tail; i++)
        ltcp_block_unref(record_at(q, i)->block);
    memory_give_back(e, q->octets);
    if (q->ring != q->first_ring)
        engine_resize(e, q->ring, ((size_t)q->mask + 1) * sizeof *q->ring, 0);
    if (q->rack.resent != NULL)
        engine_resize(e, q->rack.resent, q->rack.resent_room * sizeof *q->rack.resent, 0);
    if (e->spare_queue_count < SPARE_QUEUES_MOST) {
        q->next_spare = e->spare_queues;
        e->spare_queues = q;
        e->spare_queue_count++;
    } else {
        engine_resize(e, q, sizeof *q, 0);
    }
    c->out = NULL;
    c->loss_timer = LTCP_TIMER_NONE;
    memory_settle(e);
}

static bool grow(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    const uint32_t room = q->mask + 1;
    struct ltcp_record *ring = engine_resize(c->engine, NULL, 0, 2 * (size_t)room * sizeof *ring);
    if (ring == NULL) return false;
    for (uint32_t i = q->head; i != q->tail; i++)
        ring[i & (2 * room - 1)] = *record_at(q, i);
    if (q->ring != q->first_ring) engine_resize(c->engine, q->ring, (size_t)room * sizeof *ring, 0);
    q->ring = ring;
    q->mask = 2 * room - 1;
    return true;
}

static inline bool has_room_for_one(struct ltcp_connection *c)
{
    return c->out->tail - c->out->head <= c->out->mask || grow(c);
}

ltcp_seq send_queue_end(const struct ltcp_connection *c)
{
    const struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->tail == q->head) return c->snd_nxt;
    return record_end(record_at(q, q->tail - 1));
}

struct ltcp_record *send_queue_append(struct ltcp_connection *c)
{
    const ltcp_seq end = send_queue_end(c);
    if ((c->out == NULL && !send_queue_open(c)) || !has_room_for_one(c)) return NULL;
    struct ltcp_record *r = record_at(c->out, c->out->tail++);
    memset(r, 0, sizeof *r);
    r->seq = end;
    return r;
}

/* The record that further octets may join: unsent, the sole owner of its block, no FIN, not full.
 */
static struct ltcp_record *open_tail(const struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->tail == q->unsent) return NULL;
    struct ltcp_record *r = record_at(q, q->tail - 1);
    if (r->block == NULL || r->block->refs != 1 ||
        (r->flags & (LTCP_SYN | LTCP_FIN | LTCP_RECORD_ENDS)) || (r->marks & LTCP_MARK_BOUNDARY))
        return NULL;
    if (r->offset + r->length != r->block->length) return NULL;
    return r->length < c->snd_mss && r->block->length < r->block->capacity ? r : NULL;
}

static struct ltcp_record *fresh_tail(struct ltcp_connection *c, size_t length)
{
    /* A lone small write gets a small block unless Nagle will hold it for company. */
    const bool small = length < 192 && !(settings_of(c)->nagle && flight_size(c) != 0);
    struct ltcp_block *block =
        ltcp_block_create(c->engine->pool, small ? 192 : (uint32_t)c->snd_mss);
    if (block == NULL) return NULL;
    block->sum = 0;
    block->sum_valid = true;
    struct ltcp_record *r = send_queue_append(c);
    if (r == NULL) {
        ltcp_block_unref(block);
        return NULL;
    }
    r->block = block;
    return r;
}

void send_queue_copy(struct ltcp_block *block, const uint8_t *bytes, uint32_t n)
{
    uint8_t *to = block->data + block->length;
    const uint32_t sum = ltcp_sum_copy(0, to, bytes, n);
    block->sum = ltcp_sum_add(block->sum, block->length & 1 ? ltcp_sum_swap(sum) : sum);
    block->length += n;
}

/* Appends octets; fewer than `length`: there is no memory. */
size_t send_queue_put(struct ltcp_connection *c, const uint8_t *bytes, size_t length)
{
    size_t taken = 0;
    while (taken < length) {
        struct ltcp_record *r =
            taken == 0 ? open_tail(c) : NULL; /* later ones have just been filled */
        if (r == NULL && (r = fresh_tail(c, length - taken)) == NULL) break;
        uint32_t n = r->block->capacity - r->block->length;
        if (n > (uint32_t)c->snd_mss - r->length) n = (uint32_t)c->snd_mss - r->length;
        if (n > length - taken) n = (uint32_t)(length - taken);
        send_queue_copy(r->block, bytes + taken, n);
        r->length += n;
        r->flags &= (uint8_t)~LTCP_PSH;
        r->marks &= (uint8_t) ~(LTCP_MARK_QUIET | LTCP_MARK_HELD);
        c->out->octets += n;
        c->out->unsent_octets += n;
        taken += n;
    }
    memory_charge(c->engine, (uint32_t)taken);
    return taken;
}

/* What the send buffer has room for. */
static size_t room_to_write(const struct ltcp_connection *c)
{
    const uint32_t limit = tuning_send_buffer(c), low = settings_of(c)->not_sent_low;
    const uint32_t held = c->out != NULL ? c->out->octets : 0;
    const uint32_t unsent = c->out != NULL ? c->out->unsent_octets : 0;
    const uint32_t left = limit > held ? limit - held : 0;
    const uint32_t most = low > unsent ? low - unsent : 0;
    return low != 0 && left > most ? most : left;
}

/* Queues as much as the send buffer lets in; returns how many octets. Without LTCP_WRITE_MORE or
 * _HOLD the last octet ends a SEND, and its segment carries PSH (RFC9293:MUST-61; successive ones
 * merge, SHLD-27). */
size_t send_queue_write(struct ltcp_connection *c, ltcp_time now, const uint8_t *bytes,
                        size_t length, unsigned flags)
{
    const bool push = !(flags & (LTCP_WRITE_MORE | LTCP_WRITE_HOLD));
    const bool quiet = (flags & LTCP_WRITE_MORE) && settings_of(c)->more_is_quiet;
    size_t taken;
    if (settings_of(c)->write_pieces) {
        taken = pieces_write(c, now, bytes, length);
        if (taken > 0 && !has_unsent(c)) return taken; /* all of it left while it was written */
    } else {
        const size_t room = room_to_write(c);
        taken = send_queue_put(c, bytes, room < length ? room : length);
    }
    /* A buffer that is full is as good as a PUSH: nothing can join what waits in it. */
    if (taken > 0 && (push || taken < length)) {
        record_at(c->out, c->out->tail - 1)->flags |= LTCP_PSH;
        pieces_pushed(c);
    }
    if (taken > 0 && taken == length)
        record_at(c->out, c->out->tail - 1)->marks |=
            (uint8_t)((quiet ? LTCP_MARK_QUIET : 0) |
                      (flags & LTCP_WRITE_HOLD ? LTCP_MARK_HELD : 0));
    if (taken > 0 && (flags & LTCP_WRITE_BOUNDARY) && taken == length)
        record_at(c->out, c->out->tail - 1)->marks |= LTCP_MARK_BOUNDARY;
    return taken;
}

void send_queue_release(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || q->tail == q->unsent) return;
    struct ltcp_record *last = record_at(q, q->tail - 1);
    if ((last->marks & (LTCP_MARK_QUIET | LTCP_MARK_HELD)) == LTCP_MARK_QUIET)
        last->flags |= LTCP_PSH;
}

/* They end a SEND, so what of them is sent again pushes. SND.NXT counts them as soon as the SYN has
 * left: RFC7413:4.2.2-4. */
uint32_t send_queue_syn_data(struct ltcp_connection *c, const void *bytes, uint32_t length)
{
    struct ltcp_record *syn = record_at(c->out, c->out->head);
    if (length == 0) return 0;
    struct ltcp_block *block = ltcp_block_create(c->engine->pool, length);
    if (block == NULL) return 0;
    block->sum = 0;
    block->sum_valid = true;
    send_queue_copy(block, bytes, length);
    syn->block = block;
    syn->length = length;
    syn->flags |= LTCP_PSH;
    c->out->octets += length;
    c->out->unsent_octets += length;
    memory_charge(c->engine, length);
    return length;
}

/* The user waits for room: a quarter of the buffer, and half of what may wait unsent. */
void send_queue_tell_room(struct ltcp_connection *c)
{
    if (settings_of(c)->write_pieces) {
        pieces_tell_room(c);
        return;
    }
    const uint32_t limit = tuning_send_buffer(c), low = settings_of(c)->not_sent_low;
    const uint32_t held = c->out != NULL ? c->out->octets : 0;
    const uint32_t unsent = c->out != NULL ? c->out->unsent_octets : 0;
    if (held >= limit || limit - held < limit / 4 || (low != 0 && unsent > low / 2)) return;
    c->write_blocked = false;
    connection_event(c, LTCP_EVENT_WRITABLE);
}

/* The FIN rides on the last unsent data, or alone. */
bool send_queue_fin(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = NULL;
    if (q != NULL && q->tail != q->unsent) r = record_at(q, q->tail - 1);
    if (r == NULL) r = send_queue_append(c);
    if (r == NULL) return false;
    r->flags |= LTCP_FIN;
    c->fin_queued = true;
    return true;
}

bool send_queue_split(struct ltcp_connection *c, uint32_t position, uint32_t length)
{
    struct ltcp_send_queue *q = c->out;
    if (!has_room_for_one(c)) return false;
    for (uint32_t i = q->tail; i != position + 1; i--)
        *record_at(q, i) = *record_at(q, i - 1);
    q->tail++;
    if (q->unsent - q->head > position - q->head) q->unsent++;
    if (q->loss_position - q->head > position - q->head) q->loss_position++;
    if (q->retransmit_position - q->head > position - q->head) q->retransmit_position++;
    if (q->rack.position - q->head > position - q->head) q->rack.position++;
    if (record_at(q, position)->marks & LTCP_MARK_SACKED) q->sacked_segments++;
    struct ltcp_record *first = record_at(q, position);
    struct ltcp_record *second = record_at(q, position + 1);
    *second = *first;
    if (second->block != NULL) ltcp_block_ref(second->block);
    first->length = length;
    first->flags &= (uint8_t) ~(LTCP_FIN | LTCP_PSH | LTCP_RECORD_ENDS);
    first->marks &= (uint8_t)~LTCP_MARK_BOUNDARY;
    second->flags &= (uint8_t)~LTCP_SYN;
    second->seq = record_end(first);
    second->offset += length;
    second->length -= length;
    return true;
}

bool send_queue_own_block(struct ltcp_connection *c, struct ltcp_record *r, uint32_t capacity)
{
    struct ltcp_block *block = ltcp_block_create(c->engine->pool, capacity);
    if (block == NULL) return false;
    block->sum = 0;
    block->sum_valid = true;
    send_queue_copy(block, r->block->data + r->offset, r->length);
    ltcp_block_unref(r->block);
    r->block = block;
    r->offset = 0;
    return true;
}

/* Small writes that could not share a block come together in one segment (RFC9293:SHLD-28). */
void send_queue_gather(struct ltcp_connection *c, uint32_t length)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = record_at(q, q->unsent);
    if (r->marks & LTCP_MARK_BOUNDARY) return;
    if (r->length >= length || q->tail - q->unsent < 2 ||
        (r->flags & ~(LTCP_PSH | LTCP_RECORD_ENDS)))
        return;
    if (!send_queue_own_block(c, r, length)) return;
    pieces_forget(q, r);
    uint32_t gone = 0;
    for (uint32_t i = q->unsent + 1; i != q->tail && r->length < length; i++) {
        struct ltcp_record *from = record_at(q, i);
        uint32_t n = length - r->length;
        if (n > from->length) n = from->length;
        if (n > 0) {
            pieces_forget(q, r); /* it did not end here */
            send_queue_copy(r->block, from->block->data + from->offset, n);
        }
        r->length += n;
        from->seq = seq_add(from->seq, n);
        from->offset += n;
        from->length -= n;
        if (from->length > 0) break;
        r->flags = (uint8_t)((r->flags & ~LTCP_PSH) | from->flags);
        r->marks = (uint8_t)((r->marks & ~(LTCP_MARK_QUIET | LTCP_MARK_HELD)) | from->marks);
        ltcp_block_unref(from->block);
        gone++;
        if ((from->flags & LTCP_FIN) || (from->marks & LTCP_MARK_BOUNDARY)) break;
    }
    if (gone == 0) return;
    for (uint32_t i = q->unsent + 1; i + gone != q->tail; i++)
        *record_at(q, i) = *record_at(q, i + gone);
    q->tail -= gone;
}

void send_queue_fill(struct ltcp_connection *c)
{
    send_queue_gather(c, c->snd_mss);
}

/* The record has just been put into a packet. RFC8985:4-2 RFC8985:7.3-3 RFC9937:6-7 */
void send_queue_sent(struct ltcp_connection *c, uint32_t position, ltcp_time now)
{
    struct ltcp_send_queue *q = c->out;
    struct ltcp_record *r = record_at(q, position);
    const struct ltcp_sending sending = rate_sending(c, now);
    rate_on_send(r, &sending);
    if (r->length > 0) c->data_segments_sent++;
    if (position == q->unsent) {
        q->unsent++;
        q->unsent_octets -= r->length;
        c->snd_nxt = record_end(r);
        c->bytes_sent += r->length;
    } else {
        if ((r->marks & LTCP_MARK_LOST) && !(r->marks & LTCP_MARK_RETRANSMITTED)) {
            r->marks |= LTCP_MARK_RETRANSMITTED;
            q->retransmitted += record_span(r);
        }
        r->marks |= LTCP_MARK_EVER;
        undo_resent(c, now);
        if (c->mtu_watched) mtu_search_resent(c, r);
        rare_of(c)->segments_retransmitted++;
        rare_of(c)->bytes_retransmitted += r->length;
    }
    if (c->recovery == LTCP_RECOVERY_FAST || ecn_reduction_goes_on(c))
        rare_of(c)->prr_out += record_span(r);
    if ((r->marks & LTCP_MARK_RETRANSMITTED) && uses_rack(c)) rack_resent(c, r);
    r->transmissions++;
}

/* `n` sequence numbers of a record leave the scoreboard. */
static void unmark(struct ltcp_connection *c, const struct ltcp_record *r, uint32_t position,
                   uint32_t n)
{
    struct ltcp_send_queue *q = c->out;
    if (r->marks & LTCP_MARK_SACKED) {
        q->sacked -= n;
        if (n == record_span(r)) q->sacked_segments--;
        if (position - q->head >= q->loss_position - q->head) {
            q->sacked_above -= n;
            if (n == record_span(r)) q->segments_above--;
        }
    }
    if (r->marks & LTCP_MARK_LOST) q->lost -= n;
    if (r->marks & LTCP_MARK_RETRANSMITTED) q->retransmitted -= n;
}

/* Karn's algorithm: only what was sent once says how long it took. */
static void take_sample(struct ltcp_connection *c, const struct ltcp_record *r, ltcp_time now,
                        struct ltcp_times *times)
{
    if (!(r->marks & LTCP_MARK_SACKED)) {
        if (uses_rack(c)) rack_delivered(c, r, times);
        rate_delivered(c, r, times);
    }
    if (r->marks & LTCP_MARK_EVER)
        times->sent_again = r->last_sent > times->sent_again ? r->last_sent : times->sent_again;
    else if (!(r->marks & LTCP_MARK_SACKED)) {
        times->rtt = now - r->last_sent;
        if (seq_le(record_end(r), c->recovery_point)) times->original = true;
    }
}

/* The SYN alone, or with a part of its data. */
static void acknowledge_syn(struct ltcp_connection *c, struct ltcp_record *r,
                            struct ltcp_times *times)
{
    r->flags &= (uint8_t)~LTCP_SYN;
    c->segments_delivered++;
    if (r->marks & LTCP_MARK_EVER)
        times->sent_again = r->last_sent > times->sent_again ? r->last_sent : times->sent_again;
    else
        times->rtt = times->arrived - r->last_sent;
}

enum { FETCHED_AHEAD = 4 }; /* records: a train's ACK ends many blocks that no cache holds */

/* Records that were sent once, and of which nothing was told before: they lie in order of sending,
 * so that the last of them speaks for all. */
static void acknowledge_sent_once(struct ltcp_connection *c, ltcp_seq ack, struct ltcp_times *times)
{
    struct ltcp_send_queue *q = c->out;
    const struct ltcp_record *last = NULL;
    const uint32_t first = q->head;
    uint32_t at = first, octets = 0;
    if (c->recovery != LTCP_RECOVERY_NONE) return;
    if (uses_rack(c) && seq_gt(q->rack.fack, c->snd_una)) return; /* they may be out of order */
    for (; at != q->unsent; at++) {
        struct ltcp_record *r = record_at(q, at);
        if (q->unsent - at > FETCHED_AHEAD) fetch_ahead(record_at(q, at + FETCHED_AHEAD)->block);
        if ((r->flags & (LTCP_SYN | LTCP_FIN)) || (r->marks & LTCP_MARKS_TOLD)) break;
        if (seq_lt(ack, seq_add(r->seq, r->length))) break;
        octets += r->length;
        ltcp_block_unref(r->block);
        pieces_forget(q, r);
        last = r;
    }
    if (last == NULL) return;
    const uint32_t count = at - first;
    c->segments_delivered += count - 1;
    take_sample(c, last, times->arrived, times);
    q->octets -= octets;
    memory_give_back(c->engine, octets);
    c->bytes_acked += octets;
    if (q->loss_position - first < count) q->loss_position = at;
    if (q->retransmit_position - first < count) q->retransmit_position = at;
    if (q->rack.position - first < count) q->rack.position = at;
    q->head = at;
}

/* RFC6675:4-1 RFC2018:8-1 */
void send_queue_acknowledge(struct ltcp_connection *c, ltcp_seq ack, struct ltcp_times *times)
{
    struct ltcp_send_queue *q = c->out;
    const ltcp_time now = times->arrived;
    acknowledge_sent_once(c, ack, times);
    while (q->head != q->unsent) {
        struct ltcp_record *r = record_at(q, q->head);
        if (seq_lt(ack, record_end(r))) {
            if (seq_le(ack, r->seq)) break;
            uint32_t n = seq_diff(ack, r->seq);
            unmark(c, r, q->head, n);
            r->seq = ack;
            if (r->flags & LTCP_SYN) {
                acknowledge_syn(c, r, times);
                n--;
            }
            r->offset += n;
            r->length -= n;
            q->octets -= n;
            memory_give_back(c->engine, n);
            c->bytes_acked += n;
            break;
        }
        take_sample(c, r, now, times);
        unmark(c, r, q->head, record_span(r));
        q->octets -= r->length;
        memory_give_back(c->engine, r->length);
        c->bytes_acked += r->length;
        ltcp_block_unref(r->block);
        pieces_forget(q, r);
        if (q->loss_position == q->head) q->loss_position++;
        if (q->retransmit_position == q->head) q->retransmit_position++;
        if (q->rack.position == q->head) q->rack.position++;
        q->head++;
    }
    if (q->head != q->tail) return;
    rate_queue_ends(c, now);
    send_queue_close(c);
    chronograph_look(c, now);
}
