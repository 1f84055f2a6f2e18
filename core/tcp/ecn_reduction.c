/* core/tcp/ecn_reduction.c
 *
 * What the echo of a mark does to the window (where feedback is accurate: accecn_feedback.c). RFC
 * 3168 lowers it at once; with the setting `ecn_by_prr` it
 * comes down in the course of a round trip, as it does for a loss: by proportional rate reduction,
 * with the bound of RFC 6937 that lets no more leave than was delivered. An ACK that echoes a mark
 * is no sign of progress that RFC 9937 would call safe. */
#include "tcp/connection.h"

void ecn_reduce(struct ltcp_connection *c, ltcp_time now, uint32_t flight)
{
    const struct ltcp_settings *s = settings_of(c);
    const uint32_t window = c->cc.cwnd;
    pacing_hold(c, now);
    c->cc.ops->on_ecn(&c->cc, now, s->reduce_from_window ? window : flight);
    if (!s->ecn_by_prr || c->cc.ops->own_recovery || c->cc.cwnd >= window || c->out == NULL) return;
    struct ltcp_rare *r = rare_of(c);
    c->cc.cwnd = window;
    prr_start(c, 0, 0);
    r->ecn_stepwise = true;
}

bool ecn_reduction_goes_on(const struct ltcp_connection *c)
{
    return c->rare != NULL && c->rare->ecn_stepwise;
}

void ecn_reduction_on_ack(struct ltcp_connection *c, ltcp_time now, uint32_t newly)
{
    struct ltcp_rare *r = c->rare;
    if (c->recovery != LTCP_RECOVERY_NONE) {
        r->ecn_stepwise = false; /* loss recovery takes over */
    } else if (c->out == NULL || seq_gt(c->snd_una, r->ecn_point)) {
        r->ecn_stepwise = false;
        c->cc.cwnd = c->cc.ssthresh;
    } else if (newly > 0) {
        prr_on_ack(c, now, newly, false);
    }
}
