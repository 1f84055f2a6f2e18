/* core/network/queue/config.c - what each kind of queue is set to unless it is told otherwise, and
 * how long packets waited. */
#include "aqm.h"

#define MICROSECOND (LTCP_MILLISECOND / 1000)
#define GREATEST    (100 * LTCP_SECOND) /* of any time here */
#define MOST_FLOWS  (1u << 20)

static const char *const names[LTCP_QUEUE_KINDS] = {
    [LTCP_QUEUE_DROP_TAIL] = "drop_tail", [LTCP_QUEUE_RED] = "red", [LTCP_QUEUE_CODEL] = "codel",
    [LTCP_QUEUE_FQ_CODEL] = "fq_codel",   [LTCP_QUEUE_PIE] = "pie", [LTCP_QUEUE_STEP] = "step",
    [LTCP_QUEUE_DUALPI2] = "dualpi2",
};

const char *ltcp_queue_name(enum ltcp_queue_kind kind)
{
    return (unsigned)kind < LTCP_QUEUE_KINDS ? names[kind] : "unknown";
}

/* RFC8033:4.2-3, 4.2-5, 4.2-6, 4.4-3, 5.1-2, 6-1
 * RFC8289:4.2-1, 4.3-1, 4.5-4
 * RFC8290:5.2.1-1, 5.2.2-1, 5.2.4-1, 5.2.5-1, 5.2.6-1, 5.2.7-1
 * RFC9332:2.5.1-9, 2.5.2.1-1, 2.5.2.1-3, RFC9332:A.1-2
 * RFC7567:4.3-1, 4.3-2 */
void ltcp_queue_defaults(struct ltcp_queue_config *config, enum ltcp_queue_kind kind)
{
    *config = (struct ltcp_queue_config){
        .kind = kind,
        .ecn = true, /* RFC 7567 section 4.2.1 */
        .target = 5 * LTCP_MILLISECOND,
        .interval = 100 * LTCP_MILLISECOND,
        .ce_threshold = LTCP_NEVER,
        .packet_size = 1500,
        .flows = 1024,
        .quantum = 1514,
        .min_threshold = 5,
        .max_threshold = 15,
        .weight = UINT64_C(8589935),            /* 0.002 */
        .max_probability = UINT64_C(429496730), /* 0.1 */
        .gentle = true,
        .alpha = 8192, /* 1/8 */
        .beta = 81920, /* 1 1/4 */
        .burst = 150 * LTCP_MILLISECOND,
        .ecn_threshold = UINT64_C(429496730), /* 10 % */
        .step_packets = 65,
        .step_bytes = LTCP_STEP_OFF,
        .step_time = LTCP_NEVER,
        .drop_not_ect = true,
        .rtt_most = 100 * LTCP_MILLISECOND,
        .ramp_start = 800 * MICROSECOND,
        .ramp_length = 400 * MICROSECOND,
        .ramp_packets = 1,
        .coupling = 2,
        .classic_weight = 16,
    };
    if (kind == LTCP_QUEUE_PIE) config->target = config->interval = 15 * LTCP_MILLISECOND;
    if (kind == LTCP_QUEUE_DUALPI2) {
        config->target = 15 * LTCP_MILLISECOND;
        config->interval = 0;
        config->alpha = config->beta = 0;
    }
}

/* RFC8290:5.2.3-2 */
uint32_t ltcp_queue_default_limit(enum ltcp_queue_kind kind)
{
    switch (kind) {
    case LTCP_QUEUE_DROP_TAIL: return 0;
    case LTCP_QUEUE_DUALPI2: return 0; /* 250 ms of the link instead */
    case LTCP_QUEUE_FQ_CODEL: return 10240;
    default: return 1000;
    }
}

static bool within(ltcp_time time, ltcp_time least)
{
    return time >= least && time <= GREATEST;
}

/* What a user may set, within these bounds; nothing changes it but he. RFC8033:4.2-4
 * RFC8289:4.3-3, 4.3-4, 4.5-1, 4.5-2
 * RFC9332:2.5.1-10, 2.5.2.1-2
 * RFC7567:4.2.1-2, 4.2.1-4, 4.3-3 */
bool queue_config_is_valid(const struct ltcp_queue_config *c)
{
    if ((unsigned)c->kind >= LTCP_QUEUE_KINDS) return false;
    if (c->kind == LTCP_QUEUE_DROP_TAIL) return true;
    if (c->packet_size == 0 || c->packet_size > 65535) return false;
    switch (c->kind) {
    case LTCP_QUEUE_RED:
        return c->min_threshold < c->max_threshold && c->max_threshold <= UINT32_MAX / 2 &&
               c->weight > 0 && c->weight <= LTCP_CERTAIN && c->max_probability > 0 &&
               c->max_probability <= LTCP_CERTAIN;
    case LTCP_QUEUE_FQ_CODEL:
        if (c->flows == 0 || c->flows > MOST_FLOWS) return false;
        if (c->quantum == 0 || c->quantum > INT32_MAX / 2) return false;
        return within(c->target, 0) && within(c->interval, 1) && c->ce_threshold >= 0;
    case LTCP_QUEUE_CODEL:
        return within(c->target, 0) && within(c->interval, 1) && c->ce_threshold >= 0;
    case LTCP_QUEUE_PIE:
        return within(c->target, 1) && within(c->interval, LTCP_MILLISECOND / 100) &&
               within(c->burst, 0) && c->alpha <= 1 << 30 && c->beta <= 1 << 30 &&
               c->ecn_threshold <= LTCP_CERTAIN;
    case LTCP_QUEUE_STEP: return c->step_time >= 0;
    default: /* DualPI2 */
        return c->ecn && within(c->target, 1) &&
               (c->interval == 0 || within(c->interval, LTCP_MILLISECOND / 100)) &&
               within(c->rtt_most, LTCP_MILLISECOND / 10) && within(c->ramp_start, 0) &&
               within(c->ramp_length, 0) && c->alpha <= 1 << 30 && c->beta <= 1 << 30 &&
               c->coupling >= 1 && c->coupling <= 1000 && c->classic_weight >= 2 &&
               c->classic_weight <= 1 << 20;
    }
}

/* ---- sojourn ----------------------------------------------------------------------------------
 */

unsigned sojourn_bin(uint64_t microseconds)
{
    unsigned octave = 0;
    for (unsigned step = 32; step > 0; step /= 2)
        if (microseconds >> octave >> step > 0) octave += step;
    const unsigned bin = 4 * (octave - 1) + (unsigned)(microseconds >> (octave - 2) & 3);
    return bin < LTCP_SOJOURN_BINS ? bin : LTCP_SOJOURN_BINS - 1;
}

/* Where the bin ends, in nanoseconds. */
static ltcp_time edge_of(unsigned bin)
{
    bin++;
    if (bin <= 4) return (ltcp_time)bin * MICROSECOND;
    return (ltcp_time)((4 + (uint64_t)(bin & 3)) << (bin / 4 - 1)) * MICROSECOND;
}

/* RFC9332:2.5.2.2-2, 2.5.2.2-3 */
ltcp_time ltcp_sojourn_percentile(const struct ltcp_sojourn *sojourn, unsigned percent)
{
    const uint64_t wanted = (sojourn->packets * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned bin = 0; bin < LTCP_SOJOURN_BINS - 1; bin++) {
        seen += sojourn->bins[bin];
        if (seen < wanted || seen == 0) continue;
        return edge_of(bin) < sojourn->greatest ? edge_of(bin) : sojourn->greatest;
    }
    return sojourn->greatest;
}
