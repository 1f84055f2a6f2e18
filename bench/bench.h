/* bench/bench.h
 *
 * What the benches share: a clock, medians, an allocator that counts, two hosts with nothing
 * between them, and rows that come out as a table or, with --json, as one object a line. A bench
 * judges nothing: it prints what it measured beside what that is to be compared with. */
#ifndef LUNATCP_BENCH_BENCH_H
#define LUNATCP_BENCH_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lunatcp/host.h"

/* ---- results ----------------------------------------------------------------------------------
 */

struct bench {
    const char *name; /* "segments" */
    bool json;
    bool begun;
};

/* One figure. `versus` names what it is compared with, and `versus_value` is that in the same unit;
 * NULL: nothing. `best` is the best repetition's, or `value` again where there was only one. */
struct bench_row {
    const char *label, *metric, *unit, *versus;
    double value, best, versus_value;
};

static inline void bench_print(struct bench *b, const struct bench_row *row)
{
    const int digits = row->value < 100 ? 1 : 0;
    if (b->json) {
        printf("{\"bench\": \"%s\", \"case\": \"%s\", \"metric\": \"%s\", \"value\": %.*f, "
               "\"best\": %.*f, \"unit\": \"%s\"",
               b->name, row->label, row->metric, digits, row->value, digits, row->best, row->unit);
        if (row->versus != NULL)
            printf(", \"versus\": \"%s\", \"versus_value\": %.*f, \"ratio\": %.3f}\n", row->versus,
                   digits, row->versus_value, row->value / row->versus_value);
        else
            printf(", \"versus\": null, \"ratio\": null}\n");
    } else {
        if (!b->begun)
            printf("%s\n  %-29s %-28s %12s %12s  %-10s %s\n", b->name, "case", "metric", "median",
                   "best", "unit", "versus");
        printf("  %-29s %-28s %12.*f %12.*f  %-10s", row->label, row->metric, digits, row->value,
               digits, row->best, row->unit);
        if (row->versus != NULL)
            printf(" %.2f x %s (%.*f)", row->value / row->versus_value, row->versus, digits,
                   row->versus_value);
        printf("\n");
    }
    b->begun = true;
    fflush(stdout);
}

/* What could not be measured, and why; for people. */
static inline void bench_note(const struct bench *b, const char *text)
{
    fprintf(b->json ? stderr : stdout, "  %s\n", text);
}

static inline struct bench bench_open(const char *name, int argc, char **argv)
{
    struct bench b = {.name = name};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0) b.json = true;
    return b;
}

/* ---- time and samples -------------------------------------------------------------------------
 */

/* Time that this process had the processor: what else the machine does counts less than on a wall
 * clock. No bench of this kind waits. */
static inline int64_t bench_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#define BENCH_SAMPLES_MOST 64
struct bench_samples {
    double value[BENCH_SAMPLES_MOST];
    size_t count;
};
static inline void bench_sample(struct bench_samples *s, double value)
{
    if (s->count < BENCH_SAMPLES_MOST) s->value[s->count++] = value;
}
static inline int bench_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* The samples are sorted by it: the first is the least afterwards. */
static inline double bench_median(struct bench_samples *s)
{
    qsort(s->value, s->count, sizeof s->value[0], bench_compare);
    return (s->value[(s->count - 1) / 2] + s->value[s->count / 2]) / 2;
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static inline void bench_must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}
static inline void bench_ok(enum ltcp_status status)
{
    if (status != LTCP_OK) bench_must(false, ltcp_status_message(status));
}

/* An allocator whose context is a counter of the octets that are out. */
static inline void *bench_resize(void *context, void *old, size_t old_size, size_t size)
{
    size_t *held = context;
    *held += size - old_size;
    if (size != 0) return realloc(old, size);
    free(old);
    return NULL;
}

/* ---- two hosts --------------------------------------------------------------------------------
 * Each with a pool of its own, so that what an end costs can be told from what the other does. */
struct bench_end {
    struct ltcp_pool *pool;
    struct ltcp_host *host;
    struct ltcp_address address;
    size_t held; /* octets from the allocator */
};
struct bench_pair {
    struct bench_end end[2];
    ltcp_time now;
};

static inline void bench_pair_open(struct bench_pair *p, const struct ltcp_settings *settings,
                                   uint32_t mtu)
{
    memset(p, 0, sizeof *p);
    p->now = LTCP_SECOND;
    for (unsigned i = 0; i < 2; i++) {
        struct bench_end *end = &p->end[i];
        uint32_t number;
        end->pool = ltcp_pool_create(&(struct ltcp_allocator){bench_resize, &end->held});
        bench_must(end->pool != NULL, "no memory");
        end->host = ltcp_host_create(&(struct ltcp_host_config){
            .pool = end->pool, .settings = settings, .secret = {1 + i, 2}, .id = i});
        bench_must(end->host != NULL, "no memory");
        end->address = ltcp_address_v4(10, 0, 0, (uint8_t)(1 + i));
        bench_ok(ltcp_host_add_interface(end->host, mtu, &number));
        bench_ok(ltcp_host_add_address(end->host, number, &end->address, 24));
    }
}

static inline void bench_pair_close(struct bench_pair *p)
{
    for (unsigned i = 0; i < 2; i++)
        ltcp_host_destroy(p->end[i].host);
    for (unsigned i = 0; i < 2; i++)
        ltcp_pool_destroy(p->end[i].pool);
}

/* What host `from` has to send reaches the other one at once; false: it had nothing. */
static inline bool bench_carry(struct bench_pair *p, unsigned from)
{
    struct ltcp_packet *packets[64];
    const size_t n = ltcp_host_transmit(p->end[from].host, p->now, packets, 64);
    for (size_t i = 0; i < n; i++) {
        packets[i]->time = p->now;
        ltcp_host_receive(p->end[!from].host, p->now, packets[i]);
        ltcp_packet_unref(packets[i]);
    }
    return n > 0;
}
static inline void bench_settle(struct bench_pair *p)
{
    for (bool busy = true; busy;) {
        busy = bench_carry(p, 0);
        busy = bench_carry(p, 1) || busy;
    }
}
static inline void bench_drop_events(struct ltcp_host *host)
{
    struct ltcp_event event;
    while (ltcp_host_next_event(host, &event)) {
    }
}

#endif
