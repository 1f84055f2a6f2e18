/* bench/bench_latency.c - one octet there and one back over loopback, through a tunnel between two
 * processes, beside a bare echo by libuv's own calls; and what an idle tunnel of many connections
 * costs. Both ends of a tunnel are driven by the module's loop.
 *
 *   bench_latency [--json] [--connections N] [--seconds S]
 *
 * latency_ns: from the write to the read of the answer, the median and the 99th percentile.
 * idle_cpu: processor time of both processes, the kernel's part included, while nothing happens. */
#include "bench.h"
#include "tunnel_end.h"
#include "uv_drive.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { WARM = 500, ROUNDS = 10000, TURNS = 5, AT_ONCE = 100, BUFFER = 64 << 10 };

static unsigned connections = 10000;
static double seconds = 3;
static uint64_t took[ROUNDS];

typedef void child_function(const struct udp_address *here, const struct udp_address *there);

static pid_t start(child_function *child, const struct udp_address *here,
                   const struct udp_address *there)
{
    fflush(stdout);
    const pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid > 0) return pid;
    child(here, there);
    _exit(0);
}

static void stop(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- libuv's own calls ------------------------------------------------------------------------
 */

static char bare_room[2048];
static unsigned bare_got;

static void bare_allocate(uv_handle_t *handle, size_t wish, uv_buf_t *buffer)
{
    (void)handle, (void)wish;
    *buffer = uv_buf_init(bare_room, sizeof bare_room);
}

static void bare_send(uv_udp_t *udp, const struct sockaddr *to)
{
    uv_buf_t octet = uv_buf_init(bare_room, 1);
    uv_udp_try_send(udp, &octet, 1, to);
}

static void bare_answer(uv_udp_t *udp, ssize_t got, const uv_buf_t *buffer,
                        const struct sockaddr *from, unsigned flags)
{
    (void)buffer, (void)flags;
    if (got > 0 && from != NULL) bare_send(udp, from);
}

static void bare_note(uv_udp_t *udp, ssize_t got, const uv_buf_t *buffer,
                      const struct sockaddr *from, unsigned flags)
{
    (void)udp, (void)buffer, (void)from, (void)flags;
    bare_got += got > 0;
}

static void bare_open(uv_loop_t *loop, uv_udp_t *udp, const struct udp_address *here,
                      uv_udp_recv_cb received)
{
    uv_loop_init(loop);
    uv_udp_init(loop, udp);
    if (uv_udp_bind(udp, &here->socket.any, 0) != 0) die("bind");
    uv_udp_recv_start(udp, bare_allocate, received);
}

static void bare_serve(const struct udp_address *here, const struct udp_address *there)
{
    uv_loop_t loop;
    uv_udp_t udp;
    (void)there;
    bare_open(&loop, &udp, here, bare_answer);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void bare_rounds(void)
{
    struct udp_address here, there;
    uv_loop_t loop;
    uv_udp_t udp;
    reserve(&here, &there);
    const pid_t child = start(bare_serve, &there, &here);
    usleep(100000); /* it has bound its socket */
    bare_open(&loop, &udp, &here, bare_note);
    for (unsigned i = 0; i < WARM + ROUNDS; i++) {
        const uint64_t since = uv_hrtime();
        const unsigned before = bare_got;
        bare_send(&udp, &there.socket.any);
        while (bare_got == before)
            uv_run(&loop, UV_RUN_ONCE);
        if (i >= WARM) took[i - WARM] = uv_hrtime() - since;
    }
    uv_close((uv_handle_t *)&udp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    stop(child);
}

/* ---- through a tunnel -------------------------------------------------------------------------
 */

struct driven {
    struct end end;
    struct ltcp_loop *loop;
    struct ltcp_member *member;
    unsigned open; /* connections */
    unsigned octets;
    bool answers;
};

static void driven_open(struct driven *d, bool client, const struct udp_address *here,
                        const struct udp_address *there)
{
    const struct end_config config = {
        .sender = client, .here = *here, .there = *there, .buffer = BUFFER};
    memset(d, 0, sizeof *d);
    errno = ltcp_loop_create(&d->loop);
    if (errno != 0) die("loop");
    end_open(&d->end, &config, ltcp_loop_now(d->loop));
    errno = ltcp_loop_add(d->loop, d->end.tunnel, &d->member);
    if (errno != 0) die("tunnel");
}

static void driven_close(struct driven *d)
{
    ltcp_loop_remove(d->member);
    end_free(&d->end);
    ltcp_loop_destroy(d->loop);
}

static void take(struct driven *d, ltcp_handle handle)
{
    uint8_t octets[16];
    size_t got, taken;
    const ltcp_time now = ltcp_loop_now(d->loop);
    while (ltcp_read(d->end.host, now, handle, octets, sizeof octets, 0, &got) == LTCP_OK) {
        d->octets += (unsigned)got;
        if (d->answers) ltcp_write(d->end.host, now, handle, octets, got, 0, &taken);
    }
}

static void on_event(struct end *end, const struct ltcp_event *event, void *context)
{
    struct driven *d = context;
    if (event->bits & LTCP_EVENT_ACCEPT)
        while (ltcp_accept(end->host, event->handle, &end->connection) == LTCP_OK)
            d->open++;
    if (event->bits & LTCP_EVENT_CONNECTED) d->open += !d->answers;
    if (event->bits & LTCP_EVENT_READABLE) take(d, event->handle);
}

static void drive(struct driven *d)
{
    end_settle(&d->end, ltcp_loop_now(d->loop), on_event, d);
    ltcp_loop_run(d->loop, LTCP_NEVER);
    end_settle(&d->end, ltcp_loop_now(d->loop), on_event, d);
}

static void tunnel_serve(const struct udp_address *here, const struct udp_address *there)
{
    struct driven d;
    ltcp_handle listener;
    driven_open(&d, false, here, there);
    d.answers = true;
    const struct ltcp_open open = {.local_port = 80, .backlog = 2 * AT_ONCE};
    check(ltcp_listen(d.end.host, ltcp_loop_now(d.loop), &open, &listener), "listen");
    for (;;)
        drive(&d);
}

static ltcp_handle tunnel_connect(struct driven *d)
{
    const struct ltcp_open open = {.remote = inner(false), .remote_port = 80};
    ltcp_handle handle;
    check(ltcp_connect(d->end.host, ltcp_loop_now(d->loop), &open, &handle), "connect");
    ltcp_network_touch(d->end.network, d->end.node);
    return handle;
}

static void tunnel_round(struct driven *d, ltcp_handle handle)
{
    const unsigned before = d->octets;
    size_t taken;
    check(ltcp_write(d->end.host, ltcp_loop_now(d->loop), handle, "x", 1, 0, &taken), "write");
    ltcp_network_touch(d->end.network, d->end.node);
    while (d->octets == before)
        drive(d);
}

static void tunnel_rounds(void)
{
    struct udp_address here, there;
    struct driven d;
    reserve(&here, &there);
    const pid_t child = start(tunnel_serve, &there, &here);
    usleep(100000);
    driven_open(&d, true, &here, &there);
    const ltcp_handle handle = tunnel_connect(&d);
    while (d.open == 0)
        drive(&d);
    for (unsigned i = 0; i < WARM + ROUNDS; i++) {
        const uint64_t since = uv_hrtime();
        tunnel_round(&d, handle);
        if (i >= WARM) took[i - WARM] = uv_hrtime() - since;
    }
    driven_close(&d);
    stop(child);
}

/* ---- idleness ---------------------------------------------------------------------------------
 */

/* Of another process; 0: it cannot be asked. */
static int64_t cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Lets that long pass; processor time of both processes in each second, in microseconds. */
static double idle(struct driven *d, pid_t child)
{
    const int64_t before = bench_clock() + cpu_of(child);
    const ltcp_time since = clock_ns(), end = since + (ltcp_time)(seconds * 1e9);
    while (clock_ns() < end)
        drive(d);
    const int64_t after = bench_clock() + cpu_of(child);
    return (double)(after - before) / 1e3 / ((double)(clock_ns() - since) / 1e9);
}

static double tunnel_idle(unsigned count)
{
    struct udp_address here, there;
    struct driven d;
    reserve(&here, &there);
    const pid_t child = start(tunnel_serve, &there, &here);
    usleep(100000);
    driven_open(&d, true, &here, &there);
    for (unsigned i = 0; i < count; i++) {
        tunnel_connect(&d);
        while (d.open + AT_ONCE <= i || (i + 1 == count && d.open < count))
            drive(&d);
    }
    for (const ltcp_time end = clock_ns() + LTCP_SECOND; clock_ns() < end;)
        drive(&d); /* delayed acknowledgments */
    const double microseconds = idle(&d, child);
    driven_close(&d);
    stop(child);
    return microseconds;
}

/* ---- the table --------------------------------------------------------------------------------
 */

struct figures {
    struct bench_samples median, high;
};

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sample(struct figures *f)
{
    qsort(took, ROUNDS, sizeof took[0], compare);
    bench_sample(&f->median, (double)took[ROUNDS / 2]);
    bench_sample(&f->high, (double)took[ROUNDS * 99 / 100]);
}

static void print(struct bench *b, const char *label, struct bench_samples *ours,
                  struct bench_samples *bare)
{
    const double value = bench_median(ours);
    bench_print(b, &(struct bench_row){.label = label,
                                       .metric = "latency_ns",
                                       .unit = "ns",
                                       .value = value,
                                       .best = ours->value[0],
                                       .versus = "libuv's UDP echo",
                                       .versus_value = bench_median(bare)});
}

static void print_idle(struct bench *b)
{
    char label[64];
    const double none = tunnel_idle(0), many = tunnel_idle(connections);
    snprintf(label, sizeof label, "%u connections", connections);
    bench_print(b, &(struct bench_row){.label = label,
                                       .metric = "idle_cpu",
                                       .unit = "us/s",
                                       .value = many,
                                       .best = many,
                                       .versus = "a tunnel with none",
                                       .versus_value = none});
}

int main(int argc, char **argv)
{
    struct bench b = bench_open("latency", argc, argv);
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--connections") == 0) connections = (unsigned)atoi(argv[i + 1]);
        if (strcmp(argv[i], "--seconds") == 0) seconds = strtod(argv[i + 1], NULL);
    }
    struct figures bare = {.median.count = 0}, ours = {.median.count = 0};
    for (int i = 0; i < TURNS; i++) { /* in turn, so that both meet the same machine */
        bare_rounds();
        sample(&bare);
        tunnel_rounds();
        sample(&ours);
    }
    print(&b, "one octet, median", &ours.median, &bare.median);
    print(&b, "one octet, 99 in 100 within", &ours.high, &bare.high);
    print_idle(&b);
    return 0;
}
