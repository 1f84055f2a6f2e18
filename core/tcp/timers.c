/* core/tcp/timers.c
 *
 * RFC 9293 section 3.10.8 and the timers of the later RFCs. Of RTO and persist exactly one runs for
 * what is outstanding; beside it the delayed ACK, and one long timer that is keep-alive, FIN-WAIT-2
 * or 2 MSL by the state. */
#include "tcp/connection.h"
#include "tcp/flow_label.h"
#include "tcp/user_timeout.h"

static void schedule(struct ltcp_connection *c)
{
    ltcp_time when = loss_deadline(c);
    if (c->ack_deadline < when) when = c->ack_deadline;
    if (c->long_deadline < when) when = c->long_deadline;
    if (c->out != NULL && c->out->pace_deadline < when) when = c->out->pace_deadline;
    deadlines_lower(c, when);
}

static ltcp_time after(ltcp_time now, ltcp_time delay)
{
    return delay >= LTCP_NEVER - now ? LTCP_NEVER : now + delay;
}

void timers_set_ack(struct ltcp_connection *c, ltcp_time when)
{
    c->ack_deadline = when;
    if (when < c->armed) schedule(c);
}

void timers_set_long(struct ltcp_connection *c, ltcp_time when)
{
    c->long_deadline = when;
    if (when < c->armed) schedule(c);
}

void timers_set_pace(struct ltcp_connection *c, ltcp_time when)
{
    c->out->pace_deadline = when;
    if (when < c->armed) schedule(c);
}

/* ---- R1, R2 and the user timeout
 * ------------------------------------------------------------------ */

struct patience {
    int64_t count;  /* retransmissions; 0: by time */
    ltcp_time time; /* 0: by count */
};

/* RFC9293:MUST-20, MUST-22, MUST-23, SHLD-11: thresholds by state; each can be set for each
 * connection (RFC9293:MUST-21). */
static struct patience patience_of(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    struct patience p = {s->r2_count, s->r2_time};
    if (c->state == LTCP_SYN_SENT) p = (struct patience){s->syn_r2_count, s->syn_r2_time};
    if (c->state == LTCP_SYN_RECEIVED) p = (struct patience){s->synack_r2_count, s->syn_r2_time};
    if (c->user_closed && s->orphan_r2_count != 0 && (p.count == 0 || s->orphan_r2_count < p.count))
        p.count = s->orphan_r2_count;
    if (s->user_timeout != 0 && (p.time == 0 || s->user_timeout < p.time || p.count == 0))
        p.time = s->user_timeout;
    const ltcp_time adopted = user_timeout_adopted(c);
    return adopted != 0 ? (struct patience){0, adopted} : p;
}

ltcp_time timers_user_timeout(const struct ltcp_connection *c)
{
    return patience_of(c).time;
}

static bool is_out_of_patience(const struct ltcp_connection *c, ltcp_time now)
{
    const struct patience p = patience_of(c);
    if (p.count != 0 && c->unanswered > p.count) return true;
    return p.time != 0 && now - c->out->waiting_since >= p.time;
}

/* When the timer fires that was started at `since`. The connection is given up when R2 says so, not
 * at the retransmission that follows. */
static ltcp_time whole_timeout(const struct ltcp_connection *c, ltcp_time since)
{
    const ltcp_time deadline = after(since, rtt_timeout(c));
    if (c->unanswered == 0) return deadline;
    const ltcp_time limit = patience_of(c).time;
    if (limit == 0) return deadline;
    const ltcp_time end = after(c->out->waiting_since, limit);
    return end > since && end < deadline ? end : deadline;
}

/* RFC6298:1-1 RFC6298:5-1 */
void timers_set_loss(struct ltcp_connection *c, ltcp_time now, enum ltcp_loss_timer kind)
{
    c->loss_timer = (uint8_t)kind;
    if (c->out != NULL) c->out->loss_deadline = LTCP_NEVER;
    if (kind == LTCP_TIMER_NONE) return;
    c->out->timer_started = now;
    c->out->loss_deadline = whole_timeout(c, now);
    if (c->out->loss_deadline < c->armed) schedule(c);
}

void timers_retry(struct ltcp_connection *c, ltcp_time now, ltcp_time delay)
{
    const ltcp_time limit = patience_of(c).time, end = after(c->out->waiting_since, limit);
    c->out->loss_deadline = after(now, delay);
    if (limit != 0 && end > now && end < c->out->loss_deadline) c->out->loss_deadline = end;
    if (c->out->loss_deadline < c->armed) schedule(c);
}

/* RFC 8985 section 8. The RTO goes on counting from where it was started. RFC8985:8-1 */
void timers_choose_loss(struct ltcp_connection *c)
{
    struct ltcp_send_queue *q = c->out;
    if (q == NULL || c->loss_timer == LTCP_TIMER_NONE || c->loss_timer == LTCP_TIMER_PERSIST)
        return;
    c->loss_timer = LTCP_TIMER_RTO;
    q->loss_deadline = whole_timeout(c, q->timer_started);
    if (q->rack.deadline < q->loss_deadline) {
        c->loss_timer = LTCP_TIMER_REORDERING;
        q->loss_deadline = q->rack.deadline;
    } else if (q->probe_deadline != LTCP_NEVER && loss_probe_may(c)) {
        /* A probe that would come later takes the RTO's place, which counts anew after it. */
        c->loss_timer = LTCP_TIMER_PROBE;
        if (q->probe_deadline < q->loss_deadline) q->loss_deadline = q->probe_deadline;
    }
    if (q->loss_deadline < c->armed) schedule(c);
}

/* RFC 6298 (5.1): data in flight has a retransmission timer. Data that waits with nothing in flight
 * waits for the window, and the persist timer probes it (RFC9293:MUST-36; the first time after one
 * RTO, SHLD-29); so does what waits for a PUSH that never comes (MUST-60). RFC6298:5-2 */
void timers_after_output(struct ltcp_connection *c, ltcp_time now)
{
    if (c->state == LTCP_CLOSED || c->state == LTCP_TIME_WAIT) return;
    if (c->out == NULL) {
        if (c->loss_timer != LTCP_TIMER_NONE) timers_set_loss(c, now, LTCP_TIMER_NONE);
        return;
    }
    /* What the persist timer held back has left after all. */
    const bool left = c->loss_timer == LTCP_TIMER_PERSIST && flight_size(c) > 0 && c->snd_wnd > 0;
    if (c->loss_timer != LTCP_TIMER_NONE && !left) {
        if (uses_rack(c)) timers_choose_loss(c);
        return;
    }
    c->out->waiting_since = now;
    c->unanswered = 0;
    timers_set_loss(c, now, flight_size(c) > 0 ? LTCP_TIMER_RTO : LTCP_TIMER_PERSIST);
    if (uses_rack(c)) timers_choose_loss(c);
}

/* By count, by time, or by whichever comes first where both are set. */
static bool has_reached_r1(const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    if (s->r1_count != 0 && c->unanswered >= s->r1_count) return true;
    return s->r1_time != 0 && now - c->out->waiting_since >= s->r1_time;
}

/* RFC9293:MUST-20: at R1 the user is advised (SHLD-9, SHLD-10), at R2 the connection closes; so it
 * does at the user timeout (RFC9293:3.10.8-1). */
static bool give_up_or_count(struct ltcp_connection *c, ltcp_time now)
{
    c->unanswered++;
    if (is_out_of_patience(c, now)) {
        c->unanswered--; /* nothing more is sent */
        connection_die(c, now, c->soft_error != LTCP_OK ? c->soft_error : LTCP_ERR_TIMED_OUT);
        return true;
    }
    if (!c->advised && has_reached_r1(c, now)) {
        c->advised = true;
        if (settings_of(c)->report_soft_errors) connection_event(c, LTCP_EVENT_ADVICE);
    }
    return false;
}

/* RFC 9293 section 3.8.6.1: at least one octet, at intervals that grow (SHLD-30). */
static void persist_timeout(struct ltcp_connection *c, ltcp_time now)
{
    if (c->pace_held && c->snd_wnd > 0) { /* it waits for its time: the window is open */
        timers_set_loss(c, now, LTCP_TIMER_PERSIST);
        return;
    }
    if (give_up_or_count(c, now) || memory_ends_orphan(c, now)) return;
    c->probe_due = true;
    if (c->backoff < UINT8_MAX) c->backoff++;
    timers_set_loss(c, now, LTCP_TIMER_PERSIST);
    connection_trace_text(c, now, LTCP_TRACE_PROBE, (int64_t)c->unanswered, "zero window");
    connection_want_output(c);
}

/* RFC9293:3.10.8-2 RFC6298:5-7 */
static void retransmission_timeout(struct ltcp_connection *c, ltcp_time now)
{
    if (give_up_or_count(c, now) || memory_ends_orphan(c, now)) return;
    rare_of(c)->timeouts++;
    if (c->backoff < UINT8_MAX) c->backoff++; /* (5.5); RFC9293:MUST-19 */
    connection_trace(c, now, LTCP_TRACE_TIMEOUT, rtt_timeout(c));
    flow_label_timeout(c);
    if (c->state == LTCP_SYN_SENT || c->state == LTCP_SYN_RECEIVED) {
        scoreboard_lose_syn(c, now);
        c->force_retransmit = true;
    } else {
        recovery_on_timeout(c, now);
    }
    timers_set_loss(c, now, LTCP_TIMER_RTO);
    connection_want_output(c);
}

/* RFC 8985 section 7.3. RFC8985:7.3-4 */
static void probe_timeout(struct ltcp_connection *c, ltcp_time now)
{
    c->out->probe_deadline = LTCP_NEVER;
    c->loss_probe_due = loss_probe_may(c);
    if (c->loss_probe_due) c->out->timer_started = now; /* the RTO comes after the probe */
    timers_choose_loss(c);
    connection_want_output(c);
}

static void loss_timeout(struct ltcp_connection *c, ltcp_time now)
{
    /* RFC9293:MUST-35: a window that shrank to zero under data in flight is probed too. */
    const bool closed = c->snd_wnd == 0 && state_may_send(c->state);
    if (c->loss_timer == LTCP_TIMER_REORDERING) {
        recovery_on_reordering_timeout(c, now);
        timers_choose_loss(c);
    } else if (c->loss_timer == LTCP_TIMER_PROBE && !closed) {
        probe_timeout(c, now);
    } else if (c->loss_timer == LTCP_TIMER_PERSIST || closed) {
        persist_timeout(c, now);
    } else {
        retransmission_timeout(c, now);
    }
}

/* ---- the long timer
 * --------------------------------------------------------------------------------- */

/* RFC9293:MUST-13: twice the maximum segment lifetime. */
void timers_start_time_wait(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    timers_set_loss(c, now, LTCP_TIMER_NONE);
    ltcp_time length = s->time_wait >= 0 ? s->time_wait : 2 * s->msl;
    if (s->time_wait_most != 0 && c->engine->time_waits > s->time_wait_most) {
        length = 0;
        c->engine->time_waits_cut++;
    }
    timers_set_long(c, after(now, length));
}

/* RFC9293:MAY-5, by a setting of each connection that is off by itself (MUST-24, MUST-25).
 * RFC5925:7.7-1 */
static bool keeps_alive(const struct ltcp_connection *c)
{
    return settings_of(c)->keepalive &&
           (c->state == LTCP_ESTABLISHED || c->state == LTCP_CLOSE_WAIT ||
            c->state == LTCP_FIN_WAIT_2) &&
           !is_kept_back(c);
}

/* Something acceptable came from the peer. */
void timers_heard(struct ltcp_connection *c, ltcp_time now)
{
    c->last_heard = now;
    if (!keeps_alive(c)) return;
    if (flight_size(c) == 0) c->unanswered = 0;
    timers_set_long(c, after(now, user_timeout_keepalive_idle(c)));
}

/* RFC9293:MUST-26: only where nothing is outstanding and nothing was heard for the interval.
 * MUST-29: one lost answer is no proof. */
static void keepalive_timeout(struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    const ltcp_time idle = user_timeout_keepalive_idle(c);
    c->long_deadline = LTCP_NEVER;
    if (!keeps_alive(c)) return;
    if (c->out != NULL || now - c->last_heard < idle) {
        const ltcp_time due = after(c->out != NULL ? now : c->last_heard, idle);
        timers_set_long(c, due);
        return;
    }
    if (c->unanswered >= s->keepalive_count) {
        output_reset(c, now);
        connection_die(c, now, LTCP_ERR_TIMED_OUT);
        return;
    }
    c->unanswered++;
    c->keepalive_due = true;
    timers_set_long(c, after(now, s->keepalive_interval));
    connection_trace_text(c, now, LTCP_TRACE_PROBE, (int64_t)c->unanswered, "keep-alive");
    connection_want_output(c);
}

/* Its listener keeps it no longer, whose time the long timer was. */
void timers_end_deferral(struct ltcp_connection *c)
{
    c->long_deadline = LTCP_NEVER;
    if (keeps_alive(c)) timers_set_long(c, after(c->last_heard, user_timeout_keepalive_idle(c)));
}

static void long_timeout(struct ltcp_connection *c, ltcp_time now)
{
    c->long_deadline = LTCP_NEVER;
    if (c->state == LTCP_TIME_WAIT) /* RFC9293:3.10.8-3 */
        connection_die(c, now, LTCP_OK);
    else if (c->state == LTCP_FIN_WAIT_2 && c->user_closed &&
             settings_of(c)->fin_wait_2_timeout > 0)
        connection_die(c, now, LTCP_ERR_TIMED_OUT);
    else if (is_kept_back(c))
        connection_changed(c); /* it is shown as it is */
    else
        keepalive_timeout(c, now);
}

/* The heap's entry of this connection was due, and is out of the heap. */
void timers_fire(struct ltcp_connection *c, ltcp_time now)
{
    if (c->ack_deadline <= now) {
        c->ack_deadline = LTCP_NEVER;
        c->ack_now = true;
        connection_want_output(c);
    }
    if (c->out != NULL && c->out->pace_deadline <= now) {
        c->out->pace_deadline = LTCP_NEVER;
        connection_want_output(c);
    }
    if (loss_deadline(c) <= now) loss_timeout(c, now);
    if (c->long_deadline <= now && c->state != LTCP_CLOSED) long_timeout(c, now);
    if (c->state != LTCP_CLOSED) schedule(c);
}
