/* bindings/uv_tunnel_out.c - packets of a link to datagrams: the framing, to whom, and how long. */
#include "uv_tunnel_parts.h"

#include <string.h>

/* So often at most a path that was found narrow is asked for again (RFC 1191 section 6.3 says ten
 * minutes, which is how long the kernel remembers). */
enum { ASK_AGAIN = 60 };

bool ltcp_tunnel_ends(const struct ltcp_packet *packet, struct ltcp_address *source,
                      struct ltcp_address *destination)
{
    const uint8_t *p = packet->head;
    if (packet->head_length >= 20 && p[0] >> 4 == 4) {
        *source = ltcp_address_v4(p[12], p[13], p[14], p[15]);
        *destination = ltcp_address_v4(p[16], p[17], p[18], p[19]);
        return true;
    }
    if (packet->head_length < 40 || p[0] >> 4 != 6) return false;
    memcpy(source->bytes, p + 8, 16);
    memcpy(destination->bytes, p + 24, 16);
    return true;
}

void ltcp_tunnel_answer(struct ltcp_tunnel *t, const struct ltcp_packet *packet,
                        enum ltcp_icmp_kind kind, uint32_t mtu)
{
    uint8_t quote[1280];
    struct ltcp_ip ip = {.protocol = LTCP_PROTOCOL_ICMP, .ttl = 64};
    if (!ltcp_tunnel_ends(packet, &ip.destination, &ip.source)) return;
    if (ltcp_address_is_multicast(&ip.source) || ltcp_address_is_broadcast(&ip.source)) return;
    if (!ltcp_address_is_v4(&ip.source)) ip.protocol = LTCP_PROTOCOL_ICMPV6;
    const struct ltcp_icmp icmp = {.kind = kind,
                                   .mtu = mtu,
                                   .quote = quote,
                                   .quote_length = ltcp_packet_bytes(packet, quote, sizeof quote)};
    struct ltcp_packet *answer = ltcp_icmp_encode(t->pool, &ip, &icmp);
    if (answer == NULL) return;
    answer->time = ltcp_network_now(t->network);
    ltcp_network_enter(t->network, t->link, 1 - t->direction, answer, false);
    ltcp_packet_unref(answer);
}

/* RFC7348:4.3-3 */
/* ---- the path's MTU -----------------------------------------------------------------------------
 */

void ltcp_tunnel_ask_path(struct ltcp_tunnel *t, uint32_t peer)
{
    if (t->reach == REACH_DEVICE) return;
    const struct udp_address *to =
        t->reach == REACH_ONE ? &t->udp.peer : &t->peers.list[peer].outer;
    uint32_t payload = udp_path_payload(&t->udp, to);
    t->path_asked = ltcp_network_now(t->network);
    if (payload == 0) return;
    bool narrower = t->payload_max == 0 || payload < t->payload_max;
    if (t->reach == REACH_ONE || narrower) t->payload_max = payload;
}

static uint32_t mtu_of(const struct ltcp_tunnel *t, unsigned version)
{
    int64_t mtu = (int64_t)t->payload_max - ltcp_framing_overhead(t->framing.framing, version);
    return mtu > 65535 ? 65535 : mtu > 0 ? (uint32_t)mtu : 0;
}

uint32_t ltcp_tunnel_mtu(const struct ltcp_tunnel *t, unsigned version)
{
    return t->payload_max == 0 ? 0 : mtu_of(t, version);
}

static uint32_t length_of(const struct waiting *w)
{
    const uint32_t text = w->packet->burst != NULL ? w->packet->burst->text : 0;
    return (uint32_t)(w->framed.lead_length + ltcp_packet_length(w->packet) - w->framed.skip) +
           text;
}

/* True: the datagram is longer than the path takes, and its sender has been told. */
static bool too_long(struct ltcp_tunnel *t, const struct waiting *w)
{
    uint32_t length = length_of(w);
    if (t->payload_max == 0 || length <= t->payload_max || t->fragments) return false;
    if (ltcp_network_now(t->network) - t->path_asked > ASK_AGAIN * LTCP_SECOND)
        ltcp_tunnel_ask_path(t, w->peer);
    if (length <= t->payload_max) return false;
    t->counters.too_long += ltcp_packet_segments(w->packet);
    unsigned version = w->packet->head[0] >> 4 == 6 ? 6 : 4;
    ltcp_tunnel_answer(t, w->packet, LTCP_ICMP_TOO_BIG, mtu_of(t, version));
    return true;
}

void ltcp_tunnel_narrowed(struct ltcp_tunnel *t, size_t done)
{
    uint32_t before = t->payload_max;
    for (size_t i = 0; i < done; i++) {
        const struct waiting *w = &t->ring[(t->head + i) % LTCP_TUNNEL_QUEUE];
        if (i == 0 || t->reach == REACH_SEVERAL) ltcp_tunnel_ask_path(t, w->peer);
        if (before != 0 && t->payload_max >= before) continue; /* too long for any path */
        too_long(t, w);
    }
}

/* ---- to whom ------------------------------------------------------------------------------------
 */

static struct waiting *last_place(struct ltcp_tunnel *t)
{
    return &t->ring[(t->head + t->count) % LTCP_TUNNEL_QUEUE];
}

static bool find_peer(struct ltcp_tunnel *t, struct ltcp_packet *packet, uint32_t *peer)
{
    struct ltcp_address source, destination;
    if (!ltcp_tunnel_ends(packet, &source, &destination)) return false;
    *peer = ltcp_peers_by_inner(&t->peers, &destination);
    if (*peer == LTCP_NO_PEER) return false;
    if (t->framing.framing == LTCP_FRAMING_CHESHIRE)
        t->framing.remote_port = udp_address_port(&t->peers.list[*peer].outer);
    return true;
}

static bool has_peer(struct ltcp_tunnel *t, struct ltcp_packet *packet, uint32_t *peer)
{
    *peer = 0;
    switch (t->reach) {
    case REACH_DEVICE: return true;
    case REACH_ONE:
        if (t->framing.framing == LTCP_FRAMING_CHESHIRE)
            t->framing.remote_port = udp_address_port(&t->udp.peer);
        return t->udp.peer.length > 0;
    default: break;
    }
    if (t->neighbours != NULL) return t->peers.count > 0;
    return find_peer(t, packet, peer);
}

/* Frames it and puts it into the ring, once for each peer where it goes to all. True: a reference
 * is kept. */
static bool put(struct ltcp_tunnel *t, struct ltcp_packet *packet, uint32_t peer)
{
    uint32_t first = peer, last = peer;
    if (peer == LTCP_EVERY_PEER) {
        first = 0;
        last = t->reach == REACH_SEVERAL ? t->peers.count - 1 : 0;
    }
    bool kept = false;
    for (uint32_t to = first; to <= last; to++) {
        struct waiting *w = last_place(t);
        if (t->segments + ltcp_packet_segments(packet) > LTCP_TUNNEL_QUEUE) {
            t->counters.queue_full += ltcp_packet_segments(packet);
            break;
        }
        w->packet = packet;
        w->peer = to;
        if (ltcp_framing_strip(&t->framing, packet, &w->framed) != LTCP_OK) {
            t->counters.unframeable++;
            break;
        }
        if (too_long(t, w)) break;
        if (kept) ltcp_packet_ref(packet);
        t->count++;
        t->segments += ltcp_packet_segments(packet);
        kept = true;
    }
    return kept;
}

void ltcp_tunnel_gather(struct ltcp_tunnel *t, struct ltcp_packet *packet)
{
    uint32_t peer;
    bool kept = false;
    if (!has_peer(t, packet, &peer))
        t->counters.no_peer++;
    else if (t->neighbours == NULL || ltcp_tunnel_resolve(t, packet, &peer))
        kept = put(t, packet, peer);
    if (!kept) ltcp_packet_unref(packet);
}

void ltcp_tunnel_gather_to(struct ltcp_tunnel *t, struct ltcp_packet *packet,
                           const struct ltcp_mac *mac, uint32_t peer)
{
    t->framing.remote_mac = *mac;
    if (!put(t, packet, peer)) ltcp_packet_unref(packet);
}

void ltcp_tunnel_gather_frame(struct ltcp_tunnel *t, const uint8_t *bytes, size_t length,
                              uint32_t peer)
{
    bool all = peer == LTCP_EVERY_PEER, several = t->reach == REACH_SEVERAL;
    uint32_t first = all ? 0 : peer, end = all && several ? t->peers.count : first + 1;
    for (uint32_t to = first; to < end; to++) {
        if (t->segments == LTCP_TUNNEL_QUEUE) {
            t->counters.queue_full++;
            return;
        }
        struct ltcp_packet *packet = ltcp_packet_create(t->pool);
        if (packet == NULL) {
            t->counters.no_memory++;
            return;
        }
        memcpy(packet->head, bytes, length);
        packet->head_length = (uint16_t)length;
        *last_place(t) = (struct waiting){.packet = packet, .peer = to};
        ltcp_vxlan_encode(t->framing.vni, last_place(t)->framed.lead);
        last_place(t)->framed.lead_length = LTCP_VXLAN_HEADER;
        t->count++;
        t->segments++;
    }
}
