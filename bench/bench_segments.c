/* bench/bench_segments.c - what a data segment costs between two connections in memory.
 *
 * A whole life of 1,460 octets: written by an application (copied in and summed), sent as an IP
 * packet, carried to the other host through a queue that always holds a window of them, verified,
 * acknowledged, read (copied out), and the acknowledgment processed. Beside it, in the same run,
 * the bare three passes over as many octets in as many places: copy and sum, verify, copy.
 *
 *   bench_segments [--json]
 *   bench_segments --exactly N CASE      N segments of a case and no output: for a profiler
 *   bench_segments --passes N CASE       the bare passes over N segments
 *
 * Instructions for each segment are the difference of two such runs under callgrind. */
#include <unistd.h>

#include "bench.h"

#define PAYLOAD     1460
#define SOURCE      (32 * PAYLOAD) /* what the application writes from, again and again */
#define REPETITIONS 31
#define SEGMENTS    20000

struct scene {
    const char *label;
    uint32_t window;
    size_t batch; /* packets that arrive together before the receiver answers */
    bool
        timestamps; /* RFC 7323; the MTU grows by the option, so that the payload does not shrink */
};
/* Two segments to an acknowledgment is what TCP does for itself; a batch gets one for all. */
static const struct scene scenes[] = {
    {"64 KiB", 65536, 2, false},
    {"256 KiB", 262144, 2, false},
    {"1 MiB", 1048576, 2, false},
    {"64 KiB, timestamps", 65536, 2, true},
    {"64 KiB, batches of 32", 65536, 32, false},
    {"1 MiB, batches of 32", 1048576, 32, false},
};
enum { SCENE_COUNT = sizeof scenes / sizeof *scenes };

static uint8_t source[SOURCE], sink[SOURCE];
/* Volatile, so that no pass is compiled for this one length. */
static volatile size_t payload = PAYLOAD;

/* ---- through the engine -----------------------------------------------------------------------
 */

#define WIRE 1024 /* packets: above a window's */
struct stream {
    struct bench_pair pair;
    ltcp_handle from, to;
    struct ltcp_packet *wire[WIRE]; /* a ring, towards host 1 */
    size_t head, tail;
    size_t batch;
    size_t offset; /* into the source */
    uint64_t octets_read;
};

static void stream_open(struct stream *s, const struct scene *scene)
{
    struct ltcp_settings settings = ltcp_profile_rfc;
    settings.timestamps = scene->timestamps;
    settings.receive_buffer = settings.send_buffer = scene->window;
    memset(s, 0, sizeof *s);
    s->batch = scene->batch;
    bench_pair_open(&s->pair, &settings, scene->timestamps ? 1512 : 1500);
    ltcp_handle listener;
    struct bench_pair *p = &s->pair;
    bench_ok(ltcp_listen(p->end[1].host, p->now, &(struct ltcp_open){.local_port = 80}, &listener));
    bench_ok(ltcp_connect(p->end[0].host, p->now,
                          &(struct ltcp_open){.remote = p->end[1].address, .remote_port = 80},
                          &s->from));
    bench_settle(p);
    bench_ok(ltcp_accept(p->end[1].host, listener, &s->to));
    struct ltcp_info info;
    bench_ok(ltcp_info(p->end[0].host, s->from, &info));
    bench_must(info.snd_mss == PAYLOAD, "the MSS is not 1,460");
}

static void stream_close(struct stream *s)
{
    while (s->head != s->tail)
        ltcp_packet_unref(s->wire[s->head++ % WIRE]);
    bench_pair_close(&s->pair);
}

/* Until the send buffer is full: when the engine says that there is room again, a quarter of it. */
static void write_all(struct stream *s)
{
    struct bench_end *end = &s->pair.end[0];
    size_t asked, taken;
    do {
        asked = SOURCE - s->offset;
        ltcp_write(end->host, s->pair.now, s->from, source + s->offset, asked, 0, &taken);
        s->offset = (s->offset + taken) % SOURCE;
    } while (taken == asked);
}

/* All that is there: a read that fills its buffer is followed by another. */
static void read_all(struct stream *s)
{
    struct bench_end *end = &s->pair.end[1];
    size_t got;
    do {
        ltcp_read(end->host, s->pair.now, s->to, sink, sizeof sink, 0, &got);
        s->octets_read += got;
    } while (got == sizeof sink);
}

static void send_all(struct stream *s)
{
    struct ltcp_packet *packets[64];
    size_t n;
    do {
        n = ltcp_host_transmit(s->pair.end[0].host, s->pair.now, packets, 64);
        bench_must(s->tail - s->head + n <= WIRE, "more than a window is under way");
        for (size_t i = 0; i < n; i++)
            s->wire[s->tail++ % WIRE] = packets[i];
    } while (n == 64);
}

static void deliver(struct stream *s)
{
    struct bench_end *end = &s->pair.end[1];
    for (size_t i = 0; i < s->batch && s->head != s->tail; i++) {
        struct ltcp_packet *packet = s->wire[s->head++ % WIRE];
        packet->time = s->pair.now;
        bench_ok(ltcp_host_receive(end->host, s->pair.now, packet));
        ltcp_packet_unref(packet);
    }
}

static uint32_t take_events(struct stream *s, unsigned i)
{
    struct ltcp_event event;
    uint32_t bits = 0;
    while (ltcp_host_next_event(s->pair.end[i].host, &event))
        bits |= event.bits;
    return bits;
}

/* One turn of both owners' loops, a microsecond long. */
static void turn(struct stream *s)
{
    struct bench_pair *p = &s->pair;
    p->now += LTCP_MICROSECOND;
    for (unsigned i = 0; i < 2; i++)
        if (ltcp_host_next_deadline(p->end[i].host) <= p->now)
            ltcp_host_advance(p->end[i].host, p->now);
    if (take_events(s, 0) & LTCP_EVENT_WRITABLE) write_all(s);
    send_all(s);
    deliver(s);
    if (take_events(s, 1) & LTCP_EVENT_READABLE) read_all(s);
    bench_carry(p, 1);
}

static void stream_run(struct stream *s, uint64_t segments)
{
    const uint64_t until = s->octets_read + segments * PAYLOAD;
    while (s->octets_read < until)
        turn(s);
}

/* Long enough for slow start to fill the window, and for every pool to have its pieces. */
static void stream_warm(struct stream *s, const struct scene *scene)
{
    stream_run(s, 2000 + 8 * (uint64_t)scene->window / PAYLOAD);
}

/* ---- the bare passes --------------------------------------------------------------------------
 */

/* As many blocks as a window has, at the distance that the pool's have. */
struct passes {
    uint8_t *bytes;
    uint32_t *sums;
    size_t blocks, at;
    size_t offset;
    uint32_t wrong;
};
#define BLOCK_DISTANCE 2176

static void passes_open(struct passes *p, const struct scene *scene)
{
    memset(p, 0, sizeof *p);
    p->blocks = scene->window / PAYLOAD;
    p->bytes = calloc(p->blocks, BLOCK_DISTANCE);
    p->sums = calloc(p->blocks, sizeof *p->sums);
    bench_must(p->bytes != NULL && p->sums != NULL, "no memory");
    for (size_t i = 0; i < p->blocks; i++)
        p->sums[i] = ltcp_sum(0, p->bytes + i * BLOCK_DISTANCE, PAYLOAD);
}

static void passes_close(struct passes *p)
{
    bench_must(p->wrong == 0, "a sum is wrong");
    free(p->bytes);
    free(p->sums);
}

/* The oldest block is verified and read, and written anew. */
static void passes_run(struct passes *p, uint64_t segments)
{
    for (uint64_t i = 0; i < segments; i++) {
        const size_t length = payload;
        uint8_t *block = p->bytes + p->at * BLOCK_DISTANCE;
        p->wrong |= ltcp_sum(0, block, length) ^ p->sums[p->at];
        memcpy(sink + (i & 1) * PAYLOAD, block, length);
        __asm__ volatile("" ::"r"(sink) : "memory"); /* the copy is wanted */
        if (p->offset + length > SOURCE) p->offset = 0;
        p->sums[p->at] = ltcp_sum_copy(0, block, source + p->offset, length);
        p->offset += length;
        p->at = p->at + 1 < p->blocks ? p->at + 1 : 0;
    }
}

/* ---- time -------------------------------------------------------------------------------------
 */

static double time_stream(struct stream *s)
{
    const int64_t start = bench_clock();
    stream_run(s, SEGMENTS);
    return (double)(bench_clock() - start) / SEGMENTS;
}

static double time_passes(struct passes *p)
{
    const int64_t start = bench_clock();
    passes_run(p, SEGMENTS);
    return (double)(bench_clock() - start) / SEGMENTS;
}

static void measure(struct bench *b, const struct scene *scene)
{
    struct stream stream;
    struct passes passes;
    stream_open(&stream, scene);
    passes_open(&passes, scene);
    stream_warm(&stream, scene);
    passes_run(&passes, 10000);
    struct bench_samples whole = {.count = 0}, bare = {.count = 0};
    for (int i = 0; i < REPETITIONS; i++) {
        bench_sample(&bare, time_passes(&passes));
        bench_sample(&whole, time_stream(&stream));
    }
    const double ns = bench_median(&whole), passes_ns = bench_median(&bare);
    bench_print(b, &(struct bench_row){.label = scene->label,
                                       .metric = "segment_ns",
                                       .unit = "ns",
                                       .value = ns,
                                       .best = whole.value[0],
                                       .versus = "the three passes",
                                       .versus_value = passes_ns});
    bench_print(b, &(struct bench_row){.label = scene->label,
                                       .metric = "segments_per_second",
                                       .unit = "segments/s",
                                       .value = 1e9 / ns,
                                       .best = 1e9 / whole.value[0],
                                       .versus = "the three passes",
                                       .versus_value = 1e9 / passes_ns});
    passes_close(&passes);
    stream_close(&stream);
}

/* ---- instructions -----------------------------------------------------------------------------
 */

static void run_exactly(bool passes_only, uint64_t segments, const struct scene *scene)
{
    if (passes_only) {
        struct passes passes;
        passes_open(&passes, scene);
        passes_run(&passes, segments);
        passes_close(&passes);
        return;
    }
    struct stream stream;
    stream_open(&stream, scene);
    stream_warm(&stream, scene);
    stream_run(&stream, segments);
    stream_close(&stream);
}

/* Instructions of this program with those arguments, as callgrind counts them; 0: it would not. */
static double count_instructions(const char *program, const char *mode, unsigned segments,
                                 unsigned scene)
{
    char command[4200], line[256];
    snprintf(command, sizeof command,
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null '%s' %s %u %u 2>&1", program,
             mode, segments, scene);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) return 0;
    double collected = 0;
    while (fgets(line, sizeof line, pipe) != NULL) {
        const char *found = strstr(line, "Collected : ");
        if (found != NULL) collected = strtod(found + strlen("Collected : "), NULL);
    }
    return pclose(pipe) == 0 ? collected : 0;
}

static double instructions_each(const char *program, const char *mode, unsigned scene)
{
    const unsigned few = 2000, many = 12000;
    const double a = count_instructions(program, mode, few, scene);
    const double b = count_instructions(program, mode, many, scene);
    return a > 0 && b > a ? (b - a) / (many - few) : 0;
}

static void count(struct bench *b)
{
    char program[4000];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0 || system("valgrind --version >/dev/null 2>&1") != 0) {
        bench_note(b, "segment_instructions: not counted, valgrind is not here");
        return;
    }
    program[length] = 0;
    for (unsigned i = 0; i < SCENE_COUNT; i++) {
        const double whole = instructions_each(program, "--exactly", i);
        const double bare = instructions_each(program, "--passes", i);
        if (whole <= 0 || bare <= 0) {
            bench_note(b, "segment_instructions: not counted, valgrind failed");
            return;
        }
        bench_print(b, &(struct bench_row){.label = scenes[i].label,
                                           .metric = "segment_instructions",
                                           .unit = "instr.",
                                           .value = whole,
                                           .best = whole,
                                           .versus = "the three passes",
                                           .versus_value = bare});
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 2654435761u >> 13);
    if (argc == 4 && (strcmp(argv[1], "--exactly") == 0 || strcmp(argv[1], "--passes") == 0)) {
        const unsigned long scene = strtoul(argv[3], NULL, 10);
        bench_must(scene < SCENE_COUNT, "no such case");
        run_exactly(argv[1][2] == 'p', strtoul(argv[2], NULL, 10), &scenes[scene]);
        return 0;
    }
    struct bench b = bench_open("segments", argc, argv);
    for (size_t i = 0; i < SCENE_COUNT; i++)
        measure(&b, &scenes[i]);
    count(&b);
    return 0;
}
