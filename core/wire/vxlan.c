/* core/wire/vxlan.c - RFC 7348: an Ethernet frame behind a header that names its network. */
#include "ip.h"

enum { FLAG_I = 0x08, VNI_AT = 4 };

void ltcp_vxlan_encode(uint32_t vni, uint8_t out[LTCP_VXLAN_HEADER])
{
    store_be32(out, (uint32_t)FLAG_I << 24); /* RFC7348:5-1, RFC7348:5-2 */
    store_be32(out + VNI_AT, vni << 8);      /* RFC7348:5-3 */
}

enum ltcp_status ltcp_vxlan_decode(const uint8_t *bytes, size_t length, uint32_t *vni)
{
    if (length < LTCP_VXLAN_HEADER) return LTCP_ERR_TRUNCATED;
    /* RFC7348:5-1; what is reserved is ignored: RFC7348:5-2, RFC7348:5-3 */
    if ((bytes[0] & FLAG_I) == 0) return LTCP_ERR_FRAMING;
    *vni = load_be24(bytes + VNI_AT);
    return LTCP_OK;
}

enum ltcp_status ltcp_vxlan_frame(const struct ltcp_framing_context *context, const uint8_t *bytes,
                                  size_t length, struct ltcp_ethernet *out)
{
    uint32_t vni;
    enum ltcp_status status = ltcp_vxlan_decode(bytes, length, &vni);
    if (status != LTCP_OK) return status;
    if (vni != context->vni) return LTCP_ERR_FRAMING; /* RFC7348:5-4 */
    status = ltcp_ethernet_decode(bytes + LTCP_VXLAN_HEADER, length - LTCP_VXLAN_HEADER, out);
    if (status != LTCP_OK) return status;
    /* A group is never a source; and who has our address is ourselves, come back. */
    if (ltcp_mac_is_group(&out->source) || ltcp_mac_equal(&out->source, &context->local_mac))
        return LTCP_ERR_FRAMING;
    if (!ltcp_mac_is_group(&out->destination) &&
        !ltcp_mac_equal(&out->destination, &context->local_mac))
        return LTCP_ERR_FRAMING;
    /* Any other type, and a VLAN tag (RFC7348:6.1-1), is not for us. */
    bool known = out->type == LTCP_ETHERTYPE_IPV4 || out->type == LTCP_ETHERTYPE_IPV6 ||
                 out->type == LTCP_ETHERTYPE_ARP;
    return known ? LTCP_OK : LTCP_ERR_FRAMING;
}
