/* core/network/fragment.h - IPv4 packets cut into fragments, RFC 791 section 3.2. */
#ifndef LUNATCP_NETWORK_FRAGMENT_H
#define LUNATCP_NETWORK_FRAGMENT_H

#include "internal.h"

/* Puts `whole`, an IPv4 packet that is longer than `mtu` (68 at least), onto its link in as few
 * pieces as can be, in order. Its packet's reference is used up. */
void fragment_enqueue(struct ltcp_network *network, const struct entering *whole, uint32_t mtu);

#endif
