/* core/wire/framing.h
 *
 * One framing each; what is public of them is lunatcp/framing.h. */
#ifndef LUNATCP_WIRE_FRAMING_H
#define LUNATCP_WIRE_FRAMING_H

#include "ip.h"

/* The IP header that the sender left away, as far as the tunnel knows it. */
void framing_made_header(const struct ltcp_framing_context *context, struct ltcp_ip *ip);

/* cheshire.c */
enum ltcp_status cheshire_strip(const struct ltcp_framing_context *context,
                                const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                struct ltcp_framed *out);
enum ltcp_status cheshire_unstrip(const struct ltcp_framing_context *context,
                                  struct ltcp_block *block, size_t offset, size_t length,
                                  const struct ltcp_ip *ip, struct ltcp_packet **out);
/* The head of a packet with so many octets of text: `p` is what the datagram has before them. */
void cheshire_head(const struct ltcp_framing_context *context, const uint8_t *p, size_t header,
                   size_t text, const struct ltcp_ip *ip, struct ltcp_packet *packet);

#endif
