/* core/network/queue/aqm.h
 *
 * A queue that is managed actively, and the door between it and its algorithm. The link asks for
 * the next packet when the last bit of the one before has left; the algorithm decides then, or when
 * a packet comes in, who is marked and who is dropped. What was dropped inside waits to be fetched,
 * so that it can be told of.
 *
 * An algorithm has no timer: what it would do periodically it makes up for when a packet comes or
 * goes, which gives the same as if it had been done in time, since nothing changes in between. */
#ifndef LUNATCP_NETWORK_QUEUE_AQM_H
#define LUNATCP_NETWORK_QUEUE_AQM_H

#include "backlog.h"
#include "lunatcp/network.h"
#include "lunatcp/random.h"

struct aqm;

/* The moment, and the link that the queue stands before. */
struct aqm_moment {
    ltcp_time now;
    ltcp_time busy_until; /* at or before now: the link has been idle since */
    const struct ltcp_path_config *path;
};

struct aqm_ops {
    size_t (*state_size)(const struct ltcp_queue_config *config);
    void (*start)(struct aqm *aqm);
    /* Takes the packet in, and then owns the reference; or says why not. There is a place for it,
     * and the limits were looked at, unless `limits`. */
    enum ltcp_drop (*enqueue)(struct aqm *aqm, const struct aqm_moment *at,
                              struct waiting *waiting);
    /* False: all that there was has been dropped, or nothing waits. */
    bool (*dequeue)(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out);
    /* The next one without any decision, for a queue that is given up; false: none. */
    bool (*take)(struct aqm *aqm, struct waiting *out);
    void (*digest)(const struct aqm *aqm, struct digest *d, ltcp_time now);
    void (*state)(const struct aqm *aqm, ltcp_time now, struct ltcp_queue_state *out);
    bool limits;   /* enqueue looks at the limits itself */
    bool by_lot;   /* draws random numbers at the packets' indices */
    bool has_salt; /* the seed matters otherwise */
};

struct aqm {
    const struct aqm_ops *ops; /* NULL: drop-tail, and none of this is used */
    const struct ltcp_allocator *allocator;
    struct ltcp_queue_config config;
    struct backlog backlog;
    struct fifo waiting; /* of the algorithms that have one queue */
    struct fifo dropped;
    ltcp_time newest; /* when the last one was taken in, */
    ltcp_time clock;  /* and when the algorithm was asked last */
    uint64_t seed, stream;
    struct ltcp_siphash_key salt; /* of FQ-CoDel's hash */
    void *state;
    size_t state_size;
    struct ltcp_queue_counters *counters;
};

/* Sets CE in a head of its own, taking the place of the reference. False: no memory. */
bool packet_set_ce(struct ltcp_packet **packet);
/* The two bits of the IP header; LTCP_ECN_NOT_ECT for what is no IP packet. */
uint8_t packet_ecn(const struct ltcp_packet *packet);
bool queue_config_is_valid(const struct ltcp_queue_config *config);
/* All zero before the first call. What waited must have been taken out. False: no memory, and the
 * queue is as it was. */
bool aqm_configure(struct aqm *aqm, const struct ltcp_allocator *allocator,
                   const struct ltcp_queue_config *config);
/* Whether `config` needs a queue that is begun anew. */
bool aqm_is_other(const struct aqm *aqm, const struct ltcp_queue_config *config);
void aqm_seed(struct aqm *aqm, uint64_t seed, uint64_t stream);
void aqm_free(struct aqm *aqm);

enum ltcp_drop aqm_enqueue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *waiting);
bool aqm_dequeue(struct aqm *aqm, const struct aqm_moment *at, struct waiting *out);
/* Fetches one that was dropped inside; false: none. */
bool aqm_next_dropped(struct aqm *aqm, struct waiting *out);
void aqm_digest(const struct aqm *aqm, struct digest *d, ltcp_time now);
/* The place of a wait of so many microseconds, at least 4. */
unsigned sojourn_bin(uint64_t microseconds);
static inline void sojourn_count(struct ltcp_sojourn *sojourn, ltcp_time wait)
{
    const uint64_t microseconds = (uint64_t)wait / 1000;
    sojourn->packets++;
    sojourn->sum += (uint64_t)wait;
    if (wait > sojourn->greatest) sojourn->greatest = wait;
    sojourn->bins[microseconds < 4 ? microseconds : sojourn_bin(microseconds)]++;
}

/* ---- what the algorithms share ------------------------------------------------------------------
 */

/* Sets CE in a head of its own. False: the packet is not ECN-capable, ecn is off, or there is no
 * memory: then it is to be dropped. One that came with CE counts as marked. `l4s` for the counters.
 */
bool aqm_mark(struct aqm *aqm, struct waiting *waiting, bool l4s);
/* The packet is not in a queue any more, and will be fetched by aqm_next_dropped. */
void aqm_drop(struct aqm *aqm, const struct waiting *waiting, enum ltcp_drop reason, bool l4s);
/* Counts an early drop of a packet that was not taken in. */
enum ltcp_drop aqm_refuse(struct aqm *aqm, const struct waiting *waiting);
/* Whether one more packet of that length goes beyond the limits. */
bool aqm_is_full(const struct aqm *aqm, const struct aqm_moment *at, uint32_t length);
/* True with `probability` out of 2^bits (at most 40), drawn at the packet's index. */
bool aqm_draw(const struct aqm *aqm, const struct waiting *waiting, uint64_t probability,
              unsigned bits);
/* For those that have one queue. */
size_t aqm_no_state(const struct ltcp_queue_config *config);
bool aqm_take_waiting(struct aqm *aqm, struct waiting *out);

extern const struct aqm_ops aqm_red, aqm_codel, aqm_fq_codel, aqm_pie, aqm_step, aqm_dualpi2;

#endif
