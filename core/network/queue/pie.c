/* core/network/queue/pie.c - Proportional Integral controller Enhanced, RFC 8033: section 4 and
 * appendix A, with the delay taken from time stamps, ECN (5.1), the cap on a single rise (5.5) and,
 * where asked for, derandomization (5.4). */
#include "aqm.h"
#include "controller.h"

#define PERCENT(n) (CERTAIN_40 / 100 * (n))

struct pie {
    int64_t drop_prob, accu_prob;
    ltcp_time burst_allowance, qdelay_old;
    ltcp_time current_qdelay; /* of the newest packet that left; 0 once nothing waits */
    ltcp_time next_update;    /* LTCP_NEVER: nothing has come since all was at rest */
};

static size_t state_size(const struct ltcp_queue_config *config)
{
    (void)config;
    return sizeof(struct pie);
}

static void start(struct aqm *aqm)
{
    struct pie *pie = aqm->state;
    *pie = (struct pie){.burst_allowance = aqm->config.burst, .next_update = LTCP_NEVER};
}

/* ---- section 4.2: every T_UPDATE --------------------------------------------------------------
 */

/* The gains are tuned to how likely a drop is. RFC8033:4.2-1 */
static int64_t tuned(int64_t p, int64_t drop_prob)
{
    static const struct {
        int64_t below;
        int64_t divisor;
    } steps[] = {
        {CERTAIN_40 / 1000000, 2048}, {CERTAIN_40 / 100000, 512}, {CERTAIN_40 / 10000, 128},
        {CERTAIN_40 / 1000, 32},      {CERTAIN_40 / 100, 8},      {CERTAIN_40 / 10, 2},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (drop_prob < steps[i].below) return p / steps[i].divisor;
    return p;
}

/* RFC8033:4.2-1, 4.2-2, 4.4-1, 4.4-4, 5.5-1 */
static void calculate_drop_prob(struct pie *pie, const struct ltcp_queue_config *config)
{
    const ltcp_time qdelay = pie->current_qdelay;
    int64_t p =
        controller_change(config->alpha, config->beta, qdelay, pie->qdelay_old, config->target);
    p = tuned(p, pie->drop_prob);
    if (pie->drop_prob >= PERCENT(10) && p > PERCENT(2)) p = PERCENT(2);
    pie->drop_prob += p;
    if (qdelay == 0 && pie->qdelay_old == 0) pie->drop_prob = pie->drop_prob / 100 * 98;
    pie->drop_prob = probability_bound(pie->drop_prob);
    pie->qdelay_old = qdelay;
    pie->burst_allowance -= config->interval;
    if (pie->burst_allowance < 0) pie->burst_allowance = 0;
}

static bool is_at_rest(const struct pie *pie)
{
    return pie->drop_prob == 0 && pie->qdelay_old == 0 && pie->current_qdelay == 0;
}

/* The updates that were due since the queue was last looked at. At rest nothing but the allowance
 * changes any more, and the next packet sets that anew (section 4.4). */
static void catch_up(struct pie *pie, const struct ltcp_queue_config *config, ltcp_time now,
                     bool is_empty)
{
    while (pie->next_update <= now) {
        calculate_drop_prob(pie, config);
        pie->next_update += config->interval;
        if (!is_empty || !is_at_rest(pie)) continue;
        pie->next_update = LTCP_NEVER;
        pie->burst_allowance = config->burst;
    }
}

/* ---- section 4.1: random dropping -------------------------------------------------------------
 */

/* RFC8033:4.1-1, 5.4-1 */
static bool is_drawn(struct aqm *aqm, const struct waiting *waiting)
{
    struct pie *pie = aqm->state;
    const uint64_t probability = (uint64_t)pie->drop_prob;
    if (!aqm->config.derandomize) return aqm_draw(aqm, waiting, probability, 40);
    if (pie->drop_prob == 0) pie->accu_prob = 0;
    pie->accu_prob += pie->drop_prob;
    if (pie->accu_prob < PERCENT(85)) return false;
    return pie->accu_prob >= PERCENT(850) || aqm_draw(aqm, waiting, probability, 40);
}

/* RFC8033:4.1-2, 4.1-3 */
static bool drop_early(struct aqm *aqm, const struct waiting *waiting)
{
    const struct pie *pie = aqm->state;
    const struct ltcp_queue_config *config = &aqm->config;
    if (pie->qdelay_old < config->target / 2 && pie->drop_prob < PERCENT(20)) return false;
    if (aqm->backlog.bytes <= 2 * config->packet_size) return false;
    return is_drawn(aqm, waiting);
}

/* RFC8033:4.4-1, 4.4-2, 5.1-1, 5.1-2 */
static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    struct pie *pie = aqm->state;
    const struct ltcp_queue_config *config = &aqm->config;
    catch_up(pie, config, at->now, aqm->backlog.packets == 0);
    if (pie->next_update == LTCP_NEVER) pie->next_update = at->now + config->interval;
    const ltcp_time half = config->target / 2;
    if (pie->drop_prob == 0 && pie->current_qdelay < half && pie->qdelay_old < half)
        pie->burst_allowance = config->burst;
    if (pie->burst_allowance == 0 && drop_early(aqm, waiting)) {
        pie->accu_prob = 0;
        const bool may_mark = (uint64_t)pie->drop_prob < config->ecn_threshold
                                                             << 8; /* section 5.1 */
        if (!may_mark || !aqm_mark(aqm, waiting, false)) return aqm_refuse(aqm, waiting);
    }
    fifo_push(&aqm->backlog, &aqm->waiting, waiting);
    return LTCP_DROP_NONE;
}

/* RFC8033:4.3-1 */
static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    struct pie *pie = aqm->state;
    catch_up(pie, &aqm->config, at->now, aqm->backlog.packets == 0);
    if (!aqm_take_waiting(aqm, out)) return false;
    pie->current_qdelay = aqm->backlog.packets > 0 ? at->now - out->passage.arrived : 0;
    return true;
}

/* ---- what is told -----------------------------------------------------------------------------
 */

static struct pie as_of(const struct aqm *aqm, ltcp_time now)
{
    struct pie pie = *(const struct pie *)aqm->state;
    catch_up(&pie, &aqm->config, now, aqm->backlog.packets == 0);
    return pie;
}

static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    const struct pie pie = as_of(aqm, now);
    digest_word(d, (uint64_t)pie.drop_prob);
    digest_word(d, (uint64_t)pie.accu_prob);
    digest_word(d, (uint64_t)pie.burst_allowance);
    digest_word(d, (uint64_t)pie.qdelay_old);
    digest_word(d, (uint64_t)pie.current_qdelay);
    digest_time(d, now, pie.next_update);
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    const struct pie pie = as_of(aqm, now);
    out->probability = (uint64_t)pie.drop_prob >> 8;
    out->delay = pie.current_qdelay;
    out->burst_allowance = pie.burst_allowance;
}

const struct aqm_ops aqm_pie = {.state_size = state_size,
                                .start = start,
                                .enqueue = enqueue,
                                .dequeue = dequeue,
                                .take = aqm_take_waiting,
                                .digest = digest,
                                .state = state,
                                .by_lot = true};
