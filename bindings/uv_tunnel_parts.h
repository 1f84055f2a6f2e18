/* bindings/uv_tunnel_parts.h
 *
 * What the files of a tunnel share. */
#ifndef LUNATCP_UV_TUNNEL_PARTS_H
#define LUNATCP_UV_TUNNEL_PARTS_H

#include "lunatcp/wire.h"
#include "uv_peers.h"
#include "uv_tun.h"
#include "uv_tunnel.h"

struct waiting {
    struct ltcp_packet *packet;
    uint32_t peer; /* of several */
    struct ltcp_framed framed;
};

enum reach {
    REACH_ONE,     /* the socket is connected to its peer, once it has one */
    REACH_SEVERAL, /* the socket is not connected; each packet says to whom it goes */
    REACH_DEVICE   /* a TUN device: the kernel is the peer */
};

struct ltcp_tunnel {
    struct ltcp_tunnel *next; /* of the same network */
    struct ltcp_tunnels *tunnels;
    struct ltcp_network *network; /* NULL: detached */
    struct ltcp_pool *pool;
    uint32_t link;
    unsigned direction;
    bool impaired, blocked, fragments;
    bool many_come; /* single datagrams, rather than few or trains */
    enum reach reach;
    uint32_t learn; /* how many more peers may be learned */
    struct ltcp_address first_learned;
    struct ltcp_framing_context framing; /* `remote` and what follows it: of the peer at hand */
    struct udp udp;
    struct ltcp_peers peers;            /* of several */
    struct ltcp_neighbours *neighbours; /* of vxlan */
    uint32_t payload_max;               /* the narrowest path's; 0: not known */
    ltcp_time path_asked;
    struct ltcp_tunnel_counters counters;
    void (*detached)(void *);
    void *detached_context;
    char tun_name[TUN_NAME];
    struct ltcp_block *blocks[UDP_ARRIVALS];
    size_t head, count; /* of the ring */
    size_t segments;    /* that wait in it: more than `count` where there are bursts */
    struct waiting ring[LTCP_TUNNEL_QUEUE];
};

/* Segments of the packet that have not left. */
static inline unsigned ltcp_tunnel_left(const struct ltcp_packet *packet)
{
    return packet->burst != NULL ? (unsigned)(packet->burst->count - packet->burst->gone) : 1;
}

/* uv_tunnel.c: drops the first of what waits. */
void ltcp_tunnel_drop(struct ltcp_tunnel *t, size_t count);

/* uv_tunnel_out.c: the packet, whose reference is passed on, goes into the ring, or is dropped and
 * counted. */
void ltcp_tunnel_gather(struct ltcp_tunnel *t, struct ltcp_packet *packet);
/* Bytes go out as a datagram; LTCP_EVERY_PEER: to each. */
void ltcp_tunnel_gather_frame(struct ltcp_tunnel *t, const uint8_t *bytes, size_t length,
                              uint32_t peer);
/* A packet whose neighbour has answered. */
void ltcp_tunnel_gather_to(struct ltcp_tunnel *t, struct ltcp_packet *packet,
                           const struct ltcp_mac *mac, uint32_t peer);
/* Asks how much a datagram to that peer may carry. */
void ltcp_tunnel_ask_path(struct ltcp_tunnel *t, uint32_t peer);
/* One of the first `done` in the ring was too long for its path: whoever sent such is told. */
void ltcp_tunnel_narrowed(struct ltcp_tunnel *t, size_t done);
/* Answers a packet that leaves in the name of where it would have gone. */
void ltcp_tunnel_answer(struct ltcp_tunnel *t, const struct ltcp_packet *packet,
                        enum ltcp_icmp_kind kind, uint32_t mtu);

/* uv_ethernet.c: true: where it goes is known, and the framing context has the address. False: it
 * waits in the table, or was dropped. */
bool ltcp_tunnel_resolve(struct ltcp_tunnel *t, struct ltcp_packet *packet, uint32_t *peer);
/* A datagram of vxlan. LTCP_OK with `*out` NULL: it was a message about neighbours. */
enum ltcp_status ltcp_tunnel_frame_in(struct ltcp_tunnel *t, struct ltcp_block *block,
                                      size_t offset, size_t length, ltcp_time now, uint32_t peer,
                                      struct ltcp_packet **out);
/* The frames and packets that the table has for us. */
void ltcp_tunnel_neighbours_out(struct ltcp_tunnel *t);

/* Where an IP packet comes from and goes to, unverified. False: it is too short. */
bool ltcp_tunnel_ends(const struct ltcp_packet *packet, struct ltcp_address *source,
                      struct ltcp_address *destination);

#endif
