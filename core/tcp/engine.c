/* core/tcp/engine.c - memory and queues that the connections of a host share. */
#include <string.h>

#include "tcp/authentication.h"
#include "tcp/fast_open.h"
#include "tcp/path_cache.h"

void *engine_resize(struct ltcp_engine *e, void *old, size_t old_size, size_t size)
{
    const struct ltcp_allocator *a = ltcp_pool_allocator(e->pool);
    return a->resize(a->context, old, old != NULL ? old_size : 0, size);
}

void *engine_zeroed(struct ltcp_engine *e, size_t size)
{
    void *p = engine_resize(e, NULL, 0, size);
    if (p != NULL) memset(p, 0, size);
    return p;
}

bool engine_enqueue(struct ltcp_engine *e, struct ltcp_packet *packet)
{
    if (!device_takes(e, packet)) return false;
    packet->next = NULL;
    if (e->out_first == NULL)
        e->out_first = packet;
    else
        e->out_last->next = packet;
    e->out_last = packet;
    e->out_count += ltcp_packet_segments(packet);
    return true;
}

void engine_close(struct ltcp_engine *e)
{
    while (e->out_first != NULL) {
        struct ltcp_packet *p = e->out_first;
        e->out_first = p->next;
        ltcp_packet_unref(p);
    }
    while (e->spare_queues != NULL) {
        struct ltcp_send_queue *q = e->spare_queues;
        e->spare_queues = q->next_spare;
        engine_resize(e, q, sizeof *q, 0);
    }
    while (e->spare_slices != NULL) {
        struct ltcp_slice *s = e->spare_slices;
        e->spare_slices = s->next;
        engine_resize(e, s, sizeof *s, 0);
    }
    fast_open_forget(e);
    path_cache_forget(e);
    keys_free(e);
    engine_resize(e, e->nobody, sizeof *e->nobody, 0);
    engine_resize(e, e->heap, e->heap_capacity * sizeof *e->heap, 0);
}

struct ltcp_share *share_create(struct ltcp_engine *e, const struct ltcp_settings *settings)
{
    struct ltcp_share *share = engine_resize(e, NULL, 0, sizeof *share);
    if (share == NULL) return NULL;
    share->refs = 1;
    share->settings = *settings;
    return share;
}

struct ltcp_share *share_ref(struct ltcp_share *share)
{
    share->refs++;
    return share;
}

void share_unref(struct ltcp_engine *e, struct ltcp_share *share)
{
    if (share != NULL && --share->refs == 0) engine_resize(e, share, sizeof *share, 0);
}
