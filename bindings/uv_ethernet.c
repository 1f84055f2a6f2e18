/* bindings/uv_ethernet.c - the Ethernet inside a vxlan tunnel: who is where. */
#include "uv_tunnel_parts.h"

bool ltcp_tunnel_resolve(struct ltcp_tunnel *t, struct ltcp_packet *packet, uint32_t *peer)
{
    struct ltcp_address source, destination;
    if (!ltcp_tunnel_ends(packet, &source, &destination)) {
        t->counters.unframeable++;
        return false;
    }
    bool known = ltcp_neighbours_find(t->neighbours, ltcp_network_now(t->network), &source,
                                      &destination, packet, &t->framing.remote_mac, peer);
    if (!known) ltcp_tunnel_neighbours_out(t);
    return known;
}

void ltcp_tunnel_neighbours_out(struct ltcp_tunnel *t)
{
    struct ltcp_neighbour_frame frame;
    while (ltcp_neighbours_next_frame(t->neighbours, &frame))
        ltcp_tunnel_gather_frame(t, frame.bytes, frame.length, frame.peer);

    struct ltcp_packet *packet;
    struct ltcp_mac mac;
    uint32_t peer;
    bool failed;
    while ((packet = ltcp_neighbours_next_packet(t->neighbours, &mac, &peer, &failed)) != NULL) {
        if (!failed) {
            ltcp_tunnel_gather_to(t, packet, &mac, peer);
            continue;
        }
        t->counters.unresolved++; /* RFC4861:7.2.2-7 */
        ltcp_tunnel_answer(t, packet, LTCP_ICMP_HOST_UNREACHABLE, 0);
        ltcp_packet_unref(packet);
    }
}

ltcp_time ltcp_tunnel_deadline(const struct ltcp_tunnel *t)
{
    return t->neighbours != NULL ? ltcp_neighbours_deadline(t->neighbours) : LTCP_NEVER;
}

void ltcp_tunnel_advance(struct ltcp_tunnel *t, ltcp_time now)
{
    if (t->neighbours == NULL) return;
    if (ltcp_neighbours_deadline(t->neighbours) > now) return;
    ltcp_network_catch_up(t->network, now);
    ltcp_neighbours_advance(t->neighbours, now);
    ltcp_tunnel_neighbours_out(t);
}

enum ltcp_status ltcp_tunnel_frame_in(struct ltcp_tunnel *t, struct ltcp_block *block,
                                      size_t offset, size_t length, ltcp_time now, uint32_t peer,
                                      struct ltcp_packet **out)
{
    struct ltcp_ethernet ethernet;
    const uint8_t *bytes = block->data + offset;
    *out = NULL;
    enum ltcp_status status = ltcp_vxlan_frame(&t->framing, bytes, length, &ethernet);
    if (status != LTCP_OK) return status;
    bytes += LTCP_FRAMING_LEAD;
    size_t rest = length - LTCP_FRAMING_LEAD;
    if (ethernet.type == LTCP_ETHERTYPE_ARP)
        status = ltcp_neighbours_hear_arp(t->neighbours, now, bytes, rest, peer);
    else if (ethernet.type == LTCP_ETHERTYPE_IPV6 && ltcp_neighbour_is(bytes, rest))
        status = ltcp_neighbours_hear(t->neighbours, now, bytes, rest, peer);
    else
        return ltcp_framing_unstrip(&t->framing, block, offset, length, out);
    if (status == LTCP_OK) t->counters.neighbours++;
    return status;
}
