/* core/network/queue.h
 *
 * The queue before a path's rate: drop-tail, first in, first out, and the rate itself. When a
 * packet's last bit leaves is known as soon as it enters, in whole nanoseconds, with the remainder
 * carried from packet to packet, so that nothing drifts. */
#ifndef LUNATCP_NETWORK_QUEUE_H
#define LUNATCP_NETWORK_QUEUE_H

#include "memory.h"
#include "lunatcp/network.h"
#include "wire/digest.h"

/* Each opportunity of a Mahimahi trace lets one packet of a 1,500-octet MTU pass, counted with the
 * 4 octets that its TUN device puts in front of every packet. */
#define OPPORTUNITY_OCTETS 1504
#define OPPORTUNITY_HEADER 4

struct queue {
    struct ring departures; /* struct departure; of those whose last bit has not left */
    uint32_t bytes;
    ltcp_time busy_until;   /* when the last bit of all leaves: whole nanoseconds, */
    uint64_t busy_fraction; /* and the rest, in 1 / rate of one */
    /* Mahimahi: the opportunity in use, and how many octets it still lets pass. */
    ltcp_time origin; /* where the trace begins; LTCP_NEVER: with the first packet */
    uint64_t cycle;
    size_t at;
    uint32_t left;
    bool begun;
};

/* A packet of `length` octets comes in. *departure is when its last bit leaves; otherwise
 * LTCP_DROP_QUEUE or LTCP_DROP_MEMORY. */
enum ltcp_drop queue_enter(struct queue *queue, const struct ltcp_allocator *allocator,
                           const struct ltcp_path_config *config, ltcp_time now, uint32_t length,
                           ltcp_time *departure);
/* The same without limits, for a packet whose first bit may leave as soon as the one before has
 * left: when its last bit does. */
ltcp_time queue_depart(struct queue *queue, const struct ltcp_path_config *config, ltcp_time now,
                       uint32_t length);
/* Whether packets have to wait at all. */
static inline bool queue_has_rate(const struct ltcp_path_config *config)
{
    return config->opportunity_count > 0 || config->rate > 0;
}
/* Forgets what has left by `now`. */
void queue_advance(struct queue *queue, ltcp_time now);
/* The rate is another one from now on. */
void queue_restart(struct queue *queue);
void queue_free(struct queue *queue, const struct ltcp_allocator *allocator);
void queue_digest(const struct queue *queue, struct digest *d, ltcp_time now);

#endif
