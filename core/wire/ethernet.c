/* core/wire/ethernet.c - the Ethernet header, and the addresses in it. */
#include "ip.h"

enum { DESTINATION_AT = 0, SOURCE_AT = 6, TYPE_AT = 12 };

enum ltcp_status ltcp_ethernet_decode(const uint8_t *bytes, size_t length,
                                      struct ltcp_ethernet *out)
{
    if (length < LTCP_ETHERNET_HEADER) return LTCP_ERR_TRUNCATED;
    memcpy(out->destination.bytes, bytes + DESTINATION_AT, 6);
    memcpy(out->source.bytes, bytes + SOURCE_AT, 6);
    out->type = load_be16(bytes + TYPE_AT);
    return LTCP_OK;
}

void ltcp_ethernet_encode(const struct ltcp_ethernet *ethernet, uint8_t out[LTCP_ETHERNET_HEADER])
{
    memcpy(out + DESTINATION_AT, ethernet->destination.bytes, 6);
    memcpy(out + SOURCE_AT, ethernet->source.bytes, 6);
    store_be16(out + TYPE_AT, ethernet->type);
}

bool ltcp_mac_equal(const struct ltcp_mac *a, const struct ltcp_mac *b)
{
    return memcmp(a->bytes, b->bytes, 6) == 0;
}

bool ltcp_mac_is_group(const struct ltcp_mac *mac)
{
    return (mac->bytes[0] & 1) != 0;
}

struct ltcp_mac ltcp_mac_broadcast(void)
{
    return (struct ltcp_mac){{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
}

struct ltcp_mac ltcp_mac_of_group(const struct ltcp_address *group)
{
    const uint8_t *p = group->bytes;
    if (!address_is_v4(group)) return (struct ltcp_mac){{0x33, 0x33, p[12], p[13], p[14], p[15]}};
    if (ltcp_address_is_broadcast(group)) return ltcp_mac_broadcast();
    return (struct ltcp_mac){{0x01, 0x00, 0x5E, p[13] & 0x7F, p[14], p[15]}};
}

struct ltcp_mac ltcp_mac_of_address(const struct ltcp_address *address)
{
    /* Universal/local bit set, group bit clear: RFC 9542 section 2.1. */
    struct ltcp_mac mac = {{0x02, 0x00}};
    memcpy(mac.bytes + 2, address->bytes + 12, 4);
    if (address_is_v4(address)) return mac;
    for (unsigned i = 0; i < 12; i++) /* addresses of one machine often differ in front only */
        mac.bytes[1] = (uint8_t)(mac.bytes[1] * 31 + address->bytes[i]);
    return mac;
}

/* ---- as text ------------------------------------------------------------------------------------
 */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum ltcp_status ltcp_mac_parse(const char *text, struct ltcp_mac *out)
{
    for (unsigned i = 0; i < 6; i++) {
        if (i > 0 && *text++ != ':') return LTCP_ERR_INVALID;
        int high = digit_value(text[0]);
        int low = high < 0 ? -1 : digit_value(text[1]);
        if (low < 0) return LTCP_ERR_INVALID;
        out->bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == '\0' && !ltcp_mac_is_group(out) ? LTCP_OK : LTCP_ERR_INVALID;
}

void ltcp_mac_format(const struct ltcp_mac *mac, char out[LTCP_MAC_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 6; i++) {
        out[3 * i] = digits[mac->bytes[i] >> 4];
        out[3 * i + 1] = digits[mac->bytes[i] & 15];
        out[3 * i + 2] = i < 5 ? ':' : '\0';
    }
}
