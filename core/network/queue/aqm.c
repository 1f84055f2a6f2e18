/* core/network/queue/aqm.c - what all managed queues do alike: limits, marks, drops, counters. */
#include "aqm.h"
#include "network/share.h"
#include "lunatcp/wire.h"

/* RFC7567:4-1, 4.4-3 */
static const struct aqm_ops *const kinds[LTCP_QUEUE_KINDS] = {
    [LTCP_QUEUE_DROP_TAIL] = NULL,       [LTCP_QUEUE_RED] = &aqm_red,
    [LTCP_QUEUE_CODEL] = &aqm_codel,     [LTCP_QUEUE_FQ_CODEL] = &aqm_fq_codel,
    [LTCP_QUEUE_PIE] = &aqm_pie,         [LTCP_QUEUE_STEP] = &aqm_step,
    [LTCP_QUEUE_DUALPI2] = &aqm_dualpi2,
};

/* ---- begin and end ----------------------------------------------------------------------------
 */

bool aqm_is_other(const struct aqm *aqm, const struct ltcp_queue_config *config)
{
    if (aqm->ops != kinds[config->kind]) return true;
    return config->kind == LTCP_QUEUE_FQ_CODEL && aqm->config.flows != config->flows;
}

bool aqm_configure(struct aqm *aqm, const struct ltcp_allocator *allocator,
                   const struct ltcp_queue_config *config)
{
    const struct aqm_ops *ops = kinds[config->kind];
    if (aqm->allocator != NULL && !aqm_is_other(aqm, config)) {
        aqm->config = *config;
        return true;
    }
    size_t size = ops == NULL ? 0 : ops->state_size(config);
    void *state = NULL;
    if (size > 0) {
        state = memory_take(allocator, size);
        if (state == NULL) return false;
    }
    memory_give(allocator, aqm->state, aqm->state_size);
    if (aqm->allocator == NULL) aqm->waiting = aqm->dropped = fifo_empty();
    aqm->allocator = allocator;
    aqm->ops = ops;
    aqm->config = *config;
    aqm->state = state;
    aqm->state_size = size;
    if (ops != NULL) ops->start(aqm);
    return true;
}

void aqm_seed(struct aqm *aqm, uint64_t seed, uint64_t stream)
{
    aqm->seed = seed;
    aqm->stream = stream ^ ltcp_random_stream("queue");
    const uint64_t salt = stream ^ ltcp_random_stream("queue salt");
    aqm->salt =
        (struct ltcp_siphash_key){ltcp_random_at(seed, salt, 0), ltcp_random_at(seed, salt, 1)};
}

void aqm_free(struct aqm *aqm)
{
    struct waiting waiting;
    while (aqm->ops != NULL && aqm->ops->take(aqm, &waiting))
        ltcp_packet_unref(waiting.packet);
    while (aqm_next_dropped(aqm, &waiting))
        ltcp_packet_unref(waiting.packet);
    backlog_free(&aqm->backlog, aqm->allocator);
    memory_give(aqm->allocator, aqm->state, aqm->state_size);
}

/* ---- in and out -------------------------------------------------------------------------------
 */

uint8_t packet_ecn(const struct ltcp_packet *packet)
{
    if (packet->head_length < 20) return LTCP_ECN_NOT_ECT;
    switch (packet->head[0] >> 4) {
    case 4: return packet->head[1] & 3;
    case 6: return packet->head[1] >> 4 & 3;
    default: return LTCP_ECN_NOT_ECT;
    }
}

/* RFC7567:4.2.1-5, 4.6-1 */
bool aqm_is_full(const struct aqm *aqm, const struct aqm_moment *at, uint32_t length)
{
    const struct ltcp_path_config *path = at->path;
    if (path->queue_packets > 0 && aqm->backlog.packets >= path->queue_packets) return true;
    const uint32_t most = path->queue_bytes > 0 ? path->queue_bytes : UINT32_MAX;
    return aqm->backlog.bytes > most || length > most - aqm->backlog.bytes;
}

enum ltcp_drop aqm_enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    if (!aqm->ops->limits && aqm_is_full(aqm, at, waiting->length)) {
        aqm->counters->overflow++;
        return LTCP_DROP_QUEUE;
    }
    if (!backlog_reserve(&aqm->backlog, aqm->allocator)) return LTCP_DROP_MEMORY;
    waiting->ecn = packet_ecn(waiting->packet);
    waiting->passage.arrived = at->now;
    aqm->newest = aqm->clock = at->now;
    return aqm->ops->enqueue(aqm, at, waiting);
}

bool aqm_dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    aqm->clock = at->now;
    return aqm->ops->dequeue(aqm, at, out);
}

bool aqm_next_dropped(struct aqm *aqm, struct waiting *out)
{
    if (aqm->dropped.packets == 0) return false;
    aqm->backlog.packets++;
    aqm->backlog.bytes += fifo_head(&aqm->backlog, &aqm->dropped)->length;
    fifo_pop(&aqm->backlog, &aqm->dropped, out);
    return true;
}

/* ---- marks and drops --------------------------------------------------------------------------
 */

bool packet_set_ce(struct ltcp_packet **packet)
{
    if ((*packet)->refs > 1) {
        struct ltcp_packet *own = packet_share(*packet);
        if (own == NULL) return false;
        ltcp_packet_unref(*packet);
        *packet = own;
    }
    ltcp_ip_set_ecn(*packet, LTCP_ECN_CE);
    (*packet)->notes |= LTCP_NOTE_CE_MARKED;
    return true;
}

/* RFC7567:4.2.1-1, 4.5-1: by the IP header alone. */
bool aqm_mark(struct aqm *aqm, struct waiting *waiting, bool l4s)
{
    if (!aqm->config.ecn || waiting->ecn == LTCP_ECN_NOT_ECT) return false;
    if (!packet_set_ce(&waiting->packet)) return false;
    aqm->counters->marked++;
    aqm->counters->marked_of[l4s]++;
    return true;
}

static void count_early(struct ltcp_queue_counters *counters, uint8_t ecn, bool l4s)
{
    counters->early++;
    counters->early_of[l4s]++;
    if (ecn != LTCP_ECN_NOT_ECT) counters->early_ect_of[l4s]++;
}

void aqm_drop(struct aqm *aqm, const struct waiting *waiting, enum ltcp_drop reason, bool l4s)
{
    struct waiting dropped = *waiting;
    dropped.reason = (uint8_t)reason;
    fifo_push(&aqm->backlog, &aqm->dropped, &dropped); /* into the place that it has just left */
    aqm->backlog.packets--;
    aqm->backlog.bytes -= dropped.length;
    if (reason == LTCP_DROP_QUEUE) {
        aqm->counters->overflow++;
        return;
    }
    count_early(aqm->counters, dropped.ecn, l4s);
}

enum ltcp_drop aqm_refuse(struct aqm *aqm, const struct waiting *waiting)
{
    count_early(aqm->counters, waiting->ecn, false);
    return LTCP_DROP_AQM;
}

bool aqm_draw(const struct aqm *aqm, const struct waiting *waiting, uint64_t probability,
              unsigned bits)
{
    const uint64_t index = waiting->passage.index ^ (uint64_t)waiting->passage.order << 48;
    return ltcp_random_at(aqm->seed, aqm->stream, index) >> (64 - bits) < probability;
}

size_t aqm_no_state(const struct ltcp_queue_config *config)
{
    (void)config;
    return 0;
}

bool aqm_take_waiting(struct aqm *aqm, struct waiting *out)
{
    if (aqm->waiting.packets == 0) return false;
    fifo_pop(&aqm->backlog, &aqm->waiting, out);
    return true;
}

/* ---- digest -----------------------------------------------------------------------------------
 */

static void digest_config(struct digest *d, const struct ltcp_queue_config *c)
{
    const uint64_t figures[] = {(uint64_t)c->kind << 8 | (uint64_t)c->ecn << 4 |
                                    (uint64_t)c->in_bytes << 3 | (uint64_t)c->gentle << 2 |
                                    (uint64_t)c->derandomize << 1 | c->drop_not_ect,
                                (uint64_t)c->target,
                                (uint64_t)c->interval,
                                (uint64_t)c->ce_threshold,
                                (uint64_t)c->packet_size << 32 | c->quantum,
                                c->flows,
                                (uint64_t)c->min_threshold << 32 | c->max_threshold,
                                c->weight,
                                c->max_probability,
                                (uint64_t)c->alpha << 32 | c->beta,
                                (uint64_t)c->burst,
                                c->ecn_threshold,
                                (uint64_t)c->step_packets << 32 | c->step_bytes,
                                (uint64_t)c->step_time,
                                (uint64_t)c->rtt_most,
                                (uint64_t)c->ramp_start,
                                (uint64_t)c->ramp_length,
                                (uint64_t)c->ramp_packets << 32 | c->coupling,
                                c->classic_weight};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        digest_word(d, figures[i]);
}

void aqm_digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    if (aqm->ops == NULL) return;
    digest_config(d, &aqm->config);
    if (aqm->ops->by_lot || aqm->ops->has_salt) {
        digest_word(d, aqm->seed);
        digest_word(d, aqm->stream);
    }
    fifo_digest(&aqm->backlog, &aqm->waiting, d, now);
    fifo_digest(&aqm->backlog, &aqm->dropped, d, now);
    aqm->ops->digest(aqm, d, now);
}
