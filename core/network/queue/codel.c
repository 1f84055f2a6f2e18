/* core/network/queue/codel.c - Controlled Delay, RFC 8289 section 5. */
#include "codel.h"

/* ---- the law ----------------------------------------------------------------------------------
 */

static uint64_t square_root(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit > 0; bit >>= 2) {
        if (n >= root + bit) {
            n -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

/* RFC8289:5.5-2. floor(interval / sqrt(count)) is floor(sqrt(floor(interval^2 / count))): exact
 * below 4.29 s, and to 2^-32 of itself above. */
ltcp_time codel_law(ltcp_time interval, uint32_t count)
{
    uint64_t length = (uint64_t)interval;
    unsigned shift = 0;
    while (length >> shift > UINT32_MAX)
        shift++;
    length >>= shift;
    return (ltcp_time)(square_root(length * length / count) << shift);
}

/* ---- section 5.6: dodequeue -------------------------------------------------------------------
 */

struct dodequeue_result {
    bool has_packet, ok_to_drop;
};

/* RFC8289:4.1-1, 4.3-2, 5.5-4; RFC8289:4.4-1: the occupancy of all flows together. */
static struct dodequeue_result dodequeue(struct codel *codel, struct aqm *aqm, struct fifo *fifo,
                                         ltcp_time now, struct waiting *out)
{
    struct dodequeue_result r = {false, false};
    if (fifo->packets == 0) {
        codel->first_above_time = LTCP_NEVER;
        return r;
    }
    fifo_pop(&aqm->backlog, fifo, out);
    r.has_packet = true;
    ltcp_time sojourn_time = now - out->passage.arrived;
    const bool is_small = aqm->backlog.bytes <= aqm->config.packet_size;
    if (sojourn_time < aqm->config.target || is_small)
        codel->first_above_time = LTCP_NEVER;
    else if (codel->first_above_time == LTCP_NEVER)
        codel->first_above_time = now + aqm->config.interval;
    else
        r.ok_to_drop = now >= codel->first_above_time;
    return r;
}

/* ---- section 5.5: dequeue ---------------------------------------------------------------------
 */

/* RFC8289:5.5-1, 5.5-2. In drop state: what is due is dropped, one after the other; a mark ends it,
 * as the packet goes out. */
static bool go_on_dropping(struct codel *codel, struct aqm *aqm, struct fifo *fifo, ltcp_time now,
                           struct waiting *out, struct dodequeue_result r)
{
    const ltcp_time interval = aqm->config.interval;
    if (!r.ok_to_drop) codel->dropping = false;
    while (codel->dropping && now >= codel->drop_next) {
        if (codel->count < UINT32_MAX) codel->count++;
        if (aqm_mark(aqm, out, false)) {
            codel->drop_next += codel_law(interval, codel->count);
            return true;
        }
        aqm_drop(aqm, out, LTCP_DROP_AQM, false);
        r = dodequeue(codel, aqm, fifo, now, out);
        if (!r.ok_to_drop)
            codel->dropping = false;
        else
            codel->drop_next += codel_law(interval, codel->count);
    }
    return r.has_packet;
}

/* The sojourn time was above the target for an interval. Close to the last time, the rate that
 * controlled the queue then is where to begin. RFC8289:5.5-3, 3.3-1, 4-1 */
static bool begin_dropping(struct codel *codel, struct aqm *aqm, struct fifo *fifo, ltcp_time now,
                           struct waiting *out)
{
    const ltcp_time interval = aqm->config.interval;
    struct dodequeue_result r = {true, true};
    if (!aqm_mark(aqm, out, false)) {
        aqm_drop(aqm, out, LTCP_DROP_AQM, false);
        r = dodequeue(codel, aqm, fifo, now, out);
    }
    codel->dropping = true;
    uint32_t delta = codel->count - codel->lastcount;
    const bool close = codel->drop_next != LTCP_NEVER && now - codel->drop_next < 16 * interval;
    codel->count = delta > 1 && close ? delta : 1;
    codel->drop_next = now + codel_law(interval, codel->count);
    codel->lastcount = codel->count;
    return r.has_packet;
}

bool codel_dequeue(struct codel *codel, struct aqm *aqm, struct fifo *fifo, ltcp_time now,
                   struct waiting *out)
{
    struct dodequeue_result r = dodequeue(codel, aqm, fifo, now, out);
    bool has_packet = r.has_packet;
    if (codel->dropping)
        has_packet = go_on_dropping(codel, aqm, fifo, now, out, r);
    else if (r.ok_to_drop)
        has_packet = begin_dropping(codel, aqm, fifo, now, out);
    /* RFC8290:5.2.7-1 */
    if (has_packet && now - out->passage.arrived > aqm->config.ce_threshold &&
        (out->packet->notes & LTCP_NOTE_CE_MARKED) == 0)
        aqm_mark(aqm, out, false);
    return has_packet;
}

void codel_start(struct codel *codel)
{
    *codel = (struct codel){.first_above_time = LTCP_NEVER, .drop_next = LTCP_NEVER};
}

void codel_digest(const struct codel *codel, struct digest *d, ltcp_time now)
{
    digest_time(d, now, codel->first_above_time);
    digest_time(d, now, codel->drop_next);
    digest_word(d, (uint64_t)codel->count << 32 | codel->lastcount);
    digest_word(d, codel->dropping);
}

/* ---- the queue by itself ----------------------------------------------------------------------
 */

static size_t state_size(const struct ltcp_queue_config *config)
{
    (void)config;
    return sizeof(struct codel);
}

static void start(struct aqm *aqm)
{
    codel_start(aqm->state);
}

static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    (void)at;
    fifo_push(&aqm->backlog, &aqm->waiting, waiting);
    return LTCP_DROP_NONE;
}

static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    return codel_dequeue(aqm->state, aqm, &aqm->waiting, at->now, out);
}

static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    codel_digest(aqm->state, d, now);
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    const struct codel *codel = aqm->state;
    (void)now;
    out->dropping = codel->dropping;
    out->count = codel->count;
}

const struct aqm_ops aqm_codel = {.state_size = state_size,
                                  .start = start,
                                  .enqueue = enqueue,
                                  .dequeue = dequeue,
                                  .take = aqm_take_waiting,
                                  .digest = digest,
                                  .state = state};
