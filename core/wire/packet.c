/* core/wire/packet.c - the pool, its blocks and packets.
 *
 * Freed pieces are kept in one list for each size; a piece never changes its size, so that taking
 * and giving back is a push and a pop. */
#include "lunatcp/packet.h"
#include "ip.h"

#include <string.h>

/* A header's worth, a segment on Ethernet, one on a jumbo link, and a whole datagram (or a train of
 * them from one receive call) with head room. */
static const uint32_t class_capacity[] = {256, 2048, 9216, 66560};
enum { CLASS_COUNT = sizeof class_capacity / sizeof class_capacity[0] };

/* A block as the pool holds it: `next` is in use only while nobody refers to the block. */
struct held_block {
    struct ltcp_block block;
    struct held_block *next;
};
/* The bytes begin on a cache line's boundary where the allocator's pieces do. */
#define BLOCK_BYTES_OFFSET ((sizeof(struct held_block) + 63) / 64 * 64)

enum { FETCHED_LINES = 5 }; /* the block's own, and the first of its bytes */

struct ltcp_pool {
    struct ltcp_allocator allocator;
    struct ltcp_packet *free_packets;
    struct held_block *free_blocks[CLASS_COUNT];
    size_t bytes_held, packets_live, blocks_live[CLASS_COUNT];
};

static void *take(struct ltcp_pool *pool, size_t size)
{
    void *piece = pool->allocator.resize(pool->allocator.context, NULL, 0, size);
    if (piece != NULL) pool->bytes_held += size;
    return piece;
}

static void give_back(struct ltcp_pool *pool, void *piece, size_t size)
{
    pool->allocator.resize(pool->allocator.context, piece, size, 0);
    pool->bytes_held -= size;
}

static size_t block_size(uint8_t size_class)
{
    return BLOCK_BYTES_OFFSET + class_capacity[size_class];
}

/* ---- pool -------------------------------------------------------------------------------------
 */

struct ltcp_pool *ltcp_pool_create(const struct ltcp_allocator *allocator)
{
    struct ltcp_pool *pool = allocator->resize(allocator->context, NULL, 0, sizeof *pool);
    if (pool == NULL) return NULL;
    *pool = (struct ltcp_pool){.allocator = *allocator};
    return pool;
}

void ltcp_pool_destroy(struct ltcp_pool *pool)
{
    if (pool == NULL) return;
    ltcp_pool_trim(pool);
    struct ltcp_allocator allocator = pool->allocator;
    allocator.resize(allocator.context, pool, sizeof *pool, 0);
}

const struct ltcp_allocator *ltcp_pool_allocator(const struct ltcp_pool *pool)
{
    return &pool->allocator;
}

struct ltcp_pool_usage ltcp_pool_usage(const struct ltcp_pool *pool)
{
    struct ltcp_pool_usage usage = {.packets_live = pool->packets_live,
                                    .bytes_held = pool->bytes_held};
    for (uint8_t i = 0; i < CLASS_COUNT; i++)
        usage.blocks_live += pool->blocks_live[i];
    return usage;
}

void ltcp_pool_trim_to(struct ltcp_pool *pool, size_t most)
{
    for (uint8_t i = 0; i < CLASS_COUNT; i++) {
        while (pool->bytes_held > most && pool->free_blocks[i] != NULL) {
            struct held_block *held = pool->free_blocks[i];
            pool->free_blocks[i] = held->next;
            give_back(pool, held, block_size(i));
        }
    }
    while (pool->bytes_held > most && pool->free_packets != NULL) {
        struct ltcp_packet *packet = pool->free_packets;
        pool->free_packets = packet->next;
        give_back(pool, packet, sizeof *packet);
    }
}

void ltcp_pool_rest(struct ltcp_pool *pool, size_t most)
{
    if (pool->bytes_held <= most) return;
    size_t live = pool->packets_live * sizeof(struct ltcp_packet);
    for (uint8_t i = 0; i < CLASS_COUNT; i++)
        live += pool->blocks_live[i] * block_size(i);
    ltcp_pool_trim_to(pool, live + most);
}

void ltcp_pool_trim(struct ltcp_pool *pool)
{
    ltcp_pool_trim_to(pool, 0);
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

static struct held_block *new_block(struct ltcp_pool *pool, uint8_t size_class)
{
    struct held_block *held = take(pool, block_size(size_class));
    if (held == NULL) return NULL;
    held->block.pool = pool;
    held->block.capacity = class_capacity[size_class];
    held->block.size_class = size_class;
    held->block.data = (uint8_t *)held + BLOCK_BYTES_OFFSET;
    return held;
}

/* Whoever takes one will mostly take another: blocks that were long in flight are in no cache. */
static inline void take_held(struct ltcp_pool *pool, const struct held_block *held,
                             uint8_t size_class)
{
    const uint8_t *next = (const uint8_t *)held->next;
    pool->free_blocks[size_class] = held->next;
    if (next == NULL) return;
    for (size_t line = 0; line < FETCHED_LINES; line++)
        fetch_ahead(next + 64 * line);
}

struct ltcp_block *ltcp_block_create(struct ltcp_pool *pool, uint32_t capacity)
{
    uint8_t size_class = 0;
    while (capacity > class_capacity[size_class])
        if (++size_class == CLASS_COUNT) return NULL;

    struct held_block *held = pool->free_blocks[size_class];
    if (held != NULL)
        take_held(pool, held, size_class);
    else if ((held = new_block(pool, size_class)) == NULL)
        return NULL;

    pool->blocks_live[size_class]++;
    held->block.refs = 1;
    held->block.length = 0;
    held->block.sum = 0;
    held->block.sum_valid = false;
    return &held->block;
}

void ltcp_block_unref(struct ltcp_block *block)
{
    if (block == NULL || --block->refs > 0) return;
    struct ltcp_pool *pool = block->pool;
    struct held_block *held = (struct held_block *)block;
    held->next = pool->free_blocks[block->size_class];
    pool->free_blocks[block->size_class] = held;
    pool->blocks_live[block->size_class]--;
}

/* ---- packets ----------------------------------------------------------------------------------
 */

struct ltcp_packet *ltcp_packet_create(struct ltcp_pool *pool)
{
    struct ltcp_packet *packet = pool->free_packets;
    if (packet != NULL)
        pool->free_packets = packet->next;
    else if ((packet = take(pool, sizeof *packet)) == NULL)
        return NULL;

    pool->packets_live++;
    packet->pool = pool;
    packet->next = NULL;
    packet->block = NULL;
    packet->payload = NULL;
    packet->burst = NULL;
    packet->payload_length = 0;
    packet->payload_sum = 0;
    packet->refs = 1;
    packet->interface = 0;
    packet->id = 0;
    packet->time = 0;
    packet->head_length = 0;
    packet->gathered_of = 0;
    packet->notes = 0;
    packet->payload_sum_valid = false;
    packet->checksum_good = false;
    return packet;
}

/* Its texts; the burst itself lies in the packet's block. */
static void release_texts(const struct ltcp_burst *burst)
{
    for (unsigned i = 0; i < burst->count; i++)
        ltcp_block_unref(burst->texts[i]);
}

void ltcp_packet_unref(struct ltcp_packet *packet)
{
    if (packet == NULL || --packet->refs > 0) return;
    struct ltcp_pool *pool = packet->pool;
    if (packet->burst != NULL) release_texts(packet->burst);
    ltcp_block_unref(packet->block);
    packet->next = pool->free_packets;
    pool->free_packets = packet;
    pool->packets_live--;
}

/* Gives the packet a block of its own that holds `length` bytes. */
static bool set_payload(struct ltcp_packet *packet, const uint8_t *bytes, size_t length)
{
    if (length == 0) return true;
    if (length > class_capacity[CLASS_COUNT - 1]) return false;
    packet->block = ltcp_block_create(packet->pool, (uint32_t)length);
    if (packet->block == NULL) return false;
    memcpy(packet->block->data, bytes, length);
    packet->block->length = (uint32_t)length;
    packet->payload = packet->block->data;
    packet->payload_length = (uint32_t)length;
    return true;
}

struct ltcp_packet *ltcp_packet_copy(const struct ltcp_packet *packet)
{
    struct ltcp_packet *copy = ltcp_packet_create(packet->pool);
    if (copy == NULL) return NULL;
    if (!set_payload(copy, packet->payload, packet->payload_length)) {
        ltcp_packet_unref(copy);
        return NULL;
    }
    memcpy(copy->head, packet->head, packet->head_length);
    copy->head_length = packet->head_length;
    copy->notes = packet->notes;
    copy->gathered_of = packet->gathered_of;
    copy->time = packet->time;
    copy->interface = packet->interface;
    copy->checksum_good = packet->checksum_good;
    return copy;
}

struct ltcp_packet *ltcp_packet_from_bytes(struct ltcp_pool *pool, const void *bytes, size_t length)
{
    const uint8_t *p = bytes;
    size_t split = ltcp_ip_split(p, &length);
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (packet == NULL) return NULL;
    if (!set_payload(packet, p + split, length - split)) {
        ltcp_packet_unref(packet);
        return NULL;
    }
    if (split > 0) memcpy(packet->head, p, split);
    packet->head_length = (uint16_t)split;
    return packet;
}

struct ltcp_packet *ltcp_packet_from_block(struct ltcp_block *block, size_t offset, size_t length)
{
    uint8_t *p = block->data + offset;
    size_t split = ltcp_ip_split(p, &length);
    struct ltcp_packet *packet = ltcp_packet_create(block->pool);
    if (packet == NULL) return NULL;
    if (split > 0) memcpy(packet->head, p, split);
    packet->head_length = (uint16_t)split;
    if (length > split) {
        packet->block = ltcp_block_ref(block);
        packet->payload = p + split;
        packet->payload_length = (uint32_t)(length - split);
    }
    return packet;
}

size_t ltcp_packet_bytes(const struct ltcp_packet *packet, void *out, size_t room)
{
    size_t head = packet->head_length < room ? packet->head_length : room;
    if (head > 0) memcpy(out, packet->head, head);
    size_t rest = room - head;
    if (rest > packet->payload_length) rest = packet->payload_length;
    if (rest > 0) memcpy((uint8_t *)out + head, packet->payload, rest);
    return head + rest;
}
