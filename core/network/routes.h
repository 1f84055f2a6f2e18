/* core/network/routes.h
 *
 * A node's static routes. The longest prefix wins, among equals the one that was added first. */
#ifndef LUNATCP_NETWORK_ROUTES_H
#define LUNATCP_NETWORK_ROUTES_H

#include "memory.h"
#include "lunatcp/network.h"

#define ROUTE_LOCAL (LTCP_NOWHERE - 1) /* instead of a link: the node's own address */

struct route {
    struct ltcp_address prefix;
    uint8_t length; /* in the address's own family */
    bool v4;
    bool connected; /* the subnet of a link: its highest address is a broadcast */
    uint32_t link;
};

#define ROUTE_CACHE 64
struct routes {
    struct route *list; /* longest prefix first */
    uint32_t count, room;
    /* The last destinations seen, by a hash of theirs; index in the list + 1. */
    struct {
        struct ltcp_address destination;
        uint32_t route;
    } cache[ROUTE_CACHE];
};

/* LTCP_ERR_INVALID: the prefix is longer than the address. */
enum ltcp_status routes_add(struct routes *routes, const struct ltcp_allocator *allocator,
                            const struct route *route);
/* NULL: none. */
const struct route *routes_find(struct routes *routes, const struct ltcp_address *destination);
/* Is it the directed broadcast address of the route's subnet (RFC 919)? */
bool route_is_broadcast(const struct route *route, const struct ltcp_address *destination);
void routes_free(struct routes *routes, const struct ltcp_allocator *allocator);

#endif
