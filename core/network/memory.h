/* core/network/memory.h
 *
 * Arrays and rings that grow by doubling and never shrink: after the first packets of a run nothing
 * is allocated any more. */
#ifndef LUNATCP_NETWORK_MEMORY_H
#define LUNATCP_NETWORK_MEMORY_H

#include "lunatcp/types.h"

#include <string.h>

/* Zeroed; NULL when there is no memory. */
void *memory_take(const struct ltcp_allocator *allocator, size_t size);
/* NULL is allowed. */
void memory_give(const struct ltcp_allocator *allocator, void *piece, size_t size);
/* The array with room for `wanted` elements of `size` octets, new ones zeroed, *room brought up to
 * date; NULL when there is no memory: the old one is then unchanged. */
void *memory_grow(const struct ltcp_allocator *allocator, void *array, uint32_t *room,
                  uint32_t wanted, size_t size);

/* A queue of elements of one size, which each call is told. All zero: empty. */
struct ring {
    uint8_t *items;
    uint32_t room; /* a power of two, or 0 */
    uint32_t head, count;
};

bool ring_grow(struct ring *ring, const struct ltcp_allocator *allocator, size_t size);
void ring_free(struct ring *ring, const struct ltcp_allocator *allocator, size_t size);

static inline void *ring_at(const struct ring *ring, uint32_t i, size_t size)
{
    return ring->items + (size_t)((ring->head + i) & (ring->room - 1)) * size;
}

/* The place of one more element, at the end; NULL when there is no memory. */
static inline void *ring_push(struct ring *ring, const struct ltcp_allocator *allocator,
                              size_t size)
{
    if (ring->count == ring->room && !ring_grow(ring, allocator, size)) return NULL;
    return ring_at(ring, ring->count++, size);
}

static inline void ring_pop(struct ring *ring)
{
    ring->head = (ring->head + 1) & (ring->room - 1);
    ring->count--;
}

#endif
