/* core/network/memory.c - arrays and rings that grow. */
#include "memory.h"

void *memory_take(const struct ltcp_allocator *allocator, size_t size)
{
    void *piece = allocator->resize(allocator->context, NULL, 0, size);
    if (piece != NULL) memset(piece, 0, size);
    return piece;
}

void memory_give(const struct ltcp_allocator *allocator, void *piece, size_t size)
{
    if (piece != NULL) allocator->resize(allocator->context, piece, size, 0);
}

void *memory_grow(const struct ltcp_allocator *allocator, void *array, uint32_t *room,
                  uint32_t wanted, size_t size)
{
    if (wanted <= *room && array != NULL) return array;
    uint32_t larger = *room < 8 ? 8 : *room;
    while (larger < wanted) {
        if (larger > UINT32_MAX / 2) return NULL;
        larger *= 2;
    }
    if (larger > SIZE_MAX / size) return NULL;
    size_t old = (size_t)*room * size;
    uint8_t *grown = allocator->resize(allocator->context, array, old, (size_t)larger * size);
    if (grown == NULL) return NULL;
    memset(grown + old, 0, (size_t)larger * size - old);
    *room = larger;
    return grown;
}

bool ring_grow(struct ring *ring, const struct ltcp_allocator *allocator, size_t size)
{
    uint32_t old_room = ring->room;
    if (old_room > UINT32_MAX / 2) return false;
    uint8_t *items = memory_grow(allocator, ring->items, &ring->room, old_room + 1, size);
    if (items == NULL) return false;
    /* What had wrapped around to the front moves behind the old end. */
    if (ring->head > 0) memcpy(items + (size_t)old_room * size, items, (size_t)ring->head * size);
    ring->items = items;
    return true;
}

void ring_free(struct ring *ring, const struct ltcp_allocator *allocator, size_t size)
{
    memory_give(allocator, ring->items, (size_t)ring->room * size);
    *ring = (struct ring){0};
}
