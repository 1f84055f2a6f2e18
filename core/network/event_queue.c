/* core/network/event_queue.c - a binary heap whose entries know their places. */
#include "event_queue.h"

bool event_queue_reserve(struct event_queue *queue, const struct ltcp_allocator *allocator,
                         uint32_t sources)
{
    void *heap =
        memory_grow(allocator, queue->heap, &queue->heap_room, sources, sizeof *queue->heap);
    if (heap == NULL) return false;
    queue->heap = heap;
    void *places =
        memory_grow(allocator, queue->places, &queue->places_room, sources, sizeof *queue->places);
    if (places == NULL) return false;
    queue->places = places;
    return true;
}

void event_queue_free(struct event_queue *queue, const struct ltcp_allocator *allocator)
{
    memory_give(allocator, queue->heap, (size_t)queue->heap_room * sizeof *queue->heap);
    memory_give(allocator, queue->places, (size_t)queue->places_room * sizeof *queue->places);
    *queue = (struct event_queue){0};
}

static bool before(const struct event_entry *a, const struct event_entry *b)
{
    return a->time < b->time || (a->time == b->time && a->serial < b->serial);
}

static void put(struct event_queue *queue, uint32_t place, const struct event_entry *entry)
{
    queue->heap[place] = *entry;
    queue->places[entry->source] = place + 1;
}

static void sift_up(struct event_queue *queue, uint32_t place, const struct event_entry *entry)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / 2;
        if (!before(entry, &queue->heap[parent])) break;
        put(queue, place, &queue->heap[parent]);
        place = parent;
    }
    put(queue, place, entry);
}

static void sift_down(struct event_queue *queue, uint32_t place, const struct event_entry *entry)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= queue->count) break;
        if (child + 1 < queue->count && before(&queue->heap[child + 1], &queue->heap[child]))
            child++;
        if (!before(&queue->heap[child], entry)) break;
        put(queue, place, &queue->heap[child]);
        place = child;
    }
    put(queue, place, entry);
}

static void settle(struct event_queue *queue, uint32_t place, const struct event_entry *entry)
{
    if (place > 0 && before(entry, &queue->heap[(place - 1) / 2]))
        sift_up(queue, place, entry);
    else
        sift_down(queue, place, entry);
}

void event_queue_set(struct event_queue *queue, uint32_t source, ltcp_time time, uint64_t serial)
{
    struct event_entry entry = {time, serial, source};
    if (queue->places[source] == 0)
        sift_up(queue, queue->count++, &entry);
    else
        settle(queue, queue->places[source] - 1, &entry);
}

void event_queue_remove(struct event_queue *queue, uint32_t source)
{
    uint32_t place = queue->places[source];
    if (place == 0) return;
    queue->places[source] = 0;
    struct event_entry last = queue->heap[--queue->count];
    if (place - 1 < queue->count) settle(queue, place - 1, &last);
}
