/* core/tcp/connection.c
 *
 * A connection's life: made, changing state, telling its owner, dying. */
#include <string.h>

#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/user_timeout.h"

struct ltcp_connection *connection_create(struct ltcp_engine *e, struct ltcp_share *share)
{
    struct ltcp_connection *c = engine_zeroed(e, sizeof *c);
    if (c == NULL) return NULL;
    c->flow.kind = LTCP_FLOW_CONNECTION;
    c->engine = e;
    c->share = share_ref(share);
    c->ack_deadline = c->long_deadline = c->armed = LTCP_NEVER;
    c->heap_index = UINT32_MAX;
    c->cc.ops = ltcp_congestion_for(&share->settings);
    return c;
}

void connection_flush(struct ltcp_connection *c)
{
    send_queue_close(c);
    receive_queue_free(c->engine, &c->in);
    memory_give_back(c->engine, c->unread);
    c->unread = 0;
    reassembly_free(c);
    memory_settle(c->engine);
    if (c->cc.state != NULL) {
        if (c->cc.ops->release != NULL) c->cc.ops->release(&c->cc);
        engine_resize(c->engine, c->cc.state, c->cc.ops->state_size, 0);
        c->cc.state = NULL;
    }
}

void connection_changed(struct ltcp_connection *c)
{
    if (c->changed) return;
    c->changed = true;
    c->next_changed = c->engine->changed;
    c->engine->changed = c;
}

struct ltcp_rare *rare_of(struct ltcp_connection *c)
{
    if (c->rare == NULL) c->rare = engine_zeroed(c->engine, sizeof *c->rare);
    return c->rare != NULL ? c->rare : c->engine->nobody;
}

void connection_destroy(struct ltcp_connection *c)
{
    struct ltcp_engine *e = c->engine;
    if (e->template_of == c) e->template_of = NULL;
    connection_flush(c);
    deadlines_remove(c);
    if (c->state == LTCP_TIME_WAIT) e->time_waits--;
    share_unref(e, c->share);
    if (c->accecn) accecn_release(c);
    fast_open_release(c);
    if (c->authenticated) authentication_release(c);
    tuning_release(c);
    path_mtu_release(c);
    engine_resize(e, c->rare, sizeof *c->rare, 0);
    engine_resize(e, c, sizeof *c, 0);
}

void connection_event(struct ltcp_connection *c, uint32_t bits)
{
    c->events |= bits;
    if (c->queued_event || c->released) return;
    if (c->listener != NULL) {
        if (is_kept_back(c)) connection_changed(c); /* perhaps no longer */
        return;
    }
    struct ltcp_engine *e = c->engine;
    c->queued_event = true;
    c->next_event = NULL;
    if (e->event_first == NULL)
        e->event_first = c;
    else
        e->event_last->next_event = c;
    e->event_last = c;
}

/* Nobody listens any more. */
void connection_forget_event(struct ltcp_connection *c)
{
    struct ltcp_engine *e = c->engine;
    struct ltcp_connection *before = NULL;
    if (!c->queued_event) return;
    for (struct ltcp_connection *at = e->event_first; at != c; at = at->next_event)
        before = at;
    if (before == NULL)
        e->event_first = c->next_event;
    else
        before->next_event = c->next_event;
    if (e->event_last == c) e->event_last = before;
    c->queued_event = false;
}

void connection_want_output(struct ltcp_connection *c)
{
    if (c->pending) return;
    struct ltcp_engine *e = c->engine;
    c->pending = true;
    c->next_pending = NULL;
    if (e->pending_first == NULL)
        e->pending_first = c;
    else
        e->pending_last->next_pending = c;
    e->pending_last = c;
}

void connection_trace_text(const struct ltcp_connection *c, ltcp_time now,
                           enum ltcp_trace_kind kind, int64_t value, const char *text)
{
    if (!is_traced(c) || !(ltcp_trace_mask(c->engine->trace) & (1u << kind))) return;
    ltcp_trace_event(c->engine->trace, &(struct ltcp_trace_event){.time = now,
                                                                  .subject = c->handle,
                                                                  .value = value,
                                                                  .text = text,
                                                                  .host = c->engine->id,
                                                                  .kind = (uint8_t)kind,
                                                                  .from = c->state,
                                                                  .to = c->state,
                                                                  .status = c->error});
}

void connection_trace(const struct ltcp_connection *c, ltcp_time now, enum ltcp_trace_kind kind,
                      int64_t value)
{
    connection_trace_text(c, now, kind, value, NULL);
}

void connection_set_state(struct ltcp_connection *c, ltcp_time now, enum ltcp_state state)
{
    const uint8_t from = c->state;
    if (from == state) return;
    c->engine->changes[from] |= (uint16_t)(1u << state);
#if defined(LTCP_CHECK) && LTCP_CHECK
    if (!state_change_is_legal(from, state)) connection_note_illegal_change(c, state);
#endif
    if (from == LTCP_TIME_WAIT) c->engine->time_waits--;
    if (state == LTCP_TIME_WAIT) c->engine->time_waits++;
    orphan_changes(c, state);
    c->state = (uint8_t)state;
    if (c->engine->trace != NULL)
        ltcp_trace_event(c->engine->trace, &(struct ltcp_trace_event){.time = now,
                                                                      .subject = c->handle,
                                                                      .host = c->engine->id,
                                                                      .kind = LTCP_TRACE_STATE,
                                                                      .from = from,
                                                                      .to = (uint8_t)state,
                                                                      .status = c->error});
    connection_event(c, LTCP_EVENT_STATE);
}

/* The initial window (RFC 5681 section 3.1, RFC 6928), one segment when SYN or SYN-ACK was lost;
 * neither of them opens it. RFC5681:3.1-3, RFC5681:3.1-5, RFC5681:3.1-7 RFC6928:2-1 RFC6928:2-2 */
void connection_start_congestion(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    c->cc.initial_window = s->initial_window != 0 ? (uint32_t)s->initial_window * c->snd_mss
                                                  : ltcp_initial_window_rfc5681(c->snd_mss);
    if (c->rare != NULL && c->rare->timeouts > 0) c->cc.initial_window = c->snd_mss;
    c->cc.cwnd = c->cc.initial_window;
    c->recovery_point = seq_sub(c->snd_una, 1);
    if (c->out != NULL) c->out->rtt_mark = c->snd_nxt;
    if (c->cc.ops->state_size != 0) {
        c->cc.state = engine_zeroed(c->engine, c->cc.ops->state_size);
        if (c->cc.state == NULL) c->cc.ops = &ltcp_newreno; /* which needs no state */
    }
    c->cc.seed = (uint16_t)(c->iss.n ^ c->iss.n >> 16);
    c->cc.switches = ltcp_congestion_switches(s, c->sacking);
    c->cc.ops->init(&c->cc, now);
}

/* Into ESTABLISHED, from either side of the handshake. RFC5681:3.1-3 RFC5681:3.1-5 RFC5681:3.1-7 */
void connection_established(struct ltcp_connection *c, ltcp_time now)
{
    connection_set_state(c, now, LTCP_ESTABLISHED);
    c->syn_acked = true;
    c->tunes = settings_of(c)->tune_receive_buffer;
    mtu_search_open(c, now);
    c->backoff = 0;
    c->unanswered = 0;
    if (!fast_opened(c)) connection_start_congestion(c, now);
    connection_event(c, LTCP_EVENT_CONNECTED | LTCP_EVENT_WRITABLE);
    if (c->listener != NULL || fast_opened(c)) connection_changed(c);
    timers_heard(c, now);
    user_timeout_advertise(c);
    if (c->ecn) ecn_remark(c, now);
    connection_want_output(c);
}

void connection_die(struct ltcp_connection *c, ltcp_time now, enum ltcp_status why)
{
    if (c->state == LTCP_CLOSED) return;
    fast_open_ends(c, now, why);
    c->error = (uint8_t)why;
    /* What was received before a normal end can still be read; after another only if asked for. */
    if (why == LTCP_OK || (settings_of(c)->read_after_reset && !c->user_closed))
        send_queue_close(c);
    else
        connection_flush(c);
    c->loss_timer = LTCP_TIMER_NONE;
    c->ack_deadline = c->long_deadline = LTCP_NEVER;
    connection_set_state(c, now, LTCP_CLOSED);
    deadlines_remove(c);
    connection_event(c, LTCP_EVENT_CLOSED | LTCP_EVENT_READABLE | LTCP_EVENT_WRITABLE);
    connection_changed(c);
}
