/* core/test/wire_framing_test.c - what datagrams of a tunnel carry, octet by octet; Ethernet, ARP
 * and neighbour discovery inside them. */
#include "check.h"
#include "lunatcp/wire.h"
#include "wire_samples.h"

static struct check_memory memory;
static struct ltcp_pool *pool;

static struct ltcp_packet *packet_of(const char *text)
{
    uint8_t bytes[4096];
    return ltcp_packet_from_bytes(pool, bytes, hex_bytes(text, bytes));
}

/* ---- framings -----------------------------------------------------------------------------------
 */

static struct ltcp_block *block_of(const uint8_t *bytes, size_t length, size_t offset)
{
    struct ltcp_block *block = ltcp_block_create(pool, (uint32_t)(offset + length));
    memcpy(block->data + offset, bytes, length);
    block->length = (uint32_t)(offset + length);
    return block;
}

/* There and back: what the one end strips is what the other end makes again. */
static void plain(const char *text, enum ltcp_inner_checksum checksum)
{
    struct ltcp_ip ip, ip_back;
    struct ltcp_segment s, s_back;
    struct ltcp_packet *packet = packet_of(text), *back;
    CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(packet, &ip, &s), LTCP_OK);
    struct ltcp_framing_context context = {.framing = LTCP_FRAMING_PLAIN,
                                           .checksum = checksum,
                                           .local = ip.destination,
                                           .remote = ip.source,
                                           .dscp = ip.dscp,
                                           .ecn = ip.ecn,
                                           .ttl = 55};
    struct ltcp_framed framed;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_EQUAL(framed.skip, ip.header_length);
    CHECK_EQUAL(framed.lead_length, 0);
    size_t skip = framed.skip;
    uint8_t bytes[256];
    size_t length = ltcp_packet_bytes(packet, bytes, sizeof bytes) - skip;
    if (checksum == LTCP_UDP_CHECKSUM) CHECK(bytes[skip + 16] == 0 && bytes[skip + 17] == 0);

    struct ltcp_block *block = block_of(bytes + skip, length, 5);
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 5, length, &back), LTCP_OK);
    CHECK_STATUS(ltcp_ip_decode(back, &ip_back), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(back, &ip_back, &s_back), LTCP_OK);
    CHECK(ltcp_address_equal(&ip.source, &ip_back.source) &&
          ltcp_address_equal(&ip.destination, &ip_back.destination));
    CHECK(ip_back.dscp == ip.dscp && ip_back.ecn == ip.ecn && ip_back.ttl == 55);
    CHECK(seq_eq(s.seq, s_back.seq) && s.flags == s_back.flags && s.length == s_back.length);
    CHECK(s.length == 0 || memcmp(s.payload, s_back.payload, s.length) == 0);
    CHECK(s.options.present == s_back.options.present);
    CHECK_EQUAL(back->checksum_good, checksum == LTCP_UDP_CHECKSUM);
    ltcp_packet_unref(packet);
    ltcp_packet_unref(back);
    ltcp_block_unref(block);
}

static void plain_refuses(void)
{
    struct ltcp_framing_context context = {.framing = LTCP_FRAMING_PLAIN,
                                           .local = ltcp_address_v4(10, 0, 0, 1),
                                           .remote = ltcp_address_v4(10, 0, 0, 2)};
    struct ltcp_packet *packet = packet_of(SAMPLE_ECHO), *out;
    struct ltcp_framed framed;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_NOT_SUPPORTED);
    ltcp_packet_unref(packet);
    packet = packet_of("45");
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);

    static uint8_t bytes[66000];
    struct ltcp_block *block = block_of(bytes, sizeof bytes, 0);
    for (size_t length = 0; length < 20; length++) {
        CHECK_STATUS(ltcp_framing_unstrip(&context, block, 0, length, &out), LTCP_ERR_TRUNCATED);
        CHECK(out == NULL);
    }
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 0, 65536, &out), LTCP_ERR_FRAMING);
    /* a bad data offset is the host's to refuse */
    struct ltcp_ip ip;
    struct ltcp_segment s;
    for (unsigned offset = 0; offset < 16; offset++) {
        block->data[12] = (uint8_t)(offset << 4);
        CHECK_STATUS(ltcp_framing_unstrip(&context, block, 0, 40, &out), LTCP_OK);
        CHECK_STATUS(ltcp_ip_decode(out, &ip), LTCP_OK);
        CHECK_EQUAL(ltcp_segment_decode(out, &ip, &s),
                    offset < 5 || offset > 10 ? LTCP_ERR_DATA_OFFSET : LTCP_ERR_CHECKSUM);
        ltcp_packet_unref(out);
    }
    memory.remaining = 0;
    ltcp_pool_trim(pool);
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 0, 40, &out), LTCP_ERR_NO_MEMORY);
    context.framing = LTCP_FRAMING_RAWIP;
    block->data[0] = 0x45;
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 0, 40, &out), LTCP_ERR_NO_MEMORY);
    memory.remaining = -1;
    ltcp_block_unref(block);
}

static void rawip(const char *text)
{
    struct ltcp_framing_context context = {.framing = LTCP_FRAMING_RAWIP};
    struct ltcp_packet *packet = packet_of(text), *out;
    uint8_t bytes[256], back[256];
    size_t length = hex_bytes(text, bytes);
    struct ltcp_framed framed;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_EQUAL(framed.skip, 0);
    CHECK_EQUAL(framed.lead_length, 0);
    ltcp_packet_unref(packet);
    struct ltcp_block *block = block_of(bytes, length, 3);
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 3, length, &out), LTCP_OK);
    CHECK_EQUAL(ltcp_packet_bytes(out, back, sizeof back), length);
    CHECK(memcmp(back, bytes, length) == 0);
    CHECK(!out->checksum_good);
    ltcp_packet_unref(out);

    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 3, 0, &out), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 3, 19, &out), LTCP_ERR_TRUNCATED);
    block->data[3] = 0x50;
    CHECK_STATUS(ltcp_framing_unstrip(&context, block, 3, length, &out), LTCP_ERR_FRAMING);
    CHECK(out == NULL);
    ltcp_block_unref(block);
}

/* The datagram's payload: the lead, then the rest of the packet. */
static size_t datagram_of(const struct ltcp_packet *packet, const struct ltcp_framed *framed,
                          uint8_t *out)
{
    uint8_t bytes[4096];
    size_t length = ltcp_packet_bytes(packet, bytes, sizeof bytes) - framed->skip;
    memcpy(out, framed->lead, framed->lead_length);
    memcpy(out + framed->lead_length, bytes + framed->skip, length);
    return framed->lead_length + length;
}

/* ---- vxlan --------------------------------------------------------------------------------------
 */

/* 192.0.2.1:1 > 198.51.100.2:2, a SYN without options */
#define SMALL_SYN                                                                                  \
    "45000028 00004000 4006 8e99 c0000201 c6336402 0001 0002 00000001 00000000 5002 ffff 131e "    \
    "0000"

static struct ltcp_framing_context vxlan_context(void)
{
    return (struct ltcp_framing_context){.framing = LTCP_FRAMING_VXLAN,
                                         .vni = 0x123456,
                                         .local_mac = {{2, 0, 10, 0, 0, 1}},
                                         .remote_mac = {{2, 0, 10, 0, 0, 2}}};
}

/* RFC 7348 section 5: flags, reserved, VNI, reserved; then the frame, RFC7348:6.1-2 without a tag.
 */
static void vxlan_out(void)
{
    struct ltcp_framing_context context = vxlan_context();
    struct ltcp_framed framed;
    uint8_t bytes[4096];
    struct ltcp_packet *packet = packet_of(SMALL_SYN);
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_EQUAL(framed.skip, 0);
    CHECK_BYTES(bytes, datagram_of(packet, &framed, bytes),
                "08000000 12345600 02000a000002 02000a000001 0800" SMALL_SYN);
    ltcp_packet_unref(packet);
    packet = packet_of(SAMPLE_V6);
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_BYTES(bytes, datagram_of(packet, &framed, bytes),
                "08000000 12345600 02000a000002 02000a000001 86dd" SAMPLE_V6);
    ltcp_packet_unref(packet);
    packet = ltcp_packet_create(pool);
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
}

static enum ltcp_status vxlan_read(const char *text, struct ltcp_packet **out)
{
    struct ltcp_framing_context context = vxlan_context();
    uint8_t bytes[4096];
    size_t length = hex_bytes(text, bytes);
    struct ltcp_block *block = block_of(bytes, length, 3);
    enum ltcp_status status = ltcp_framing_unstrip(&context, block, 3, length, out);
    ltcp_block_unref(block);
    return status;
}

static void vxlan_in(void)
{
    static const struct {
        const char *datagram;
        enum ltcp_status status;
    } cases[] = {
        {"08000000 12345600 02000a000001 02000a000002 0800" SMALL_SYN, LTCP_OK},
        {"08000000 12345600 02000a000001 02000a000002 86dd" SAMPLE_V6, LTCP_OK},
        /* RFC7348:5-2 RFC7348:5-3: reserved bits are ignored */
        {"ffffffff 123456ff 02000a000001 02000a000002 0800" SMALL_SYN, LTCP_OK},
        /* to everybody, to a group */
        {"08000000 12345600 ffffffffffff 02000a000002 0800" SMALL_SYN, LTCP_OK},
        {"08000000 12345600 333300000001 02000a000002 86dd" SAMPLE_V6, LTCP_OK},
        /* padding of the frame */
        {"08000000 12345600 02000a000001 02000a000002 0800" SMALL_SYN "00000000 0000", LTCP_OK},
        /* RFC7348:5-1 no I flag; RFC7348:5-4 another VNI */
        {"f7000000 12345600 02000a000001 02000a000002 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        {"08000000 12345700 02000a000001 02000a000002 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        /* to another station; from a group; from ourselves */
        {"08000000 12345600 02000a000003 02000a000002 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        {"08000000 12345600 02000a000001 03000a000002 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        {"08000000 12345600 ffffffffffff 02000a000001 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        /* RFC7348:6.1-1 a VLAN tag, another type, the type of the other IP */
        {"08000000 12345600 02000a000001 02000a000002 8100 0001 0800" SMALL_SYN, LTCP_ERR_FRAMING},
        {"08000000 12345600 02000a000001 02000a000002 88cc 0000", LTCP_ERR_FRAMING},
        {"08000000 12345600 02000a000001 02000a000002 86dd" SMALL_SYN, LTCP_ERR_FRAMING},
        {"08000000 12345600 02000a000001 02000a000002 0800" SAMPLE_V6, LTCP_ERR_FRAMING},
        {"08000000 12345600 02000a000001 02000a000002 0806 0001", LTCP_ERR_PROTOCOL},
        /* cut short */
        {"", LTCP_ERR_TRUNCATED},
        {"08000000 123456", LTCP_ERR_TRUNCATED},
        {"08000000 12345600 02000a000001 02000a000002 08", LTCP_ERR_TRUNCATED},
        {"08000000 12345600 02000a000001 02000a000002 0800", LTCP_ERR_TRUNCATED},
        {"08000000 12345600 02000a000001 02000a000002 0800 4500", LTCP_ERR_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ltcp_packet *packet;
        CHECK_TEXT(ltcp_status_name(vxlan_read(cases[i].datagram, &packet)),
                   ltcp_status_name(cases[i].status));
        CHECK((packet != NULL) == (cases[i].status == LTCP_OK));
        ltcp_packet_unref(packet);
    }
    struct ltcp_packet *packet;
    uint8_t bytes[4096];
    vxlan_read(cases[5].datagram, &packet);
    CHECK_BYTES(bytes, ltcp_packet_bytes(packet, bytes, sizeof bytes), SMALL_SYN);
    ltcp_packet_unref(packet);
}

/* ---- cheshire -----------------------------------------------------------------------------------
 */

static struct ltcp_framing_context cheshire_context(void)
{
    return (struct ltcp_framing_context){.framing = LTCP_FRAMING_CHESHIRE,
                                         .local = ltcp_address_v4(192, 0, 2, 1),
                                         .remote = ltcp_address_v4(198, 51, 100, 2),
                                         .local_port = 49152,
                                         .remote_port = 80,
                                         .ttl = 9};
}

/* The draft's section 3: offset, flags and window; sequence number; acknowledgment number; options.
 */
static void cheshire_out(void)
{
    struct ltcp_framing_context context = cheshire_context();
    struct ltcp_framed framed;
    uint8_t bytes[4096];
    struct ltcp_packet *packet = packet_of(SAMPLE_SYN);
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_EQUAL(framed.skip, 40);
    CHECK_BYTES(bytes, datagram_of(packet, &framed, bytes),
                "a002faf0 12345678 00000000 020405b4 0402080a 0000000a 00000000 01030307");
    context.remote_port = 81; /* UDP's ports are TCP's */
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_NOT_SUPPORTED);
    context.remote_port = 80;
    context.local_port = 1;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_NOT_SUPPORTED);
    ltcp_packet_unref(packet);
    context = cheshire_context();
    packet = packet_of(SAMPLE_DATA); /* with URG */
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_NOT_SUPPORTED);
    packet->head[33] &= 0xDF;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_OK);
    CHECK_BYTES(bytes, datagram_of(packet, &framed, bytes),
                "8b1801f6 fffffffe 9abcdef0 0101080a 00000064 00000032 68656c6c 6f");
    ltcp_packet_unref(packet);
    packet = packet_of(SAMPLE_ECHO);
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &framed), LTCP_ERR_NOT_SUPPORTED);
    ltcp_packet_unref(packet);
}

static enum ltcp_status cheshire_read(const char *text, struct ltcp_packet **out)
{
    struct ltcp_framing_context context = cheshire_context();
    uint8_t bytes[4096];
    size_t length = hex_bytes(text, bytes);
    struct ltcp_block *block = block_of(bytes, length, 3);
    enum ltcp_status status = ltcp_framing_unstrip(&context, block, 3, length, out);
    ltcp_block_unref(block);
    return status;
}

static void cheshire_in(void)
{
    struct ltcp_packet *packet;
    struct ltcp_ip ip;
    struct ltcp_segment s;
    CHECK_STATUS(
        cheshire_read("8b1801f6 fffffffe 9abcdef0 0101080a 00000064 00000032 68656c6c 6f", &packet),
        LTCP_OK);
    CHECK(packet->checksum_good);
    CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(packet, &ip, &s), LTCP_OK);
    CHECK(s.source_port == 80 && s.destination_port == 49152 && ip.ttl == 9);
    CHECK(s.seq.n == 0xFFFFFFFE && s.ack.n == 0x9ABCDEF0 && s.window == 0x1F6);
    CHECK(s.urgent_pointer == 0 && s.flags == (LTCP_PSH | LTCP_ACK | LTCP_AE));
    CHECK(s.options.present == LTCP_HAS_TIMESTAMPS && s.options.ts_value == 100);
    CHECK(s.length == 5 && memcmp(s.payload, "hello", 5) == 0);
    ltcp_packet_unref(packet);
    CHECK_STATUS(cheshire_read("50100000 00000001 00000002", &packet), LTCP_OK);
    CHECK_EQUAL(ltcp_packet_length(packet), 40);
    ltcp_packet_unref(packet);
    /* the first nibble is 5 to 15, URG is 0, all that the offset says is there */
    CHECK_STATUS(cheshire_read("40100000 00000001 00000002", &packet), LTCP_ERR_FRAMING);
    CHECK_STATUS(cheshire_read("00010000 2112a442 00000002", &packet), LTCP_ERR_FRAMING);
    CHECK_STATUS(cheshire_read("50300000 00000001 00000002", &packet), LTCP_ERR_FRAMING);
    CHECK_STATUS(cheshire_read("60100000 00000001 00000002 010101", &packet), LTCP_ERR_TRUNCATED);
    CHECK_STATUS(cheshire_read("50100000 00000001 000000", &packet), LTCP_ERR_TRUNCATED);
    CHECK(packet == NULL);
}

/* ---- ethernet -----------------------------------------------------------------------------------
 */

static void addresses(void)
{
    struct ltcp_mac mac;
    struct ltcp_address a;
    char text[LTCP_MAC_TEXT];
    CHECK_STATUS(ltcp_mac_parse("02:00:0a:00:00:fF", &mac), LTCP_OK);
    ltcp_mac_format(&mac, text);
    CHECK_TEXT(text, "02:00:0a:00:00:ff");
    static const char *const bad[] = {"",
                                      "02:00:0a:00:00",
                                      "02:00:0a:00:00:1",
                                      "02-00-0a-00-00-01",
                                      "02:00:0a:00:00:011",
                                      "01:00:0a:00:00:01",
                                      "g2:00:0a:00:00:01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(ltcp_mac_parse(bad[i], &mac), LTCP_ERR_INVALID);
    a = ltcp_address_v4(10, 0, 0, 1);
    mac = ltcp_mac_of_address(&a);
    CHECK_BYTES(mac.bytes, 6, "02000a000001");
    a = ltcp_address_v4(224, 129, 2, 3); /* RFC 1112 section 6.4: 23 bits */
    mac = ltcp_mac_of_group(&a);
    CHECK_BYTES(mac.bytes, 6, "01005e010203");
    a = ltcp_address_v4(255, 255, 255, 255);
    mac = ltcp_mac_of_group(&a);
    CHECK_BYTES(mac.bytes, 6, "ffffffffffff");
    CHECK_STATUS(ltcp_address_parse("ff02::1:ff12:3456", &a), LTCP_OK);
    mac = ltcp_mac_of_group(&a); /* RFC 2464 section 7 */
    CHECK_BYTES(mac.bytes, 6, "3333ff123456");
    CHECK_STATUS(ltcp_address_parse("fd00::1:2:a12:3456", &a), LTCP_OK);
    a = ltcp_solicited_node(&a);
    CHECK_BYTES(a.bytes, 16, "ff020000 00000000 00000001 ff123456");
    mac = ltcp_mac_of_address(&a);
    CHECK(!ltcp_mac_is_group(&mac));
}

#define ARP_REQUEST "0001 0800 06 04 0001 02000a000001 0a000001 000000000000 0a000002"

static void arp(void)
{
    struct ltcp_arp arp;
    uint8_t bytes[64], out[LTCP_ARP_LENGTH];
    size_t length = hex_bytes(ARP_REQUEST, bytes);
    CHECK_STATUS(ltcp_arp_decode(bytes, length, &arp), LTCP_OK);
    CHECK(arp.operation == LTCP_ARP_REQUEST);
    CHECK_BYTES(arp.sender_mac.bytes, 6, "02000a000001");
    CHECK_BYTES(arp.sender.bytes, 16, "00000000 00000000 0000ffff 0a000001");
    CHECK_BYTES(arp.target.bytes + 12, 4, "0a000002");
    ltcp_arp_encode(&arp, out);
    CHECK_BYTES(out, sizeof out, ARP_REQUEST);
    CHECK_STATUS(ltcp_arp_decode(bytes, length - 1, &arp), LTCP_ERR_TRUNCATED);
    static const uint8_t at[] = {0, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < sizeof at; i++) { /* another hardware, protocol, length of addresses */
        bytes[at[i]] ^= 1;
        CHECK_STATUS(ltcp_arp_decode(bytes, length, &arp), LTCP_ERR_NOT_SUPPORTED);
        bytes[at[i]] ^= 1;
    }
}

/* fd00::1 asks who has fd00::2, and fd00::2 answers. */
#define SOLICITATION                                                                               \
    "60000000 00203aff fd000000 00000000 00000000 00000001 ff020000 00000000 00000001 ff000002 "   \
    "8700 7397 00000000 fd000000 00000000 00000000 00000002 0101 02000a000001"
#define ADVERTISEMENT                                                                              \
    "60000000 00203aff fd000000 00000000 00000000 00000002 fd000000 00000000 00000000 00000001 "   \
    "8800 129a 60000000 fd000000 00000000 00000000 00000002 0201 02000a000002"

/* `text` with an octet changed and the checksum made right again. */
static enum ltcp_status changed(const char *text, size_t at, uint8_t value, size_t cut)
{
    uint8_t bytes[128];
    size_t length = hex_bytes(text, bytes) - cut, size = length - 40;
    bytes[at] = value;
    bytes[5] = (uint8_t)size;
    bytes[42] = bytes[43] = 0;
    struct ltcp_address ends[2];
    memcpy(ends, bytes + 8, sizeof ends);
    uint32_t sum = ltcp_pseudo_sum(&ends[0], &ends[1], LTCP_PROTOCOL_ICMPV6, size);
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(sum, bytes + 40, size));
    memcpy(bytes + 42, &checksum, 2);
    struct ltcp_neighbour n;
    return ltcp_neighbour_decode(bytes, length, &n);
}

/* RFC4861:7.1.1-2 RFC4861:7.1.2-2: a wrong checksum */
static void neighbours(void)
{
    struct ltcp_neighbour n = {0};
    uint8_t bytes[128], out[LTCP_NEIGHBOUR_LENGTH];
    size_t length = hex_bytes(SOLICITATION, bytes);
    CHECK_STATUS(ltcp_neighbour_decode(bytes, length, &n), LTCP_OK);
    CHECK(!n.advertisement && n.has_mac);
    CHECK_BYTES(n.mac.bytes, 6, "02000a000001");
    CHECK_BYTES(n.target.bytes, 16, "fd000000 00000000 00000000 00000002");
    CHECK_BYTES(out, ltcp_neighbour_encode(&n, out), SOLICITATION);
    bytes[43] ^= 1;
    CHECK_STATUS(ltcp_neighbour_decode(bytes, length, &n), LTCP_ERR_CHECKSUM);
    CHECK_STATUS(ltcp_neighbour_decode(bytes, 40, &n), LTCP_ERR_PROTOCOL);
    CHECK_STATUS(ltcp_neighbour_decode(bytes, length - 1, &n), LTCP_ERR_TRUNCATED);

    length = hex_bytes(ADVERTISEMENT, bytes);
    CHECK_STATUS(ltcp_neighbour_decode(bytes, length, &n), LTCP_OK);
    CHECK(n.advertisement && n.has_mac && n.solicited && n.override && !n.router);
    CHECK_BYTES(out, ltcp_neighbour_encode(&n, out), ADVERTISEMENT);
    n.has_mac = false;
    CHECK_EQUAL(ltcp_neighbour_encode(&n, out), 64);
}

/* One check after the other: RFC4861:7.1.1-1 RFC4861:7.1.1-3 RFC4861:7.1.1-4 RFC4861:7.1.1-5
 * RFC4861:7.1.1-6 RFC4861:7.1.1-7 RFC4861:7.1.1-8 RFC4861:7.1.1-9; RFC4861:7.1.2-1 RFC4861:7.1.2-3
 * RFC4861:7.1.2-4 RFC4861:7.1.2-5 RFC4861:7.1.2-6 RFC4861:7.1.2-7 */
static void validation(void)
{
    static const char *const both[] = {SOLICITATION, ADVERTISEMENT};
    for (unsigned i = 0; i < 2; i++) {
        CHECK_STATUS(changed(both[i], 44, 0x60, 0), LTCP_OK);
        CHECK_STATUS(changed(both[i], 45, 0xFF, 0), LTCP_OK); /* reserved */
        CHECK_STATUS(changed(both[i], 7, 254, 0), LTCP_ERR_FRAMING);
        CHECK_STATUS(changed(both[i], 41, 1, 0), LTCP_ERR_FRAMING);
        CHECK_STATUS(changed(both[i], 48, 0xFF, 0), LTCP_ERR_FRAMING); /* the target's a group */
        CHECK_STATUS(changed(both[i], 65, 0, 0), LTCP_ERR_FRAMING);    /* an empty option */
        CHECK_STATUS(changed(both[i], 65, 2, 0), LTCP_ERR_TRUNCATED);  /* one past the end */
        CHECK_STATUS(changed(both[i], 64, 99, 0), LTCP_OK);            /* an unknown one */
        CHECK_STATUS(changed(both[i], 44, 0x60, 9), LTCP_ERR_TRUNCATED);
        CHECK_STATUS(changed(both[i], 40, 134, 0), LTCP_ERR_PROTOCOL);
        CHECK_STATUS(changed(both[i], 66, 3, 0), LTCP_ERR_FRAMING); /* a group as a station */
        CHECK_STATUS(changed(both[i], 8, 0xFF, 0), LTCP_ERR_FRAMING);
    }
    /* to a group, and solicited */
    CHECK_STATUS(changed(ADVERTISEMENT, 24, 0xFF, 0), LTCP_ERR_FRAMING);
    /* from nobody: with the option; not to a solicited-node group; and right */
#define FROM_NOBODY(to)                                                                            \
    "60000000 00183aff 00000000 00000000 00000000 00000000 " to " 8700 0000 00000000 fd000000 "    \
    "00000000 00000000 00000002"
    CHECK_STATUS(
        changed(FROM_NOBODY("ff020000 00000000 00000001 ff000002") "0101 02000a000001", 4, 0, 0),
        LTCP_ERR_FRAMING);
    CHECK_STATUS(changed(FROM_NOBODY("ff020000 00000000 00000000 00000001"), 4, 0, 0),
                 LTCP_ERR_FRAMING);
    CHECK_STATUS(changed(FROM_NOBODY("ff020000 00000000 00000001 ff000002"), 4, 0, 0), LTCP_OK);
}

static void overheads(void)
{
    /* VXLAN and Ethernet: 22 octets; cheshire: the IP header and 8 octets less. */
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_PLAIN, 4), -20);
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_PLAIN, 6), -40);
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_RAWIP, 4), 0);
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_VXLAN, 6), 22);
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_CHESHIRE, 4), -28);
    CHECK_EQUAL(ltcp_framing_overhead(LTCP_FRAMING_CHESHIRE, 6), -48);
}

int main(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    static const char *const segments[] = {SAMPLE_SYN,           SAMPLE_DATA,       SAMPLE_V6,
                                           SAMPLE_V6_EXTENSIONS, SAMPLE_V4_OPTIONS, SAMPLE_FULL};
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        plain(segments[i], LTCP_INNER_CHECKSUM);
        plain(segments[i], LTCP_UDP_CHECKSUM);
        rawip(segments[i]);
    }
    plain_refuses();
    rawip(SAMPLE_ICMPV6);
    vxlan_out();
    vxlan_in();
    cheshire_out();
    cheshire_in();
    addresses();
    arp();
    neighbours();
    validation();
    overheads();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
