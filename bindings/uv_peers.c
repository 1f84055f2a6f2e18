/* bindings/uv_peers.c - the table of a tunnel's peers. */
#include "uv_peers.h"

#include <stdlib.h>
#include <string.h>

static uint32_t mix(uint32_t hash, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

static uint32_t hash_of_outer(const struct ltcp_peers *p, const struct udp_address *a)
{
    uint32_t hash = 2166136261u;
    uint16_t port = p->any_port ? 0 : udp_address_port(a);
    if (a->socket.any.sa_family == AF_INET)
        hash = mix(hash, &a->socket.v4.sin_addr, 4);
    else
        hash = mix(hash, &a->socket.v6.sin6_addr, 16);
    hash = mix(hash, &port, sizeof port);
    return hash ^ hash >> 15;
}

static bool is_outer(const struct ltcp_peers *p, const struct udp_address *a,
                     const struct udp_address *b)
{
    if (!p->any_port) return udp_address_equal(a, b);
    if (a->socket.any.sa_family != b->socket.any.sa_family) return false;
    if (a->socket.any.sa_family == AF_INET)
        return a->socket.v4.sin_addr.s_addr == b->socket.v4.sin_addr.s_addr;
    return memcmp(&a->socket.v6.sin6_addr, &b->socket.v6.sin6_addr, 16) == 0;
}

static uint32_t hash_of_inner(const struct ltcp_address *a)
{
    uint32_t hash = mix(2166136261u, a->bytes, sizeof a->bytes);
    return hash ^ hash >> 15;
}

uint32_t ltcp_peers_by_outer(const struct ltcp_peers *p, const struct udp_address *outer)
{
    if (p->buckets == 0) return LTCP_NO_PEER;
    for (uint32_t at = hash_of_outer(p, outer);; at++) {
        uint32_t number = p->by_outer[at & (p->buckets - 1)];
        if (number == 0) return LTCP_NO_PEER;
        if (is_outer(p, &p->list[number - 1].outer, outer)) return number - 1;
    }
}

uint32_t ltcp_peers_by_inner(const struct ltcp_peers *p, const struct ltcp_address *inner)
{
    if (p->buckets == 0) return LTCP_NO_PEER;
    for (uint32_t at = hash_of_inner(inner);; at++) {
        uint32_t number = p->by_inner[at & (p->buckets - 1)];
        if (number == 0) return LTCP_NO_PEER;
        if (ltcp_address_equal(&p->list[number - 1].inner, inner)) return number - 1;
    }
}

static void enter(uint32_t *buckets, uint32_t count, uint32_t hash, uint32_t number)
{
    while (buckets[hash & (count - 1)] != 0)
        hash++;
    buckets[hash & (count - 1)] = number + 1;
}

static void enter_inner(struct ltcp_peers *p, uint32_t number)
{
    const struct ltcp_address *inner = &p->list[number].inner;
    if (ltcp_address_is_unspecified(inner)) return;
    if (ltcp_peers_by_inner(p, inner) != LTCP_NO_PEER) return; /* who came first stays */
    enter(p->by_inner, p->buckets, hash_of_inner(inner), number);
}

/* Room for one more, with the buckets at most half full. */
static bool grow(struct ltcp_peers *p)
{
    if (p->count < p->room) return true;
    uint32_t room = p->room == 0 ? 8 : 2 * p->room, buckets = 2 * room;
    struct ltcp_peer *list = realloc(p->list, room * sizeof *list);
    if (list == NULL) return false;
    p->list = list;
    uint32_t *outer = calloc(buckets, sizeof *outer), *inner = calloc(buckets, sizeof *inner);
    if (outer == NULL || inner == NULL) {
        free(outer);
        free(inner);
        return false;
    }
    free(p->by_outer);
    free(p->by_inner);
    p->by_outer = outer;
    p->by_inner = inner;
    p->room = room;
    p->buckets = buckets;
    for (uint32_t i = 0; i < p->count; i++) {
        enter(p->by_outer, buckets, hash_of_outer(p, &p->list[i].outer), i);
        enter_inner(p, i);
    }
    return true;
}

uint32_t ltcp_peers_add(struct ltcp_peers *p, const struct udp_address *outer,
                        const struct ltcp_address *inner)
{
    uint32_t number = ltcp_peers_by_outer(p, outer);
    if (number == LTCP_NO_PEER) {
        if (!grow(p)) return LTCP_NO_PEER;
        number = p->count++;
        p->list[number] = (struct ltcp_peer){.outer = *outer, .inner = *inner};
        enter(p->by_outer, p->buckets, hash_of_outer(p, outer), number);
        enter_inner(p, number);
    } else if (ltcp_address_is_unspecified(&p->list[number].inner)) {
        p->list[number].inner = *inner;
        enter_inner(p, number);
    }
    return number;
}

void ltcp_peers_free(struct ltcp_peers *p)
{
    free(p->list);
    free(p->by_outer);
    free(p->by_inner);
    memset(p, 0, sizeof *p);
}
