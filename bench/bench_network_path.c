/* bench/bench_network_path.c - what a packet costs on its way through the network, without a TCP.
 *
 * Two peers throw packets at each other over one link with delay and rate, so that each packet goes
 * into a path and out of it; then the same through a router, which makes two paths and a forwarding
 * of it. The time is of both peers' sends and receives as well. */
#include "lunatcp/network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 512 /* packets under way in each direction */
#define ROUNDS 2000000

static void *resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size > 0) return realloc(old, size);
    free(old);
    return NULL;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct ltcp_packet *make_packet(struct ltcp_pool *pool, const struct ltcp_address *from,
                                       const struct ltcp_address *to)
{
    struct ltcp_packet *packet = ltcp_packet_create(pool);
    if (packet == NULL) exit(1);
    packet->block = ltcp_block_create(pool, 1460);
    if (packet->block == NULL) exit(1);
    memset(packet->block->data, 0x55, 1460);
    packet->block->length = packet->payload_length = 1460;
    packet->payload = packet->block->data;
    struct ltcp_ip ip = {.source = *from,
                         .destination = *to,
                         .protocol = LTCP_PROTOCOL_TCP,
                         .ttl = 255,
                         .dont_fragment = true};
    struct ltcp_segment segment = {.source_port = 1, .destination_port = 2, .flags = LTCP_ACK};
    ltcp_segment_encode(packet, &ip, &segment);
    return packet;
}

static void must(enum ltcp_status status)
{
    if (status == LTCP_OK) return;
    fprintf(stderr, "%s\n", ltcp_status_message(status));
    exit(1);
}

static uint32_t add_link(struct ltcp_network *network, uint32_t a, uint32_t b, uint8_t subnet)
{
    struct ltcp_link_config config = {0};
    for (int i = 0; i < 2; i++) {
        config.end[i].node = i == 0 ? a : b;
        config.end[i].addresses[0] = ltcp_address_v4(10, 0, subnet, (uint8_t)(i + 1));
        config.end[i].prefix_lengths[0] = 24;
        config.end[i].address_count = 1;
        config.end[i].path.delay = LTCP_MILLISECOND;
        config.end[i].path.rate = UINT64_C(10000000000);
    }
    uint32_t link;
    must(ltcp_network_add_link(network, &config, &link));
    return link;
}

/* Every packet that a peer takes is sent back: its twin for the other way is always at hand, since
 * a packet that is sent may not be changed. Returns nanoseconds per packet and path. */
static double measure(bool with_router, bool traced)
{
    struct ltcp_allocator allocator = {resize, NULL};
    struct ltcp_pool *pool = ltcp_pool_create(&allocator);
    struct ltcp_trace *trace = traced ? ltcp_trace_create(&allocator, 1024, 1024) : NULL;
    struct ltcp_network_config config = {.pool = pool, .trace = trace, .seed = 1};
    struct ltcp_network *network = ltcp_network_create(&config);
    uint32_t peer[2], router;
    must(ltcp_network_add_peer(network, &peer[0]));
    must(ltcp_network_add_peer(network, &peer[1]));
    struct ltcp_address address[2] = {ltcp_address_v4(10, 0, 0, 1), ltcp_address_v4(10, 0, 0, 2)};
    if (with_router) {
        must(ltcp_network_add_router(network, &router));
        add_link(network, peer[0], router, 0);
        add_link(network, router, peer[1], 1);
        address[1] = ltcp_address_v4(10, 0, 1, 2);
    } else {
        add_link(network, peer[0], peer[1], 0);
    }
    struct ltcp_packet *original[2] = {make_packet(pool, &address[0], &address[1]),
                                       make_packet(pool, &address[1], &address[0])};

    for (int i = 0; i < WINDOW; i++)
        for (int from = 0; from < 2; from++)
            must(ltcp_network_send(network, peer[from], LTCP_NOWHERE, original[from]));
    uint64_t received = 0;
    int64_t start = nanoseconds();
    while (received < ROUNDS) {
        struct ltcp_step_detail detail;
        if (ltcp_network_step(network, LTCP_NEVER, 0, &detail) != LTCP_STEP_PEER) exit(1);
        int at = detail.node == peer[0] ? 0 : 1;
        struct ltcp_packet *packet;
        while ((packet = ltcp_network_peer_receive(network, detail.node)) != NULL) {
            ltcp_packet_unref(packet);
            must(ltcp_network_send(network, detail.node, LTCP_NOWHERE, original[at]));
            received++;
        }
    }
    int64_t spent = nanoseconds() - start;

    ltcp_packet_unref(original[0]);
    ltcp_packet_unref(original[1]);
    ltcp_network_destroy(network);
    ltcp_trace_destroy(trace);
    ltcp_pool_destroy(pool);
    return (double)spent / (double)received / (with_router ? 2 : 1);
}

static void print(bool json, const char *metric, double path_ns)
{
    double rate = 1e9 / path_ns;
    /* The figure to compare with: a simulator without real headers moves 4,000,000 a second. */
    if (json)
        printf("{\"bench\": \"network_path\", \"metric\": \"%s\", \"value\": %.0f, "
               "\"unit\": \"packets/s\", \"versus\": \"htsim\", \"ratio\": %.2f}\n",
               metric, rate, rate / 4e6);
    else
        printf("%-32s %12.0f packets/s %8.1f ns\n", metric, rate, path_ns);
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    print(json, "path_packets_per_second", measure(false, false));
    print(json, "traced_path_packets_per_second", measure(false, true));
    print(json, "routed_path_packets_per_second", measure(true, false));
    return 0;
}
