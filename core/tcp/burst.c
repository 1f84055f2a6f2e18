/* core/tcp/burst.c
 *
 * Full segments that leave one after the other: their headers are those of a model but for sequence
 * number, identification and checksums, and what windows and pacing let through is asked once. What
 * is not alike goes the long way (output.c), which makes the model, with the same outcome. */
#include "tcp/output.h"
#include "wire/bytes.h"

enum { FETCHED_AHEAD = 6 }; /* blocks of text that is next */

/* Nothing has to be said beside the data, the acknowledgment and timestamps. */
static bool is_plain(const struct ltcp_connection *c)
{
    const struct ltcp_rare *r = c->rare;
    if (c->ecn || c->authenticated || c->dsack_due || c->mtu_watched || c->ahead != NULL)
        return false;
    if (r != NULL && (r->route_length > 0 || r->uto.due)) return false;
    return seq_le(c->snd_up, c->snd_una);
}

void burst_model(struct ltcp_connection *c, ltcp_time now)
{
    struct ltcp_engine *e = c->engine;
    const struct ltcp_record *r = record_at(c->out, c->out->unsent - 1);
    const size_t head = e->template.ip_length + 20u + (c->stamping ? 12u : 0u);
    if (r->flags != 0 || r->length != c->snd_mss || r->transmissions != 1 ||
        c->out->unsent == c->out->tail) /* it pushes */
        return;
    if (!is_plain(c) || e->template_of != c || e->out_last->head_length != head) return;
    ltcp_template_keep(&e->template, e->out_last);
    e->model = (struct ltcp_model){.ack = c->rcv_nxt,
                                   .window = window_advertise(c, false),
                                   .ts_value = c->stamping ? timestamp_now(c, now) : 0,
                                   .ts_echo = c->ts_recent};
}

/* The segment that leaves now would have the model's header. The window that it offers is settled
 * here, so nothing else may hold it back but want of memory. */
static bool is_alike(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_engine *e = c->engine;
    const struct ltcp_model *m = &e->model;
    if (!takes_short_ways(e) || e->template_of != c || e->template.model_length == 0 ||
        !is_plain(c))
        return false;
    if (c->stamping && (m->ts_value != timestamp_now(c, now) || m->ts_echo != c->ts_recent))
        return false;
    return seq_eq(m->ack, c->rcv_nxt) && m->window == window_advertise(c, false);
}

/* Octets that both windows have room for: one segment where the pipe is empty, since an algorithm
 * that begins anew may think otherwise of the next (rate_sending). */
static uint32_t room_in_windows(const struct ltcp_connection *c)
{
    const ltcp_seq edge = peer_edge(c);
    const uint32_t held = held_by_window(c), cwnd = c->cc.cwnd, one = c->snd_mss;
    const uint32_t usable = seq_gt(edge, c->snd_nxt) ? seq_diff(edge, c->snd_nxt) : 0;
    const uint32_t allowed = held == 0 ? one : cwnd > held ? cwnd - held : 0;
    const uint32_t room = usable < allowed ? usable : allowed;
    return room < one || pipe_size(c) > 0 ? room : one;
}

static bool is_full(const struct ltcp_record *r, uint32_t length)
{
    return r->length == length && (r->flags & (uint8_t) ~(LTCP_PSH | LTCP_RECORD_ENDS)) == 0 &&
           r->block->length == length && r->block->sum_valid;
}

/* As send_record decides. RFC9293:MUST-61 */
static bool pushes(const struct ltcp_send_queue *q, const struct ltcp_record *r)
{
    const bool last = q->unsent + 1 == q->tail && !q->piece_follows;
    return (last || (r->flags & LTCP_PSH)) && !(r->marks & LTCP_MARK_QUIET);
}

static bool send_alike(struct ltcp_connection *c, ltcp_time now, const struct ltcp_record *r)
{
    struct ltcp_engine *e = c->engine;
    struct ltcp_packet *packet = ltcp_packet_create(e->pool);
    if (packet == NULL) return false;
    packet->block = ltcp_block_ref(r->block);
    packet->payload = r->block->data;
    packet->payload_length = r->length;
    packet->payload_sum = r->block->sum;
    packet->payload_sum_valid = true;
    packet->interface = c->interface;
    packet->time = now;
    ltcp_template_again(&e->template, packet, e->next_identification++, r->seq);
    engine_enqueue(e, packet);
    return true;
}

/* Whoever takes them takes them as one packet, and a few fit into one. */
static bool gathers(const struct ltcp_connection *c)
{
    if (c->interface >= 32 || (c->engine->gathers >> c->interface & 1) == 0) return false;
    return c->snd_mss <= LTCP_BURST_OCTETS / 4;
}

/* The same where they leave as one packet: the last that was made, if that goes on, or a new one.
 */
static bool gather_alike(struct ltcp_connection *c, ltcp_time now, const struct ltcp_record *r)
{
    struct ltcp_engine *e = c->engine;
    const uint16_t identification = e->next_identification;
    struct ltcp_packet *last = e->out_first != NULL ? e->out_last : NULL;
    if (last == NULL || last->burst == NULL ||
        !ltcp_burst_takes(last, &e->template, identification, r->seq, r->length)) {
        last = ltcp_burst_create(e->pool, &e->template, identification, r->seq, r->length,
                                 e->gather_overhead);
        if (last == NULL) return false;
        last->interface = c->interface;
        last->time = now;
        engine_enqueue(e, last); /* counts what it has, which is nothing */
    }
    ltcp_burst_add(last, r->block);
    e->out_count++;
    e->next_identification++;
    return true;
}

/* What each of them would have noted. */
static void note_sent(struct ltcp_connection *c, ltcp_time now, uint32_t count)
{
    const uint32_t octets = count * c->snd_mss;
    c->out->unsent_octets -= octets;
    c->snd_nxt = seq_add(c->snd_nxt, octets);
    c->bytes_sent += octets;
    c->segments_sent += count;
    c->data_segments_sent += count;
    if (c->recovery == LTCP_RECOVERY_FAST || ecn_reduction_goes_on(c))
        rare_of(c)->prr_out += octets;
    c->last_sent = now;
    c->last_ack_sent = c->rcv_nxt;
    c->ack_now = false;
    c->unacked_octets = 0;
    c->ack_deadline = LTCP_NEVER;
}

uint32_t burst_send(struct ltcp_connection *c, ltcp_time now, uint32_t most)
{
    struct ltcp_send_queue *q = c->out;
    const uint32_t length = c->snd_mss;
    struct ltcp_sending sending = {.now = now};
    uint32_t count = 0;
    uint32_t room = room_in_windows(c);
    if (room < length || c->engine->device_full) return 0;
    if (!is_full(record_at(q, q->unsent), length)) return 0;
    const bool paced = pacing_rate(c) != 0 || q->pace_time > now;
    if ((paced && !pacing_allows(c, now)) || !is_alike(c, now)) return 0;
    const bool gather = gathers(c);
    bool ended = false;
    for (; room >= length && count < most && !ended && q->unsent != q->tail; room -= length) {
        struct ltcp_record *r = record_at(q, q->unsent);
        if (q->tail - q->unsent > FETCHED_AHEAD)
            fetch_ahead(record_at(q, q->unsent + FETCHED_AHEAD)->block);
        if (!is_full(r, length) || (paced && !pacing_allows(c, now))) break;
        if (!(gather ? gather_alike(c, now, r) : send_alike(c, now, r))) break;
        if (pushes(q, r)) ltcp_segment_push(c->engine->out_last);
        ended = r->flags & LTCP_RECORD_ENDS;
        if (count++ == 0) sending = rate_sending(c, now);
        rate_on_send(r, &sending);
        r->transmissions++;
        q->unsent++;
        sending.pipe += length;
        if (paced || c->cc.pacing_rate != 0) pacing_sent(c, length, now);
    }
    if (count > 0) note_sent(c, now, count);
    return count;
}
