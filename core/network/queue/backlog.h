/* core/network/queue/backlog.h
 *
 * Packets that wait, in any number of first-in first-out queues over one store of places. The store
 * grows by doubling and never shrinks, so that nothing is allocated in steady state. */
#ifndef LUNATCP_NETWORK_QUEUE_BACKLOG_H
#define LUNATCP_NETWORK_QUEUE_BACKLOG_H

#include "network/memory.h"
#include "lunatcp/packet.h"
#include "wire/digest.h"

#define NO_PLACE UINT32_MAX

/* How one packet, or one copy of it, goes its way through a path. */
struct passage {
    ltcp_time arrived;      /* when it came in */
    ltcp_time extra;        /* held back by that once it has left */
    uint64_t serial, index; /* of the push, and on this path */
    uint32_t order;         /* among the copies that one push made */
    bool lost;              /* once it is past the queue */
    bool mark;              /* before it */
};

struct waiting {
    struct ltcp_packet *packet; /* a reference */
    struct passage passage;
    uint32_t length;
    uint8_t ecn;    /* as it came in */
    uint8_t reason; /* enum ltcp_drop, once it was dropped */
};

struct place {
    struct waiting waiting;
    uint32_t next;
};

struct backlog {
    struct place *places;
    uint32_t room, free; /* `free`: the first of those that were used before */
    uint32_t used;       /* places that were used at any time */
    uint32_t packets;    /* in all of its queues but the dropped */
    uint32_t bytes;
};

/* All zero is not empty: fifo_empty() is. */
struct fifo {
    uint32_t head, tail;
    uint32_t packets, bytes;
};

static inline struct fifo fifo_empty(void)
{
    return (struct fifo){NO_PLACE, NO_PLACE, 0, 0};
}

static inline struct waiting *fifo_head(const struct backlog *backlog, const struct fifo *fifo)
{
    return fifo->packets == 0 ? NULL : &backlog->places[fifo->head].waiting;
}

/* Room for one more; false: no memory. */
bool backlog_reserve(struct backlog *backlog, const struct ltcp_allocator *allocator);
/* To the end; there must be room. */
void fifo_push(struct backlog *backlog, struct fifo *fifo, const struct waiting *waiting);
/* The first one comes out; the queue must not be empty. */
void fifo_pop(struct backlog *backlog, struct fifo *fifo, struct waiting *out);
/* Lets go of the packets of one queue. */
void fifo_clear(struct backlog *backlog, struct fifo *fifo);
void backlog_free(struct backlog *backlog, const struct ltcp_allocator *allocator);
void fifo_digest(const struct backlog *backlog, const struct fifo *fifo, struct digest *d,
                 ltcp_time now);

#endif
