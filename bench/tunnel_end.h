/* bench/tunnel_end.h
 *
 * For benches over real sockets: a clock, and one end of a tunnel, a host in a network of its own
 * whose only link leads out of the process. Knows neither Lua nor libuv. */
#ifndef LUNATCP_BENCH_TUNNEL_END_H
#define LUNATCP_BENCH_TUNNEL_END_H

#include "uv_tunnel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void check(enum ltcp_status status, const char *what)
{
    if (status == LTCP_OK) return;
    fprintf(stderr, "bench: %s: %s\n", what, ltcp_status_message(status));
    exit(1);
}

static inline ltcp_time clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ltcp_time)t.tv_sec * LTCP_SECOND + t.tv_nsec;
}

/* Of this process, the kernel's part included. */
static inline uint64_t cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

/* Two addresses of sockets on loopback. Both sides are told them before they fork: the ports are
 * reserved by sockets of the parent, that are closed just before the sides open theirs. */
static inline void reserve(struct udp_address *a, struct udp_address *b)
{
    struct udp_address any, none = {.length = 0};
    struct udp first, second;
    udp_address_parse("127.0.0.1:0", &any);
    if (udp_open(&first, &any, &none, UDP_BATCH_PLAIN, false) != 0 ||
        udp_open(&second, &any, &none, UDP_BATCH_PLAIN, false) != 0)
        die("socket");
    udp_bound_address(&first, a);
    udp_bound_address(&second, b);
    udp_close(&first);
    udp_close(&second);
}

struct end {
    struct ltcp_pool *pool;
    struct ltcp_host *host;
    struct ltcp_network *network;
    struct ltcp_tunnels tunnels;
    struct ltcp_tunnel *tunnel;
    uint32_t node;
    ltcp_handle connection;
    ltcp_time patience; /* to be waited for the other end at most */
    bool open, over;
};

struct end_config {
    bool sender; /* 10.0.0.1; else 10.0.0.2 */
    enum udp_batch batch;
    struct udp_address here, there;
    uint32_t buffer; /* octets that may be in flight */
};

static inline struct ltcp_address inner(bool sender)
{
    return ltcp_address_v4(10, 0, 0, sender ? 1 : 2);
}

static inline void *end_resize(void *context, void *old, size_t old_size, size_t size)
{
    (void)context, (void)old_size;
    if (size > 0) return realloc(old, size);
    free(old);
    return NULL;
}

static inline void end_link(struct end *end, const struct end_config *config)
{
    struct ltcp_link_config link = {.mtu = 1500, .tunnel = true};
    link.end[0] = (struct ltcp_link_end){.node = end->node,
                                         .addresses = {inner(config->sender)},
                                         .prefix_lengths = {24},
                                         .address_count = 1};
    link.end[1].node = LTCP_NOWHERE;
    uint32_t number;
    check(ltcp_network_add_link(end->network, &link, &number), "link");
    struct ltcp_tunnel_config tunnel = {.network = end->network,
                                        .pool = end->pool,
                                        .tunnels = &end->tunnels,
                                        .link = number,
                                        .impaired = true,
                                        .framing = LTCP_FRAMING_PLAIN,
                                        .local = inner(config->sender),
                                        .remote = inner(!config->sender),
                                        .batch = config->batch,
                                        .bind = config->here,
                                        .peer = config->there};
    errno = ltcp_tunnel_open(&tunnel, &end->tunnel);
    if (errno != 0) die("tunnel");
}

/* `start`: the time of its network. */
static inline void end_open(struct end *end, const struct end_config *config, ltcp_time start)
{
    static const struct ltcp_allocator allocator = {end_resize, NULL};
    struct ltcp_settings settings = ltcp_profile_linux;
    settings.send_buffer = settings.receive_buffer = config->buffer;
    settings.tune_send_buffer = settings.tune_receive_buffer = false;
    *end = (struct end){.pool = ltcp_pool_create(&allocator), .patience = 50 * LTCP_MILLISECOND};
    end->host = ltcp_host_create(
        &(struct ltcp_host_config){.pool = end->pool, .settings = &settings, .secret = {1, 2}});
    end->network = ltcp_network_create(
        &(struct ltcp_network_config){.pool = end->pool, .seed = 1, .start = start});
    if (end->host == NULL || end->network == NULL) die("host");
    check(ltcp_network_add_host(end->network, end->host, &end->node), "host");
    end_link(end, config);
}

/* The tunnel is closed, by whoever it belongs to. */
static inline void end_free(struct end *end)
{
    ltcp_network_destroy(end->network);
    ltcp_host_destroy(end->host);
    ltcp_pool_destroy(end->pool);
}

/* Lets everything happen that is due at `now`, and tells of each event, until neither has more to
 * do without new packets. */
typedef void end_event(struct end *end, const struct ltcp_event *event, void *context);
static inline void end_settle(struct end *end, ltcp_time now, end_event *on_event, void *context)
{
    struct ltcp_step_detail detail;
    struct ltcp_event event;
    ltcp_network_catch_up(end->network, now);
    for (;;) {
        switch (ltcp_network_step(end->network, now, 0, &detail)) {
        case LTCP_STEP_EXIT:
            ltcp_tunnels_flush(&end->tunnels, detail.link, detail.direction);
            break;
        case LTCP_STEP_EVENTS:
            while (ltcp_host_next_event(end->host, &event))
                on_event(end, &event, context);
            ltcp_network_touch(end->network, end->node);
            break;
        default: return;
        }
    }
}

#endif
