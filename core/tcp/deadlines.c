/* core/tcp/deadlines.c
 *
 * One entry a connection in a 4-ary heap. Re-armed lazily: a deadline that moves later, as each
 * acknowledgment moves the retransmission timeout, touches nothing; the early entry is popped,
 * found not to be due, and put back where it belongs. */
#include "tcp/connection.h"

bool deadlines_reserve(struct ltcp_engine *e, uint32_t connections)
{
    if (connections <= e->heap_capacity) return true;
    const uint32_t capacity = e->heap_capacity == 0 ? 16 : 2 * e->heap_capacity;
    struct ltcp_deadline *heap =
        engine_resize(e, e->heap, e->heap_capacity * sizeof *heap, (size_t)capacity * sizeof *heap);
    if (heap == NULL) return false;
    e->heap = heap;
    e->heap_capacity = capacity;
    return true;
}

static void put(struct ltcp_engine *e, uint32_t at, struct ltcp_deadline entry)
{
    e->heap[at] = entry;
    entry.connection->heap_index = at;
}

static void sift_up(struct ltcp_engine *e, uint32_t at, struct ltcp_deadline entry)
{
    while (at > 0) {
        const uint32_t parent = (at - 1) / 4;
        if (e->heap[parent].when <= entry.when) break;
        put(e, at, e->heap[parent]);
        at = parent;
    }
    put(e, at, entry);
}

static void sift_down(struct ltcp_engine *e, uint32_t at, struct ltcp_deadline entry)
{
    for (;;) {
        const uint32_t first = 4 * at + 1;
        if (first >= e->heap_count) break;
        const uint32_t last = first + 4 < e->heap_count ? first + 4 : e->heap_count;
        uint32_t least = first;
        for (uint32_t i = first + 1; i < last; i++)
            if (e->heap[i].when < e->heap[least].when) least = i;
        if (e->heap[least].when >= entry.when) break;
        put(e, at, e->heap[least]);
        at = least;
    }
    put(e, at, entry);
}

void deadlines_lower(struct ltcp_connection *c, ltcp_time when)
{
    struct ltcp_engine *e = c->engine;
    if (when >= c->armed) return;
    c->armed = when;
    uint32_t at = c->heap_index;
    if (at == UINT32_MAX) at = e->heap_count++;
    sift_up(e, at, (struct ltcp_deadline){when, c});
}

void deadlines_remove(struct ltcp_connection *c)
{
    struct ltcp_engine *e = c->engine;
    const uint32_t at = c->heap_index;
    c->armed = LTCP_NEVER;
    c->heap_index = UINT32_MAX;
    if (at == UINT32_MAX) return;
    const struct ltcp_deadline last = e->heap[--e->heap_count];
    if (at == e->heap_count) return;
    if (at > 0 && e->heap[(at - 1) / 4].when > last.when)
        sift_up(e, at, last);
    else
        sift_down(e, at, last);
}

struct ltcp_connection *deadlines_pop(struct ltcp_engine *e, ltcp_time now)
{
    if (e->heap_count == 0 || e->heap[0].when > now) return NULL;
    struct ltcp_connection *c = e->heap[0].connection;
    deadlines_remove(c);
    return c;
}
