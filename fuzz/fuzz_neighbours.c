/* fuzz/fuzz_neighbours.c - any frames on the Ethernet of a tunnel: ARP, neighbour discovery, and
 * packets to be sent meanwhile, while time goes on.
 *
 * The input is a list of records: a kind, a length, so many octets. Whatever comes, the table keeps
 * within its bounds, and every packet that it was given is given back or released. */
#include "lunatcp/neighbours.h"
#include "lunatcp/wire.h"

#include "fuzz.h"

#include <string.h>

/* A fuzzer does not find checksums: one is made right for it. */
static void mend(uint8_t *packet, size_t length)
{
    if (length < 64 || length > 2000) return;
    struct ltcp_address ends[2];
    memcpy(ends, packet + 8, sizeof ends);
    packet[0] = 0x60;
    packet[4] = (uint8_t)((length - 40) >> 8);
    packet[5] = (uint8_t)(length - 40);
    packet[6] = LTCP_PROTOCOL_ICMPV6;
    packet[7] = 255;
    packet[41] = packet[42] = packet[43] = 0;
    packet[40] = packet[40] & 1 ? 135 : 136;
    uint32_t sum = ltcp_pseudo_sum(&ends[0], &ends[1], LTCP_PROTOCOL_ICMPV6, length - 40);
    uint16_t checksum = ltcp_sum_finish(ltcp_sum(sum, packet + 40, length - 40));
    memcpy(packet + 42, &checksum, 2);
}

static void send_to(struct ltcp_neighbours *table, struct ltcp_pool *pool, ltcp_time now,
                    const uint8_t *bytes, size_t length)
{
    struct ltcp_address source = ltcp_address_v4(10, 0, 0, 1), destination = source;
    struct ltcp_mac mac;
    uint32_t peer;
    memcpy(destination.bytes + 16 - (length < 16 ? length : 16), bytes, length < 16 ? length : 16);
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (packet == NULL) return;
    ltcp_neighbours_find(table, now, &source, &destination, packet, &mac, &peer);
    ltcp_packet_unref(packet);
}

static void drain(struct ltcp_neighbours *table)
{
    struct ltcp_neighbour_frame frame;
    struct ltcp_packet *packet;
    struct ltcp_mac mac;
    uint32_t peer;
    bool failed;
    for (unsigned n = 0; ltcp_neighbours_next_frame(table, &frame); n++)
        must(n < LTCP_NEIGHBOUR_FRAMES && frame.length <= sizeof frame.bytes);
    while ((packet = ltcp_neighbours_next_packet(table, &mac, &peer, &failed)) != NULL)
        ltcp_packet_unref(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ltcp_allocator allocator = {resize, NULL};
    const struct ltcp_mac mine = {{2, 0, 10, 0, 0, 1}};
    struct ltcp_address six = {{0xFD, [15] = 1}}, four = ltcp_address_v4(10, 0, 0, 1);
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    struct ltcp_neighbours *table = ltcp_neighbours_create(&allocator, &mine);
    if (pool == NULL || table == NULL) return 0;
    ltcp_neighbours_add_local(table, &four);
    ltcp_neighbours_add_local(table, &six);

    ltcp_time now = 0;
    while (size >= 2) {
        uint8_t kind = data[0], bytes[256];
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        memcpy(bytes, data + 2, length);
        data += 2 + length;
        size -= 2 + length;
        switch (kind % 6) {
        case 0: ltcp_neighbours_hear_arp(table, now, bytes, length, kind >> 4); break;
        case 1: ltcp_neighbours_hear(table, now, bytes, length, kind >> 4); break;
        case 2:
            mend(bytes, length);
            ltcp_neighbours_hear(table, now, bytes, length, kind >> 4);
            break;
        case 3: send_to(table, pool, now, bytes, length); break;
        case 4: now += (ltcp_time)length * LTCP_SECOND / 4; break;
        default: drain(table); break;
        }
        if (ltcp_neighbours_deadline(table) <= now) ltcp_neighbours_advance(table, now);
        must(ltcp_neighbours_deadline(table) > now);
        must(ltcp_neighbours_counters(table).entries <= LTCP_NEIGHBOURS);
    }
    ltcp_neighbours_destroy(table);
    must(ltcp_pool_usage(pool).packets_live == 0);
    ltcp_pool_destroy(pool);
    return 0;
}
