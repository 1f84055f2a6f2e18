/* bindings/uv_tunnel.h
 *
 * A tunnel: one end of a link that leads out of the process, by a UDP socket (of one peer, or of
 * several) or by a TUN device. It takes the packets that leave a
 * direction of the link (ltcp_network_exit), puts them in datagrams, and turns the datagrams that
 * come back into packets (ltcp_network_enter). It knows neither Lua nor libuv: whoever owns a loop
 * calls ltcp_tunnel_receive when the descriptor is readable, ltcp_tunnel_send when it has
 * something to send or the descriptor has become writable. */
#ifndef LUNATCP_UV_TUNNEL_H
#define LUNATCP_UV_TUNNEL_H

#include "lunatcp/neighbours.h"
#include "lunatcp/network.h"
#include "uv_batch.h"

struct ltcp_tunnel;

/* The tunnels of one network, in the userdata that owns the network: zeroed is empty. */
struct ltcp_tunnels {
    struct ltcp_tunnel *first;
};

/* To be called for LTCP_STEP_EXIT: the tunnel of that link and direction takes all packets that
 * wait there. Full bursts go to the kernel at once, the rest when ltcp_tunnels_send is called or
 * the loop is about to sleep, so that one call carries many. False: no tunnel is there, and the
 * packets still wait. */
bool ltcp_tunnels_flush(struct ltcp_tunnels *tunnels, uint32_t link, unsigned direction);
/* Sends what the tunnels of the network have gathered. */
void ltcp_tunnels_send(struct ltcp_tunnels *tunnels);
/* To be called before the network or its pool is destroyed: the tunnels drop their packets, and
 * from then on are as good as closed. */
void ltcp_tunnels_detach(struct ltcp_tunnels *tunnels);

struct ltcp_tunnel_config {
    struct ltcp_network *network;
    struct ltcp_pool *pool;       /* the network's */
    struct ltcp_tunnels *tunnels; /* the network's */
    uint32_t link;
    unsigned direction; /* 0 or 1: whose packets leave here; what comes in goes the other way */
    bool impaired;      /* what comes in passes that direction's path first (its sending end is the
                         * outside) */
    /* Who may be learned from the first valid datagram that they send: 0 nobody, 1 the only peer
     * (the socket then hears nobody else), N so many. */
    uint32_t learn;
    bool several;   /* ltcp_tunnel_add_peer will be called, or more than one is learned */
    bool fragments; /* datagrams longer than the path's MTU are cut, and not refused */
    bool tun;       /* a TUN device named tun_name, which bind and peer have no part in */
    char tun_name[16];
    enum ltcp_framing framing;
    enum ltcp_inner_checksum checksum;
    /* Inner addresses: of `plain` and `cheshire`; where several are learned, `remote` is the first
     * one's, and those that follow it are the next ones'. Of `vxlan` and with several peers,
     * `locals` are ours, answered for. */
    struct ltcp_address local, remote;
    struct ltcp_address locals[LTCP_NEIGHBOUR_LOCALS];
    unsigned local_count;
    uint32_t vni;        /* vxlan */
    struct ltcp_mac mac; /* vxlan; a group's (not a station's): one is made of local */
    enum udp_batch batch;
    struct udp_address bind, peer; /* peer.length 0: none yet */
};

/* Packets that wait for the kernel; more are dropped, as a network card's queue would. */
#define LTCP_TUNNEL_QUEUE 1024

/* Beside those of the socket. */
struct ltcp_tunnel_counters {
    uint64_t packets_in, packets_out;
    uint64_t queue_full;  /* not sent: LTCP_TUNNEL_QUEUE packets waited already */
    uint64_t no_peer;     /* not sent: nobody to send to yet */
    uint64_t unframeable; /* not sent: the framing cannot carry the packet */
    uint64_t unreadable;  /* received, but not of this framing */
    uint64_t strangers;   /* received from another than the peers */
    uint64_t too_long;    /* not sent: longer than the path takes; its sender was told */
    uint64_t unresolved;  /* not sent: nobody has that Ethernet address, or the answer came later */
    uint64_t neighbours;  /* frames of ARP and neighbour discovery, understood */
    uint64_t no_memory;
};

/* Opens, binds and joins; 0 or an errno value (udp_open's, and EEXIST: that direction of the link
 * has a tunnel). `*out` belongs to the caller. */
int ltcp_tunnel_open(const struct ltcp_tunnel_config *config, struct ltcp_tunnel **out);
/* Closes the socket, drops what waits, leaves the network, frees. NULL is allowed. */
void ltcp_tunnel_close(struct ltcp_tunnel *tunnel);
/* Called just before the descriptor is closed because the network goes; NULL: nobody. */
void ltcp_tunnel_on_detach(struct ltcp_tunnel *tunnel, void (*call)(void *), void *context);
/* -1 once it was detached. */
int ltcp_tunnel_fd(const struct ltcp_tunnel *tunnel);
/* NULL once it was detached. */
struct ltcp_network *ltcp_tunnel_network(const struct ltcp_tunnel *tunnel);
/* What the socket is bound to; 0 or an errno value. */
int ltcp_tunnel_address(const struct ltcp_tunnel *tunnel, struct udp_address *out);
/* 0 or an errno value: EAFNOSUPPORT when the family is not that of the socket. */
int ltcp_tunnel_set_peer(struct ltcp_tunnel *tunnel, const struct udp_address *peer);
/* One more of several; `inner` unspecified: as learned. EAFNOSUPPORT, EISCONN (the socket is of one
 * peer), ENOMEM. `mac` NULL: it is asked for. */
int ltcp_tunnel_add_peer(struct ltcp_tunnel *tunnel, const struct udp_address *outer,
                         const struct ltcp_address *inner, const struct ltcp_mac *mac);
uint32_t ltcp_tunnel_peers(const struct ltcp_tunnel *tunnel);
/* The greatest IP packet that fits into a datagram on the path to the peer (of several: to the one
 * behind whom it is narrowest), with an IP header of `version`; 0: not known. */
uint32_t ltcp_tunnel_mtu(const struct ltcp_tunnel *tunnel, unsigned version);
/* Of a TUN device; else NULL. */
const char *ltcp_tunnel_name(const struct ltcp_tunnel *tunnel);
/* All zero where the framing has no Ethernet. */
struct ltcp_neighbours_counters ltcp_tunnel_neighbours(const struct ltcp_tunnel *tunnel);
/* When ltcp_tunnel_advance is to be called; LTCP_NEVER. */
ltcp_time ltcp_tunnel_deadline(const struct ltcp_tunnel *tunnel);
void ltcp_tunnel_advance(struct ltcp_tunnel *tunnel, ltcp_time now);
/* NULL: nobody yet. */
const struct udp_address *ltcp_tunnel_peer(const struct ltcp_tunnel *tunnel);
const struct ltcp_tunnel_counters *ltcp_tunnel_counters(const struct ltcp_tunnel *tunnel);
const struct udp_counters *ltcp_tunnel_udp_counters(const struct ltcp_tunnel *tunnel);
/* What is used in the end: never UDP_BATCH_AUTO. */
enum udp_batch ltcp_tunnel_batch(const struct ltcp_tunnel *tunnel);

/* Reads what has arrived, up to a bound that keeps the other work going, and hands it to the
 * network at the time `now`, or before the first thing that was due earlier. Returns how many
 * packets went in. */
size_t ltcp_tunnel_receive(struct ltcp_tunnel *tunnel, ltcp_time now);
/* Takes what waits in ltcp_network_exit. */
void ltcp_tunnel_collect(struct ltcp_tunnel *tunnel);
/* Hands what has been gathered to the kernel, unless the kernel refused before. Returns how many
 * packets still wait: ltcp_tunnel_retry is then to be called when ltcp_tunnel_waits_for says. */
size_t ltcp_tunnel_send(struct ltcp_tunnel *tunnel);
size_t ltcp_tunnel_retry(struct ltcp_tunnel *tunnel);
enum ltcp_tunnel_wait {
    LTCP_TUNNEL_NOTHING,  /* nothing waits */
    LTCP_TUNNEL_GATHERED, /* for ltcp_tunnel_send */
    LTCP_TUNNEL_WRITABLE, /* until the descriptor is writable */
    LTCP_TUNNEL_A_WHILE /* a millisecond: the kernel had no memory, and will not say when it has */
};
enum ltcp_tunnel_wait ltcp_tunnel_waits_for(const struct ltcp_tunnel *tunnel);
/* The descriptor is in an error state (an ICMP error came back): reads it off and counts it. */
void ltcp_tunnel_clear_error(struct ltcp_tunnel *tunnel);

#endif
