/* core/include/lunatcp/neighbours.h
 *
 * Which Ethernet address has an inner IP address, at a station on an Ethernet inside a tunnel: it
 * asks and answers by ARP (RFC 826) and by neighbour discovery (RFC 4861). Time and frames come in
 * as arguments, frames go out by a queue, and packets that wait for an answer are held here. A
 * station has a number, that of the tunnel's peer behind which it was heard. Nothing here grows: a
 * table that is full forgets whom it has not needed for longest. */
#ifndef LUNATCP_NEIGHBOURS_H
#define LUNATCP_NEIGHBOURS_H

#include "lunatcp/framing.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LTCP_NEIGHBOURS       256 /* entries */
#define LTCP_NEIGHBOUR_LOCALS 8   /* addresses of our own */
#define LTCP_NEIGHBOUR_FRAMES 64  /* that wait to be taken; more are dropped and counted */
#define LTCP_EVERY_PEER       UINT32_MAX

/* RFC 4861 section 10. */
#define LTCP_NEIGHBOUR_RETRANS   LTCP_SECOND
#define LTCP_NEIGHBOUR_REACHABLE (30 * LTCP_SECOND)
#define LTCP_NEIGHBOUR_DELAY     (5 * LTCP_SECOND)
#define LTCP_NEIGHBOUR_SOLICIT   3

struct ltcp_neighbours;

/* `allocator` is copied. NULL: no memory. */
struct ltcp_neighbours *ltcp_neighbours_create(const struct ltcp_allocator *allocator,
                                               const struct ltcp_mac *mac);
/* Releases what waits. NULL is allowed. */
void ltcp_neighbours_destroy(struct ltcp_neighbours *table);
/* An address that is ours, to be answered for: LTCP_ERR_NO_BUFFERS when there are too many. */
enum ltcp_status ltcp_neighbours_add_local(struct ltcp_neighbours *table,
                                           const struct ltcp_address *address);
/* Where the next hop of a packet's destination is: that Ethernet address, behind that peer. True:
 * known. False: it is being asked for; `packet` (a reference is taken) is kept until there is an
 * answer, in the place of one that waited before. `packet` NULL: nothing is kept. `source` is the
 * address to ask from. */
bool ltcp_neighbours_find(struct ltcp_neighbours *table, ltcp_time now,
                          const struct ltcp_address *source, const struct ltcp_address *destination,
                          struct ltcp_packet *packet, struct ltcp_mac *mac, uint32_t *peer);
/* An entry that never ages and is never overwritten: LTCP_ERR_NO_BUFFERS when there is no room. */
enum ltcp_status ltcp_neighbours_add_static(struct ltcp_neighbours *table,
                                            const struct ltcp_address *address,
                                            const struct ltcp_mac *mac, uint32_t peer);

/* What follows an Ethernet header came in, from that peer. LTCP_OK, or why it was ignored: what
 * the decoders say, or LTCP_ERR_ADDRESS (somebody uses an address of ours). */
enum ltcp_status ltcp_neighbours_hear_arp(struct ltcp_neighbours *table, ltcp_time now,
                                          const uint8_t *bytes, size_t length, uint32_t peer);
enum ltcp_status ltcp_neighbours_hear(struct ltcp_neighbours *table, ltcp_time now,
                                      const uint8_t *packet, size_t length, uint32_t peer);

/* An Ethernet frame to send. */
struct ltcp_neighbour_frame {
    uint8_t bytes[LTCP_ETHERNET_HEADER + LTCP_NEIGHBOUR_LENGTH];
    uint8_t length;
    uint32_t peer; /* LTCP_EVERY_PEER: to all */
};
bool ltcp_neighbours_next_frame(struct ltcp_neighbours *table, struct ltcp_neighbour_frame *out);
/* A packet that has waited: to be sent to `mac` behind `peer`; or, with `failed`, nobody answered,
 * and its sender is to hear of it (RFC4861:7.2.2-7). Its reference is passed on. NULL: no more. */
struct ltcp_packet *ltcp_neighbours_next_packet(struct ltcp_neighbours *table, struct ltcp_mac *mac,
                                                uint32_t *peer, bool *failed);

/* LTCP_NEVER: nothing is awaited. */
ltcp_time ltcp_neighbours_deadline(const struct ltcp_neighbours *table);
void ltcp_neighbours_advance(struct ltcp_neighbours *table, ltcp_time now);

struct ltcp_neighbours_counters {
    uint64_t asked, answered; /* solicitations and requests, sent and answered */
    uint64_t learned;         /* entries that came to have an Ethernet address */
    uint64_t failed;          /* nobody answered */
    uint64_t forgotten;       /* to make room */
    uint64_t dropped;         /* frames and packets for which there was no room */
    uint32_t entries;
};
struct ltcp_neighbours_counters ltcp_neighbours_counters(const struct ltcp_neighbours *table);

#ifdef __cplusplus
}
#endif
#endif
