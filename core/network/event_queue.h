/* core/network/event_queue.h
 *
 * When each source wants its turn, ordered by (time, serial). A source is a small number: a path, a
 * host's timers, an alarm; it is in the queue once or not at all. */
#ifndef LUNATCP_NETWORK_EVENT_QUEUE_H
#define LUNATCP_NETWORK_EVENT_QUEUE_H

#include "memory.h"

struct event_entry {
    ltcp_time time;
    uint64_t serial;
    uint32_t source;
};

struct event_queue {
    struct event_entry *heap;
    uint32_t *places; /* of each source: index in the heap + 1; 0: not there */
    uint32_t count, heap_room, places_room;
};

/* Makes room for the sources 0 to `sources` - 1; from then on setting them cannot fail. */
bool event_queue_reserve(struct event_queue *queue, const struct ltcp_allocator *allocator,
                         uint32_t sources);
void event_queue_free(struct event_queue *queue, const struct ltcp_allocator *allocator);
/* Puts the source in, or moves it. O(log n). */
void event_queue_set(struct event_queue *queue, uint32_t source, ltcp_time time, uint64_t serial);
void event_queue_remove(struct event_queue *queue, uint32_t source);

/* The first of all, or NULL. */
static inline const struct event_entry *event_queue_first(const struct event_queue *queue)
{
    return queue->count == 0 ? NULL : &queue->heap[0];
}

/* The source's time, or LTCP_NEVER. */
static inline ltcp_time event_queue_time(const struct event_queue *queue, uint32_t source)
{
    uint32_t place = queue->places[source];
    return place == 0 ? LTCP_NEVER : queue->heap[place - 1].time;
}

#endif
