/* core/test/queue_path_test.c - a managed queue in its path: when packets leave, what is told of
 * those that do not, marks by chance and by rule, and a change of kind while packets wait. */
#include "network_samples.h"
#include "network/path.h"
#include "lunatcp/wire.h"

#define MS LTCP_MILLISECOND

static struct check_memory memory;
static struct ltcp_allocator allocator;
static struct ltcp_pool *pool;

static struct ltcp_path_config config_of(enum ltcp_queue_kind kind)
{
    struct ltcp_path_config config = {.rate = 8000000, .delay = 10 * MS, .seed = 3};
    if (kind != LTCP_QUEUE_DROP_TAIL) ltcp_queue_defaults(&config.queue, kind);
    return config;
}

static struct ltcp_path *make(const struct ltcp_path_config *config)
{
    struct ltcp_path *path = NULL;
    CHECK_STATUS(ltcp_path_create(pool, config, &path), LTCP_OK);
    return path;
}

static enum ltcp_drop push(struct ltcp_path *path, ltcp_time now, uint32_t length, uint64_t id,
                           uint8_t ecn)
{
    struct ltcp_packet *packet = sample_of_length(pool, length);
    ltcp_ip_set_ecn(packet, ecn);
    packet->id = id;
    enum ltcp_drop drop = ltcp_path_push(path, now, packet, NULL, id);
    ltcp_packet_unref(packet);
    return drop;
}

struct out {
    uint64_t id; /* 0: none is left */
    ltcp_time time;
    enum ltcp_drop reason;
    uint8_t ecn, notes;
};

/* As the network does it: at each deadline, as often as something happens. */
static struct out pop(struct ltcp_path *path)
{
    for (unsigned bound = 0; bound < 100000; bound++) {
        const ltcp_time time = ltcp_path_deadline(path);
        if (time == LTCP_NEVER) break;
        struct out out = {.time = time};
        struct ltcp_packet *packet = ltcp_path_pop(path, time, &out.reason);
        if (packet == NULL) continue;
        out.id = packet->id;
        out.ecn = packet->head[1] & 3;
        out.notes = packet->notes;
        ltcp_packet_unref(packet);
        return out;
    }
    CHECK_EQUAL(ltcp_path_deadline(path), LTCP_NEVER);
    return (struct out){0};
}

/* Where nothing is dropped, packets of one flow arrive when a drop-tail queue would let them. */
static void keeps_the_times(void)
{
    for (int kind = LTCP_QUEUE_RED; kind < LTCP_QUEUE_KINDS; kind++) {
        struct ltcp_path_config plain = config_of(LTCP_QUEUE_DROP_TAIL);
        struct ltcp_path_config managed = config_of((enum ltcp_queue_kind)kind);
        plain.jitter = managed.jitter = MS;
        struct ltcp_path *a = make(&plain), *b = make(&managed);
        uint32_t seed = 9;
        ltcp_time now = 0;
        for (uint64_t id = 1; id <= 400; id++) {
            const uint32_t length = 40 + check_random(&seed) % 1400;
            CHECK_EQUAL(push(a, now, length, id, LTCP_ECN_ECT0), LTCP_DROP_NONE);
            CHECK_EQUAL(push(b, now, length, id, LTCP_ECN_ECT0), LTCP_DROP_NONE);
            if (check_random(&seed) % 3 == 0) now += (ltcp_time)(check_random(&seed) % 4000) * 1000;
            while (ltcp_path_deadline(b) <= now) {
                enum ltcp_drop reason;
                struct ltcp_packet *packet = ltcp_path_pop(b, ltcp_path_deadline(b), &reason);
                if (packet == NULL) continue;
                const struct out one = pop(a);
                CHECK_EQUAL(packet->id, one.id);
                ltcp_packet_unref(packet);
            }
        }
        for (;;) {
            const struct out one = pop(a), two = pop(b);
            CHECK_EQUAL(one.id, two.id);
            CHECK_EQUAL(one.time, two.time);
            if (one.id == 0 || two.id == 0) break;
        }
        const struct ltcp_path_counters *c = ltcp_path_counters(b);
        CHECK_EQUAL(c->delivered, 400);
        CHECK_EQUAL(c->queued_packets, 0);
        CHECK_EQUAL(c->queued_bytes, 0);
        CHECK_EQUAL(c->queue.sojourn[0].packets, 400);
        CHECK_EQUAL(c->queue.sojourn[0].sum, ltcp_path_counters(a)->queue.sojourn[0].sum);
        CHECK_EQUAL(c->queue.sojourn[0].greatest, ltcp_path_counters(a)->queue.sojourn[0].greatest);
        ltcp_path_destroy(a);
        ltcp_path_destroy(b);
    }
}

/* What CoDel drops as it lets others go comes out of the path, at that time and with its reason. */
static void tells_of_drops(void)
{
    const struct ltcp_path_config config = config_of(LTCP_QUEUE_CODEL);
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 600; id++)
        CHECK_EQUAL(push(path, 0, 1000, id, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
    CHECK_EQUAL(ltcp_path_counters(path)->queued_packets, 599);
    uint64_t came = 0, dropped = 0;
    ltcp_time first = 0, last = 0;
    for (struct out out; (out = pop(path)).id != 0; last = out.time) {
        CHECK(out.time >= last);
        if (out.reason == LTCP_DROP_NONE) {
            came++;
            continue;
        }
        CHECK_EQUAL(out.reason, LTCP_DROP_AQM);
        if (dropped++ == 0) first = out.time;
    }
    CHECK_EQUAL(came + dropped, 600);
    /* 1 ms each: the first above 5 ms leaves the queue at 5 ms. */
    CHECK_EQUAL(first, 105 * MS);
    const struct ltcp_path_counters *c = ltcp_path_counters(path);
    CHECK_EQUAL(c->dropped[LTCP_DROP_AQM], dropped);
    CHECK_EQUAL(c->queue.early, dropped);
    CHECK_EQUAL(c->delivered, came);
    CHECK_EQUAL(c->queue.sojourn[0].packets, came);
    CHECK_EQUAL(c->greatest_queue_packets, 599);
    ltcp_path_destroy(path);
    CHECK_TEXT(ltcp_drop_name(LTCP_DROP_AQM), "aqm");
}

static void marks(void)
{
    struct ltcp_path_config config = config_of(LTCP_QUEUE_STEP);
    config.queue.step_packets = 3;
    config.duplicate =
        LTCP_CERTAIN; /* both find what is in the queue, and are marked by themselves */
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 4; id++)
        CHECK_EQUAL(push(path, 0, 1000, id, LTCP_ECN_ECT0), LTCP_DROP_NONE);
    unsigned marked = 0;
    for (struct out out; (out = pop(path)).id != 0;) {
        CHECK_EQUAL(out.ecn == LTCP_ECN_CE, (out.notes & LTCP_NOTE_CE_MARKED) != 0);
        marked += out.ecn == LTCP_ECN_CE;
    }
    CHECK_EQUAL(marked, 3); /* the first leaves at once; 0 1 2 3 4 5 6 are found */
    CHECK_EQUAL(ltcp_path_counters(path)->marked, 3);
    CHECK_EQUAL(ltcp_path_counters(path)->queue.marked, 3);
    ltcp_path_destroy(path);
}

/* By chance and by a verdict; only what is ECN-capable, and without a change to what others hold.
 */
static void marks_by_chance(void)
{
    struct ltcp_path_config config = {.mark = LTCP_CERTAIN / 4, .seed = 5};
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 8000; id++)
        CHECK_EQUAL(push(path, 0, 100, id, id % 2 ? LTCP_ECN_NOT_ECT : LTCP_ECN_ECT1),
                    LTCP_DROP_NONE);
    unsigned marked = 0;
    for (struct out out; (out = pop(path)).id != 0;) {
        CHECK(out.id % 2 == 0 || out.ecn == LTCP_ECN_NOT_ECT);
        marked += out.ecn == LTCP_ECN_CE;
    }
    CHECK(marked > 850 && marked < 1150); /* 1,000, standard deviation 27 */
    CHECK_EQUAL(ltcp_path_counters(path)->marked, marked);
    CHECK_EQUAL(ltcp_path_counters(path)->queue.marked, 0);
    ltcp_path_destroy(path);

    config.mark = 0;
    path = make(&config);
    struct ltcp_packet *mine = sample_of_length(pool, 500);
    ltcp_ip_set_ecn(mine, LTCP_ECN_ECT0);
    mine->id = 1;
    const struct ltcp_fate fate = {.mark = true};
    CHECK_EQUAL(ltcp_path_push(path, 0, mine, &fate, 1), LTCP_DROP_NONE);
    CHECK_EQUAL(mine->head[1] & 3, LTCP_ECN_ECT0);
    CHECK_EQUAL(pop(path).ecn, LTCP_ECN_CE);
    ltcp_packet_unref(mine);
    config.mark = LTCP_CERTAIN + 1;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_ERR_INVALID);
    ltcp_path_destroy(path);
}

/* A queue of another kind begins empty; what waited goes before it, in order, and nothing is lost.
 */
static void changes_kind(void)
{
    for (int from = 0; from < LTCP_QUEUE_KINDS; from++) {
        for (int to = 0; to < LTCP_QUEUE_KINDS; to++) {
            struct ltcp_path_config config = config_of((enum ltcp_queue_kind)from);
            struct ltcp_path *path = make(&config);
            for (uint64_t id = 1; id <= 5; id++)
                CHECK_EQUAL(push(path, 0, 1000, id, LTCP_ECN_ECT0), LTCP_DROP_NONE);
            config = config_of((enum ltcp_queue_kind)to);
            CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
            for (uint64_t id = 6; id <= 10; id++)
                CHECK_EQUAL(push(path, MS / 2, 1000, id, LTCP_ECN_ECT0), LTCP_DROP_NONE);
            for (uint64_t id = 1; id <= 10; id++) {
                const struct out out = pop(path);
                CHECK_EQUAL(out.id, id);
                CHECK_EQUAL(out.time, (ltcp_time)id * MS + 10 * MS);
            }
            CHECK_EQUAL(pop(path).id, 0);
            CHECK_EQUAL(ltcp_path_counters(path)->queued_packets, 0);
            ltcp_path_destroy(path);
        }
    }
    /* Figures of the same kind change under the packets that wait. */
    struct ltcp_path_config config = config_of(LTCP_QUEUE_CODEL);
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 300; id++)
        push(path, 0, 1000, id, LTCP_ECN_NOT_ECT);
    config.queue.target = LTCP_SECOND;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    while (pop(path).id != 0)
        ;
    CHECK_EQUAL(ltcp_path_counters(path)->queue.early, 0);
    /* Without a rate nothing waits; what did leaves first. */
    for (uint64_t id = 1; id <= 5; id++)
        push(path, LTCP_SECOND, 1000, id, LTCP_ECN_NOT_ECT);
    config.rate = 0;
    CHECK_STATUS(ltcp_path_configure(path, &config), LTCP_OK);
    push(path, LTCP_SECOND, 1000, 6, LTCP_ECN_NOT_ECT);
    for (uint64_t id = 1; id <= 6; id++) {
        const struct out out = pop(path);
        CHECK_EQUAL(out.id, id);
        CHECK_EQUAL(out.time, LTCP_SECOND + 11 * MS);
    }
    ltcp_path_destroy(path);
}

/* A trace of opportunities serves a managed queue as well. */
static void opportunities(void)
{
    static const uint32_t times[] = {10, 20, 30};
    struct ltcp_path_config config = config_of(LTCP_QUEUE_FQ_CODEL);
    config.rate = 0;
    config.opportunities = times;
    config.opportunity_count = 3;
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 4; id++)
        CHECK_EQUAL(push(path, 0, 1500, id, LTCP_ECN_NOT_ECT), LTCP_DROP_NONE);
    for (uint64_t id = 1; id <= 4; id++)
        CHECK_EQUAL(pop(path).time, (ltcp_time)id * 10 * MS + 10 * MS);
    ltcp_path_destroy(path);
}

/* Once there is room for what waits, nothing is allocated on the way of a packet. */
static void allocates_nothing(void)
{
    for (int kind = LTCP_QUEUE_RED; kind < LTCP_QUEUE_KINDS; kind++) {
        struct ltcp_path_config config = config_of((enum ltcp_queue_kind)kind);
        config.mark = LTCP_CERTAIN / 2;
        struct ltcp_path *path = make(&config);
        for (unsigned round = 0; round < 3; round++) {
            const ltcp_time now = round * 10 * LTCP_SECOND;
            for (uint64_t id = 1; id <= 200; id++)
                CHECK(push(path, now, 1000, id, id % 4) != LTCP_DROP_MEMORY);
            while (pop(path).id != 0)
                ;
            if (round == 1) memory.remaining = 0;
        }
        memory.remaining = -1;
        CHECK_EQUAL(ltcp_path_counters(path)->dropped[LTCP_DROP_MEMORY], 0);
        ltcp_path_destroy(path);
    }
}

/* Memory may be refused anywhere: packets are lost then, and counted, and nothing else is. */
static void survives_without_memory(void)
{
    for (int kind = LTCP_QUEUE_RED; kind < LTCP_QUEUE_KINDS; kind++) {
        for (long granted = 0; granted < 12; granted++) {
            const struct ltcp_path_config config = config_of((enum ltcp_queue_kind)kind);
            struct ltcp_packet *packets[40];
            for (unsigned i = 0; i < 40; i++) {
                packets[i] = sample_of_length(pool, 1000);
                ltcp_ip_set_ecn(packets[i], i % 4);
                packets[i]->id = i + 1;
            }
            ltcp_pool_trim(pool);
            memory.remaining = granted;
            struct ltcp_path *path = NULL;
            if (ltcp_path_create(pool, &config, &path) == LTCP_OK) {
                uint64_t lost = 0, came = 0;
                for (unsigned i = 0; i < 40; i++)
                    if (ltcp_path_push(path, i, packets[i], NULL, i + 1) != LTCP_DROP_NONE) lost++;
                while (pop(path).id != 0)
                    came++;
                const struct ltcp_path_counters *c = ltcp_path_counters(path);
                uint64_t dropped = 0;
                for (int i = 0; i < LTCP_DROP_COUNT; i++)
                    dropped += c->dropped[i];
                CHECK_EQUAL(c->delivered + dropped, 40);
                CHECK(came + lost <= 40);
            }
            memory.remaining = -1;
            ltcp_path_destroy(path);
            for (unsigned i = 0; i < 40; i++)
                ltcp_packet_unref(packets[i]);
        }
    }
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
}

static uint64_t digest_of(const struct ltcp_path *path, ltcp_time now)
{
    struct digest d = digest_begin();
    path_digest(&d, path, now);
    return digest_end(d);
}

static void digests(void)
{
    uint64_t fresh[LTCP_QUEUE_KINDS];
    for (int kind = 0; kind < LTCP_QUEUE_KINDS; kind++) {
        const struct ltcp_path_config config = config_of((enum ltcp_queue_kind)kind);
        struct ltcp_path *path = make(&config);
        fresh[kind] = digest_of(path, 0);
        for (int other = 0; other < kind; other++)
            CHECK(fresh[other] != fresh[kind]);
        push(path, 0, 1000, 1, LTCP_ECN_ECT0);
        const uint64_t one = digest_of(path, 0);
        push(path, 0, 1000, 2, LTCP_ECN_ECT0);
        const uint64_t two = digest_of(path, 0);
        CHECK(one != fresh[kind] && two != one);
        CHECK(digest_of(path, MS / 10) != two); /* less is left of it */
        ltcp_path_destroy(path);
    }
}

static void sojourn(void)
{
    struct ltcp_sojourn s = {0};
    CHECK_EQUAL(ltcp_sojourn_percentile(&s, 50), 0);
    const struct ltcp_path_config config = config_of(LTCP_QUEUE_DROP_TAIL);
    struct ltcp_path *path = make(&config);
    for (uint64_t id = 1; id <= 100; id++)
        push(path, 0, 1000, id, LTCP_ECN_NOT_ECT);
    s = ltcp_path_counters(path)->queue.sojourn[0];
    CHECK_EQUAL(s.packets, 100);
    CHECK_EQUAL(s.sum, UINT64_C(4950) * MS); /* 0, 1, ... 99 ms */
    CHECK_EQUAL(s.greatest, 99 * MS);
    CHECK_EQUAL(ltcp_sojourn_percentile(&s, 100), 99 * MS);
    CHECK(ltcp_sojourn_percentile(&s, 50) >= 49 * MS && ltcp_sojourn_percentile(&s, 50) <= 62 * MS);
    CHECK_EQUAL(ltcp_sojourn_percentile(&s, 1), 1000); /* the first bin ends at a microsecond */
    ltcp_path_destroy(path);
}

static void refuses_nonsense(void)
{
    struct ltcp_path *path = NULL;
    struct ltcp_path_config config = config_of(LTCP_QUEUE_RED);
    config.queue.max_threshold = config.queue.min_threshold;
    CHECK_STATUS(ltcp_path_create(pool, &config, &path), LTCP_ERR_INVALID);
    config = config_of(LTCP_QUEUE_FQ_CODEL);
    config.queue.flows = 0;
    CHECK_STATUS(ltcp_path_create(pool, &config, &path), LTCP_ERR_INVALID);
    config = config_of(LTCP_QUEUE_PIE);
    config.queue.interval = 0;
    CHECK_STATUS(ltcp_path_create(pool, &config, &path), LTCP_ERR_INVALID);
    config = config_of(LTCP_QUEUE_DUALPI2);
    config.queue.coupling = 0;
    CHECK_STATUS(ltcp_path_create(pool, &config, &path), LTCP_ERR_INVALID);
    config.queue.kind = LTCP_QUEUE_KINDS;
    CHECK_STATUS(ltcp_path_create(pool, &config, &path), LTCP_ERR_INVALID);
    CHECK(path == NULL);
}

int main(void)
{
    allocator = check_allocator(&memory);
    pool = ltcp_pool_create(&allocator);
    keeps_the_times();
    tells_of_drops();
    marks();
    marks_by_chance();
    changes_kind();
    opportunities();
    allocates_nothing();
    survives_without_memory();
    digests();
    sojourn();
    refuses_nonsense();
    CHECK_EQUAL(ltcp_pool_usage(pool).packets_live, 0);
    ltcp_pool_destroy(pool);
    CHECK_EQUAL(memory.live, 0);
    return check_finish();
}
