/* core/wire/scope.h
 *
 * Link-local addresses of IPv6 mean something on one link only (RFC 4007). Within this engine such
 * an address holds its zone, the number of the interface and one, in its third and fourth octet,
 * which are 0 on the wire (RFC 4291 section 2.5.6) and are made so by whatever writes a packet
 * (RFC4007:4-1). So two zones' addresses are two (RFC4007:6-2). */
#ifndef LUNATCP_WIRE_SCOPE_H
#define LUNATCP_WIRE_SCOPE_H

#include "lunatcp/types.h"
#include "bytes.h"

/* fe80::/10 */
static inline bool address_is_link_local(const struct ltcp_address *a)
{
    return a->bytes[0] == 0xFE && (a->bytes[1] & 0xC0) == 0x80;
}
/* 0: none. */
static inline uint32_t scope_zone(const struct ltcp_address *a)
{
    return address_is_link_local(a) ? load_be16(a->bytes + 2) : 0u;
}
static inline void scope_set(struct ltcp_address *a, uint32_t interface)
{
    if (address_is_link_local(a)) store_be16(a->bytes + 2, (uint16_t)(interface + 1));
}
/* As it is on the wire. */
static inline struct ltcp_address scope_cleared(struct ltcp_address a)
{
    if (address_is_link_local(&a)) a.bytes[2] = a.bytes[3] = 0;
    return a;
}

#endif
