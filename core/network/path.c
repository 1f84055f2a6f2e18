/* core/network/path.c - one direction of a link: chances, queue, delay. */
#include "path.h"
#include "delay_line.h"
#include "impairment.h"
#include "queue.h"
#include "share.h"
#include "queue/aqm.h"
#include "lunatcp/wire.h"

/* 18 years: sums of a few such times stay within the type. */
#define GREATEST_TIME   (LTCP_NEVER / 16)
#define MOST_DUPLICATES 1000

struct ltcp_path {
    struct ltcp_pool *pool;
    const struct ltcp_allocator *allocator;
    struct ltcp_path_config config; /* its arrays are the path's own */
    struct impairment chances;
    struct queue queue; /* drop-tail, and the rate of any other kind */
    struct aqm aqm;
    uint64_t served; /* serial of the packet that the managed queue let go last */
    struct delay_line line;
    ltcp_time last_release; /* of packets that keep their order, under this configuration */
    bool up;
    bool does_nothing; /* by its configuration: neither delay nor rate nor chances */
    struct ltcp_path_counters counters;
};

/* ---- configuration ----------------------------------------------------------------------------
 */

static bool is_time(ltcp_time time)
{
    return time >= 0 && time <= GREATEST_TIME;
}

static bool opportunities_are_valid(const struct ltcp_path_config *config)
{
    if (config->opportunity_count == 0) return true;
    if (config->opportunities == NULL) return false;
    for (size_t i = 1; i < config->opportunity_count; i++)
        if (config->opportunities[i] < config->opportunities[i - 1]) return false;
    /* The last entry is the length of the trace, and must not stand still. */
    return config->opportunities[config->opportunity_count - 1] > 0;
}

static bool losses_are_valid(const struct ltcp_path_config *config)
{
    switch (config->loss_model) {
    case LTCP_LOSS_NONE: return true;
    case LTCP_LOSS_BERNOULLI: return config->loss <= LTCP_CERTAIN;
    case LTCP_LOSS_GILBERT:
        return config->gilbert_bad <= LTCP_CERTAIN && config->gilbert_good <= LTCP_CERTAIN &&
               config->gilbert_loss_good <= LTCP_CERTAIN &&
               config->gilbert_loss_bad <= LTCP_CERTAIN;
    case LTCP_LOSS_LIST:
        if (config->loss_count > 0 && config->loss_list == NULL) return false;
        for (size_t i = 1; i < config->loss_count; i++)
            if (config->loss_list[i] <= config->loss_list[i - 1]) return false;
        return true;
    case LTCP_LOSS_PERIODIC:
        if (config->loss_count == 0 || config->loss_pattern == NULL) return false;
        for (size_t i = 0; i < config->loss_count; i++)
            if (config->loss_pattern[i] > 1) return false;
        return true;
    }
    return false;
}

static bool config_is_valid(const struct ltcp_path_config *config)
{
    return is_time(config->delay) && is_time(config->jitter) && is_time(config->reorder_delay) &&
           config->rate <= (uint64_t)INT64_MAX && config->duplicate <= LTCP_CERTAIN &&
           config->corrupt <= LTCP_CERTAIN && config->reorder <= LTCP_CERTAIN &&
           config->mark <= LTCP_CERTAIN && queue_config_is_valid(&config->queue) &&
           opportunities_are_valid(config) && losses_are_valid(config);
}

static bool takes_chances(const struct ltcp_path_config *config)
{
    return config->loss_model != LTCP_LOSS_NONE || config->jitter > 0 || config->duplicate > 0 ||
           config->corrupt > 0 || config->reorder > 0 || config->mark > 0;
}

static bool does_nothing(const struct ltcp_path_config *config)
{
    return !takes_chances(config) && !queue_has_rate(config) && config->delay == 0 &&
           config->mtu == 0;
}

static void free_arrays(const struct ltcp_allocator *allocator, struct ltcp_path_config *config)
{
    memory_give(allocator, (void *)config->opportunities,
                config->opportunity_count * sizeof *config->opportunities);
    memory_give(allocator, (void *)config->loss_list,
                config->loss_count * sizeof *config->loss_list);
    memory_give(allocator, (void *)config->loss_pattern, config->loss_count);
}

static bool copy_array(const struct ltcp_allocator *allocator, const void *from, size_t size,
                       void **out)
{
    if (size == 0) return true;
    *out = memory_take(allocator, size);
    if (*out == NULL) return false;
    memcpy(*out, from, size);
    return true;
}

/* A configuration with arrays of its own, and only those that count. */
static bool copy_config(const struct ltcp_allocator *allocator, const struct ltcp_path_config *from,
                        struct ltcp_path_config *to)
{
    bool list = from->loss_model == LTCP_LOSS_LIST;
    bool periodic = from->loss_model == LTCP_LOSS_PERIODIC;
    void *opportunities = NULL, *losses = NULL, *pattern = NULL;
    bool copied =
        copy_array(allocator, from->opportunities,
                   from->opportunity_count * sizeof *from->opportunities, &opportunities) &&
        copy_array(allocator, from->loss_list,
                   list ? from->loss_count * sizeof *from->loss_list : 0, &losses) &&
        copy_array(allocator, from->loss_pattern, periodic ? from->loss_count : 0, &pattern);
    *to = *from;
    to->opportunities = opportunities;
    to->loss_list = losses;
    to->loss_pattern = pattern;
    if (!list && !periodic) to->loss_count = 0;
    if (copied) return true;
    free_arrays(allocator, to);
    return false;
}

enum ltcp_status ltcp_path_create(struct ltcp_pool *pool, const struct ltcp_path_config *config,
                                  struct ltcp_path **out)
{
    if (!config_is_valid(config)) return LTCP_ERR_INVALID;
    const struct ltcp_allocator *allocator = ltcp_pool_allocator(pool);
    struct ltcp_path *path = memory_take(allocator, sizeof *path);
    if (path == NULL) return LTCP_ERR_NO_MEMORY;
    path->pool = pool;
    path->allocator = allocator;
    path->up = true;
    path->queue.origin = LTCP_NEVER;
    path->queue.busy_until = INT64_MIN;
    path->last_release = INT64_MIN;
    path->aqm.counters = &path->counters.queue;
    aqm_seed(&path->aqm, config->seed, config->stream);
    if (!copy_config(allocator, config, &path->config)) {
        memory_give(allocator, path, sizeof *path);
        return LTCP_ERR_NO_MEMORY;
    }
    if (!aqm_configure(&path->aqm, allocator, &config->queue)) {
        free_arrays(allocator, &path->config);
        memory_give(allocator, path, sizeof *path);
        return LTCP_ERR_NO_MEMORY;
    }
    path->does_nothing = does_nothing(config);
    impairment_seed(&path->chances, config->seed, config->stream);
    *out = path;
    return LTCP_OK;
}

void ltcp_path_destroy(struct ltcp_path *path)
{
    if (path == NULL) return;
    const struct ltcp_allocator *allocator = path->allocator;
    delay_line_free(&path->line, allocator);
    queue_free(&path->queue, allocator);
    aqm_free(&path->aqm);
    free_arrays(allocator, &path->config);
    memory_give(allocator, path, sizeof *path);
}

static void let_go(struct ltcp_path *path, struct waiting *waiting, ltcp_time now);

/* A queue of another kind begins anew: what waits gets its place on the wire now. */
static bool configure_queue(struct ltcp_path *path, const struct ltcp_path_config *config)
{
    struct aqm *aqm = &path->aqm;
    struct waiting waiting;
    if (aqm->ops != NULL && aqm_is_other(aqm, &config->queue))
        while (aqm->ops->take(aqm, &waiting))
            let_go(path, &waiting, aqm->newest);
    return aqm_configure(aqm, path->allocator, &config->queue);
}

static bool same_rate(const struct ltcp_path_config *a, const struct ltcp_path_config *b)
{
    if (a->opportunity_count != b->opportunity_count) return false;
    if (a->opportunity_count == 0) return a->rate == b->rate;
    return memcmp(a->opportunities, b->opportunities,
                  a->opportunity_count * sizeof *a->opportunities) == 0;
}

enum ltcp_status ltcp_path_configure(struct ltcp_path *path, const struct ltcp_path_config *config)
{
    if (!config_is_valid(config)) return LTCP_ERR_INVALID;
    struct ltcp_path_config old = path->config, copy;
    if (!copy_config(path->allocator, config, &copy)) return LTCP_ERR_NO_MEMORY;
    if (copy.seed == 0) {
        copy.seed = old.seed;
        copy.stream = old.stream;
    }
    if (!configure_queue(path, &copy)) {
        free_arrays(path->allocator, &copy);
        return LTCP_ERR_NO_MEMORY;
    }
    if (!same_rate(&old, &copy)) queue_restart(&path->queue);
    if (old.loss_model != copy.loss_model) path->chances.bad = false;
    path->last_release = INT64_MIN;
    path->config = copy;
    path->does_nothing = does_nothing(&copy);
    impairment_seed(&path->chances, copy.seed, copy.stream);
    aqm_seed(&path->aqm, copy.seed, copy.stream);
    free_arrays(path->allocator, &old);
    return LTCP_OK;
}

const struct ltcp_path_config *ltcp_path_configuration(const struct ltcp_path *path)
{
    return &path->config;
}

void ltcp_path_set_up(struct ltcp_path *path, bool up)
{
    path->up = up;
}

void path_set_origin(struct ltcp_path *path, ltcp_time origin)
{
    path->queue.origin = origin;
}

const struct ltcp_path_counters *ltcp_path_counters(const struct ltcp_path *path)
{
    return &path->counters;
}

/* ---- in ---------------------------------------------------------------------------------------
 */

static void count_queue(struct ltcp_path *path)
{
    struct ltcp_path_counters *c = &path->counters;
    c->queued_packets = path->queue.departures.count + path->aqm.backlog.packets;
    c->queued_bytes = path->queue.bytes + path->aqm.backlog.bytes;
    if (c->queued_packets > c->greatest_queue_packets)
        c->greatest_queue_packets = c->queued_packets;
    if (c->queued_bytes > c->greatest_queue_bytes) c->greatest_queue_bytes = c->queued_bytes;
}

static ltcp_time release_time(struct ltcp_path *path, const struct passage *passage,
                              ltcp_time departure, bool *held)
{
    const struct ltcp_path_config *config = &path->config;
    ltcp_time release = departure + config->delay +
                        impairment_jitter(&path->chances, config->jitter, passage->index);
    *held = passage->extra > 0 || (config->jitter > 0 && config->jitter_reorders);
    if (*held) return release + passage->extra;
    if (release < path->last_release) release = path->last_release;
    path->last_release = release;
    return release;
}

/* Past the queue, with its last bit leaving at `departure`. Takes over the reference unless there
 * is no memory. */
static inline bool propagate(struct ltcp_path *path, struct ltcp_packet *packet,
                             const struct passage *passage, ltcp_time departure)
{
    bool held;
    struct delayed delayed = {
        .release = release_time(path, passage, departure, &held),
        .serial = passage->serial,
        .packet = packet,
        .order = passage->order,
        .reason = passage->lost ? LTCP_DROP_LOSS : LTCP_DROP_NONE,
    };
    return delay_line_add(&path->line, path->allocator, &delayed, held);
}

/* A packet leaves the managed queue at `now`, or as soon as the link is free. */
static void let_go(struct ltcp_path *path, struct waiting *waiting, ltcp_time now)
{
    const ltcp_time departure = queue_depart(&path->queue, &path->config, now, waiting->length);
    path->served = waiting->passage.serial;
    if (propagate(path, waiting->packet, &waiting->passage, departure)) return;
    path->counters.dropped[LTCP_DROP_MEMORY]++;
    ltcp_packet_unref(waiting->packet);
}

static struct aqm_moment moment(const struct ltcp_path *path, ltcp_time now)
{
    return (struct aqm_moment){now, path->queue.busy_until, &path->config};
}

/* Lets the managed queue's packets go whose turn has come by `now`. */
static void serve(struct ltcp_path *path, ltcp_time now)
{
    struct aqm *aqm = &path->aqm;
    struct waiting waiting;
    while (aqm->backlog.packets > 0 && path->queue.busy_until <= now) {
        /* While packets wait the link is busy, unless one has only just come. */
        ltcp_time free = path->queue.busy_until;
        if (free < aqm->newest) free = aqm->newest;
        const struct aqm_moment at = moment(path, free);
        const uint64_t marked = path->counters.queue.marked;
        const bool leaves = aqm_dequeue(aqm, &at, &waiting);
        path->counters.marked += path->counters.queue.marked - marked;
        if (!leaves) break;
        const bool is_l4s = path->config.queue.kind == LTCP_QUEUE_DUALPI2 && waiting.ecn % 2 == 1;
        sojourn_count(&path->counters.queue.sojourn[is_l4s], free - waiting.passage.arrived);
        path->counters.queue.bytes_of[is_l4s] += waiting.length;
        let_go(path, &waiting, free);
    }
    count_queue(path);
}

/* Takes over the reference if it returns LTCP_DROP_NONE; otherwise *packet may be another one, in
 * which CE was set. */
static enum ltcp_drop admit_managed(struct ltcp_path *path, struct ltcp_packet **packet,
                                    const struct passage *passage)
{
    const ltcp_time now = passage->arrived;
    struct waiting waiting = {
        .packet = *packet, .passage = *passage, .length = (uint32_t)ltcp_packet_length(*packet)};
    queue_advance(&path->queue, now);
    serve(path, now);
    const struct aqm_moment at = moment(path, now);
    const uint64_t marked = path->counters.queue.marked;
    const enum ltcp_drop drop = aqm_enqueue(&path->aqm, &at, &waiting);
    path->counters.marked += path->counters.queue.marked - marked;
    *packet = waiting.packet;
    if (drop != LTCP_DROP_NONE) return drop;
    count_queue(path);
    serve(path, now);
    return LTCP_DROP_NONE;
}

/* Takes over the reference if it returns LTCP_DROP_NONE. */
static enum ltcp_drop admit_drop_tail(struct ltcp_path *path, struct ltcp_packet *packet,
                                      const struct passage *passage)
{
    const ltcp_time now = passage->arrived, free = path->queue.busy_until;
    ltcp_time departure;
    enum ltcp_drop drop = queue_enter(&path->queue, path->allocator, &path->config, now,
                                      (uint32_t)ltcp_packet_length(packet), &departure);
    if (drop == LTCP_DROP_QUEUE) path->counters.queue.overflow++;
    if (drop != LTCP_DROP_NONE) return drop;
    if (queue_has_rate(&path->config))
        sojourn_count(&path->counters.queue.sojourn[0], free > now ? free - now : 0);
    count_queue(path);
    return propagate(path, packet, passage, departure) ? LTCP_DROP_NONE : LTCP_DROP_MEMORY;
}

static bool is_managed(const struct ltcp_path *path)
{
    return path->aqm.ops != NULL &&
           (queue_has_rate(&path->config) || path->aqm.backlog.packets > 0);
}

static ltcp_time bounded(ltcp_time time)
{
    return time < 0 ? 0 : time > GREATEST_TIME ? GREATEST_TIME : time;
}

/* A reference to the packet as it goes on: with the notes and the wrong bits it gets here. */
static struct ltcp_packet *impaired(struct ltcp_path *path, struct ltcp_packet *packet,
                                    uint32_t bits, uint8_t notes, uint64_t index)
{
    if (bits == 0 && notes == 0) return ltcp_packet_ref(packet);
    struct ltcp_packet *changed =
        bits > 0 ? impairment_corrupt(&path->chances, packet, bits, index) : packet_share(packet);
    if (changed == NULL) return NULL;
    changed->notes |= notes;
    if (bits > 0) path->counters.corrupted++;
    if (notes & LTCP_NOTE_DELAYED) path->counters.delayed++;
    if (notes & LTCP_NOTE_DUPLICATE) path->counters.duplicated++;
    return changed;
}

static enum ltcp_drop send_one(struct ltcp_path *path, struct ltcp_packet *packet, uint32_t bits,
                               uint8_t notes, const struct passage *passage)
{
    if (passage->extra > 0) notes |= LTCP_NOTE_DELAYED;
    struct ltcp_packet *sent = impaired(path, packet, bits, notes, passage->index);
    if (sent == NULL) return LTCP_DROP_MEMORY;
    if (passage->mark && packet_ecn(sent) != LTCP_ECN_NOT_ECT && packet_set_ce(&sent))
        path->counters.marked++;
    enum ltcp_drop drop = is_managed(path) ? admit_managed(path, &sent, passage)
                                           : admit_drop_tail(path, sent, passage);
    if (drop != LTCP_DROP_NONE) ltcp_packet_unref(sent);
    return drop;
}

/* Past the losses: the packet, then its copies. */
static enum ltcp_drop send_all(struct ltcp_path *path, struct ltcp_packet *packet,
                               const struct ltcp_fate *fate, struct passage *passage)
{
    const struct ltcp_path_config *config = &path->config;
    const struct impairment *chances = &path->chances;
    uint64_t index = passage->index;
    uint32_t bits = fate->corrupt_bits, copies = fate->duplicates;
    if (impairment_draw(chances, PURPOSE_CORRUPT, index, config->corrupt) && bits == 0)
        bits = config->corrupt_bits > 0 ? config->corrupt_bits : 1;
    if (copies > MOST_DUPLICATES) copies = MOST_DUPLICATES;
    if (impairment_draw(chances, PURPOSE_DUPLICATE, index, config->duplicate)) copies++;
    passage->mark = fate->mark || impairment_draw(chances, PURPOSE_MARK, index, config->mark);
    passage->extra = bounded(fate->delay);
    if (impairment_draw(chances, PURPOSE_REORDER, index, config->reorder))
        passage->extra += config->reorder_delay;

    enum ltcp_drop drop = send_one(path, packet, bits, 0, passage);
    if (drop != LTCP_DROP_NONE) return drop;
    passage->extra += bounded(fate->duplicate_delay);
    for (passage->order = 1; passage->order <= copies; passage->order++) {
        drop = send_one(path, packet, 0, LTCP_NOTE_DUPLICATE, passage);
        if (drop != LTCP_DROP_NONE) path->counters.dropped[drop]++;
    }
    return LTCP_DROP_NONE;
}

/* What a packet meets first; LTCP_DROP_NONE: it may go on. */
static enum ltcp_drop entrance(const struct ltcp_path *path, const struct ltcp_packet *packet,
                               const struct ltcp_fate *forced)
{
    if (!path->up) return LTCP_DROP_DOWN;
    if (path->config.mtu > 0 && ltcp_packet_length(packet) > path->config.mtu) return LTCP_DROP_MTU;
    return forced != NULL && forced->drop ? LTCP_DROP_RULE : LTCP_DROP_NONE;
}

enum ltcp_drop ltcp_path_push(struct ltcp_path *path, ltcp_time now, struct ltcp_packet *packet,
                              const struct ltcp_fate *forced, uint64_t serial)
{
    static const struct ltcp_fate untouched = {0};
    struct passage passage = {.arrived = now, .serial = serial, .index = ++path->counters.packets};
    path->counters.bytes += ltcp_packet_length(packet);
    /* Drawn for every packet, so that the n-th one's loss does not hang on the others' fates. */
    bool lost = impairment_loses(&path->chances, &path->config, passage.index);

    enum ltcp_drop drop = entrance(path, packet, forced);
    if (drop == LTCP_DROP_NONE && lost && !path->config.loss_after_queue) drop = LTCP_DROP_LOSS;
    if (drop == LTCP_DROP_NONE) {
        passage.lost = lost;
        drop = send_all(path, packet, forced != NULL ? forced : &untouched, &passage);
    }
    if (drop != LTCP_DROP_NONE) path->counters.dropped[drop]++;
    return drop;
}

bool path_is_clear(const struct ltcp_path *path)
{
    return path->does_nothing && path->up && path->line.line.count + path->line.heap_count == 0 &&
           (path->aqm.backlog.packets | path->aqm.dropped.packets) == 0;
}

bool path_passes(struct ltcp_path *path, ltcp_time now, const struct ltcp_packet *packet)
{
    if (!path_is_clear(path) || path->queue.busy_until > now) return false;
    struct ltcp_path_counters *c = &path->counters;
    const uint32_t segments = ltcp_packet_segments(packet);
    uint64_t length = ltcp_packet_length(packet);
    if (packet->burst != NULL) length = (length + packet->burst->text) * segments;
    c->packets += segments;
    c->delivered += segments;
    c->bytes += length;
    c->delivered_bytes += length;
    return true;
}

/* ---- out --------------------------------------------------------------------------------------
 */

/* Whether the next thing that happens is in the managed queue: a packet that it has dropped is to
 * be told of, or the link is free for the next one. */
static inline bool next_is_in_queue(const struct ltcp_path *path, const struct delayed *first)
{
    if ((path->aqm.dropped.packets | path->aqm.backlog.packets) == 0) return false;
    if (path->aqm.dropped.packets > 0) return true;
    return first == NULL || path->queue.busy_until <= first->release;
}

ltcp_time ltcp_path_deadline(const struct ltcp_path *path)
{
    const struct delayed *first = delay_line_first(&path->line);
    if (next_is_in_queue(path, first))
        return path->aqm.dropped.packets > 0 ? path->aqm.clock : path->queue.busy_until;
    return first == NULL ? LTCP_NEVER : first->release;
}

uint64_t ltcp_path_serial(const struct ltcp_path *path)
{
    const struct delayed *first = delay_line_first(&path->line);
    if (next_is_in_queue(path, first)) return path->served;
    return first == NULL ? 0 : first->serial;
}

struct ltcp_packet *ltcp_path_pop(struct ltcp_path *path, ltcp_time now, enum ltcp_drop *reason)
{
    if (path->aqm.backlog.packets > 0) serve(path, now);
    struct waiting dropped;
    if (path->aqm.dropped.packets > 0 && aqm_next_dropped(&path->aqm, &dropped)) {
        *reason = (enum ltcp_drop)dropped.reason;
        path->counters.dropped[*reason]++;
        return dropped.packet;
    }
    const struct delayed *first = delay_line_first(&path->line);
    if (first == NULL || first->release > now) return NULL;
    struct ltcp_packet *packet = first->packet;
    *reason = (enum ltcp_drop)first->reason;
    delay_line_remove_first(&path->line);

    queue_advance(&path->queue, now);
    count_queue(path);
    if (*reason == LTCP_DROP_NONE) {
        path->counters.delivered++;
        path->counters.delivered_bytes += ltcp_packet_length(packet);
    } else {
        path->counters.dropped[*reason]++;
    }
    return packet;
}

void ltcp_path_queue_state(const struct ltcp_path *path, ltcp_time now,
                           struct ltcp_queue_state *out)
{
    *out = (struct ltcp_queue_state){.kind = path->config.queue.kind,
                                     .packets = path->counters.queued_packets,
                                     .bytes = path->counters.queued_bytes};
    if (path->aqm.ops != NULL) path->aqm.ops->state(&path->aqm, now, out);
}

/* ---- digest -----------------------------------------------------------------------------------
 */

static void digest_config(struct digest *d, const struct ltcp_path_config *config)
{
    digest_word(d, (uint64_t)config->delay);
    digest_word(d, config->rate);
    digest_word(d, (uint64_t)config->queue_packets << 32 | config->queue_bytes);
    digest_word(d, (uint64_t)config->mtu << 2 | (uint64_t)config->jitter_reorders << 1 |
                       config->loss_after_queue);
    digest_word(d, config->opportunity_count);
    if (!takes_chances(config)) return;
    const uint64_t figures[] = {(uint64_t)config->jitter,
                                (uint64_t)config->loss_model,
                                config->loss,
                                config->gilbert_bad,
                                config->gilbert_good,
                                config->gilbert_loss_good,
                                config->gilbert_loss_bad,
                                config->loss_count,
                                config->duplicate,
                                config->mark,
                                config->corrupt,
                                config->corrupt_bits,
                                config->reorder,
                                (uint64_t)config->reorder_delay,
                                config->seed,
                                config->stream};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        digest_word(d, figures[i]);
}

void path_digest(struct digest *d, const struct ltcp_path *path, ltcp_time now)
{
    digest_config(d, &path->config);
    digest_word(d, path->up);
    const bool draws = path->aqm.ops != NULL && path->aqm.ops->by_lot;
    if (takes_chances(&path->config) || draws) {
        digest_word(d, path->counters.packets);
        digest_word(d, path->chances.bad);
    }
    aqm_digest(&path->aqm, d, now);
    /* RED's average falls with the time that the link has been idle. */
    if (path->config.queue.kind == LTCP_QUEUE_RED) digest_time(d, now, path->queue.busy_until);
    digest_time(d, now, path->last_release > now ? path->last_release : now);
    queue_digest(&path->queue, d, now);
    delay_line_digest(&path->line, d, now);
}
