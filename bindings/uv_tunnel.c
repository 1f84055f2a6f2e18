/* bindings/uv_tunnel.c - a tunnel's life, and its ring of packets that wait for the kernel. What
 * goes into the ring is uv_tunnel_out.c, what comes from outside uv_tunnel_in.c. */
#include "uv_tunnel_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FULL_BURST =
        3 * 44, /* so many are worth a call before the turn is over: trains of full segments */
    SEND_AT_ONCE = 256, /* datagrams made ready together, */
    BURSTS_AT_ONCE = 4, /* and of bursts among them so many, */
    HEAD_SHORT = 64,    /* whose heads lie so far apart where they can, */
    HEAD_MOST = 160     /* or so far: what vxlan and an engine's burst write before a text */
};

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
    ltcp_network_gather(t->network, t->link, t->direction, takes_bursts(t));
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

/* Segments of the packet that have not left. */
static unsigned left_of(const struct ltcp_packet *packet)
{
    return packet->burst != NULL ? (unsigned)(packet->burst->count - packet->burst->gone) : 1;
}

void ltcp_tunnel_drop(struct ltcp_tunnel *t, size_t count)
{
    for (; count > 0; count--, t->count--) {
        t->segments -= left_of(t->ring[t->head].packet);
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
    ltcp_network_gather(t->network, t->link, t->direction, false);
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

/* `plain` leaves the IP header out; the socket's own header says what stood there. */
static void mark(struct udp_datagram *datagram, const uint8_t *ip)
{
    if (ip[0] >> 4 == 4) {
        datagram->tos = ip[1];
        datagram->ttl = ip[8];
    } else {
        datagram->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
        datagram->ttl = ip[7];
    }
}

static void make_ready(const struct ltcp_tunnel *t, struct waiting *w,
                       struct udp_datagram *datagram)
{
    struct ltcp_packet *p = w->packet;
    size_t skip = w->framed.skip, head = p->head_length - skip, lead = w->framed.lead_length;
    *datagram = (struct udp_datagram){.length = (uint32_t)(lead + head + p->payload_length)};
    if (lead > 0) datagram->part[datagram->parts++] = (struct iovec){w->framed.lead, lead};
    if (head > 0) datagram->part[datagram->parts++] = (struct iovec){p->head + skip, head};
    if (p->payload_length > 0)
        datagram->part[datagram->parts++] = (struct iovec){p->payload, p->payload_length};
    if (t->reach == REACH_SEVERAL) datagram->to = &t->peers.list[w->peer].outer;
    if (t->udp.marks) mark(datagram, p->head);
    datagram->sound = (p->notes & (LTCP_NOTE_CORRUPTED | LTCP_NOTE_FORGED)) == 0;
}

size_t ltcp_tunnel_retry(struct ltcp_tunnel *t)
{
    t->blocked = false;
    return ltcp_tunnel_send(t);
}

/* Datagrams made ready for the kernel, and whose they are. */
struct ready {
    struct udp_datagram datagrams[SEND_AT_ONCE];
    size_t count, bursts;
    struct iovec parts[BURSTS_AT_ONCE][2 * LTCP_BURST_MOST];
    uint8_t heads[BURSTS_AT_ONCE][LTCP_BURST_MOST * HEAD_MOST];
};

/* What of a burst has not left: as one train where the kernel takes it, else as datagrams. False:
 * there is no room for it. */
static bool make_burst_ready(const struct ltcp_tunnel *t, struct waiting *w, struct ready *ready)
{
    struct ltcp_packet *p = w->packet;
    const struct ltcp_burst *b = p->burst;
    const size_t skip = w->framed.skip, lead = w->framed.lead_length;
    const size_t head = lead + p->head_length - skip;
    const size_t stride = head <= HEAD_SHORT && lead == 0 ? HEAD_SHORT : HEAD_MOST;
    const uint32_t length = (uint32_t)head + b->text;
    const uint16_t count = (uint16_t)left_of(p);
    const bool train = count > 1 && udp_takes_train(&t->udp, length);
    if (ready->bursts == BURSTS_AT_ONCE || ready->count + (train ? 1u : count) > SEND_AT_ONCE)
        return false;
    struct iovec *part = ready->parts[ready->bursts];
    uint8_t *heads = ready->heads[ready->bursts++];
    ltcp_burst_heads(p, skip, heads + lead, stride);
    for (unsigned i = 0; i < count; i++) {
        if (lead > 0) memcpy(heads + i * stride, w->framed.lead, lead);
        part[2 * i] = (struct iovec){heads + i * stride, head};
        part[2 * i + 1] = (struct iovec){b->texts[b->gone + i]->data, b->text};
    }
    struct udp_datagram model = {.parts = 2, .length = length, .sound = true};
    if (t->reach == REACH_SEVERAL) model.to = &t->peers.list[w->peer].outer;
    if (t->udp.marks) mark(&model, p->head);
    if (train) {
        model.train = part;
        model.count = count;
        ready->datagrams[ready->count++] = model;
        return true;
    }
    for (unsigned i = 0; i < count; i++, part += 2) {
        model.part[0] = part[0];
        model.part[1] = part[1];
        ready->datagrams[ready->count++] = model;
    }
    return true;
}

/* As many of those that wait as there is room for. */
static void make_all_ready(struct ltcp_tunnel *t, struct ready *ready)
{
    ready->count = ready->bursts = 0;
    for (size_t i = 0; i < t->count && ready->count < SEND_AT_ONCE; i++) {
        struct waiting *w = &t->ring[(t->head + i) % LTCP_TUNNEL_QUEUE];
        if (w->packet->burst == NULL)
            make_ready(t, w, &ready->datagrams[ready->count++]);
        else if (!make_burst_ready(t, w, ready))
            break;
    }
}

/* The first `done` of what was ready are done with. Returns how many packets that makes. */
static size_t take_off(struct ltcp_tunnel *t, const struct ready *ready, size_t done)
{
    size_t packets = 0;
    for (size_t i = 0; i < done; packets++) {
        struct ltcp_packet *p = t->ring[(t->head + packets) % LTCP_TUNNEL_QUEUE].packet;
        const size_t left = left_of(p), rest = done - i;
        const bool train = ready->datagrams[i].train != NULL;
        const size_t sent = train || left < rest ? left : rest;
        t->counters.packets_out += sent;
        if (sent < left) { /* the rest of this one waits */
            p->burst->gone = (uint16_t)(p->burst->gone + sent);
            t->segments -= sent;
            break;
        }
        i += train ? 1 : sent;
    }
    return packets;
}

size_t ltcp_tunnel_send(struct ltcp_tunnel *t)
{
    struct ready ready;
    while (t->count > 0 && !t->blocked) {
        make_all_ready(t, &ready);
        uint64_t too_big = t->udp.counters.too_big;
        const size_t n = ready.count;
        size_t done = t->reach == REACH_DEVICE ? tun_send(&t->udp, ready.datagrams, n)
                                               : udp_send(&t->udp, ready.datagrams, n);
        const struct udp_datagram *next = done < n ? &ready.datagrams[done] : NULL;
        t->blocked =
            next != NULL && (next->train == NULL || udp_takes_train(&t->udp, next->length));
        const size_t packets = take_off(t, &ready, done);
        if (t->udp.counters.too_big != too_big) ltcp_tunnel_narrowed(t, packets);
        ltcp_tunnel_drop(t, packets);
    }
    return t->count;
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
