/* core/wire/ip.h
 *
 * What the parts of wire/ share about IP headers. */
#ifndef LUNATCP_WIRE_IP_H
#define LUNATCP_WIRE_IP_H

#include "lunatcp/wire.h"
#include "bytes.h"

enum { IPV4_HEADER = 20, IPV4_HEADER_MAX = 60, IPV6_HEADER = 40, TCP_HEADER = 20, ICMP_HEADER = 8 };

/* Where a packet's bytes are best split into head and payload: behind the transport header where
 * that can be told, else as far as the head reaches. `*length` is cut to what the IP header says,
 * where that is less. Looks at no checksum. */
size_t ltcp_ip_split(const uint8_t *bytes, size_t *length);

/* ltcp_address_is_v4 without a call. */
static inline bool address_is_v4(const struct ltcp_address *a)
{
    static const uint8_t prefix[4] = {0, 0, 0xFF, 0xFF};
    return load_64(a->bytes) == 0 && load_32(a->bytes + 8) == load_32(prefix);
}

/* The version that a header with these addresses has. */
static inline unsigned version_of(const struct ltcp_ip *ip)
{
    return address_is_v4(&ip->source) && address_is_v4(&ip->destination) ? 4 : 6;
}

#endif
