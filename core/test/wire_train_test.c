/* core/test/wire_train_test.c - datagrams that became one segment on their way in: which may, what
 * it says, and that everything else stays as it came. */
#include "check.h"
#include "lunatcp/wire.h"

enum { OFFSET = 7, TEXT = 100, MOST = 8 };

static struct check_memory memory;
static struct ltcp_pool *pool;
static uint8_t text[MOST * TEXT];

/* The train that is being made: each datagram is a segment without its IP header. */
struct train {
    struct ltcp_framing_context context;
    struct ltcp_segment segment; /* the next one */
    struct ltcp_block *block;
    size_t length, piece, count;
};

static void begin(struct train *t, bool v6)
{
    static const uint8_t six[2][16] = {{0x20, 1, 0xD, 0xB8, [15] = 1},
                                       {0x20, 1, 0xD, 0xB8, [15] = 2}};
    *t = (struct train){.context = {.framing = LTCP_FRAMING_PLAIN, .ttl = 61}};
    t->context.remote = ltcp_address_v4(10, 0, 0, 1);
    t->context.local = ltcp_address_v4(10, 0, 0, 2);
    if (v6) {
        memcpy(t->context.remote.bytes, six[0], 16);
        memcpy(t->context.local.bytes, six[1], 16);
    }
    t->segment.source_port = 1000;
    t->segment.destination_port = 80;
    t->segment.seq = ltcp_seq_of(0xFFFFFF00); /* it goes through zero */
    t->segment.ack = ltcp_seq_of(77);
    t->segment.flags = LTCP_ACK;
    t->segment.window = 500;
    t->block = ltcp_block_create(pool, 4096);
    memset(t->block->data, 0, 4096); /* octets that nothing has written are compared, too */
}

static void add(struct train *t, size_t length)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    const struct ltcp_ip ip = {.source = t->context.remote,
                               .destination = t->context.local,
                               .protocol = LTCP_PROTOCOL_TCP,
                               .ttl = 9};
    packet->block = ltcp_block_create(pool, TEXT);
    packet->payload = packet->block->data;
    packet->payload_length = (uint32_t)length;
    memcpy(packet->payload, text + t->count * TEXT, length);
    ltcp_segment_encode(packet, &ip, &t->segment);
    uint8_t bytes[400];
    const size_t all = ltcp_packet_bytes(packet, bytes, sizeof bytes);
    const size_t skip = ltcp_address_is_v4(&t->context.remote) ? 20 : 40;
    memcpy(t->block->data + OFFSET + t->length, bytes + skip, all - skip);
    if (t->count == 0) t->piece = all - skip;
    t->length += all - skip;
    t->count++;
    t->segment.seq = ltcp_seq_of(t->segment.seq.n + (uint32_t)length);
    ltcp_packet_unref(packet);
}

static struct ltcp_packet *merge(struct train *t, size_t *taken)
{
    struct ltcp_packet *packet = NULL;
    *taken = ltcp_framing_merge(&t->context, t->block, OFFSET, t->length, t->piece, &packet);
    return packet;
}

/* The first `count` go together, the rest is untouched. */
static void expect(struct train *t, size_t count, size_t octets)
{
    uint8_t before[4096];
    size_t taken;
    memcpy(before, t->block->data, sizeof before);
    struct ltcp_packet *packet = merge(t, &taken);
    const size_t whole = count * t->piece < t->length ? count * t->piece : t->length;
    CHECK_EQUAL(taken, whole);
    CHECK(memcmp(before + OFFSET + whole, t->block->data + OFFSET + whole, t->length - whole) == 0);
    if (packet != NULL) {
        struct ltcp_ip ip;
        struct ltcp_segment s;
        CHECK_STATUS(ltcp_ip_decode(packet, &ip), LTCP_OK);
        CHECK_STATUS(ltcp_segment_decode(packet, &ip, &s), LTCP_OK);
        CHECK(ltcp_address_equal(&ip.source, &t->context.remote));
        CHECK(ltcp_address_equal(&ip.destination, &t->context.local));
        CHECK_EQUAL(ip.ttl, 61);
        CHECK_EQUAL(s.seq.n, 0xFFFFFF00);
        CHECK_EQUAL(s.ack.n, 77);
        CHECK_EQUAL(s.window, 500);
        CHECK_EQUAL(s.length, octets);
        CHECK(memcmp(s.payload, text, octets) == 0);
    }
    ltcp_packet_unref(packet);
    ltcp_block_unref(t->block);
}

/* Nothing goes together, and no octet has moved. */
static void expect_nothing(struct train *t)
{
    uint8_t before[4096];
    size_t taken;
    memcpy(before, t->block->data, sizeof before);
    CHECK(merge(t, &taken) == NULL);
    CHECK_EQUAL(taken, 0);
    CHECK(memcmp(before, t->block->data, OFFSET + t->length) == 0);
    ltcp_block_unref(t->block);
}

static void runs(void)
{
    for (int v6 = 0; v6 < 2; v6++)
        for (size_t last = 1; last <= TEXT; last += 33) {
            struct train t;
            begin(&t, v6 != 0);
            for (int i = 0; i < 5; i++)
                add(&t, TEXT);
            add(&t, last);
            expect(&t, 6, 5 * TEXT + last);
        }
}

static void with_options(void)
{
    static const uint8_t stamps[12] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6};
    static const uint8_t later[12] = {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 6};
    struct train t;
    begin(&t, false);
    t.segment.options_bytes = stamps;
    t.segment.options_length = sizeof stamps;
    for (int i = 0; i < 3; i++)
        add(&t, TEXT);
    t.segment.options_bytes = later;
    add(&t, TEXT);
    expect(&t, 3, 3 * TEXT);
}

static void pushes(void)
{
    struct train t;
    size_t taken;
    begin(&t, false);
    add(&t, TEXT);
    t.segment.flags = LTCP_ACK | LTCP_PSH;
    add(&t, TEXT);
    struct ltcp_packet *packet = merge(&t, &taken);
    CHECK_EQUAL(taken, t.length);
    CHECK_EQUAL(packet->head[20 + 13], LTCP_ACK | LTCP_PSH);
    ltcp_packet_unref(packet);
    ltcp_block_unref(t.block);
}

/* What the third one says keeps it out. */
static void ends(void)
{
    struct train t;
    for (int what = 0; what < 9; what++) {
        begin(&t, false);
        add(&t, TEXT);
        add(&t, TEXT);
        size_t length = TEXT;
        switch (what) {
        case 0: t.segment.seq.n++; break;
        case 1: t.segment.ack.n++; break;
        case 2: t.segment.window++; break;
        case 3: t.segment.flags |= LTCP_FIN; break;
        case 4: t.segment.flags |= LTCP_CWR; break;
        case 5: t.segment.source_port++; break;
        case 6: t.segment.urgent_pointer++; break;
        case 7: t.segment.flags |= LTCP_AE; break;
        default: length = 0;
        }
        add(&t, length);
        expect(&t, 2, 2 * TEXT);
    }
}

static void refuses(void)
{
    static const uint16_t flags[] = {LTCP_ACK | LTCP_FIN, LTCP_SYN, LTCP_ACK | LTCP_URG,
                                     LTCP_ACK | LTCP_ECE, LTCP_RST, 0};
    struct train t;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        begin(&t, false);
        t.segment.flags = flags[i];
        add(&t, TEXT);
        add(&t, TEXT);
        expect_nothing(&t);
    }
    begin(&t, false); /* acknowledgments alone */
    add(&t, 0);
    add(&t, 0);
    expect_nothing(&t);
    begin(&t, false); /* one by itself */
    add(&t, TEXT);
    expect_nothing(&t);
    begin(&t, false); /* cut short */
    add(&t, TEXT);
    memset(t.block->data + OFFSET + t.length, 0, 10);
    t.length += 10;
    expect_nothing(&t);
    begin(&t, false); /* another framing */
    t.context.framing = LTCP_FRAMING_CHESHIRE;
    add(&t, TEXT);
    add(&t, TEXT);
    expect_nothing(&t);
}

/* RFC9293:MUST-3: a wrong checksum keeps a segment out, and it stays for whoever counts it. */
static void checksums(void)
{
    struct train t;
    for (size_t bad = 0; bad < 5; bad++)
        for (size_t at = 16; at < 20 + TEXT; at += 51) {
            begin(&t, bad % 2 == 1);
            for (int i = 0; i < 5; i++)
                add(&t, TEXT);
            t.block->data[OFFSET + bad * t.piece + at] ^= 0x10;
            if (bad < 2)
                expect_nothing(&t);
            else
                expect(&t, bad, bad * TEXT);
        }
    begin(&t, false);
    t.context.checksum = LTCP_UDP_CHECKSUM; /* whoever carries it has verified it */
    for (int i = 0; i < 3; i++)
        add(&t, TEXT);
    t.block->data[OFFSET + t.piece + 16] ^= 1;
    expect(&t, 3, 3 * TEXT);
}

/* As long as an IP packet can be. */
static void bound(void)
{
    enum { LONG = 8190 };
    struct train t;
    size_t taken;
    begin(&t, true);
    ltcp_block_unref(t.block);
    t.block = ltcp_block_create(pool, 66500);
    t.context.checksum = LTCP_UDP_CHECKSUM;
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t *p = t.block->data + OFFSET + t.length;
        memset(p, 0, 20 + LONG);
        p[6] = (uint8_t)(i * LONG >> 8);
        p[5] = (uint8_t)(i * LONG >> 16);
        p[7] = (uint8_t)(i * LONG);
        p[12] = 0x50;
        p[13] = LTCP_ACK;
        t.length += 20 + LONG;
    }
    t.piece = 20 + LONG;
    struct ltcp_packet *packet = merge(&t, &taken);
    CHECK_EQUAL(taken, 7 * (20 + LONG));
    CHECK(ltcp_packet_length(packet) <= 65535);
    ltcp_packet_unref(packet);
    ltcp_block_unref(t.block);
}

static void no_memory(void)
{
    struct train t;
    begin(&t, false);
    add(&t, TEXT);
    add(&t, TEXT);
    ltcp_pool_trim(pool);
    memory.remaining = 0;
    expect_nothing(&t);
    memory.remaining = -1;
}

int main(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 2654435761u >> 11);
    runs();
    with_options();
    pushes();
    ends();
    refuses();
    checksums();
    bound();
    no_memory();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
