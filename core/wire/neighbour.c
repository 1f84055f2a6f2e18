/* core/wire/neighbour.c - RFC 4861: neighbour solicitations and advertisements. */
#include "ip.h"
#include "sum.h"

enum { SOLICITATION = 135, ADVERTISEMENT = 136 };
enum { SOURCE_LINK_ADDRESS = 1, TARGET_LINK_ADDRESS = 2 };
enum { MESSAGE = 24, OPTION = 8 };
enum { ROUTER = 0x80, SOLICITED = 0x40, OVERRIDE = 0x20 };

struct ltcp_address ltcp_solicited_node(const struct ltcp_address *address)
{
    struct ltcp_address node = {{0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF}};
    memcpy(node.bytes + 13, address->bytes + 13, 3);
    return node;
}

bool ltcp_neighbour_is(const uint8_t *packet, size_t length)
{
    /* Behind an extension header there is none: a sender has no reason to put one there. */
    if (length < IPV6_HEADER + 1 || packet[0] >> 4 != 6) return false;
    uint8_t type = packet[IPV6_HEADER];
    return packet[6] == LTCP_PROTOCOL_ICMPV6 && (type == SOLICITATION || type == ADVERTISEMENT);
}

/* Each option is a multiple of 8 octets, and none is empty: RFC4861:7.1.1-6, RFC4861:7.1.2-7. */
static enum ltcp_status read_options(const uint8_t *p, size_t length, struct ltcp_neighbour *out)
{
    uint8_t wanted = out->advertisement ? TARGET_LINK_ADDRESS : SOURCE_LINK_ADDRESS;
    while (length > 0) {
        if (length < 2) return LTCP_ERR_TRUNCATED;
        size_t size = (size_t)p[1] * 8;
        if (size == 0) return LTCP_ERR_FRAMING;
        if (size > length) return LTCP_ERR_TRUNCATED;
        if (p[0] == wanted && size == OPTION) { /* others are ignored: RFC4861:7.1.1-9 */
            memcpy(out->mac.bytes, p + 2, 6);
            out->has_mac = true;
        }
        p += size;
        length -= size;
    }
    return LTCP_OK;
}

static bool is_solicited_node(const struct ltcp_address *address)
{
    struct ltcp_address node = ltcp_solicited_node(address);
    return ltcp_address_equal(address, &node);
}

/* What is left of section 7.1 when the lengths and the checksum are right. */
static bool is_sound(const struct ltcp_ip *ip, const uint8_t *message,
                     const struct ltcp_neighbour *n)
{
    if (ip->ttl != 255) return false;                        /* RFC4861:7.1.1-1, RFC4861:7.1.2-1 */
    if (message[1] != 0) return false;                       /* RFC4861:7.1.1-3, RFC4861:7.1.2-3 */
    if (ltcp_address_is_multicast(&n->target)) return false; /* RFC4861:7.1.1-5, RFC4861:7.1.2-5 */
    if (ltcp_mac_is_group(&n->mac) && n->has_mac) return false;
    if (ltcp_address_is_multicast(&n->source)) return false; /* RFC 4291 section 2.7 */
    if (n->advertisement)                                    /* RFC4861:7.1.2-6 */
        return !ltcp_address_is_multicast(&n->destination) || !n->solicited;
    if (!ltcp_address_is_unspecified(&n->source)) return true;
    /* RFC4861:7.1.1-7, RFC4861:7.1.1-8 */
    return is_solicited_node(&n->destination) && !n->has_mac;
}

enum ltcp_status ltcp_neighbour_decode(const uint8_t *packet, size_t length,
                                       struct ltcp_neighbour *out)
{
    struct ltcp_ip ip;
    if (!ltcp_neighbour_is(packet, length)) return LTCP_ERR_PROTOCOL;
    enum ltcp_status status = ltcp_ip_decode_bytes(packet, length, false, &ip);
    if (status != LTCP_OK) return status;
    const uint8_t *message = packet + ip.header_length;
    size_t size = (size_t)(ip.total_length - ip.header_length);
    if (size < MESSAGE) return LTCP_ERR_TRUNCATED; /* RFC4861:7.1.1-4, RFC4861:7.1.2-4 */
    uint32_t sum = ltcp_pseudo_sum(&ip.source, &ip.destination, LTCP_PROTOCOL_ICMPV6, size);
    if (ltcp_sum_finish(ltcp_sum(sum, message, size)) != 0)
        return LTCP_ERR_CHECKSUM; /* RFC4861:7.1.1-2, RFC4861:7.1.2-2 */

    *out = (struct ltcp_neighbour){
        .source = ip.source,
        .destination = ip.destination,
        .advertisement = message[0] == ADVERTISEMENT,
        .router = (message[4] & ROUTER) != 0,
        .solicited = (message[4] & SOLICITED) != 0,
        .override = (message[4] & OVERRIDE) != 0,
    };
    memcpy(out->target.bytes, message + 8, 16);
    status = read_options(message + MESSAGE, size - MESSAGE, out);
    if (status != LTCP_OK) return status;
    return is_sound(&ip, message, out) ? LTCP_OK : LTCP_ERR_FRAMING;
}

size_t ltcp_neighbour_encode(const struct ltcp_neighbour *n, uint8_t out[LTCP_NEIGHBOUR_LENGTH])
{
    const struct ltcp_ip ip = {.source = n->source,
                               .destination = n->destination,
                               .protocol = LTCP_PROTOCOL_ICMPV6,
                               .ttl = 255};
    size_t size = n->has_mac ? MESSAGE + OPTION : MESSAGE;
    uint8_t *message = out + ltcp_ip_encode(&ip, size, out);
    memset(message, 0, size);
    message[0] = n->advertisement ? ADVERTISEMENT : SOLICITATION;
    if (n->advertisement)
        message[4] = (uint8_t)((n->router ? ROUTER : 0) | (n->solicited ? SOLICITED : 0) |
                               (n->override ? OVERRIDE : 0));
    memcpy(message + 8, n->target.bytes, 16);
    if (n->has_mac) {
        message[MESSAGE] = n->advertisement ? TARGET_LINK_ADDRESS : SOURCE_LINK_ADDRESS;
        message[MESSAGE + 1] = 1;
        memcpy(message + MESSAGE + 2, n->mac.bytes, 6);
    }
    uint32_t sum = ltcp_pseudo_sum(&n->source, &n->destination, LTCP_PROTOCOL_ICMPV6, size);
    store_16(message + 2, ltcp_sum_finish(ltcp_sum(sum, message, size)));
    return IPV6_HEADER + size;
}
