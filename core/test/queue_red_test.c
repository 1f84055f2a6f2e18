/* core/test/queue_red_test.c - Random Early Detection by the paper of 1993: the average, the
 * probability at it, how drops are spread, and ECN by RFC 3168 section 7. */
#include "queue_samples.h"

#include <math.h>

#define TWO_32 4294967296.0

/* avg = (1 - w) * avg + w * q at each arrival. RFC7567:4.2-1, 4.4-1 */
static void average(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.min_threshold = 5000;
    rig.path.queue.max_threshold = 9000;
    rig.path.queue_packets = 0;
    rig_start(&rig);
    double avg = 0;
    unsigned q = 0;
    uint32_t seed = 3;
    for (unsigned i = 0; i < 5000; i++) {
        if (check_random(&seed) % 5 < 3) {
            avg = 0.998 * avg + 0.002 * q++;
            CHECK_EQUAL(rig_put(&rig, i, 100, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
        } else if (q > 0) {
            rig_get(&rig, i);
            rig.busy_until = i + 1; /* never idle */
            q--;
        }
        CHECK_NEAR((double)rig_state(&rig, i).average / 65536, avg, 0.02);
    }
    CHECK(avg > 100);
    rig_close(&rig);
}

/* An empty queue: as if m packets of the mean size had come and found nothing. */
static void idle_time(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.min_threshold = 500;
    rig.path.queue.max_threshold = 900;
    rig.path.queue.weight = LTCP_CERTAIN / 4;
    rig_start(&rig);
    for (unsigned i = 0; i < 101; i++)
        rig_put(&rig, 0, 1500, LTCP_ECN_NOT_ECT);
    const double before = (double)rig_state(&rig, 0).average / 65536;
    CHECK(before > 90);
    for (unsigned i = 0; i < 101; i++)
        rig_get(&rig, MS);
    /* 1,500 octets at 10 Mbit/s take 1.2 ms: 7 of them, and a bit. */
    rig_put(&rig, MS + 7 * 1200000 + 500000, 1500, LTCP_ECN_NOT_ECT);
    CHECK_NEAR((double)rig_state(&rig, 0).average / 65536, before * pow(0.75, 7), 0.01);
    rig_get(&rig, 20 * MS);
    rig_put(&rig, 24 * 3600 * LTCP_SECOND, 1500, LTCP_ECN_NOT_ECT);
    CHECK_EQUAL(rig_state(&rig, 0).average, 0);
    rig_close(&rig);
}

/* With a weight of 1 the average is the queue as it is found. */
static void hold(struct rig *rig, uint32_t q)
{
    rig->busy_until = INT64_MAX / 4;
    while (rig->aqm.backlog.packets > q) {
        rig_get(rig, 0);
        rig->busy_until = INT64_MAX / 4;
    }
    for (unsigned tries = 0; rig->aqm.backlog.packets < q && tries < 100000; tries++)
        rig_put(rig, 0, 1000, LTCP_ECN_ECT0);
}

static double probability_at(struct rig *rig, uint32_t q)
{
    hold(rig, q);
    rig_put(rig, 0, 1000, LTCP_ECN_ECT0);
    CHECK_EQUAL(rig_state(rig, 0).average, (uint64_t)q << 16);
    return OF_32(rig_state(rig, 0).probability);
}

/* p_b = max_p (avg - min) / (max - min); with the gentle slope from max_p at max to 1 at twice max.
 */
static void probability(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.weight = LTCP_CERTAIN;
    rig.path.queue.min_threshold = 10;
    rig.path.queue.max_threshold = 30;
    rig_start(&rig);
    for (uint32_t q = 0; q < 60; q++) {
        const double want = q < 10 ? 0 : q < 30 ? 0.1 * (q - 10) / 20 : 0.1 + 0.9 * (q - 30) / 30;
        CHECK_NEAR(probability_at(&rig, q), want, 1e-8);
    }
    hold(&rig, 60);
    rig.busy_until = INT64_MAX / 4;
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_AQM); /* RFC 3168 section 7 */
    rig_close(&rig);

    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.weight = LTCP_CERTAIN;
    rig.path.queue.min_threshold = 10;
    rig.path.queue.max_threshold = 30;
    rig.path.queue.gentle = false;
    rig_start(&rig);
    CHECK_NEAR(probability_at(&rig, 29), 0.1 * 19 / 20, 1e-8);
    hold(&rig, 30);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_AQM);
    CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT), LTCP_DROP_AQM);
    rig_close(&rig);
}

/* p_a = p_b / (1 - count p_b), where figure 2 counts the packet itself: the gaps between two marks
 * are uniform in 1 .. 1/p_b - 1, so none is longer, and their mean is 1 / (2 p_b). RFC7567:4.2-2 */
static void marks_are_spread(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.weight = LTCP_CERTAIN;
    rig.path.queue.min_threshold = 10;
    rig.path.queue.max_threshold = 30;
    rig_start(&rig);
    hold(&rig, 20); /* p_b = 0.05 */
    unsigned gap = 0, gaps = 0, sum = 0, longest = 0, halves[2] = {0, 0};
    for (unsigned i = 0; i < 40000; i++) {
        const uint64_t before = rig.counters.marked;
        rig.busy_until = INT64_MAX / 4;
        CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
        rig_get(&rig, 0);
        gap++;
        if (rig.counters.marked == before) continue;
        if (gaps++ > 0) {
            sum += gap;
            halves[gap > 10]++;
            if (gap > longest) longest = gap;
        }
        gap = 0;
    }
    CHECK_EQUAL(longest, 19);
    CHECK_NEAR((double)sum / (gaps - 1), 10, 0.35); /* 4,000 gaps: four standard deviations */
    CHECK_NEAR((double)halves[0] / halves[1], 10.0 / 9, 0.14);
    CHECK_EQUAL(rig.counters.early, 0);
    rig_close(&rig);
}

/* Not ECN-capable: the same draws drop. Below min nothing happens, and the count begins anew.
 * RFC7567:4.2.1-1 */
static void drops(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.weight = LTCP_CERTAIN;
    rig.path.queue.ecn = false;
    rig_start(&rig);
    unsigned dropped = 0;
    for (unsigned i = 0; i < 1000; i++) {
        rig.busy_until = INT64_MAX / 4;
        if (rig.aqm.backlog.packets >= 4) rig_get(&rig, 0);
        rig.busy_until = INT64_MAX / 4;
        CHECK_EQUAL(rig_put(&rig, 0, 1000, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    }
    hold(&rig, 10);
    while (rig.aqm.backlog.packets < 10)
        rig_put(&rig, 0, 1000, LTCP_ECN_NOT_ECT);
    for (unsigned i = 0; i < 40000; i++) {
        rig.busy_until = INT64_MAX / 4;
        if (rig_put(&rig, 0, 1000, LTCP_ECN_ECT0) == LTCP_DROP_AQM)
            dropped++;
        else
            rig_get(&rig, 0);
    }
    CHECK_NEAR(dropped, 40000 / 10.0, 140); /* p_b = 0.1 * 5/10 */
    CHECK_EQUAL(rig.counters.marked, 0);
    rig_close(&rig);
}

/* In octets: thresholds of octets, and a short packet's probability is less. */
static void in_octets(void)
{
    struct rig rig;
    rig_open(&rig, LTCP_QUEUE_RED);
    rig.path.queue.weight = LTCP_CERTAIN;
    rig.path.queue.in_bytes = true;
    rig.path.queue.min_threshold = 10000;
    rig.path.queue.max_threshold = 30000;
    rig_start(&rig);
    for (unsigned tries = 0; rig.aqm.backlog.bytes < 20000 && tries < 1000; tries++)
        rig_put(&rig, 0, 1000, LTCP_ECN_ECT0);
    const uint32_t waits = rig.aqm.backlog.packets;
    uint64_t marked[2] = {0, 0};
    for (unsigned i = 0; i < 30000; i++) {
        const uint64_t before = rig.counters.marked;
        const bool is_short = i >= 15000;
        rig.busy_until = INT64_MAX / 4;
        rig_put(&rig, 0, is_short ? 150 : 1500, LTCP_ECN_ECT0);
        /* Out again at the end, so that the queue stays the same. */
        struct waiting waiting;
        while (rig.aqm.backlog.packets > waits) {
            CHECK(aqm_take_waiting(&rig.aqm, &waiting));
            ltcp_packet_unref(waiting.packet);
        }
        while (rig.aqm.backlog.bytes < 20000) {
            struct waiting filler = {.packet = rig_packet(&rig, 1000, 0, 1), .length = 1000};
            CHECK(backlog_reserve(&rig.aqm.backlog, &rig.allocator));
            fifo_push(&rig.aqm.backlog, &rig.aqm.waiting, &filler);
        }
        while (rig.aqm.backlog.bytes > 20999) {
            CHECK(aqm_take_waiting(&rig.aqm, &waiting));
            ltcp_packet_unref(waiting.packet);
        }
        marked[is_short] += rig.counters.marked - before;
    }
    CHECK(marked[0] > 1000);
    CHECK_NEAR((double)marked[1] / (double)marked[0], 0.1, 0.05);
    rig_close(&rig);
}

/* One seed, one run; and the digest sees what was drawn from and how long the link was idle. */
static void draws_are_the_seeds(void)
{
    uint64_t patterns[3] = {0, 0, 0};
    for (unsigned run = 0; run < 3; run++) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_RED);
        rig.path.queue.weight = LTCP_CERTAIN;
        rig_start(&rig);
        if (run == 2) aqm_seed(&rig.aqm, 8, 1);
        for (unsigned i = 0; i < 64; i++) {
            const uint64_t before = rig.counters.marked;
            rig.busy_until = INT64_MAX / 4;
            if (rig.aqm.backlog.packets > 12) rig_get(&rig, 0);
            rig.busy_until = INT64_MAX / 4;
            rig_put(&rig, 0, 1000, LTCP_ECN_ECT0);
            patterns[run] = patterns[run] << 1 | (rig.counters.marked > before);
        }
        rig_close(&rig);
    }
    CHECK(patterns[0] != 0);
    CHECK(patterns[0] == patterns[1]);
    CHECK(patterns[0] != patterns[2]);
}

/* The draws are the same for short packets and long ones, and whatever the protocol is.
 * RFC7567:4.4-2, 4.5-1 */
static void looks_at_no_size_and_no_transport(void)
{
    uint64_t marked[3][400];
    unsigned count[3] = {0, 0, 0};
    for (unsigned i = 0; i < 3; i++) {
        struct rig rig;
        rig_open(&rig, LTCP_QUEUE_RED);
        rig.path.queue.weight = LTCP_CERTAIN;
        rig_start(&rig);
        rig.busy_until = INT64_MAX / 4;
        for (unsigned n = 0; n < 4000; n++) {
            const uint32_t length = i == 1 ? 40 : 1500;
            struct waiting waiting = {.packet = rig_packet(&rig, length, LTCP_ECN_ECT0, 1000)};
            waiting.length = length;
            waiting.passage.index = rig.index;
            if (i == 2) waiting.packet->head[9] = 17;
            const struct aqm_moment at = {0, rig.busy_until, &rig.path};
            const uint64_t before = rig.counters.marked;
            CHECK_EQUAL(aqm_enqueue(&rig.aqm, &at, &waiting), LTCP_DROP_NONE);
            if (rig.counters.marked > before && count[i] < 400) marked[i][count[i]++] = n;
            if (rig.aqm.backlog.packets < 12) continue;
            struct waiting out;
            CHECK(aqm_take_waiting(&rig.aqm, &out));
            ltcp_packet_unref(out.packet);
        }
        rig_close(&rig);
    }
    CHECK(count[0] > 100);
    for (unsigned i = 1; i < 3; i++) {
        CHECK_EQUAL(count[i], count[0]);
        CHECK(memcmp(marked[i], marked[0], count[0] * sizeof **marked) == 0);
    }
}

int main(void)
{
    looks_at_no_size_and_no_transport();
    average();
    idle_time();
    probability();
    marks_are_spread();
    drops();
    in_octets();
    draws_are_the_seeds();
    return check_finish();
}
