/* core/network/routes.c - longest prefix match. */
#include "routes.h"

/* IPv4 addresses are held mapped: behind 96 bits that all of them share. */
static unsigned bits_in_16(const struct route *route)
{
    return route->v4 ? 96u + route->length : route->length;
}

static bool matches(const struct route *route, const struct ltcp_address *address)
{
    if (route->v4 != ltcp_address_is_v4(address)) return false;
    unsigned bits = bits_in_16(route), octets = bits / 8;
    if (memcmp(route->prefix.bytes, address->bytes, octets) != 0) return false;
    if (bits % 8 == 0) return true;
    unsigned different = route->prefix.bytes[octets] ^ address->bytes[octets];
    return different >> (8 - bits % 8) == 0;
}

enum ltcp_status routes_add(struct routes *routes, const struct ltcp_allocator *allocator,
                            const struct route *route)
{
    struct route added = *route;
    added.v4 = ltcp_address_is_v4(&added.prefix);
    if (added.length > (added.v4 ? 32 : 128)) return LTCP_ERR_INVALID;
    void *list = memory_grow(allocator, routes->list, &routes->room, routes->count + 1,
                             sizeof *routes->list);
    if (list == NULL) return LTCP_ERR_NO_MEMORY;
    routes->list = list;
    uint32_t place = routes->count++;
    for (; place > 0 && bits_in_16(&routes->list[place - 1]) < bits_in_16(&added); place--)
        routes->list[place] = routes->list[place - 1];
    routes->list[place] = added;
    memset(routes->cache, 0, sizeof routes->cache);
    return LTCP_OK;
}

/* Any mixture will do: which entry is taken is never seen. */
static uint32_t cache_index(const struct ltcp_address *address)
{
    uint64_t half[2];
    memcpy(half, address->bytes, sizeof half);
    return (uint32_t)((half[0] ^ half[1]) * UINT64_C(0x9E3779B97F4A7C15) >> 32) % ROUTE_CACHE;
}

const struct route *routes_find(struct routes *routes, const struct ltcp_address *destination)
{
    uint32_t at = cache_index(destination);
    if (routes->cache[at].route != 0 &&
        ltcp_address_equal(&routes->cache[at].destination, destination))
        return &routes->list[routes->cache[at].route - 1];
    for (uint32_t i = 0; i < routes->count; i++) {
        if (!matches(&routes->list[i], destination)) continue;
        routes->cache[at].destination = *destination;
        routes->cache[at].route = i + 1;
        return &routes->list[i];
    }
    return NULL;
}

bool route_is_broadcast(const struct route *route, const struct ltcp_address *destination)
{
    /* RFC 3021: a prefix of 31 bits has no broadcast address. */
    if (!route->connected || !route->v4 || route->length > 30) return false;
    for (unsigned bit = 96u + route->length; bit < 128; bit++)
        if ((destination->bytes[bit / 8] & 0x80 >> bit % 8) == 0) return false;
    return true;
}

void routes_free(struct routes *routes, const struct ltcp_allocator *allocator)
{
    memory_give(allocator, routes->list, (size_t)routes->room * sizeof *routes->list);
    routes->list = NULL;
    routes->count = routes->room = 0;
}
