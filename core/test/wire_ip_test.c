/* core/test/wire_ip_test.c - IPv4 (RFC 791) and IPv6 (RFC 8200) headers. */
#include "check.h"
#include "lunatcp/wire.h"
#include "wire_samples.h"

static struct check_memory memory;
static struct ltcp_pool *pool;

static void set_checksum(uint8_t *header, size_t length)
{
    header[10] = header[11] = 0;
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(0, header, length));
    memcpy(header + 10, &checksum, 2);
}

/* Both ways of decoding agree; gives what they say. */
static enum ltcp_status decode(const uint8_t *bytes, size_t length, struct ltcp_ip *out)
{
    struct ltcp_ip other;
    memset(out, 0xA5, sizeof *out);
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    enum ltcp_status first = ltcp_ip_decode(packet, &other);
    enum ltcp_status second = ltcp_ip_decode_bytes(bytes, length, false, out);
    CHECK_EQUAL(first, second);
    if (first == LTCP_OK) CHECK_EQUAL(other.header_length, out->header_length);
    ltcp_packet_unref(packet);
    return second;
}

static enum ltcp_status decode_text(const char *text, struct ltcp_ip *out)
{
    static uint8_t bytes[4096];
    return decode(bytes, hex_bytes(text, bytes), out);
}

static void check_address(const struct ltcp_address *address, const char *want)
{
    char text[LTCP_ADDRESS_TEXT];
    ltcp_address_format(address, text);
    CHECK_TEXT(text, want);
}

static void ipv4_fields(void)
{
    struct ltcp_ip ip;
    CHECK_STATUS(decode_text(SAMPLE_DATA, &ip), LTCP_OK);
    CHECK_EQUAL(ip.version, 4);
    check_address(&ip.source, "192.0.2.1");
    check_address(&ip.destination, "198.51.100.2");
    CHECK_EQUAL(ip.header_length, 20);
    CHECK_EQUAL(ip.total_length, 57);
    CHECK_EQUAL(ip.options_length, 0);
    CHECK_EQUAL(ip.protocol, LTCP_PROTOCOL_TCP);
    CHECK_EQUAL(ip.dscp, 42);
    CHECK_EQUAL(ip.ecn, LTCP_ECN_ECT0);
    CHECK_EQUAL(ip.ttl, 63);
    CHECK_EQUAL(ip.identification, 0);
    CHECK(ip.dont_fragment && !ip.more_fragments);
    CHECK_EQUAL(ip.fragment_offset, 0);
    CHECK_STATUS(decode_text(SAMPLE_SYN, &ip), LTCP_OK);
    CHECK_EQUAL(ip.identification, 0x1C46);
    CHECK_STATUS(decode_text(SAMPLE_V4_OPTIONS, &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 28);
    CHECK_BYTES(ip.options, ip.options_length, "01830704 c6336402");
}

static void ipv6_fields(void)
{
    struct ltcp_ip ip;
    CHECK_STATUS(decode_text(SAMPLE_V6, &ip), LTCP_OK);
    CHECK_EQUAL(ip.version, 6);
    check_address(&ip.source, "2001:db8::1");
    check_address(&ip.destination, "2001:db8::2");
    CHECK_EQUAL(ip.dscp, 0xB9 >> 2);
    CHECK_EQUAL(ip.ecn, LTCP_ECN_ECT1);
    CHECK_EQUAL(ip.flow_label, 0x12345);
    CHECK_EQUAL(ip.ttl, 255);
    CHECK_EQUAL(ip.total_length, 63);
    CHECK_EQUAL(ip.header_length, 40);
    CHECK_EQUAL(ip.protocol, LTCP_PROTOCOL_TCP);
    CHECK_STATUS(decode_text(SAMPLE_V6_EXTENSIONS, &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 80);
    CHECK_EQUAL(ip.options_length, 40);
    CHECK_EQUAL(ip.extension, 0);
    CHECK_EQUAL(ip.protocol, LTCP_PROTOCOL_TCP);
}

static void malformed_ipv4(void)
{
    struct ltcp_ip ip;
    uint8_t bytes[64] = {0};
    CHECK_STATUS(decode(bytes, 0, &ip), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(decode_text("35000014 00000000 40060000 c0000201 c6336402", &ip),
                 LTCP_ERR_VERSION);
    CHECK_STATUS(decode_text("00000014 00000000 40060000 c0000201 c6336402", &ip),
                 LTCP_ERR_VERSION);
    CHECK_STATUS(decode_text("44000028 00000000 40060000 c0000201 c6336402 00000000", &ip),
                 LTCP_ERR_IP_HEADER);
    /* total length below the header's */
    CHECK_STATUS(decode_text("45000013 00000000 40060000 c0000201 c6336402 00000000", &ip),
                 LTCP_ERR_IP_HEADER);
    /* header length beyond what there is */
    CHECK_STATUS(decode_text("4f00003c 00000000 40060000 c0000201 c6336402 00000000", &ip),
                 LTCP_ERR_TRUNCATED);
    size_t length = hex_bytes(SAMPLE_SYN, bytes);
    bytes[11] ^= 1;
    CHECK_STATUS(decode(bytes, length, &ip), LTCP_ERR_IP_CHECKSUM);
    CHECK_STATUS(ltcp_ip_decode_bytes(bytes, length, true, &ip), LTCP_OK);
    /* a quote may be shorter than it says, its header may not */
    CHECK_STATUS(ltcp_ip_decode_bytes(bytes, 28, true, &ip), LTCP_OK);
    CHECK_EQUAL(ip.total_length, 60);
    CHECK_STATUS(ltcp_ip_decode_bytes(bytes, 19, true, &ip), LTCP_ERR_TRUNCATED);
}

/* Options of 4 bytes behind a good header. */
static enum ltcp_status with_options(const char *options)
{
    static uint8_t bytes[64];
    struct ltcp_ip ip;
    size_t length = hex_bytes("46000018 00000000 40060000 c0000201 c6336402", bytes);
    length += hex_bytes(options, bytes + length);
    set_checksum(bytes, 24);
    return decode(bytes, length, &ip);
}

static void ipv4_options(void)
{
    CHECK_STATUS(with_options("00000000"), LTCP_OK);
    CHECK_STATUS(with_options("01010100"), LTCP_OK);
    CHECK_STATUS(with_options("94040000"), LTCP_OK);
    CHECK_STATUS(with_options("00ffffff"), LTCP_OK);
    CHECK_STATUS(with_options("83030401"), LTCP_OK);
    CHECK_STATUS(with_options("94000000"), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_options("94010000"), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_options("94050000"), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_options("01010194"), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_options("01940400"), LTCP_ERR_IP_OPTION);
}

static void fragments(void)
{
    struct ltcp_ip ip;
    uint8_t bytes[64];
    size_t length = hex_bytes(SAMPLE_SYN, bytes);
    bytes[6] = 0x20; /* more fragments */
    set_checksum(bytes, 20);
    CHECK_STATUS(decode(bytes, length, &ip), LTCP_ERR_FRAGMENT);
    CHECK(ip.more_fragments && ip.fragment_offset == 0 && !ip.dont_fragment);
    CHECK_EQUAL(ip.total_length, 60);
    bytes[6] = 0x1F;
    bytes[7] = 0xFF;
    set_checksum(bytes, 20);
    CHECK_STATUS(decode(bytes, length, &ip), LTCP_ERR_FRAGMENT);
    CHECK_EQUAL(ip.fragment_offset, 8191 * 8);
    check_address(&ip.source, "192.0.2.1");

    const char *v6 = "60000000 000a 2c 40 20010db8 00000000 00000000 00000001 20010db8 00000000 "
                     "00000000 00000002";
    char text[256];
    snprintf(text, sizeof text, "%s 06000010 00000001 ffff", v6);
    CHECK_STATUS(decode_text(text, &ip), LTCP_ERR_FRAGMENT);
    CHECK_EQUAL(ip.fragment_offset, 16);
    snprintf(text, sizeof text, "%s 06000001 00000001 ffff", v6);
    CHECK_STATUS(decode_text(text, &ip), LTCP_ERR_FRAGMENT);
    CHECK(ip.more_fragments);
    /* RFC 6946: the only one of its packet */
    snprintf(text, sizeof text, "%s 06000000 00000001 ffff", v6);
    CHECK_STATUS(decode_text(text, &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 48);
    CHECK_EQUAL(ip.protocol, 6);
}

static enum ltcp_status with_extensions(unsigned first, const char *extensions, struct ltcp_ip *ip)
{
    static uint8_t bytes[512];
    size_t length = hex_bytes("60000000 00000040 20010db8 00000000 00000000 00000001 20010db8 "
                              "00000000 00000000 00000002",
                              bytes);
    length += hex_bytes(extensions, bytes + 40);
    bytes[5] = (uint8_t)(length - 40);
    bytes[6] = (uint8_t)first;
    return decode(bytes, length, ip);
}

static void extension_headers(void)
{
    struct ltcp_ip ip;
    CHECK_STATUS(with_extensions(60, "0600 010400000000", &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 48);
    CHECK_EQUAL(ip.extension, 60);
    CHECK_STATUS(with_extensions(60, "0600 000000000000", &ip), LTCP_OK);
    CHECK_STATUS(with_extensions(60, "0600 1e0400000000", &ip), LTCP_OK); /* unknown: skip */
    CHECK_STATUS(with_extensions(60, "0600 5e0400000000", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "0600 9e0400000000", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "0600 de0400000000", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "0600 010500000000", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "0600 000000000001", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "0601 010400000000", &ip), LTCP_ERR_IP_OPTION); /* too long */
    CHECK_STATUS(with_extensions(60, "0600 0104", &ip), LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "", &ip), LTCP_ERR_IP_OPTION);
    /* hop-by-hop anywhere but in front */
    CHECK_STATUS(with_extensions(60, "0000 010400000000 0600 010400000000", &ip),
                 LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(0, "3c00 010400000000 0600 010400000000", &ip), LTCP_OK);
    /* routing: finished or not */
    CHECK_STATUS(with_extensions(43, "0600 020000000000", &ip), LTCP_OK);
    CHECK_STATUS(with_extensions(43, "0600 020100000000", &ip), LTCP_ERR_IP_OPTION);
    /* what is not a known extension ends the walk */
    CHECK_STATUS(with_extensions(59, "", &ip), LTCP_OK);
    CHECK_EQUAL(ip.protocol, 59);
    /* the Authentication header counts in words */
    CHECK_STATUS(with_extensions(60, "3300 010400000000 0601 000000000000 00000000", &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 60);
    CHECK_STATUS(with_extensions(60, "3300 010400000000 0602 000000000000 00000000", &ip),
                 LTCP_ERR_IP_OPTION);
    CHECK_STATUS(with_extensions(60, "8700 010400000000 ffff", &ip), LTCP_OK);
    CHECK_EQUAL(ip.protocol, 135);
    CHECK_EQUAL(ip.header_length, 48);
}

static void malformed_ipv6(void)
{
    struct ltcp_ip ip;
    uint8_t bytes[128];
    size_t length = hex_bytes(SAMPLE_V6, bytes);
    for (size_t cut = 0; cut < length; cut++)
        CHECK_STATUS(decode(bytes, cut, &ip), LTCP_ERR_TRUNCATED);
    hex_bytes("00000000 00000000 0000ffff c0000201", bytes + 8);
    CHECK_STATUS(decode(bytes, length, &ip), LTCP_ERR_ADDRESS);
}

/* More extension headers than the head holds. */
static void too_many_extensions(void)
{
    uint8_t bytes[400] = {0x60};
    struct ltcp_ip ip;
    bytes[5] = 220;
    bytes[6] = 60;
    bytes[7] = 64;
    bytes[39] = bytes[23] = 1;
    for (size_t at = 40; at < 240; at += 8)
        hex_bytes("3c00 010400000000", bytes + at);
    bytes[232] = 6;
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, 260);
    CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(ltcp_ip_decode_bytes(bytes, 260, false, &ip), LTCP_OK);
    CHECK_EQUAL(ip.header_length, 240);
    ltcp_packet_unref(packet);
}

/* ---- encoding -----------------------------------------------------------------------------------
 */

static void encode_of_decode(void)
{
    static const char *const samples[] = {SAMPLE_SYN,        SAMPLE_DATA,   SAMPLE_V6,
                                          SAMPLE_V4_OPTIONS, SAMPLE_FULL,   SAMPLE_V6_EXTENSIONS,
                                          SAMPLE_ICMP,       SAMPLE_ICMPV6, SAMPLE_ECHO};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint8_t bytes[256], out[LTCP_HEAD_ROOM];
        struct ltcp_ip ip;
        size_t length = hex_bytes(samples[i], bytes);
        CHECK_STATUS(decode(bytes, length, &ip), LTCP_OK);
        CHECK_EQUAL(ltcp_ip_encode(&ip, length - ip.header_length, out), ip.header_length);
        CHECK(memcmp(out, bytes, ip.header_length) == 0);
    }
}

static void padded_options(void)
{
    static const uint8_t options[60] = {0x94, 4, 0, 0, 1};
    struct ltcp_ip ip = {.source = ltcp_address_v4(1, 2, 3, 4),
                         .destination = ltcp_address_v4(5, 6, 7, 8),
                         .options = options,
                         .options_length = 5,
                         .protocol = 6,
                         .ttl = 1,
                         .fragment_offset = 24,
                         .more_fragments = true};
    uint8_t out[LTCP_HEAD_ROOM + 1], back[128];
    memset(out, 0xEE, sizeof out);
    CHECK_EQUAL(ltcp_ip_encode(&ip, 100, out), 28);
    CHECK_BYTES(out + 20, 8, "94040000 01000000");
    CHECK_BYTES(out, 10, "47000080 00002003 0106");
    CHECK_EQUAL(ltcp_sum_finish(ltcp_sum(0, out, 28)), 0);
    CHECK_EQUAL(out[28], 0xEE);
    ip.options_length = 60; /* more than there is room for */
    CHECK_EQUAL(ltcp_ip_encode(&ip, 0, back), 60);
    ltcp_address_parse("2001:db8::1", &ip.source);
    static const uint8_t long_ones[200] = {60};
    ip.options = long_ones;
    ip.options_length = 200;
    CHECK(ltcp_ip_encode(&ip, 0, out) <= LTCP_HEAD_ROOM - 60);
    CHECK_EQUAL(out[LTCP_HEAD_ROOM], 0xEE);
}

static void pseudo_header(void)
{
    struct ltcp_address a4 = ltcp_address_v4(192, 0, 2, 1), b4 = ltcp_address_v4(198, 51, 100, 2);
    uint8_t bytes[64];
    size_t length = hex_bytes("c0000201 c6336402 00060028", bytes);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_pseudo_sum(&a4, &b4, 6, 40)),
                ltcp_sum_finish(ltcp_sum(0, bytes, length)));
    struct ltcp_address a6, b6;
    ltcp_address_parse("2001:db8::1", &a6);
    ltcp_address_parse("2001:db8::ffff:2", &b6);
    length = hex_bytes("20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 ffff0002 "
                       "00012345 0000003a",
                       bytes);
    CHECK_EQUAL(ltcp_sum_finish(ltcp_pseudo_sum(&a6, &b6, 58, 0x12345)),
                ltcp_sum_finish(ltcp_sum(0, bytes, length)));
}

static void on_the_way(void)
{
    static const char *const samples[] = {SAMPLE_DATA, SAMPLE_V6, SAMPLE_V4_OPTIONS};
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[128];
        size_t length = hex_bytes(samples[i], bytes);
        struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
        struct ltcp_ip before, after;
        ltcp_ip_decode(packet, &before);
        for (unsigned value = 0; value < 256; value++) {
            ltcp_ip_set_ttl(packet, (uint8_t)value);
            ltcp_ip_set_ecn(packet, (uint8_t)(value & 3));
            CHECK_STATUS(ltcp_ip_decode(packet, &after), LTCP_OK);
            CHECK(after.ttl == value && after.ecn == (value & 3) && after.dscp == before.dscp &&
                  after.flow_label == before.flow_label);
        }
        ltcp_ip_set_ttl(packet, before.ttl);
        ltcp_ip_set_ecn(packet, before.ecn);
        CHECK(memcmp(packet->head, bytes, packet->head_length) == 0);
        ltcp_packet_unref(packet);
    }
    struct ltcp_packet *empty = ltcp_packet_create(pool);
    ltcp_ip_set_ttl(empty, 1);
    ltcp_ip_set_ecn(empty, 1);
    CHECK_EQUAL(empty->head_length, 0);
    ltcp_packet_unref(empty);
}

int main(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    ipv4_fields();
    ipv6_fields();
    malformed_ipv4();
    ipv4_options();
    fragments();
    extension_headers();
    malformed_ipv6();
    too_many_extensions();
    encode_of_decode();
    padded_options();
    pseudo_header();
    on_the_way();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
