/* core/test/pair.h
 *
 * Two hosts and nothing between them but two queues: enough to see segments cross. A test may drop,
 * hold or repeat what lies in a queue. */
#ifndef LUNATCP_TEST_PAIR_H
#define LUNATCP_TEST_PAIR_H

#include <stdlib.h>
#include <string.h>

#include "lunatcp/host.h"

static void *pair_resize(void *context, void *old, size_t old_size, size_t size)
{
    size_t *held = context;
    *held += size - old_size;
    if (size != 0) return realloc(old, size);
    free(old);
    return NULL;
}

struct pair {
    struct ltcp_pool *pool;
    struct ltcp_host *host[2];
    struct ltcp_address address[2];
    struct ltcp_packet *queue[2][4096]; /* towards host i */
    size_t count[2];
    ltcp_time now;
    size_t held; /* octets taken from the allocator */
};

static void pair_open_with(struct pair *p, const struct ltcp_settings *settings, uint32_t mtu)
{
    memset(p, 0, sizeof *p);
    p->now = LTCP_SECOND;
    p->pool = ltcp_pool_create(&(struct ltcp_allocator){pair_resize, &p->held});
    for (unsigned i = 0; i < 2; i++) {
        uint32_t number;
        p->host[i] = ltcp_host_create(&(struct ltcp_host_config){
            .pool = p->pool, .settings = settings, .secret = {1 + i, 2}, .id = i});
        p->address[i] = ltcp_address_v4(10, 0, 0, (uint8_t)(1 + i));
        ltcp_host_add_interface(p->host[i], mtu, &number);
        ltcp_host_add_address(p->host[i], number, &p->address[i], 24);
    }
}
static inline void pair_open(struct pair *p)
{
    pair_open_with(p, NULL, 1500);
}

static inline void pair_close(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        for (size_t k = 0; k < p->count[i]; k++)
            ltcp_packet_unref(p->queue[i][k]);
        ltcp_host_destroy(p->host[i]);
    }
    ltcp_pool_destroy(p->pool);
}

/* What host i has to send now comes into the other one's queue. */
static inline size_t pair_collect(struct pair *p, unsigned i)
{
    const size_t n =
        ltcp_host_transmit(p->host[i], p->now, p->queue[!i] + p->count[!i], 4096 - p->count[!i]);
    p->count[!i] += n;
    return n;
}

/* Everything in host i's queue arrives, but for the k-th, from 0 (none for a negative one). */
static inline void pair_deliver_but(struct pair *p, unsigned i, int lost)
{
    for (size_t k = 0; k < p->count[i]; k++) {
        p->queue[i][k]->time = p->now;
        if ((int)k != lost) ltcp_host_receive(p->host[i], p->now, p->queue[i][k]);
        ltcp_packet_unref(p->queue[i][k]);
    }
    p->count[i] = 0;
}
static inline void pair_deliver(struct pair *p, unsigned i)
{
    pair_deliver_but(p, i, -1);
}

/* Back and forth until both are silent. */
static inline void pair_settle(struct pair *p)
{
    for (;;) {
        pair_collect(p, 0);
        pair_collect(p, 1);
        if (p->count[0] + p->count[1] == 0) return;
        pair_deliver(p, 1);
        pair_deliver(p, 0);
    }
}

/* On to the next timer of either; false when none runs. */
static inline bool pair_wait(struct pair *p)
{
    const ltcp_time a = ltcp_host_next_deadline(p->host[0]),
                    b = ltcp_host_next_deadline(p->host[1]);
    const ltcp_time when = a < b ? a : b;
    if (when == LTCP_NEVER) return false;
    if (when > p->now) p->now = when;
    ltcp_host_advance(p->host[0], p->now);
    ltcp_host_advance(p->host[1], p->now);
    return true;
}

static inline enum ltcp_status pair_connect(struct pair *p, ltcp_handle conn[2])
{
    ltcp_handle listener;
    ltcp_listen(p->host[1], p->now, &(struct ltcp_open){.local_port = 80}, &listener);
    ltcp_connect(p->host[0], p->now,
                 &(struct ltcp_open){.remote = p->address[1], .remote_port = 80}, &conn[0]);
    pair_settle(p);
    return ltcp_accept(p->host[1], listener, &conn[1]);
}

static inline enum ltcp_state pair_state(const struct pair *p, unsigned i, ltcp_handle conn)
{
    struct ltcp_info info;
    return ltcp_info(p->host[i], conn, &info) == LTCP_OK ? info.state : LTCP_CLOSED;
}

#endif
