/* bindings/uv_tunnel.c - a tunnel's life, and its ring of packets that wait for the kernel. What
 * goes into the ring is uv_tunnel_out.c, what comes out of it uv_tunnel_ready.c, what comes from
 * outside uv_tunnel_in.c. */
#include "uv_tunnel_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many are worth a call before the turn is over: trains of full segments. */
enum { FULL_BURST = 3 * 44 };

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static int open_descriptor(struct ltcp_tunnel *t, const struct ltcp_tunnel_config *config)
{
    if (config->tun) {
        memcpy(t->tun_name, config->tun_name, sizeof t->tun_name);
        return tun_open(&t->udp, t->tun_name, config->batch);
    }
    bool marks = config->framing == LTCP_FRAMING_PLAIN || config->framing == LTCP_FRAMING_CHESHIRE;
    const struct udp_address nobody = {.length = 0};
    bool vxlan = config->framing == LTCP_FRAMING_VXLAN;
    /* Whence a station of vxlan sends cannot be known: only its address (RFC 7348 section 5). */
    int error =
        udp_open(&t->udp, &config->bind, vxlan ? &nobody : &config->peer, config->batch, marks);
    if (error != 0) return error;
    udp_dont_fragment(&t->udp, !config->fragments); /* RFC7348:4.3-1 */
    if (vxlan) udp_accept_unsummed(&t->udp);        /* RFC7348:5-9 */
    return 0;
}

/* The table of who is where on the Ethernet, or none: 0 or ENOMEM. */
static int open_ethernet(struct ltcp_tunnel *t, const struct ltcp_tunnel_config *config)
{
    if (config->framing != LTCP_FRAMING_VXLAN) return 0;
    struct ltcp_mac mac = config->mac;
    if (ltcp_mac_is_group(&mac)) mac = ltcp_mac_of_address(&config->locals[0]);
    t->neighbours = ltcp_neighbours_create(ltcp_pool_allocator(config->pool), &mac);
    if (t->neighbours == NULL) return ENOMEM;
    for (unsigned i = 0; i < config->local_count; i++)
        ltcp_neighbours_add_local(t->neighbours, &config->locals[i]);
    t->framing.local_mac = mac;
    return 0;
}

static void know_ports(struct ltcp_tunnel *t, const struct udp_address *peer)
{
    struct udp_address here;
    if (t->framing.framing != LTCP_FRAMING_CHESHIRE) return;
    if (udp_bound_address(&t->udp, &here) == 0) t->framing.local_port = udp_address_port(&here);
    if (peer->length > 0) t->framing.remote_port = udp_address_port(peer);
}

/* Where each segment's header differs from the first one's as the burst says. */
static bool takes_bursts(const struct ltcp_tunnel *t)
{
    if (t->framing.framing == LTCP_FRAMING_CHESHIRE) return false;
    return t->framing.framing != LTCP_FRAMING_PLAIN || t->framing.checksum != LTCP_UDP_CHECKSUM;
}

static void join(struct ltcp_tunnel *t, const struct ltcp_tunnel_config *config)
{
    t->tunnels = config->tunnels;
    t->network = config->network;
    t->pool = config->pool;
    t->link = config->link;
    t->direction = config->direction;
    t->impaired = config->impaired;
    t->fragments = config->fragments;
    t->learn = config->peer.length > 0 ? 0 : config->learn;
    t->first_learned = config->remote;
    bool vxlan = config->framing == LTCP_FRAMING_VXLAN;
    t->peers.any_port = vxlan;
    t->reach = config->tun ? REACH_DEVICE : config->several || vxlan ? REACH_SEVERAL : REACH_ONE;
    t->next = t->tunnels->first;
    t->tunnels->first = t;
    know_ports(t, &config->peer);
    const int ip_and_more =
        ltcp_framing_overhead(t->framing.framing, 6) + 40; /* `plain`: neither */
    ltcp_network_gather(t->network, t->link, t->direction, takes_bursts(t),
                        t->reach == REACH_DEVICE || ip_and_more < 0 ? 0 : (uint32_t)ip_and_more);
    if (t->reach == REACH_ONE && config->peer.length > 0) ltcp_tunnel_ask_path(t, 0);
}

int ltcp_tunnel_open(const struct ltcp_tunnel_config *config, struct ltcp_tunnel **out)
{
    for (struct ltcp_tunnel *other = config->tunnels->first; other != NULL; other = other->next)
        if (other->link == config->link && other->direction == config->direction) return EEXIST;
    struct ltcp_tunnel *t = calloc(1, sizeof *t);
    if (t == NULL) return ENOMEM;
    t->framing = (struct ltcp_framing_context){.framing = config->framing,
                                               .checksum = config->checksum,
                                               .local = config->local,
                                               .remote = config->remote,
                                               .vni = config->vni};
    int error = open_descriptor(t, config);
    if (error == 0) error = open_ethernet(t, config);
    if (error != 0) {
        udp_close(&t->udp);
        free(t);
        return error;
    }
    join(t, config);
    if (t->reach == REACH_SEVERAL && config->peer.length > 0)
        error = ltcp_tunnel_set_peer(t, &config->peer);
    if (error != 0) {
        ltcp_tunnel_close(t);
        return error;
    }
    *out = t;
    return 0;
}

void ltcp_tunnel_drop(struct ltcp_tunnel *t, size_t count)
{
    for (; count > 0; count--, t->count--) {
        t->segments -= ltcp_tunnel_left(t->ring[t->head].packet);
        ltcp_packet_unref(t->ring[t->head].packet);
        t->head = (t->head + 1) % LTCP_TUNNEL_QUEUE;
    }
}

static void detach(struct ltcp_tunnel *t)
{
    if (t->network == NULL) return;
    if (t->detached != NULL) t->detached(t->detached_context);
    struct ltcp_tunnel **place = &t->tunnels->first;
    while (*place != t)
        place = &(*place)->next;
    *place = t->next;

    ltcp_tunnel_drop(t, t->count);
    ltcp_network_gather(t->network, t->link, t->direction, false, 0);
    for (size_t i = 0; i < UDP_ARRIVALS; i++)
        ltcp_block_unref(t->blocks[i]);
    memset(t->blocks, 0, sizeof t->blocks);
    ltcp_neighbours_destroy(t->neighbours);
    t->neighbours = NULL;
    ltcp_peers_free(&t->peers);
    udp_close(&t->udp);
    t->network = NULL;
    t->tunnels = NULL;
    t->pool = NULL;
}

void ltcp_tunnels_detach(struct ltcp_tunnels *tunnels)
{
    while (tunnels->first != NULL)
        detach(tunnels->first);
}

void ltcp_tunnel_on_detach(struct ltcp_tunnel *t, void (*call)(void *), void *context)
{
    t->detached = call;
    t->detached_context = context;
}

void ltcp_tunnel_close(struct ltcp_tunnel *t)
{
    if (t == NULL) return;
    t->detached = NULL;
    detach(t);
    free(t);
}

/* ---- what it is
 * ---------------------------------------------------------------------------------- */

int ltcp_tunnel_fd(const struct ltcp_tunnel *t)
{
    return t->udp.fd;
}

struct ltcp_network *ltcp_tunnel_network(const struct ltcp_tunnel *t)
{
    return t->network;
}

int ltcp_tunnel_address(const struct ltcp_tunnel *t, struct udp_address *out)
{
    return udp_bound_address(&t->udp, out);
}

int ltcp_tunnel_set_peer(struct ltcp_tunnel *t, const struct udp_address *peer)
{
    const struct ltcp_address unknown = {{0}};
    if (t->reach == REACH_SEVERAL && t->neighbours != NULL && t->peers.count == 0)
        return ltcp_tunnel_add_peer(t, peer, &unknown, NULL);
    if (t->reach != REACH_ONE) return EISCONN;
    int error = udp_connect(&t->udp, peer);
    if (error != 0) return error;
    t->learn = 0;
    know_ports(t, peer);
    ltcp_tunnel_ask_path(t, 0);
    return 0;
}

int ltcp_tunnel_add_peer(struct ltcp_tunnel *t, const struct udp_address *outer,
                         const struct ltcp_address *inner, const struct ltcp_mac *mac)
{
    if (t->reach != REACH_SEVERAL) return EISCONN;
    if (outer->socket.any.sa_family != t->udp.family) return EAFNOSUPPORT;
    uint32_t number = ltcp_peers_add(&t->peers, outer, inner);
    if (number == LTCP_NO_PEER) return ENOMEM;
    ltcp_tunnel_ask_path(t, number);
    if (mac == NULL || t->neighbours == NULL || ltcp_address_is_unspecified(inner)) return 0;
    return ltcp_neighbours_add_static(t->neighbours, inner, mac, number) == LTCP_OK ? 0 : ENOMEM;
}

uint32_t ltcp_tunnel_peers(const struct ltcp_tunnel *t)
{
    return t->reach == REACH_SEVERAL ? t->peers.count : t->udp.peer.length > 0;
}

const struct udp_address *ltcp_tunnel_peer(const struct ltcp_tunnel *t)
{
    if (t->reach == REACH_SEVERAL && t->peers.count > 0) return &t->peers.list[0].outer;
    return t->udp.peer.length > 0 ? &t->udp.peer : NULL;
}

const char *ltcp_tunnel_name(const struct ltcp_tunnel *t)
{
    return t->reach == REACH_DEVICE ? t->tun_name : NULL;
}

struct ltcp_neighbours_counters ltcp_tunnel_neighbours(const struct ltcp_tunnel *t)
{
    if (t->neighbours != NULL) return ltcp_neighbours_counters(t->neighbours);
    return (struct ltcp_neighbours_counters){0};
}

const struct ltcp_tunnel_counters *ltcp_tunnel_counters(const struct ltcp_tunnel *t)
{
    return &t->counters;
}

const struct udp_counters *ltcp_tunnel_udp_counters(const struct ltcp_tunnel *t)
{
    return &t->udp.counters;
}

enum udp_batch ltcp_tunnel_batch(const struct ltcp_tunnel *t)
{
    return t->udp.batch;
}

void ltcp_tunnel_clear_error(struct ltcp_tunnel *t)
{
    if (t->reach != REACH_DEVICE) udp_clear_error(&t->udp);
}

/* ---- out
 * ------------------------------------------------------------------------------------------ */

void ltcp_tunnel_collect(struct ltcp_tunnel *t)
{
    if (t->network == NULL) return;
    struct ltcp_packet *packet;
    while ((packet = ltcp_network_exit(t->network, t->link, t->direction)) != NULL) {
        if (t->segments + ltcp_packet_segments(packet) > LTCP_TUNNEL_QUEUE) ltcp_tunnel_send(t);
        ltcp_tunnel_gather(t, packet);
    }
    if (t->segments >= FULL_BURST) ltcp_tunnel_send(t);
}

enum ltcp_tunnel_wait ltcp_tunnel_waits_for(const struct ltcp_tunnel *t)
{
    if (t->count == 0) return LTCP_TUNNEL_NOTHING;
    if (!t->blocked) return LTCP_TUNNEL_GATHERED;
    return t->udp.crowded ? LTCP_TUNNEL_A_WHILE : LTCP_TUNNEL_WRITABLE;
}

bool ltcp_tunnels_flush(struct ltcp_tunnels *tunnels, uint32_t link, unsigned direction)
{
    for (struct ltcp_tunnel *t = tunnels->first; t != NULL; t = t->next) {
        if (t->link != link || t->direction != direction) continue;
        ltcp_tunnel_collect(t);
        return true;
    }
    return false;
}

void ltcp_tunnels_send(struct ltcp_tunnels *tunnels)
{
    for (struct ltcp_tunnel *t = tunnels->first; t != NULL; t = t->next)
        ltcp_tunnel_send(t);
}
