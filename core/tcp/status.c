/* core/tcp/status.c - STATUS, RFC 9293 section 3.10.6: the variables as they stand. */
#include <string.h>

#include "tcp/accecn.h"
#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/flow_label.h"
#include "tcp/user_timeout.h"

static void fill_counters(const struct ltcp_connection *c, struct ltcp_info *out)
{
    static const struct ltcp_rare none;
    const struct ltcp_rare *r = c->rare != NULL ? c->rare : &none;
    out->segments_sent = c->segments_sent;
    out->segments_received = c->segments_received;
    out->data_segments_sent = c->data_segments_sent;
    out->data_segments_received = c->data_segments_received;
    out->segments_delivered = c->segments_delivered;
    out->bytes_sent = c->bytes_sent;
    out->bytes_received = c->bytes_received;
    out->bytes_acked = c->bytes_acked;
    out->segments_retransmitted = r->segments_retransmitted;
    out->bytes_retransmitted = r->bytes_retransmitted;
    out->timeouts = r->timeouts;
    out->fast_recoveries = r->fast_recoveries;
    out->duplicate_acks_received = r->duplicate_acks_received;
    out->acks_sent = c->acks_sent;
    out->out_of_order_segments = r->out_of_order_segments;
    out->duplicate_segments = r->duplicate_segments;
    out->challenge_acks = r->challenge_acks;
    out->probes_sent = r->probes_sent;
    out->paws_rejected = r->paws_rejected;
    out->options_ignored = r->options_ignored;
    out->ce_received = r->ce_received;
    out->ece_received = r->ece_received;
    out->ecn_reductions = r->ecn_reductions;
    out->rack = uses_rack(c);
    out->reordering_seen = r->reordering_seen;
    out->reorderings = r->reorderings;
    out->reordering = r->reordering;
    out->in_cwr = c->ecn && r->ecn_reductions > 0 && ecn_reacted_since(c, c->snd_una);
    out->reordering_window = out->rack ? rack_reordering_window(c) : 0;
    out->loss_probes = r->loss_probes;
    out->dsacks_received = r->dsacks_received;
    out->undos = r->undos;
    out->bytes_lost = r->lost;
    out->source_route_count = r->route_length > 0 ? (uint8_t)(r->route_length / 4 - 1) : 0;
}

/* What repairs losses just now. */
static void fill_recovery(const struct ltcp_connection *c, struct ltcp_info *out)
{
    const struct ltcp_send_queue *q = c->out;
    const struct ltcp_rare *r = c->rare;
    out->pipe = pipe_size(c);
    out->in_recovery = c->recovery == LTCP_RECOVERY_FAST;
    out->in_loss = c->recovery == LTCP_RECOVERY_TIMEOUT;
    out->recovery_point = c->recovery_point;
    out->duplicate_acks = c->duplicate_acks;
    if (q != NULL) {
        out->sacked = q->sacked;
        out->lost = q->lost;
        out->retransmitted = q->retransmitted;
    }
    if (r == NULL) return;
    out->frto_step = out->in_loss ? r->frto : 0;
    out->limited_transmits = r->limited_transmits;
    out->tail_probe_outstanding = r->probed;
    out->prr = out->in_recovery && uses_prr(c);
    if (!out->prr) return;
    out->recover_fs = r->recover_fs;
    out->prr_delivered = r->prr_delivered;
    out->prr_out = r->prr_out;
}

static void fill_accecn(const struct ltcp_connection *c, struct ltcp_info *out)
{
    const struct ltcp_accecn *x = accecn_of(c);
    if (x == NULL) return;
    out->accecn = true;
    out->ecn_sending = !x->not_ect;
    out->accecn_option_seen = x->option_seen;
    out->accecn_zeroed = x->options_zeroed;
    out->accecn_blocked = x->options_blocked;
    out->accecn_deaf = x->deaf;
    out->received_ce_bytes = x->r_bytes[LTCP_ECN_CE];
    out->received_ect0_bytes = x->r_bytes[LTCP_ECN_ECT0] - ACCECN_BYTES_FIRST;
    out->received_ect1_bytes = x->r_bytes[LTCP_ECN_ECT1] - ACCECN_BYTES_FIRST;
    out->delivered_ce = x->s_cep - ACCECN_CEP_FIRST;
    out->delivered_ce_bytes = x->s_bytes[LTCP_ECN_CE];
    out->delivered_ect0_bytes = x->s_bytes[LTCP_ECN_ECT0] - ACCECN_BYTES_FIRST;
    out->delivered_ect1_bytes = x->s_bytes[LTCP_ECN_ECT1] - ACCECN_BYTES_FIRST;
}

static void fill_fast_open(const struct ltcp_connection *c, struct ltcp_info *out)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL) return;
    if (!c->passive) {
        out->fast_open_asked = f->option && f->cookie.length == 0;
        out->fast_open_used = f->octets > 0 || (f->option && f->cookie.length > 0);
    }
    out->fast_opened = f->opened;
    out->fast_open_failure = (enum ltcp_fast_open_failure)f->failure;
    out->fast_open_octets = f->octets;
    out->fast_open_acked = f->acked;
}

static void fill_timers(const struct ltcp_connection *c, struct ltcp_info *out)
{
    out->srtt = c->srtt;
    out->rttvar = c->rttvar;
    out->rto = rtt_timeout(c);
    out->min_rtt = c->min_rtt;
    out->latest_rtt = c->latest_rtt;
    out->retransmission_deadline = c->loss_timer == LTCP_TIMER_RTO ? loss_deadline(c) : LTCP_NEVER;
    out->persist_deadline = c->loss_timer == LTCP_TIMER_PERSIST ? loss_deadline(c) : LTCP_NEVER;
    out->reordering_deadline =
        c->loss_timer == LTCP_TIMER_REORDERING ? loss_deadline(c) : LTCP_NEVER;
    out->tail_probe_deadline = c->loss_timer == LTCP_TIMER_PROBE ? loss_deadline(c) : LTCP_NEVER;
    out->delayed_ack_deadline = c->ack_deadline;
    out->time_wait_deadline = c->state == LTCP_TIME_WAIT ? c->long_deadline : LTCP_NEVER;
    out->keepalive_deadline = c->state == LTCP_TIME_WAIT ? LTCP_NEVER : c->long_deadline;
    out->backoff = c->backoff;
}

static void fill_queues(const struct ltcp_connection *c, struct ltcp_info *out)
{
    out->unsent = c->out != NULL ? c->out->unsent_octets : 0;
    out->unacked = c->out != NULL ? c->out->octets - c->out->unsent_octets : 0;
    out->unread = c->unread;
    out->out_of_order = c->ahead != NULL ? c->ahead->octets : 0;
    out->send_buffer = tuning_send_buffer(c);
    out->send_memory = pieces_memory(c);
    out->receive_buffer = tuning_receive_buffer(c);
    out->receive_rtt = tuning_of(c) != NULL ? tuning_of(c)->rtt : 0;
    out->fin_sent = c->fin_queued && !has_unsent(c);
    out->fin_acked = c->fin_queued && c->out == NULL;
    out->fin_received = c->fin_processed;
    out->accept_deferred = c->deferred;
    out->pushed = c->pushed && c->unread > 0;
    if (c->urgent_mark && seq_gt(c->rcv_up, c->rcv_read))
        out->urgent_remaining = seq_diff(c->rcv_up, c->rcv_read); /* RFC9293:MUST-33 */
}

/* RFC9293:3.10.6-1 */
/* What the algorithm says of itself, as long as it has its state. */
static void fill_congestion(const struct ltcp_connection *c, struct ltcp_info *out)
{
    const struct ltcp_congestion_ops *ops = c->cc.ops;
    size_t *count = &out->congestion_values_count;
    if (ops->info == NULL || (ops->state_size != 0 && c->cc.state == NULL)) return;
    while (*count < LTCP_CONGESTION_VALUES &&
           ops->info(&c->cc, *count, &out->congestion_values[*count]))
        ++*count;
}

static void fill_path_mtu(const struct ltcp_connection *c, struct ltcp_info *out)
{
    const struct ltcp_path_mtu *m = c->rare != NULL ? c->rare->path_mtu : NULL;
    out->path_mtu = c->path_mtu;
    out->path_mtu_shared = m != NULL ? m->shared : c->mtu_watched;
    if (m == NULL) return;
    out->mtu_searching = m->searching;
    out->mtu_search_low = m->low;
    out->mtu_search_high = m->high;
    out->mtu_probe = m->probe;
    out->mtu_probes = m->probes;
    out->mtu_probe_successes = m->successes;
    out->mtu_probe_failures = m->failures;
    out->mtu_black_holes = m->black_holes;
    out->mtu_refuted = m->refuted;
}

void connection_info(const struct ltcp_connection *c, struct ltcp_info *out)
{
    memset(out, 0, sizeof *out);
    out->state = (enum ltcp_state)c->state;
    out->error = (enum ltcp_status)(c->state == LTCP_CLOSED ? c->error : c->soft_error);
    out->local = c->flow.local;
    out->remote = c->flow.remote;
    out->local_port = c->flow.local_port;
    out->remote_port = c->flow.remote_port;
    out->passive = c->passive;
    out->iss = c->iss;
    out->snd_una = c->snd_una;
    out->snd_nxt = c->snd_nxt;
    out->snd_up = c->snd_up;
    out->snd_wl1 = c->snd_wl1;
    out->snd_wl2 = c->snd_wl2;
    out->snd_wnd = c->snd_wnd;
    out->max_snd_wnd = c->max_snd_wnd;
    out->irs = c->irs;
    out->rcv_nxt = c->rcv_nxt;
    out->rcv_up = c->rcv_up;
    out->rcv_wnd = rcv_wnd(c);
    out->snd_mss = c->snd_mss;
    out->rcv_mss = c->rcv_mss;
    out->seen_mss = c->seen_mss;
    fill_path_mtu(c, out);
    out->snd_wscale = c->snd_wscale;
    out->rcv_wscale = c->rcv_wscale;
    out->window_scaling = c->scaling;
    out->timestamps = c->stamping;
    out->sack = c->sacking;
    out->ecn = out->ecn_sending = c->ecn;
    fill_accecn(c, out);
    fill_fast_open(c, out);
    if (c->authenticated) authentication_info(c, &out->authentication);
    out->received_dscp = c->received_dscp;
    user_timeout_info(c, out);
    out->flow_label = flow_label(c);
    out->flow_label_changes = c->rare != NULL ? c->rare->flow_label_changes : 0;
    out->cwnd = c->cc.cwnd;
    out->ssthresh = c->cc.ssthresh;
    out->pacing_rate = pacing_rate(c);
    out->delivery_rate = delivery_rate(c);
    out->app_limited = c->out != NULL && c->out->app_limited != 0;
    out->pacing_deadline = c->pace_held && c->out != NULL ? c->out->pace_deadline : LTCP_NEVER;
    fill_recovery(c, out);
    out->congestion = c->cc.ops->name;
    fill_congestion(c, out);
    fill_timers(c, out);
    fill_queues(c, out);
    fill_counters(c, out);
}

void connection_outstanding(const struct ltcp_connection *c, ltcp_time now,
                            struct ltcp_outstanding *out)
{
    *out = (struct ltcp_outstanding){
        .unanswered = c->unanswered,
        .last_data_sent = c->last_sent,
        .last_heard = c->last_heard,
        .window_limited = chronograph_read(c, now, LTCP_CHRONOGRAPH_WINDOW),
        .buffer_limited = chronograph_read(c, now, LTCP_CHRONOGRAPH_BUFFER)};
    out->busy =
        out->window_limited + out->buffer_limited + chronograph_read(c, now, LTCP_CHRONOGRAPH_BUSY);
    const struct ltcp_send_queue *q = c->out;
    for (uint32_t i = q != NULL ? q->head : 0; q != NULL && i != q->unsent; i++) {
        const uint8_t marks = record_at(q, i)->marks;
        out->segments++;
        out->sacked += (marks & LTCP_MARK_SACKED) != 0;
        out->lost += (marks & LTCP_MARK_LOST) != 0;
        out->retransmitted += (marks & LTCP_MARK_RETRANSMITTED) != 0;
    }
}
