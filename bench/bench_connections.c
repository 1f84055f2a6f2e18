/* bench/bench_connections.c - many connections: what an idle one holds, what opening, a byte and
 * closing cost with so many in memory, what a tick costs that finds nothing to do, and what is left
 * of them in TIME-WAIT.
 *
 * Each host has an allocator of its own that counts, so that the two ends are told apart. Bytes are
 * all that a host asked for, its tables included, divided by its connections, after each of these
 * has carried a byte and fallen silent; pieces that the pool keeps for reuse are given back before.
 */
#include "bench.h"

#define PORTS       8000u /* connections of a pair of addresses and port: there are 16,384 */
#define LISTENERS   16u
#define ADDRESSES   8u
#define CYCLES      3000
#define TICKS       20000
#define REPETITIONS 9

struct crowd {
    struct bench_pair pair;
    ltcp_handle *client, *server;
    uint32_t count;
    ltcp_handle listener[LISTENERS];
    struct ltcp_address address[ADDRESSES]; /* the client's */
};

static void crowd_open(struct crowd *w, uint32_t most)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.keepalive = true; /* every connection has a timer to think of */
    settings.time_wait_most = 0;
    memset(w, 0, sizeof *w);
    bench_pair_open(&w->pair, &settings, 1500);
    w->client = calloc(most, sizeof *w->client);
    w->server = calloc(most, sizeof *w->server);
    bench_must(w->client != NULL && w->server != NULL, "no memory");
    for (uint32_t i = 0; i < LISTENERS; i++)
        bench_ok(ltcp_listen(w->pair.end[1].host, w->pair.now,
                             &(struct ltcp_open){.local_port = (uint16_t)(80 + i)},
                             &w->listener[i]));
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        w->address[i] = ltcp_address_v4(10, 0, 0, (uint8_t)(10 + i));
        bench_ok(ltcp_host_add_address(w->pair.end[0].host, 0, &w->address[i], 24));
    }
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

/* The i-th connection, accepted. */
static void connect_one(struct crowd *w, uint32_t i, ltcp_handle *client, ltcp_handle *server)
{
    struct bench_pair *p = &w->pair;
    const uint32_t pair = i / PORTS % (LISTENERS * ADDRESSES), to = pair % LISTENERS;
    bench_ok(ltcp_connect(p->end[0].host, p->now,
                          &(struct ltcp_open){.local = w->address[pair / LISTENERS],
                                              .remote = p->end[1].address,
                                              .remote_port = (uint16_t)(80 + to)},
                          client));
    bench_settle(p);
    bench_ok(ltcp_accept(p->end[1].host, w->listener[to], server));
}

static void print_rate(struct bench *b, const char *many, const char *metric, int64_t took,
                       uint32_t count)
{
    const double rate = 1e9 * count / (double)took;
    bench_print(b, &(struct bench_row){
                       .label = many, .metric = metric, .unit = "/s", .value = rate, .best = rate});
}

static void open_all(struct bench *b, struct crowd *w, uint32_t count, const char *many)
{
    const int64_t start = bench_clock();
    for (; w->count < count; w->count++) {
        connect_one(w, w->count, &w->client[w->count], &w->server[w->count]);
        if (w->count % 64 == 63) drop_events(w);
    }
    drop_events(w);
    print_rate(b, many, "opened_per_second", bench_clock() - start, count);
}

static void send_a_byte_on_each(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_pair *p = &w->pair;
    const int64_t start = bench_clock();
    for (uint32_t i = 0; i < w->count; i++) {
        uint8_t byte = 'x';
        size_t n;
        bench_ok(ltcp_write(p->end[0].host, p->now, w->client[i], &byte, 1, 0, &n));
        bench_settle(p);
        bench_ok(ltcp_read(p->end[1].host, p->now, w->server[i], &byte, 1, 0, &n));
        if (i % 64 == 63) drop_events(w);
    }
    /* Its acknowledgment is a delayed one. */
    p->now += LTCP_SECOND / 2;
    for (unsigned i = 0; i < 2; i++)
        ltcp_host_advance(p->end[i].host, p->now);
    bench_settle(p);
    drop_events(w);
    print_rate(b, many, "bytes_per_second", bench_clock() - start, w->count);
}

static void close_all(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_pair *p = &w->pair;
    const int64_t start = bench_clock();
    for (uint32_t i = 0; i < w->count; i++) {
        close_both(w, w->client[i], w->server[i]);
        if (i % 64 == 63) drop_events(w);
    }
    drop_events(w);
    print_rate(b, many, "closed_per_second", bench_clock() - start, w->count);
    bench_must(ltcp_host_counters(p->end[0].host)->time_wait_records == w->count, "no TIME-WAIT");
}

static void end_time_waits(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_pair *p = &w->pair;
    const int64_t start = bench_clock();
    p->now += 240 * LTCP_SECOND;
    ltcp_host_advance(p->end[0].host, p->now);
    print_rate(b, many, "time_waits_ended_per_second", bench_clock() - start, w->count);
    bench_must(ltcp_host_counters(p->end[0].host)->time_waits == 0, "TIME-WAIT stays");
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static void print_idle(struct bench *b, struct crowd *w, const size_t before[2], const char *many)
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

/* ---- one more ---------------------------------------------------------------------------------
 */

static double time_cycles(struct crowd *w)
{
    struct bench_pair *p = &w->pair;
    const int64_t start = bench_clock();
    for (int i = 0; i < CYCLES; i++) {
        ltcp_handle client, server;
        p->now += 100 * LTCP_MICROSECOND;
        ltcp_host_advance(p->end[0].host, p->now);
        ltcp_host_advance(p->end[1].host, p->now);
        connect_one(w, w->count, &client, &server);
        close_both(w, client, server);
        drop_events(w);
    }
    return (double)(bench_clock() - start) / CYCLES;
}

static void measure_cycles(struct bench *b, struct crowd *w, const char *many)
{
    struct bench_samples each = {.count = 0};
    struct ltcp_settings settings = *ltcp_host_settings(w->pair.end[0].host);
    settings.time_wait = 10 * LTCP_MILLISECOND; /* or ports would run out */
    bench_ok(ltcp_host_set_settings(w->pair.end[0].host, &settings));
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

static void print_time_waits(struct bench *b, struct crowd *w, size_t before, const char *many)
{
    ltcp_pool_trim(w->pair.end[0].pool);
    const double each = (double)(w->pair.end[0].held - before) / w->count;
    bench_print(b, &(struct bench_row){.label = many,
                                       .metric = "time_wait_bytes",
                                       .unit = "bytes",
                                       .value = each,
                                       .best = each});
}

static void measure(struct bench *b, uint32_t count, const char *many)
{
    struct crowd w;
    crowd_open(&w, count);
    const size_t before[2] = {w.pair.end[0].held, w.pair.end[1].held};
    open_all(b, &w, count, many);
    send_a_byte_on_each(b, &w, many);
    print_idle(b, &w, before, many);
    measure_ticks(b, &w, many);
    measure_cycles(b, &w, many);
    w.pair.now += LTCP_SECOND; /* these go */
    ltcp_host_advance(w.pair.end[0].host, w.pair.now);
    close_all(b, &w, many);
    print_time_waits(b, &w, before[0], many);
    end_time_waits(b, &w, many);
    crowd_close(&w);
}

int main(int argc, char **argv)
{
    struct bench b = bench_open("connections", argc, argv);
    measure(&b, 1000, "1,000 standing");
    measure(&b, 10000, "10,000 standing");
    measure(&b, 100000, "100,000 standing");
    measure(&b, 1000000, "1,000,000 standing");
    return 0;
}
