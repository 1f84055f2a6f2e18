/* core/network/source_route.h
 *
 * The loose and strict source routes of IPv4 as a router sees them: RFC 791 section 3.1, RFC 1812
 * section 5.3.13.4. Pure functions over a packet's head. */
#ifndef LUNATCP_NETWORK_SOURCE_ROUTE_H
#define LUNATCP_NETWORK_SOURCE_ROUTE_H

#include "lunatcp/wire.h"

struct source_route {
    enum {
        SOURCE_ROUTE_NONE,
        SOURCE_ROUTE_OVER,  /* used up: the destination is the last one */
        SOURCE_ROUTE_NEXT,  /* `next` is to take the destination's place */
        SOURCE_ROUTE_BROKEN /* `pointer` names the octet of the header that is wrong */
    } kind;
    bool strict;
    uint8_t option;  /* where the option begins in the header */
    uint8_t pointer; /* where the next address lies in the header */
    struct ltcp_address next;
};

/* The route of a packet whose header was decoded. */
struct source_route source_route_find(const struct ltcp_ip *ip);
/* Goes on to the address behind `next`. */
void source_route_skip(struct source_route *route, const struct ltcp_ip *ip);
/* "The next address in the source route replaces the address in the destination address field, and
 * the recorded route address replaces the source address just used, and pointer is increased by
 * four." `recorded` is IPv4. The head is changed in place: nobody else may hold it. */
void source_route_advance(struct ltcp_packet *packet, const struct source_route *route,
                          const struct ltcp_address *recorded);

#endif
