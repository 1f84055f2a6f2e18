/* bindings/uv_tunnel.c - packets of a link to datagrams and back. */
#include "uv_tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FULL_BURST = UDP_TRAIN, /* so many are worth a call before the turn is over */
    SEND_AT_ONCE = 256,     /* datagrams made ready together */
    RECEIVE_CALLS = 8,      /* a turn, so that other sockets and timers get theirs */
    BLOCK = 65535,          /* no datagram and no train is longer */
    TRAIN_BLOCKS = 8,       /* blocks that wait for trains, and */
    DATAGRAM_BLOCKS = 32    /* for single datagrams */
};

struct waiting {
    struct ltcp_packet *packet;
    size_t skip; /* octets of the head that the framing leaves out */
};

struct ltcp_tunnel {
    struct ltcp_tunnel *next; /* of the same network */
    struct ltcp_tunnels *tunnels;
    struct ltcp_network *network; /* NULL: detached */
    struct ltcp_pool *pool;
    uint32_t link;
    unsigned direction;
    bool impaired, learn, blocked;
    struct ltcp_framing_context framing;
    struct udp udp;
    struct ltcp_tunnel_counters counters;
    void (*detached)(void *);
    void *detached_context;
    struct ltcp_block *blocks[UDP_ARRIVALS];
    size_t head, count; /* of the ring */
    struct waiting ring[LTCP_TUNNEL_QUEUE];
};

/* ---- life
 * ---------------------------------------------------------------------------------------- */

int ltcp_tunnel_open(const struct ltcp_tunnel_config *config, struct ltcp_tunnel **out)
{
    for (struct ltcp_tunnel *other = config->tunnels->first; other != NULL; other = other->next)
        if (other->link == config->link && other->direction == config->direction) return EEXIST;
    struct ltcp_tunnel *t = calloc(1, sizeof *t);
    if (t == NULL) return ENOMEM;
    int error = udp_open(&t->udp, &config->bind, &config->peer, config->batch,
                         config->framing == LTCP_FRAMING_PLAIN);
    if (error != 0) {
        free(t);
        return error;
    }
    t->tunnels = config->tunnels;
    t->network = config->network;
    t->pool = config->pool;
    t->link = config->link;
    t->direction = config->direction;
    t->impaired = config->impaired;
    t->learn = config->learn && config->peer.length == 0;
    t->framing = (struct ltcp_framing_context){.framing = config->framing,
                                               .checksum = config->checksum,
                                               .local = config->local,
                                               .remote = config->remote};
    t->next = t->tunnels->first;
    t->tunnels->first = t;
    *out = t;
    return 0;
}

static void drop_waiting(struct ltcp_tunnel *t, size_t count)
{
    for (; count > 0; count--, t->count--) {
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

    drop_waiting(t, t->count);
    for (size_t i = 0; i < UDP_ARRIVALS; i++)
        ltcp_block_unref(t->blocks[i]);
    memset(t->blocks, 0, sizeof t->blocks);
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
    int error = udp_connect(&t->udp, peer);
    if (error == 0) t->learn = false;
    return error;
}

const struct udp_address *ltcp_tunnel_peer(const struct ltcp_tunnel *t)
{
    return t->udp.peer.length > 0 ? &t->udp.peer : NULL;
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
    udp_clear_error(&t->udp);
}

/* ---- out
 * ------------------------------------------------------------------------------------------ */

/* The packet passes from the network to the ring, or is dropped and counted. */
static void gather(struct ltcp_tunnel *t, struct ltcp_packet *packet)
{
    size_t skip = 0;
    if (t->udp.peer.length == 0) {
        t->counters.no_peer++;
    } else if (t->count == LTCP_TUNNEL_QUEUE) {
        t->counters.queue_full++;
    } else if (ltcp_framing_strip(&t->framing, packet, &skip) != LTCP_OK) {
        t->counters.unframeable++;
    } else {
        t->ring[(t->head + t->count++) % LTCP_TUNNEL_QUEUE] = (struct waiting){packet, skip};
        return;
    }
    ltcp_packet_unref(packet);
}

void ltcp_tunnel_collect(struct ltcp_tunnel *t)
{
    if (t->network == NULL) return;
    struct ltcp_packet *packet;
    while ((packet = ltcp_network_exit(t->network, t->link, t->direction)) != NULL) {
        if (t->count == LTCP_TUNNEL_QUEUE) ltcp_tunnel_send(t);
        gather(t, packet);
    }
    if (t->count >= FULL_BURST) ltcp_tunnel_send(t);
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

static void make_ready(const struct ltcp_tunnel *t, const struct waiting *w,
                       struct udp_datagram *datagram)
{
    struct ltcp_packet *p = w->packet;
    size_t head = p->head_length - w->skip;
    *datagram = (struct udp_datagram){.length = (uint32_t)head + p->payload_length};
    if (head > 0) datagram->part[datagram->parts++] = (struct iovec){p->head + w->skip, head};
    if (p->payload_length > 0)
        datagram->part[datagram->parts++] = (struct iovec){p->payload, p->payload_length};
    if (t->udp.marks) mark(datagram, p->head);
}

size_t ltcp_tunnel_retry(struct ltcp_tunnel *t)
{
    t->blocked = false;
    return ltcp_tunnel_send(t);
}

size_t ltcp_tunnel_send(struct ltcp_tunnel *t)
{
    struct udp_datagram datagrams[SEND_AT_ONCE];
    while (t->count > 0 && !t->blocked) {
        size_t n = t->count < SEND_AT_ONCE ? t->count : SEND_AT_ONCE;
        for (size_t i = 0; i < n; i++)
            make_ready(t, &t->ring[(t->head + i) % LTCP_TUNNEL_QUEUE], &datagrams[i]);
        size_t done = udp_send(&t->udp, datagrams, n);
        t->counters.packets_out += done;
        drop_waiting(t, done);
        t->blocked = done < n;
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

/* ---- in
 * ------------------------------------------------------------------------------------------- */

/* Blocks for the next call; as many as there is memory for. */
static size_t lay_out(struct ltcp_tunnel *t, struct udp_arrival *arrivals)
{
    size_t wanted = t->udp.batch == UDP_BATCH_GSO    ? TRAIN_BLOCKS
                    : t->udp.batch == UDP_BATCH_MMSG ? DATAGRAM_BLOCKS
                                                     : 1;
    size_t n = 0;
    for (; n < wanted; n++) {
        if (t->blocks[n] == NULL) t->blocks[n] = ltcp_block_create(t->pool, BLOCK);
        if (t->blocks[n] == NULL) break;
        arrivals[n].buffer = t->blocks[n]->data;
        arrivals[n].room = t->blocks[n]->capacity;
    }
    if (n == 0) t->counters.no_memory++;
    return n;
}

/* Is it a packet that only somebody who speaks this framing would send? */
static bool is_sound(const struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    struct ltcp_segment segment;
    if (ltcp_ip_decode(packet, &ip) != LTCP_OK) return false;
    return ip.protocol != LTCP_PROTOCOL_TCP ||
           ltcp_segment_decode(packet, &ip, &segment) == LTCP_OK;
}

/* One datagram becomes a packet. `keep`: its bytes may stay where they are; if not, a packet that
 * would pin the block gets bytes of its own. */
static struct ltcp_packet *make_packet(struct ltcp_tunnel *t, struct ltcp_block *block,
                                       size_t offset, size_t length, bool keep)
{
    struct ltcp_packet *packet;
    enum ltcp_status status = ltcp_framing_unstrip(&t->framing, block, offset, length, &packet);
    if (status == LTCP_OK && packet->block != NULL && !keep) {
        struct ltcp_packet *copy = ltcp_packet_copy(packet);
        ltcp_packet_unref(packet);
        packet = copy;
    }
    if (status != LTCP_OK && status != LTCP_ERR_NO_MEMORY)
        t->counters.unreadable++;
    else if (packet == NULL)
        t->counters.no_memory++;
    return packet;
}

/* The first sound packet's sender becomes the peer, where that was asked for. */
static bool from_peer(struct ltcp_tunnel *t, const struct udp_arrival *arrival,
                      const struct ltcp_packet *packet)
{
    if (t->udp.peer.length > 0 && udp_address_equal(&t->udp.peer, &arrival->from)) return true;
    return t->learn && is_sound(packet) && ltcp_tunnel_set_peer(t, &arrival->from) == 0;
}

static size_t take_in(struct ltcp_tunnel *t, const struct udp_arrival *arrival,
                      struct ltcp_block *block, ltcp_time now)
{
    bool keep = 2 * arrival->length >= block->capacity;
    size_t taken = 0;
    t->framing.dscp = arrival->tos >> 2;
    t->framing.ecn = arrival->tos & 3;
    t->framing.ttl = arrival->ttl != 0 ? arrival->ttl : 64;
    block->length = (uint32_t)arrival->length;
    if (arrival->length == 0) t->counters.unreadable++;
    for (size_t at = 0; at < arrival->length; at += arrival->piece) {
        size_t rest = arrival->length - at;
        size_t length = rest < arrival->piece ? rest : arrival->piece;
        struct ltcp_packet *packet = make_packet(t, block, at, length, keep);
        if (packet == NULL) continue;
        if (!from_peer(t, arrival, packet)) {
            t->counters.strangers++;
        } else {
            packet->time = now;
            ltcp_network_enter(t->network, t->link, 1 - t->direction, packet, t->impaired);
            taken++;
        }
        ltcp_packet_unref(packet);
    }
    return taken;
}

size_t ltcp_tunnel_receive(struct ltcp_tunnel *t, ltcp_time now)
{
    struct udp_arrival arrivals[UDP_ARRIVALS];
    size_t taken = 0;
    if (t->network == NULL) return 0;
    ltcp_network_catch_up(t->network, now); /* it enters at the network's present */
    for (unsigned calls = 0; calls < RECEIVE_CALLS; calls++) {
        size_t room = lay_out(t, arrivals);
        size_t got = room > 0 ? udp_receive(&t->udp, arrivals, room) : 0;
        for (size_t i = 0; i < got; i++) {
            if (!arrivals[i].valid) continue;
            taken += take_in(t, &arrivals[i], t->blocks[i], now);
            if (t->blocks[i]->refs > 1) {
                ltcp_block_unref(t->blocks[i]);
                t->blocks[i] = NULL;
            }
        }
        if (got < room || room == 0) break;
    }
    t->counters.packets_in += taken;
    return taken;
}
