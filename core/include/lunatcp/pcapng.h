/* core/include/lunatcp/pcapng.h
 *
 * Captures as Wireshark reads them: blocks of the pcapng format (draft-ietf-opsawg-pcapng), little
 * endian on every machine, with times in nanoseconds. Nothing here opens a file or knows a date, a
 * host name or a version, so that equal runs give equal bytes. A file is one section block, an
 * interface block for each link before its first packet, then packet blocks. */
#ifndef LUNATCP_PCAPNG_H
#define LUNATCP_PCAPNG_H

#include "lunatcp/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LTCP_LINKTYPE_RAW 101 /* packets begin with an IPv4 or IPv6 header */

/* Most octets that the functions below need: a packet of 65,535 octets and a comment of 255, a
 * name of 255, and of a link texts of 4,095. Longer texts are cut. */
#define LTCP_PCAPNG_TEXT_MOST       4095
#define LTCP_PCAPNG_PACKET_MOST     (65535 + 3 + 32 + 4 + 256 + 4 + 8 + 4)
#define LTCP_PCAPNG_INTERFACE_MOST  (20 + 260 + 4100 + 8 + 4)
#define LTCP_PCAPNG_STATISTICS_MOST (20 + 4100 + 2 * 12 + 4 + 4)
#define LTCP_PCAPNG_SECTION_MOST    28

enum ltcp_pcapng_direction { LTCP_PCAPNG_UNKNOWN, LTCP_PCAPNG_INBOUND, LTCP_PCAPNG_OUTBOUND };

/* Each writes one whole block to `out`, and returns its length: a multiple of 4. */
size_t ltcp_pcapng_section(uint8_t out[LTCP_PCAPNG_SECTION_MOST]);
/* Interfaces are numbered from 0 in the order they are written. `name` and `description` may be
 * NULL. */
size_t ltcp_pcapng_interface(uint8_t out[LTCP_PCAPNG_INTERFACE_MOST], const char *name,
                             const char *description);
/* What an interface has seen up to `time`: packets, and those of them that were dropped. `comment`
 * may be NULL. */
size_t ltcp_pcapng_statistics(uint8_t out[LTCP_PCAPNG_STATISTICS_MOST], uint32_t interface_number,
                              ltcp_time time, uint64_t packets, uint64_t dropped,
                              const char *comment);
/* `comment` may be NULL. Times before 0 count as 0. */
size_t ltcp_pcapng_packet(uint8_t out[LTCP_PCAPNG_PACKET_MOST], uint32_t interface_number,
                          ltcp_time time, const struct ltcp_packet *packet,
                          enum ltcp_pcapng_direction direction, const char *comment);

#ifdef __cplusplus
}
#endif
#endif
