/* core/tcp/device.c
 *
 * The host's own device may have no room in its queue: it drops what leaves before that was on any
 * wire, and the connection knows at once. Nothing has left, so nothing is outstanding, and there is
 * no reason to back off; it tries again at a steady pace (Linux: every half a second). New data
 * that is dropped so is a sign of congestion, as a mark is. The settings `device_full`,
 * `device_retry`. */
#include "tcp/connection.h"

void device_set(struct ltcp_engine *e, const struct ltcp_settings *s)
{
    e->device_full = s->device_full;
}

bool device_takes(struct ltcp_engine *e, struct ltcp_packet *packet)
{
    if (!e->device_full) return true;
    e->device_dropped++;
    ltcp_packet_unref(packet);
    return false;
}

static void take_as_a_mark(struct ltcp_connection *c, ltcp_time now)
{
    if (c->recovery != LTCP_RECOVERY_NONE || c->cc.cwnd == 0 || ecn_reacted_since(c, c->snd_una))
        return;
    ecn_reaction(c);
    ecn_reduce(c, now, c->cc.cwnd);
}

/* `fresh`: it was new data. The timer that made it try has been set with backoff just now. */
void device_dropped(struct ltcp_connection *c, ltcp_time now, bool fresh)
{
    if (fresh) take_as_a_mark(c, now);
    if (c->out->timer_started != now || c->unanswered == 0) return;
    if (c->loss_timer != LTCP_TIMER_PERSIST && c->loss_timer != LTCP_TIMER_RTO) return;
    if (c->backoff > 0) c->backoff--;
    /* Nobody else has been waiting for an answer before. */
    if (c->loss_timer == LTCP_TIMER_PERSIST && c->unanswered == 1) c->out->waiting_since = now;
    timers_retry(c, now, settings_of(c)->device_retry);
}
