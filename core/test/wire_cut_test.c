/* core/test/wire_cut_test.c - a segment that was put together, cut into what it was put together
 * of.
 */
#include "check.h"
#include "lunatcp/wire.h"

enum { SIZE = 100, TEXT = 250, URGENT = 130 };

static struct check_memory memory;
static struct ltcp_pool *pool;
static uint8_t text[TEXT];

static struct ltcp_packet *long_one(bool v6, uint16_t flags)
{
    static const uint8_t stamps[12] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6};
    struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                         .destination = ltcp_address_v4(10, 0, 0, 2),
                         .protocol = LTCP_PROTOCOL_TCP,
                         .ttl = 33,
                         .dscp = 9,
                         .dont_fragment = true,
                         .identification = 0xFFFF};
    if (v6) {
        ip.source = (struct ltcp_address){{0x20, 1, [15] = 1}};
        ip.destination = (struct ltcp_address){{0x20, 1, [15] = 2}};
    }
    const struct ltcp_segment s = {.source_port = 1000,
                                   .destination_port = 80,
                                   .seq = ltcp_seq_of(0xFFFFFFF0),
                                   .ack = ltcp_seq_of(7),
                                   .flags = flags,
                                   .window = 512,
                                   .urgent_pointer = flags & LTCP_URG ? URGENT : 0,
                                   .options_bytes = stamps,
                                   .options_length = sizeof stamps};
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    packet->block = ltcp_block_create(pool, TEXT);
    packet->payload = packet->block->data;
    packet->payload_length = TEXT;
    memcpy(packet->payload, text, TEXT);
    ltcp_segment_encode(packet, &ip, &s);
    packet->head[(v6 ? 40 : 20) + 16] ^= 0x5A; /* a device has not summed it yet */
    return packet;
}

static void expect(const struct ltcp_packet *piece, uint32_t at, uint32_t length, uint16_t flags)
{
    struct ltcp_ip ip;
    struct ltcp_segment s;
    CHECK_STATUS(ltcp_ip_decode(piece, &ip), LTCP_OK);
    CHECK_STATUS(ltcp_segment_decode(piece, &ip, &s), LTCP_OK);
    CHECK_EQUAL(ip.total_length, ltcp_packet_length(piece));
    CHECK_EQUAL(ip.ttl, 33);
    CHECK_EQUAL(ip.dscp, 9);
    if (ip.version == 4) CHECK_EQUAL(ip.identification, (0xFFFF + at / SIZE) & 0xFFFF);
    CHECK_EQUAL(s.seq.n, 0xFFFFFFF0 + at);
    CHECK_EQUAL(s.ack.n, 7);
    CHECK_EQUAL(s.window, 512);
    CHECK_EQUAL(s.flags, flags);
    CHECK_EQUAL(s.options.ts_value, 5);
    CHECK_EQUAL(s.length, length);
    CHECK(memcmp(s.payload, text + at, length) == 0);
}

/* RFC 3168 section 6.1.2: CWR is said once, by the first; PSH and FIN belong to the end. */
static void cuts(bool v6)
{
    struct ltcp_packet *whole = long_one(v6, LTCP_ACK | LTCP_PSH | LTCP_FIN | LTCP_CWR);
    static const uint16_t flags[] = {LTCP_ACK | LTCP_CWR, LTCP_ACK, LTCP_ACK | LTCP_PSH | LTCP_FIN};
    for (uint32_t i = 0; i < 3; i++) {
        struct ltcp_packet *piece = ltcp_segment_cut(whole, i * SIZE, SIZE);
        expect(piece, i * SIZE, i < 2 ? SIZE : TEXT - 2 * SIZE, flags[i]);
        ltcp_packet_unref(piece);
    }
    CHECK(ltcp_segment_cut(whole, TEXT, SIZE) == NULL);
    CHECK(ltcp_segment_cut(whole, 0, 0) == NULL);
    struct ltcp_packet *same = ltcp_segment_cut(whole, 0, TEXT);
    expect(same, 0, TEXT, LTCP_ACK | LTCP_PSH | LTCP_FIN | LTCP_CWR);
    ltcp_packet_unref(same);
    ltcp_packet_unref(whole);
}

/* RFC9293:MUST-62: each segment's pointer names the octet after the urgent data by its own number.
 */
static void keeps_urgent_data(bool v6)
{
    struct ltcp_packet *whole = long_one(v6, LTCP_ACK | LTCP_URG);
    static const uint16_t flags[] = {LTCP_ACK | LTCP_URG, LTCP_ACK | LTCP_URG, LTCP_ACK};
    static const uint16_t pointers[] = {URGENT, URGENT - SIZE, 0};
    for (uint32_t i = 0; i < 3; i++) {
        struct ltcp_packet *piece = ltcp_segment_cut(whole, i * SIZE, SIZE);
        expect(piece, i * SIZE, i < 2 ? SIZE : TEXT - 2 * SIZE, flags[i]);
        const uint8_t *tcp = piece->head + (v6 ? 40 : 20);
        CHECK_EQUAL(tcp[18] << 8 | tcp[19], pointers[i]);
        ltcp_packet_unref(piece);
    }
    ltcp_packet_unref(whole);
    whole = long_one(v6, LTCP_ACK | LTCP_URG);
    struct ltcp_packet *behind =
        ltcp_segment_cut(whole, URGENT, URGENT); /* up to there, and no more */
    expect(behind, URGENT, TEXT - URGENT, LTCP_ACK);
    ltcp_packet_unref(behind);
    ltcp_packet_unref(whole);
}

static void refuses(void)
{
    struct ltcp_packet *whole = long_one(false, LTCP_ACK);
    whole->head[9] = 17; /* UDP */
    CHECK(ltcp_segment_cut(whole, 0, SIZE) == NULL);
    ltcp_packet_unref(whole);
    whole = long_one(false, LTCP_ACK);
    ltcp_pool_trim(pool);
    memory.remaining = 0;
    CHECK(ltcp_segment_cut(whole, 0, SIZE) == NULL);
    memory.remaining = -1;
    ltcp_packet_unref(whole);
}

int main(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 2654435761u >> 9);
    cuts(false);
    cuts(true);
    keeps_urgent_data(false);
    keeps_urgent_data(true);
    refuses();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
