/* bench/bench_connections.c - many connections: what an idle one holds, what one costs to open and
 * close while the others stand, what a tick costs that finds nothing to do.
 *
 * Each host has an allocator of its own that counts, so that the two ends are told apart. Bytes are
 * all that a host asked for, its tables included, divided by its connections, after each of these
 * has carried a message both ways and fallen silent; pieces that the pool keeps for reuse are given
 * back before. */
#include "bench.h"

#define PORTS       8000 /* connections to one listener: ephemeral ports are 16,384 */
#define BATCH       16   /* that are opened side by side */
#define CYCLES      3000
#define TICKS       20000
#define REPETITIONS 9

struct crowd {
    struct bench_pair pair;
    ltcp_handle *client, *server;
    uint32_t count, listeners;
    ltcp_handle listener[16];
};

static void crowd_open(struct crowd *w, uint32_t most)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.keepalive = true;                  /* every connection has a timer to think of */
    settings.time_wait = 10 * LTCP_MILLISECOND; /* of virtual time: some stand, always */
    memset(w, 0, sizeof *w);
    bench_pair_open(&w->pair, &settings, 1500);
    w->client = calloc(most, sizeof *w->client);
    w->server = calloc(most, sizeof *w->server);
    bench_must(w->client != NULL && w->server != NULL, "no memory");
    w->listeners = 1 + most / PORTS;
    for (uint32_t i = 0; i < w->listeners; i++)
        bench_ok(ltcp_listen(w->pair.end[1].host, w->pair.now,
                             &(struct ltcp_open){.local_port = (uint16_t)(80 + i)},
                             &w->listener[i]));
}

static void crowd_close(struct crowd *w)
{
    bench_pair_close(&w->pair);
    free(w->client);
    free(w->server);
}

static void drop_events(struct crowd *w)
{
    bench_drop_events(w->pair.end[0].host);
    bench_drop_events(w->pair.end[1].host);
}

/* A connection to one listener, accepted. */
static void connect_one(struct crowd *w, uint32_t listener, ltcp_handle *client,
                        ltcp_handle *server)
{
    struct bench_pair *p = &w->pair;
    bench_ok(ltcp_connect(
        p->end[0].host, p->now,
        &(struct ltcp_open){.remote = p->end[1].address, .remote_port = (uint16_t)(80 + listener)},
        client));
    bench_settle(p);
    bench_ok(ltcp_accept(p->end[1].host, w->listener[listener], server));
}

static void exchange(struct bench_pair *p, unsigned from, ltcp_handle source, ltcp_handle to)
{
    static const char message[100] = "hello";
    char buffer[sizeof message];
    size_t n;
    bench_ok(ltcp_write(p->end[from].host, p->now, source, message, sizeof message, 0, &n));
    bench_settle(p);
    bench_ok(ltcp_read(p->end[!from].host, p->now, to, buffer, sizeof buffer, 0, &n));
}

static void grow_to(struct crowd *w, uint32_t count)
{
    struct bench_pair *p = &w->pair;
    while (w->count < count) {
        const uint32_t first = w->count;
        for (; w->count < count && w->count < first + BATCH; w->count++)
            connect_one(w, w->count / PORTS, &w->client[w->count], &w->server[w->count]);
        for (uint32_t i = first; i < w->count; i++) {
            exchange(p, 0, w->client[i], w->server[i]);
            exchange(p, 1, w->server[i], w->client[i]);
        }
        /* The last acknowledgments are delayed ones. */
        p->now += LTCP_SECOND / 2;
        for (unsigned i = 0; i < 2; i++)
            ltcp_host_advance(p->end[i].host, p->now);
        bench_settle(p);
        drop_events(w);
    }
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static void print_bytes(struct bench *b, struct crowd *w, const size_t before[2], const char *many)
{
    static const char *const name[2] = {"client", "server"};
    for (unsigned i = 0; i < 2; i++) {
        struct bench_end *end = &w->pair.end[i];
        char label[80];
        ltcp_pool_trim(end->pool);
        const double each = (double)(end->held - before[i]) / w->count;
        snprintf(label, sizeof label, "%s, %s end", many, name[i]);
        bench_print(b, &(struct bench_row){.label = label,
                                           .metric = "idle_connection_bytes",
                                           .unit = "bytes",
                                           .value = each,
                                           .best = each,
                                           .versus = "the budget",
                                           .versus_value = 500});
    }
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

static void close_both(struct crowd *w, ltcp_handle client, ltcp_handle server)
{
    struct bench_pair *p = &w->pair;
    struct ltcp_host *a = p->end[0].host, *b = p->end[1].host;
    bench_ok(ltcp_close(a, p->now, client));
    bench_ok(ltcp_release(a, client));
    bench_settle(p);
    bench_ok(ltcp_close(b, p->now, server));
    bench_ok(ltcp_release(b, server));
    bench_settle(p);
}

static double time_cycles(struct crowd *w)
{
    struct bench_pair *p = &w->pair;
    const int64_t start = bench_clock();
    for (int i = 0; i < CYCLES; i++) {
        ltcp_handle client, server;
        p->now += 100 * LTCP_MICROSECOND;
        ltcp_host_advance(p->end[0].host, p->now);
        ltcp_host_advance(p->end[1].host, p->now);
        connect_one(w, w->listeners - 1, &client, &server);
        close_both(w, client, server);
        drop_events(w);
    }
    return (double)(bench_clock() - start) / CYCLES;
}

static void measure_cycles(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_samples each = {.count = 0};
    time_cycles(w);
    for (int i = 0; i < REPETITIONS; i++)
        bench_sample(&each, time_cycles(w));
    const double ns = bench_median(&each);
    bench_print(b, &(struct bench_row){.label = many,
                                       .metric = "connections_per_second",
                                       .unit = "/s",
                                       .value = 1e9 / ns,
                                       .best = 1e9 / each.value[0]});
}

/* ---- ticks ------------------------------------------------------------------------------------
 */

/* An owner that looks every 50 microseconds, whether something is due or not. */
static double time_ticks(struct crowd *w)
{
    struct bench_pair *p = &w->pair;
    struct ltcp_packet *packet;
    const int64_t start = bench_clock();
    for (int i = 0; i < TICKS; i++) {
        p->now += 50 * LTCP_MICROSECOND;
        ltcp_host_advance(p->end[0].host, p->now);
        const size_t n = ltcp_host_transmit(p->end[0].host, p->now, &packet, 1);
        bench_must(n == 0, "an idle connection speaks");
    }
    return (double)(bench_clock() - start) / TICKS;
}

static void measure_ticks(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_samples each = {.count = 0};
    for (int i = 0; i < REPETITIONS; i++)
        bench_sample(&each, time_ticks(w));
    const double ns = bench_median(&each);
    bench_print(b, &(struct bench_row){.label = many,
                                       .metric = "idle_tick_ns",
                                       .unit = "ns",
                                       .value = ns,
                                       .best = each.value[0]});
}

static void measure(struct bench *b, uint32_t count, const char *many)
{
    struct crowd w;
    crowd_open(&w, count);
    const size_t before[2] = {w.pair.end[0].held, w.pair.end[1].held};
    const int64_t start = bench_clock();
    grow_to(&w, count);
    const double grown = (double)(bench_clock() - start) / count;
    print_bytes(b, &w, before, many);
    bench_print(b, &(struct bench_row){.label = many,
                                       .metric = "open_and_exchange_ns",
                                       .unit = "ns",
                                       .value = grown,
                                       .best = grown});
    measure_cycles(b, &w, many);
    measure_ticks(b, &w, many);
    crowd_close(&w);
}

int main(int argc, char **argv)
{
    struct bench b = bench_open("connections", argc, argv);
    measure(&b, 1000, "1,000 standing");
    measure(&b, 10000, "10,000 standing");
    measure(&b, 100000, "100,000 standing");
    return 0;
}
