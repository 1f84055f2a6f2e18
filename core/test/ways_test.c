/* core/test/ways_test.c
 *
 * Header prediction (prediction.c) and bursts (burst.c) are short ways to what the steps of RFC
 * 9293 section 3.10.7.4 and output.c would do. In a checked build, which can go either way: random
 * traffic with losses, reordering, small windows, PSH, urgent data and pauses, and the same again
 * the other way, and once more with bursts that leave as one packet (wire/burst.c). Every packet is
 * the same, bit for bit, and every state when all is over. */
#include "check.h"
#include "host/host.h"
#include "pair.h"

#if defined(LTCP_CHECK) && LTCP_CHECK

enum { TURNS = 700, MOST = 60000 };
enum way { LONG, SHORT, GATHERED };

struct outcome {
    uint64_t bytes;    /* of all packets, one after the other */
    uint64_t packets;  /* how many, */
    uint64_t gathered; /* and so many fewer where bursts were one */
    uint64_t state[2];
    uint64_t read[2];
};

static void look_at(struct outcome *o, const struct ltcp_packet *packet)
{
    uint8_t bytes[2048];
    const size_t n = ltcp_packet_bytes(packet, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++)
        o->bytes = (o->bytes ^ bytes[i]) * UINT64_C(0x100000001B3);
    o->packets++;
}

/* The segments of a burst. Their heads are also those that a tunnel would have written. */
static void untie(struct pair *p, unsigned i, struct ltcp_packet *packet, struct outcome *o)
{
    static uint8_t heads[LTCP_BURST_MOST * 128], end[128];
    const unsigned count = packet->burst->count, ip = packet->burst->ip_length;
    for (unsigned k = 0; k < count; k++) {
        const size_t skip = k % 2 == 0 ? 0 : ip, last = count - k - 1u;
        const size_t stride = packet->head_length - skip <= 64 && k % 3 != 0 ? 64 : 128;
        ltcp_burst_heads(packet, skip, heads, stride);
        struct ltcp_packet *one = ltcp_burst_take(packet);
        CHECK(one != NULL && memcmp(one->head + skip, heads, one->head_length - skip) == 0);
        if (k == 0) memcpy(end, heads + last * stride, sizeof end);
        if (last == 0) CHECK(memcmp(one->head, end, one->head_length) == 0);
        look_at(o, one);
        p->queue[!i][p->count[!i]++] = one;
    }
    CHECK(ltcp_burst_take(packet) == NULL);
    o->gathered += count - 1;
    ltcp_packet_unref(packet);
}

static void collect(struct pair *p, struct outcome *o, unsigned i)
{
    struct ltcp_packet *packets[4096];
    size_t n;
    while ((n = ltcp_host_transmit(p->host[i], p->now, packets, 4096)) > 0)
        for (size_t k = 0; k < n; k++) {
            if (packets[k]->burst != NULL) {
                untie(p, i, packets[k], o);
                continue;
            }
            look_at(o, packets[k]);
            p->queue[!i][p->count[!i]++] = packets[k];
        }
}

/* Some of what is under way arrives: mostly in order, seldom not at all. */
static void deliver(struct pair *p, unsigned i, uint32_t *random, unsigned loss)
{
    size_t n = check_random(random) % (p->count[i] + 1);
    for (; n > 0 && p->count[i] > 0; n--) {
        const size_t k = check_random(random) % 50 == 0 ? p->count[i] - 1 : 0;
        struct ltcp_packet *packet = p->queue[i][k];
        memmove(p->queue[i] + k, p->queue[i] + k + 1,
                (p->count[i] - k - 1) * sizeof p->queue[i][0]);
        p->count[i]--;
        packet->time = p->now;
        if (check_random(random) % 1000 >= loss) ltcp_host_receive(p->host[i], p->now, packet);
        ltcp_packet_unref(packet);
    }
}

static void act(struct pair *p, ltcp_handle conn, unsigned i, struct outcome *o, uint32_t *random)
{
    static uint8_t room[MOST];
    size_t n = 0;
    const uint32_t what = check_random(random) % 64;
    const size_t length = check_random(random) % (what < 8 ? 2000 : MOST);
    if (what < 24) {
        const unsigned flags = what == 0   ? LTCP_WRITE_URGENT
                               : what == 1 ? LTCP_WRITE_MORE
                               : what == 2 ? LTCP_WRITE_BOUNDARY
                                           : 0;
        for (size_t k = 0; k < length; k++)
            room[k] = (uint8_t)(k * 31 + what);
        ltcp_write(p->host[i], p->now, conn, room, length, flags, &n);
    } else if (what < 56) {
        ltcp_read(p->host[i], p->now, conn, room, length + 1, 0, &n);
        o->read[i] += n;
    }
}

static struct outcome play(const struct ltcp_settings *settings, enum way way, uint32_t seed,
                           unsigned loss)
{
    struct pair *p = calloc(1, sizeof *p);
    struct outcome o = {.bytes = UINT64_C(0xCBF29CE484222325)};
    ltcp_handle conn[2];
    uint32_t random = seed;
    pair_open_with(p, settings, 1500);
    for (unsigned i = 0; i < 2; i++)
        p->host[i]->engine.short_ways = way != LONG;
    for (unsigned i = 0; i < 2 && way == GATHERED; i++)
        ltcp_host_gather(p->host[i], 1, 0);
    CHECK_EQUAL(pair_connect(p, conn), LTCP_OK);
    for (int turn = 0; turn < TURNS; turn++) {
        p->now += check_random(&random) % (turn % 100 == 99 ? LTCP_SECOND : 2 * LTCP_MILLISECOND);
        for (unsigned i = 0; i < 2; i++)
            ltcp_host_advance(p->host[i], p->now);
        for (unsigned i = 0; i < 2; i++) {
            if (i == 0 || seed % 3 == 0) act(p, conn[i], i, &o, &random);
            act(p, conn[1], 1, &o, &random);
            collect(p, &o, i);
            deliver(p, !i, &random, loss);
            const char *broken = ltcp_host_check(p->host[i]);
            if (broken != NULL) CHECK_TEXT(broken, "");
        }
    }
    for (unsigned i = 0; i < 2; i++)
        o.state[i] = ltcp_host_digest(p->host[i], p->now);
    pair_close(p);
    free(p);
    return o;
}

static uint64_t gathered;

static void compare(const struct ltcp_settings *settings, uint32_t seed, unsigned loss)
{
    const struct outcome a = play(settings, LONG, seed, loss);
    bool same = CHECK(a.packets > 100);
    for (enum way way = SHORT; way <= GATHERED; way++) {
        const struct outcome b = play(settings, way, seed, loss);
        same = CHECK_EQUAL(a.packets, b.packets) && same;
        same = CHECK_EQUAL(a.bytes, b.bytes) && same;
        same = CHECK_EQUAL(a.read[1], b.read[1]) && same;
        same = CHECK_EQUAL(a.state[0], b.state[0]) && same;
        same = CHECK_EQUAL(a.state[1], b.state[1]) && same;
        gathered += b.gathered;
        if (!same) printf("    seed %u, loss %u of 1000, way %d\n", seed, loss, (int)way);
        if (!same) return;
    }
}

int main(void)
{
    for (uint32_t seed = 1; seed <= 12; seed++) {
        struct ltcp_settings rfc = ltcp_profile_rfc, linux_like = ltcp_profile_linux;
        rfc.timestamps = seed % 2 == 0;
        rfc.receive_buffer = seed % 4 == 1 ? 20000 : 200000;
        rfc.send_buffer = 100000;
        linux_like.pacing = seed % 2 == 0;
        linux_like.ecn = seed % 4 == 3;
        if (seed % 3 == 1) rfc.congestion = linux_like.congestion = &ltcp_bbr;
        for (unsigned loss = 0; loss <= 20; loss += 10) {
            compare(&rfc, seed, loss);
            compare(&linux_like, seed, loss);
        }
    }
    CHECK(gathered > 10000);
    return check_finish();
}

#else

int main(void)
{
    printf("this build goes the short ways only\n");
    return check_finish();
}

#endif
