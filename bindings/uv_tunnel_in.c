/* bindings/uv_tunnel_in.c - datagrams to packets: from whom, and what is in them. */
#include "uv_tunnel_parts.h"

#include <string.h>

enum {
    RECEIVE_CALLS = 16,   /* a turn, so that other sockets and timers get theirs, */
    ENOUGH = 256 * 1024,  /* and octets in it: what is handed on while a cache still holds it */
    BLOCK = 65535,        /* no datagram and no train is longer */
    TRAIN_BLOCKS = 4,     /* blocks that wait for trains, and */
    DATAGRAM_BLOCKS = 32, /* for single datagrams, */
    PLAIN_BLOCKS = 8,     /* of which each takes a call; */
    SMALL = 9216          /* text of which a block that fits is worth a copy */
};

/* Blocks for the next call; as many as there is memory for. */
static size_t lay_out(struct ltcp_tunnel *t, struct udp_arrival *arrivals)
{
    const size_t many = t->udp.batch == UDP_BATCH_PLAIN ? PLAIN_BLOCKS : DATAGRAM_BLOCKS;
    const size_t wanted = t->many_come ? many : TRAIN_BLOCKS;
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

/* ---- from whom ----------------------------------------------------------------------------------
 */

/* The number of who sent it; LTCP_NO_PEER: not a peer. */
static uint32_t sender_of(const struct ltcp_tunnel *t, const struct udp_arrival *arrival)
{
    switch (t->reach) {
    case REACH_DEVICE: return 0;
    case REACH_SEVERAL: return ltcp_peers_by_outer(&t->peers, &arrival->from);
    default:
        if (t->udp.peer.length > 0 && udp_address_equal(&t->udp.peer, &arrival->from)) return 0;
        return LTCP_NO_PEER;
    }
}

/* The inner address of the next peer that is learned, where datagrams do not say: those after
 * first_learned, our own left out. */
static struct ltcp_address next_inner(const struct ltcp_tunnel *t)
{
    struct ltcp_address inner = t->first_learned;
    while (ltcp_peers_by_inner(&t->peers, &inner) != LTCP_NO_PEER ||
           ltcp_address_equal(&inner, &t->framing.local))
        for (unsigned i = 16; i-- > 12 && ++inner.bytes[i] == 0;)
            continue;
    return inner;
}

static bool says_addresses(const struct ltcp_tunnel *t)
{
    return t->framing.framing == LTCP_FRAMING_RAWIP || t->framing.framing == LTCP_FRAMING_VXLAN;
}

/* What the framing has to know of the datagram. */
static void set_context(struct ltcp_tunnel *t, const struct udp_arrival *arrival, uint32_t sender)
{
    t->framing.dscp = arrival->tos >> 2;
    t->framing.ecn = arrival->tos & 3;
    t->framing.ttl = arrival->ttl != 0 ? arrival->ttl : 64;
    if (t->framing.framing == LTCP_FRAMING_CHESHIRE)
        t->framing.remote_port = udp_address_port(&arrival->from);
    if (t->reach != REACH_SEVERAL || says_addresses(t)) return;
    t->framing.remote = sender != LTCP_NO_PEER ? t->peers.list[sender].inner : next_inner(t);
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

/* Whoever sent it becomes a peer: its number, or LTCP_NO_PEER. */
static uint32_t learn(struct ltcp_tunnel *t, const struct udp_arrival *arrival,
                      const struct ltcp_packet *packet)
{
    if (t->reach == REACH_ONE)
        return ltcp_tunnel_set_peer(t, &arrival->from) == 0 ? 0 : LTCP_NO_PEER;
    struct ltcp_address inner = t->framing.remote, destination;
    const struct ltcp_address nobody = {{0}};
    if (t->framing.framing == LTCP_FRAMING_VXLAN)
        inner = nobody;
    else if (says_addresses(t) && !ltcp_tunnel_ends(packet, &inner, &destination))
        return LTCP_NO_PEER;
    if (ltcp_peers_by_inner(&t->peers, &inner) != LTCP_NO_PEER) return LTCP_NO_PEER;
    struct udp_address outer = arrival->from, here;
    if (t->neighbours != NULL && udp_bound_address(&t->udp, &here) == 0)
        udp_address_set_port(&outer, udp_address_port(&here)); /* where it sends to, it listens */
    if (ltcp_tunnel_add_peer(t, &outer, &inner, NULL) != 0) return LTCP_NO_PEER;
    t->learn--;
    return ltcp_peers_by_outer(&t->peers, &arrival->from);
}

/* ---- what is in them ----------------------------------------------------------------------------
 */

/* One datagram becomes a packet. `keep`: its bytes may stay where they are; if not, a packet that
 * would pin the block gets bytes of its own. NULL: counted, or a message about neighbours. */
static struct ltcp_packet *make_packet(struct ltcp_tunnel *t, struct ltcp_block *block,
                                       size_t offset, size_t length, bool keep, ltcp_time now,
                                       uint32_t sender)
{
    struct ltcp_packet *packet;
    enum ltcp_status status =
        t->neighbours != NULL ? ltcp_tunnel_frame_in(t, block, offset, length, now, sender, &packet)
                              : ltcp_framing_unstrip(&t->framing, block, offset, length, &packet);
    if (status == LTCP_OK && packet == NULL) return NULL;
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

/* The first sound datagram's sender becomes a peer, where that was asked for. What only asks for an
 * Ethernet address is as sound as a packet. */
static uint32_t introduce(struct ltcp_tunnel *t, const struct udp_arrival *arrival,
                          struct ltcp_block *block, size_t offset, size_t length)
{
    struct ltcp_packet *packet = NULL;
    if (t->learn == 0) return LTCP_NO_PEER;
    if (t->neighbours != NULL) {
        struct ltcp_ethernet ethernet;
        const uint8_t *bytes = block->data + offset;
        if (ltcp_vxlan_frame(&t->framing, bytes, length, &ethernet) != LTCP_OK) return LTCP_NO_PEER;
        struct ltcp_arp arp;
        if (ethernet.type == LTCP_ETHERTYPE_ARP &&
            ltcp_arp_decode(bytes + LTCP_FRAMING_LEAD, length - LTCP_FRAMING_LEAD, &arp) == LTCP_OK)
            return learn(t, arrival, NULL);
    }
    if (ltcp_framing_unstrip(&t->framing, block, offset, length, &packet) != LTCP_OK)
        return LTCP_NO_PEER;
    uint32_t sender = is_sound(packet) ? learn(t, arrival, packet) : LTCP_NO_PEER;
    ltcp_packet_unref(packet);
    return sender;
}

static void enter(struct ltcp_tunnel *t, struct ltcp_packet *packet, ltcp_time now)
{
    packet->time = now;
    ltcp_network_enter(t->network, t->link, 1 - t->direction, packet, t->impaired);
    ltcp_packet_unref(packet);
}

/* ---- one after the other ------------------------------------------------------------------------
 */

/* What one call gave, while it is taken in. The last datagram is held back for those that go with
 * it. */
struct intake {
    struct ltcp_tunnel *tunnel;
    ltcp_time now;
    bool merges;
    size_t taken; /* datagrams that became packets, or parts of them */
    struct ltcp_train train;
    struct ltcp_block *block; /* of the datagram that is held back; NULL: there is none */
    size_t at, length;
    uint32_t sender;
    uint8_t tos, ttl;
};

static bool keeps_place(const struct ltcp_block *block, size_t length)
{
    return 2 * length >= block->capacity;
}

static void take_single(struct intake *in, struct ltcp_block *block, size_t at, size_t length,
                        uint32_t sender)
{
    const bool keep = keeps_place(block, block->length);
    struct ltcp_packet *packet = make_packet(in->tunnel, block, at, length, keep, in->now, sender);
    if (packet == NULL) return;
    enter(in->tunnel, packet, in->now);
    in->taken++;
}

/* A short text does not keep a long block. */
static struct ltcp_packet *in_a_block_that_fits(struct ltcp_packet *packet)
{
    if (packet->payload_length > SMALL || packet->block->capacity <= SMALL) return packet;
    struct ltcp_packet *copy = ltcp_packet_copy(packet);
    if (copy == NULL) return packet;
    ltcp_packet_unref(packet);
    return copy;
}

/* What was held back goes in. */
static void let_go(struct intake *in)
{
    if (in->block == NULL) return;
    const uint16_t count = in->train.count;
    struct ltcp_packet *packet = ltcp_train_end(&in->train);
    if (packet != NULL) {
        enter(in->tunnel, in_a_block_that_fits(packet), in->now);
        in->taken += count;
    } else {
        take_single(in, in->block, in->at, in->length, in->sender);
    }
    in->block = NULL;
}

static bool hold_back(struct intake *in, struct ltcp_block *block, size_t at, size_t length,
                      uint32_t sender)
{
    if (!ltcp_train_begin(&in->train, &in->tunnel->framing, block, block->data + at, length))
        return false;
    in->block = block;
    in->at = at;
    in->length = length;
    in->sender = sender;
    return true;
}

static void take_piece(struct intake *in, const struct udp_arrival *arrival,
                       struct ltcp_block *block, size_t at, size_t length, uint32_t *sender)
{
    struct ltcp_tunnel *t = in->tunnel;
    if (in->block != NULL) {
        if (ltcp_train_add(&in->train, block->data + at, length)) return;
        let_go(in);
    }
    if (*sender == LTCP_NO_PEER) *sender = introduce(t, arrival, block, at, length);
    if (*sender == LTCP_NO_PEER) {
        t->counters.strangers++;
        return;
    }
    if (!in->merges || t->framing.ecn == LTCP_ECN_CE || !hold_back(in, block, at, length, *sender))
        take_single(in, block, at, length, *sender);
}

/* ---- what a TUN device leaves to us -------------------------------------------------------------
 */

/* The sum that covers the rest of the packet (UDP's, or a TCP that nobody may trust yet). */
static void make_sum(const struct udp_arrival *arrival, uint8_t *packet)
{
    const size_t from = arrival->sum_from;
    uint16_t sum = ltcp_sum_finish(ltcp_sum(0, packet + from, arrival->length - from));
    if (sum == 0) sum = 0xFFFF; /* RFC 768: 0 would say that there is none; to TCP they are one */
    memcpy(packet + from + arrival->sum_at, &sum, sizeof sum);
}

static bool is_marked(const struct ltcp_packet *packet)
{
    struct ltcp_ip ip;
    return ltcp_ip_decode(packet, &ip) != LTCP_OK || ip.ecn == LTCP_ECN_CE;
}

/* A segment to be cut: whole, where nobody asks for single ones. */
static void take_long(struct intake *in, const struct udp_arrival *arrival,
                      struct ltcp_packet *packet)
{
    struct ltcp_tunnel *t = in->tunnel;
    const uint32_t text = packet->payload_length, size = arrival->gathered_of;
    const uint32_t pieces = text > size ? (text - 1) / size + 1 : 1;
    t->udp.counters.datagrams_in += pieces - 1;
    in->taken += pieces;
    if (in->merges && !is_marked(packet)) {
        packet->checksum_good = true; /* it never left this machine */
        packet->gathered_of = (uint16_t)size;
        enter(t, packet, in->now);
        return;
    }
    for (uint32_t at = 0; at < text; at += size) {
        struct ltcp_packet *piece = ltcp_segment_cut(packet, at, size);
        if (piece != NULL)
            enter(t, piece, in->now);
        else
            t->counters.no_memory++;
    }
    ltcp_packet_unref(packet);
}

/* Nothing goes together with it. */
static void take_offloaded(struct intake *in, const struct udp_arrival *arrival,
                           struct ltcp_block *block)
{
    let_go(in);
    block->length = (uint32_t)arrival->length;
    const bool cut = arrival->gathered_of > 0;
    if (!cut) {
        make_sum(arrival, block->data);
        take_single(in, block, 0, arrival->length, 0);
        return;
    }
    const bool keep = arrival->length > SMALL;
    struct ltcp_packet *packet =
        make_packet(in->tunnel, block, 0, arrival->length, keep, in->now, 0);
    if (packet == NULL) return;
    if (packet->payload_length > 0)
        take_long(in, arrival, packet);
    else
        ltcp_packet_unref(packet);
}

static void take_in(struct intake *in, const struct udp_arrival *arrival, struct ltcp_block *block)
{
    struct ltcp_tunnel *t = in->tunnel;
    uint32_t sender = sender_of(t, arrival);
    if (sender != in->sender || arrival->tos != in->tos || arrival->ttl != in->ttl) let_go(in);
    in->tos = arrival->tos;
    in->ttl = arrival->ttl;
    if (in->block == NULL) set_context(t, arrival, sender);
    block->length = (uint32_t)arrival->length;
    if (arrival->length == 0) t->counters.unreadable++;
    for (size_t at = 0, length; at < arrival->length; at += length) {
        const size_t rest = arrival->length - at;
        length = rest < arrival->piece ? rest : arrival->piece;
        take_piece(in, arrival, block, at, length, &sender);
    }
    in->sender = sender;
}

/* Who is held back has bytes in one of them, and may get more. */
static void take_all(struct intake *in, const struct udp_arrival *arrivals, size_t count)
{
    struct ltcp_tunnel *t = in->tunnel;
    in->block = NULL;
    in->sender = LTCP_NO_PEER;
    for (size_t i = 0; i < count; i++) {
        if (!arrivals[i].valid) continue;
        if (arrivals[i].unsummed || arrivals[i].gathered_of > 0)
            take_offloaded(in, &arrivals[i], t->blocks[i]);
        else
            take_in(in, &arrivals[i], t->blocks[i]);
    }
    let_go(in);
    for (size_t i = 0; i < count; i++) {
        if (t->blocks[i]->refs == 1) continue;
        ltcp_block_unref(t->blocks[i]);
        t->blocks[i] = NULL;
    }
}

/* More buffers cost a little in each call, and are worth it where many single datagrams come. */
static void learn_manner(struct ltcp_tunnel *t, const struct udp_arrival *arrivals, size_t count,
                         size_t room)
{
    if (count < TRAIN_BLOCKS || arrivals[0].piece < arrivals[0].length)
        t->many_come = false;
    else if (count == room)
        t->many_come = true;
}

size_t ltcp_tunnel_receive(struct ltcp_tunnel *t, ltcp_time now)
{
    struct udp_arrival arrivals[UDP_ARRIVALS];
    struct intake in = {.tunnel = t, .now = now};
    size_t octets = 0;
    if (t->network == NULL) return 0;
    in.merges = ltcp_network_may_merge(t->network, t->link, 1 - t->direction);
    ltcp_network_catch_up(t->network, now); /* it enters at the network's present */
    for (unsigned calls = 0; calls < RECEIVE_CALLS && octets < ENOUGH; calls++) {
        size_t room = lay_out(t, arrivals);
        size_t got = 0;
        if (room > 0 && t->reach == REACH_DEVICE)
            got = tun_receive(&t->udp, arrivals, room);
        else if (room > 0)
            got = udp_receive(&t->udp, arrivals, room);
        take_all(&in, arrivals, got);
        for (size_t i = 0; i < got; i++)
            octets += arrivals[i].length;
        learn_manner(t, arrivals, got, room);
        if (got < room || room == 0) break;
    }
    if (t->neighbours != NULL) ltcp_tunnel_neighbours_out(t);
    t->counters.packets_in += in.taken;
    return in.taken;
}
