/* core/host/demultiplexer.c
 *
 * Pairs of sockets to flows: a chained hash table whose hash is keyed, so that a stranger cannot
 * choose segments that meet in one chain. */
#include <string.h>

#include "host/host.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    a ^= b;
    a *= UINT64_C(0x9E3779B97F4A7C15);
    return a ^ (a >> 32);
}

static uint32_t hash_of(const struct ltcp_host *host, const struct ltcp_address *local,
                        uint16_t local_port, const struct ltcp_address *remote,
                        uint16_t remote_port)
{
    uint64_t word[4];
    memcpy(word, local, 16);
    memcpy(word + 2, remote, 16);
    uint64_t h = host->secret.k0 ^ ((uint64_t)local_port << 16 | remote_port);
    h = mix(h, word[1] ^ host->secret.k1);
    h = mix(h, word[3]);
    h = mix(h, word[0]);
    h = mix(h, word[2]);
    return (uint32_t)(h >> 8) & 0xFFFFFF;
}

static bool grow(struct ltcp_host *host)
{
    const uint32_t old = host->buckets == NULL ? 0 : host->bucket_mask + 1;
    if (host->flow_count < old) return true;
    const uint32_t size = old == 0 ? 16 : 2 * old;
    struct ltcp_flow **buckets = engine_zeroed(&host->engine, (size_t)size * sizeof(void *));
    if (buckets == NULL) return old != 0; /* longer chains, then */
    for (uint32_t i = 0; i < old; i++) {
        while (host->buckets[i] != NULL) {
            struct ltcp_flow *flow = host->buckets[i];
            host->buckets[i] = flow->next;
            flow->next = buckets[flow->hash & (size - 1)];
            buckets[flow->hash & (size - 1)] = flow;
        }
    }
    engine_resize(&host->engine, host->buckets, old * sizeof(void *), 0);
    host->buckets = buckets;
    host->bucket_mask = size - 1;
    return true;
}

bool demultiplexer_add(struct ltcp_host *host, struct ltcp_flow *flow)
{
    if (!grow(host)) return false;
    flow->hash =
        hash_of(host, &flow->local, flow->local_port, &flow->remote, flow->remote_port) & 0xFFFFFF;
    struct ltcp_flow **bucket = &host->buckets[flow->hash & host->bucket_mask];
    flow->next = *bucket;
    *bucket = flow;
    host->flow_count++;
    return true;
}

void demultiplexer_remove(struct ltcp_host *host, struct ltcp_flow *flow)
{
    if (host->last_flow == flow) host->last_flow = NULL;
    if (host->buckets == NULL) return;
    struct ltcp_flow **at = &host->buckets[flow->hash & host->bucket_mask];
    while (*at != NULL && *at != flow)
        at = &(*at)->next;
    if (*at == NULL) return;
    *at = flow->next;
    flow->next = NULL;
    host->flow_count--;
}

bool demultiplexer_replace(struct ltcp_host *host, struct ltcp_flow *old, struct ltcp_flow *flow)
{
    if (host->buckets == NULL) return false;
    struct ltcp_flow **at = &host->buckets[old->hash & host->bucket_mask];
    while (*at != NULL && *at != old)
        at = &(*at)->next;
    if (*at == NULL) return false;
    if (host->last_flow == old) host->last_flow = NULL;
    flow->hash = old->hash;
    flow->next = old->next;
    *at = flow;
    return true;
}

static inline bool is_between(const struct ltcp_flow *flow, const struct ltcp_address *local,
                              uint16_t local_port, const struct ltcp_address *remote,
                              uint16_t remote_port)
{
    uint64_t own[4], other[4];
    memcpy(own, &flow->local, 16);
    memcpy(own + 2, &flow->remote, 16);
    memcpy(other, local, 16);
    memcpy(other + 2, remote, 16);
    return flow->local_port == local_port && flow->remote_port == remote_port &&
           ((own[0] ^ other[0]) | (own[1] ^ other[1]) | (own[2] ^ other[2]) |
            (own[3] ^ other[3])) == 0;
}

struct ltcp_flow *demultiplexer_find(struct ltcp_host *host, const struct ltcp_address *local,
                                     uint16_t local_port, const struct ltcp_address *remote,
                                     uint16_t remote_port)
{
    struct ltcp_flow *flow = host->last_flow;
    if (flow != NULL && is_between(flow, local, local_port, remote, remote_port)) return flow;
    if (host->buckets == NULL) return NULL;
    const uint32_t hash = hash_of(host, local, local_port, remote, remote_port);
    flow = host->buckets[hash & host->bucket_mask];
    for (; flow != NULL; flow = flow->next) {
        if (flow->hash != hash || !is_between(flow, local, local_port, remote, remote_port))
            continue;
        host->last_flow = flow;
        return flow;
    }
    return NULL;
}
