/* core/wire/extension.h
 *
 * The chain of IPv6 extension headers (RFC 8200 section 4), walked in the order in which they
 * stand. Internal to the core. */
#ifndef LUNATCP_WIRE_EXTENSION_H
#define LUNATCP_WIRE_EXTENSION_H

#include "lunatcp/wire.h"

enum ltcp_next_header {
    LTCP_NEXT_HOP_BY_HOP = 0,
    LTCP_NEXT_ROUTING = 43,
    LTCP_NEXT_FRAGMENT = 44,
    LTCP_NEXT_AUTHENTICATION = 51,
    LTCP_NEXT_NONE = 59,
    LTCP_NEXT_DESTINATION_OPTIONS = 60
};

/* What is to be said of a packet that is discarded for its extension headers. */
enum ltcp_complaint {
    LTCP_COMPLAINT_NONE,
    LTCP_COMPLAINT_UNICAST, /* a parameter problem, but not about a packet to a group */
    LTCP_COMPLAINT_ALWAYS
};

struct ltcp_extensions {
    uint16_t end;         /* where the chain ends: behind a Fragment header at the latest */
    uint16_t protocol_at; /* the octet that says what stands there */
    uint16_t fragment_at; /* the Fragment header that ends the chain; 0: none */
    uint8_t protocol;     /* what stands there */
    uint8_t complaint;    /* enum ltcp_complaint, with the parameter problem's ... */
    uint8_t code;         /* ... code and ... */
    uint16_t pointer;     /* ... pointer (RFC 4443 section 3.4) */
};

/* `there` octets of the packet can be read, of `total` that it has; both count its IPv6 header.
 * LTCP_ERR_TRUNCATED where the chain goes on behind them; LTCP_ERR_IP_OPTION where RFC 8200 wants
 * the packet discarded (`out` then says what to complain of); LTCP_ERR_FRAGMENT for a fragment.
 * `lenient`: only lengths count, for a packet of somebody else's. */
enum ltcp_status ltcp_extensions_walk(const uint8_t *packet, size_t there, size_t total,
                                      bool lenient, struct ltcp_extensions *out);

#endif
