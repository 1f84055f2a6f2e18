/* core/congestion/cubic.c - CUBIC, RFC 9438. Windows count octets, so each of the RFC's formulas
 * has the SMSS as a factor; time within an epoch counts ticks of 2^-16 s. */
#include "congestion/cubic_segments.h"
#include "congestion/hystart.h"
#include "congestion/validation.h"
#include "congestion/window.h"

#define TICK_BITS 16
#define LONGEST   (1024 * LTCP_SECOND) /* of t and of K: the cube of it still fits */
#define FRACTION  12                   /* bits of w_est behind the point */
#define NO_EPOCH  INT64_MIN

/* Section 4.6, and RFC 8511 section 3.1 for ECN: beta_cubic in hundredths. */
#define BETA_LOSS 70
#define BETA_ECN  85

enum region { SLOW_START, CSS, RENO_FRIENDLY, CONCAVE, CONVEX };
static const char *const region_names[] = {"slow_start", "css", "reno_friendly", "concave",
                                           "convex"};

/* What a congestion event changes, so that a spurious one can be taken back (section 4.9). */
struct epoch {
    ltcp_time t_epoch; /* start of this congestion avoidance; NO_EPOCH: with the next ACK */
    uint64_t w_est;    /* FRACTION bits behind the point */
    uint32_t w_max, cwnd_prior;
    uint32_t k;         /* ticks */
    bool after_timeout; /* the next epoch starts at its own plateau (section 4.8) */
};
struct cubic {
    struct epoch now, undo;
    ltcp_time limited_since; /* the application holds back since then; NO_EPOCH: it does not */
    struct hystart hystart;
    struct validation validation;
    uint8_t region;
    bool by_segments; /* cubic_segments.c does congestion avoidance, and ... */
    struct cubic_segments segments;
    ltcp_time last_ack; /* what counts by segments leaves out only the time when nothing is sent */
};

/* ---- arithmetic -------------------------------------------------------------------------------
 */

/* The greatest y with y^3 <= x, digit by digit. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t y = 0;
    for (int shift = 63; shift >= 0; shift -= 3) {
        y *= 2;
        const uint64_t step = 3 * y * (y + 1) + 1;
        if (x >> shift >= step) {
            x -= step << shift;
            y++;
        }
    }
    return (uint32_t)y;
}

static uint32_t clamp_window(uint64_t octets)
{
    return octets > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)octets;
}

static uint32_t scale(uint32_t octets, uint32_t hundredths)
{
    return (uint32_t)((uint64_t)octets * hundredths / 100);
}

uint32_t cubic_ticks(ltcp_time time)
{
    if (time < 0) return 0;
    if (time > LONGEST) time = LONGEST;
    return (uint32_t)(((uint64_t)time << TICK_BITS) / LTCP_SECOND);
}

/* Equation (2): K = cbrt((W_max - cwnd_epoch) / C), C = 0.4 segments a cubed second; as many bits
 * behind the point as fit. RFC9438:4.2-2 RFC9438:5.1-1 */
uint32_t cubic_period(uint32_t distance, uint32_t mss)
{
    const uint64_t twofold = (uint64_t)distance * 5; /* 2 / C */
    unsigned shift = 3 * TICK_BITS;
    while (twofold >> (64 - shift) != 0)
        shift -= 3;
    return cube_root((twofold << shift) / (2 * (uint64_t)mss)) << (TICK_BITS - shift / 3);
}

/* Equation (1): W_cubic(t) = C * (t - K)^3 + W_max. RFC9438:4.2-2 */
uint32_t cubic_curve(uint32_t origin, uint32_t k, uint32_t t, uint32_t mss)
{
    const bool before = t < k;
    uint64_t d = before ? k - t : t - k;
    if (d >> 26 != 0) d = (1u << 26) - 1;
    const uint64_t cube = (d * d >> TICK_BITS) * d >> TICK_BITS; /* TICK_BITS behind the point */
    const uint64_t change = cube * mss / 5 * 2 >> TICK_BITS;
    if (!before) return clamp_window(origin + change);
    return change < origin ? (uint32_t)(origin - change) : 0;
}

static uint32_t w_cubic(const struct epoch *e, uint32_t t, uint32_t mss)
{
    return cubic_curve(e->w_max, e->k, t, mss);
}

/* ---- congestion avoidance ---------------------------------------------------------------------
 */

/* RFC9438:4.8-2 RFC9438:4.10-3 */
static void start_epoch(struct cubic *s, const struct ltcp_congestion *cc, ltcp_time now)
{
    struct epoch *e = &s->now;
    e->t_epoch = now;
    e->w_est = (uint64_t)cc->cwnd << FRACTION;
    if (e->after_timeout || e->w_max <= cc->cwnd) {
        /* Also after a slow start that no loss ended: W_max is not known (section 4.10). */
        if (e->cwnd_prior == 0) e->cwnd_prior = cc->cwnd;
        e->w_max = cc->cwnd;
        e->k = 0;
    } else {
        e->k = cubic_period(e->w_max - cc->cwnd, cc->mss);
    }
    e->after_timeout = false;
}

static void turn_to(struct cubic *s, struct ltcp_congestion *cc, enum region region)
{
    if (s->region == region) return;
    s->region = (uint8_t)region;
    cc->tells |= LTCP_CC_TURNED;
}

/* Section 4.2: t "MUST NOT include periods during which cwnd has not been updated due to
 * application-limited behavior". RFC9438:4.2-1 */
static void skip_limited_time(struct cubic *s, ltcp_time now)
{
    if (s->limited_since == NO_EPOCH) return;
    if (s->now.t_epoch != NO_EPOCH) s->now.t_epoch += now - s->limited_since;
    s->limited_since = NO_EPOCH;
}

/* Equation (4), in octets acknowledged; alpha is 1 once W_est has come to cwnd_prior.
 * RFC9438:4.3-2 RFC9438:4.3-3 */
static void grow_w_est(struct epoch *e, const struct ltcp_congestion *cc, uint32_t acked)
{
    const bool caught_up = e->w_est >> FRACTION >= e->cwnd_prior;
    const uint64_t product = ((uint64_t)acked * cc->mss) << FRACTION;
    e->w_est += caught_up ? product / cc->cwnd : product / 17 * 9 / cc->cwnd;
}

/* (target - cwnd) / cwnd for every octet acknowledged; what is left of an octet is kept.
 * RFC9438:4.4-1 RFC9438:4.5-1 */
static void approach(struct ltcp_congestion *cc, uint32_t target, uint32_t acked)
{
    const uint64_t sum = (uint64_t)acked * (target - cc->cwnd) + cc->acked;
    cc->acked = (uint32_t)(sum % cc->cwnd);
    cc->cwnd = clamp_window(cc->cwnd + sum / cc->cwnd);
}

/* RFC9438:4.2-3 RFC9438:4.3-1 */
static void congestion_avoidance(struct cubic *s, struct ltcp_congestion *cc,
                                 const struct ltcp_ack_sample *ack)
{
    struct epoch *e = &s->now;
    if (e->t_epoch == NO_EPOCH) start_epoch(s, cc, ack->now);
    const ltcp_time t = ack->now - e->t_epoch;
    grow_w_est(e, cc, ack->bytes_acked);
    const uint32_t w_est = clamp_window(e->w_est >> FRACTION);
    if (w_cubic(e, cubic_ticks(t), cc->mss) < w_est) { /* section 4.3 */
        turn_to(s, cc, RENO_FRIENDLY);
        if (w_est > cc->cwnd) cc->cwnd = w_est;
        return;
    }
    turn_to(s, cc, cc->cwnd < e->w_max ? CONCAVE : CONVEX); /* sections 4.4 and 4.5 */
    const uint32_t most = clamp_window((uint64_t)cc->cwnd * 3 / 2);
    uint32_t target = w_cubic(e, cubic_ticks(t + ack->srtt), cc->mss);
    if (target > most) target = most;
    if (target > cc->cwnd) approach(cc, target, ack->bytes_acked);
}

/* ---- slow start -------------------------------------------------------------------------------
 */

/* Section 4.10. RFC 9406 section 4.2 wants HyStart++ in the first slow start only.
 * RFC9438:4.10-1 RFC9438:4.10-2 RFC9438:4.10-4 */
static void slow_start(struct cubic *s, struct ltcp_congestion *cc,
                       const struct ltcp_ack_sample *ack)
{
    struct hystart *h = &s->hystart;
    uint32_t growth = window_slow_start(cc, ack->bytes_acked);
    if ((cc->switches & LTCP_CC_HYSTART) && !h->done && !h->classic)
        growth = hystart_on_ack(h, cc, ack);
    turn_to(s, cc, h->css_rounds > 0 ? CSS : SLOW_START);
    cc->cwnd = clamp_window((uint64_t)cc->cwnd + growth);
}

/* Congestion avoidance in whole segments; `acked` octets have not made slow start grow. */
static void grow_by_segments(struct cubic *s, struct ltcp_congestion *cc,
                             const struct ltcp_ack_sample *ack, uint32_t acked)
{
    struct epoch *e = &s->now;
    if (acked == 0) return;
    if (e->after_timeout) e->w_max = 0; /* what was reached before is forgotten */
    e->after_timeout = false;
    if (e->t_epoch == NO_EPOCH) {
        e->t_epoch = ack->now;
        cubic_segments_begin(&s->segments, cc, e->w_max);
    }
    cubic_segments_on_ack(&s->segments, cc, ack, ack->now - e->t_epoch, acked, e->w_max == 0);
    e->w_est = (uint64_t)s->segments.w_est * cc->mss << FRACTION;
    e->k = s->segments.k;
    const bool below = cc->cwnd / cc->mss < s->segments.origin;
    turn_to(s, cc, s->segments.friendly ? RENO_FRIENDLY : below ? CONCAVE : CONVEX);
}

static void on_ack_by_segments(struct cubic *s, struct ltcp_congestion *cc,
                               const struct ltcp_ack_sample *ack)
{
    uint32_t left = ack->bytes_acked;
    if (cc->cwnd < cc->ssthresh) {
        const uint32_t before = cc->cwnd;
        slow_start(s, cc, ack);
        const uint32_t grown = cc->cwnd - before;
        left = cc->cwnd >= cc->ssthresh && grown < left ? left - grown : 0;
    }
    grow_by_segments(s, cc, ack, left);
}

/* RFC9438:4.6-4 RFC9438:5.8-1 RFC7661:4.3-2 */
static void cubic_on_ack(struct ltcp_congestion *cc, const struct ltcp_ack_sample *ack)
{
    struct cubic *s = cc->state;
    if (cc->switches & LTCP_CC_VALIDATION) validation_on_ack(&s->validation, cc, ack);
    if (ack->in_recovery) return;
    if (s->hystart.classic && !s->hystart.done && (cc->switches & LTCP_CC_HYSTART) &&
        cc->cwnd < cc->ssthresh)
        hystart_classic_ends(&s->hystart, cc, ack);
    if (s->by_segments) s->last_ack = ack->now;
    if (!ack->cwnd_limited) { /* section 5.8 */
        if (s->limited_since == NO_EPOCH && !s->by_segments) s->limited_since = ack->now;
        return;
    }
    skip_limited_time(s, ack->now);
    if (ack->advanced == 0) return; /* RFC 5681 section 3.1: ACKs of new data */
    if (ack->ece) return;           /* RFC3168:6.1.2-2 */
    if (s->by_segments)
        on_ack_by_segments(s, cc, ack);
    else if (cc->cwnd < cc->ssthresh)
        slow_start(s, cc, ack);
    else
        congestion_avoidance(s, cc, ack);
}

/* ---- congestion events ------------------------------------------------------------------------
 */

/* Sections 4.6 and 4.7; the new ssthresh. RFC9438:4.6-3 RFC9438:4.6-6 RFC9438:4.7-1 RFC9438:4.7-2
 * RFC9406:4.2-8 */
static uint32_t reduce(struct cubic *s, struct ltcp_congestion *cc, uint32_t flight, uint32_t beta)
{
    struct epoch *e = &s->now;
    s->undo = *e;
    const bool converge = (cc->switches & LTCP_CC_FAST_CONVERGENCE) && cc->cwnd < e->w_max;
    e->w_max = converge ? scale(cc->cwnd, (100 + beta) / 2) : cc->cwnd;
    e->cwnd_prior = cc->cwnd;
    e->t_epoch = NO_EPOCH;
    s->limited_since = NO_EPOCH;
    s->hystart.done = true;
    s->hystart.css_rounds = 0;
    uint32_t reduced = scale(flight, beta);
    if (s->by_segments) reduced -= reduced % cc->mss;
    cc->ssthresh = window_at_least_two(cc, reduced);
    cc->acked = 0;
    return reduced;
}

/* RFC9438:4.6-2 */
static void cubic_on_loss(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    struct cubic *s = cc->state;
    (void)now;
    reduce(s, cc, flight, BETA_LOSS);
    cc->cwnd = cc->ssthresh;
    if (cc->switches & LTCP_CC_VALIDATION) validation_on_loss(&s->validation, cc, flight);
}

/* "reduction on ECE, cwnd is at least 1 MSS". RFC9438:4.6-1 RFC8511:3.1-1 */
static void cubic_on_ecn(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight)
{
    (void)now;
    const uint32_t beta = cc->switches & LTCP_CC_ABE ? BETA_ECN : BETA_LOSS;
    const uint32_t reduced = reduce(cc->state, cc, flight, beta);
    cc->cwnd = reduced > cc->mss ? reduced : cc->mss;
}

static void cubic_on_recovered(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    (void)now;
    cc->cwnd = cc->ssthresh;
    if (cc->switches & LTCP_CC_VALIDATION) validation_on_recovered(&s->validation, cc);
}

/* RFC9438:4.8-1 */
static void cubic_on_timeout(struct ltcp_congestion *cc, ltcp_time now, uint32_t flight, bool first)
{
    struct cubic *s = cc->state;
    (void)now;
    if (first) reduce(s, cc, flight, BETA_LOSS);
    s->now.t_epoch = NO_EPOCH;
    s->now.after_timeout = true;
    validation_start(&s->validation);
    cc->cwnd = cc->mss; /* the loss window, RFC 5681 section 3.1 */
    cc->acked = 0;
}

/* Section 4.9: "if cwnd < cwnd_prior". RFC9438:4.9-1 RFC9438:4.9-2 */
static void cubic_on_undo(struct ltcp_congestion *cc, ltcp_time now, uint32_t cwnd,
                          uint32_t ssthresh)
{
    struct cubic *s = cc->state;
    (void)now;
    if (cc->cwnd >= s->now.cwnd_prior) return;
    s->now = s->undo;
    if (cwnd > cc->cwnd) cc->cwnd = cwnd;
    cc->ssthresh = ssthresh;
    cc->acked = 0;
}

/* What was not sent says nothing: the epoch goes on where it stopped. */
static void cubic_on_restart(struct ltcp_congestion *cc, ltcp_time now, bool app_limited)
{
    struct cubic *s = cc->state;
    (void)app_limited;
    if (s->by_segments && s->now.t_epoch != NO_EPOCH && now > s->last_ack) {
        s->now.t_epoch += now - s->last_ack;
        s->last_ack = now;
    }
}

static void cubic_on_idle(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    if (cc->switches & LTCP_CC_VALIDATION) {
        validation_on_idle(&s->validation, cc, now);
        return;
    }
    if (cc->cwnd <= cc->initial_window) return;
    cc->cwnd = cc->initial_window;
    s->now.t_epoch = NO_EPOCH;
    s->limited_since = NO_EPOCH;
}

/* RFC9406:4.3-2 */
static void cubic_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    (void)now;
    s->now.t_epoch = NO_EPOCH;
    s->limited_since = NO_EPOCH;
    s->undo = s->now;
    validation_start(&s->validation);
    /* HyStart++ is for a threshold that is "arbitrarily high": not where another was before. */
    s->hystart.done = cc->cwnd != cc->initial_window;
    cc->acked = 0;
}

static void cubic_classic_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    cubic_init(cc, now);
    s->hystart.classic = true;
}

static void cubic_segments_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    cubic_init(cc, now);
    s->by_segments = true;
}

static void cubic_classic_segments_init(struct ltcp_congestion *cc, ltcp_time now)
{
    struct cubic *s = cc->state;
    cubic_classic_init(cc, now);
    s->by_segments = true;
}

static bool cubic_info(const struct ltcp_congestion *cc, size_t i,
                       struct ltcp_congestion_value *out)
{
    const struct cubic *s = cc->state;
    const struct ltcp_congestion_value values[] = {
        {"region", LTCP_CC_TEXT, 0, region_names[s->region]},
        {"w_max", LTCP_CC_BYTES, s->now.w_max, NULL},
        {"w_est", LTCP_CC_BYTES, (int64_t)(s->now.w_est >> FRACTION), NULL},
        {"cwnd_prior", LTCP_CC_BYTES, s->now.cwnd_prior, NULL},
        {"k", LTCP_CC_TIME, (int64_t)s->now.k * LTCP_SECOND >> TICK_BITS, NULL},
        {"pipe_ack", LTCP_CC_BYTES, s->validation.pipe_ack, NULL},
        {"validated", LTCP_CC_COUNT, s->validation.since < 0, NULL},
        {"css_rounds", LTCP_CC_COUNT, s->hystart.css_rounds, NULL},
        {"last_round_min_rtt", LTCP_CC_TIME, s->hystart.last_round_min_rtt, NULL},
        {"current_round_min_rtt", LTCP_CC_TIME, s->hystart.current_round_min_rtt, NULL},
        {"css_baseline_min_rtt", LTCP_CC_TIME, s->hystart.css_baseline_min_rtt, NULL},
    };
    if (i >= sizeof values / sizeof *values) return false;
    *out = values[i];
    return true;
}

#define TABLE(begin)                                                                               \
    {                                                                                              \
        .name = "cubic", .state_size = sizeof(struct cubic), .init = (begin),                      \
        .on_ack = cubic_on_ack, .on_loss = cubic_on_loss, .on_ecn = cubic_on_ecn,                  \
        .on_recovered = cubic_on_recovered, .on_timeout = cubic_on_timeout,                        \
        .on_idle = cubic_on_idle, .on_restart = cubic_on_restart, .on_undo = cubic_on_undo,        \
        .info = cubic_info                                                                         \
    }
const struct ltcp_congestion_ops ltcp_cubic = TABLE(cubic_init);
const struct ltcp_congestion_ops ltcp_cubic_classic = TABLE(cubic_classic_init);
const struct ltcp_congestion_ops ltcp_cubic_segments = TABLE(cubic_segments_init);
const struct ltcp_congestion_ops ltcp_cubic_classic_segments = TABLE(cubic_classic_segments_init);
