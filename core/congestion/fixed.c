/* core/congestion/fixed.c - the initial window, always: what there would be without congestion
 * control. For teaching, and for paths that are known. */
#include "lunatcp/congestion.h"

static void nothing(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)cc;
    (void)now;
}

static void on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    (void)cc;
    (void)ack;
}

static void on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)cc;
    (void)now;
    (void)flight;
}

static void on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    (void)cc;
    (void)now;
    (void)flight;
    (void)first;
}

static void on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd, uint32_t ssthresh)
{
    (void)cc;
    (void)now;
    (void)cwnd;
    (void)ssthresh;
}

const struct ltcp_congestion_ops ltcp_fixed = {
    .name = "fixed",
    .own_recovery = true,
    .init = nothing,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_ecn = on_loss,
    .on_recovered = nothing,
    .on_timeout = on_timeout,
    .on_idle = nothing,
    .on_undo = on_undo,
};
