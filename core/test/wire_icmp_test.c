/* core/test/wire_icmp_test.c - ICMP messages, and the framings of a UDP tunnel. */
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

static enum ltcp_status decode(const struct ltcp_packet *packet, struct ltcp_ip *ip,
                               struct ltcp_icmp *out)
{
    memset(out, 0xA5, sizeof *out);
    enum ltcp_status status = ltcp_ip_decode(packet, ip);
    return status == LTCP_OK ? ltcp_icmp_decode(packet, ip, out) : status;
}

/* ---- ICMP ---------------------------------------------------------------------------------------
 */

static void too_big(void)
{
    struct ltcp_ip ip, quoted;
    struct ltcp_icmp icmp;
    struct ltcp_segment segment;
    struct ltcp_packet *packet = packet_of(SAMPLE_ICMP);
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_OK);
    CHECK_EQUAL(icmp.kind, LTCP_ICMP_TOO_BIG);
    CHECK_TEXT(ltcp_icmp_name(icmp.kind), "too big");
    CHECK(icmp.type == 3 && icmp.code == 4);
    CHECK_EQUAL(icmp.mtu, 1400);
    CHECK_EQUAL(icmp.quote_length, 28);
    CHECK_STATUS(ltcp_ip_decode_bytes(icmp.quote, icmp.quote_length, true, &quoted), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode_bytes(icmp.quote + quoted.header_length,
                                           icmp.quote_length - quoted.header_length, &quoted, true,
                                           &segment),
                 LTCP_OK);
    CHECK_EQUAL(segment.seq.n, 0xFFFFFFFE);
    ltcp_packet_unref(packet);

    packet = packet_of(SAMPLE_ICMPV6);
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_OK);
    CHECK_EQUAL(icmp.kind, LTCP_ICMP_TOO_BIG);
    CHECK_EQUAL(icmp.mtu, 1280);
    CHECK_EQUAL(icmp.quote_length, 48);
    CHECK_EQUAL(icmp.quote[0], 0x6B);
    ltcp_packet_unref(packet);
}

static void echo(void)
{
    struct ltcp_ip ip;
    struct ltcp_icmp icmp;
    struct ltcp_packet *packet = packet_of(SAMPLE_ECHO);
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_OK);
    CHECK_EQUAL(icmp.kind, LTCP_ICMP_ECHO);
    CHECK_EQUAL(icmp.echo_id, 0x1234);
    CHECK_EQUAL(icmp.echo_seq, 7);
    CHECK_BYTES(icmp.quote, icmp.quote_length, "70696e6721");
    ltcp_packet_unref(packet);
}

static void malformed(void)
{
    struct ltcp_ip ip;
    struct ltcp_icmp icmp;
    struct ltcp_packet *packet = packet_of(SAMPLE_ICMP);
    packet->payload[27] ^= 1;
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_CHECKSUM);
    packet->payload[27] ^= 1;
    packet->payload_length--;
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
    /* a quote that lies half in the head: the sum is right, the quote cannot be shown */
    packet = packet_of(SAMPLE_ICMP);
    packet->head[28] = packet->payload[0];
    packet->head_length++;
    packet->payload++;
    packet->payload_length--;
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
    packet = packet_of(SAMPLE_DATA);
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_PROTOCOL);
    ltcp_packet_unref(packet);
    /* ICMPv6 inside IPv4 is not ICMP */
    packet = packet_of("45000021 00000000 403a8e6c c0000201 c6336402 0800e5f3 12340007 70696e6721");
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_PROTOCOL);
    ltcp_packet_unref(packet);
    /* 7 bytes behind the IP header */
    packet = packet_of("4500001b 00000000 40018eab c0000201 c6336402 0800e5f3 123400");
    CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_ERR_TRUNCATED);
    ltcp_packet_unref(packet);
}

/* Types and codes: RFC 792, RFC 1122 section 3.2.2.1, RFC 4443. */
static void kinds(void)
{
    static const struct {
        int version;
        uint8_t type, code;
        enum ltcp_icmp_kind kind;
    } rows[] = {
        {4, 3, 0, LTCP_ICMP_NET_UNREACHABLE},
        {4, 3, 1, LTCP_ICMP_HOST_UNREACHABLE},
        {4, 3, 2, LTCP_ICMP_PROTOCOL_UNREACHABLE},
        {4, 3, 3, LTCP_ICMP_PORT_UNREACHABLE},
        {4, 3, 4, LTCP_ICMP_TOO_BIG},
        {4, 3, 5, LTCP_ICMP_SOURCE_ROUTE_FAILED},
        {4, 3, 6, LTCP_ICMP_NET_UNREACHABLE},
        {4, 3, 7, LTCP_ICMP_HOST_UNREACHABLE},
        {4, 3, 11, LTCP_ICMP_NET_UNREACHABLE},
        {4, 3, 12, LTCP_ICMP_HOST_UNREACHABLE},
        {4, 3, 13, LTCP_ICMP_ADMIN_PROHIBITED},
        {4, 3, 99, LTCP_ICMP_OTHER},
        {4, 4, 0, LTCP_ICMP_SOURCE_QUENCH},
        {4, 11, 1, LTCP_ICMP_TIME_EXCEEDED},
        {4, 12, 0, LTCP_ICMP_PARAMETER_PROBLEM},
        {4, 8, 0, LTCP_ICMP_ECHO},
        {4, 0, 0, LTCP_ICMP_ECHO_REPLY},
        {4, 13, 0, LTCP_ICMP_OTHER},
        {6, 1, 0, LTCP_ICMP_NET_UNREACHABLE},
        {6, 1, 1, LTCP_ICMP_ADMIN_PROHIBITED},
        {6, 1, 3, LTCP_ICMP_HOST_UNREACHABLE},
        {6, 1, 4, LTCP_ICMP_PORT_UNREACHABLE},
        {6, 2, 0, LTCP_ICMP_TOO_BIG},
        {6, 3, 0, LTCP_ICMP_TIME_EXCEEDED},
        {6, 4, 0, LTCP_ICMP_PARAMETER_PROBLEM},
        {6, 4, 1, LTCP_ICMP_PARAMETER_PROBLEM},
        {6, 4, 2, LTCP_ICMP_PARAMETER_PROBLEM},
        {6, 128, 0, LTCP_ICMP_ECHO},
        {6, 129, 0, LTCP_ICMP_ECHO_REPLY},
        {6, 134, 0, LTCP_ICMP_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ltcp_ip ip = {.source = ltcp_address_v4(1, 2, 3, 4),
                             .destination = ltcp_address_v4(5, 6, 7, 8),
                             .ttl = 64},
                       ip_back;
        if (rows[i].version == 6) {
            ltcp_address_parse("2001:db8::1", &ip.source);
            ltcp_address_parse("2001:db8::2", &ip.destination);
        }
        struct ltcp_icmp icmp = {.kind = LTCP_ICMP_OTHER,
                                 .type = rows[i].type,
                                 .code = rows[i].code,
                                 .quote = (const uint8_t *)"abcdefghijklmnopqrstuvwxyz",
                                 .quote_length = i % 27},
                         back;
        struct ltcp_packet *packet = ltcp_icmp_encode(pool, &ip, &icmp);
        CHECK_STATUS(decode(packet, &ip_back, &back), LTCP_OK);
        CHECK_EQUAL(back.kind, rows[i].kind);
        CHECK(back.type == rows[i].type && back.code == rows[i].code);
        CHECK_EQUAL(back.quote_length, i % 27);
        CHECK(i % 27 == 0 || memcmp(back.quote, icmp.quote, i % 27) == 0);
        ltcp_packet_unref(packet);

        /* by kind: it comes back as the same kind */
        icmp = (struct ltcp_icmp){.kind = rows[i].kind,
                                  .mtu = 1300,
                                  .pointer = 9,
                                  .code = 77,
                                  .type = 200,
                                  .echo_id = 3,
                                  .echo_seq = 4};
        packet = ltcp_icmp_encode(pool, &ip, &icmp);
        CHECK_STATUS(decode(packet, &ip_back, &back), LTCP_OK);
        CHECK_EQUAL(back.kind, rows[i].kind);
        if (back.kind == LTCP_ICMP_TOO_BIG) CHECK_EQUAL(back.mtu, 1300);
        if (back.kind == LTCP_ICMP_PARAMETER_PROBLEM) CHECK_EQUAL(back.pointer, 9);
        if (back.kind == LTCP_ICMP_ECHO) CHECK(back.echo_id == 3 && back.echo_seq == 4);
        if (back.kind == LTCP_ICMP_OTHER) CHECK(back.type == 200 && back.code == 77);
        ltcp_packet_unref(packet);
    }
    for (int kind = 0; kind <= LTCP_ICMP_OTHER + 1; kind++)
        CHECK(ltcp_icmp_name((enum ltcp_icmp_kind)kind)[0] != '\0');
}

static void encode_of_decode(void)
{
    static const char *const samples[] = {SAMPLE_ICMP, SAMPLE_ICMPV6, SAMPLE_ECHO};
    for (size_t i = 0; i < 3; i++) {
        struct ltcp_ip ip;
        struct ltcp_icmp icmp;
        uint8_t bytes[256], back[256];
        size_t length = hex_bytes(samples[i], bytes);
        struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
        CHECK_STATUS(decode(packet, &ip, &icmp), LTCP_OK);
        struct ltcp_packet *made = ltcp_icmp_encode(pool, &ip, &icmp);
        CHECK_EQUAL(ltcp_packet_bytes(made, back, sizeof back), length);
        CHECK(memcmp(back, bytes, length) == 0);
        ltcp_packet_unref(packet);
        ltcp_packet_unref(made);
    }
}

/* RFC 1812 section 4.3.2.3: 576 bytes; RFC 4443 section 2.4 (c): 1280. An echo is not cut. */
static void length_of_errors(void)
{
    static uint8_t quote[3000];
    struct ltcp_ip ip = {.source = ltcp_address_v4(1, 2, 3, 4),
                         .destination = ltcp_address_v4(5, 6, 7, 8)};
    struct ltcp_icmp icmp = {
        .kind = LTCP_ICMP_PORT_UNREACHABLE, .quote = quote, .quote_length = sizeof quote};
    struct ltcp_packet *packet = ltcp_icmp_encode(pool, &ip, &icmp);
    CHECK_EQUAL(ltcp_packet_length(packet), 576);
    ltcp_packet_unref(packet);
    icmp.kind = LTCP_ICMP_ECHO_REPLY;
    packet = ltcp_icmp_encode(pool, &ip, &icmp);
    CHECK_EQUAL(ltcp_packet_length(packet), 3028);
    ltcp_packet_unref(packet);
    ltcp_address_parse("2001:db8::1", &ip.source);
    icmp.kind = LTCP_ICMP_TIME_EXCEEDED;
    packet = ltcp_icmp_encode(pool, &ip, &icmp);
    CHECK_EQUAL(ltcp_packet_length(packet), 1280);
    ltcp_packet_unref(packet);
    ltcp_pool_trim(pool);
    for (long granted = 0; granted < 2; granted++) {
        memory.remaining = granted;
        CHECK(ltcp_icmp_encode(pool, &ip, &icmp) == NULL);
        ltcp_pool_trim(pool);
    }
    memory.remaining = -1;
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
    size_t skip = 999;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &skip), LTCP_OK);
    CHECK_EQUAL(skip, ip.header_length);
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
    size_t skip;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &skip), LTCP_ERR_NOT_SUPPORTED);
    ltcp_packet_unref(packet);
    packet = packet_of("45");
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &skip), LTCP_ERR_TRUNCATED);
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
    size_t length = hex_bytes(text, bytes), skip = 999;
    CHECK_STATUS(ltcp_framing_strip(&context, packet, &skip), LTCP_OK);
    CHECK_EQUAL(skip, 0);
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

int main(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    too_big();
    echo();
    malformed();
    kinds();
    encode_of_decode();
    length_of_errors();
    static const char *const segments[] = {SAMPLE_SYN,           SAMPLE_DATA,       SAMPLE_V6,
                                           SAMPLE_V6_EXTENSIONS, SAMPLE_V4_OPTIONS, SAMPLE_FULL};
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        plain(segments[i], LTCP_INNER_CHECKSUM);
        plain(segments[i], LTCP_UDP_CHECKSUM);
        rawip(segments[i]);
    }
    plain_refuses();
    rawip(SAMPLE_ICMPV6);
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
