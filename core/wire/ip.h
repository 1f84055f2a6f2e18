/* core/wire/ip.h
 *
 * What the parts of wire/ share about IP headers. */
#ifndef LUNATCP_WIRE_IP_H
#define LUNATCP_WIRE_IP_H

#include "lunatcp/wire.h"

enum { IPV4_HEADER = 20, IPV4_HEADER_MAX = 60, IPV6_HEADER = 40, TCP_HEADER = 20, ICMP_HEADER = 8 };

/* Where a packet's bytes are best split into head and payload: behind the transport header where
 * that can be told, else as far as the head reaches. `*length` is cut to what the IP header says,
 * where that is less. Looks at no checksum. */
size_t ltcp_ip_split(const uint8_t *bytes, size_t *length);

#endif
