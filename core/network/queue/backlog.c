/* core/network/queue/backlog.c - queues linked through one store of places. */
#include "backlog.h"

bool backlog_reserve(struct backlog *backlog, const struct ltcp_allocator *allocator)
{
    if (backlog->used == 0) backlog->free = NO_PLACE;
    if (backlog->free != NO_PLACE) return true;
    void *places = memory_grow(allocator, backlog->places, &backlog->room, backlog->used + 1,
                               sizeof *backlog->places);
    if (places == NULL) return false;
    backlog->places = places;
    return true;
}

void fifo_push(struct backlog *backlog, struct fifo *fifo, const struct waiting *waiting)
{
    uint32_t at = backlog->free;
    if (at != NO_PLACE)
        backlog->free = backlog->places[at].next;
    else
        at = backlog->used++;
    backlog->places[at] = (struct place){*waiting, NO_PLACE};
    if (fifo->packets == 0)
        fifo->head = at;
    else
        backlog->places[fifo->tail].next = at;
    fifo->tail = at;
    fifo->packets++;
    fifo->bytes += waiting->length;
    backlog->packets++;
    backlog->bytes += waiting->length;
}

void fifo_pop(struct backlog *backlog, struct fifo *fifo, struct waiting *out)
{
    const uint32_t at = fifo->head;
    struct place *place = &backlog->places[at];
    *out = place->waiting;
    fifo->head = place->next;
    fifo->packets--;
    fifo->bytes -= out->length;
    backlog->packets--;
    backlog->bytes -= out->length;
    place->waiting.packet = NULL;
    place->next = backlog->free;
    backlog->free = at;
}

void fifo_clear(struct backlog *backlog, struct fifo *fifo)
{
    struct waiting waiting;
    while (fifo->packets > 0) {
        fifo_pop(backlog, fifo, &waiting);
        ltcp_packet_unref(waiting.packet);
    }
}

void backlog_free(struct backlog *backlog, const struct ltcp_allocator *allocator)
{
    memory_give(allocator, backlog->places, (size_t)backlog->room * sizeof *backlog->places);
    *backlog = (struct backlog){0};
}

void fifo_digest(const struct backlog *backlog, const struct fifo *fifo, struct digest *d,
                 ltcp_time now)
{
    digest_word(d, fifo->packets);
    uint32_t at = fifo->head;
    for (uint32_t i = 0; i < fifo->packets; i++) {
        const struct waiting *waiting = &backlog->places[at].waiting;
        digest_time(d, now, waiting->passage.arrived);
        digest_word(d, (uint64_t)waiting->passage.extra);
        digest_word(d, waiting->passage.lost);
        digest_packet(d, waiting->packet);
        at = backlog->places[at].next;
    }
}
