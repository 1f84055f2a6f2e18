/* core/test/wire_train_test.c - datagrams that became one segment on their way in: which may, what
 * it says, and that everything else stays as it came. */
#include "check.h"
#include "lunatcp/wire.h"

enum { OFFSET = 7, TEXT = 100, MOST = 8 };

static struct check_memory memory;
static struct ltcp_pool *pool;
static uint8_t text[MOST * TEXT];

/* The train that is being made. */
struct train {
    struct ltcp_framing_context context, sender;
    struct ltcp_ip ip; /* of the next segment */
    struct ltcp_segment segment;
    struct ltcp_block *block;
    size_t length, piece, count;
    bool apart; /* each datagram comes in a block of its own */
};

/* What the other end has, which sends. */
static void mirror(struct train *t)
{
    const struct ltcp_framing_context *c = &t->context;
    t->sender = *c;
    t->sender.local = c->remote;
    t->sender.remote = c->local;
    t->sender.local_port = c->remote_port;
    t->sender.remote_port = c->local_port;
    t->sender.local_mac = c->remote_mac;
    t->sender.remote_mac = c->local_mac;
}

static void begin_as(struct train *t, enum ltcp_framing framing, bool v6)
{
    static const uint8_t six[2][16] = {{0x20, 1, 0xD, 0xB8, [15] = 1},
                                       {0x20, 1, 0xD, 0xB8, [15] = 2}};
    *t = (struct train){.context = {.framing = framing,
                                    .ttl = 61,
                                    .local_port = 80,
                                    .remote_port = 1000,
                                    .vni = 0x123456,
                                    .local_mac = {{2, 0, 0, 0, 0, 2}},
                                    .remote_mac = {{2, 0, 0, 0, 0, 1}}}};
    t->context.remote = ltcp_address_v4(10, 0, 0, 1);
    t->context.local = ltcp_address_v4(10, 0, 0, 2);
    if (v6) {
        memcpy(t->context.remote.bytes, six[0], 16);
        memcpy(t->context.local.bytes, six[1], 16);
    }
    mirror(t);
    t->ip = (struct ltcp_ip){.source = t->context.remote,
                             .destination = t->context.local,
                             .protocol = LTCP_PROTOCOL_TCP,
                             .dont_fragment = true,
                             .ttl = 61};
    t->segment.source_port = 1000;
    t->segment.destination_port = 80;
    t->segment.seq = ltcp_seq_of(0xFFFFFF00); /* it goes through zero */
    t->segment.ack = ltcp_seq_of(77);
    t->segment.flags = LTCP_ACK;
    t->segment.window = 500;
    t->block = ltcp_block_create(pool, 4096);
    memset(t->block->data, 0, 4096); /* octets that nothing has written are compared, too */
}

static void begin(struct train *t, bool v6)
{
    begin_as(t, LTCP_FRAMING_PLAIN, v6);
}

static void add(struct train *t, size_t length)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    struct ltcp_framed framed;
    packet->block = ltcp_block_create(pool, TEXT);
    packet->payload = packet->block->data;
    packet->payload_length = (uint32_t)length;
    memcpy(packet->payload, text + t->count * TEXT, length);
    ltcp_segment_encode(packet, &t->ip, &t->segment);
    t->ip.identification++;
    CHECK_STATUS(ltcp_framing_strip(&t->sender, packet, &framed), LTCP_OK);
    uint8_t bytes[400], *out = t->block->data + OFFSET + t->length;
    const size_t all = ltcp_packet_bytes(packet, bytes, sizeof bytes) - framed.skip;
    memcpy(out, framed.lead, framed.lead_length);
    memcpy(out + framed.lead_length, bytes + framed.skip, all);
    if (t->count == 0) t->piece = framed.lead_length + all;
    t->length += framed.lead_length + all;
    t->count++;
    t->segment.seq = ltcp_seq_of(t->segment.seq.n + (uint32_t)length);
    ltcp_packet_unref(packet);
}

/* The next datagram as it comes: where it stands, or in a block of its own. */
static bool arrive(struct train *t, struct ltcp_train *run, size_t at, size_t n)
{
    uint8_t *p = t->block->data + OFFSET + at;
    if (!t->apart) return ltcp_train_add(run, p, n);
    struct ltcp_block *block = ltcp_block_create(pool, 66000);
    uint8_t before[400];
    memcpy(block->data, p, n);
    memcpy(before, p, n);
    const bool taken = ltcp_train_add(run, block->data, n);
    CHECK(memcmp(block->data, before, n) == 0);
    ltcp_block_unref(block);
    return taken;
}

static struct ltcp_packet *merge(struct train *t, size_t *taken)
{
    struct ltcp_train run;
    const size_t first = t->piece < t->length ? t->piece : t->length;
    *taken = 0;
    if (!ltcp_train_begin(&run, &t->context, t->block, t->block->data + OFFSET, first)) return NULL;
    size_t at = first, n;
    for (; at < t->length; at += n) {
        n = t->length - at < t->piece ? t->length - at : t->piece;
        if (!arrive(t, &run, at, n)) break;
    }
    struct ltcp_packet *packet = ltcp_train_end(&run);
    if (packet != NULL) *taken = at;
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
    if (!t->apart)
        CHECK(memcmp(before + OFFSET + whole, t->block->data + OFFSET + whole, t->length - whole) ==
              0);
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
        CHECK_EQUAL(packet->gathered_of, TEXT);
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

static void runs(enum ltcp_framing framing)
{
    for (int way = 0; way < 4; way++)
        for (size_t last = 1; last <= TEXT; last += 33) {
            struct train t;
            begin_as(&t, framing, (way & 1) != 0);
            t.apart = (way & 2) != 0;
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

static void pushes(enum ltcp_framing framing)
{
    struct train t;
    size_t taken;
    begin_as(&t, framing, false);
    add(&t, TEXT);
    t.segment.flags = LTCP_ACK | LTCP_PSH;
    add(&t, TEXT);
    struct ltcp_packet *packet = merge(&t, &taken);
    CHECK_EQUAL(taken, t.length);
    CHECK_EQUAL(packet->head[20 + 13], LTCP_ACK | LTCP_PSH);
    ltcp_packet_unref(packet);
    ltcp_block_unref(t.block);
}

/* A shorter one is the last, and a longer one is the first of others. */
static void lengths(enum ltcp_framing framing)
{
    struct train t;
    for (int longer = 0; longer < 2; longer++) {
        struct ltcp_train run;
        size_t at[4] = {0};
        begin_as(&t, framing, false);
        for (int i = 0; i < 3; i++) {
            add(&t, i < 2 ? (longer ? 40 : TEXT) : (longer ? 41 : 10));
            at[i + 1] = t.length;
        }
        uint8_t *p = t.block->data + OFFSET;
        CHECK(ltcp_train_begin(&run, &t.context, t.block, p, at[1]));
        CHECK(ltcp_train_add(&run, p + at[1], at[2] - at[1]));
        CHECK(ltcp_train_add(&run, p + at[2], at[3] - at[2]) == !longer);
        add(&t, 1);
        CHECK(!ltcp_train_add(&run, p + at[3], t.length - at[3]));
        ltcp_packet_unref(ltcp_train_end(&run));
        ltcp_block_unref(t.block);
    }
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
}

static bool is_four_only(int what)
{
    return what == 3;
}

/* What the third one's IP or Ethernet header says keeps it out, where there is one; but not its
 * identification, which `add` counts up. */
static void other_layers(enum ltcp_framing framing, bool v6)
{
    struct train t;
    for (int what = 0; what < 8; what++) {
        if (v6 && is_four_only(what)) continue;
        if (what > 4 && framing != LTCP_FRAMING_VXLAN) continue;
        begin_as(&t, framing, v6);
        add(&t, TEXT);
        add(&t, TEXT);
        switch (what) {
        case 0: t.ip.dscp = 1; break;
        case 1: t.ip.ecn = LTCP_ECN_CE; break;
        case 2: t.ip.ttl--; break;
        case 3: t.ip.dont_fragment = false; break;
        case 4: t.ip.source.bytes[15] ^= 4; break;
        case 5: t.sender.vni ^= 1; break;
        case 6: t.sender.remote_mac.bytes[5] ^= 1; break;
        default: t.sender.local_mac.bytes[5] ^= 4;
        }
        add(&t, TEXT);
        expect(&t, 2, 2 * TEXT);
    }
    begin_as(&t, framing, v6); /* all of them marked */
    t.ip.ecn = LTCP_ECN_CE;
    add(&t, TEXT);
    add(&t, TEXT);
    expect_nothing(&t);
    begin_as(&t, framing, v6); /* octets behind the packet, as an Ethernet pads it */
    for (int i = 0; i < 2; i++) {
        add(&t, TEXT);
        t.block->data[OFFSET + t.length++] = 0;
        t.piece = t.length / (size_t)(i + 1);
    }
    expect_nothing(&t);
}

/* Headers that are not what they seem. */
static void broken_headers(enum ltcp_framing framing, bool v6)
{
    struct train t;
    const size_t ip = framing == LTCP_FRAMING_VXLAN ? 22 : 0;
    for (size_t at = 0; at < ip + (v6 ? 40 : 20); at++)
        for (size_t which = 0; which < 2; which++) {
            begin_as(&t, framing, v6);
            add(&t, TEXT);
            add(&t, TEXT);
            t.block->data[OFFSET + which * t.piece + at] ^= 0x18;
            /* Reserved octets of VXLAN's header are not looked at, but they have to be the same. */
            expect_nothing(&t);
        }
}

/* Text that would not fit behind that in the first one's block. */
static void room(void)
{
    struct train t;
    begin(&t, false);
    add(&t, TEXT);
    add(&t, TEXT);
    const size_t piece = t.piece;
    struct ltcp_block *small = ltcp_block_create(pool, 2 * TEXT), *other = t.block;
    const size_t at = small->capacity - TEXT + 1 - piece;
    memcpy(small->data + at, other->data + OFFSET, piece);
    struct ltcp_train run;
    CHECK(ltcp_train_begin(&run, &t.context, small, small->data + at, piece));
    CHECK(!ltcp_train_add(&run, other->data + OFFSET + piece, piece));
    CHECK(ltcp_train_end(&run) == NULL);
    memmove(small->data + at - 1, small->data + at, piece);
    CHECK(ltcp_train_begin(&run, &t.context, small, small->data + at - 1, piece));
    CHECK(ltcp_train_add(&run, other->data + OFFSET + piece, piece));
    ltcp_packet_unref(ltcp_train_end(&run));
    ltcp_block_unref(small);
    ltcp_block_unref(other);
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
    for (int framing = 0; framing < LTCP_FRAMING_COUNT; framing++) {
        runs((enum ltcp_framing)framing);
        pushes((enum ltcp_framing)framing);
        lengths((enum ltcp_framing)framing);
    }
    for (int v6 = 0; v6 < 2; v6++) {
        other_layers(LTCP_FRAMING_RAWIP, v6 == 1);
        other_layers(LTCP_FRAMING_VXLAN, v6 == 1);
        broken_headers(LTCP_FRAMING_RAWIP, v6 == 1);
        broken_headers(LTCP_FRAMING_VXLAN, v6 == 1);
    }
    room();
    with_options();
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
