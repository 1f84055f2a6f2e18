/* core/network/queue/red.c - Random Early Detection: Floyd and Jacobson, "Random Early Detection
 * Gateways for Congestion Avoidance", 1993, figure 2; with the gentle slope up to twice the maximum
 * threshold; marks as RFC 3168 section 7 asks: over the upper threshold all are dropped.
 *
 * The average is in 1 / 65,536 of a packet or octet; weights and probabilities are out of 2^32. */
#include "aqm.h"

#define ONE      (UINT64_C(1) << 32)
#define FRACTION 16

struct red {
    uint64_t avg;
    int64_t count;        /* packets since the last mark or drop; -1: the average was below */
    uint64_t probability; /* p_b as it was last worked out */
};

static size_t state_size(const struct ltcp_queue_config *config)
{
    (void)config;
    return sizeof(struct red);
}

static void start(struct aqm *aqm)
{
    struct red *red = aqm->state;
    *red = (struct red){.count = -1};
}

/* x * p for p out of 2^32 (at most 1), rounded down. */
static uint64_t share_of(uint64_t x, uint64_t p)
{
    return (x >> 32) * p + ((x & UINT32_MAX) * p >> 32);
}

/* a / b out of 2^32, for a < b. */
static uint64_t ratio(uint64_t a, uint64_t b)
{
    while (a >> 32 > 0) {
        a >>= 1;
        b >>= 1;
    }
    return (a << 32) / b;
}

/* ---- the average ------------------------------------------------------------------------------
 */

/* How long the link needs for a packet of the mean size. */
static uint64_t packet_time(const struct aqm_moment *at, uint32_t size)
{
    const struct ltcp_path_config *path = at->path;
    uint64_t time;
    if (path->opportunity_count > 0) {
        const uint64_t period = path->opportunities[path->opportunity_count - 1];
        time = period * (uint64_t)LTCP_MILLISECOND / path->opportunity_count;
    } else {
        time = path->rate == 0 ? 0 : (uint64_t)size * 8 * (uint64_t)LTCP_SECOND / path->rate;
    }
    return time > 0 ? time : 1;
}

/* (1 - w)^m: what is left of an average after m packets that were not there. */
static uint64_t decay(uint64_t weight, uint64_t m)
{
    uint64_t factor = ONE - weight, result = ONE;
    for (; m > 0 && result > 0; m >>= 1) {
        if (m & 1) result = share_of(result, factor);
        factor = share_of(factor, factor);
    }
    return result;
}

/* RFC7567:4.2-1, 4.4-1 */
static uint64_t average(const struct aqm *aqm, const struct aqm_moment *at)
{
    const struct red *red = aqm->state;
    const uint64_t weight = aqm->config.weight;
    if (aqm->backlog.packets == 0 && red->avg == 0) return 0;
    if (aqm->backlog.packets == 0 && at->busy_until < at->now) {
        const uint64_t idle = (uint64_t)(at->now - at->busy_until);
        return share_of(red->avg, decay(weight, idle / packet_time(at, aqm->config.packet_size)));
    }
    uint64_t q = aqm->config.in_bytes ? aqm->backlog.bytes : aqm->backlog.packets;
    q <<= FRACTION;
    return q > red->avg ? red->avg + share_of(q - red->avg, weight)
                        : red->avg - share_of(red->avg - q, weight);
}

/* ---- marks and drops --------------------------------------------------------------------------
 */

/* p_b of the average; above 1: drop whatever it is. */
static uint64_t base_probability(const struct ltcp_queue_config *config, uint64_t avg)
{
    const uint64_t low = (uint64_t)config->min_threshold << FRACTION;
    const uint64_t high = (uint64_t)config->max_threshold << FRACTION;
    const uint64_t most = config->max_probability;
    if (avg < low) return 0;
    if (avg < high) return share_of(most, ratio(avg - low, high - low));
    if (!config->gentle || avg >= 2 * high) return ONE + 1;
    return most + share_of(ONE - most, ratio(avg - high, high));
}

/* p_a = p_b / (1 - count * p_b), which spreads the marks evenly. RFC7567:4.2-2 */
static uint64_t spread(uint64_t p, int64_t count)
{
    if (count <= 0) return p;
    if ((uint64_t)count >= ONE / p) return ONE;
    const uint64_t rest = ONE - (uint64_t)count * p;
    return p >= rest ? ONE : ratio(p, rest);
}

/* RFC7567:4.2.1-1, 4.2.1-5, 4.4-2 */
static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    struct red *red = aqm->state;
    const struct ltcp_queue_config *config = &aqm->config;
    red->avg = average(aqm, at);
    red->probability = base_probability(config, red->avg);
    if (red->avg < (uint64_t)config->min_threshold << FRACTION) {
        red->count = -1;
    } else if (red->probability > ONE) {
        red->count = 0;
        return aqm_refuse(aqm, waiting);
    } else {
        red->count++;
        uint64_t p = red->probability;
        if (config->in_bytes && waiting->length < config->packet_size)
            p = p * waiting->length / config->packet_size;
        if (p > 0 && aqm_draw(aqm, waiting, spread(p, red->count), 32)) {
            red->count = 0;
            if (!aqm_mark(aqm, waiting, false)) return aqm_refuse(aqm, waiting);
        }
    }
    fifo_push(&aqm->backlog, &aqm->waiting, waiting);
    return LTCP_DROP_NONE;
}

static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    (void)at;
    return aqm_take_waiting(aqm, out);
}

/* ---- what is told -----------------------------------------------------------------------------
 */

static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    const struct red *red = aqm->state;
    (void)now;
    digest_word(d, red->avg);
    digest_word(d, (uint64_t)red->count);
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    const struct red *red = aqm->state;
    (void)now;
    out->average = red->avg;
    out->probability = red->probability > ONE ? ONE : red->probability;
}

const struct aqm_ops aqm_red = {.state_size = state_size,
                                .start = start,
                                .enqueue = enqueue,
                                .dequeue = dequeue,
                                .take = aqm_take_waiting,
                                .digest = digest,
                                .state = state,
                                .by_lot = true};
