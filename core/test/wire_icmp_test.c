/* core/test/wire_icmp_test.c - ICMP messages. */
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
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
