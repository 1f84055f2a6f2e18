/* core/tcp/acknowledgment.c
 *
 * What an acceptable ACK does: RFC 9293 section 3.10.7.4, fifth step; RFC 6298 for the timer,
 * RFC 5681 for what counts as a duplicate. */
#include "tcp/connection.h"

/* "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK))". The field is unsigned
 * (RFC9293:MUST-1); a window that shrank may leave less than nothing usable (RFC9293:MUST-34).
 * RFC9293:3.10.7.4-12 RFC7323:2.2-3 RFC7323:2.3-2 */
static bool update_window(struct ltcp_connection *c, const struct ltcp_segment *s)
{
    if (seq_gt(c->snd_wl1, s->seq) || (seq_eq(c->snd_wl1, s->seq) && seq_gt(c->snd_wl2, s->ack)))
        return false;
    const uint32_t window = (uint32_t)s->window << (s->flags & LTCP_SYN ? 0 : c->snd_wscale);
    const bool changed = window != c->snd_wnd;
    c->snd_wnd = window;
    if (window > c->max_snd_wnd) c->max_snd_wnd = window;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
    return changed;
}

/* RFC 5681 section 2. What answers a zero-window probe is none. RFC5681:2-2 */
static bool is_duplicate(const struct ltcp_connection *c, const struct ltcp_arrival *a,
                         bool window_changed)
{
    const struct ltcp_segment *s = a->segment;
    return seq_eq(s->ack, c->snd_una) && flight_size(c) > 0 && s->length == 0 &&
           c->loss_timer != LTCP_TIMER_PERSIST && !(s->flags & (LTCP_SYN | LTCP_FIN)) &&
           !window_changed;
}

/* For what was sent again the echoed timestamp tells which sending is acknowledged (RFC 7323
 * section 4, RFC 3522). Only an echo of the last one is a sample: an older one may have waited here
 * for an acknowledgment that was lost, and would make the timeout grow with every loss.
 * RFC7323:4.1-2 */
static ltcp_time retransmission_rtt(const struct ltcp_connection *c, const struct ltcp_arrival *a,
                                    ltcp_time sent_again)
{
    const struct ltcp_options *o = &a->segment->options;
    if (sent_again < 0 || !c->stamping || !(o->present & LTCP_HAS_TIMESTAMPS)) return -1;
    if (o->ts_echo == 0 || (int32_t)(o->ts_echo - timestamp_now(c, sent_again)) < 0) return -1;
    return a->packet->time - sent_again;
}

/* What a retransmission brought forth says nothing of the segments that it speaks of beside the
 * repeated one: they may have waited for it since long (Karn's algorithm, RFC 6298 section 3).
 * RFC6298:3-1 */
static void choose_rtt(const struct ltcp_connection *c, const struct ltcp_arrival *a,
                       struct ltcp_times *times)
{
    if (times->sent_again >= 0) times->rtt = retransmission_rtt(c, a, times->sent_again);
}

/* RFC 6298 (5.2), (5.3): all acknowledged, the timer is off; some, it starts anew. RFC6298:5-3
 * RFC6298:5-4 RFC6928:9-1 */
static void restart_timer(struct ltcp_connection *c, ltcp_time now)
{
    c->unanswered = 0;
    c->advised = false;
    if (c->out != NULL) c->out->waiting_since = now;
    timers_set_loss(c, now, flight_size(c) > 0 ? LTCP_TIMER_RTO : LTCP_TIMER_NONE);
}

/* RFC9293:MUST-37: as long as probes are answered the connection stays open; so too when what is
 * not acknowledged lies beyond a shrunk window (SHLD-17). */
static void keep_waiting(struct ltcp_connection *c, ltcp_time now)
{
    c->unanswered = 0;
    if (c->out != NULL) c->out->waiting_since = now;
}

/* The window was closed and is open: the octet that probed it was dropped, so it goes again now. */
static void window_opened(struct ltcp_connection *c, ltcp_time now)
{
    if (c->loss_timer != LTCP_TIMER_PERSIST || c->snd_wnd == 0) return;
    c->backoff = 0;
    c->unanswered = 0;
    if (flight_size(c) > 0) {
        scoreboard_lose(c, c->out->head);
        c->force_retransmit = true;
    }
    timers_set_loss(c, now, flight_size(c) > 0 ? LTCP_TIMER_RTO : LTCP_TIMER_NONE);
}

static void tell_user(struct ltcp_connection *c)
{
    send_queue_release(c);
    if (c->out == NULL || c->out->octets == 0) connection_event(c, LTCP_EVENT_SENT);
    if (c->write_blocked && !settings_of(c)->write_pieces) send_queue_tell_room(c);
}

/* RFC6298:3-2 RFC6298:5-9 */
static void sample_rtt(struct ltcp_connection *c, const struct ltcp_arrival *a,
                       const struct ltcp_times *times)
{
    if (times->rtt < 0) return;
    const bool smooth = c->out == NULL || seq_ge(a->segment->ack, c->out->rtt_mark);
    c->backoff = 0; /* RFC 6298 section 5: collapsed by a new measurement (Karn) */
    c->probe_unsampled = false;
    rtt_sample(c, a->now, times->rtt, smooth);
    if (c->rare != NULL && c->rare->timer_adapts) undo_adapt_timer(c, a->segment->ack, times->rtt);
    if (smooth && c->out != NULL) c->out->rtt_mark = c->snd_nxt;
}

/* Where so much is reordered that what is SACKed does not hint at a loss, it is progress. */
static bool sacks_are_progress(const struct ltcp_connection *c)
{
    const struct ltcp_settings *s = settings_of(c);
    return s->grow_by_sacks && c->rare != NULL && c->rare->reordering > s->duplicate_ack_threshold;
}

static void inform_congestion(struct ltcp_connection *c, const struct ltcp_arrival *a,
                              struct ltcp_ack_sample *sample, uint64_t had, ltcp_time rtt,
                              bool recovering)
{
    const uint64_t has = delivered(c);
    if (c->ecn) ecn_acknowledged(c, a, sample, (uint32_t)(has - had));
    if (has == had || c->cc.cwnd == 0) return;
    if (c->out != NULL) c->out->delivered_time = a->packet->time;
    sample->now = a->now;
    rate_generate(c, sample);
    sample->rtt = rtt;
    sample->srtt = c->srtt;
    sample->min_rtt = c->min_rtt;
    sample->una = c->snd_una;
    sample->nxt = c->snd_nxt;
    sample->bytes_acked = (uint32_t)(has - had);
    if (sample->advanced == 0 && sacks_are_progress(c)) sample->advanced = sample->bytes_acked;
    sample->in_flight = pipe_size(c);
    sample->delivered = has;
    sample->in_recovery = c->recovery == LTCP_RECOVERY_FAST || recovering;
    sample->in_loss = c->recovery == LTCP_RECOVERY_TIMEOUT;
    c->cc.ops->on_ack(&c->cc, sample);
    if (c->cc.tells != 0) congestion_tells(c, a->now);
}

static struct ltcp_times times_of(const struct ltcp_connection *c, const struct ltcp_arrival *a,
                                  struct ltcp_ack_sample *sample)
{
    struct ltcp_times times = {.arrived = a->packet->time,
                               .rtt = -1,
                               .sent_again = -1,
                               .sent = -1,
                               .rate_sent = -1,
                               .sample = sample};
    times.congestion = c->ecn && !c->accecn && (a->segment->flags & LTCP_ECE);
    if (c->out != NULL) times.fack = c->out->rack.fack;
    if (c->stamping && (a->segment->options.present & LTCP_HAS_TIMESTAMPS)) {
        times.stamped = true;
        times.echo = a->segment->options.ts_echo;
    }
    return times;
}

void acknowledgment_of_new_data(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    struct ltcp_ack_sample sample = {.prior_in_flight = pipe_size(c),
                                     .cwnd_limited = rate_window_is_used(c),
                                     .advanced = seq_diff(a->segment->ack, c->snd_una)};
    struct ltcp_times times = times_of(c, a, &sample);
    const uint64_t had = delivered(c), lost = lost_so_far(c);
    send_queue_acknowledge(c, a->segment->ack, &times);
    c->snd_una = a->segment->ack;
    if (seq_lt(c->snd_up, c->snd_una)) c->snd_up = c->snd_una;
    choose_rtt(c, a, &times);
    sample_rtt(c, a, &times);
    restart_timer(c, a->now);
    if (c->mtu_watched) mtu_search_acknowledged(c, a->now);
    if (c->rare != NULL) loss_probe_acknowledged(c, a->now, a->segment->ack, true, false, &times);
    if (uses_rack(c)) {
        if (!rack_is_quiet(c))
            recovery_on_ack(c, a->now, sample.advanced, false, &times, sample.advanced);
        loss_probe_schedule(c, a->now);
        timers_choose_loss(c);
    }
    sample.bytes_lost = (uint32_t)(lost_so_far(c) - lost);
    const bool reducing = ecn_reduction_goes_on(c);
    if (reducing) ecn_reduction_on_ack(c, a->now, (uint32_t)(delivered(c) - had));
    inform_congestion(c, a, &sample, had, times.rtt, reducing);
    tell_user(c);
    connection_want_output(c);
}

/* Without SACK, duplicate ACKs have spoken already of some of what is acknowledged now. */
static uint32_t told_by_duplicates(const struct ltcp_connection *c, uint32_t acked)
{
    if (c->out == NULL || acked == 0) return 0;
    const uint32_t others = acked > c->snd_mss ? acked - c->snd_mss : 0;
    return c->out->duplicate_octets < others ? c->out->duplicate_octets : others;
}

/* RFC9293:3.10.7.4-11 RFC6675:5-1 RFC6675:2-1 */
void acknowledgment_arrives(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    const uint32_t acked = seq_gt(s->ack, c->snd_una) ? seq_diff(s->ack, c->snd_una) : 0;
    struct ltcp_ack_sample sample = {
        .prior_in_flight = pipe_size(c), .cwnd_limited = rate_window_is_used(c), .advanced = acked};
    const uint64_t had = delivered(c);
    const uint64_t lost = lost_so_far(c);
    struct ltcp_times times = times_of(c, a, &sample);

    /* What ends a fast recovery deflates the window and does not open it too (RFC 5681, 3.2, 6). */
    const uint32_t told = told_by_duplicates(c, acked);
    const bool recovering = c->recovery == LTCP_RECOVERY_FAST;
    const bool window_changed = update_window(c, s);
    const bool duplicate = acked == 0 && is_duplicate(c, a, window_changed);
    if (duplicate) rare_of(c)->duplicate_acks_received++;
    scoreboard_sack(c, s, &times);
    if (acked > 0) {
        send_queue_acknowledge(c, s->ack, &times);
        c->snd_una = s->ack;
        c->syn_acked = true;
        choose_rtt(c, a, &times);
        if (seq_lt(c->snd_up, c->snd_una)) c->snd_up = c->snd_una;
    }
    sample_rtt(c, a, &times);
    if (acked > 0 && c->mtu_watched) mtu_search_acknowledged(c, a->now);
    if (acked > 0)
        restart_timer(c, a->now);
    else if (c->loss_timer == LTCP_TIMER_PERSIST)
        keep_waiting(c, a->now);
    window_opened(c, a->now);
    loss_probe_acknowledged(c, a->now, s->ack, acked > 0, (s->options.present & LTCP_HAS_SACK) != 0,
                            &times);
    const uint32_t newly = (uint32_t)(delivered(c) - had);
    recovery_on_ack(c, a->now, acked, c->sacking ? newly > acked : duplicate, &times, newly);
    const bool reducing = ecn_reduction_goes_on(c);
    if (reducing) ecn_reduction_on_ack(c, a->now, newly);
    if (acked > 0) loss_probe_schedule(c, a->now);
    if (uses_rack(c)) timers_choose_loss(c);
    sample.bytes_lost = (uint32_t)(lost_so_far(c) - lost);
    inform_congestion(c, a, &sample, had + told, times.rtt, recovering || reducing);
    if (acked > 0) tell_user(c);
    connection_want_output(c);
}
