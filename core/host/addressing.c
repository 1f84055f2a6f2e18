/* core/host/addressing.c - interfaces, addresses of one's own, routes; whom TCP may talk to. */
#include <string.h>

#include "host/host.h"
#include "wire/scope.h"

static uint8_t full_length(const struct ltcp_address *a, uint8_t prefix_length)
{
    return ltcp_address_is_v4(a) ? (uint8_t)(prefix_length + 96) : prefix_length;
}

static bool shares_prefix(const struct ltcp_address *a, const struct ltcp_address *b, uint8_t bits)
{
    const size_t whole = bits / 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0) return false;
    if (bits % 8 == 0) return true;
    const unsigned mask = 0xFFu << (8 - bits % 8) & 0xFFu;
    return ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0;
}

enum ltcp_status ltcp_host_add_interface(struct ltcp_host *host, uint32_t mtu, uint32_t *number)
{
    if (mtu < 68 || mtu > 65535) return LTCP_ERR_INVALID;
    const uint32_t n = host->interface_count;
    struct ltcp_interface *grown =
        engine_resize(&host->engine, host->interfaces, n * sizeof *grown, (n + 1) * sizeof *grown);
    if (grown == NULL) return LTCP_ERR_NO_MEMORY;
    host->interfaces = grown;
    host->interfaces[n] = (struct ltcp_interface){mtu, mtu};
    host->interface_count++;
    *number = n;
    return LTCP_OK;
}

enum ltcp_status ltcp_host_set_mtu(struct ltcp_host *host, uint32_t number, uint32_t mtu)
{
    if (number >= host->interface_count || mtu < 68 || mtu > 65535) return LTCP_ERR_INVALID;
    struct ltcp_interface *i = &host->interfaces[number];
    i->mtu = mtu;
    if (mtu < i->least_mtu) i->least_mtu = mtu;
    return LTCP_OK;
}

static enum ltcp_status add_route(struct ltcp_host *host, const struct ltcp_address *to,
                                  uint8_t bits, uint32_t number)
{
    const uint32_t n = host->route_count;
    struct ltcp_route *grown =
        engine_resize(&host->engine, host->routes, n * sizeof *grown, (n + 1) * sizeof *grown);
    if (grown == NULL) return LTCP_ERR_NO_MEMORY;
    host->routes = grown;
    host->routes[host->route_count++] = (struct ltcp_route){*to, number, bits};
    return LTCP_OK;
}

enum ltcp_status ltcp_host_add_route(struct ltcp_host *host, const struct ltcp_address *destination,
                                     uint8_t prefix_length, uint32_t number)
{
    const bool v4 = ltcp_address_is_v4(destination);
    if (number >= host->interface_count || prefix_length > (v4 ? 32 : 128)) return LTCP_ERR_INVALID;
    struct ltcp_address scoped = *destination;
    if (prefix_length >= 10) scope_set(&scoped, number);
    return add_route(host, &scoped, full_length(destination, prefix_length), number);
}

enum ltcp_status ltcp_host_add_address(struct ltcp_host *host, uint32_t number,
                                       const struct ltcp_address *address, uint8_t prefix_length)
{
    const bool v4 = ltcp_address_is_v4(address);
    if (number >= host->interface_count || prefix_length > (v4 ? 32 : 128)) return LTCP_ERR_INVALID;
    if (ltcp_address_is_unspecified(address) || ltcp_address_is_multicast(address))
        return LTCP_ERR_ADDRESS;
    const uint32_t n = host->address_count;
    struct ltcp_local_address *grown =
        engine_resize(&host->engine, host->addresses, n * sizeof *grown, (n + 1) * sizeof *grown);
    if (grown == NULL) return LTCP_ERR_NO_MEMORY;
    host->addresses = grown;
    struct ltcp_address scoped = *address;
    scope_set(&scoped, number);
    host->addresses[n] =
        (struct ltcp_local_address){scoped, number, full_length(address, prefix_length)};
    host->address_count++;
    /* RFC4007:9-1: a zone's addresses are reached by its link only, all of them. */
    return address_is_link_local(address)
               ? add_route(host, &scoped, 64, number)
               : add_route(host, address, full_length(address, prefix_length), number);
}

void ltcp_host_withdraw(struct ltcp_host *host, uint32_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].interface != number) host->addresses[kept++] = host->addresses[i];
    host->address_count = kept;
    kept = 0;
    for (uint32_t i = 0; i < host->route_count; i++)
        if (host->routes[i].interface != number) host->routes[kept++] = host->routes[i];
    host->route_count = kept;
}

/* RFC4007:6-1: without a zone, the only one there is. */
bool address_give_zone(const struct ltcp_host *host, struct ltcp_address *address)
{
    if (!address_is_link_local(address) || scope_zone(address) != 0) return true;
    if (host->interface_count != 1) return false;
    scope_set(address, 0);
    return true;
}

bool ltcp_host_address(const struct ltcp_host *host, size_t i, struct ltcp_address *out,
                       uint32_t *interface_number)
{
    if (i >= host->address_count) return false;
    *out = host->addresses[i].address;
    if (interface_number != NULL) *interface_number = host->addresses[i].interface;
    return true;
}

const struct ltcp_route *route_find(const struct ltcp_host *host, const struct ltcp_address *to)
{
    const struct ltcp_route *best = NULL;
    for (uint32_t i = 0; i < host->route_count; i++) {
        const struct ltcp_route *r = &host->routes[i];
        /* A default route of one family is no route for the other. */
        if (ltcp_address_is_v4(&r->prefix) != ltcp_address_is_v4(to)) continue;
        if (!shares_prefix(&r->prefix, to, r->prefix_length)) continue;
        if (best == NULL || r->prefix_length > best->prefix_length) best = r;
    }
    return best;
}

bool address_is_local(const struct ltcp_host *host, const struct ltcp_address *address)
{
    for (uint32_t i = 0; i < host->address_count; i++)
        if (ltcp_address_equal(&host->addresses[i].address, address)) return true;
    return false;
}

/* 255.255.255.255, or all ones in the host part of a subnet of ours. */
bool address_is_broadcast(const struct ltcp_host *host, const struct ltcp_address *address)
{
    if (!ltcp_address_is_v4(address)) return false;
    if (ltcp_address_is_broadcast(address)) return true;
    for (uint32_t i = 0; i < host->address_count; i++) {
        const struct ltcp_local_address *own = &host->addresses[i];
        if (!ltcp_address_is_v4(&own->address) || own->prefix_length > 126) continue;
        struct ltcp_address directed = own->address;
        for (unsigned bit = own->prefix_length; bit < 128; bit++)
            directed.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        if (ltcp_address_equal(&directed, address)) return true;
    }
    return false;
}

/* Whether an address of ours is the better source: of the destination's scope before others
 * (RFC 6724 section 5, rule 2), then on the interface that the route names. */
static bool is_better(const struct ltcp_local_address *own, const struct ltcp_local_address *best,
                      const struct ltcp_address *to, uint32_t interface)
{
    if (best == NULL) return true;
    const bool local = address_is_link_local(to);
    const bool fits = address_is_link_local(&own->address) == local;
    const bool fitted = address_is_link_local(&best->address) == local;
    if (fits != fitted) return fits;
    return best->interface != interface && own->interface == interface;
}

/* RFC9293:MUST-44: IP chooses. An address on the interface that the route names, else any of the
 * destination's family; of a link's own addresses only one of that link. */
bool address_choose(const struct ltcp_host *host, const struct ltcp_address *to,
                    struct ltcp_address *out, uint32_t *interface)
{
    const struct ltcp_route *route = route_find(host, to);
    const struct ltcp_local_address *best = NULL;
    if (route == NULL) return false;
    for (uint32_t i = 0; i < host->address_count; i++) {
        const struct ltcp_local_address *own = &host->addresses[i];
        if (ltcp_address_is_v4(&own->address) != ltcp_address_is_v4(to)) continue;
        if (address_is_link_local(&own->address) && own->interface != route->interface) continue;
        if (is_better(own, best, to, route->interface)) best = own;
    }
    if (best == NULL) return false;
    *out = best->address;
    *interface = route->interface;
    return true;
}

/* Never a host's address on a wire: 0.0.0.0/8, 127.0.0.0/8, class E, ::1 (RFC1122:3.2.1.3-2,
 * RFC 4291 section 2.5.3). */
static bool is_nobody(const struct ltcp_address *a)
{
    const uint8_t net = a->bytes[12];
    if (ltcp_address_is_v4(a)) return net == 0 || net == 127 || net >= 240;
    static const struct ltcp_address one = {{[15] = 1}};
    return ltcp_address_equal(a, &one);
}

bool address_is_peer(const struct ltcp_host *host, const struct ltcp_address *address)
{
    if (is_nobody(address) && !address_is_local(host, address)) return false;
    return !ltcp_address_is_unspecified(address) && !ltcp_address_is_multicast(address) &&
           !address_is_broadcast(host, address);
}
