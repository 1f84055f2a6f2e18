/* core/congestion/newreno.c - RFC 5681, with RFC 6582's and RFC 6675's recovery done by core/tcp.
 */
#include "congestion/validation.h"
#include "congestion/window.h"

/* RFC 5681 section 3.1, with the upper bounds of its three cases. RFC5681:3.1-2 */
uint32_t ltcp_initial_window_rfc5681(uint32_t mss)
{
    if (mss > 2190) return 2 * mss;
    if (mss > 1095) return 3 * mss;
    return 4 * mss;
}

/* Equation (4): half of FlightSize, and never less than two segments. */
static uint32_t half(const struct ltcp_congestion *cc, uint32_t flight)
{
    return window_at_least_two(cc, flight / 2);
}

static void newreno_init(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    cc->acked = 0;
}

/* RFC5681:3.1-1 RFC5681:3.1-9 RFC7661:4.3-2 */
static void newreno_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    /* RFC 7661 section 4.3; section 3.1 of RFC 5681 speaks of ACKs of new data. */
    if (ack->in_recovery || !ack->cwnd_limited || ack->advanced == 0) return;
    if (ack->ece) return; /* RFC3168:6.1.2-2 */
    if (cc->cwnd >= UINT32_MAX / 2) return;
    if (cc->cwnd < cc->ssthresh)
        cc->cwnd += window_slow_start(cc, ack->bytes_acked);
    else
        window_congestion_avoidance(cc, ack->bytes_acked);
}

/* RFC5681:3.2-7 RFC5681:4.3-1 */
static void newreno_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)now;
    cc->ssthresh = half(cc, flight);
    cc->cwnd = cc->ssthresh; /* RFC 6675 section 5, (4.2); what is in flight is the pipe's to say */
    cc->acked = 0;
}

/* "the same as ... a single dropped packet", or RFC 8511 section 3.1's beta_{ecn} of 0.8.
 * RFC8511:3.1-1 RFC3168:5-1 */
static void newreno_on_ecn(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    newreno_on_loss(cc, now, flight);
    if (!(cc->switches & LTCP_CC_ABE)) return;
    cc->ssthresh = window_at_least_two(cc, (uint32_t)((uint64_t)flight * 4 / 5));
    cc->cwnd = cc->ssthresh;
}

/* RFC5681:3.2-13 RFC5681:4.3-3 RFC9937:6-6 */
static void newreno_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    cc->cwnd = cc->ssthresh;
}

/* RFC5681:3.1-4 RFC5681:3.1-12 RFC6928:2-4 */
static void newreno_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight,
                               bool first)
{
    (void)now;
    if (first) cc->ssthresh = half(cc, flight);
    cc->cwnd = cc->mss; /* the loss window */
    cc->acked = 0;
}

/* RFC5681:4.1-1 RFC6928:2-3 */
static void newreno_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    (void)now;
    if (cc->cwnd > cc->initial_window) cc->cwnd = cc->initial_window;
}

/* RFC 4015 section 3.2, step (SPTO): never below where it stands. */
static void newreno_on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd,
                            uint32_t ssthresh)
{
    (void)now;
    if (cwnd > cc->cwnd) cc->cwnd = cwnd;
    if (ssthresh > cc->ssthresh) cc->ssthresh = ssthresh;
    cc->acked = 0;
}

const struct ltcp_congestion_ops ltcp_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_ecn = newreno_on_ecn,
    .on_recovered = newreno_on_recovered,
    .on_timeout = newreno_on_timeout,
    .on_idle = newreno_on_idle,
    .on_undo = newreno_on_undo,
};

/* ---- with congestion window validation, RFC 7661 ------------------------------------------------
 * A table of its own, so that NewReno alone needs no state. */

static void validated_init(struct ltcp_congestion *cc, ltcp_time now)
{
    newreno_init(cc, now);
    validation_start(cc->state);
}

static void validated_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    validation_on_ack(cc->state, cc, ack);
    newreno_on_ack(cc, ack);
}

static void validated_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    newreno_on_loss(cc, now, flight);
    validation_on_loss(cc->state, cc, flight);
}

static void validated_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    newreno_on_recovered(cc, now);
    validation_on_recovered(cc->state, cc);
}

static void validated_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight,
                                 bool first)
{
    newreno_on_timeout(cc, now, flight, first);
    validation_start(cc->state);
}

/* In place of RFC 5681's restart window. */
static void validated_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    validation_on_idle(cc->state, cc, now);
}

static bool validated_info(const struct ltcp_congestion *cc, size_t i,
                           struct ltcp_congestion_value *out)
{
    const struct validation *v = cc->state;
    const struct ltcp_congestion_value values[] = {
        {"pipe_ack", LTCP_CC_BYTES, v->pipe_ack, NULL},
        {"validated", LTCP_CC_COUNT, v->since < 0, NULL},
    };
    if (i >= sizeof values / sizeof *values) return false;
    *out = values[i];
    return true;
}

const struct ltcp_congestion_ops ltcp_newreno_validated = {
    .name = "newreno",
    .state_size = sizeof(struct validation),
    .init = validated_init,
    .on_ack = validated_on_ack,
    .on_loss = validated_on_loss,
    .on_ecn = newreno_on_ecn,
    .on_recovered = validated_on_recovered,
    .on_timeout = validated_on_timeout,
    .on_idle = validated_on_idle,
    .on_undo = newreno_on_undo,
    .info = validated_info,
};
