/* core/network/queue/dualpi2.c - the dual queue with coupled PI2, RFC 9332 appendix A: ECT(1) and
 * CE go into the L queue, which is marked linearly, the others into the C queue, whose probability
 * is the square. The second pass of the pseudocode (A.2) with its overload and its low rates, and
 * the weighted round robin that it recommends. */
#include "aqm.h"
#include "controller.h"
#include "lunatcp/wire.h"

enum { CLASSIC, L4S };

/* RFC9332:2.5.1-2 */
struct dualpi2 {
    struct fifo queues[2];
    int64_t base;     /* p' */
    int64_t count[2]; /* of recur(), for each queue */
    ltcp_time prevq;
    ltcp_time next_update; /* LTCP_NEVER: nothing has come since all was at rest */
    int64_t credit;        /* above 0 the C queue is owed something */
    uint64_t overloads;
    ltcp_time overload_time, overload_since; /* told, and not heeded */
};

static size_t state_size(const struct ltcp_queue_config *config)
{
    (void)config;
    return sizeof(struct dualpi2);
}

static void start(struct aqm *aqm)
{
    struct dualpi2 *dual = aqm->state;
    *dual = (struct dualpi2){.next_update = LTCP_NEVER, .overload_since = LTCP_NEVER};
    dual->queues[CLASSIC] = dual->queues[L4S] = fifo_empty();
}

/* ---- constants that follow from others: figure 2 ----------------------------------------------
 */

static ltcp_time update_interval(const struct ltcp_queue_config *config)
{
    if (config->interval > 0) return config->interval;
    const ltcp_time third = config->rtt_most / 3;
    return config->target < third ? config->target : third;
}

/* RFC9332:A.1-2: alpha = 0.1 * Tupdate / RTT_max^2, from microseconds: 0.1 * 10^6 * 65,536 * T /
 * R^2. */
static uint32_t alpha_of(const struct ltcp_queue_config *config)
{
    if (config->alpha > 0) return config->alpha;
    const uint64_t update = (uint64_t)update_interval(config) / 1000;
    const uint64_t most = (uint64_t)config->rtt_most / 1000;
    const uint64_t alpha = UINT64_C(65536) * 100000 * update / (most * most);
    return alpha < 1 << 30 ? (uint32_t)alpha : 1 << 30;
}

/* beta = 0.3 / RTT_max. */
static uint32_t beta_of(const struct ltcp_queue_config *config)
{
    if (config->beta > 0) return config->beta;
    const uint64_t beta = UINT64_C(65536) * 3 * 100000000 / (uint64_t)config->rtt_most;
    return beta < 1 << 30 ? (uint32_t)beta : 1 << 30;
}

/* ---- probabilities ----------------------------------------------------------------------------
 */

/* RFC9332:2.5.1-7 */
static int64_t classic_probability(const struct dualpi2 *dual)
{
    const uint64_t base = (uint64_t)dual->base >> 9; /* out of 2^31 */
    return (int64_t)(base * base >> 22);
}

static int64_t coupled_probability(const struct dualpi2 *dual,
                                   const struct ltcp_queue_config *config)
{
    return probability_bound(dual->base * (int64_t)config->coupling);
}

/* p_Cmax = min(1 / k^2, 1). */
static int64_t greatest_classic(const struct ltcp_queue_config *config)
{
    return CERTAIN_40 / ((int64_t)config->coupling * (int64_t)config->coupling);
}

/* Figure 5, out of 2^40. RFC9332:A.1-3 */
static int64_t laqm(const struct ltcp_queue_config *config, ltcp_time qdelay)
{
    if (qdelay >= config->ramp_start + config->ramp_length) return CERTAIN_40;
    if (qdelay <= config->ramp_start) return 0;
    return ((qdelay - config->ramp_start) << 24) / config->ramp_length << 16;
}

/* Figure 4: true with that likelihood, evenly. */
static bool recur(struct dualpi2 *dual, int queue, int64_t likelihood)
{
    dual->count[queue] += likelihood;
    if (dual->count[queue] <= CERTAIN_40) return false;
    dual->count[queue] -= CERTAIN_40;
    return true;
}

/* ---- figure 8: every Tupdate ------------------------------------------------------------------
 */

static ltcp_time queue_time(const struct aqm *aqm, const struct dualpi2 *dual, int queue,
                            ltcp_time now)
{
    const struct waiting *head = fifo_head(&aqm->backlog, &dual->queues[queue]);
    return head == NULL ? 0 : now - head->passage.arrived;
}

static ltcp_time greater_time(const struct aqm *aqm, const struct dualpi2 *dual, ltcp_time now)
{
    const ltcp_time classic = queue_time(aqm, dual, CLASSIC, now);
    const ltcp_time l4s = queue_time(aqm, dual, L4S, now);
    return classic > l4s ? classic : l4s;
}

/* RFC9332:2.5.2.3-1 */
static void note_overload(struct dualpi2 *dual, bool is_overload, ltcp_time now)
{
    if (is_overload == (dual->overload_since != LTCP_NEVER)) return;
    if (is_overload) dual->overloads++;
    if (!is_overload) dual->overload_time += now - dual->overload_since;
    dual->overload_since = is_overload ? now : LTCP_NEVER;
}

/* The updates that were due since the queues were last looked at. RFC9332:A.1-1 */
static void catch_up(const struct aqm *aqm, struct dualpi2 *dual, ltcp_time now)
{
    const struct ltcp_queue_config *config = &aqm->config;
    const uint32_t alpha = alpha_of(config), beta = beta_of(config);
    while (dual->next_update <= now) {
        const ltcp_time curq = greater_time(aqm, dual, dual->next_update);
        dual->base = probability_bound(
            dual->base + controller_change(alpha, beta, curq, dual->prevq, config->target));
        dual->prevq = curq;
        note_overload(dual, coupled_probability(dual, config) >= CERTAIN_40, dual->next_update);
        dual->next_update += update_interval(config);
        if (aqm->backlog.packets == 0 && dual->base == 0 && curq == 0)
            dual->next_update = LTCP_NEVER;
    }
}

/* ---- figure 3: enqueue ------------------------------------------------------------------------
 */

/* One packet of any size is always allowed. By default 250 ms of the link. RFC9332:A.1-4 */
static bool is_over_limit(const struct aqm *aqm, const struct ltcp_path_config *path)
{
    if (path->queue_packets > 0 && aqm->backlog.packets >= path->queue_packets) return true;
    uint64_t most = UINT32_MAX / 2;
    if (path->queue_bytes > 0) {
        most = path->queue_bytes;
    } else if (path->queue_packets == 0 && path->opportunity_count == 0) {
        const uint64_t least = 2 * (uint64_t)aqm->config.packet_size;
        if (path->rate / 32 < most) most = path->rate / 32;
        if (most < least) most = least;
    }
    return (uint64_t)aqm->backlog.bytes + aqm->config.packet_size > most;
}

static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    struct dualpi2 *dual = aqm->state;
    catch_up(aqm, dual, at->now);
    if (dual->next_update == LTCP_NEVER)
        dual->next_update = at->now + update_interval(&aqm->config);
    if (is_over_limit(aqm, at->path)) {
        aqm->counters->overflow++;
        return LTCP_DROP_QUEUE;
    }
    if (aqm->backlog.packets == 0) dual->credit = 0;
    /* RFC9332:2.5.1-1 */
    fifo_push(&aqm->backlog, &dual->queues[waiting->ecn % 2 == 1 ? L4S : CLASSIC], waiting);
    return LTCP_DROP_NONE;
}

/* ---- figure 7: dequeue ------------------------------------------------------------------------
 */

/* Weighted round robin: while both have packets, the C queue gets one octet of `classic_weight`.
 * RFC9332:2.5.1-4, 2.5.1-5, 2.5.1-6, 2.5.2.1-4 */
static int scheduler(struct aqm *aqm, struct dualpi2 *dual)
{
    const struct fifo *classic = &dual->queues[CLASSIC], *l4s = &dual->queues[L4S];
    if (l4s->packets == 0) return CLASSIC;
    if (classic->packets == 0) return L4S;
    const int chosen = dual->credit > 0 ? CLASSIC : L4S;
    const int64_t length = fifo_head(&aqm->backlog, &dual->queues[chosen])->length;
    if (chosen == L4S)
        dual->credit += length;
    else
        dual->credit -= length * ((int64_t)aqm->config.classic_weight - 1);
    return chosen;
}

/* Lines 4b to 8j. False: dropped. `length` is of the queue with this packet in it. RFC9332:2.5.1-3,
 * RFC9332:2.5.1-8, 2.5.1.1-4, RFC9332:A.2-1 */
static bool l4s_leaves(struct aqm *aqm, struct dualpi2 *dual, struct waiting *out, uint32_t length,
                       ltcp_time now)
{
    const struct ltcp_queue_config *config = &aqm->config;
    const int64_t coupled = coupled_probability(dual, config);
    if (coupled < CERTAIN_40) {
        int64_t native =
            length > config->ramp_packets ? laqm(config, now - out->passage.arrived) : 0;
        if (native < coupled) native = coupled;
        if (recur(dual, L4S, native)) aqm_mark(aqm, out, true);
        return true;
    }
    if (recur(dual, L4S, classic_probability(dual))) {
        aqm_drop(aqm, out, LTCP_DROP_AQM, true);
        return false;
    }
    aqm_mark(aqm, out, true); /* p_CL is 1 */
    return true;
}

/* Lines 11 to 17. False: dropped. RFC9332:2.5.1.1-4 */
static bool classic_leaves(struct aqm *aqm, struct dualpi2 *dual, struct waiting *out)
{
    const int64_t probability = classic_probability(dual);
    if (!recur(dual, CLASSIC, probability)) return true;
    const bool is_overload = probability >= greatest_classic(&aqm->config);
    if (!is_overload && aqm_mark(aqm, out, false)) return true;
    aqm_drop(aqm, out, LTCP_DROP_AQM, false);
    return false;
}

static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    struct dualpi2 *dual = aqm->state;
    catch_up(aqm, dual, at->now);
    while (aqm->backlog.packets > 0) {
        const int queue = scheduler(aqm, dual);
        const uint32_t length = dual->queues[queue].packets;
        fifo_pop(&aqm->backlog, &dual->queues[queue], out);
        const bool leaves = queue == L4S ? l4s_leaves(aqm, dual, out, length, at->now)
                                         : classic_leaves(aqm, dual, out);
        if (leaves) return true;
    }
    return false;
}

static bool take(struct aqm *aqm, struct waiting *out)
{
    struct dualpi2 *dual = aqm->state;
    for (int queue = L4S; queue >= CLASSIC; queue--) {
        if (dual->queues[queue].packets == 0) continue;
        fifo_pop(&aqm->backlog, &dual->queues[queue], out);
        return true;
    }
    return false;
}

/* ---- what is told -----------------------------------------------------------------------------
 */

static struct dualpi2 as_of(const struct aqm *aqm, ltcp_time now)
{
    struct dualpi2 dual = *(const struct dualpi2 *)aqm->state;
    catch_up(aqm, &dual, now);
    return dual;
}

static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    const struct dualpi2 dual = as_of(aqm, now);
    digest_word(d, (uint64_t)dual.base);
    digest_word(d, (uint64_t)dual.count[CLASSIC]);
    digest_word(d, (uint64_t)dual.count[L4S]);
    digest_word(d, (uint64_t)dual.prevq);
    digest_time(d, now, dual.next_update);
    digest_word(d, aqm->backlog.packets > 0 ? (uint64_t)dual.credit : 0);
    fifo_digest(&aqm->backlog, &dual.queues[CLASSIC], d, now);
    fifo_digest(&aqm->backlog, &dual.queues[L4S], d, now);
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    const struct dualpi2 dual = as_of(aqm, now);
    out->probability = (uint64_t)classic_probability(&dual) >> 8;
    out->base = (uint64_t)dual.base >> 8;
    out->coupled = (uint64_t)coupled_probability(&dual, &aqm->config) >> 8;
    out->delay = dual.prevq;
    out->queue_packets[CLASSIC] = dual.queues[CLASSIC].packets;
    out->queue_packets[L4S] = dual.queues[L4S].packets;
    out->overloads = dual.overloads;
    out->overload_since = dual.overload_since;
    out->overload_time = dual.overload_time;
    if (dual.overload_since != LTCP_NEVER) out->overload_time += now - dual.overload_since;
}

const struct aqm_ops aqm_dualpi2 = {.state_size = state_size,
                                    .start = start,
                                    .enqueue = enqueue,
                                    .dequeue = dequeue,
                                    .take = take,
                                    .digest = digest,
                                    .state = state,
                                    .limits = true};
