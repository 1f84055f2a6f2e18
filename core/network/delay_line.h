/* core/network/delay_line.h
 *
 * Packets on their way through a path, taken out in the order of (release, serial, order). Those
 * that keep the order in which they came stand in a ring, O(1) in and out; one that was held back
 * goes into a small heap beside it. */
#ifndef LUNATCP_NETWORK_DELAY_LINE_H
#define LUNATCP_NETWORK_DELAY_LINE_H

#include "memory.h"
#include "lunatcp/packet.h"
#include "wire/digest.h"

struct delayed {
    ltcp_time release;
    uint64_t serial;            /* of the push */
    struct ltcp_packet *packet; /* a reference */
    uint32_t order;             /* among the copies that one push made */
    uint8_t reason;             /* enum ltcp_drop: why it is not delivered in the end */
};

struct delay_line {
    struct ring line;
    struct delayed *heap;
    uint32_t heap_count, heap_room;
};

/* `held` says that packets which come later need not wait for this one. False: no memory. */
bool delay_line_add(struct delay_line *line, const struct ltcp_allocator *allocator,
                    const struct delayed *delayed, bool held);
/* The line must not be empty. */
void delay_line_remove_first(struct delay_line *line);
/* Drops the references of all that is left. */
void delay_line_free(struct delay_line *line, const struct ltcp_allocator *allocator);
/* In the order in which they come out. */
void delay_line_digest(const struct delay_line *line, struct digest *d, ltcp_time now);

static inline bool delayed_before(const struct delayed *a, const struct delayed *b)
{
    if (a->release != b->release) return a->release < b->release;
    if (a->serial != b->serial) return a->serial < b->serial;
    return a->order < b->order;
}

/* NULL: empty. */
static inline const struct delayed *delay_line_first(const struct delay_line *line)
{
    const struct delayed *first =
        line->line.count == 0 ? NULL : ring_at(&line->line, 0, sizeof *first);
    if (line->heap_count == 0) return first;
    return first != NULL && delayed_before(first, &line->heap[0]) ? first : &line->heap[0];
}

#endif
