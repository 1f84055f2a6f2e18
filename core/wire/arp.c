/* core/wire/arp.c - RFC 826: which Ethernet address has an IPv4 address. */
#include "ip.h"

enum { HARDWARE_ETHERNET = 1 };

static struct ltcp_address address_at(const uint8_t *p)
{
    return ltcp_address_v4(p[0], p[1], p[2], p[3]);
}

enum ltcp_status ltcp_arp_decode(const uint8_t *bytes, size_t length, struct ltcp_arp *out)
{
    if (length < LTCP_ARP_LENGTH) return LTCP_ERR_TRUNCATED;
    /* "?Do I have the hardware type in ar$hrd?", "?Do I speak the protocol in ar$pro?", and the
     * lengths: RFC826:6-1, RFC826:6-2 */
    if (load_be16(bytes) != HARDWARE_ETHERNET || load_be16(bytes + 2) != LTCP_ETHERTYPE_IPV4 ||
        bytes[4] != 6 || bytes[5] != 4)
        return LTCP_ERR_NOT_SUPPORTED;
    out->operation = load_be16(bytes + 6);
    memcpy(out->sender_mac.bytes, bytes + 8, 6);
    out->sender = address_at(bytes + 14);
    memcpy(out->target_mac.bytes, bytes + 18, 6);
    out->target = address_at(bytes + 24);
    return LTCP_OK;
}

void ltcp_arp_encode(const struct ltcp_arp *arp, uint8_t out[LTCP_ARP_LENGTH])
{
    store_be16(out, HARDWARE_ETHERNET);
    store_be16(out + 2, LTCP_ETHERTYPE_IPV4);
    out[4] = 6;
    out[5] = 4;
    store_be16(out + 6, arp->operation);
    memcpy(out + 8, arp->sender_mac.bytes, 6);
    memcpy(out + 14, arp->sender.bytes + 12, 4);
    memcpy(out + 18, arp->target_mac.bytes, 6);
    memcpy(out + 24, arp->target.bytes + 12, 4);
}
