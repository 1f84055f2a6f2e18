/* bench/bench_network.c - how many segments a second a simulated network moves.
 *
 * Two hosts with a whole TCP each, one link with delay and rate between them, all octets real and
 * every checksum verified: one flow, and a hundred at once. The applications write and read without
 * end. A segment counts once it has come out of the link, data and acknowledgments alike; the
 * figure for data segments alone stands below. */
#include "lunatcp/network.h"

#include "bench.h"

#define REPETITIONS 7
#define SEGMENTS    150000 /* a repetition */
#define FLOWS_MOST  100
#define CHUNK       65536

struct scene {
    const char *label;
    unsigned flows;
    uint32_t window;
    ltcp_time delay;
    uint64_t rate;
    bool traced; /* into rings of 4,096 records, as a script has it */
};
/* A round trip of 10 ms at 1 Gbit/s holds 1.25 MB. */
static const struct scene scenes[] = {
    {"1 flow", 1, 1048576, 5 * LTCP_MILLISECOND, UINT64_C(1000000000), false},
    {"1 flow, traced", 1, 1048576, 5 * LTCP_MILLISECOND, UINT64_C(1000000000), true},
    {"100 flows", 100, 65536, 5 * LTCP_MILLISECOND, UINT64_C(10000000000), false},
    {"100 flows, traced", 100, 65536, 5 * LTCP_MILLISECOND, UINT64_C(10000000000), true},
};

struct world {
    size_t held;
    struct ltcp_pool *pool;
    struct ltcp_trace *trace;
    struct ltcp_network *network;
    struct ltcp_host *host[2];
    uint32_t node[2], link;
    struct ltcp_address address[2];
    uint64_t octets_read;
};

static uint8_t source[CHUNK], sink[CHUNK];

static void world_open(struct world *w, const struct scene *scene)
{
    memset(w, 0, sizeof *w);
    const struct ltcp_allocator allocator = {bench_resize, &w->held};
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.timestamps = false;
    settings.send_buffer = settings.receive_buffer = scene->window;
    w->pool = ltcp_pool_create(&allocator);
    if (scene->traced) w->trace = ltcp_trace_create(&allocator, 4096, 4096);
    w->network = ltcp_network_create(
        &(struct ltcp_network_config){.pool = w->pool, .trace = w->trace, .seed = 1});
    struct ltcp_link_config link = {0};
    for (unsigned i = 0; i < 2; i++) {
        w->host[i] = ltcp_host_create(&(struct ltcp_host_config){.pool = w->pool,
                                                                 .settings = &settings,
                                                                 .secret = {1 + i, 2},
                                                                 .trace = w->trace,
                                                                 .id = i});
        bench_must(w->host[i] != NULL, "no memory");
        bench_ok(ltcp_network_add_host(w->network, w->host[i], &w->node[i]));
        w->address[i] = ltcp_address_v4(10, 0, 0, (uint8_t)(1 + i));
        link.end[i].node = w->node[i];
        link.end[i].addresses[0] = w->address[i];
        link.end[i].prefix_lengths[0] = 24;
        link.end[i].address_count = 1;
        link.end[i].path.delay = scene->delay;
        link.end[i].path.rate = scene->rate;
    }
    bench_ok(ltcp_network_add_link(w->network, &link, &w->link));
    ltcp_handle handle;
    bench_ok(ltcp_listen(w->host[1], 0,
                         &(struct ltcp_open){.local_port = 80, .backlog = FLOWS_MOST}, &handle));
    for (unsigned i = 0; i < scene->flows; i++)
        bench_ok(ltcp_connect(w->host[0], 0,
                              &(struct ltcp_open){.remote = w->address[1], .remote_port = 80},
                              &handle));
    ltcp_network_touch(w->network, w->node[0]);
}

static void world_close(struct world *w)
{
    ltcp_network_destroy(w->network);
    ltcp_host_destroy(w->host[0]);
    ltcp_host_destroy(w->host[1]);
    ltcp_trace_destroy(w->trace);
    ltcp_pool_destroy(w->pool);
}

static void write_all(struct world *w, ltcp_time now, ltcp_handle handle)
{
    size_t taken;
    while (ltcp_write(w->host[0], now, handle, source, CHUNK, 0, &taken) == LTCP_OK) {
        if (taken < CHUNK) break;
    }
}

static void read_all(struct world *w, ltcp_time now, ltcp_handle handle)
{
    size_t got;
    while (ltcp_read(w->host[1], now, handle, sink, CHUNK, 0, &got) == LTCP_OK) {
        w->octets_read += got;
        if (got < CHUNK) break;
    }
}

/* What both applications do about what happened. */
static void serve(struct world *w, unsigned i)
{
    const ltcp_time now = ltcp_network_now(w->network);
    struct ltcp_event event;
    while (ltcp_host_next_event(w->host[i], &event)) {
        bench_must(!(event.bits & LTCP_EVENT_CLOSED), "a connection died");
        if (i == 0) {
            if (event.bits & (LTCP_EVENT_WRITABLE | LTCP_EVENT_CONNECTED))
                write_all(w, now, event.handle);
        } else if (event.bits & LTCP_EVENT_ACCEPT) {
            ltcp_handle accepted;
            while (ltcp_accept(w->host[1], event.handle, &accepted) == LTCP_OK)
                read_all(w, now, accepted);
        } else if (event.bits & LTCP_EVENT_READABLE) {
            read_all(w, now, event.handle);
        }
    }
    ltcp_network_touch(w->network, w->node[i]);
}

static uint64_t segments_moved(struct world *w)
{
    uint64_t moved = 0;
    for (unsigned i = 0; i < 2; i++)
        moved += ltcp_path_counters(ltcp_network_path(w->network, w->link, i))->delivered;
    return moved;
}

static void run(struct world *w, uint64_t segments)
{
    const uint64_t until = segments_moved(w) + segments;
    while (segments_moved(w) < until) {
        struct ltcp_step_detail detail;
        const enum ltcp_step step = ltcp_network_step(w->network, LTCP_NEVER, 0, &detail);
        bench_must(step == LTCP_STEP_EVENTS, "the network stopped");
        serve(w, detail.node == w->node[1]);
    }
}

static void measure(struct bench *b, const struct scene *scene)
{
    struct world w;
    world_open(&w, scene);
    run(&w, 100000); /* slow start is over, the queue is as long as it gets */
    struct bench_samples all = {.count = 0}, data = {.count = 0};
    for (int i = 0; i < REPETITIONS; i++) {
        const uint64_t before = segments_moved(&w), read = w.octets_read;
        const int64_t start = bench_clock();
        run(&w, SEGMENTS);
        const double spent = (double)(bench_clock() - start);
        bench_sample(&all, spent / (double)(segments_moved(&w) - before));
        bench_sample(&data, spent / ((double)(w.octets_read - read) / 1460));
    }
    /* Another simulator's figure, which moves no real headers. */
    const double each = bench_median(&all), each_data = bench_median(&data);
    bench_print(b, &(struct bench_row){.label = scene->label,
                                       .metric = "sim_segments_per_second",
                                       .unit = "segments/s",
                                       .value = 1e9 / each,
                                       .best = 1e9 / all.value[0],
                                       .versus = "htsim",
                                       .versus_value = 4e6});
    bench_print(b, &(struct bench_row){.label = scene->label,
                                       .metric = "sim_data_segments_per_second",
                                       .unit = "segments/s",
                                       .value = 1e9 / each_data,
                                       .best = 1e9 / data.value[0]});
    world_close(&w);
}

static void run_exactly(uint64_t segments, const struct scene *scene)
{
    struct world w;
    world_open(&w, scene);
    run(&w, 100000);
    run(&w, segments);
    world_close(&w);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--exactly") == 0) {
        const unsigned long scene = strtoul(argv[3], NULL, 10);
        bench_must(scene < sizeof scenes / sizeof *scenes, "no such case");
        run_exactly(strtoul(argv[2], NULL, 10), &scenes[scene]);
        return 0;
    }
    struct bench b = bench_open("network", argc, argv);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        measure(&b, &scenes[i]);
    return 0;
}
