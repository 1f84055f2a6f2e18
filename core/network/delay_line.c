/* core/network/delay_line.c - a ring for the orderly, a heap for the others. */
#include "delay_line.h"

static bool add_to_heap(struct delay_line *line, const struct ltcp_allocator *allocator,
                        const struct delayed *delayed)
{
    void *heap = memory_grow(allocator, line->heap, &line->heap_room, line->heap_count + 1,
                             sizeof *line->heap);
    if (heap == NULL) return false;
    line->heap = heap;
    uint32_t place = line->heap_count++;
    while (place > 0 && delayed_before(delayed, &line->heap[(place - 1) / 2])) {
        line->heap[place] = line->heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    line->heap[place] = *delayed;
    return true;
}

static void remove_from_heap(struct delay_line *line)
{
    struct delayed last = line->heap[--line->heap_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= line->heap_count) break;
        if (child + 1 < line->heap_count &&
            delayed_before(&line->heap[child + 1], &line->heap[child]))
            child++;
        if (!delayed_before(&line->heap[child], &last)) break;
        line->heap[place] = line->heap[child];
        place = child;
    }
    line->heap[place] = last;
}

bool delay_line_add(struct delay_line *line, const struct ltcp_allocator *allocator,
                    const struct delayed *delayed, bool held)
{
    if (!held && line->line.count > 0) {
        const struct delayed *last = ring_at(&line->line, line->line.count - 1, sizeof *last);
        held = delayed->release < last->release; /* the delay was made shorter in between */
    }
    if (held) return add_to_heap(line, allocator, delayed);
    struct delayed *place = ring_push(&line->line, allocator, sizeof *place);
    if (place == NULL) return false;
    *place = *delayed;
    return true;
}

void delay_line_remove_first(struct delay_line *line)
{
    if (line->heap_count > 0 && delay_line_first(line) == &line->heap[0])
        remove_from_heap(line);
    else
        ring_pop(&line->line);
}

void delay_line_free(struct delay_line *line, const struct ltcp_allocator *allocator)
{
    for (const struct delayed *first; (first = delay_line_first(line)) != NULL;) {
        ltcp_packet_unref(first->packet);
        delay_line_remove_first(line);
    }
    ring_free(&line->line, allocator, sizeof(struct delayed));
    memory_give(allocator, line->heap, (size_t)line->heap_room * sizeof *line->heap);
    *line = (struct delay_line){0};
}

/* The first behind `last` (NULL: of all), or NULL. */
static const struct delayed *first_behind(const struct delay_line *line, const struct delayed *last)
{
    const struct delayed *first = NULL;
    for (uint32_t i = 0; i < line->line.count + line->heap_count; i++) {
        const struct delayed *delayed = i < line->line.count
                                            ? ring_at(&line->line, i, sizeof *delayed)
                                            : &line->heap[i - line->line.count];
        if (last != NULL && !delayed_before(last, delayed)) continue;
        if (first == NULL || delayed_before(delayed, first)) first = delayed;
    }
    return first;
}

void delay_line_digest(const struct delay_line *line, struct digest *d, ltcp_time now)
{
    digest_word(d, (uint64_t)line->line.count + line->heap_count);
    for (const struct delayed *at = NULL; (at = first_behind(line, at)) != NULL;) {
        digest_time(d, now, at->release);
        digest_word(d, at->reason);
        digest_packet(d, at->packet);
    }
}
