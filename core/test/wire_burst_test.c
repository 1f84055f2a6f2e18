/* core/test/wire_burst_test.c - what joins a burst, how much of it, and what it looks like taken
 * apart (core/test/ways_test.c compares that with segments made singly). */
#include "check.h"
#include "lunatcp/wire.h"

enum { TEXT = 1000 };

static struct check_memory memory;
static struct ltcp_allocator allocator;
static struct ltcp_pool *pool;
static struct ltcp_template flow;

static struct ltcp_packet *one_segment(uint16_t identification, uint32_t seq, uint32_t text)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    packet->block = ltcp_block_create(pool, text);
    memset(packet->block->data, 0x5A, text);
    packet->block->length = text;
    packet->payload = packet->block->data;
    packet->payload_length = text;
    const struct ltcp_segment segment = {.source_port = 1000,
                                         .destination_port = 80,
                                         .seq = ltcp_seq_of(seq),
                                         .ack = ltcp_seq_of(77),
                                         .flags = LTCP_ACK,
                                         .window = 4000};
    ltcp_template_encode(&flow, packet, identification, 0, &segment);
    return packet;
}

static void keep_a_model(uint32_t text)
{
    struct ltcp_packet *model = one_segment(0xFFFD, 0xFFFFF000, text);
    ltcp_template_keep(&flow, model);
    ltcp_packet_unref(model);
}

static void open_flow(bool v6, uint32_t text)
{
    struct ltcp_ip ip = {.source = ltcp_address_v4(10, 0, 0, 1),
                         .destination = ltcp_address_v4(10, 0, 0, 2),
                         .protocol = LTCP_PROTOCOL_TCP,
                         .ttl = 64,
                         .dont_fragment = true};
    if (v6) {
        ip.source = (struct ltcp_address){{0xFD, [15] = 1}};
        ip.destination = (struct ltcp_address){{0xFD, [15] = 2}};
    }
    ltcp_template_make(&flow, &ip, 1000, 80);
    keep_a_model(text);
}

static struct ltcp_block *some_text(uint32_t length, uint8_t octet)
{
    struct ltcp_block *block = ltcp_block_create(pool, length);
    memset(block->data, octet, length);
    block->length = length;
    block->sum = ltcp_sum(0, block->data, length);
    block->sum_valid = true;
    return block;
}

static void add(struct ltcp_packet *burst, uint8_t octet)
{
    struct ltcp_block *block = some_text(burst->burst->text, octet);
    ltcp_burst_add(burst, block);
    ltcp_block_unref(block);
}

static void only_what_follows_joins(void)
{
    open_flow(false, TEXT);
    const uint32_t first = UINT32_MAX - 500; /* both numbers go through zero */
    struct ltcp_packet *burst = ltcp_burst_create(pool, &flow, 0xFFFF, ltcp_seq_of(first), TEXT, 0);
    const ltcp_seq next = ltcp_seq_of(first + TEXT);
    add(burst, 1);
    CHECK(ltcp_burst_takes(burst, &flow, 0, next, TEXT));
    CHECK(!ltcp_burst_takes(burst, &flow, 0, ltcp_seq_of(first + TEXT + 1), TEXT));
    CHECK(!ltcp_burst_takes(burst, &flow, 0, ltcp_seq_of(first), TEXT));
    CHECK(!ltcp_burst_takes(burst, &flow, 1, next, TEXT));
    CHECK(!ltcp_burst_takes(burst, &flow, 0, next, TEXT - 1));
    add(burst, 2);
    CHECK_EQUAL(ltcp_packet_segments(burst), 2);
    struct ltcp_packet *taken = ltcp_burst_take(burst);
    CHECK(
        !ltcp_burst_takes(burst, &flow, 1, ltcp_seq_of(first + 2 * TEXT), TEXT)); /* it is going */
    ltcp_packet_unref(taken);
    ltcp_packet_unref(burst);

    /* The same header, but made anew: an acknowledgment may have come in between. */
    burst = ltcp_burst_create(pool, &flow, 5, ltcp_seq_of(0), TEXT, 0);
    add(burst, 1);
    CHECK(ltcp_burst_takes(burst, &flow, 6, ltcp_seq_of(TEXT), TEXT));
    keep_a_model(TEXT);
    CHECK(!ltcp_burst_takes(burst, &flow, 6, ltcp_seq_of(TEXT), TEXT));
    ltcp_packet_unref(burst);
}

static unsigned filled(uint32_t text, uint32_t overhead)
{
    open_flow(false, text);
    struct ltcp_packet *burst = ltcp_burst_create(pool, &flow, 0, ltcp_seq_of(0), text, overhead);
    unsigned n = 0;
    while (ltcp_burst_takes(burst, &flow, (uint16_t)n, ltcp_seq_of(n * text), text) && n < 1000) {
        add(burst, (uint8_t)n);
        n++;
    }
    CHECK_EQUAL(ltcp_packet_segments(burst), n);
    ltcp_packet_unref(burst);
    return n;
}

/* What the kernel takes at once: 64, and no more than a datagram could hold. */
static void it_ends_somewhere(void)
{
    CHECK_EQUAL(filled(100, 0), LTCP_BURST_MOST);
    CHECK_EQUAL(filled(1460, 0), LTCP_BURST_OCTETS / 1480);
    CHECK_EQUAL(filled(9000, 0), LTCP_BURST_OCTETS / 9020);
    CHECK_EQUAL(filled(1460, 70), LTCP_BURST_OCTETS / 1550); /* vxlan over IPv4 */
}

static void every_segment_is_right(bool v6)
{
    open_flow(v6, TEXT);
    struct ltcp_packet *burst = ltcp_burst_create(pool, &flow, 9, ltcp_seq_of(5000), TEXT, 0), *one;
    for (uint8_t i = 0; i < 5; i++) {
        add(burst, i);
        if (i == 1 || i == 4) ltcp_segment_push(burst);
    }
    burst->time = 44;
    burst->id = 7;
    for (uint32_t i = 0; (one = ltcp_burst_take(burst)) != NULL; i++) {
        struct ltcp_ip ip;
        struct ltcp_segment segment;
        CHECK_STATUS(ltcp_ip_decode(one, &ip), LTCP_OK);
        CHECK_STATUS(ltcp_segment_decode(one, &ip, &segment), LTCP_OK);
        CHECK_EQUAL(ip.identification, v6 ? 0 : 9 + i);
        CHECK_EQUAL(segment.seq.n, 5000 + i * TEXT);
        CHECK_EQUAL(segment.ack.n, 77);
        CHECK_EQUAL(segment.flags, i == 1 || i == 4 ? LTCP_ACK | LTCP_PSH : LTCP_ACK);
        CHECK_EQUAL(segment.length, TEXT);
        CHECK_EQUAL(segment.payload[TEXT - 1], i);
        CHECK_EQUAL(one->time, 44);
        CHECK_EQUAL(one->id, 7 + i);
        ltcp_packet_unref(one);
    }
    CHECK_EQUAL(burst->burst->gone, 5);
    ltcp_packet_unref(burst);
}

static void without_memory(void)
{
    open_flow(false, TEXT);
    ltcp_pool_trim(pool);
    struct ltcp_packet *burst = ltcp_burst_create(pool, &flow, 9, ltcp_seq_of(0), TEXT, 0);
    add(burst, 1);
    add(burst, 2);
    ltcp_pool_trim(pool);
    memory.remaining = 0;
    CHECK(ltcp_burst_take(burst) == NULL); /* lost, as on a wire */
    CHECK(ltcp_burst_create(pool, &flow, 9, ltcp_seq_of(0), TEXT, 0) == NULL);
    memory.remaining = -1;
    struct ltcp_packet *one = ltcp_burst_take(burst);
    CHECK(one != NULL && one->payload[0] == 2);
    ltcp_packet_unref(one);
    ltcp_packet_unref(burst);
}

int main(void)
{
    allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    only_what_follows_joins();
    it_ends_somewhere();
    every_segment_is_right(false);
    every_segment_is_right(true);
    without_memory();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    return check_finish();
}
