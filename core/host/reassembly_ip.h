/* core/host/reassembly_ip.h
 *
 * Fragments of IP datagrams until they are whole: RFC 791 section 3.2, RFC 815, RFC 1122 section
 * 3.3.2, RFC 8200 section 4.5. Internal to the core. */
#ifndef LUNATCP_HOST_REASSEMBLY_IP_H
#define LUNATCP_HOST_REASSEMBLY_IP_H

#include "lunatcp/host.h"

struct ltcp_piece; /* one fragment's data */

/* A datagram of which something is missing. */
struct ltcp_partial {
    struct ltcp_partial *next; /* a later one */
    struct ltcp_address source, destination;
    uint32_t identification;
    uint8_t protocol; /* IPv4; 0 with IPv6 */
    uint8_t ecn;      /* bits 1 << codepoint of all that came */
    bool v4;
    bool abandoned; /* nothing is kept of it, nor of what may still come */
    uint16_t head_length;
    uint32_t total;             /* of the data, once the last fragment came; 0: not known */
    uint32_t count, have, held; /* fragments, octets of data, octets of memory */
    ltcp_time deadline;
    struct ltcp_piece *first, *last; /* in the order of their offsets, none overlapping */
    struct ltcp_packet *quote;       /* the first fragment as it came: its head, and what an error
                                      * message quotes of it; NULL: not yet there */
};

/* A host's; all zero: none. */
struct ltcp_partials {
    struct ltcp_partial *first, *last; /* oldest first */
    uint32_t count, held;
    ltcp_time deadline; /* the next one's; only where there are some */
};

/* A fragment that ltcp_ip_decode gave LTCP_ERR_FRAGMENT for. LTCP_OK: it is kept, or it was the
 * last one missing, and *whole is the datagram, a reference; else why it was dropped. */
enum ltcp_status fragment_arrives(struct ltcp_host *host, ltcp_time now,
                                  const struct ltcp_packet *packet, const struct ltcp_ip *ip,
                                  struct ltcp_packet **whole);
/* Gives up what has waited too long. */
void fragments_expire(struct ltcp_host *host, ltcp_time now);
void fragments_free(struct ltcp_host *host);
struct digest;
void fragments_digest(struct digest *d, const struct ltcp_host *host, ltcp_time now);

#endif
