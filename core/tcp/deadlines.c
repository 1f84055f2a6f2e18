/* core/tcp/deadlines.c
 *
 * One entry a connection, or TIME-WAIT record, in a 4-ary heap. Re-armed lazily: a deadline that
 * moves later, as each acknowledgment moves the retransmission timeout, touches nothing; the early
 * entry is popped, found not to be due, and put back where it belongs. */
#include "tcp/connection.h"

/* Tables grow by a quarter: a million connections pay for few that are not there. */
bool deadlines_reserve(struct ltcp_engine *e, uint32_t connections)
{
    if (connections <= e->heap_capacity) return true;
    const uint32_t capacity = connections + (e->heap_capacity < 64 ? 16 : e->heap_capacity / 4);
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
    if (entry.who & 1)
        ((struct ltcp_time_wait *)(entry.who - 1))->heap_index = at;
    else
        ((struct ltcp_connection *)entry.who)->heap_index = at;
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
    sift_up(e, at, (struct ltcp_deadline){when, (uintptr_t)c});
}

static void sift(struct ltcp_engine *e, uint32_t at, struct ltcp_deadline entry)
{
    if (at > 0 && e->heap[(at - 1) / 4].when > entry.when)
        sift_up(e, at, entry);
    else
        sift_down(e, at, entry);
}

static void take_out(struct ltcp_engine *e, uint32_t at)
{
    const struct ltcp_deadline last = e->heap[--e->heap_count];
    if (at != e->heap_count) sift(e, at, last);
}

void deadlines_remove(struct ltcp_connection *c)
{
    const uint32_t at = c->heap_index;
    c->armed = LTCP_NEVER;
    c->heap_index = UINT32_MAX;
    if (at != UINT32_MAX) take_out(c->engine, at);
}

void deadlines_add_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w, ltcp_time when)
{
    sift_up(e, e->heap_count++, (struct ltcp_deadline){when, (uintptr_t)w + 1});
}

void deadlines_move_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w, ltcp_time when)
{
    sift(e, w->heap_index, (struct ltcp_deadline){when, (uintptr_t)w + 1});
}

void deadlines_remove_time_wait(struct ltcp_engine *e, struct ltcp_time_wait *w)
{
    take_out(e, w->heap_index);
}

bool deadlines_pop(struct ltcp_engine *e, ltcp_time now, struct ltcp_connection **connection,
                   struct ltcp_time_wait **time_wait)
{
    if (e->heap_count == 0 || e->heap[0].when > now) return false;
    const uintptr_t who = e->heap[0].who;
    *connection = NULL;
    *time_wait = NULL;
    if (who & 1) {
        *time_wait = (struct ltcp_time_wait *)(who - 1);
        deadlines_remove_time_wait(e, *time_wait);
    } else {
        *connection = (struct ltcp_connection *)who;
        deadlines_remove(*connection);
    }
    return true;
}
