/* core/test/path_test.c - one direction of a link: chances, queue, rate, delay.
 *
 * Packets that a path gives back are told apart by `id`, which the tests set to the index. */
#include "network_samples.h"
#include "lunatcp/network.h"

static struct check_memory memory;
static struct ltcp_allocator allocator;
static struct ltcp_pool *pool;

#define P(numerator, denominator) (LTCP_CERTAIN * (numerator) / (denominator))

static struct ltcp_path *make(const struct ltcp_path_config *config)
{
    struct ltcp_path *path = NULL;
    CHECK_STATUS(ltcp_path_create(pool, config, &path), LTCP_OK);
    return path;
}

static enum ltcp_drop push_as(struct ltcp_path *path, ltcp_time now, uint32_t length, uint64_t id,
                              const struct ltcp_fate *fate)
{
    struct ltcp_packet *packet = sample_of_length(pool, length);
    packet->id = id;
    enum ltcp_drop drop = ltcp_path_push(path, now, packet, fate, id);
    ltcp_packet_unref(packet);
    return drop;
}

/* The next packet out, at its own time: its id, 0 when there is none; and when, which notes. */
static uint64_t pop_as(struct ltcp_path *path, ltcp_time *time, uint8_t *notes,
                       enum ltcp_drop *reason)
{
    enum ltcp_drop why;
    *time = ltcp_path_deadline(path);
    struct ltcp_packet *packet = ltcp_path_pop(path, *time, reason != NULL ? reason : &why);
    if (packet == NULL) return 0;
    if (notes != NULL) *notes = packet->notes;
    uint64_t id = packet->id;
    ltcp_packet_unref(packet);
    return id;
}

static uint64_t pop(struct ltcp_path *path, ltcp_time *time)
{
    return pop_as(path, time, NULL, NULL);
}

/* Sends `count` packets of 40 octets; writes 1 into lost[i] for the lost ones; returns how many. */
static unsigned run_losses(const struct ltcp_path_config *config, unsigned count, uint8_t *lost)
{
    struct ltcp_path *path = make(config);
    unsigned total = 0;
    for (unsigned i = 0; i < count; i++) {
        ltcp_time time;
        enum ltcp_drop reason = push_as(path, i, 40, i + 1, NULL);
        uint64_t first = pop_as(path, &time, NULL, &reason);
        bool is_lost = reason == LTCP_DROP_LOSS;
        CHECK(is_lost || (reason == LTCP_DROP_NONE && first == i + 1));
        while (pop(path, &time) != 0) {
        }
        if (lost != NULL) lost[i] = is_lost;
        total += is_lost;
    }
    CHECK_EQUAL(ltcp_path_counters(path)->dropped[LTCP_DROP_LOSS], total);
    CHECK_EQUAL(ltcp_path_counters(path)->packets, count);
    ltcp_path_destroy(path);
    return total;
}

/* ---- loss -------------------------------------------------------------------------------------
 */

static void lists_and_patterns(void)
{
    uint8_t lost[12];
    const uint64_t list[] = {1, 4, 5, 12};
    struct ltcp_path_config config = {
        .loss_model = LTCP_LOSS_LIST, .loss_list = list, .loss_count = 4};
    CHECK_EQUAL(run_losses(&config, 12, lost), 4);
    CHECK_BYTES(lost, 12, "01 00 00 01 01 00 00 00 00 00 00 01");

    const uint8_t pattern[] = {0, 0, 1, 0, 1};
    config = (struct ltcp_path_config){
        .loss_model = LTCP_LOSS_PERIODIC, .loss_pattern = pattern, .loss_count = 5};
    CHECK_EQUAL(run_losses(&config, 12, lost), 4);
    CHECK_BYTES(lost, 12, "00 00 01 00 01 00 00 01 00 01 00 00");

    config = (struct ltcp_path_config){.loss_model = LTCP_LOSS_NONE, .seed = 1};
    CHECK_EQUAL(run_losses(&config, 12, lost), 0);
}

static void bernoulli(void)
{
    struct ltcp_path_config config = {
        .loss_model = LTCP_LOSS_BERNOULLI, .loss = P(1, 100), .seed = 42, .stream = 7};
    unsigned lost = run_losses(&config, 100000, NULL);
    /* 1,000 expected, standard deviation 31.5: within four of them. */
    CHECK(lost > 874 && lost < 1126);
    config.seed = 43;
    CHECK(run_losses(&config, 100000, NULL) != lost);
    config.loss = LTCP_CERTAIN;
    CHECK_EQUAL(run_losses(&config, 100, NULL), 100);
    config.loss = 0;
    CHECK_EQUAL(run_losses(&config, 100, NULL), 0);

    /* The losses of one seed and stream are these, on every machine and for good. */
    uint8_t pattern[16];
    config = (struct ltcp_path_config){
        .loss_model = LTCP_LOSS_BERNOULLI, .loss = P(1, 2), .seed = 42, .stream = 7};
    run_losses(&config, 16, pattern);
    CHECK_BYTES(pattern, 16, "01 00 01 01 01 00 00 01 00 01 01 00 00 01 00 00");
}

static void gilbert_elliott(void)
{
    static uint8_t lost[100000];
    struct ltcp_path_config config = {.loss_model = LTCP_LOSS_GILBERT,
                                      .gilbert_bad = P(1, 50),
                                      .gilbert_good = P(1, 5),
                                      .gilbert_loss_good = 0,
                                      .gilbert_loss_bad = LTCP_CERTAIN,
                                      .seed = 5};
    unsigned total = run_losses(&config, 100000, lost);
    /* In the long run 1 of 11 packets finds the bad state; bursts last 5 packets on average. */
    CHECK(total > 100000 / 11 - 800 && total < 100000 / 11 + 800);
    unsigned bursts = 0;
    for (unsigned i = 0; i < 100000; i++)
        bursts += lost[i] && (i == 0 || !lost[i - 1]);
    CHECK(total * 10 / bursts > 46 && total * 10 / bursts < 54);
    CHECK(!lost[0]); /* the first packet finds the good state */

    /* Bad for good, and good again at once: every second packet. */
    config.gilbert_bad = config.gilbert_good = LTCP_CERTAIN;
    run_losses(&config, 6, lost);
    CHECK_BYTES(lost, 6, "00 01 00 01 00 01");
    /* Half of what the bad state meets. */
    config.gilbert_good = 0;
    config.gilbert_loss_bad = P(1, 2);
    total = run_losses(&config, 10000, NULL);
    CHECK(total > 4800 && total < 5200);

    /* Another model in between: the first packet finds the good state again. */
    const struct ltcp_path_config none = {.seed = 5};
    config.gilbert_loss_bad = LTCP_CERTAIN;
    struct ltcp_path *path = make(&config);
    CHECK_EQUAL(push_as(path, 0, 40, 1, NULL), LTCP_DROP_NONE);
    CHECK_EQUAL(push_as(path, 0, 40, 2, NULL), LTCP_DROP_LOSS);
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    CHECK_EQUAL(push_as(path, 0, 40, 3, NULL), LTCP_DROP_LOSS);
    CHECK_STATUS(ltcp_path_configure(path, &none), LTCP_OK);
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    CHECK_EQUAL(push_as(path, 0, 40, 4, NULL), LTCP_DROP_NONE);
    ltcp_path_destroy(path);
}

/* A purpose has a stream of its own: whatever else befalls them, the same packets are lost. */
static void streams_are_independent(void)
{
    static uint8_t plain[2000], with_others[2000];
    struct ltcp_path_config config = {
        .loss_model = LTCP_LOSS_BERNOULLI, .loss = P(1, 10), .seed = 9, .stream = 3};
    unsigned total = run_losses(&config, 2000, plain);
    config.duplicate = P(1, 3);
    config.corrupt = P(1, 3);
    config.reorder = P(1, 3);
    config.reorder_delay = LTCP_MILLISECOND;
    config.jitter = LTCP_MILLISECOND;
    config.loss_after_queue = true;
    /* Held back packets come out in another order: look at the counters only, then at ids. */
    struct ltcp_path *path = make(&config);
    memset(with_others, 1, sizeof with_others);
    for (uint64_t i = 1; i <= 2000; i++)
        push_as(path, 0, 40, i, NULL);
    ltcp_time time;
    enum ltcp_drop reason;
    for (uint64_t id; (id = pop_as(path, &time, NULL, &reason)) != 0;)
        if (reason == LTCP_DROP_NONE) with_others[id - 1] = 0;
    CHECK(memcmp(plain, with_others, 2000) == 0);
    CHECK(total > 150);
    const struct ltcp_path_counters *c = ltcp_path_counters(path);
    CHECK(c->duplicated > 550 && c->duplicated < 780);
    CHECK(c->corrupted > 550 && c->corrupted < 780);
    ltcp_path_destroy(path);

    config = (struct ltcp_path_config){
        .loss_model = LTCP_LOSS_BERNOULLI, .loss = P(1, 10), .seed = 9, .stream = 4};
    run_losses(&config, 2000, with_others);
    CHECK(memcmp(plain, with_others, 2000) != 0);
}

/* Chances hang on the packet's index, so that what befell earlier packets changes nothing. */
static void indices_count_what_entered(void)
{
    struct ltcp_path_config config = {
        .loss_model = LTCP_LOSS_BERNOULLI, .loss = P(1, 2), .seed = 9};
    struct ltcp_path *a = make(&config), *b = make(&config);
    const struct ltcp_fate drop = {.drop = true};
    for (uint64_t i = 1; i <= 64; i++) {
        ltcp_path_set_up(b, i > 16);
        enum ltcp_drop at_a = push_as(a, 0, 40, i, NULL);
        enum ltcp_drop at_b = push_as(b, 0, 40, i, i > 16 && i <= 32 ? &drop : NULL);
        if (i <= 16)
            CHECK_EQUAL(at_b, LTCP_DROP_DOWN);
        else if (i <= 32)
            CHECK_EQUAL(at_b, LTCP_DROP_RULE);
        else
            CHECK_EQUAL(at_a, at_b);
    }
    CHECK_EQUAL(ltcp_path_counters(b)->dropped[LTCP_DROP_DOWN], 16);
    CHECK_EQUAL(ltcp_path_counters(b)->dropped[LTCP_DROP_RULE], 16);
    /* Another configuration goes on counting; seed 0 keeps the stream. */
    config.seed = 0;
    CHECK_STATUS(ltcp_path_configure(b, &config), LTCP_OK);
    for (uint64_t i = 65; i <= 128; i++) {
        enum ltcp_drop at_a = push_as(a, 0, 40, i, NULL);
        CHECK_EQUAL(at_a, push_as(b, 0, 40, i, NULL));
    }
    ltcp_path_destroy(a);
    ltcp_path_destroy(b);
}

static void loss_behind_the_queue(void)
{
    const uint64_t list[] = {2};
    struct ltcp_path_config config = {.rate = 1000000,
                                      .delay = LTCP_MILLISECOND,
                                      .loss_model = LTCP_LOSS_LIST,
                                      .loss_list = list,
                                      .loss_count = 1,
                                      .loss_after_queue = true};
    struct ltcp_path *path = make(&config);
    for (uint64_t i = 1; i <= 3; i++)
        CHECK_EQUAL(push_as(path, 0, 125, i, NULL), LTCP_DROP_NONE);
    ltcp_time time;
    enum ltcp_drop reason;
    CHECK_EQUAL(pop_as(path, &time, NULL, &reason), 1);
    CHECK_EQUAL(reason, LTCP_DROP_NONE);
    CHECK_EQUAL(pop_as(path, &time, NULL, &reason), 2);
    CHECK_EQUAL(reason, LTCP_DROP_LOSS);
    /* The lost one took its time on the wire. */
    CHECK_EQUAL(pop_as(path, &time, NULL, &reason), 3);
    CHECK_EQUAL(time, 4 * LTCP_MILLISECOND);
    ltcp_path_destroy(path);
}

/* ---- duplication and corruption ---------------------------------------------------------------
 */

static void duplication(void)
{
    struct ltcp_path_config config = {.delay = 100, .duplicate = LTCP_CERTAIN};
    struct ltcp_path *path = make(&config);
    push_as(path, 0, 40, 1, NULL);
    push_as(path, 0, 40, 2, NULL);
    ltcp_time time;
    uint8_t notes = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(pop_as(path, &time, &notes, NULL), 1 + i / 2);
        CHECK_EQUAL(time, 100);
        CHECK_EQUAL(notes, i % 2 == 0 ? 0 : LTCP_NOTE_DUPLICATE);
    }
    const struct ltcp_fate fate = {.duplicates = 2, .duplicate_delay = 50};
    push_as(path, 0, 40, 3, &fate);
    CHECK_EQUAL(pop_as(path, &time, &notes, NULL), 3);
    CHECK_EQUAL(time, 100);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(pop_as(path, &time, &notes, NULL), 3);
        CHECK_EQUAL(time, 150);
        CHECK_EQUAL(notes, LTCP_NOTE_DUPLICATE | LTCP_NOTE_DELAYED);
    }
    CHECK_EQUAL(ltcp_path_counters(path)->duplicated, 5);
    /* Held back together, the copies still come behind the original. */
    const struct ltcp_fate held = {.delay = 50, .duplicates = 6};
    push_as(path, 0, 40, 4, &held);
    for (int i = 0; i < 8; i++) {
        CHECK_EQUAL(pop_as(path, &time, &notes, NULL), 4);
        CHECK_EQUAL(notes & LTCP_NOTE_DUPLICATE, i == 0 ? 0 : LTCP_NOTE_DUPLICATE);
    }
    ltcp_path_destroy(path);
}

struct difference {
    size_t first, last, count; /* bits of the packet */
};

static struct difference compare(const struct ltcp_packet *a, const struct ltcp_packet *b)
{
    uint8_t before[2048], after[2048];
    struct difference d = {0, 0, 0};
    size_t length = ltcp_packet_bytes(a, before, sizeof before);
    CHECK_EQUAL(ltcp_packet_bytes(b, after, sizeof after), length);
    for (size_t bit = 0; bit < length * 8; bit++) {
        if (((before[bit / 8] ^ after[bit / 8]) >> (7 - bit % 8) & 1) == 0) continue;
        if (d.count++ == 0) d.first = bit;
        d.last = bit;
    }
    return d;
}

/* A burst is as long as was asked for, both ends wrong, behind the IP header, and no burst of up to
 * 15 bits gets past the checksum. What was pushed stays as it was. */
static void corruption(void)
{
    static const uint32_t lengths[] = {1, 2, 7, 15, 16, 100};
    size_t spread = 0;
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        struct ltcp_path_config config = {
            .corrupt = LTCP_CERTAIN, .corrupt_bits = lengths[k], .seed = 11};
        struct ltcp_path *path = make(&config);
        for (int i = 0; i < 200; i++) {
            struct ltcp_packet *packet = sample_of_length(pool, 140);
            struct ltcp_packet *twin = ltcp_packet_copy(packet);
            packet->checksum_good = true;
            ltcp_path_push(path, 0, packet, NULL, (uint64_t)i + 1);
            enum ltcp_drop reason;
            struct ltcp_packet *out = ltcp_path_pop(path, 0, &reason);
            CHECK_EQUAL(out->notes, LTCP_NOTE_CORRUPTED);
            CHECK_EQUAL(compare(packet, twin).count, 0);
            struct difference d = compare(packet, out);
            CHECK(d.first >= 160 && d.last < 140 * 8);
            CHECK_EQUAL(d.last - d.first + 1, lengths[k]);
            if (d.first > spread) spread = d.first;
            struct ltcp_ip ip;
            struct ltcp_segment segment;
            CHECK_STATUS(ltcp_ip_decode(out, &ip), LTCP_OK);
            if (lengths[k] <= 15) CHECK(ltcp_segment_decode(out, &ip, &segment) != LTCP_OK);
            ltcp_packet_unref(out);
            ltcp_packet_unref(twin);
            ltcp_packet_unref(packet);
        }
        CHECK_EQUAL(ltcp_path_counters(path)->corrupted, 200);
        ltcp_path_destroy(path);
    }
    CHECK(spread > 1000);

    /* Longer than the packet; one bit when nothing is said. */
    struct ltcp_path_config config = {.seed = 1};
    struct ltcp_path *path = make(&config);
    const struct ltcp_fate fate = {.corrupt_bits = 100000};
    push_as(path, 0, 40, 1, &fate);
    ltcp_time time;
    uint8_t notes = 0;
    CHECK_EQUAL(pop_as(path, &time, &notes, NULL), 1);
    CHECK_EQUAL(notes, LTCP_NOTE_CORRUPTED);
    ltcp_path_destroy(path);
}

/* ---- rate and queue ---------------------------------------------------------------------------
 */

static void rate_is_exact(void)
{
    struct ltcp_path_config config = {.rate = 100000000, .delay = 5 * LTCP_MILLISECOND};
    struct ltcp_path *path = make(&config);
    for (uint64_t i = 1; i <= 100; i++)
        push_as(path, 0, 1500, i, NULL);
    for (int64_t i = 1; i <= 100; i++) {
        ltcp_time time;
        CHECK_EQUAL(pop(path, &time), i);
        CHECK_EQUAL(time, i * 120 * LTCP_MICROSECOND + 5 * LTCP_MILLISECOND);
    }
    /* After a pause the wire is free at once. */
    ltcp_time time;
    push_as(path, LTCP_SECOND, 1500, 1, NULL);
    pop(path, &time);
    CHECK_EQUAL(time, LTCP_SECOND + 120 * LTCP_MICROSECOND + 5 * LTCP_MILLISECOND);
    ltcp_path_destroy(path);
}

/* A million packets that each take 1,333,333.33 ns end after 4/3 * 10^12 ns exactly. */
static void rate_does_not_drift(void)
{
    struct ltcp_path_config config = {.rate = 9000000};
    struct ltcp_path *path = make(&config);
    struct ltcp_packet *packet = sample_of_length(pool, 1500);
    ltcp_time last = 0;
    for (uint64_t i = 1; i <= 1000000; i++) {
        ltcp_path_push(path, last > LTCP_MILLISECOND ? last - LTCP_MILLISECOND : 0, packet, NULL,
                       i);
        ltcp_time time = ltcp_path_deadline(path);
        enum ltcp_drop reason;
        ltcp_packet_unref(ltcp_path_pop(path, time, &reason));
        if (time - last != 1333333 && time - last != 1333334) CHECK_EQUAL(time - last, 1333333);
        last = time;
    }
    CHECK_EQUAL(last, INT64_C(1333333333333));
    ltcp_packet_unref(packet);
    ltcp_path_destroy(path);
}

static void queue_limits(void)
{
    /* 1,000 octets take 1 ms. */
    struct ltcp_path_config config = {.rate = 8000000, .queue_packets = 3};
    struct ltcp_path *path = make(&config);
    for (uint64_t i = 1; i <= 5; i++)
        CHECK_EQUAL(push_as(path, 0, 1000, i, NULL), i <= 3 ? LTCP_DROP_NONE : LTCP_DROP_QUEUE);
    CHECK_EQUAL(push_as(path, LTCP_MILLISECOND - 1, 1000, 6, NULL), LTCP_DROP_QUEUE);
    CHECK_EQUAL(push_as(path, LTCP_MILLISECOND, 1000, 7, NULL), LTCP_DROP_NONE);
    const struct ltcp_path_counters *c = ltcp_path_counters(path);
    CHECK_EQUAL(c->dropped[LTCP_DROP_QUEUE], 3);
    CHECK_EQUAL(c->queued_packets, 3);
    CHECK_EQUAL(c->greatest_queue_packets, 3);
    CHECK_EQUAL(c->greatest_queue_bytes, 3000);
    ltcp_time time;
    uint64_t ids[] = {1, 2, 3, 7, 0};
    for (int i = 0; i < 5; i++)
        CHECK_EQUAL(pop(path, &time), ids[i]);
    CHECK_EQUAL(c->queued_packets, 0);
    CHECK_EQUAL(c->delivered, 4);
    CHECK_EQUAL(c->delivered_bytes, 4000);

    config = (struct ltcp_path_config){.rate = 8000000, .queue_bytes = 2500};
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    CHECK_EQUAL(push_as(path, LTCP_SECOND, 1000, 8, NULL), LTCP_DROP_NONE);
    CHECK_EQUAL(push_as(path, LTCP_SECOND, 1000, 9, NULL), LTCP_DROP_NONE);
    CHECK_EQUAL(push_as(path, LTCP_SECOND, 501, 10, NULL), LTCP_DROP_QUEUE);
    CHECK_EQUAL(push_as(path, LTCP_SECOND, 500, 11, NULL), LTCP_DROP_NONE);
    ltcp_path_destroy(path);
}

static void change_of_rate(void)
{
    struct ltcp_path_config config = {.rate = 8000000};
    struct ltcp_path *path = make(&config);
    push_as(path, 0, 1000, 1, NULL);
    push_as(path, 0, 1000, 2, NULL);
    config.rate = 80000000;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    push_as(path, 0, 1000, 3, NULL);
    config.rate = 0;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    push_as(path, 0, 1000, 4, NULL);
    /* What was under way goes on as it was, the others behind it. */
    const ltcp_time times[] = {1000000, 2000000, 2100000, 2100000};
    for (uint64_t i = 0; i < 4; i++) {
        ltcp_time time;
        CHECK_EQUAL(pop(path, &time), i + 1);
        CHECK_EQUAL(time, times[i]);
    }
    ltcp_path_destroy(path);
}

/* ---- Mahimahi ---------------------------------------------------------------------------------
 */

static void opportunities(void)
{
    static const uint32_t trace[] = {1, 1, 5, 10};
    struct ltcp_path_config config = {.opportunities = trace, .opportunity_count = 4};
    struct ltcp_path *path = make(&config);
    /* The first packet's arrival, at 7 ms, is where the trace begins. */
    const ltcp_time start = 7 * LTCP_MILLISECOND;
    for (uint64_t i = 1; i <= 10; i++)
        push_as(path, start, 1500, i, NULL);
    static const int expected[] = {1, 1, 5, 10, 11, 11, 15, 20, 21, 21};
    ltcp_time time;
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_EQUAL(pop(path, &time), i + 1);
        CHECK_EQUAL(time, start + expected[i] * LTCP_MILLISECOND);
    }
    /* Opportunities that nobody uses are lost; one at the very time of arrival is not. */
    push_as(path, start + 24 * LTCP_MILLISECOND, 1500, 11, NULL);
    push_as(path, start + 30 * LTCP_MILLISECOND, 1500, 12, NULL);
    push_as(path, start + 31 * LTCP_MILLISECOND + 1, 1500, 13, NULL);
    static const int later[] = {25, 30, 35};
    for (uint64_t i = 0; i < 3; i++) {
        CHECK_EQUAL(pop(path, &time), i + 11);
        CHECK_EQUAL(time, start + later[i] * LTCP_MILLISECOND);
    }
    /* Much later: the place in the trace is found, not walked to. */
    push_as(path, start + 1000003 * LTCP_MILLISECOND, 1500, 14, NULL);
    pop(path, &time);
    CHECK_EQUAL(time, start + 1000005 * LTCP_MILLISECOND);
    ltcp_path_destroy(path);
}

/* Small packets share an opportunity, large ones take several. */
static void opportunities_are_octets(void)
{
    static const uint32_t trace[] = {10};
    struct ltcp_path_config config = {.opportunities = trace, .opportunity_count = 1};
    struct ltcp_path *path = make(&config);
    ltcp_time time;
    push_as(path, 0, 748, 1, NULL); /* 748 + 4 twice is 1,504 */
    push_as(path, 0, 748, 2, NULL);
    push_as(path, 0, 748, 3, NULL);
    push_as(path, 0, 3000, 4, NULL); /* 752 of the second, 1,504 of the third, 748 of the fourth */
    push_as(path, 0, 752, 5, NULL);  /* 756: all that the fourth has left */
    push_as(path, 0, 40, 6, NULL);
    push_as(path, 0, 716, 7, NULL); /* 44 and 720 */
    push_as(path, 0, 737, 8, NULL); /* 741 is one more than is left */
    static const int expected[] = {10, 10, 20, 40, 40, 50, 50, 60};
    for (uint64_t i = 0; i < 8; i++) {
        CHECK_EQUAL(pop(path, &time), i + 1);
        CHECK_EQUAL(time, expected[i] * LTCP_MILLISECOND);
    }
    ltcp_path_destroy(path);
}

/* ---- delay, jitter, reordering ----------------------------------------------------------------
 */

static void jitter_in_order(void)
{
    struct ltcp_path_config config = {
        .delay = 10 * LTCP_MILLISECOND, .jitter = 10 * LTCP_MILLISECOND, .seed = 3};
    struct ltcp_path *path = make(&config);
    ltcp_time last = 0, least = LTCP_NEVER, most = 0;
    for (uint64_t i = 1; i <= 1000; i++)
        push_as(path, (ltcp_time)i * LTCP_MILLISECOND, 40, i, NULL);
    for (uint64_t i = 1; i <= 1000; i++) {
        ltcp_time time;
        CHECK_EQUAL(pop(path, &time), i);
        CHECK(time >= last);
        last = time;
        ltcp_time took = time - (ltcp_time)i * LTCP_MILLISECOND;
        if (took < least) least = took;
        if (took > most) most = took;
    }
    CHECK(least >= 10 * LTCP_MILLISECOND && most <= 20 * LTCP_MILLISECOND);
    CHECK(most - least > 5 * LTCP_MILLISECOND);
    ltcp_path_destroy(path);
}

static void jitter_that_reorders(void)
{
    struct ltcp_path_config config = {.delay = 10 * LTCP_MILLISECOND,
                                      .jitter = 10 * LTCP_MILLISECOND,
                                      .jitter_reorders = true,
                                      .seed = 3};
    struct ltcp_path *path = make(&config);
    static bool seen[1001];
    ltcp_time last = 0, sum = 0;
    uint64_t greatest = 0;
    unsigned overtaken = 0;
    for (uint64_t i = 1; i <= 1000; i++)
        push_as(path, (ltcp_time)i * LTCP_MILLISECOND, 40, i, NULL);
    for (int i = 0; i < 1000; i++) {
        ltcp_time time;
        uint64_t id = pop(path, &time);
        CHECK(id >= 1 && id <= 1000 && !seen[id]);
        seen[id] = true;
        CHECK(time >= last);
        last = time;
        sum += time - (ltcp_time)id * LTCP_MILLISECOND;
        overtaken += id < greatest;
        if (id > greatest) greatest = id;
    }
    CHECK(overtaken > 500);
    /* Uniform: 15 ms on average, standard deviation of the mean 0.09 ms. */
    CHECK(sum / 1000 > 14600 * LTCP_MICROSECOND && sum / 1000 < 15400 * LTCP_MICROSECOND);
    ltcp_path_destroy(path);
}

static void reordering(void)
{
    struct ltcp_path_config config = {.delay = 10 * LTCP_MILLISECOND,
                                      .reorder = P(1, 4),
                                      .reorder_delay = 5 * LTCP_MILLISECOND,
                                      .seed = 8};
    struct ltcp_path *path = make(&config);
    for (uint64_t i = 1; i <= 1000; i++)
        push_as(path, (ltcp_time)i * LTCP_MILLISECOND, 40, i, NULL);
    unsigned held = 0;
    for (int i = 0; i < 1000; i++) {
        ltcp_time time;
        uint8_t notes = 0;
        uint64_t id = pop_as(path, &time, &notes, NULL);
        ltcp_time took = time - (ltcp_time)id * LTCP_MILLISECOND;
        CHECK_EQUAL(took,
                    notes & LTCP_NOTE_DELAYED ? 15 * LTCP_MILLISECOND : 10 * LTCP_MILLISECOND);
        held += (notes & LTCP_NOTE_DELAYED) != 0;
    }
    CHECK(held > 200 && held < 300);
    CHECK_EQUAL(ltcp_path_counters(path)->delayed, held);
    ltcp_path_destroy(path);
}

/* A rule's delay holds one packet back and nobody else; equal times keep the order of pushing. */
static void forced_delay(void)
{
    struct ltcp_path_config config = {.delay = 100};
    struct ltcp_path *path = make(&config);
    const struct ltcp_fate fate = {.delay = 50};
    push_as(path, 0, 40, 1, &fate);
    push_as(path, 0, 40, 2, NULL);
    push_as(path, 50, 40, 3, NULL);
    push_as(path, 60, 40, 4, NULL);
    const uint64_t ids[] = {2, 1, 3, 4, 0};
    const ltcp_time times[] = {100, 150, 150, 160, LTCP_NEVER};
    for (int i = 0; i < 5; i++) {
        ltcp_time time;
        if (ids[i] != 0) CHECK_EQUAL(ltcp_path_serial(path), ids[i]);
        CHECK_EQUAL(pop(path, &time), ids[i]);
        CHECK_EQUAL(time, times[i]);
    }
    enum ltcp_drop reason;
    push_as(path, 200, 40, 5, NULL);
    CHECK(ltcp_path_pop(path, 299, &reason) == NULL);
    ltcp_path_destroy(path);
}

/* A shorter delay lets later packets overtake those that are under way. */
static void change_of_delay(void)
{
    struct ltcp_path_config config = {.delay = 1000};
    struct ltcp_path *path = make(&config);
    push_as(path, 0, 40, 1, NULL);
    config.delay = 10;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    push_as(path, 100, 40, 2, NULL);
    push_as(path, 995, 40, 3, NULL);
    const uint64_t ids[] = {2, 1, 3};
    const ltcp_time times[] = {110, 1000, 1005};
    for (int i = 0; i < 3; i++) {
        ltcp_time time;
        CHECK_EQUAL(pop(path, &time), ids[i]);
        CHECK_EQUAL(time, times[i]);
    }
    ltcp_path_destroy(path);
}

static void mtu_and_down(void)
{
    struct ltcp_path_config config = {.mtu = 576};
    struct ltcp_path *path = make(&config);
    CHECK_EQUAL(push_as(path, 0, 576, 1, NULL), LTCP_DROP_NONE);
    CHECK_EQUAL(push_as(path, 0, 577, 2, NULL), LTCP_DROP_MTU);
    ltcp_path_set_up(path, false);
    CHECK_EQUAL(push_as(path, 0, 40, 3, NULL), LTCP_DROP_DOWN);
    ltcp_time time;
    CHECK_EQUAL(pop(path, &time), 1); /* what was under way still arrives */
    ltcp_path_set_up(path, true);
    CHECK_EQUAL(push_as(path, 0, 40, 4, NULL), LTCP_DROP_NONE);
    ltcp_path_destroy(path);
}

/* ---- bad input, memory ------------------------------------------------------------------------
 */

static void refusals(void)
{
    static const uint64_t unordered[] = {2, 2};
    static const uint8_t not_binary[] = {0, 2};
    static const uint32_t backwards[] = {5, 3}, standing[] = {0, 0};
    const struct ltcp_path_config bad[] = {
        {.delay = -1},
        {.delay = LTCP_NEVER},
        {.jitter = -1},
        {.reorder_delay = -1},
        {.duplicate = LTCP_CERTAIN + 1},
        {.corrupt = LTCP_CERTAIN + 1},
        {.reorder = LTCP_CERTAIN + 1},
        {.rate = UINT64_MAX},
        {.loss_model = LTCP_LOSS_BERNOULLI, .loss = LTCP_CERTAIN + 1},
        {.loss_model = LTCP_LOSS_GILBERT, .gilbert_bad = LTCP_CERTAIN + 1},
        {.loss_model = LTCP_LOSS_LIST, .loss_list = unordered, .loss_count = 2},
        {.loss_model = LTCP_LOSS_LIST, .loss_count = 2},
        {.loss_model = LTCP_LOSS_PERIODIC, .loss_pattern = not_binary, .loss_count = 2},
        {.loss_model = LTCP_LOSS_PERIODIC},
        {.loss_model = (enum ltcp_loss_model)9},
        {.opportunities = backwards, .opportunity_count = 2},
        {.opportunities = standing, .opportunity_count = 2},
        {.opportunity_count = 2},
    };
    struct ltcp_path *path;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(ltcp_path_create(pool, &bad[i], &path), LTCP_ERR_INVALID);
    struct ltcp_path_config good = {.delay = 5};
    path = make(&good);
    CHECK_STATUS(ltcp_path_configure(path, &bad[0]), LTCP_ERR_INVALID);
    CHECK_EQUAL(ltcp_path_configuration(path)->delay, 5);
    ltcp_path_destroy(path);
    ltcp_path_destroy(NULL);
}

/* Fates and rates beyond measure end neither in the past nor in a queue without end. */
static void extremes(void)
{
    struct ltcp_path_config config = {.rate = 1};
    struct ltcp_path *path = make(&config);
    const struct ltcp_fate far = {
        .delay = LTCP_NEVER, .duplicates = 3, .duplicate_delay = INT64_MIN};
    push_as(path, LTCP_SECOND, 65535, 1, &far);
    ltcp_time time, last = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(pop(path, &time), 1);
        CHECK(time > last || i > 0);
        last = time;
    }
    unsigned refused = 0;
    for (uint64_t i = 2; i <= 6000; i++)
        refused += push_as(path, LTCP_SECOND, 65535, i, NULL) == LTCP_DROP_QUEUE;
    CHECK(refused > 0 && refused < 5999);
    while (pop(path, &time) != 0) {
        CHECK(time >= LTCP_SECOND);
    }
    ltcp_path_destroy(path);
}

static void memory_runs_out(void)
{
    static const uint64_t list[] = {2};
    static const uint32_t trace[] = {1};
    struct ltcp_path_config config = {.loss_model = LTCP_LOSS_LIST,
                                      .loss_list = list,
                                      .loss_count = 1,
                                      .opportunities = trace,
                                      .opportunity_count = 1,
                                      .duplicate = LTCP_CERTAIN,
                                      .corrupt = LTCP_CERTAIN,
                                      .reorder = P(1, 2),
                                      .reorder_delay = 1};
    struct ltcp_packet *packet = sample_of_length(pool, 100);
    ltcp_pool_trim(pool);
    bool made = false;
    for (long granted = 0; !made || granted < 40; granted++) {
        struct ltcp_path *path = NULL;
        memory.remaining = granted;
        made = ltcp_path_create(pool, &config, &path) == LTCP_OK;
        for (uint64_t i = 1; made && i <= 10; i++)
            ltcp_path_push(path, 0, packet, NULL, i);
        memory.remaining = -1;
        ltcp_time time;
        if (made) CHECK(ltcp_path_counters(path)->packets == 10);
        while (made && ltcp_path_deadline(path) != LTCP_NEVER)
            pop(path, &time);
        ltcp_path_destroy(path);
        ltcp_pool_trim(pool);
    }
    ltcp_packet_unref(packet);
}

int main(void)
{
    allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    lists_and_patterns();
    bernoulli();
    gilbert_elliott();
    streams_are_independent();
    indices_count_what_entered();
    loss_behind_the_queue();
    duplication();
    corruption();
    rate_is_exact();
    rate_does_not_drift();
    queue_limits();
    change_of_rate();
    opportunities();
    opportunities_are_octets();
    jitter_in_order();
    jitter_that_reorders();
    reordering();
    forced_delay();
    change_of_delay();
    mtu_and_down();
    refusals();
    extremes();
    memory_runs_out();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    CHECK_EQUAL(ltcp_pool_usage(pool).blocks_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
