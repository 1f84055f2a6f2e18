/* core/network/queue/fq_codel.c - Flow Queue CoDel, RFC 8290: a queue and a CoDel for each flow,
 * served by deficit round robin, new flows before old ones. */
#include "codel.h"
#include "lunatcp/wire.h"

#define NO_FLOW UINT32_MAX

enum flow_place { FLOW_EMPTY, FLOW_NEW, FLOW_OLD };

struct flow {
    struct fifo fifo;
    struct codel codel;
    int64_t credits;
    uint32_t next; /* in its list */
    uint8_t place; /* enum flow_place */
};

struct flow_list {
    uint32_t head, tail, count;
};

struct fq_codel {
    struct flow_list new_flows, old_flows;
    uint32_t count;
    struct flow flows[];
};

static size_t state_size(const struct ltcp_queue_config *config)
{
    return sizeof(struct fq_codel) + config->flows * sizeof(struct flow);
}

/* RFC8290:5.2.5-1 */
static void start(struct aqm *aqm)
{
    struct fq_codel *fq = aqm->state;
    fq->new_flows = fq->old_flows = (struct flow_list){NO_FLOW, NO_FLOW, 0};
    fq->count = aqm->config.flows;
    for (uint32_t i = 0; i < fq->count; i++) {
        fq->flows[i] = (struct flow){.fifo = fifo_empty(), .next = NO_FLOW};
        codel_start(&fq->flows[i].codel);
    }
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static void append(struct fq_codel *fq, struct flow_list *list, uint32_t flow,
                   enum flow_place place)
{
    fq->flows[flow].next = NO_FLOW;
    fq->flows[flow].place = (uint8_t)place;
    if (list->count == 0)
        list->head = flow;
    else
        fq->flows[list->tail].next = flow;
    list->tail = flow;
    list->count++;
}

static uint32_t remove_first(struct fq_codel *fq, struct flow_list *list)
{
    const uint32_t flow = list->head;
    list->head = fq->flows[flow].next;
    list->count--;
    fq->flows[flow].place = FLOW_EMPTY;
    return flow;
}

/* ---- section 4.1: enqueue ---------------------------------------------------------------------
 */

/* By protocol, addresses and ports where there are some; what is no IP packet is one flow.
 * RFC8290:4.1-1, 4.1-2, 4.1.1-1 */
static uint32_t classify(const struct aqm *aqm, const struct ltcp_packet *packet)
{
    const struct fq_codel *fq = aqm->state;
    uint8_t key[40] = {0};
    struct ltcp_ip ip;
    const enum ltcp_status status = ltcp_ip_decode(packet, &ip);
    if (status == LTCP_OK || status == LTCP_ERR_FRAGMENT) {
        memcpy(key, ip.source.bytes, 16);
        memcpy(key + 16, ip.destination.bytes, 16);
        key[32] = ip.protocol;
        const bool has_ports = ip.protocol == LTCP_PROTOCOL_TCP || ip.protocol == LTCP_PROTOCOL_UDP;
        if (has_ports && ip.fragment_offset == 0 && packet->head_length >= ip.header_length + 4)
            memcpy(key + 36, packet->head + ip.header_length, 4);
    }
    return (uint32_t)(ltcp_siphash(&aqm->salt, key, sizeof key) % fq->count);
}

/* Half of the packets of the queue with the most octets, at most 64, from its head. RFC8290:4.1-4
 */
static void drop_from_fattest(struct aqm *aqm)
{
    struct fq_codel *fq = aqm->state;
    uint32_t fattest = 0;
    for (uint32_t i = 1; i < fq->count; i++)
        if (fq->flows[i].fifo.bytes > fq->flows[fattest].fifo.bytes) fattest = i;
    struct fifo *fifo = &fq->flows[fattest].fifo;
    uint32_t count = (fifo->packets + 1) / 2;
    if (count > 64) count = 64;
    struct waiting waiting;
    for (; count > 0; count--) {
        fifo_pop(&aqm->backlog, fifo, &waiting);
        aqm_drop(aqm, &waiting, LTCP_DROP_QUEUE, false);
    }
}

/* RFC8290:5.2.3-1 */
static bool is_over_limit(const struct aqm *aqm, const struct ltcp_path_config *path)
{
    return (path->queue_packets > 0 && aqm->backlog.packets > path->queue_packets) ||
           (path->queue_bytes > 0 && aqm->backlog.bytes > path->queue_bytes);
}

/* RFC8290:4.1-3 */
static enum ltcp_drop enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting)
{
    struct fq_codel *fq = aqm->state;
    if (waiting->length > UINT32_MAX - aqm->backlog.bytes) {
        aqm->counters->overflow++;
        return LTCP_DROP_QUEUE;
    }
    const uint32_t number = classify(aqm, waiting->packet);
    struct flow *flow = &fq->flows[number];
    fifo_push(&aqm->backlog, &flow->fifo, waiting);
    if (flow->place == FLOW_EMPTY) {
        append(fq, &fq->new_flows, number, FLOW_NEW);
        flow->credits = aqm->config.quantum;
        aqm->counters->new_flows++;
    }
    while (is_over_limit(aqm, at->path))
        drop_from_fattest(aqm);
    return LTCP_DROP_NONE;
}

/* ---- section 4.2: dequeue ---------------------------------------------------------------------
 */

/* RFC8290:3-1, 4.2-1, 4.2-2, 4.2-3, RFC8289:1-1 */
static bool dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out)
{
    struct fq_codel *fq = aqm->state;
    for (;;) {
        const bool is_new = fq->new_flows.count > 0;
        struct flow_list *list = is_new ? &fq->new_flows : &fq->old_flows;
        if (list->count == 0) return false;
        struct flow *flow = &fq->flows[list->head];
        if (flow->credits <= 0) {
            flow->credits += aqm->config.quantum;
            append(fq, &fq->old_flows, remove_first(fq, list), FLOW_OLD);
            continue;
        }
        if (codel_dequeue(&flow->codel, aqm, &flow->fifo, at->now, out)) {
            flow->credits -= out->length;
            return true;
        }
        /* A new flow that is empty goes through the old ones first, or it could starve them. */
        const uint32_t emptied = remove_first(fq, list);
        if (is_new) append(fq, &fq->old_flows, emptied, FLOW_OLD);
    }
}

static bool take(struct aqm *aqm, struct waiting *out)
{
    struct fq_codel *fq = aqm->state;
    for (;;) {
        struct flow_list *list = fq->new_flows.count > 0 ? &fq->new_flows : &fq->old_flows;
        if (list->count == 0) return false;
        struct flow *flow = &fq->flows[list->head];
        if (flow->fifo.packets > 0) {
            fifo_pop(&aqm->backlog, &flow->fifo, out);
            return true;
        }
        remove_first(fq, list);
    }
}

/* ---- what is told -----------------------------------------------------------------------------
 */

/* Flows that are empty have a CoDel that remembers. */
static void digest(const struct aqm *aqm, struct digest *d, ltcp_time now)
{
    const struct fq_codel *fq = aqm->state;
    for (uint32_t i = 0; i < fq->count; i++) {
        const struct flow *flow = &fq->flows[i];
        const bool is_fresh =
            flow->codel.drop_next == LTCP_NEVER && flow->codel.first_above_time == LTCP_NEVER;
        if (flow->place == FLOW_EMPTY && is_fresh) continue;
        digest_word(d, (uint64_t)i << 8 | flow->place);
        digest_word(d, flow->place == FLOW_EMPTY ? 0 : (uint64_t)flow->credits);
        codel_digest(&flow->codel, d, now);
        fifo_digest(&aqm->backlog, &flow->fifo, d, now);
    }
    for (uint32_t i = 0, at = fq->new_flows.head; i < fq->new_flows.count; i++) {
        digest_word(d, at);
        at = fq->flows[at].next;
    }
    for (uint32_t i = 0, at = fq->old_flows.head; i < fq->old_flows.count; i++) {
        digest_word(d, at);
        at = fq->flows[at].next;
    }
}

static void state(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out)
{
    const struct fq_codel *fq = aqm->state;
    (void)now;
    out->flows_new = fq->new_flows.count;
    out->flows_old = fq->old_flows.count;
    for (uint32_t i = 0; i < fq->count; i++) {
        if (fq->flows[i].codel.count > out->count) out->count = fq->flows[i].codel.count;
        if (fq->flows[i].codel.dropping) out->dropping = true;
    }
}

const struct aqm_ops aqm_fq_codel = {.state_size = state_size,
                                     .start = start,
                                     .enqueue = enqueue,
                                     .dequeue = dequeue,
                                     .take = take,
                                     .digest = digest,
                                     .state = state,
                                     .limits = true,
                                     .has_salt = true};
