/* core/test/wire_packet_test.c - the pool, blocks, packets, and where a packet is split. */
#include "check.h"
#include "lunatcp/packet.h"
#include "wire_samples.h"

static struct check_memory memory;

static struct ltcp_pool *new_pool(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    return ltcp_pool_create(&allocator);
}

static void close_pool(struct ltcp_pool *pool)
{
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_trim(pool);
    CHECK_EQUAL(ltcp_pool_usage(pool).bytes_held, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
}

static void blocks(void)
{
    struct ltcp_pool *pool = new_pool();
    static const uint32_t sizes[] = {0, 1, 256, 257, 1460, 2048, 2049, 9216, 9217, 65535, 65727};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ltcp_block *block = ltcp_block_create(pool, sizes[i]);
        CHECK(block != NULL && block->capacity >= sizes[i]);
        CHECK(block->refs == 1 && block->length == 0 && !block->sum_valid && block->pool == pool);
        memset(block->data, 0x5A, block->capacity);
        CHECK(ltcp_block_ref(block) == block && block->refs == 2);
        ltcp_block_unref(block);
        CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 1);
        ltcp_block_unref(block);
        CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    }
    CHECK(ltcp_block_create(pool, 1000000) == NULL);
    ltcp_block_unref(NULL);
    ltcp_packet_unref(NULL);
    close_pool(pool);
}

/* Nothing is allocated in steady state: what was freed comes back. */
static void reuse(void)
{
    struct ltcp_pool *pool = new_pool();
    struct ltcp_block *first = ltcp_block_create(pool, 1460), *second = ltcp_block_create(pool, 1);
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    first->length = 7;
    first->sum_valid = true;
    packet->payload_sum_valid = true;
    packet->checksum_good = true;
    packet->notes = LTCP_NOTE_PROBE;
    packet->head_length = 40;
    packet->block = ltcp_block_ref(second);
    ltcp_packet_unref(packet);
    CHECK_EQUAL(second->refs, 1);
    ltcp_block_unref(first);
    ltcp_block_unref(second);

    size_t held = ltcp_pool_usage(pool).bytes_held;
    CHECK(held > 0);
    memory.remaining = 0;
    struct ltcp_block *again = ltcp_block_create(pool, 2000);
    CHECK(again == first && again->length == 0 && !again->sum_valid);
    struct ltcp_packet *fresh = ltcp_packet_create(pool);
    CHECK(fresh == packet && fresh->block == NULL && fresh->payload_length == 0);
    CHECK(fresh->refs == 1 && fresh->head_length == 0 && fresh->notes == 0 && fresh->id == 0);
    CHECK(!fresh->payload_sum_valid && !fresh->checksum_good);
    CHECK_EQUAL(ltcp_pool_usage(pool).bytes_held, held);
    CHECK(ltcp_block_create(pool, 2000) == NULL);
    CHECK(ltcp_packet_create(pool) == NULL);
    ltcp_block_unref(again);
    ltcp_packet_unref(fresh);
    close_pool(pool);
}

static void out_of_memory(void)
{
    struct ltcp_allocator allocator = check_allocator(&memory);
    memory.remaining = 0;
    CHECK(ltcp_pool_create(&allocator) == NULL);
    struct ltcp_pool *pool = new_pool();
    CHECK(ltcp_pool_allocator(pool)->context == &memory);
    uint8_t bytes[200];
    size_t length = hex_bytes(SAMPLE_DATA, bytes);
    for (long granted = 0; granted < 2; granted++) {
        memory.remaining = granted;
        CHECK(ltcp_packet_from_bytes(pool, bytes, length) == NULL);
        ltcp_pool_trim(pool);
    }
    memory.remaining = 2;
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    CHECK(packet != NULL);
    memory.remaining = 1;
    CHECK(ltcp_packet_copy(packet) == NULL);
    ltcp_packet_unref(packet);
    close_pool(pool);
}

/* Where from_bytes and from_block split: behind the transport header. */
static void check_split(const char *text, size_t extra, size_t head, size_t total)
{
    struct ltcp_pool *pool = new_pool();
    uint8_t bytes[2048], back[2048];
    size_t length = hex_bytes(text, bytes) + extra;
    memset(bytes + length - extra, 0xEE, extra);

    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    CHECK_EQUAL(packet->head_length, head);
    CHECK_EQUAL(ltcp_packet_length(packet), total);
    CHECK(packet->payload_length > 0 ? packet->block != NULL : packet->block == NULL);
    CHECK_EQUAL(ltcp_packet_bytes(packet, back, sizeof back), total);
    CHECK(memcmp(back, bytes, total) == 0);
    for (size_t room = 0; room < total; room++) {
        memset(back, 0, sizeof back);
        CHECK_EQUAL(ltcp_packet_bytes(packet, back, room), room);
        CHECK(memcmp(back, bytes, room) == 0 && back[room] == 0);
    }
    ltcp_packet_unref(packet);

    struct ltcp_block *block = ltcp_block_create(pool, (uint32_t)length + 8);
    memcpy(block->data + 8, bytes, length);
    packet = ltcp_packet_from_block(block, 8, length);
    CHECK_EQUAL(packet->head_length, head);
    CHECK_EQUAL(ltcp_packet_length(packet), total);
    if (total > head) {
        CHECK(packet->block == block && packet->payload == block->data + 8 + head);
        CHECK_EQUAL(block->refs, 2);
    } else {
        CHECK(packet->block == NULL && block->refs == 1);
    }
    ltcp_block_unref(block);
    ltcp_packet_unref(packet);
    close_pool(pool);
}

static void splits(void)
{
    check_split(SAMPLE_SYN, 0, 60, 60);
    check_split(SAMPLE_DATA, 0, 52, 57);
    check_split(SAMPLE_DATA, 3, 52, 57); /* padding of a link is cut */
    check_split(SAMPLE_SYN, 300, 60, 60);
    check_split(SAMPLE_V6, 0, 60, 63);
    check_split(SAMPLE_V6, 1, 60, 63);
    check_split(SAMPLE_V6_EXTENSIONS, 0, 100, 100);
    check_split(SAMPLE_V4_OPTIONS, 0, 48, 48);
    check_split(SAMPLE_FULL, 0, 80, 87);
    check_split(SAMPLE_ICMP, 0, 28, 56);
    check_split(SAMPLE_ICMPV6, 5, 48, 96);
    check_split(SAMPLE_ECHO, 0, 28, 33);
    /* what cannot be understood lies in the head as far as it goes */
    check_split("", 0, 0, 0);
    check_split("", 300, 192, 300);
    check_split("00", 0, 1, 1);
    check_split("45", 0, 1, 1);
    check_split("4500 ffff", 500, 192, 504);
    check_split("45000040 00000000 40060000 c0000201 c6336402 0001", 0, 22, 22); /* cut short */
    check_split("44000028 00000000 40060000 c0000201 c6336402", 300, 192, 320);
    /* data offset below 5, and one past the end */
    check_split("4500012c 00000000 40060000 c0000201 c6336402 c0000050 00000064 000000c8 40120000 "
                "00000000",
                260, 192, 300);
    check_split("45000029 00000000 40060000 c0000201 c6336402 c0000050 00000064 000000c8 f0120000 "
                "00000000 00",
                0, 41, 41);
}

static void copies(void)
{
    struct ltcp_pool *pool = new_pool();
    uint8_t bytes[200], back[200];
    size_t length = hex_bytes(SAMPLE_DATA, bytes);
    struct ltcp_packet *packet = ltcp_packet_from_bytes(pool, bytes, length);
    packet->notes = LTCP_NOTE_DELAYED | LTCP_NOTE_RETRANSMISSION;
    packet->time = 12345;
    packet->interface = 3;
    packet->checksum_good = true;
    packet->payload_sum_valid = true;
    struct ltcp_packet *copy = ltcp_packet_copy(packet);
    CHECK(copy->block != packet->block && copy->refs == 1 && copy->block->refs == 1);
    CHECK(copy->notes == packet->notes && copy->time == 12345 && copy->interface == 3);
    CHECK(copy->checksum_good && !copy->payload_sum_valid);
    copy->payload[0] ^= 1;
    copy->head[0] ^= 1;
    CHECK_EQUAL(ltcp_packet_bytes(packet, back, sizeof back), length);
    CHECK(memcmp(back, bytes, length) == 0);
    CHECK_EQUAL(ltcp_packet_bytes(copy, back, sizeof back), length);
    back[0] ^= 1;
    back[52] ^= 1;
    CHECK(memcmp(back, bytes, length) == 0);
    CHECK(ltcp_packet_ref(packet) == packet && packet->refs == 2);
    ltcp_packet_unref(packet);
    ltcp_packet_unref(packet);
    ltcp_packet_unref(copy);
    close_pool(pool);
}

int main(void)
{
    blocks();
    reuse();
    out_of_memory();
    splits();
    copies();
    return check_finish();
}
