/* core/network/queue/step.c - marking by a threshold, RFC 8257 section 3.1: a packet that finds
 * more than the threshold in the queue is marked; or, with a threshold of time, one that has waited
 * longer. */
#include "aqm.h"

static void start(struct aqm *aqm)
{
    (void)aqm;
}

static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    const struct ltcp_queue_config *config = &aqm->config;
    (void)at;
    const bool over =
        (config->step_packets != LTCP_STEP_OFF && aqm->backlog.packets > config->step_packets) ||
        (config->step_bytes != LTCP_STEP_OFF && aqm->backlog.bytes > config->step_bytes);
    if (over && !aqm_mark(aqm, waiting, false) && config->drop_not_ect)
        return aqm_refuse(aqm, waiting);
    fifo_push(&aqm->backlog, &aqm->waiting, waiting);
    return LTCP_DROP_NONE;
}

static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    const struct ltcp_queue_config *config = &aqm->config;
    while (aqm_take_waiting(aqm, out)) {
        if (at->now - out->passage.arrived <= config->step_time) return true;
        const bool is_marked = (out->packet->notes & LTCP_NOTE_CE_MARKED) != 0;
        if (is_marked || aqm_mark(aqm, out, false) || !config->drop_not_ect) return true;
        aqm_drop(aqm, out, LTCP_DROP_AQM, false);
    }
    return false;
}

static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    (void)aqm;
    (void)d;
    (void)now;
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    (void)aqm;
    (void)now;
    (void)out;
}

const struct aqm_ops aqm_step = {.state_size = aqm_no_state,
                                 .start = start,
                                 .enqueue = enqueue,
                                 .dequeue = dequeue,
                                 .take = aqm_take_waiting,
                                 .digest = digest,
                                 .state = state};
