/* bindings/uv_relay.h
 *
 * A relay: it stands between UDP sockets that know nothing of it, and what passes goes through a
 * link of a network whose ends are both outside. Direction 0 is from the clients to the server.
 * Each client has a socket of its own towards the server, so that answers find their way. On the
 * link a datagram is a UDP packet as it would be on a wire. Knows no Lua. */
#ifndef LUNATCP_UV_RELAY_H
#define LUNATCP_UV_RELAY_H

#include "uv_drive.h"

struct ltcp_relay;

struct ltcp_relay_config {
    struct ltcp_loop *loop;
    struct ltcp_network *network;
    struct ltcp_pool *pool;     /* the network's */
    struct ltcp_relay **relays; /* the network's list of them */
    uint32_t link;
    struct udp_address bind, server;
    uint32_t clients_most; /* so many have a socket at a time; 1 to 65535 */
    ltcp_time idle; /* one that was silent for so long, both ways, may be forgotten for a new one */
    enum udp_batch batch;
};

struct ltcp_relay_counters {
    uint64_t clients;   /* that have come */
    uint64_t refused;   /* datagrams of new clients for whom there was no place, or no socket */
    uint64_t forgotten; /* clients, for new ones */
    uint64_t misled;    /* packets whose headers were corrupted, or whose client was forgotten */
    uint64_t crowded;   /* datagrams that the kernel did not take */
    uint64_t no_memory;
    struct udp_counters near, far; /* of the clients' socket; of those to the server, together */
};

/* Opens and joins; 0 or an errno value (udp_open's, EAFNOSUPPORT, EEXIST). */
int ltcp_relay_open(const struct ltcp_relay_config *config, struct ltcp_relay **out);
/* Closes the sockets, leaves loop and network. May be called again. */
void ltcp_relay_detach(struct ltcp_relay *relay);
bool ltcp_relay_is_open(const struct ltcp_relay *relay);
void ltcp_relay_close(struct ltcp_relay *relay); /* and frees it; NULL is allowed */
/* The relay that a watch of the loop belongs to. */
struct ltcp_relay *ltcp_relay_of_watch(const struct ltcp_watch *watch);

int ltcp_relay_address(const struct ltcp_relay *relay, struct udp_address *out);
uint32_t ltcp_relay_clients(const struct ltcp_relay *relay); /* that have a socket now */
void ltcp_relay_counters(const struct ltcp_relay *relay, struct ltcp_relay_counters *out);

/* To be called for LTCP_STEP_EXIT: sends all packets that wait there. False: no relay is there. */
bool ltcp_relays_flush(struct ltcp_relay *first, uint32_t link, unsigned direction);
/* Before the network goes. */
void ltcp_relays_detach(struct ltcp_relay **relays);

#endif
