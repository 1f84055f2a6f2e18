/* core/tcp/prediction.c
 *
 * Header prediction: in ESTABLISHED most segments are the next data in order, or a plain ACK of new
 * data, and carry nothing else. For these the steps of segment_arrives.c come down to a few lines,
 * with the same outcome to the last variable; everything else takes the long way. */
#include "tcp/connection.h"

static bool is_ordinary(const struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    if (c->state != LTCP_ESTABLISHED || (s->flags & ~LTCP_PSH) != LTCP_ACK) return false;
    if (!seq_eq(s->seq, c->rcv_nxt)) return false;
    if (c->recovery != LTCP_RECOVERY_NONE || c->ahead != NULL || c->ecn || c->fin_received ||
        c->loss_timer == LTCP_TIMER_PERSIST || settings_of(c)->keepalive ||
        a->ip->options_length > 0)
        return false;
    if (!c->stamping) return s->options.present == 0;
    return s->options.present == LTCP_HAS_TIMESTAMPS &&
           (int32_t)(s->options.ts_value - c->ts_recent) >= 0;
}

/* It acknowledges no less than what the window was taken from last. */
static void update_window(struct ltcp_connection *c, const struct ltcp_segment *s)
{
    c->snd_wnd = (uint32_t)s->window << c->snd_wscale;
    if (c->snd_wnd > c->max_snd_wnd) c->max_snd_wnd = c->snd_wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
}

static void note_arrival(struct ltcp_connection *c, const struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    c->last_heard = a->now;
    c->received_dscp = a->ip->dscp;
    if (seq_le(c->snd_wl1, s->seq)) update_window(c, s);
    if (!c->stamping || seq_gt(s->seq, c->last_ack_sent)) return;
    c->ts_recent = s->options.ts_value;
    c->ts_recent_time = coarse_time(a->now);
}

/* Even an acknowledgment without news: by the time at which it comes, or of a tail loss probe. */
static bool tells_of_losses(const struct ltcp_connection *c)
{
    return uses_rack(c) && (!rack_is_quiet(c) || (c->rare != NULL && c->rare->probed));
}

/* The next data in order, and no news about our own. */
static bool takes_data(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!seq_eq(a->segment->ack, c->snd_una) || a->length > rcv_wnd(c) || c->user_closed)
        return false;
    if (tells_of_losses(c)) return false;
    note_arrival(c, a);
    segment_in_order(c, a);
    if (c->out != NULL) connection_want_output(c); /* as after any acknowledgment */
    return true;
}

/* New data acknowledged; nothing was held to be lost or SACKed. */
static bool takes_acknowledgment(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    const struct ltcp_segment *s = a->segment;
    if (seq_le(s->ack, c->snd_una) || seq_gt(s->ack, c->snd_nxt) || c->duplicate_acks > 0)
        return false;
    if (c->out->sacked + c->out->lost > 0) return false;
    note_arrival(c, a);
    acknowledgment_of_new_data(c, a);
    return true;
}

bool prediction_takes(struct ltcp_connection *c, struct ltcp_arrival *a)
{
    if (!takes_short_ways(c->engine)) return false;
    if (!is_ordinary(c, a)) return false;
    return a->length > 0 ? takes_data(c, a) : takes_acknowledgment(c, a);
}
