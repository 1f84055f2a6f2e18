/* core/congestion/dctcp.c - DCTCP, RFC 8257: backs off in proportion to what was marked. Growth and
 * the answer to loss are RFC 5681's (sections 3.4 and 3.5). */
#include "congestion/marking.h"
#include "congestion/window.h"

/* Marked octets ask for no growth. RFC8257:3.4-1 */
static void grow(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    const uint32_t acked = ack->bytes_acked - ack->ce_bytes;
    if (ack->advanced == 0 || cc->cwnd >= UINT32_MAX / 2) return;
    if (cc->cwnd < cc->ssthresh)
        cc->cwnd += window_slow_start(cc, acked);
    else
        window_congestion_avoidance(cc, acked);
}

static void dctcp_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct marking *m = cc->state;
    marking_observe(m, ack, false);
    if (ack->in_recovery) return;
    if (marking_begins(m, ack))
        marking_reduce(m, cc);
    else if (ack->cwnd_limited)
        grow(cc, ack);
}

/* Also what a mark asks for where it is not known how much was marked (RFC 3168). RFC8257:3.5-1 */
static void dctcp_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)now;
    cc->ssthresh = window_at_least_two(cc, flight / 2);
    cc->cwnd = cc->ssthresh;
    cc->acked = 0;
}

static void dctcp_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    cc->cwnd = cc->ssthresh;
}

/* RFC8257:3.5-1 */
static void dctcp_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    (void)now;
    if (first) cc->ssthresh = window_at_least_two(cc, flight / 2);
    cc->cwnd = cc->mss;
    cc->acked = 0;
}

static void dctcp_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    if (cc->cwnd > cc->initial_window) cc->cwnd = cc->initial_window;
}

static void dctcp_on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd,
                          uint32_t ssthresh)
{
    (void)now;
    if (cwnd > cc->cwnd) cc->cwnd = cwnd;
    if (ssthresh > cc->ssthresh) cc->ssthresh = ssthresh;
    cc->acked = 0;
}

/* "initialized to 1": the first mark halves. */
static void dctcp_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct marking *m = cc->state;
    (void)now;
    m->alpha = MARKING_ONE;
    cc->acked = 0;
}

static bool dctcp_info(const struct ltcp_congestion *cc, size_t i,
                       struct ltcp_congestion_value *out)
{
    const struct marking *m = cc->state;
    if (i > 0) return false;
    *out = (struct ltcp_congestion_value){"alpha", LTCP_CC_RATIO, m->alpha, NULL};
    return true;
}

const struct ltcp_congestion_ops ltcp_dctcp = {
    .name = "dctcp",
    .state_size = sizeof(struct marking),
    .ecn = LTCP_CC_ECN_DCTCP,
    .init = dctcp_init,
    .on_ack = dctcp_on_ack,
    .on_loss = dctcp_on_loss,
    .on_ecn = dctcp_on_loss,
    .on_recovered = dctcp_on_recovered,
    .on_timeout = dctcp_on_timeout,
    .on_idle = dctcp_on_idle,
    .on_undo = dctcp_on_undo,
    .info = dctcp_info,
};
