/* core/network/share.h
 *
 * Packets that several hold: whoever changes the head, the time or the notes takes a head of its
 * own first; the payload stays shared. */
#ifndef LUNATCP_NETWORK_SHARE_H
#define LUNATCP_NETWORK_SHARE_H

#include "lunatcp/packet.h"

#include <string.h>

/* A packet of its own with the same payload, id and notes; NULL: no memory. */
static inline struct ltcp_packet *packet_share(const struct ltcp_packet *packet)
{
    struct ltcp_packet *twin = ltcp_packet_create(packet->pool);
    if (twin == NULL) return NULL;
    memcpy(twin->head, packet->head, packet->head_length);
    twin->head_length = packet->head_length;
    if (packet->block != NULL) twin->block = ltcp_block_ref(packet->block);
    twin->payload = packet->payload;
    twin->payload_length = packet->payload_length;
    twin->payload_sum = packet->payload_sum;
    twin->payload_sum_valid = packet->payload_sum_valid;
    twin->checksum_good = packet->checksum_good;
    twin->interface = packet->interface;
    twin->id = packet->id;
    twin->time = packet->time;
    twin->notes = packet->notes;
    return twin;
}

/* Turns a reference into the only one to a head: the packet itself when nobody else holds it. The
 * reference is used up, also when there is no memory (NULL). */
static inline struct ltcp_packet *packet_own(struct ltcp_packet *packet)
{
    if (packet->refs == 1) return packet;
    struct ltcp_packet *twin = packet_share(packet);
    ltcp_packet_unref(packet);
    return twin;
}

#endif
