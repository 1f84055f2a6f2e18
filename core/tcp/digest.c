/* core/tcp/digest.c
 *
 * Everything of a connection that can matter for what it does from now on, in a digest: two whose
 * digests are equal answer the same segments, calls and timeouts alike. A new field of struct
 * ltcp_connection, or of what hangs on it, has to be added here unless it only counts.
 * Times are taken as seen from now; where a congestion control keeps times of its own, the time
 * itself is taken in too. */
#include "tcp/digest.h"
#include "tcp/accecn.h"
#include "tcp/authentication.h"
#include "tcp/fast_open.h"

static void digest_flags(struct digest *d, const bool *flags, size_t count)
{
    uint64_t word = count;
    for (size_t i = 0; i < count; i++)
        word = word << 1 | flags[i];
    digest_word(d, word);
}

void settings_digest(struct digest *d, const struct ltcp_settings *s)
{
#define TAKE(kind, name, rfc, linux_, least, most, what) digest_word(d, (uint64_t)s->name);
    LTCP_SETTINGS_LIST(TAKE)
#undef TAKE
    digest_bytes(d, s->congestion->name, strlen(s->congestion->name));
    digest_bytes(d, s->syn_options, s->syn_options_count);
    digest_bytes(d, s->other_options, s->other_options_count);
}

/* ---- what hangs on it ---------------------------------------------------------------------------
 */

static void digest_record(struct digest *d, const struct ltcp_connection *c,
                          const struct ltcp_record *r, bool sent, ltcp_time now)
{
    digest_word(d, (uint64_t)r->seq.n << 32 | r->length);
    const uint8_t kept = c->cc.state != NULL ? UINT8_MAX : (uint8_t)~LTCP_MARK_APP_LIMITED;
    const uint64_t marks = r->marks & kept;
    digest_word(d, (uint64_t)r->flags << 16 | marks << 8 | (r->transmissions > 0));
    if (r->length > 0) digest_bytes(d, r->block->data + r->offset, r->length);
    if (sent) {
        digest_time(d, now, r->last_sent);
        if (c->cc.state == NULL) return; /* no rate samples */
        digest_word(d, delivered(c) - r->delivered);
        digest_time(d, now, r->delivered_time);
        digest_time(d, now, r->first_sent_time);
        digest_word(d,
                    (uint64_t)r->tx_in_flight << 32 | (uint32_t)(lost_so_far(c) - r->lost_before));
    } else if (r->block != NULL) { /* whether further octets may join */
        const bool open = r->block->refs == 1 && r->offset + r->length == r->block->length;
        digest_word(d, open ? r->block->capacity - r->block->length : UINT64_MAX);
    }
}

static void digest_rack(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_rack *k = &c->out->rack;
    if (!uses_rack(c)) return;
    digest_time(d, now, c->out->timer_started);
    digest_time(d, now, c->out->probe_deadline);
    digest_time(d, now, k->xmit_ts);
    digest_word(d, k->xmit_ts == now && delivered(c) > k->delivered);
    for (uint32_t i = c->out->head; i != c->out->unsent; i++) {
        const struct ltcp_record *r = record_at(c->out, i);
        if (r->last_sent == k->xmit_ts) digest_word(d, r->delivered > k->delivered);
    }
    digest_word(d, (uint64_t)k->rtt);
    digest_word(d, (uint64_t)k->end_seq.n << 32 | k->fack.n);
    digest_time(d, now, k->deadline);
    digest_word(d, k->position - c->out->head);
    digest_word(d, (uint64_t)c->min_rtt);
    for (uint32_t i = k->resent_first; i != k->resent_last; i++) {
        const struct ltcp_resent e = k->resent[i & (k->resent_room - 1)];
        digest_seq(d, e.seq);
        digest_time(d, now, e.sent);
    }
}

static void digest_send_queue(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_send_queue *q = c->out;
    digest_word(d, q != NULL);
    if (q == NULL) return;
    digest_word(d, (uint64_t)(q->tail - q->head) << 32 | (q->unsent - q->head));
    for (uint32_t i = q->head; i != q->tail; i++)
        digest_record(d, c, record_at(q, i), i - q->head < q->unsent - q->head, now);
    digest_word(d,
                (uint64_t)(q->loss_position - q->head) << 32 | (q->retransmit_position - q->head));
    digest_word(d, (uint64_t)q->sacked_above << 32 | q->segments_above);
    digest_word(d, (uint64_t)q->duplicate_point.n << 32 | q->duplicate_octets);
    if (settings_of(c)->write_pieces) {
        digest_word(d, (uint64_t)q->piece_start.n << 32 | q->pushed.n);
        digest_word(d, tuning_send_buffer(c));
    }
    digest_time(d, now, q->waiting_since);
    digest_word(d, (uint64_t)q->usage_most << 8 | (uint64_t)q->usage_limited << 1 | q->small_sent);
    digest_word(d, (uint64_t)q->usage_end.n << 32 | q->small_end.n);
    digest_seq(d, q->rtt_mark);
    digest_rack(d, c, now);
    if (c->cc.state != NULL) {
        digest_time(d, now, q->delivered_time);
        digest_time(d, now, q->first_sent_time);
        digest_word(d, q->app_limited != 0 ? q->app_limited - delivered(c) : 0);
    }
    if (pacing_rate(c) != 0 || q->pace_time > now) {
        digest_time(d, now, q->pace_time);
        digest_word(d, (uint64_t)q->pace_credit);
        digest_time(d, now, q->pace_deadline);
        digest_word(d, q->burst);
    }
    digest_word(d, q->cached_count);
    for (uint8_t i = 0; i < q->cached_count; i++)
        digest_word(d, (uint64_t)q->cached[i].left.n << 32 | q->cached[i].right.n);
}

/* The octets, in whatever pieces they lie. */
static void digest_slices(struct digest *d, const struct ltcp_slices *slices)
{
    uint64_t word = 0, count = 0;
    for (const struct ltcp_slice *s = slices->first; s != NULL; s = s->next) {
        for (uint32_t i = 0; i < s->length; i++) {
            word = word << 8 | s->data[i];
            if (++count % 8 == 0) digest_word(d, word);
        }
    }
    digest_word(d, word);
    digest_word(d, count);
}

static void digest_receive_queue(struct digest *d, const struct ltcp_connection *c)
{
    digest_slices(d, &c->in);
    const struct ltcp_reassembly *ahead = c->ahead;
    digest_word(d, ahead == NULL ? 0 : ahead->count);
    if (ahead == NULL) return;
    for (uint16_t i = 0; i < ahead->count; i++) {
        digest_word(d, (uint64_t)ahead->ranges[i].left.n << 32 | ahead->ranges[i].right.n);
        digest_slices(d, &ahead->ranges[i].slices);
    }
    digest_word(d, ahead->recent_count);
    for (uint8_t i = 0; i < ahead->recent_count; i++)
        digest_seq(d, ahead->recent[i]);
}

static void digest_accecn(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_accecn *x = accecn_of(c);
    if (x == NULL) return;
    const bool flags[] = {
        x->data_ack_had,  x->options_blocked, x->first_data_sent,
        x->stamped,       x->option_seen,     x->options_zeroed,
        x->option_before, x->responder,       x->syn_received,
        x->handshake_ack, x->synack_ce,       x->syn_met_ce,
        x->tested,        x->not_ect,         x->deaf,
        x->acks_an_ack,
    };
    digest_flags(d, flags, sizeof flags / sizeof *flags);
    for (unsigned i = 0; i < 4; i++) {
        digest_word(d, x->r_bytes[i]);
        digest_word(d, x->s_bytes[i]);
    }
    digest_word(d, (uint64_t)x->r_cep << 32 | x->s_cep);
    digest_word(d, (uint64_t)x->changed << 24 | (uint64_t)x->changed_now << 16 |
                       (uint64_t)x->changed_since << 8 | x->last_packet);
    digest_word(d, (uint64_t)x->last_data << 24 | (uint64_t)x->ce_unreported << 16 |
                       (uint64_t)x->repetitions << 8 | x->acks_without);
    digest_word(d, (uint64_t)x->duplicates << 24 | (uint64_t)x->handshake_ecn << 16 |
                       (uint64_t)x->synacks_sent << 8 | x->earlier_timeouts);
    digest_word(d, (uint64_t)x->bytes_unsaid << 32 | (uint64_t)x->data_since_duplicate << 16 |
                       x->acked_average);
    digest_word(d, (uint64_t)x->cep_at_option << 32 | x->segments_at_option);
    digest_word(d, (uint64_t)x->stamp << 32 | x->ce_owed);
    digest_word(d, x->ce_told);
    digest_time(d, now, x->option_sent);
}

/* What of it is more than an answer to ltcp_info. */
static void digest_fast_open(struct digest *d, const struct ltcp_connection *c)
{
    const struct ltcp_fast_open *f = fast_open_of(c);
    if (f == NULL) return;
    digest_bytes(d, f->cookie.bytes, f->cookie.length);
    digest_word(d, (uint64_t)f->cookie.experimental << 3 | (uint64_t)f->option << 2 |
                       (uint64_t)f->opened << 1 | f->pending);
    digest_word(d, (uint64_t)f->octets << 32 | f->acked);
    digest_word(d, (uint32_t)f->listener);
}

static void digest_rare(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_rare *rare = c->rare;
    static const struct ltcp_rare none;
    if (rare == NULL) rare = &none;
    digest_accecn(d, c, now);
    digest_fast_open(d, c);
    digest_word(d, rare->ecn_reacted ? (uint64_t)rare->ecn_point.n << 1 | 1 : 0);
    digest_word(d, rare->marks_at_least);
    digest_word(d, rare->ecn_stepwise);
    /* Only as far as the interval of RFC 5961 section 7 still runs. */
    const bool counting = rare->challenges > 0 &&
                          now - rare->challenge_since < settings_of(c)->challenge_ack_interval;
    digest_word(d, counting ? rare->challenges : 0);
    digest_time(d, now, counting ? rare->challenge_since : LTCP_NEVER);
    digest_word(d, rare->oob_held ? 256u + rare->oob_octet : 0);
    digest_word(d, rare->timeouts > 0); /* RFC 6298 (5.7), RFC 5681 section 3.1 */
    digest_word(d, (uint32_t)rare->replaced);
    digest_word(d,
                (uint64_t)rare->uto.sent << 17 | (uint64_t)rare->uto.received << 1 | rare->uto.due);
    digest_word(d, (uint64_t)rare->flow_label_changes << 32 | rare->flow_label_seen);
    digest_bytes(d, rare->route, rare->route_length);
    digest_word(d, rare->route_is_users);
    if (c->dsack_due) {
        digest_seq(d, rare->duplicate.left);
        digest_seq(d, rare->duplicate.right);
    }
    if (uses_rack(c)) {
        digest_word(d, (uint64_t)rare->reordering_seen << 16 | rare->reo_wnd_mult);
        digest_word(d, (uint64_t)rare->dsack_round_valid << 16 | rare->reo_wnd_persist);
        digest_seq(d, rare->dsack_round);
        if (rare->least_since != 0) {
            digest_time(d, now, rare->least_since);
            digest_word(d, (uint64_t)rare->least_next);
        }
        digest_word(d, rare->probed ? 1u + rare->probe_retransmitted : 0);
        digest_seq(d, rare->probe_seq);
        digest_seq(d, rare->probe_end);
    }
    const struct ltcp_settings *s = settings_of(c);
    if (rare->undo_valid && (s->frto || s->eifel || s->undo_by_dsack)) {
        digest_word(d, (uint64_t)rare->frto << 8 | (uint64_t)rare->undo_resent << 1 |
                           rare->undo_stamped);
        digest_word(d, (uint64_t)rare->undo_copies << 32 | rare->undo_stamp);
        digest_word(d, (uint64_t)rare->prior_cwnd << 32 | rare->prior_ssthresh);
        digest_seq(d, rare->undo_from);
        digest_seq(d, rare->undo_to);
    }
    if (rare->timer_adapts) digest_seq(d, rare->timer_from);
    if (rare->timer_adapts || rare->undo_valid) {
        digest_word(d, (uint64_t)rare->prior_srtt);
        digest_word(d, (uint64_t)rare->prior_rttvar);
    }
    if (c->recovery == LTCP_RECOVERY_FAST && s->prr) {
        digest_word(d, rare->prr_delivered);
        digest_word(d, rare->prr_out);
        digest_word(d, rare->recover_fs);
    }
}

static void digest_path_mtu(struct digest *d, const struct ltcp_path_mtu *m, ltcp_time now)
{
    if (m == NULL) return;
    digest_word(d, (uint64_t)m->first << 48 | (uint64_t)m->low << 32 | (uint64_t)m->high << 16 |
                       m->probe);
    digest_word(d, (uint64_t)m->before << 16 | (uint64_t)m->searching << 1 | m->mends);
    digest_seq(d, m->mended);
    digest_seq(d, m->probe_seq);
    digest_seq(d, m->probe_end);
    digest_time(d, now, m->wait_until > now ? m->wait_until : LTCP_NEVER);
    digest_time(d, now, m->ended != 0 ? m->ended : LTCP_NEVER);
    digest_time(d, now, m->expires);
    digest_word(d, m->verify_lost);
    digest_word(d, m->verify_sent);
    digest_word(d, m->verify_timeouts);
}

static void digest_tuning(struct digest *d, const struct ltcp_tuning *t, ltcp_time now)
{
    if (t == NULL) return;
    digest_word(d, (uint64_t)t->buffer << 32 | t->taken);
    digest_seq(d, t->read_from);
    digest_time(d, now, t->read_since);
    digest_word(d, (uint64_t)t->rtt);
    digest_word(d, (uint64_t)t->next_rtt);
    digest_time(d, now, t->least_since);
    digest_time(d, now, t->window_since);
    digest_seq(d, t->window_end);
    digest_word(d, t->last_echo);
}

static void digest_congestion(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_congestion *cc = &c->cc;
    digest_word(d, (uint64_t)cc->cwnd << 32 | cc->ssthresh);
    digest_word(d, (uint64_t)cc->mss << 32 | cc->initial_window);
    digest_word(d, (uint64_t)cc->acked << 8 | cc->switches);
    digest_word(d, cc->pacing_rate);
    digest_bytes(d, cc->ops->name, strlen(cc->ops->name));
    if (cc->state == NULL) return;
    digest_bytes(d, cc->state, cc->ops->state_size);
    digest_word(d, (uint64_t)now);
    digest_word(d, (uint64_t)c->min_rtt);
    digest_word(d, (uint64_t)c->latest_rtt);
    digest_word(d, delivered(c));
}

/* ---- the connection -----------------------------------------------------------------------------
 */

static void digest_all_flags(struct digest *d, const struct ltcp_connection *c)
{
    const bool flags[] = {
        c->passive,        c->scaling,          c->stamping,         c->sacking,
        c->pending,        c->queued_event,     c->in_accept_queue,  c->released,
        c->user_closed,    c->fin_wanted,       c->fin_queued,       c->fin_received,
        c->fin_processed,  c->ack_now,          c->syn_acked,        c->cwnd_limited,
        c->probe_due,      c->urgent_mark,      c->oob_taken,        c->advised,
        c->keepalive_due,  c->force_retransmit, c->write_blocked,    c->ecn,
        c->accecn,         c->ecn_echo,         c->ts_recent_valid,  c->ecn_reduced,
        c->pushed,         c->changed,          c->listener != NULL, c->dsack_due,
        c->loss_probe_due, c->pace_held,        c->probe_unsampled,  c->deferred,
        c->mtu_watched,
    };
    digest_flags(d, flags, sizeof flags / sizeof *flags);
}

static void digest_sequence(struct digest *d, const struct ltcp_connection *c)
{
    const ltcp_seq numbers[] = {
        c->iss,     c->snd_una,  c->snd_nxt,        c->snd_up,        c->snd_wl1,
        c->snd_wl2, c->irs,      c->rcv_nxt,        c->rcv_adv,       c->rcv_up,
        c->rcv_fin, c->rcv_read, c->recovery_point, c->last_ack_sent,
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        digest_seq(d, numbers[i]);
}

static void digest_timers(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    const struct ltcp_settings *s = settings_of(c);
    digest_time(d, now, loss_deadline(c));
    digest_time(d, now, c->ack_deadline);
    digest_time(d, now, c->long_deadline);
    digest_word(d, c->unanswered);
    digest_word(d, (uint64_t)c->srtt);
    digest_word(d, (uint64_t)c->rttvar);
    if (s->keepalive) digest_time(d, now, c->last_heard);
    if (state_may_send(c->state)) digest_time(d, now, c->last_sent);
    const bool stamps = c->state == LTCP_SYN_SENT ? s->timestamps : c->stamping;
    if (!stamps) return;
    digest_word(d, timestamp_now(c, now));
    digest_word(d, (uint64_t)(now % LTCP_MILLISECOND)); /* how soon it ticks */
    digest_word(d, c->ts_recent);
    /* Its age matters by the day, not by the moment. */
    if (c->ts_recent_valid) digest_word(d, is_within_24_days(c->ts_recent_time, coarse_time(now)));
}

void connection_digest(struct digest *d, const struct ltcp_connection *c, ltcp_time now)
{
    digest_address(d, &c->flow.local);
    digest_address(d, &c->flow.remote);
    digest_word(d, (uint64_t)c->flow.local_port << 16 | c->flow.remote_port);
    digest_word(d, (uint64_t)c->state << 32 | (uint64_t)c->recovery << 24 |
                       (uint64_t)c->loss_timer << 16 | (uint64_t)c->error << 8 | c->soft_error);
    digest_all_flags(d, c);
    if (c->state == LTCP_CLOSED) { /* what can still be read and told */
        digest_word(d, c->events);
        digest_slices(d, &c->in);
        digest_seq(d, c->rcv_read);
        digest_seq(d, c->rcv_up);
        return;
    }
    digest_word(d, (uint64_t)c->snd_wscale << 16 | (uint64_t)c->rcv_wscale << 8 | c->backoff);
    digest_sequence(d, c);
    digest_word(d, (uint64_t)c->snd_wnd << 32 | c->max_snd_wnd);
    digest_word(d, (uint64_t)c->snd_mss << 48 | (uint64_t)c->peer_mss << 32 |
                       (uint64_t)c->rcv_mss << 16 | c->link_mtu);
    digest_word(d, (uint64_t)c->path_mtu << 48 | (uint64_t)c->seen_mss << 32 |
                       (uint64_t)c->duplicate_acks << 16 | c->interface);
    digest_word(d, (uint64_t)c->unacked_octets << 32 | c->quick_acks);
    digest_word(d, (uint64_t)c->received_dscp << 32 | c->events);
    digest_timers(d, c, now);
    digest_congestion(d, c, now);
    digest_send_queue(d, c, now);
    digest_receive_queue(d, c);
    digest_rare(d, c, now);
    if (c->authenticated) authentication_digest(d, authentication_of(c));
    digest_tuning(d, tuning_of(c), now);
    digest_path_mtu(d, c->rare != NULL ? c->rare->path_mtu : NULL, now);
}
