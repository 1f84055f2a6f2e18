/* core/tcp/user_calls.c
 *
 * SEND, RECEIVE, CLOSE and ABORT of RFC 9293 section 3.10, for a connection that exists. OPEN and
 * STATUS are the host's (core/host/calls.c). */
#include <string.h>

#include "tcp/fast_open.h"
#include "tcp/user_timeout.h"

static enum ltcp_status death_of(const struct ltcp_connection *c)
{
    return c->error != LTCP_OK ? (enum ltcp_status)c->error : LTCP_ERR_NOT_CONNECTED;
}

/* ---- SEND, section 3.10.2
 * ------------------------------------------------------------------------ */

/* "SND.UP <- SND.NXT" after the urgent octets; the peer hears of it also through a closed window.
 * RFC9293:3.10.2-5 */
static void mark_urgent(struct ltcp_connection *c)
{
    c->snd_up = send_queue_end(c);
    if (state_may_send(c->state) && (c->snd_wnd == 0 || flight_size(c) > 0)) c->ack_now = true;
}

/* Queued; what may leave now is output's to say (RFC9293:3.10.2-2, RFC9293:3.10.2-3). */
enum ltcp_status user_write(struct ltcp_connection *c, ltcp_time now, const void *bytes,
                            size_t length, unsigned flags, size_t *taken)
{
    *taken = 0;
    if (c->state == LTCP_CLOSED) /* RFC9293:3.10.2-1 */
        return c->error != LTCP_OK ? (enum ltcp_status)c->error : LTCP_ERR_PIPE;
    if (c->fin_wanted || c->user_closed) return LTCP_ERR_PIPE; /* RFC9293:3.10.2-4 */
    if (length == 0) return LTCP_OK;
    *taken = send_queue_write(c, now, bytes, length, flags);
    if (*taken < length) c->write_blocked = true;
    if (*taken == 0) {
        const uint32_t low = settings_of(c)->not_sent_low;
        const bool full = c->out != NULL && (pieces_memory(c) >= tuning_send_buffer(c) ||
                                             (low != 0 && c->out->unsent_octets >= low));
        return full ? LTCP_AGAIN : LTCP_ERR_NO_BUFFERS;
    }
    if (flags & LTCP_WRITE_URGENT) mark_urgent(c);
    connection_want_output(c);
    return LTCP_OK;
}

/* The last octet that waits is pushed, whatever was said when it was written. */
enum ltcp_status user_push(struct ltcp_connection *c)
{
    if (c->state == LTCP_CLOSED) return death_of(c);
    if (!has_unsent(c)) return LTCP_OK;
    struct ltcp_record *last = record_at(c->out, c->out->tail - 1);
    if (last->length > 0) last->flags |= LTCP_PSH;
    pieces_pushed(c);
    connection_want_output(c);
    return LTCP_OK;
}

/* RFC9293:MAY-14. A FIN that is queued stays. */
size_t user_flush(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    size_t dropped = 0;
    bool fin = false;
    if (q == NULL || c->state == LTCP_CLOSED) return 0;
    while (q->tail != q->unsent) {
        struct ltcp_record *r = record_at(q, q->tail - 1);
        if (r->flags & LTCP_SYN) break;
        fin = fin || (r->flags & LTCP_FIN);
        dropped += r->length;
        ltcp_block_unref(r->block);
        pieces_forget(q, r);
        q->tail--;
    }
    q->octets -= (uint32_t)dropped;
    memory_give_back(c->engine, (uint32_t)dropped);
    q->unsent_octets -= (uint32_t)dropped; /* the SYN stays, with what it carries */
    c->snd_up = seq_min(c->snd_up, c->snd_nxt);
    if (fin) {
        c->fin_queued = false; /* made anew when output runs */
        connection_want_output(c);
    }
    if (q->head == q->tail) send_queue_close(c);
    connection_event(c, LTCP_EVENT_WRITABLE);
    return dropped;
}

/* ---- RECEIVE, section 3.10.3
 * ---------------------------------------------------------------------- */

static bool out_of_band(const struct ltcp_connection *c)
{
    return c->urgent_mark && !settings_of(c)->urgent_inline;
}
static ltcp_seq oob_seq(const struct ltcp_connection *c)
{
    return seq_sub(c->rcv_up, 1);
}

/* The octet before RCV.UP is not part of what read gives: it is put aside as the reader comes to
 * it, unless it was fetched before. */
static void step_over_oob(struct ltcp_connection *c)
{
    uint8_t octet;
    if (!out_of_band(c) || c->unread == 0 || !seq_eq(c->rcv_read, oob_seq(c))) return;
    receive_queue_read(c, &octet, 1, false);
    if (!c->oob_taken) {
        rare_of(c)->oob_octet = octet;
        rare_of(c)->oob_held = true;
    }
    c->urgent_mark = false;
}

static enum ltcp_status read_oob(struct ltcp_connection *c, uint8_t *out, size_t *got)
{
    if (rare_of(c)->oob_held) {
        *out = rare_of(c)->oob_octet;
        rare_of(c)->oob_held = false;
        *got = 1;
        return LTCP_OK;
    }
    if (!out_of_band(c) || c->oob_taken) return LTCP_ERR_INVALID;
    const uint32_t offset = seq_diff(oob_seq(c), c->rcv_read);
    if (offset >= c->unread) return c->state == LTCP_CLOSED ? death_of(c) : LTCP_AGAIN;
    uint32_t left = offset;
    const struct ltcp_slice *s = c->in.first;
    while (left >= s->length) {
        left -= s->length;
        s = s->next;
    }
    *out = s->data[left];
    *got = 1;
    c->oob_taken = true;
    return LTCP_OK;
}

/* How far one call may read: to the urgent mark, so that the reader sees where it is. */
static size_t until_mark(const struct ltcp_connection *c, size_t room)
{
    if (!c->urgent_mark) return room;
    const ltcp_seq mark = out_of_band(c) ? oob_seq(c) : c->rcv_up;
    if (seq_le(mark, c->rcv_read)) return room;
    const uint32_t distance = seq_diff(mark, c->rcv_read);
    return distance < room ? distance : room;
}

/* RFC9293:3.10.3-3. After CLOSE of both directions nothing is read (MAY-1). */
enum ltcp_status user_read(struct ltcp_connection *c, ltcp_time now, void *out, size_t room,
                           unsigned flags, size_t *got)
{
    *got = 0;
    if (c->user_closed) return c->error != LTCP_OK ? death_of(c) : LTCP_ERR_NOT_CONNECTED;
    if (room == 0) return LTCP_ERR_INVALID;
    if (flags & LTCP_READ_URGENT) return read_oob(c, out, got);
    const bool peek = (flags & LTCP_READ_PEEK) != 0;
    step_over_oob(c);
    /* Until the handshake is over, what came with the SYN waits. RFC9293:3.10.3-2 */
    if (c->unread > 0 && (c->state != LTCP_SYN_RECEIVED || fast_opened(c))) {
        *got = receive_queue_read(c, out, until_mark(c, room), peek);
        if (peek) return LTCP_OK;
        if (c->unread == 0) c->pushed = false;
        if (c->tunes) tuning_read(c, now);
        step_over_oob(c);
        if (c->urgent_mark && seq_ge(c->rcv_read, c->rcv_up)) c->urgent_mark = false;
        if (state_may_receive_text(c->state) && window_update_wanted(c)) {
            c->ack_now = true;
            connection_want_output(c);
        }
        return LTCP_OK;
    }
    /* RFC9293:3.10.3-4, RFC9293:3.10.3-5. Where a reset took something away, it was not all. */
    if (c->fin_processed && seq_eq(c->rcv_read, c->rcv_fin)) return LTCP_END;
    return c->state == LTCP_CLOSED ? death_of(c) : LTCP_AGAIN; /* RFC9293:3.10.3-1 */
}

/* ---- CLOSE, section 3.10.4
 * ------------------------------------------------------------------------ */

enum ltcp_status user_shutdown(struct ltcp_connection *c, ltcp_time now)
{
    if (c->state == LTCP_CLOSED) return death_of(c); /* RFC9293:3.10.4-1 */
    /* "as long as a second FIN is not emitted": RFC9293:3.10.4-6, RFC9293:3.10.4-8 */
    if (c->fin_wanted) return LTCP_OK;
    switch (c->state) {
    /* RFC9293:3.10.4-3 */
    case LTCP_SYN_SENT: connection_die(c, now, LTCP_ERR_ABORTED); return LTCP_OK;
    case LTCP_SYN_RECEIVED: /* RFC9293:3.10.4-4 */
        /* What Fast Open has opened counts as one where SENDs were issued: its SYN-ACK may not even
         * have left. */
        if (c->out != NULL && c->out->octets == 0 && !fast_opened(c)) {
            connection_start_congestion(c, now);
            connection_set_state(c, now, LTCP_FIN_WAIT_1);
        }
        break; /* else queued until ESTABLISHED */
    /* RFC9293:3.10.4-5 */
    case LTCP_ESTABLISHED: connection_set_state(c, now, LTCP_FIN_WAIT_1); break;
    default: break; /* CLOSE-WAIT becomes LAST-ACK when the FIN leaves: RFC9293:3.10.4-7 */
    }
    c->fin_wanted = true;
    connection_want_output(c);
    return LTCP_OK;
}

enum ltcp_status user_close(struct ltcp_connection *c, ltcp_time now)
{
    if (c->user_closed) return LTCP_OK;
    if (c->state == LTCP_CLOSED) {
        c->user_closed = true;
        connection_flush(c);
        return LTCP_OK;
    }
    /* RFC9293:SHLD-3: the peer is told that data was lost. */
    const bool lost_data = c->unread > 0 || (c->ahead != NULL && c->ahead->octets > 0);
    const bool open = c->state >= LTCP_ESTABLISHED || fast_opened(c);
    if (lost_data && settings_of(c)->reset_on_unread_close && open && c->state != LTCP_TIME_WAIT) {
        c->user_closed = true;
        output_reset(c, now);
        connection_die(c, now, LTCP_ERR_ABORTED);
        return LTCP_OK;
    }
    const enum ltcp_status status = user_shutdown(c, now);
    c->user_closed = true;
    if (c->state == LTCP_FIN_WAIT_2 && settings_of(c)->fin_wait_2_timeout > 0)
        timers_set_long(c, now + settings_of(c)->fin_wait_2_timeout);
    if (!orphan_begins(c, now)) memory_ends_orphan(c, now);
    return status;
}

/* ---- ABORT, section 3.10.5
 * ------------------------------------------------------------------------ */

/* A RST leaves where the peer might wait (RFC9293:3.10.5-4), none in SYN-SENT (RFC9293:3.10.5-3) or
 * when both FINs are on their way (RFC9293:3.10.5-5). */
enum ltcp_status user_abort(struct ltcp_connection *c, ltcp_time now)
{
    const uint8_t s = c->state;
    if (s == LTCP_CLOSED) return user_close(c, now); /* RFC9293:3.10.5-1 */
    if (s == LTCP_SYN_RECEIVED || s == LTCP_ESTABLISHED || s == LTCP_FIN_WAIT_1 ||
        s == LTCP_FIN_WAIT_2 || s == LTCP_CLOSE_WAIT)
        output_reset(c, now);
    c->user_closed = true;
    connection_die(c, now, LTCP_ERR_ABORTED);
    return LTCP_OK;
}

/* ---- settings
 * --------------------------------------------------------------------------------------- */

static bool opening_differs(const struct ltcp_settings *a, const struct ltcp_settings *b)
{
    return a->window_scaling != b->window_scaling || a->timestamps != b->timestamps ||
           a->sack != b->sack || a->window_scale != b->window_scale || a->mss != b->mss ||
           a->isn != b->isn || a->timestamp_offset != b->timestamp_offset ||
           a->initial_window != b->initial_window;
}

/* Another algorithm takes over where the old one stands. */
static bool change_congestion(struct ltcp_connection *c, ltcp_time now,
                              const struct ltcp_congestion_ops *ops)
{
    if (ops == c->cc.ops) return true;
    void *state = NULL;
    if (ops->state_size != 0 && c->cc.cwnd != 0) {
        state = engine_zeroed(c->engine, ops->state_size);
        if (state == NULL) return false;
    }
    if (c->cc.state != NULL) {
        if (c->cc.ops->release != NULL) c->cc.ops->release(&c->cc);
        engine_resize(c->engine, c->cc.state, c->cc.ops->state_size, 0);
    }
    c->cc.state = state;
    c->cc.ops = ops;
    c->cc.acked = 0;
    c->cc.pacing_rate = 0;
    if (c->cc.cwnd != 0) ops->init(&c->cc, now);
    return true;
}

/* RFC9293:SHLD-21, MUST-17, MUST-24: at any time, for one connection. */
enum ltcp_status user_set_settings(struct ltcp_connection *c, ltcp_time now,
                                   const struct ltcp_settings *settings)
{
    if (opening_differs(&c->share->settings, settings)) return LTCP_ERR_CONNECTED;
    c->cc.switches = ltcp_congestion_switches(settings, c->sacking);
    if (!change_congestion(c, now, ltcp_congestion_for(settings))) return LTCP_ERR_NO_MEMORY;
    const bool more_room = settings->receive_buffer > settings_of(c)->receive_buffer;
    struct ltcp_tuning *tuning = tuning_of(c); /* what the user sets counts from now on */
    struct ltcp_share *share = share_create(c->engine, settings);
    if (share == NULL) return LTCP_ERR_NO_MEMORY;
    if (tuning != NULL && settings->receive_buffer != settings_of(c)->receive_buffer)
        tuning->buffer = settings->receive_buffer;
    c->tunes = settings->tune_receive_buffer;
    if (c->rare != NULL && settings->send_buffer != settings_of(c)->send_buffer)
        c->rare->send_buffer = 0;
    share_unref(c->engine, c->share);
    c->share = share;
    c->engine->template_of = NULL;
    if (c->loss_timer > LTCP_TIMER_PERSIST && !uses_rack(c)) /* its timers are no more */
        timers_set_loss(c, now, LTCP_TIMER_RTO);
    if (c->state >= LTCP_ESTABLISHED && c->state != LTCP_TIME_WAIT) {
        timers_heard(c, now);
        user_timeout_advertise(c);
        if (more_room && window_update_wanted(c)) c->ack_now = true;
        connection_want_output(c);
    }
    return LTCP_OK;
}
