/* core/wire/address.c - IP addresses as text and their classes (RFC 4291, RFC 5952). */
#include "lunatcp/types.h"

#include <string.h>

#include "scope.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

struct ltcp_address ltcp_address_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    struct ltcp_address address;
    memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
    address.bytes[12] = a;
    address.bytes[13] = b;
    address.bytes[14] = c;
    address.bytes[15] = d;
    return address;
}

bool ltcp_address_is_v4(const struct ltcp_address *a)
{
    return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool ltcp_address_is_unspecified(const struct ltcp_address *a)
{
    static const uint8_t zero[16];
    if (ltcp_address_is_v4(a)) return memcmp(a->bytes + 12, zero, 4) == 0;
    return memcmp(a->bytes, zero, sizeof zero) == 0;
}

bool ltcp_address_is_multicast(const struct ltcp_address *a)
{
    if (ltcp_address_is_v4(a)) return (a->bytes[12] & 0xF0) == 0xE0;
    return a->bytes[0] == 0xFF;
}

bool ltcp_address_is_broadcast(const struct ltcp_address *a)
{
    static const uint8_t ones[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    return ltcp_address_is_v4(a) && memcmp(a->bytes + 12, ones, sizeof ones) == 0;
}

bool ltcp_address_equal(const struct ltcp_address *a, const struct ltcp_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- parsing ----------------------------------------------------------------------------------
 */

/* Four decimal numbers without leading zeros, up to the NUL: "010" is eight to some readers and ten
 * to others, so it is neither here. */
static bool parse_quad(const char *text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        int digits = 0;
        while (*text >= '0' && *text <= '9') {
            if (digits == 3 || (digits == 1 && value == 0)) return false;
            value = value * 10 + (unsigned)(*text++ - '0');
            digits++;
        }
        if (digits == 0 || value > 255) return false;
        out[i] = (uint8_t)value;
        if (*text++ != (i < 3 ? '.' : '\0')) return false;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum { NO_GAP = 17 };

/* Groups as they are read, and behind how many bytes "::" stood. */
struct groups {
    uint8_t bytes[16];
    size_t length;
    size_t gap;
};

/* One group of one to four hexadecimal digits; false when there is none or too long a one. */
static bool parse_group(const char **text, struct groups *out)
{
    unsigned value = 0;
    int digits = 0;
    const char *p = *text;
    for (int d; (d = hex_digit(*p)) >= 0; p++) {
        if (++digits > 4) return false;
        value = value << 4 | (unsigned)d;
    }
    if (digits == 0 || out->length + 2 > sizeof out->bytes) return false;
    out->bytes[out->length++] = (uint8_t)(value >> 8);
    out->bytes[out->length++] = (uint8_t)value;
    *text = p;
    return true;
}

/* RFC 4291 section 2.2, forms 1 to 3. */
static bool parse_groups(const char *text, struct groups *out)
{
    out->length = 0;
    out->gap = NO_GAP;
    if (text[0] == ':' && text[1] == ':') {
        out->gap = 0;
        text += 2;
        if (*text == '\0') return true;
    }
    for (;;) {
        const char *group = text;
        if (!parse_group(&text, out)) return false;
        if (*text == '.') {
            out->length -= 2;
            if (out->length + 4 > sizeof out->bytes) return false;
            if (!parse_quad(group, out->bytes + out->length)) return false;
            out->length += 4;
            return true;
        }
        if (*text == '\0') return true;
        if (*text++ != ':') return false;
        if (*text == ':') {
            if (out->gap != NO_GAP) return false;
            out->gap = out->length;
            if (*++text == '\0') return true;
        }
    }
}

static enum ltcp_status parse_bare(const char *text, struct ltcp_address *out)
{
    uint8_t quad[4];
    if (parse_quad(text, quad)) {
        *out = ltcp_address_v4(quad[0], quad[1], quad[2], quad[3]);
        return LTCP_OK;
    }
    struct groups g;
    if (!parse_groups(text, &g)) return LTCP_ERR_INVALID;
    /* "::" stands for one group at least. */
    if (g.gap == NO_GAP ? g.length != 16 : g.length > 14) return LTCP_ERR_INVALID;
    size_t before = g.gap == NO_GAP ? 16 : g.gap, after = g.length - before;
    memset(out->bytes, 0, sizeof out->bytes);
    memcpy(out->bytes, g.bytes, before);
    memcpy(out->bytes + 16 - after, g.bytes + before, after);
    return LTCP_OK;
}

/* RFC4007:11.2-1: "eth0" is interface 0, which is also the zone 1; 0 is no zone in particular. */
static bool parse_zone(const char *text, uint16_t *zone)
{
    const bool named = text[0] == 'e' && text[1] == 't' && text[2] == 'h';
    uint32_t value = 0;
    if (named) text += 3;
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0')) return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint32_t)(*text - '0');
        if (value > 65534) return false;
    }
    *zone = (uint16_t)(named ? value + 1 : value);
    return *text == '\0';
}

enum ltcp_status ltcp_address_parse(const char *text, struct ltcp_address *out)
{
    char bare[LTCP_ADDRESS_TEXT];
    const char *percent = strchr(text, '%');
    uint16_t zone;
    if (percent == NULL) {
        const enum ltcp_status status = parse_bare(text, out);
        return status == LTCP_OK && scope_zone(out) != 0 ? LTCP_ERR_INVALID : status;
    }
    const size_t length = (size_t)(percent - text);
    if (length >= sizeof bare) return LTCP_ERR_INVALID;
    memcpy(bare, text, length);
    bare[length] = '\0';
    if (parse_bare(bare, out) != LTCP_OK || !address_is_link_local(out)) return LTCP_ERR_INVALID;
    if (scope_zone(out) != 0 || !parse_zone(percent + 1, &zone)) return LTCP_ERR_INVALID;
    store_be16(out->bytes + 2, zone);
    return LTCP_OK;
}

/* ---- formatting -------------------------------------------------------------------------------
 */

static char *put_decimal(char *to, unsigned value)
{
    if (value >= 100) *to++ = (char)('0' + value / 100);
    if (value >= 10) *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

static char *put_zone(char *to, uint32_t interface)
{
    uint32_t power = 10000;
    memcpy(to, "%eth", 4);
    to += 4;
    while (power > 1 && interface < power)
        power /= 10;
    for (; power > 0; power /= 10)
        *to++ = (char)('0' + interface / power % 10);
    return to;
}

static char *put_hex(char *to, unsigned value)
{
    int shift = 12;
    while (shift > 0 && value >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[value >> shift & 0xF];
    return to;
}

static unsigned group_at(const struct ltcp_address *a, int i)
{
    return (unsigned)(a->bytes[2 * i] << 8 | a->bytes[2 * i + 1]);
}

/* RFC 5952 section 4.2: the longest run of two or more zero groups, the first of equals. */
static int longest_run(const struct ltcp_address *a, int *length)
{
    int best = -1, run = 0;
    *length = 1;
    for (int i = 0; i < 8; i++) {
        run = group_at(a, i) == 0 ? run + 1 : 0;
        if (run > *length) {
            *length = run;
            best = i + 1 - run;
        }
    }
    return best;
}

size_t ltcp_address_format(const struct ltcp_address *address, char out[LTCP_ADDRESS_TEXT])
{
    const struct ltcp_address own = scope_cleared(*address), *a = &own;
    char *to = out;
    if (ltcp_address_is_v4(a)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12) *to++ = '.';
            to = put_decimal(to, a->bytes[i]);
        }
    } else {
        int run, gap = longest_run(a, &run);
        for (int i = 0; i < 8; i++) {
            if (i == gap) {
                *to++ = ':';
                if (i + run == 8) *to++ = ':';
                i += run - 1;
                continue;
            }
            if (i > 0) *to++ = ':';
            to = put_hex(to, group_at(a, i));
        }
    }
    if (scope_zone(address) != 0) to = put_zone(to, scope_zone(address) - 1);
    *to = '\0';
    return (size_t)(to - out);
}
