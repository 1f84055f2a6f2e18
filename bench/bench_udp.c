/* bench/bench_udp.c - one TCP stream through a `plain` tunnel between two processes over loopback,
 * beside a bare sender and receiver of equal datagrams, in each manner of sending (gso, mmsg,
 * plain). In the last one the bare ones use libuv's own calls.
 *
 *   bench_udp [--json] [--seconds S] [--rounds N] [gso|mmsg|plain ...]
 *
 * The two take turns, N times each (5 by default): what is printed are medians, the ratio's of each
 * round's. A receiver counts for S seconds (0.5 by default) from the first datagram or octet on and
 * reports to the parent, which sends. A bare sender knows no flow control: what its receiver could
 * not take is lost, and not counted. CPU time is that of both processes, the kernel's part
 * included. */
#include "tunnel_end.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum {
    DATAGRAM = 1480,  /* what a segment of an MTU of 1500 makes of UDP payload */
    PATIENCE = 2,     /* seconds beyond the measured time until a side gives up */
    BUFFER = 2 << 20, /* in flight at most: enough trains that none waits for an acknowledgment */
    ROUNDS_MOST = 99
};

struct report {
    uint64_t bytes, ns, cpu_ns, calls, datagrams;
};

static double seconds = 0.5;
static unsigned rounds = 5;

/* ---- two processes -----------------------------------------------------------------------------
 */

/* What both sides know: the sockets, and a pipe from the receiver to the sender. */
struct side {
    enum udp_batch batch;
    int report;     /* the receiver writes its report here, and the sender reads it */
    struct udp udp; /* bare */
    struct udp_address here, there;
};

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

typedef void side_function(struct side *side, struct report *report);

/* Runs `receive` in a child and `send` here; false: nothing was received. */
static bool run(enum udp_batch batch, side_function *send, side_function *receive,
                struct report *sent, struct report *received)
{
    int pipes[2];
    struct side sender = {.batch = batch}, receiver = {.batch = batch};
    if (pipe(pipes) != 0) die("pipe");
    reserve(&sender.here, &receiver.here);
    sender.there = receiver.here;
    receiver.there = sender.here;
    sender.report = pipes[0];
    receiver.report = pipes[1];
    memset(sent, 0, sizeof *sent);
    memset(received, 0, sizeof *received);

    fflush(stdout);
    pid_t child = fork();
    if (child < 0) die("fork");
    uint64_t before = cpu_ns();
    if (child == 0) {
        close(pipes[0]);
        before = cpu_ns();
        receive(&receiver, received);
        received->cpu_ns = cpu_ns() - before;
        _exit(write(pipes[1], received, sizeof *received) == sizeof *received ? 0 : 1);
    }
    close(pipes[1]);
    send(&sender, sent);
    sent->cpu_ns = cpu_ns() - before;
    bool got = read(pipes[0], received, sizeof *received) == sizeof *received;
    close(pipes[0]);
    int status;
    waitpid(child, &status, 0);
    return got && received->ns > 0;
}

/* ---- bare datagrams
 * ------------------------------------------------------------------------------ */

static void bare_open(struct side *side)
{
    int error = udp_open(&side->udp, &side->here, &side->there, side->batch, true);
    if (error != 0) {
        errno = error;
        die(udp_batch_name(side->batch));
    }
}

static void bare_send(struct side *side, struct report *report)
{
    static char header[20], payload[DATAGRAM];
    struct udp_datagram datagrams[256];
    bare_open(side);
    for (size_t i = 0; i < 256; i++)
        datagrams[i] = (struct udp_datagram){
            .part = {{header, sizeof header}, {payload, DATAGRAM - sizeof header}},
            .parts = 2,
            .length = DATAGRAM,
            .ttl = 64};
    ltcp_time end = clock_ns() + (ltcp_time)((seconds + PATIENCE) * 1e9);
    while (!readable(side->report) && clock_ns() < end) {
        size_t done = udp_send(&side->udp, datagrams, 256);
        struct pollfd p = {.fd = side->udp.fd, .events = POLLOUT};
        if (done < 256) poll(&p, 1, 10);
    }
    report->bytes = side->udp.counters.bytes_out;
    report->calls = side->udp.counters.calls_out;
    report->datagrams = side->udp.counters.datagrams_out;
    udp_close(&side->udp);
}

static void bare_receive(struct side *side, struct report *report)
{
    static uint8_t buffers[UDP_ARRIVALS][66560];
    struct udp_arrival arrivals[UDP_ARRIVALS];
    bare_open(side);
    size_t room = side->batch == UDP_BATCH_GSO ? 8 : UDP_ARRIVALS;
    ltcp_time give_up = clock_ns() + PATIENCE * LTCP_SECOND, start = 0, now = 0;
    for (;;) {
        struct pollfd p = {.fd = side->udp.fd, .events = POLLIN};
        poll(&p, 1, 100);
        now = clock_ns();
        if (start == 0 && now > give_up) return;
        if (start != 0 && now - start > (ltcp_time)(seconds * 1e9)) break;
        for (size_t i = 0; i < room; i++)
            arrivals[i] = (struct udp_arrival){.buffer = buffers[i], .room = sizeof buffers[i]};
        size_t got = udp_receive(&side->udp, arrivals, room);
        for (size_t i = 0; i < got && start != 0; i++)
            report->bytes += arrivals[i].length;
        if (got > 0 && start == 0) start = now;
    }
    report->ns = (uint64_t)(now - start);
    report->calls = side->udp.counters.calls_in;
    report->datagrams = side->udp.counters.datagrams_in;
}

/* ---- bare datagrams by libuv's own calls ------------------------------------------------------
 */

struct by_uv {
    uv_loop_t loop;
    uv_udp_t udp;
    struct report *report;
    ltcp_time start;
};

static void uv_must(int status, const char *what)
{
    if (status == 0) return;
    fprintf(stderr, "bench: %s: %s\n", what, uv_strerror(status));
    exit(1);
}

static void by_uv_open(struct by_uv *b, const struct side *side, struct report *report)
{
    int receive = 4 << 20, send = 1 << 20; /* as udp_open asks for */
    memset(b, 0, sizeof *b);
    b->report = report;
    b->udp.data = b;
    uv_must(uv_loop_init(&b->loop), "uv_loop_init");
    uv_must(uv_udp_init(&b->loop, &b->udp), "uv_udp_init");
    uv_must(uv_udp_bind(&b->udp, &side->here.socket.any, 0), "uv_udp_bind");
    uv_must(uv_udp_connect(&b->udp, &side->there.socket.any), "uv_udp_connect");
    uv_recv_buffer_size((uv_handle_t *)&b->udp, &receive);
    uv_send_buffer_size((uv_handle_t *)&b->udp, &send);
}

static void by_uv_close(struct by_uv *b)
{
    uv_close((uv_handle_t *)&b->udp, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
}

static void by_uv_send(struct side *side, struct report *report)
{
    static char header[20], payload[DATAGRAM - sizeof header];
    uv_buf_t parts[2] = {uv_buf_init(header, sizeof header), uv_buf_init(payload, sizeof payload)};
    struct by_uv b;
    by_uv_open(&b, side, report);
    ltcp_time end = clock_ns() + (ltcp_time)((seconds + PATIENCE) * 1e9);
    while (!readable(side->report) && clock_ns() < end)
        for (int i = 0; i < 256; i++) {
            report->calls++;
            if (uv_udp_try_send(&b.udp, parts, 2, NULL) > 0) report->datagrams++;
        }
    report->bytes = report->datagrams * DATAGRAM;
    by_uv_close(&b);
}

static void by_uv_room(uv_handle_t *handle, size_t wish, uv_buf_t *buffer)
{
    static char room[65536];
    (void)handle, (void)wish;
    *buffer = uv_buf_init(room, sizeof room);
}

static void by_uv_take(uv_udp_t *udp, ssize_t got, const uv_buf_t *buffer,
                       const struct sockaddr *from, unsigned flags)
{
    struct by_uv *b = udp->data;
    (void)buffer, (void)from, (void)flags;
    b->report->calls++;
    if (got <= 0) return;
    b->report->datagrams++;
    if (b->start == 0)
        b->start = clock_ns();
    else
        b->report->bytes += (uint64_t)got;
}

static void by_uv_receive(struct side *side, struct report *report)
{
    struct by_uv b;
    by_uv_open(&b, side, report);
    uv_must(uv_udp_recv_start(&b.udp, by_uv_room, by_uv_take), "uv_udp_recv_start");
    const ltcp_time give_up = clock_ns() + PATIENCE * LTCP_SECOND;
    ltcp_time now = 0;
    do {
        uv_run(&b.loop, UV_RUN_ONCE);
        now = clock_ns();
        if (b.start == 0 && now > give_up) return;
    } while (b.start == 0 || now - b.start <= (ltcp_time)(seconds * 1e9));
    report->ns = (uint64_t)(now - b.start);
    by_uv_close(&b);
}

/* ---- one TCP stream
 * ------------------------------------------------------------------------------- */

static void tcp_open(struct end *end, const struct side *side, bool sender)
{
    end_open(end,
             &(struct end_config){.sender = sender,
                                  .batch = side->batch,
                                  .here = side->here,
                                  .there = side->there,
                                  .buffer = BUFFER},
             clock_ns());
}

static void tcp_close(struct end *end, struct report *report)
{
    const struct udp_counters *c = ltcp_tunnel_udp_counters(end->tunnel);
    report->calls = c->calls_in + c->calls_out;
    report->datagrams = c->datagrams_in + c->datagrams_out;
    ltcp_tunnel_close(end->tunnel);
    end_free(end);
}

typedef void app_function(struct end *end, struct report *report);

struct app {
    app_function *run;
    struct report *report;
};

static void on_event(struct end *end, const struct ltcp_event *event, void *context)
{
    const struct app *app = context;
    if (event->bits & LTCP_EVENT_CLOSED) end->over = true;
    if (event->bits & (LTCP_EVENT_CONNECTED | LTCP_EVENT_ACCEPT)) end->open = true;
    if (event->bits & LTCP_EVENT_ACCEPT)
        check(ltcp_accept(end->host, event->handle, &end->connection), "accept");
    if (end->open) app->run(end, app->report);
}

static void turn(struct end *end, app_function *what, struct report *report)
{
    struct app app = {what, report};
    end_settle(end, clock_ns(), on_event, &app);
    ltcp_tunnel_send(end->tunnel);
    ltcp_time wait = ltcp_network_next_deadline(end->network);
    if (wait != LTCP_NEVER) wait -= clock_ns();
    if (wait > end->patience) wait = end->patience;
    if (wait < 0) wait = 0;
    struct timespec timeout = {.tv_nsec = (long)wait};
    struct pollfd p = {.fd = ltcp_tunnel_fd(end->tunnel), .events = POLLIN};
    if (ltcp_tunnel_waits_for(end->tunnel) == LTCP_TUNNEL_WRITABLE) p.events |= POLLOUT;
    ppoll(&p, 1, &timeout, NULL);
    if (p.revents & POLLERR) ltcp_tunnel_clear_error(end->tunnel);
    if (p.revents & POLLOUT) ltcp_tunnel_retry(end->tunnel);
    if (p.revents & POLLIN) ltcp_tunnel_receive(end->tunnel, clock_ns());
}

static void write_much(struct end *end, struct report *report)
{
    static const uint8_t octets[65536];
    size_t taken;
    while (ltcp_write(end->host, clock_ns(), end->connection, octets, sizeof octets, 0, &taken) ==
           LTCP_OK)
        report->bytes += taken;
}

static void read_all(struct end *end, struct report *report)
{
    static uint8_t octets[65536];
    size_t got;
    while (ltcp_read(end->host, clock_ns(), end->connection, octets, sizeof octets, 0, &got) ==
           LTCP_OK)
        report->bytes += got;
}

static void tcp_send(struct side *side, struct report *report)
{
    struct end end;
    tcp_open(&end, side, true);
    struct pollfd p = {.fd = side->report, .events = POLLIN};
    poll(&p, 1, PATIENCE * 1000); /* the listener stands */
    char ready;
    if (read(side->report, &ready, 1) != 1) die("receiver");

    struct ltcp_open open = {.remote = inner(false), .remote_port = 80};
    check(ltcp_connect(end.host, clock_ns(), &open, &end.connection), "connect");
    ltcp_network_touch(end.network, end.node);
    ltcp_time stop = clock_ns() + (ltcp_time)((seconds + PATIENCE) * 1e9);
    while (!readable(side->report) && !end.over && clock_ns() < stop)
        turn(&end, write_much, report);
    tcp_close(&end, report);
}

static void tcp_receive(struct side *side, struct report *report)
{
    struct end end;
    tcp_open(&end, side, false);
    struct ltcp_open open = {.local_port = 80};
    ltcp_handle listener;
    check(ltcp_listen(end.host, clock_ns(), &open, &listener), "listen");
    if (write(side->report, "r", 1) != 1) die("pipe");

    ltcp_time stop = clock_ns() + PATIENCE * LTCP_SECOND, start = 0, now = 0;
    while (!end.over && now < stop) {
        turn(&end, read_all, report);
        now = clock_ns();
        if (start == 0 && report->bytes > 0) {
            start = now;
            stop = start + (ltcp_time)(seconds * 1e9);
            report->bytes = 0;
        }
    }
    report->ns = start != 0 ? (uint64_t)(now - start) : 0;
    tcp_close(&end, report);
}

/* Both ends in this process, in turn, until so many segments were read: for a profiler, which sees
 * the same work as often as it is run. */
static void run_exactly(enum udp_batch batch, uint64_t segments)
{
    struct side side[2] = {{.batch = batch}, {.batch = batch}};
    struct end from, to;
    struct report sent = {0}, received = {0};
    reserve(&side[0].here, &side[1].here);
    side[0].there = side[1].here;
    side[1].there = side[0].here;
    tcp_open(&from, &side[0], true);
    tcp_open(&to, &side[1], false);
    from.patience = to.patience = 0;
    ltcp_handle listener;
    struct ltcp_open listen = {.local_port = 80};
    struct ltcp_open open = {.remote = inner(false), .remote_port = 80};
    check(ltcp_listen(to.host, clock_ns(), &listen, &listener), "listen");
    check(ltcp_connect(from.host, clock_ns(), &open, &from.connection), "connect");
    ltcp_network_touch(from.network, from.node);
    while (received.bytes < segments * (DATAGRAM - 20)) {
        turn(&from, write_much, &sent);
        turn(&to, read_all, &received);
    }
    tcp_close(&from, &sent);
    tcp_close(&to, &received);
}

/* ---- the table
 * ------------------------------------------------------------------------------------- */

struct row {
    double bps, cpu_per_byte, per_call;
    double sender, receiver; /* CPU each, for a byte */
};

static struct row measure(enum udp_batch batch, side_function *send, side_function *receive)
{
    struct report sent, received;
    struct row row = {0};
    if (!run(batch, send, receive, &sent, &received) || received.bytes == 0) return row;
    row.bps = (double)received.bytes * 8e9 / (double)received.ns;
    row.sender = (double)sent.cpu_ns / (double)received.bytes;
    row.receiver = (double)received.cpu_ns / (double)received.bytes;
    row.cpu_per_byte = row.sender + row.receiver;
    uint64_t calls = sent.calls + received.calls;
    row.per_call = (double)(sent.datagrams + received.datagrams) / (double)(calls ? calls : 1);
    return row;
}

static void print_json(const char *manner, const char *metric, double value, const char *unit,
                       const char *versus, double ratio)
{
    printf("{\"bench\": \"udp/%s\", \"metric\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", "
           "\"versus\": \"%s\", \"ratio\": %.4g}\n",
           manner, metric, value, unit, versus, ratio);
}

static int in_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, rounds, sizeof *values, in_order);
    return rounds % 2 ? values[rounds / 2] : (values[rounds / 2 - 1] + values[rounds / 2]) / 2;
}

/* Of each figure by itself. */
static struct row median_row(const struct row *rows)
{
    const double *from = (const double *)rows;
    enum { FIGURES = sizeof *rows / sizeof *from };
    struct row result;
    double figures[FIGURES], values[ROUNDS_MOST];
    for (unsigned f = 0; f < FIGURES; f++) {
        for (unsigned i = 0; i < rounds; i++)
            values[i] = from[i * FIGURES + f];
        figures[f] = median(values);
    }
    memcpy(&result, figures, sizeof result);
    return result;
}

static void print_manner(enum udp_batch batch, bool json)
{
    const char *name = udp_batch_name(batch);
    struct row bares[ROUNDS_MOST], tcps[ROUNDS_MOST];
    double ratios[ROUNDS_MOST], costs[ROUNDS_MOST];
    for (unsigned i = 0; i < rounds; i++) {
        struct row *bare = &bares[i], *tcp = &tcps[i];
        *bare = batch == UDP_BATCH_PLAIN ? measure(batch, by_uv_send, by_uv_receive)
                                         : measure(batch, bare_send, bare_receive);
        *tcp = measure(batch, tcp_send, tcp_receive);
        ratios[i] = bare->bps > 0 ? tcp->bps / bare->bps : 0;
        costs[i] = bare->cpu_per_byte > 0 ? tcp->cpu_per_byte / bare->cpu_per_byte : 0;
    }
    const struct row bare = median_row(bares), tcp = median_row(tcps);
    const double ratio = median(ratios), cost = median(costs);
    if (json) {
        print_json(name, "udp_bare_bps", bare.bps, "bit/s", "itself", 1);
        print_json(name, "udp_goodput_bps", tcp.bps, "bit/s", "udp_bare_bps", ratio);
        print_json(name, "udp_bare_cpu_ns_per_byte", bare.cpu_per_byte, "ns", "itself", 1);
        print_json(name, "udp_goodput_cpu_ns_per_byte", tcp.cpu_per_byte, "ns",
                   "udp_bare_cpu_ns_per_byte", cost);
    } else {
        printf("%-6s %9.3f %9.3f %6.2f %4.2f-%4.2f   %6.3f %6.3f   %6.3f %6.3f %8.1f %8.1f\n", name,
               bare.bps / 1e9, tcp.bps / 1e9, ratio, ratios[0], ratios[rounds - 1], bare.sender,
               bare.receiver, tcp.sender, tcp.receiver, bare.per_call, tcp.per_call);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const enum udp_batch manners[] = {UDP_BATCH_GSO, UDP_BATCH_MMSG, UDP_BATCH_PLAIN};
    uint64_t exactly = 0;
    bool json = false, chosen[3] = {false, false, false}, any = false;
    for (int i = 1; i < argc; i++) {
        bool known = strcmp(argv[i], "--json") == 0;
        json = json || known;
        if (strcmp(argv[i], "--exactly") == 0 && i + 1 < argc) {
            exactly = strtoull(argv[++i], NULL, 10);
            known = exactly > 0;
        }
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = strtod(argv[++i], NULL);
            known = seconds > 0 && seconds <= 3;
        }
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = (unsigned)strtoul(argv[++i], NULL, 10);
            known = rounds > 0 && rounds <= ROUNDS_MOST;
        }
        for (int m = 0; m < 3; m++)
            if (strcmp(argv[i], udp_batch_name(manners[m])) == 0) known = any = chosen[m] = true;
        if (!known) {
            fprintf(stderr,
                    "usage: bench_udp [--json] [--seconds S] [--rounds N] [gso|mmsg|plain ...]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    if (exactly > 0) {
        for (int m = 0; m < 3; m++)
            if (!any || chosen[m]) run_exactly(manners[m], exactly);
        return 0;
    }
    if (!json)
        printf("one stream over UDP on loopback, %d octets a datagram\n"
               "%-6s %9s %9s %6s %-9s   %-13s   %-13s %8s %8s\n",
               DATAGRAM, "manner", "bare Gb/s", "TCP Gb/s", "ratio", "of rounds", "bare ns/B",
               "TCP ns/B", "bare d/c", "TCP d/c");
    for (int m = 0; m < 3; m++)
        if (!any || chosen[m]) print_manner(manners[m], json);
    if (!json)
        printf("ns/B: CPU time of the sender and of the receiver, for a byte; d/c: datagrams a "
               "call, both ways\n");
    return 0;
}
